package ruleset_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/pkg/rules/load"
	"github.com/tiercel/tiercel/pkg/rules/ruleset"
)

func rule(name, priority, tag, condition string) string {
	return "- rule: " + name + "\n  desc: d\n  output: o\n  priority: " + priority + "\n  tags: [" + tag + "]\n  condition: " + condition + "\n"
}

func names(s *ruleset.Set) string {
	var all []string
	for _, r := range s.Rules() {
		all = append(all, r.Name)
	}
	return strings.Join(all, ", ")
}

var builtin = fstest.MapFS{"a.yaml": {Data: []byte(
	rule("read shadow", "WARNING", "file", "evt.type=open") + rule("read keys", "NOTICE", "file", "evt.type=openat") + rule("connect", "DEBUG", "net", "evt.type=connect"))}}

func TestSelection(t *testing.T) {
	for _, one := range []struct {
		change func(*ruleset.Config)
		want   string
	}{
		{func(*ruleset.Config) {}, "read shadow, read keys, connect"},
		{func(c *ruleset.Config) { c.Disable = []string{"read *"} }, "connect"},
		{func(c *ruleset.Config) { c.Disable, c.Enable = []string{"*"}, []string{"tag:net", "read k*"} }, "read keys, connect"},
		{func(c *ruleset.Config) {
			c.Select = []string{"disable tag:file", "enable read shadow", "disable connect"}
		}, "read shadow"},
		{func(c *ruleset.Config) { c.MinimumPriority = alert.Notice }, "read shadow, read keys"},
	} {
		cfg := ruleset.Defaults()
		one.change(&cfg)
		if err := cfg.Validate(); err != nil {
			t.Error(err)
		}
		s, err := ruleset.Load(&cfg, ruleset.Env{Builtin: builtin})
		if err != nil {
			t.Fatal(err)
		}
		if got := names(s); got != one.want {
			t.Errorf("%+v: %s, want %s", cfg, got, one.want)
		}
	}
}

func TestBadSettings(t *testing.T) {
	cfg := ruleset.Defaults()
	cfg.Select, cfg.Enable, cfg.Match, cfg.Time, cfg.Watch = []string{"remove x", "enable "}, []string{"tag:"}, "some", "utc", -1
	text := cfg.Validate().Error()
	for _, part := range []string{"select: ", "enable: ", "match: ", "time: ", "watch: "} {
		if !strings.Contains(text, part) {
			t.Errorf("%q says nothing of %s", text, part)
		}
	}
}

func TestFilesAndTheirErrors(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("20.yml", rule("second", "INFO", "x", "evt.type=open"))
	write("10.yaml", rule("first", "INFO", "x", "evt.type=open"))
	write("notes.txt", "no rules")
	cfg := ruleset.Defaults()
	cfg.Files = []string{dir}
	s, err := ruleset.Load(&cfg, ruleset.Env{Builtin: builtin})
	if err != nil || names(s) != "first, second" {
		t.Fatalf("%v: %v", names(s), err)
	}
	before := ruleset.Look(&cfg)
	if !before.Equal(ruleset.Look(&cfg)) {
		t.Error("nothing changed, and it looks otherwise")
	}
	write("30.yaml", rule("third", "INFO", "x", "proc.nme=sh"))
	if before.Equal(ruleset.Look(&cfg)) {
		t.Error("a new file is not seen")
	}
	_, err = ruleset.Load(&cfg, ruleset.Env{})
	if err == nil || !strings.Contains(err.Error(), "30.yaml") || !strings.Contains(err.Error(), "proc.nme") {
		t.Errorf("the error is %v", err)
	}
}

func TestUnmetRulesAreNamed(t *testing.T) {
	cfg := ruleset.Defaults()
	supply := &load.Supply{
		Type:  func(event.Type) bool { return true },
		Field: func(ref field.Ref, _ event.Set) bool { return ref.ID != field.ProcVmsize },
	}
	s, err := ruleset.Load(&cfg, ruleset.Env{Supply: supply, Builtin: fstest.MapFS{"a.yaml": {Data: []byte(
		rule("big", "INFO", "x", "evt.type=open and proc.vmsize > 5") + rule("fine", "INFO", "x", "evt.type=open"))}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Unmet) != 1 || s.Unmet[0].Name != "big" {
		t.Errorf("unmet are %v", s.Unmet)
	}
}

// BenchmarkLoad loads Falco's stable rules of three releases as a start does.
func BenchmarkLoad(b *testing.B) {
	cfg := ruleset.Defaults()
	for _, name := range []string{"falco_rules.yaml", "releases/falco-rules-5.0.0.yaml", "releases/falco-rules-3.0.1.yaml"} {
		path := filepath.Join("..", "..", "..", "..", "shared", "data", "rules", name)
		if _, err := os.Stat(path); err != nil {
			b.Skipf("the test data is not here: %v", err)
		}
		cfg.Files = append(cfg.Files, path)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ruleset.Load(&cfg, ruleset.Env{}); err != nil {
			b.Fatal(err)
		}
	}
}
