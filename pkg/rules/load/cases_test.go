package load_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/rules/filter"
	"github.com/tiercel/tiercel/pkg/rules/load"
)

// shared reads a file of test data that lies beside the project.
func shared(t testing.TB, parts ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{"..", "..", "..", "..", "shared", "data"}, parts...)...))
	if err != nil {
		t.Skipf("the test data is not here: %v", err)
	}
	return data
}

type expectation struct {
	Present  bool
	Contains string
}

type loadCase struct {
	Name  string
	Loads []struct {
		YAML string
		OK   bool
	}
	Error             []expectation
	Warning           []expectation
	CompiledCondition map[string]string `json:"compiled_condition"`
	Schema            string
	HasWarnings       *bool `json:"has_warnings"`
	EnabledRules      *int  `json:"enabled_rules"`
}

func contains(problems []load.Problem, text string) bool {
	for _, p := range problems {
		if strings.Contains(p.Message, text) || strings.Contains(string(p.Code), text) {
			return true
		}
	}
	return false
}

// TestLoaderCases reads the cases that come with the language's own loader.
func TestLoaderCases(t *testing.T) {
	lines := bufio.NewScanner(bytes.NewReader(shared(t, "rule_loading", "cases.jsonl")))
	lines.Buffer(nil, 1<<20)
	cases, passed := 0, 0
	for lines.Scan() {
		var c loadCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		cases++
		if t.Run(c.Name, func(t *testing.T) { c.run(t) }) {
			passed++
		}
	}
	t.Logf("%d of %d loader cases agree", passed, cases)
}

func (c *loadCase) run(t *testing.T) {
	l := load.New(load.Options{})
	var last *load.Result
	for i, step := range c.Loads {
		last = l.Load("rules.yaml", step.YAML)
		if last.OK() != step.OK {
			t.Errorf("load %d: ok is %v, want %v:\n%s", i, last.OK(), step.OK, last)
		}
	}
	for _, e := range c.Error {
		if contains(last.Errors, e.Contains) != e.Present {
			t.Errorf("error %q, present %v:\n%s", e.Contains, e.Present, last)
		}
	}
	for _, e := range c.Warning {
		if contains(last.Warnings, e.Contains) != e.Present {
			t.Errorf("warning %q, present %v:\n%s", e.Contains, e.Present, last)
		}
	}
	enabled := 0
	conditions := map[string]string{}
	for _, r := range l.Rules() {
		conditions[r.Name] = filter.String(r.Expr)
		if r.Enabled {
			enabled++
		}
	}
	for name, want := range c.CompiledCondition {
		if got := conditions[name]; got != want {
			t.Errorf("condition of %s is\n%s, want\n%s", name, got, want)
		}
	}
	schema := "validation_ok"
	if len(last.SchemaWarnings) > 0 {
		schema = "validation_failed"
	}
	if c.Schema != "" && schema != c.Schema {
		t.Errorf("schema is %s %v, want %s", schema, last.SchemaWarnings, c.Schema)
	}
	if c.HasWarnings != nil && *c.HasWarnings != (len(last.Warnings) > 0) {
		t.Errorf("has warnings is %v:\n%s", len(last.Warnings) > 0, last)
	}
	if c.EnabledRules != nil && *c.EnabledRules != enabled {
		t.Errorf("%d rules are enabled, want %d", enabled, *c.EnabledRules)
	}
}

func TestOfficialRules(t *testing.T) {
	for _, file := range []struct {
		parts []string
		rules int
	}{
		{[]string{"rules", "falco_rules.yaml"}, 25},
		{[]string{"rules", "releases", "falco-rules-3.0.1.yaml"}, 25},
		{[]string{"rules", "releases", "falco-rules-5.0.0.yaml"}, 25},
		{[]string{"seed_rules_reconstructed.yaml"}, 6},
	} {
		l := load.New(load.Options{Append: load.Suggested()})
		name := file.parts[len(file.parts)-1]
		r := l.Load(name, string(shared(t, file.parts...)))
		if !r.OK() || len(l.Rules()) != file.rules {
			t.Errorf("%s: %d rules\n%s", name, len(l.Rules()), r)
		}
		if err := l.CheckPlugins(); err != nil {
			t.Error(err)
		}
		for _, rule := range l.Rules() {
			// In the oldest release, three rules ask for enter events, which no longer exist.
			never := strings.Contains(name, "3.0.1") && strings.Contains(filter.String(rule.Expr), "evt.dir = >")
			if never != (rule.Condition.Types.Len() == 0) || rule.Condition.Types.Len() > 16 {
				t.Errorf("%s is for %d event types", rule.Name, rule.Condition.Types.Len())
			}
		}
		for _, w := range r.Warnings {
			if !strings.Contains(w.Message, "can never fire") && w.Code != load.WarnUnusedMacro && w.Code != load.WarnUnusedList && w.Code != load.WarnDeprecatedItem {
				t.Errorf("%s", w)
			}
		}
	}
}

func BenchmarkLoadOfficialRules(b *testing.B) {
	text := string(shared(b, "rules", "falco_rules.yaml"))
	b.ReportAllocs()
	for b.Loop() {
		if r := load.New(load.Options{Append: load.Suggested()}).Load("falco_rules.yaml", text); !r.OK() {
			b.Fatal(r)
		}
	}
}

// BenchmarkLoadFourFiles loads as much as the four official files are together: four times the stable rules, each time
// under other names.
func BenchmarkLoadFourFiles(b *testing.B) {
	text := string(shared(b, "rules", "falco_rules.yaml"))
	var files []string
	for i := range 4 {
		files = append(files, strings.ReplaceAll(text, "- rule: ", fmt.Sprintf("- rule: %d ", i)))
	}
	b.ReportAllocs()
	for b.Loop() {
		l := load.New(load.Options{Append: load.Suggested()})
		for _, file := range files {
			if r := l.Load("rules.yaml", file); !r.OK() {
				b.Fatal(r)
			}
		}
		if n := len(l.Rules()); n != 100 {
			b.Fatalf("%d rules", n)
		}
	}
}
