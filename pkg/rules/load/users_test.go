package load_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/rules/filter"
	"github.com/tiercel/tiercel/pkg/rules/load"
)

// TestFilesOfUsers has files as people write them: each case is files that are read one after the other, and what
// becomes of the rule "r". An error is "!", its code, and what its message must have.
func TestFilesOfUsers(t *testing.T) {
	const r = `
- rule: r
  desc: d
  condition: evt.type = open and fd.name startswith /etc
  output: opened %fd.name
  priority: NOTICE
  exceptions:
    - name: writers
      fields: [proc.name, fd.name]
      comps: [=, startswith]
    - name: names
      fields: proc.name
`
	const is = "evt.type = open and fd.name startswith /etc"
	for name, test := range map[string]struct {
		files []string
		want  string // the condition
	}{
		"exceptions without values change nothing": {[]string{r}, "(" + is + ")"},
		"values from two later files": {[]string{
			r,
			"- {rule: r, exceptions: [{name: writers, values: [[vi, /etc/x]]}], override: {exceptions: append}}",
			"- {rule: r, exceptions: [{name: writers, values: [[sed, /etc/y]]}, {name: names, values: [cp]}], override: {exceptions: append}}",
		}, "((" + is + ") and not ((proc.name = vi and fd.name startswith /etc/x) or (proc.name = sed and fd.name startswith /etc/y)) and not proc.name in (cp))"},
		"a condition added before and after": {[]string{
			r, "- {rule: r, condition: and not user.uid = 0, override: {condition: append}}",
			"- {rule: r, exceptions: [{name: names, values: [a b]}], override: {exceptions: append}}",
			"- {rule: r, condition: or evt.type = creat, append: true}",
		}, "((" + "(" + is + " and not user.uid = 0) or evt.type = creat) and not proc.name in (\"a b\"))"},
		"exceptions replaced": {[]string{
			r, "- {rule: r, exceptions: [{name: names, values: [a]}], override: {exceptions: append}}",
			"- {rule: r, exceptions: [{name: other, fields: fd.name, comps: endswith anyof, values: [.log, .tmp]}], override: {exceptions: replace}}",
		}, "((" + is + ") and not fd.name endswith anyof (.log, .tmp))"},
		"condition and exceptions at once": {[]string{
			r, "- {rule: r, condition: evt.type = creat, exceptions: [{name: names, values: [a]}], override: {condition: replace, exceptions: append}}",
		}, "(evt.type = creat and not proc.name in (a))"},
		"a whole rule forgets what was appended": {[]string{
			r, "- {rule: r, condition: and proc.tty = 0, override: {condition: append}}", "- {rule: r, desc: d, condition: evt.type = creat, output: o, priority: INFO}",
		}, "evt.type = creat"},
		"a rule that was off is on when it is defined again": {[]string{r, "- {rule: r, enabled: false, override: {enabled: replace}}", r}, "(" + is + ")"},

		"single field, every kind of comps": {[]string{`
- rule: r
  desc: d
  condition: evt.type = open
  output: o
  priority: INFO
  exceptions:
    - {name: a, fields: proc.name, values: [x]}
    - {name: b, fields: proc.name, comps: in, values: [x]}
    - {name: c, fields: fd.name, comps: pmatch, values: [/x, /y]}
    - {name: d, fields: proc.name, comps: intersects, values: [x]}
    - {name: e, fields: proc.name, comps: startswith anyof, values: [x, y z]}
    - {name: f, fields: proc.cmdline, comps: contains allof, values: [x, y]}
    - {name: g, fields: fd.name, comps: glob oneof, values: ["/x/*", "/y/*"]}
    - {name: h, fields: proc.name, comps: "= anyof", values: [x]}
    - {name: i, fields: tolower(proc.name), comps: regex anyof, values: ['"a(b|c)"']}
`}, `(evt.type = open and not proc.name in (x) and not proc.name in (x) and not fd.name pmatch (/x, /y) and not proc.name intersects (x) ` +
			`and not proc.name startswith anyof (x, "y z") and not proc.cmdline contains allof (x, y) and not fd.name glob oneof (/x/*, /y/*) ` +
			`and not proc.name = anyof (x) and not tolower(proc.name) regex anyof ("a(b|c)"))`},
		"several fields, every kind of comps": {[]string{`
- rule: r
  desc: d
  condition: evt.type = open
  output: o
  priority: INFO
  exceptions:
    - name: a
      fields: [proc.name, fd.num, fd.name, proc.cmdline, proc.exe, fd.name, proc.name, "proc.aname[2]", fd.snet, fd.name, proc.env, user.uid, proc.name]
      comps: [=, "!=", startswith, contains, endswith, glob, iglob, in, in, pmatch, icontains, ">=", startswith anyof]
      values:
        - [a, 1, /x, "y z", .sh, "/*", "B*", [p, q], [10.0.0.0/8], /etc, w, 1000, [ab, cd]]
`}, `(evt.type = open and not (proc.name = a and fd.num != 1 and fd.name startswith /x and proc.cmdline contains "y z" and proc.exe endswith .sh ` +
			`and fd.name glob /* and proc.name iglob B* and proc.aname[2] in (p, q) and fd.snet in (10.0.0.0/8) and fd.name pmatch (/etc) ` +
			`and proc.env icontains w and user.uid >= 1000 and proc.name startswith anyof (ab, cd)))`},
		"a list as an exception's value": {[]string{"- {list: l, items: [a, b c]}", `
- rule: r
  desc: d
  condition: evt.type = open
  output: o
  priority: INFO
  exceptions: [{name: x, fields: [proc.name, fd.name], comps: [in, in], values: [[l, (l)], [[l, z], "(q, l)"]]}]
`}, `(evt.type = open and not ((proc.name in (a, "b c") and fd.name in (a, "b c")) or (proc.name in (a, "b c", z) and fd.name in (q, a, "b c"))))`},

		"a macro changed by a later file": {[]string{
			"- {macro: m, condition: proc.name = a}\n- {rule: r, desc: d, condition: evt.type = open and m, output: o, priority: INFO}",
			"- {macro: m, condition: or proc.name = b, override: {condition: append}}", "- {list: l, items: [c]}\n- {macro: m, condition: or proc.name in (l), append: true}",
		}, "(evt.type = open and (proc.name = a or proc.name = b or proc.name in (c)))"},
		"a macro redefined with one that came later": {[]string{
			"- {macro: m, condition: proc.name = a}\n- {macro: n, condition: proc.name = b}\n- {rule: r, desc: d, condition: evt.type = open and m, output: o, priority: INFO}",
			"- {macro: m, condition: n and proc.tty = 0}",
		}, "(evt.type = open and (proc.name = b and proc.tty = 0))"},
		"a macro named before it is there": {[]string{
			"- {macro: m, condition: n}\n- {macro: n, condition: proc.name = b}\n- {rule: r, desc: d, condition: evt.type = open and m, output: o, priority: INFO}",
		}, "!LOAD_ERR_VALIDATE Undefined macro 'n'"},
		"a list emptied": {[]string{
			"- {list: l, items: [a]}\n- {rule: r, desc: d, condition: 'evt.type = open and not proc.name in (l)', output: o, priority: INFO}", "- {list: l, items: []}",
		}, "(evt.type = open and not proc.name in ())"},
		"lists in lists in lists, changed afterwards": {[]string{
			"- {list: a, items: [x]}\n- {list: b, items: [a, y]}\n- {list: c, items: [b, z]}\n- {rule: r, desc: d, condition: 'evt.type = open and proc.name in (c)', output: o, priority: INFO}",
			"- {list: a, items: [w], append: true}",
		}, "(evt.type = open and proc.name in (x, w, y, z))"},

		"Windows line ends":                        {[]string{strings.ReplaceAll("- rule: r\n  desc: d\n  condition: >\n    evt.type = open\n    and fd.num = 3\n  output: o\n  priority: INFO\n", "\n", "\r\n")}, "(evt.type = open and fd.num = 3)"},
		"a byte order mark":                        {[]string{"\uFEFF- rule: r\n  desc: d\n  condition: evt.type = open\n  output: o\n  priority: INFO\n"}, "evt.type = open"},
		"tabs in a block":                          {[]string{"- rule: r\n  desc: d\n  condition: |\n    evt.type = open\n    \tand\tfd.num\t=\t3\n  output: o\n  priority: INFO\n"}, "(evt.type = open and fd.num = 3)"},
		"tabs for indenting":                       {[]string{"- rule: r\n\tdesc: d\n"}, "!LOAD_ERR_YAML_PARSE "},
		"documents, some empty":                    {[]string{"# nothing\n---\n---\n- {list: l, items: [a]}\n...\n---\n~\n---\n- {rule: r, desc: d, condition: 'evt.type = open and proc.name in (l)', output: o, priority: INFO}\n---\n# end\n"}, "(evt.type = open and proc.name in (a))"},
		"a key twice":                              {[]string{"- {rule: r, desc: d, condition: evt.type = open, condition: evt.type = close, output: o, priority: INFO}"}, "evt.type = open"},
		"keys in another script":                   {[]string{"- {list: 목록, items: [가, 나 다]}\n- {rule: r, desc: 설명, condition: 'evt.type = open and proc.name in (목록)', output: 열림 %proc.name, priority: INFO}"}, `(evt.type = open and proc.name in (가, "나 다"))`},
		"quotes within quotes":                     {[]string{`- {rule: r, desc: d, condition: 'evt.type = open and proc.cmdline contains "say \"hi\" it''s"', output: o, priority: INFO}`}, `(evt.type = open and proc.cmdline contains "say \"hi\" it's")`},
		"YAML escapes before the language's":       {[]string{`- {rule: r, desc: d, condition: "evt.type = open and proc.cmdline contains '\\t' and fd.name contains '\t'", output: o, priority: INFO}`}, `(evt.type = open and proc.cmdline contains "\t" and fd.name contains "\t")`},
		"items that YAML takes for something else": {[]string{"- {list: l, items: [yes, no, 1e3, 0x10, 1_000, 2001-01-01, ~x, '~']}\n- {rule: r, desc: d, condition: 'evt.type = open and proc.name in (l)', output: o, priority: INFO}"}, "(evt.type = open and proc.name in (yes, no, 1e3, 0x10, 1_000, 2001-01-01, ~x, ~))"},
		"a merge key is none here":                 {[]string{"- &b {rule: base, desc: d, condition: evt.type = open, output: o, priority: INFO}\n- {<<: *b, rule: r}"}, "!LOAD_ERR_YAML_VALIDATE Item has no mapping for key"},
		"an alias is":                              {[]string{"- {list: a, items: &i [x, y]}\n- {list: b, items: *i}\n- {rule: r, desc: d, condition: 'evt.type = open and proc.name in (b)', output: o, priority: INFO}"}, "(evt.type = open and proc.name in (x, y))"},
		"no tags, but the key":                     {[]string{"- {rule: r, desc: d, condition: evt.type = open, output: o, priority: INFO, tags: }"}, "!LOAD_ERR_YAML_VALIDATE expected a sequence for 'tags'"},
		"no exceptions, but the key":               {[]string{"- {rule: r, desc: d, condition: evt.type = open, output: o, priority: INFO, exceptions: }"}, "evt.type = open"},
		"a comment within a block":                 {[]string{"- rule: r\n  desc: d\n  condition: >\n    evt.type = open\n    # and more\n  output: o\n  priority: INFO\n"}, "!LOAD_ERR_COMPILE_CONDITION "},
		"deep parentheses":                         {[]string{"- {rule: r, desc: d, condition: '" + strings.Repeat("(", 150) + "evt.type = open" + strings.Repeat(")", 150) + "', output: o, priority: INFO}"}, "evt.type = open"},
		"too deep":                                 {[]string{"- {rule: r, desc: d, condition: '" + strings.Repeat("(", 250) + "evt.type = open" + strings.Repeat(")", 250) + "', output: o, priority: INFO}"}, "!LOAD_ERR_COMPILE_CONDITION nested deeper than 1000"},

		"a word that begins like an operator": {[]string{"- {rule: r, desc: d, condition: evt.type = open and proc.name = organize, output: o, priority: INFO}"}, "(evt.type = open and proc.name = organize)"},
		"and without a blank":                 {[]string{"- {rule: r, desc: d, condition: 'evt.type = open and(proc.name = a)or(fd.num = 1)', output: o, priority: INFO}"}, "((evt.type = open and proc.name = a) or fd.num = 1)"},
		"capitals":                            {[]string{"- {rule: r, desc: d, condition: evt.type = open AND fd.num = 1, output: o, priority: INFO}"}, "!LOAD_ERR_COMPILE_CONDITION cannot go on like this"},
		"an operator that is a value":         {[]string{"- {rule: r, desc: d, condition: 'evt.type = open and proc.args = in and proc.name in (and, or, not)', output: o, priority: INFO}"}, "(evt.type = open and proc.args = in and proc.name in (and, or, not))"},
		"an unknown plugin's rule":            {[]string{"- {rule: k, desc: d, condition: ka.verb = create, output: o, priority: INFO, source: k8s_audit}\n- {rule: r, desc: d, condition: evt.type = open, output: o, priority: INFO}"}, "evt.type = open"},
		"an exception of an unknown plugin's rule": {[]string{
			"- {rule: k, desc: d, condition: ka.verb = create, output: o, priority: INFO, source: k8s_audit}\n" +
				"- {rule: k, exceptions: [{name: x, fields: ka.user.name, values: [a]}], override: {exceptions: append}}\n- {rule: r, desc: d, condition: evt.type = open, output: o, priority: INFO}",
		}, "evt.type = open"},
	} {
		t.Run(name, func(t *testing.T) {
			l := load.New(load.Options{})
			var last *load.Result
			for i, text := range test.files {
				if last = l.Load(fmt.Sprintf("%d.yaml", i), text); !last.OK() {
					break
				}
			}
			if wanted, bad := strings.CutPrefix(test.want, "!"); bad {
				code, message, _ := strings.Cut(wanted, " ")
				if last.OK() || string(last.Errors[0].Code) != code || !strings.Contains(last.Errors[0].Message, message) {
					t.Errorf("want %q:\n%s", wanted, last)
				}
				return
			}
			if !last.OK() {
				t.Fatal(last)
			}
			for _, rule := range l.Rules() {
				if rule.Name == "r" {
					if got := filter.String(rule.Expr); got != test.want {
						t.Errorf("\n got %s\nwant %s", got, test.want)
					}
					return
				}
			}
			t.Error("the rule is not there")
		})
	}
}
