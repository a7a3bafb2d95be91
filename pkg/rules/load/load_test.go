package load_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/rules/filter"
	"github.com/tiercel/tiercel/pkg/rules/load"
)

const base = `
- rule: one
  desc: first
  condition: evt.type = open
  output: out %proc.name
  priority: INFO
  tags: [b, a]
- rule: two
  desc: second
  condition: evt.type = close
  output: out
  priority: WARNING
`

func TestUpdates(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want string // name, description, condition, output, priority, tags, enabled; "!" and a code for an error
	}{
		"nothing":          {"", "one|first|evt.type = open|out %proc.name|Informational|a b|true"},
		"replaced":         {"- {rule: one, desc: d, condition: evt.type=read, output: o, priority: debug}", "one|d|evt.type = read|o|Debug||true"},
		"condition added":  {"- {rule: one, condition: and proc.name=x, append: true}", "one|first|(evt.type = open and proc.name = x)|out %proc.name|Informational|a b|true"},
		"or added":         {"- {rule: one, condition: or evt.type=read, override: {condition: append}}", "one|first|(evt.type = open or evt.type = read)|out %proc.name|Informational|a b|true"},
		"all added":        {"- {rule: one, desc: more, output: text, tags: [c, a], override: {desc: append, output: append, tags: append}}", "one|first more|evt.type = open|out %proc.name text|Informational|a b c|true"},
		"all replaced":     {"- {rule: one, desc: d, condition: evt.type=read, output: o, priority: ERROR, tags: [z], enabled: false, override: {desc: replace, condition: replace, output: replace, priority: replace, tags: replace, enabled: replace}}", "one|d|evt.type = read|o|Error|z|false"},
		"added, replaced":  {"- {rule: one, condition: and proc.name=x, priority: Critical, override: {condition: append, priority: replace}}", "one|first|(evt.type = open and proc.name = x)|out %proc.name|Critical|a b|true"},
		"off":              {"- {rule: one, enabled: false}", "one|first|evt.type = open|out %proc.name|Informational|a b|false"},
		"off and replaced": {"- {rule: one, enabled: false}\n- {rule: one, desc: d, condition: evt.type=read, output: o, priority: debug}", "one|d|evt.type = read|o|Debug||true"},
		"other document":   {"---\n- {rule: one, enabled: false}\n---\n- {rule: one, enabled: true}", "one|first|evt.type = open|out %proc.name|Informational|a b|true"},

		"nothing to add":       {"- {rule: one, append: true}", "!LOAD_ERR_VALIDATE"},
		"no such rule":         {"- {rule: three, condition: and a, append: true}", "!LOAD_ERR_VALIDATE"},
		"no such rule, off":    {"- {rule: three, enabled: false}", "!LOAD_ERR_VALIDATE"},
		"both ways":            {"- {rule: one, condition: and proc.name=x, append: true, override: {condition: append}}", "!LOAD_ERR_YAML_VALIDATE"},
		"not named":            {"- {rule: one, condition: and proc.name=x, desc: d, override: {condition: append}}", "!LOAD_ERR_YAML_VALIDATE"},
		"named, not there":     {"- {rule: one, condition: and proc.name=x, override: {condition: append, desc: append}}", "!LOAD_ERR_YAML_VALIDATE"},
		"priority added":       {"- {rule: one, priority: INFO, override: {priority: append}}", "!LOAD_ERR_YAML_VALIDATE"},
		"no such way":          {"- {rule: one, desc: d, override: {desc: remove}}", "!LOAD_ERR_YAML_VALIDATE"},
		"no such key":          {"- {rule: one, source: syscall, override: {source: replace}}", "!LOAD_ERR_YAML_VALIDATE"},
		"other source":         {"- {rule: one, desc: d, condition: evt.type=command, output: o, priority: debug, source: terminal}", "!LOAD_ERR_VALIDATE"},
		"added to other":       {"- {rule: one, condition: and evt.type=command, source: terminal, append: true}", "!LOAD_ERR_VALIDATE"},
		"without desc":         {"- {rule: x, condition: evt.type=open, output: o, priority: debug}", "!LOAD_ERR_YAML_VALIDATE"},
		"nothing but a name":   {"- {rule: x}", "!LOAD_ERR_YAML_VALIDATE"},
		"priority":             {"- {rule: x, desc: d, condition: evt.type=open, output: o, priority: loud}", "!LOAD_ERR_YAML_VALIDATE"},
		"short priority":       {"- {rule: x, desc: d, condition: evt.type=open, output: o, priority: warn}", "!LOAD_ERR_YAML_VALIDATE"},
		"condition a list":     {"- {rule: x, desc: d, condition: [a], output: o, priority: debug}", "!LOAD_ERR_YAML_VALIDATE"},
		"empty condition":      {"- {rule: x, desc: d, condition: '', output: o, priority: debug}", "!LOAD_ERR_YAML_VALIDATE"},
		"enabled a text":       {"- {rule: one, enabled: perhaps}", "!LOAD_ERR_YAML_VALIDATE"},
		"tags a text":          {"- {rule: x, desc: d, condition: evt.type=open, output: o, priority: debug, tags: a}", "!LOAD_ERR_YAML_VALIDATE"},
		"output":               {"- {rule: x, desc: d, condition: evt.type=open, output: o %nothing, priority: debug}", "!LOAD_ERR_COMPILE_OUTPUT"},
		"output ends":          {"- {rule: x, desc: d, condition: evt.type=open, output: 100%, priority: debug}", "!LOAD_ERR_COMPILE_OUTPUT"},
		"not YAML":             {"- {rule: x", "!LOAD_ERR_YAML_PARSE"},
		"a mapping":            {"---\nrule: x", "!LOAD_ERR_YAML_VALIDATE"},
		"a text":               {"--- text", "!LOAD_ERR_YAML_VALIDATE"},
		"an item without name": {"- {rule: '', desc: d}", "!LOAD_ERR_YAML_VALIDATE"},
	} {
		t.Run(name, func(t *testing.T) {
			l := load.New(load.Options{})
			r := l.Load("f.yaml", base+test.text)
			if code, bad := strings.CutPrefix(test.want, "!"); bad {
				if r.OK() || string(r.Errors[0].Code) != code {
					t.Errorf("%s", r)
				}
				return
			}
			if !r.OK() {
				t.Fatal(r)
			}
			rule := l.Rules()[0]
			got := fmt.Sprintf("%s|%s|%s|%s|%s|%s|%v", rule.Name, rule.Desc, filter.String(rule.Expr), rule.Output, rule.Priority, strings.Join(rule.Tags, " "), rule.Enabled)
			if got != test.want || l.Rules()[1].Name != "two" {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// rule makes a rule of a condition.
func rule(condition string) string {
	return "\n- {rule: r, desc: d, output: o, priority: INFO, condition: '" + strings.ReplaceAll(condition, "'", "''") + "'}\n"
}

func TestListsAndMacros(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want string // "!" and a part of the message for an error
	}{
		"list":               {"- {list: l, items: [a, b c, 'x']}" + rule("proc.name in (l, z)"), `proc.name in (a, "b c", x, z)`},
		"list later":         {rule("proc.name in (l)") + "- {list: l, items: [a]}", "proc.name in (a)"},
		"list in list":       {"- {list: l, items: [a]}\n- {list: m, items: [l, b]}\n- {list: n, items: [m, c]}" + rule("proc.name in (n)"), "proc.name in (a, b, c)"},
		"not in list later":  {"- {list: m, items: [l, b]}\n- {list: l, items: [a]}" + rule("proc.name in (m)"), "proc.name in (a, b)"},
		"list replaced":      {"- {list: l, items: [a]}\n- {list: l, items: [b]}" + rule("proc.name in (l)"), "proc.name in (b)"},
		"list added":         {"- {list: l, items: [a]}\n- {list: l, items: [b], append: true}\n- {list: l, items: [c], override: {items: append}}" + rule("proc.name in (l)"), "proc.name in (a, b, c)"},
		"list overridden":    {"- {list: l, items: [a]}\n- {list: l, items: [b], override: {items: replace}}" + rule("proc.name in (l)"), "proc.name in (b)"},
		"empty list":         {"- {list: l, items: []}" + rule("proc.name in (l)"), "proc.name in ()"},
		"empty in the front": {"- {list: l, items: []}" + rule("proc.name in (l, a)"), "proc.name in (a)"},
		"empty in the back":  {"- {list: l, items: []}" + rule("proc.name in (a,l)"), "proc.name in (a)"},
		"two empty":          {"- {list: l, items: []}\n- {list: m, items: []}" + rule("proc.name in (l, m)"), "proc.name in ()"},
		"whole words":        {"- {list: l, items: [a]}" + rule("proc.name in (ll, l.l, l)"), "proc.name in (ll, l.l, a)"},
		"numbers":            {"- {list: l, items: [22, 0x16]}" + rule("fd.sport in (l)"), "fd.sport in (22, 0x16)"},
		"with a quote":       {`- {list: l, items: ['"a b"', "'c d'"]}` + rule("proc.name in (l)"), `proc.name in ("a b", "c d")`},
		"as a value":         {"- {list: l, items: [a]}" + rule("proc.name = l"), "proc.name = a"},
		"with a modifier":    {"- {list: l, items: [a, b]}" + rule("proc.name startswith anyof (l)"), "proc.name startswith anyof (a, b)"},
		"itself":             {"- {list: l, items: [l]}" + rule("proc.name in (l)"), "proc.name in (l)"},
		"no items":           {"- {list: l}", "!Item has no mapping for key 'items'"},
		"items a text":       {"- {list: l, items: a}", "!expected a sequence for 'items'"},
		"items of lists":     {"- {list: l, items: [[a]]}", "!every item of 'items' must be a single value"},
		"added to nothing":   {"- {list: l, items: [a], append: true}", "!no list by that name"},

		"macro":               {"- {macro: m, condition: proc.name=a}" + rule("m and fd.num=1"), "(proc.name = a and fd.num = 1)"},
		"macro later":         {rule("m") + "- {macro: m, condition: proc.name=a}", "proc.name = a"},
		"macro in macro":      {"- {macro: m, condition: proc.name=a}\n- {macro: n, condition: m or fd.num=1}" + rule("not n"), "not (proc.name = a or fd.num = 1)"},
		"not in macro later":  {"- {macro: n, condition: m}\n- {macro: m, condition: proc.name=a}" + rule("n"), "!Undefined macro 'm' used in filter."},
		"macro replaced":      {"- {macro: m, condition: proc.name=a}\n- {macro: n, condition: m}\n- {macro: m, condition: proc.name=b}" + rule("n"), "proc.name = b"},
		"macro added":         {"- {macro: m, condition: proc.name=a}\n- {macro: m, condition: or fd.num=1, append: true}" + rule("m"), "(proc.name = a or fd.num = 1)"},
		"itself at once":      {"- {macro: m, condition: m}", "!Undefined macro 'm' used in filter."},
		"loop":                {"- {macro: m, condition: proc.name=a}\n- {macro: n, condition: m}\n- {macro: m, condition: n}" + rule("m"), "!the macro 'n' leads back to itself (reference loop)"},
		"loop of one":         {"- {macro: m, condition: proc.name=a}\n- {macro: m, condition: m}" + rule("m"), "!the macro 'm' leads back to itself (reference loop)"},
		"unknown":             {rule("m"), "!Undefined macro 'm' used in filter."},
		"macro with list":     {"- {list: l, items: [a]}\n- {macro: m, condition: proc.name in (l)}" + rule("m"), "proc.name in (a)"},
		"bad macro":           {"- {macro: m, condition: proc.name and}" + rule("m"), "!expected an operator after 'proc.name'"},
		"added dangling":      {"- {macro: m, condition: proc.name=a}\n- {macro: m, condition: and, append: true}" + rule("m"), "!'and' must be followed by a blank or '('"},
		"macro without":       {"- {macro: m}", "!Item has no mapping for key 'condition'"},
		"macro name":          {"- {macro: , condition: a}", "!Mapping for key 'macro' is empty"},
		"engine":              {"- {required_engine_version: 0.63.0}", "!the file asks for engine version 0.63.0, and this engine does as 0.62.0"},
		"engine major":        {"- {required_engine_version: 1.0.0}", "!the file asks for engine version 1.0.0"},
		"engine old":          {"- {required_engine_version: 31}" + rule("proc.name=a"), "proc.name = a"},
		"engine now":          {"- {required_engine_version: 0.62.0}" + rule("proc.name=a"), "proc.name = a"},
		"plugins not a list":  {"- {required_plugin_versions: container}", "!expected a sequence of plugins"},
		"plugin without":      {"- required_plugin_versions: [{name: container}]", "!Item has no mapping for key 'version'"},
		"plugin version":      {"- required_plugin_versions: [{name: container, version: new}]", "!plugin 'container' is required in version 'new'"},
		"plugin twice":        {"- required_plugin_versions: [{name: a, version: 1.0.0, alternatives: [{name: a, version: 2.0.0}]}]", "!plugin 'a' is named more than once"},
		"depth":               {rule(strings.Repeat("(", 150) + "proc.name=a" + strings.Repeat(")", 150)), "proc.name = a"},
		"too deep":            {rule(strings.Repeat("(", 250) + "proc.name=a" + strings.Repeat(")", 250)), "!nested deeper than 1000 levels"},
		"unknown source":      {"- {rule: x, desc: d, condition: a.b=1, output: o, priority: INFO, source: k8s_audit}" + rule("proc.name=a"), "proc.name = a"},
		"skipped":             {"- {rule: x, desc: d, condition: no.field=1, output: o, priority: INFO, skip-if-unknown-filter: true}" + rule("proc.name=a"), "proc.name = a"},
		"skipped for type":    {"- {rule: x, desc: d, condition: evt.type=nothing, output: o, priority: INFO, skip-if-unknown-filter: true}" + rule("proc.name=a"), "proc.name = a"},
		"skipped for output":  {"- {rule: x, desc: d, condition: fd.num=1, output: '%no.field', priority: INFO, skip-if-unknown-filter: true}" + rule("proc.name=a"), "proc.name = a"},
		"not skipped for bad": {"- {rule: x, desc: d, condition: fd.num=a, output: o, priority: INFO, skip-if-unknown-filter: true}", "!'a' is no number"},
		"alias":               {"- {list: l, items: &items [a]}\n- {list: m, items: *items}" + rule("proc.name in (m)"), "proc.name in (a)"},
		"empty items":         {"-\n- ~" + rule("proc.name=a"), "proc.name = a"},
		"comments only":       {"# nothing\n---\n# nothing" + rule("proc.name=a"), "proc.name = a"},
	} {
		t.Run(name, func(t *testing.T) {
			l := load.New(load.Options{})
			r := l.Load("f.yaml", test.text)
			if message, bad := strings.CutPrefix(test.want, "!"); bad {
				if r.OK() || !strings.Contains(r.Errors[0].Message, message) {
					t.Errorf("want %q:\n%s", message, r)
				}
				return
			}
			if !r.OK() {
				t.Fatal(r)
			}
			if got := filter.String(l.Rules()[len(l.Rules())-1].Expr); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

func TestExceptions(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want string
	}{
		"none":             {"[]", "proc.name = a"},
		"no values":        {"[{name: x, fields: [proc.name]}]", "proc.name = a"},
		"one":              {"[{name: x, fields: [proc.name], values: [[b]]}]", "(proc.name = a and not proc.name = b)"},
		"two":              {"[{name: x, fields: [proc.name, fd.num], values: [[b, 1], [c d, 2]]}]", `(proc.name = a and not ((proc.name = b and fd.num = 1) or (proc.name = "c d" and fd.num = 2)))`},
		"flat":             {"[{name: x, fields: proc.name, values: [b, c d]}]", `(proc.name = a and not proc.name in (b, "c d"))`},
		"flat pmatch":      {"[{name: x, fields: fd.name, comps: pmatch, values: [/etc, /var]}]", "(proc.name = a and not fd.name pmatch (/etc, /var))"},
		"comps":            {"[{name: x, fields: [proc.name, fd.name], comps: [in, startswith], values: [[[b, c], /etc]]}]", "(proc.name = a and not (proc.name in (b, c) and fd.name startswith /etc))"},
		"in one":           {"[{name: x, fields: [proc.name], comps: [in], values: [[b]]}]", "(proc.name = a and not proc.name in (b))"},
		"in parentheses":   {"[{name: x, fields: [proc.name], comps: [in], values: [['(b, c)']]}]", "(proc.name = a and not proc.name in (b, c))"},
		"several":          {"[{name: x, fields: [proc.name], values: [[b]]}, {name: y, fields: fd.num, values: [1]}]", "(proc.name = a and not proc.name = b and not fd.num in (1))"},
		"modifier":         {"[{name: x, fields: [fd.name], comps: [glob oneof], values: [[[a*, b*]]]}]", "(proc.name = a and not fd.name glob oneof (a*, b*))"},
		"argument":         {"[{name: x, fields: ['proc.aname[2]'], values: [[b]]}]", "(proc.name = a and not proc.aname[2] = b)"},
		"not a sequence":   {"x", "!expected a sequence of exceptions"},
		"not a mapping":    {"[x]", "!expected an exception: a mapping"},
		"no name":          {"[{fields: [proc.name]}]", "!Item has no mapping for key 'name'"},
		"no fields":        {"[{name: x}]", "!Item has no mapping for key 'fields'"},
		"unknown field":    {"[{name: x, fields: [no.field]}]", "!'no.field' is not a supported filter field"},
		"unknown operator": {"[{name: x, fields: [proc.name], comps: [like]}]", "!'like' is not a supported comparison operator"},
		"in with modifier": {"[{name: x, fields: [proc.name], comps: [in oneof]}]", "!'in oneof' is not a supported comparison operator"},
		"lengths":          {"[{name: x, fields: [proc.name], comps: [=, =]}]", "!the same number of items, not 1 and 2"},
		"lengths of value": {"[{name: x, fields: [proc.name], values: [[a, b]]}]", "!the same number of items, not 1 and 2"},
		"value no list":    {"[{name: x, fields: [proc.name], values: [a]}]", "!the same number of items, not 1 and 0"},
		"flat with list":   {"[{name: x, fields: proc.name, values: [[a]]}]", "!each of 'values' must be a single value"},
		"flat with =":      {"[{name: x, fields: proc.name, comps: =, values: [a]}]", "!'=' does not compare with a list"},
		"flat, comps list": {"[{name: x, fields: proc.name, comps: [in], values: [a]}]", "!'comps' must be a single operator"},
		"values a text":    {"[{name: x, fields: [proc.name], values: a}]", "!expected a sequence for 'values'"},
		"deep":             {"[{name: x, fields: [proc.name], values: [[[[[[[a]]]]]]]}]", "!nested too deep"},
	} {
		t.Run(name, func(t *testing.T) {
			l := load.New(load.Options{})
			r := l.Load("f.yaml", "- rule: r\n  desc: d\n  output: o\n  priority: INFO\n  condition: proc.name=a\n  exceptions: "+test.text)
			if message, bad := strings.CutPrefix(test.want, "!"); bad {
				if r.OK() || !strings.Contains(r.Errors[0].Message, message) {
					t.Errorf("want %q:\n%s", message, r)
				}
				return
			}
			if !r.OK() {
				t.Fatal(r)
			}
			if got := filter.String(l.Rules()[0].Expr); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// TestHarmless shows a file that tries to clear the terminal, wherever its texts come up.
func TestHarmless(t *testing.T) {
	for _, text := range []string{
		`- {rule: "\e[2J", desc: d, condition: "proc.name=a\nand \e[2J", output: o, priority: INFO}`,
		`- {rule: r, desc: d, condition: fd.num=1, output: "o %\e[2J\n\u009b2J", priority: INFO}`,
		`- {rule: r, desc: d, condition: fd.num=1, output: o, priority: "\e[2J", "\e[2J": 1}`,
		`- {rule: r, desc: d, condition: fd.num="\e[2J", output: o, priority: INFO}`,
	} {
		r := load.New(load.Options{}).Load("f\x1b.yaml", text)
		if r.OK() || strings.ContainsAny(r.String()+r.Summary(), "\x1b\u009b") {
			t.Errorf("%q", r)
		}
	}
}

func TestUnknownKeys(t *testing.T) {
	for _, text := range []string{
		"- {list: l, items: [a], typo: 1}", "- {macro: m, condition: fd.num=1, typo: 1}", "- {required_engine_version: 1, typo: 1}",
		"- {rule: r, desc: d, condition: fd.num=1, output: o, priority: INFO, typo: 1}", "- {required_plugin_versions: [], typo: 1}",
		"- required_plugin_versions: [{name: a, version: 1.0.0, typo: 1}]",
		"- required_plugin_versions: [{name: a, version: 1.0.0, alternatives: [{name: b, version: 1.0.0, typo: 1}]}]",
		"- {rule: r, desc: d, condition: fd.num=1, output: o, priority: INFO, exceptions: [{name: x, fields: [fd.num], typo: 1}]}",
	} {
		r := load.New(load.Options{}).Load("f.yaml", text)
		if !r.OK() || !contains(r.Warnings, "Unknown key 'typo'") || len(r.SchemaWarnings) == 0 {
			t.Errorf("%s: %s %v", text, r, r.SchemaWarnings)
		}
	}
}

func TestPriorities(t *testing.T) {
	for text, want := range map[string]alert.Priority{
		"EMERGENCY": alert.Emergency, "Alert": alert.Alarm, "critical": alert.Critical, "ERROR": alert.Error, "WARNING": alert.Warning,
		"NOTICE": alert.Notice, "INFO": alert.Informational, "Informational": alert.Informational, "DEBUG": alert.Debug,
	} {
		l := load.New(load.Options{})
		l.Load("f.yaml", "- {rule: r, desc: d, condition: fd.num=1, output: o, priority: "+text+"}")
		if got := l.Rules()[0].Priority; got != want {
			t.Errorf("%s is %s", text, got)
		}
	}
}

func TestPlugins(t *testing.T) {
	for text, ok := range map[string]bool{
		"[{name: container, version: 0.4.0}]": true, "[{name: container, version: 0.2.2}]": true, "[{name: container, version: 0.5.0}]": false,
		"[{name: k8saudit, version: 0.1.0}]": false, "[{name: k8saudit, version: 0.1.0, alternatives: [{name: container, version: 0.1.0}]}]": true,
	} {
		l := load.New(load.Options{})
		if r := l.Load("f.yaml", "- required_plugin_versions: "+text); !r.OK() {
			t.Error(r)
		}
		if err := l.CheckPlugins(); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestFilesBuildOnEachOther(t *testing.T) {
	l := load.New(load.Options{})
	for _, step := range []struct {
		text  string
		rules int
		ok    bool
	}{
		{"- {list: l, items: [a]}\n- {macro: m, condition: proc.name in (l)}\n" + rule("m"), 1, true},
		{"- {list: l, items: [b], append: true}", 1, true},
		{"- {macro: m, condition: and and, append: true}", 1, false},
	} {
		r := l.Load("f.yaml", step.text)
		if r.OK() != step.ok || len(l.Rules()) != step.rules {
			t.Errorf("%q: %d rules, %s", step.text, len(l.Rules()), r)
		}
	}
	if got := filter.String(l.Rules()[0].Expr); got != "proc.name in (a, b)" {
		t.Error(got)
	}
}

func TestPlaces(t *testing.T) {
	text := "# 한글\n- macro: m\n  condition: proc.name=a\n\n- rule: My rule\n  desc: d\n  condition: m and proc.nobody=\"b\"\n  output: o\n  priority: INFO\n  typo: 1\n"
	r := load.New(load.Options{}).Load("dir/f.yaml", text)
	if r.OK() {
		t.Fatal("loaded")
	}
	want := `dir/f.yaml: Invalid
1 Errors:
In rules content: (dir/f.yaml:0:0)
    rule 'My rule': (dir/f.yaml:5:3)
    rule condition: (dir/f.yaml:7:14)
    condition expression: ("m and proc.nobody...":1:7)
------
m and proc.nobody="b"
      ^
------
LOAD_ERR_COMPILE_CONDITION (the condition is wrong): filter_check called with nonexistent field proc.nobody

1 Warnings:
In rules content: (dir/f.yaml:0:0)
    rule 'My rule': (dir/f.yaml:5:3)
    value for 'typo': (dir/f.yaml:10:3)
------
  typo: 1
  ^
------
LOAD_UNKNOWN_KEY (key that such an item does not have): Unknown key 'typo' in rule: it is ignored
`
	if got := r.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := r.Summary(); got != "dir/f.yaml: Invalid\n 1 errors: [LOAD_ERR_COMPILE_CONDITION (the condition is wrong)]\n"+
		" 1 warnings: [LOAD_UNKNOWN_KEY (key that such an item does not have)]" {
		t.Error(got)
	}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Name                    string
		Successful, SchemaValid bool
		Errors                  []struct {
			Code, CodeDesc, Message string
			Context                 struct {
				Snippet   string
				Locations []struct {
					ItemType string `json:"item_type"`
					ItemName string `json:"item_name"`
					Position struct {
						Name                 string
						Line, Column, Offset int
					}
				}
			}
		}
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	e := got.Errors[0]
	l := e.Context.Locations[2]
	if got.Name != "dir/f.yaml" || got.Successful || e.Code != "LOAD_ERR_COMPILE_CONDITION" || e.CodeDesc == "" || l.ItemType != "rule condition" ||
		l.Position.Line != 7 || l.Position.Column != 14 || !strings.HasPrefix(text[l.Position.Offset:], "m and") || !strings.Contains(e.Context.Snippet, "^\n") {
		t.Errorf("%s", data)
	}
	// A place in a macro is shown in the macro's text.
	r = load.New(load.Options{}).Load("f.yaml", "- {macro: m, condition: 'proc.name=a and fd.num=x'}"+rule("m"))
	if s := r.Errors[0].Where.Snippet; s != "proc.name=a and fd.num=x\n                ^\n" {
		t.Errorf("%q", s)
	}
	if r := load.Unreadable("f", errors.New("no such file")); r.OK() || !strings.Contains(r.Summary(), "LOAD_ERR_FILE_READ") {
		t.Error(r)
	}
}

// TestBounds has small files that ask for much work.
func TestBounds(t *testing.T) {
	var lists, macros, chain strings.Builder
	lists.WriteString("- {list: l0, items: [a, b, c, d, e, f, g, h, i, j]}\n")
	macros.WriteString("- {macro: m0, condition: proc.name=a or fd.num=1}\n")
	for i := 1; i < 30; i++ {
		fmt.Fprintf(&lists, "- {list: l%d, items: [%s]}\n", i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("l%d, ", i-1), 10), ", "))
		fmt.Fprintf(&macros, "- {macro: m%d, condition: m%d and m%d}\n", i, i-1, i-1)
	}
	var alias strings.Builder
	alias.WriteString("- {list: a0, items: &a0 [x]}\n")
	for i := 1; i < 30; i++ {
		fmt.Fprintf(&alias, "- {rule: r%d, desc: d, condition: fd.num=1, output: o, priority: INFO, exceptions: &a%d [%s]}\n", i, i,
			strings.TrimSuffix(strings.Repeat(fmt.Sprintf("{name: x, fields: [proc.name], values: [[*a%d]]}, ", i-1), 10), ", "))
	}
	many := "- &r {rule: r, desc: d, condition: fd.num=1, output: o, priority: INFO, exceptions: [" +
		strings.Repeat("{name: x, fields: proc.name, values: [a, b, c, d, e, f]},", 1000) + "]}\n" + strings.Repeat("- *r\n", 5000)
	text := strings.Repeat("x", 100_000)
	large := "- {rule: r, desc: d, condition: fd.num=1, output: o, priority: INFO, exceptions: [{name: x, fields: proc.name, values: [&t " + text +
		strings.Repeat(",*t ", 1000) + "]}]}\n"
	words := make([]string, 2000)
	for i := range words {
		words[i] = fmt.Sprintf("w%d", i)
	}
	for i, w := range words {
		fmt.Fprintf(&chain, "- {list: %s, items: [%s]}\n", w, words[min(i+1, len(words)-1)])
	}
	for name, test := range map[string]struct{ text, message string }{
		"lists of lists":       {lists.String() + rule("proc.name in (l29)"), "items together"},
		"macros of macros":     {macros.String() + rule("m29"), "parts after its macros were put in"},
		"aliases of aliases":   {alias.String(), ""},
		"a rule again":         {many, "aliases counted each time"},
		"a text again":         {large, "with its exceptions"},
		"itself":               {"- &a [*a]\n", ""},
		"values of itself":     {"- {rule: r, desc: d, condition: fd.num=1, output: o, priority: INFO, exceptions: [{name: x, fields: [proc.name], values: &v [*v]}]}", "nested too deep"},
		"deep YAML":            {strings.Repeat("[", 100_000), ""},
		"a long chain":         {chain.String() + rule("proc.name in (w0)"), "-"},
		"a long condition":     {rule("proc.name in (" + strings.Repeat("a,", 100_000) + "a)"), "-"},
		"many parts":           {rule(strings.Repeat("fd.num=1 or ", 200_000) + "fd.num=2"), "parts"},
		"many quotes":          {rule(strings.Repeat(`"`, 100_000)), ""},
		"many nots":            {rule(strings.Repeat("not ", 100_000) + "fd.num=1"), "-"},
		"one list, many times": {"- {list: l, items: [" + strings.Repeat("abcdefghij,", 10_000) + "z]}" + rule("proc.name in ("+strings.Repeat("l,", 10_000)+"z)"), "lists were put in"},
		"a long width":         {"- {rule: r, desc: d, condition: fd.num=1, output: '%999999999999proc.name', priority: INFO}", "width"},
		"a large repetition":   {rule(`proc.name regex "((a{1000}){1000}){1000}"`), "regular expression"},
		"larger than allowed":  {strings.Repeat("# \n", load.MaxFile/3+1), "bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			r := load.New(load.Options{}).Load("f.yaml", test.text)
			if test.message == "-" {
				if !r.OK() {
					t.Errorf("%.500s", r)
				}
				return
			}
			if r.OK() || !strings.Contains(r.Errors[0].Message, test.message) {
				t.Errorf("%.500s", r)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	for text, code := range map[string]load.Code{
		"- {list: l, items: [a]}":                                                       load.WarnUnusedList,
		"- {macro: m, condition: fd.num=1}":                                             load.WarnUnusedMacro,
		"- {something: else}":                                                           load.WarnUnknownItem,
		"- {list: 'a b', items: [a]}":                                                   load.WarnInvalidListName,
		"- {macro: a-b, condition: fd.num=1}":                                           load.WarnInvalidMacroName,
		rule("proc.name=a"):                                                             load.WarnNoEventType,
		rule("evt.type=open and evt.dir=<"):                                             load.WarnDeprecatedItem,
		rule("evt.type=open and evt.latency>1"):                                         load.WarnDeprecatedItem,
		rule("evt.type=open and proc.name=proc.pname"):                                  load.WarnCompileCondition,
		rule("evt.type=open and proc.name='val( proc.pname)'"):                          load.WarnCompileCondition,
		rule("evt.type=open and proc.name regex abc"):                                   load.WarnCompileCondition,
		rule("evt.type=open and evt.dir=>"):                                             load.WarnCompileCondition,
		base + "- {rule: one, enabled: false}":                                          load.WarnDeprecatedItem,
		"- {rule: x, desc: d, condition: a=1, output: o, priority: INFO, source: okta}": load.WarnUnknownSource,
		"- {rule: x, desc: d, condition: evt.type=open, output: 'o %container.info', priority: INFO}":                            load.WarnDeprecatedItem,
		"- {rule: x, desc: d, condition: evt.type=open, output: 'o %evt.dir', priority: INFO}":                                   load.WarnDeprecatedItem,
		"- {rule: x, desc: d, condition: evt.type=open and no.field=1, output: o, priority: INFO, skip-if-unknown-filter: true}": load.WarnUnknownFilter,
	} {
		r := load.New(load.Options{}).Load("f.yaml", text)
		if !r.OK() || !slices.ContainsFunc(r.Warnings, func(p load.Problem) bool { return p.Code == code }) {
			t.Errorf("%s: no %s:\n%s", text, code, r)
		}
	}
	if r := load.New(load.Options{}).Load("f.yaml", base); len(r.Warnings) > 0 || len(r.SchemaWarnings) > 0 {
		t.Errorf("%s %v", r, r.SchemaWarnings)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(base)
	f.Add("- {list: l, items: [a, *x]}\n- &x {macro: m, condition: not l}\n" + rule("m or m"))
	f.Add("- rule: r\n  desc: d\n  condition: a\n  output: '%5proc.name %evt.arg.flags'\n  priority: INFO\n  exceptions: [{name: x, fields: [proc.name], comps: [in], values: [[[a]]]}]\n")
	f.Add("- required_engine_version: 1\n- required_plugin_versions: [{name: a, version: 1.0.0}]\n---\n- {rule: one, override: {condition: append}, condition: and}\n")
	f.Add("- &a [*a]")
	f.Add("<<: *a\n? [b]\n: |\n  x\n")
	f.Fuzz(func(t *testing.T, text string) {
		l := load.New(load.Options{Append: load.Suggested()})
		r := l.Load("f.yaml", text)
		if r.OK() != (len(r.Errors) == 0) || len(r.Errors) > 1 {
			t.Fatal(r)
		}
		_ = r.String() + r.Summary()
		if _, err := json.Marshal(r); err != nil {
			t.Fatal(err)
		}
		for _, rule := range l.Rules() {
			for e := range rule.Condition.Types.All() {
				if rule.Condition.For(e) == nil && e.String() == "open" {
					continue
				}
				break
			}
		}
	})
}
