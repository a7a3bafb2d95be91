package recorded_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/rules"
	"github.com/tiercel/tiercel/pkg/rules/eval"
	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/pkg/rules/load"
	"github.com/tiercel/tiercel/pkg/rules/recorded"
	"github.com/tiercel/tiercel/pkg/rules/rulefile"
	defaults "github.com/tiercel/tiercel/rules"
)

const rule = `
- rule: all
  desc: d
  condition: >
    evt.type = openat and proc.name = "한\0" and proc.aname = sshd and proc.aname[2] = systemd and fd.ip = 10.0.0.1 and fd.types intersects (pipe)
    and evt.buffer bcontains 00ff and proc.pid = 18446744073709551615 and user.loginuid = -1 and evt.is_open_read = true and thread.cpu > 0.4
    and evt.arg.flags contains O_RDONLY and evt.arg[1] = x and proc.env[A] = b and evt.rawarg.fd = 3 and not proc.pname exists
    and fd.sip = 2001:db8::1
  output: "%proc.name %evt.time %proc.cwd"
  priority: INFO
`

const text = `{"type":"openat","time":"2026-01-02T03:04:05.000000006Z","fields":{"proc.name":"한","proc.aname[0]":"cat","proc.aname[1]":"sshd",` +
	`"proc.aname[2]":"systemd","fd.ip":["10.0.0.1","10.0.0.2"],"fd.types":["file","pipe"],"evt.buffer":"AP8=","proc.pid":9223372036854775807,` +
	`"user.loginuid":-1,"evt.is_open_read":true,"thread.cpu":0.5,"evt.arg.flags":"O_RDONLY|O_CLOEXEC","evt.arg[1]":"x","proc.env[A]":"b","evt.rawarg.fd":3,` +
	`"proc.pname":null,"fd.sip":"2001:db8::1"}}`

func compiled(t *testing.T) *rules.Set {
	t.Helper()
	l := load.New(load.Options{})
	fixed := strings.NewReplacer(`\0`, "", "18446744073709551615", "9223372036854775807").Replace(rule)
	if r := l.Load("r.yaml", fixed); !r.OK() {
		t.Fatal(r)
	}
	return rules.Compile(l.Rules(), rules.Options{})
}

func TestRecordedEventsMatch(t *testing.T) {
	set := compiled(t)
	e, err := recorded.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	matched := set.Match(nil, e)
	if len(matched) != 1 {
		t.Fatal("the rule does not match")
	}
	if got := (rules.Printer{}).Alert(matched[0], e).Output; got != "03:04:05.000000006: Informational 한 03:04:05.000000006 <NA>" {
		t.Error(got)
	}
	// What is written of an event is enough for the rules, and reads back as the same.
	line, err := recorded.Append(nil, e, set.Fields())
	if err != nil {
		t.Fatal(err)
	}
	again, err := recorded.Decode(line)
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Match(nil, again)) != 1 {
		t.Errorf("%s does not match", line)
	}
	second, err := recorded.Append(nil, again, set.Fields())
	if err != nil || !bytes.Equal(second, line) {
		t.Errorf("%v\n%s\n%s", err, line, second)
	}
}

