package rules_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	pkgrules "github.com/tiercel/tiercel/pkg/rules"
	"github.com/tiercel/tiercel/pkg/rules/load"
	"github.com/tiercel/tiercel/pkg/rules/recorded"
	"github.com/tiercel/tiercel/pkg/rules/rulefile"
	"github.com/tiercel/tiercel/pkg/rules/ruletest"
	"github.com/tiercel/tiercel/rules"
)

func loaded(t testing.TB) []*load.Rule {
	t.Helper()
	files := rulefile.FromFS(rules.Default())
	if len(files) == 0 {
		t.Fatal("no files")
	}
	l := load.New(load.Options{Append: load.Suggested()})
	for _, f := range files {
		if r := f.Result(l); !r.OK() || len(r.Warnings) > 0 || len(r.SchemaWarnings) > 0 {
			t.Errorf("%s\n%v", r, r.SchemaWarnings)
		}
	}
	if err := l.CheckPlugins(); err != nil {
		t.Error(err)
	}
	return l.Rules()
}

// TestEvents plays the events of testdata, which "tiercel rules test" can do, too: each rule has events that fire and
// events that are near it and must not.
func TestEvents(t *testing.T) {
	all := loaded(t)
	set := pkgrules.Compile(all, pkgrules.Options{})
	files, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatal("no events")
	}
	fires, near := map[string]int{}, map[string]int{}
	for _, name := range files {
		in, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		err = ruletest.Play(in, set, func(o *ruletest.Outcome) error {
			if o.Failed() {
				t.Errorf("%s:%d: fired %q, expected %q", name, o.Line, o.Names(), o.Expect)
			}
			if o.Expect == nil {
				t.Errorf("%s:%d: nothing is expected", name, o.Line)
			}
			if rule, ok := strings.CutPrefix(o.Name, "not: "); ok {
				near[rule]++
				if slices.Contains(o.Expect, rule) {
					t.Errorf("%s:%d: %s is expected to fire", name, o.Line, rule)
				}
			} else if slices.Contains(o.Expect, o.Name) {
				fires[o.Name]++
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, r := range all {
		if fires[r.Name] == 0 || near[r.Name] == 0 {
			t.Errorf("%s: %d events that fire, %d that must not", r.Name, fires[r.Name], near[r.Name])
		}
	}
}

// TestOutputsTellWho makes sure that an alert about a line has the line, the session and where it came from.
func TestOutputsTellWho(t *testing.T) {
	for _, r := range loaded(t) {
		if r.Source.String() != "terminal" {
			continue
		}
		for _, name := range []string{"%shell.session", "%shell.user", "%shell.remote_ip", "%container.id"} {
			if !strings.Contains(r.Output, name) {
				t.Errorf("%s does not tell %s", r.Name, name)
			}
		}
		if !slices.Contains(r.Tags, "terminal") || r.Desc == "" {
			t.Errorf("%s has no tag 'terminal' or no description", r.Name)
		}
	}
}

// BenchmarkLine tests a typed line with the default rules: one that is usual, so that all of them are tried.
func BenchmarkLine(b *testing.B) {
	set := pkgrules.Compile(loaded(b), pkgrules.Options{})
	ev, err := recorded.Decode([]byte(`{"type":"command","fields":{"shell.line":"kubectl get pods -n shop | grep web","shell.cwd":"/root/","container.id":"host"}}`))
	if err != nil {
		b.Fatal(err)
	}
	var dst []*load.Rule
	b.ReportAllocs()
	for b.Loop() {
		if dst = set.Match(dst[:0], ev); len(dst) != 1 {
			b.Fatal("not the last rule only")
		}
	}
}

func TestPageNamesEveryRule(t *testing.T) {
	page, err := os.ReadFile("../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range loaded(t) {
		if !strings.Contains(string(page), r.Name) || !strings.Contains(string(page), "| "+r.Priority.String()+" |") {
			t.Errorf("docs/rules.md does not name %s, %s", r.Name, r.Priority)
		}
	}
}
