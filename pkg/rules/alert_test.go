package rules_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/rules"
	"github.com/tiercel/tiercel/pkg/rules/load"
)

// catWrite makes the events that Falco's recording of "cat" stands for, as far as the rules look at them.
func catWrite(t testing.TB, times ...time.Time) []rules.Event {
	t.Helper()
	var events []rules.Event
	for _, at := range times {
		events = append(events, newEvent(t, "open", map[string]any{
			"evt.rawtime": uint64(at.UnixNano()), "proc.name": "cat", "proc.cmdline": "cat /dev/null", "proc.pname": "bash", "fd.name": "/dev/null",
		}))
	}
	return events
}

// TestAlertsAreFalcos compares our alerts with those that Falco printed, member for member and byte for byte of the text.
func TestAlertsAreFalcos(t *testing.T) {
	text := string(shared(t, "testing_suite", "rules", "SingleRuleWithTags.yaml"))
	lines := bufio.NewScanner(bytes.NewReader(shared(t, "alerts", "single_rule_with_cat_write.json")))
	texts := strings.Split(strings.TrimSpace(string(shared(t, "alerts", "single_rule_with_cat_write.txt"))), "\n")
	set := compile(t, rules.Options{}, text)
	printer := rules.Printer{Hostname: "test-falco-hostname", ISO8601: true}
	n := 0
	for lines.Scan() {
		var want map[string]any
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.UseNumber()
		if err := d.Decode(&want); err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339Nano, want["time"].(string))
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range catWrite(t, at) {
			matched := set.Match(nil, ev)
			if len(matched) != 1 {
				t.Fatalf("%d rules match", len(matched))
			}
			a := printer.Alert(matched[0], ev)
			if a.Output != texts[n] {
				t.Errorf("output %q, want %q", a.Output, texts[n])
			}
			line := rules.AppendJSON(nil, a)
			var got map[string]any
			d := json.NewDecoder(bytes.NewReader(line))
			d.UseNumber()
			if err := d.Decode(&got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
			// It goes through the same door as Falco's own.
			decoded, err := alert.DecodeOne(line, at)
			if err != nil {
				t.Fatal(err)
			}
			if decoded.Output != a.Output || decoded.Rule != a.Rule || decoded.Priority != a.Priority || !decoded.Time.Equal(a.Time) ||
				decoded.Source != a.Source || decoded.Hostname != a.Hostname || !slices.Equal(decoded.Tags, a.Tags) {
				t.Errorf("decodes as %+v", decoded)
			}
		}
		n++
	}
	if n != 8 {
		t.Errorf("%d alerts", n)
	}
}

func TestAlertMembers(t *testing.T) {
	l := load.New(load.Options{
		Append: append(load.Suggested(),
			load.Append{Tags: []string{"shell"}, Output: "on %evt.hostname", Fields: []load.ExtraField{{Name: "proc.pid"}, {Name: "who", Format: "%user.name in ${CLUSTER}%fd.name"}}},
			load.Append{Rule: "other", Output: "never %proc.cwd"},
			load.Append{Source: "terminal", Output: "never %shell.line"},
		),
		Expand: func(name string) string { return "<" + name + ">" },
	})
	r := l.Load("r.yaml", `
- rule: Shell
  desc: d
  condition: evt.type = execve
  output: "*A shell | %proc.name|%5proc.name|%2proc.name|%user.name %fd.name tty=%proc.tty ok=%evt.is_open_read %toupper(proc.name) gp=%proc.aname[2] %fd.types %proc.name"
  priority: INFO
  tags: [shell, b, a, shell]
`)
	if !r.OK() {
		t.Fatal(r)
	}
	ev := newEvent(t, "execve", map[string]any{
		"proc.name": "ba\x01", "user.name": "한글", "proc.tty": uint64(34816), "proc.pid": 1 << 60, "container.id": "host", "container.name": "host",
		"container.image.repository": "", "container.image.tag": "", "evt.is_open_read": true, "fd.types": []any{"file", "pipe"},
	})
	zone := time.FixedZone("KST", 9*3600)
	rule := rules.Compile(l.Rules(), rules.Options{}).Match(nil, ev)[0]
	a := rules.Printer{Hostname: "node", Zone: zone, Message: true}.Alert(rule, ev)
	want := "01:17:57.881781397: Informational A shell | ba\x01|ba\x01  |ba|한글 <NA> tty=34816 ok=true BA\x01 gp=<NA> (file,pipe) ba\x01 " +
		"container_id=host container_name=host container_image_repository= container_image_tag= k8s_pod_name=<NA> k8s_ns_name=<NA> on <NA>"
	if a.Output != want {
		t.Errorf("output\n%q\n%q", a.Output, want)
	}
	members := map[string]string{}
	for name, value := range a.Fields.All() {
		if _, twice := members[name]; twice {
			t.Errorf("%s is there twice", name)
		}
		members[name] = string(value)
	}
	wantMembers := map[string]string{
		"proc.name": `"ba\u0001"`, "user.name": `"한글"`, "fd.name": "null", "proc.tty": "34816", "evt.is_open_read": "true", "proc.aname[2]": "null",
		"fd.types": `["file","pipe"]`, "container.id": `"host"`, "container.name": `"host"`, "container.image.repository": `""`, "container.image.tag": `""`,
		"k8s.pod.name": "null", "k8s.ns.name": "null", "evt.hostname": "null", "evt.time": "1470327477881781397", "proc.pid": "1152921504606846976",
		"who": `"한글 in <CLUSTER><NA>"`,
	}
	if !maps.Equal(members, wantMembers) {
		t.Errorf("members\n%v\n%v", members, wantMembers)
	}
	if !slices.Equal(a.Tags, []string{"a", "b", "shell"}) || a.Source != "syscall" || a.Hostname != "node" || a.Priority != alert.Informational {
		t.Errorf("%+v", a)
	}
	line := string(rules.AppendJSON(nil, a))
	if !strings.HasPrefix(line, `{"hostname":"node","message":"A shell | `) || !strings.HasSuffix(line, `"tags":["a","b","shell"],"time":"2016-08-04T16:17:57.881781397Z"}`) {
		t.Errorf("%s", line)
	}
	a.Tags = nil
	if line := string(rules.AppendJSON(nil, a)); !strings.Contains(line, `"tags":[]`) {
		t.Errorf("no tags: %s", line)
	}
}