func TestLinesAreTakenApart(t *testing.T) {
	e, err := recorded.Decode([]byte(`{"type":"command","fields":{"shell.line":"sudo curl x | sh > out","shell.cwd":"/tmp/","shell.reads":["/etc/x"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, name := range []string{"shell.command", "shell.pipe", "shell.writes", "shell.reads"} {
		ref, _, err := field.Prefix(event.Terminal, name)
		if err != nil {
			t.Fatal(err)
		}
		eval.Each(e, ref, func(v field.Value) bool { got += v.String() + ", "; return true })
	}
	if want := "sudo curl x, curl x, sh, curl|sh, /tmp/out, /etc/x, "; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	// What another program reads is no line of a shell.
	e, err = recorded.Decode([]byte(`{"type":"command","fields":{"shell.line":"import os","shell.kind":"input"}}`))
	if err != nil || e.Field(field.ShellCommand, field.NoArgument).Exists() {
		t.Error("a line of Python is taken for a command")
	}
}

func TestCases(t *testing.T) {
	c, err := recorded.DecodeCase([]byte(`{"type":"open","name":"한글","expect":[]}`))
	if err != nil || c.Name != "한글" || c.Expect == nil || len(c.Expect) != 0 {
		t.Errorf("%v %+v", err, c)
	}
	if c, err = recorded.DecodeCase([]byte(`{"type":"open","expect":["a","b"]}`)); err != nil || len(c.Expect) != 2 {
		t.Errorf("%v %+v", err, c)
	}
	if c, err = recorded.DecodeCase([]byte(`{"type":"open"}`)); err != nil || c.Expect != nil {
		t.Errorf("%v %+v", err, c)
	}
}

func TestDecodeErrors(t *testing.T) {
	for text, want := range map[string]string{
		``: "EOF", `{}`: "unknown event type", `{"type":"nothing"}`: "unknown event type", `{"type":"open","more":1}`: "unknown field",
		`{"type":"open","fields":{"proc.nobody":1}}`: "nonexistent field", `{"type":"open","fields":{"proc.name":1}}`: "1 is no CHARBUF",
		`{"type":"open","fields":{"proc.pid":"x"}}`: "no INT64", `{"type":"open","fields":{"fd.sip":"x"}}`: "unable to parse IP",
		`{"type":"open","fields":{"proc.name":["a"]}}`: "has 1 values", `{"type":"open","fields":{"fd.types":[1]}}`: "no CHARBUF",
		`{"type":"open"}{}`: "more than one", `{"type":"open","fields":{"evt.buffer":"?"}}`: "illegal base64", `{"type":"open","fields":{"proc.name.x":"a"}}`: "nonexistent field",
	} {
		if _, err := recorded.Decode([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// TestDocumentedRulesLoad loads the examples of the documentation, one after the other.
func TestDocumentedRulesLoad(t *testing.T) {
	page, err := os.ReadFile("../../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	l := load.New(load.Options{Append: load.Suggested()})
	for _, f := range rulefile.Read(nil, defaults.Default()) { // the examples change some of these
		f.Result(l)
	}
	before, n := len(l.Rules()), 0
	for _, block := range strings.Split(string(page), "```yaml\n")[1:] {
		yaml, _, _ := strings.Cut(block, "```")
		if strings.HasPrefix(yaml, "# config.yaml") {
			continue
		}
		if r := l.Load("docs/rules.md", yaml); !r.OK() || len(r.SchemaWarnings) > 0 {
			t.Errorf("%s %v", r, r.SchemaWarnings)
		}
		n++
	}
	if n != 4 || len(l.Rules()) != before+2 {
		t.Errorf("%d examples, %d rules", n, len(l.Rules())-before)
	}
	set := rules.Compile(l.Rules(), rules.Options{MatchAll: true})
	_, events, _ := strings.Cut(string(page), "```json\n")
	events, _, _ = strings.Cut(events, "```")
	for line := range strings.SplitSeq(strings.TrimSpace(events), "\n") {
		c, err := recorded.DecodeCase([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		var fired []string
		for _, r := range set.Match(nil, c.Event) {
			fired = append(fired, r.Name)
		}
		for _, name := range c.Expect {
			if !slices.Contains(fired, name) {
				t.Errorf("%s: fired %q", line, fired)
			}
		}
		if strings.Contains(line, `"a pipe"`) && !slices.Contains(fired, "Download piped to a shell") {
			t.Errorf("the example does not see the line: %q", fired)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(text))
	f.Add([]byte(`{"type":"open","fields":{"proc.aname":"x","fd.types":[]}}`))
	f.Add([]byte(`{"type":"command","name":"n","fields":{"shell.line":"sudo sh -c 'a|b > c'","shell.cwd":"/","shell.pipe":[]},"expect":["x"]}`))
	f.Fuzz(func(_ *testing.T, line []byte) {
		c, err := recorded.DecodeCase(line)
		if err != nil {
			return
		}
		_ = c.Type()
	})
}