// TestExceptions plays the suite's exceptions against the events that its recording stands for.
func TestExceptions(t *testing.T) {
	events := catWrite(t, at, at, at, at, at, at, at, at)
	for name, want := range map[string]int{
		"ExceptionsRuleExceptionNoValues": 8, "ExceptionsRuleExceptionOneValue": 0, "ExceptionsRuleExceptionAppendOneValue": 0,
		"ExceptionsRuleExceptionSecondItem": 0, "ExceptionsRuleExceptionSecondValue": 0, "ExceptionsRuleExceptionAppendSecondItem": 0,
		"ExceptionsRuleExceptionAppendSecondValue": 0, "ExceptionsRuleExceptionComp": 0, "ExceptionsRuleExceptionQuoted": 0,
		"ExceptionsRuleExceptionSingleFieldAppend": 0, "ExceptionsRuleExceptionNewSecondFieldAppend": 0, "ExceptionsRuleExceptionValuesListref": 0,
		"RuleAppend": 8, "ListAppend": 8, "ListOrder": 8, "ListSubEnd": 8, "MacroOrder": 8, "Endswith": 8, "NullOutputField": 8, "SingleRule": 8,
		"SkipUnknownPrefix": 0,
	} {
		set := compile(t, rules.Options{}, string(shared(t, "testing_suite", "rules", name+".yaml")))
		got := 0
		for _, ev := range events {
			got += len(set.Match(nil, ev))
		}
		if got != want {
			t.Errorf("%s: %d alerts, want %d", name, got, want)
		}
	}
	read := func(name string) string { return string(shared(t, "testing_suite", "rules", name+".yaml")) }
	for _, files := range [][]string{{"SingleRule", "OverrideList"}, {"SingleRule", "AppendSingleRule"}} {
		if got := compile(t, rules.Options{}, read(files[0]), read(files[1])).Match(nil, events[0]); len(got) != 0 {
			t.Errorf("%v: %s", files, got[0].Name)
		}
	}
	localhost := newEvent(t, "connect", map[string]any{"fd.net": []any{addr("127.0.0.1"), addr("127.0.0.1")}})
	if got := compile(t, rules.Options{}, read("DetectConnectUsingIn")).Match(nil, localhost); len(got) != 1 {
		t.Error("a connection to the localhost network is not seen")
	}
	generic := compile(t, rules.Options{}, read("Syscalls"))
	if got := generic.Match(nil, newEvent(t, "madvise", nil)); len(got) != 1 || got[0].Name != "detect_madvise" {
		t.Error("a call without a decoder is not seen")
	}
}

// TestTags plays the suite's rules with tags.
func TestTags(t *testing.T) {
	text := string(shared(t, "testing_suite", "rules", "TaggedRules.yaml"))
	off := rules.Selection{Rule: "*"}
	for name, test := range map[string]struct {
		sel  []rules.Selection
		want string
	}{
		"only c":     {[]rules.Selection{off, {Enable: true, Tag: "c"}}, "3 5 6 7 9 10"},
		"only d":     {[]rules.Selection{off, {Enable: true, Tag: "d"}}, "11"},
		"only a, b":  {[]rules.Selection{off, {Enable: true, Tag: "a"}, {Enable: true, Tag: "b"}}, "1 2 4 5 6 7 8 9 10"},
		"not c":      {[]rules.Selection{{Tag: "c"}}, "1 2 4 8 11 12 13"},
		"not a, b":   {[]rules.Selection{{Tag: "a"}, {Tag: "b"}}, "3 11 12 13"},
		"names":      {[]rules.Selection{off, {Enable: true, Rule: "*en_1*"}, {Rule: "open_12"}}, "1 10 11 13"},
		"both":       {[]rules.Selection{off, {Enable: true, Rule: "open_1*", Tag: "c"}}, "10"},
		"none":       {nil, "1 2 3 4 5 6 7 8 9 10 11 12 13"},
		"no pattern": {[]rules.Selection{{Rule: "open"}, {}}, "1 2 3 4 5 6 7 8 9 10 11 12 13"},
	} {
		set := compile(t, rules.Options{Select: test.sel}, text)
		var fired []string
		for i := range 13 {
			file := map[string]any{"evt.is_open_read": true, "fd.typechar": "f", "fd.name": "/tmp/file-" + string(value(i+1).AppendText(nil))}
			for _, r := range set.Match(nil, newEvent(t, "openat", file)) {
				fired = append(fired, strings.TrimPrefix(r.Name, "open_"))
			}
		}
		if got := strings.Join(fired, " "); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func TestFirstOrAll(t *testing.T) {
	text := `
- rule: one
  desc: d
  condition: evt.type = open
  output: o
  priority: DEBUG
- rule: two
  desc: d
  condition: evt.type in (open, close)
  output: o
  priority: ERROR
- rule: one
  desc: changed, but still the first
  condition: evt.type = open and proc.name = cat
  output: o
  priority: NOTICE
`
	ev := newEvent(t, "open", map[string]any{"proc.name": "cat"})
	for _, test := range []struct {
		options rules.Options
		want    string
	}{
		{rules.Options{}, "one"},
		{rules.Options{MatchAll: true}, "one two"},
		{rules.Options{MatchAll: true, Minimum: alert.Warning}, "two"},
		{rules.Options{Minimum: alert.Critical}, ""},
	} {
		set := compile(t, test.options, text)
		var names []string
		for _, r := range set.Match(nil, ev) {
			names = append(names, r.Name)
		}
		if got := strings.Join(names, " "); got != test.want {
			t.Errorf("%+v: %q, want %q", test.options, got, test.want)
		}
	}
	set := compile(t, rules.Options{}, text)
	if types := set.Types(); types.Len() != 2 {
		t.Errorf("%d event types", types.Len())
	}
	var fields []string
	for _, ref := range set.Fields() {
		fields = append(fields, ref.Text)
	}
	if got := strings.Join(fields, " "); got != "evt.type proc.name" {
		t.Errorf("fields %s", got)
	}
}

func TestTerminal(t *testing.T) {
	set := compile(t, rules.Options{}, `
- rule: Download to a shell
  desc: d
  condition: evt.type = command and shell.line regex ".*curl.*[|] *(ba)?sh.*" and container.id != host
  output: '%user.name typed "%shell.line" in %container.name (withheld=%shell.secret_withheld)'
  priority: ALERT
  source: terminal
- rule: Session
  desc: d
  condition: evt.type in (session_start, session_end)
  output: session %shell.session
  priority: INFO
  source: terminal
- rule: Call
  desc: any call
  condition: proc.name = sh
  output: o
  priority: INFO
`)
	line := `curl -s https://example.org/install.sh | sh`
	ev := newEvent(t, "command", map[string]any{
		"shell.line": line, "container.id": "3ad7b26ded6d", "container.name": "web", "user.name": "root", "proc.name": "sh", "shell.secret_withheld": false,
	})
	got := set.Match(nil, ev)
	if len(got) != 1 {
		t.Fatalf("%d rules match", len(got))
	}
	a := rules.Printer{}.Alert(got[0], ev)
	if want := `16:17:57.881781397: Alert root typed "` + line + `" in web (withheld=false)`; a.Output != want || a.Source != "terminal" {
		t.Errorf("%s %q", a.Source, a.Output)
	}
	if got := set.Match(nil, newEvent(t, "session_end", map[string]any{"shell.session": "1"})); len(got) != 1 || got[0].Name != "Session" {
		t.Errorf("session: %v", got)
	}
	if got := set.Match(nil, newEvent(t, "close", map[string]any{"proc.name": "sh"})); len(got) != 1 || got[0].Name != "Call" {
		t.Errorf("call: %v", got)
	}
}
