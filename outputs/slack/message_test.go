package slack

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tiercel/tiercel/pkg/alert"
)

// What is posted is what falcosidekick posts, but for: numbers and booleans, which it leaves out; replace_original
// and delete_original, which slack-go always writes; and members that are null, which are as good as absent.
func TestMessagesAreAsFalcosidekicks(t *testing.T) {
	for _, format := range []string{"all", "text", "fields"} {
		t.Run(format, func(t *testing.T) {
			c := falcosidekick()
			c.OutputFormat = format
			s, slack := serve(t, c)
			if err := s.send(t, decode(t, wire(t, "webhook.http"))); err != nil {
				t.Fatal(err)
			}
			got := slack.all()[0]
			if got.method != "POST" || got.path != hook || got.header.Get("Content-Type") != "application/json; charset=utf-8" ||
				got.header.Get("User-Agent") != "Tiercel/1.2.3" {
				t.Errorf("%s %s %v", got.method, got.path, got.header)
			}

			message := got.message(t)
			for _, flag := range []string{"replace_original", "delete_original"} {
				if message[flag] == false {
					delete(message, flag)
				}
			}
			var want map[string]any
			if err := json.Unmarshal([]byte(wire(t, "slack-"+format+".http")), &want); err != nil {
				t.Fatal(err)
			}
			attachment := want["attachments"].([]any)[0].(map[string]any)
			if fields, ok := attachment["fields"].([]any); ok {
				attachment["fields"] = withMissing(fields)
			}
			if got, want := withoutNulls(message), withoutNulls(want); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
			if !strings.Contains(got.body, `Shell \u0026 \u003credirect\u003e in container`) {
				t.Errorf("characters of HTML are not escaped as there: %s", got.body)
			}
		})
	}
}

// withMissing adds the fields that falcosidekick leaves out, in their places.
func withMissing(fields []any) []any {
	last := len(fields) - 1
	const fixed = 5 // rule, priority, source, hostname, tags
	members := slices.Clone(fields[fixed:last])
	for title, value := range map[string]string{
		"evt.time": "1787132841123456789", "proc.tty": "34816", "thread.cap_permitted": "true", "user.uid": "0",
	} {
		members = append(members, map[string]any{"title": title, "value": value, "short": true})
	}
	slices.SortFunc(members, func(a, b any) int {
		return strings.Compare(a.(map[string]any)["title"].(string), b.(map[string]any)["title"].(string))
	})
	return slices.Concat(fields[:fixed], members, fields[last:])
}

func withoutNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if value == nil {
				delete(v, name)
				continue
			}
			v[name] = withoutNulls(value)
		}
	case []any:
		for i := range v {
			v[i] = withoutNulls(v[i])
		}
	}
	return v
}

const common = `{"rule":"R","priority":"Warning","time":"2026-08-17T09:47:21Z",`

func TestWhatIsSaidOfTheSender(t *testing.T) {
	c := config()
	c.Channel = "#보안"
	s, slack := serve(t, c)
	if err := s.send(t, decode(t, common+`"output":"x"}`)); err != nil {
		t.Fatal(err)
	}
	got := slack.all()[0]
	message := got.message(t)
	if message["channel"] != "#보안" || message["username"] != "Tiercel" || message["text"] != nil || message["icon_url"] != nil {
		t.Errorf("message %s", got.body)
	}
	if got.attachment(t)["footer"] != "https://github.com/tiercel/tiercel" {
		t.Errorf("attachment %s", got.body)
	}
	for _, absent := range []string{"hostname", "tags"} {
		if strings.Contains(got.body, `"title":"`+absent+`"`) {
			t.Errorf("%s of an alert that has none: %s", absent, got.body)
		}
	}
}

func TestFieldsShowEveryKindOfValue(t *testing.T) {
	s, slack := serve(t, config())
	a := decode(t, common+`"output":"x","hostname":"서울-1","output_fields":{"k8s.ns.name":42,"big":18446744073709551615,"f":-1.50,`+
		`"no":false,"null":null,"list":[1,"<!here>"],"한글":"가나다","empty":"","35":"`+strings.Repeat("한", 35)+`","36":"`+strings.Repeat("🦅", 36)+`"}}`)
	if err := s.send(t, a); err != nil {
		t.Fatal(err)
	}
	got := slack.all()[0]
	for title, want := range map[string]struct {
		value string
		short bool
	}{
		"k8s.ns.name": {"42", true},
		"big":         {"18446744073709551615", true},
		"f":           {"-1.50", true},
		"no":          {"false", true},
		"list":        {`[1,"&lt;!here>"]`, true},
		"한글":          {"가나다", true},
		"empty":       {"", true},
		"35":          {strings.Repeat("한", 35), true},
		"36":          {strings.Repeat("🦅", 36), false},
		"hostname":    {"서울-1", true},
		"time":        {"2026-08-17 09:47:21 +0000 UTC", false},
	} {
		if value, short := got.field(t, title); value != want.value || short != want.short {
			t.Errorf("%s is %q %v, want %q %v", title, value, short, want.value, want.short)
		}
	}
	if strings.Contains(got.body, `"title":"null"`) {
		t.Errorf("a null is shown: %s", got.body)
	}
}

func TestColors(t *testing.T) {
	s, slack := serve(t, config())
	want := []string{"#ccfff2", "#68c2ff", "#5bffb5", "#ffc700", "#e20b0b", "#ff5400", "#ff5400", "#e20b0b"}
	for i, p := range alert.Priorities() {
		if err := s.send(t, one("R", p, "h", received)); err != nil {
			t.Fatal(err)
		}
		if got := slack.all()[i].attachment(t)["color"]; got != want[i] {
			t.Errorf("%s is %v, want %s", p, got, want[i])
		}
	}
}

// Slack refuses a message without any text.
func TestAnAlertWithoutOutputHasText(t *testing.T) {
	for _, format := range []string{"", "all", "text", "fields"} {
		c := config()
		c.OutputFormat = format
		s, slack := serve(t, c)
		if err := s.send(t, decode(t, common+`"output":" \n"}`)); err != nil {
			t.Fatal(err)
		}
		if got := slack.all()[0].attachment(t)["fallback"]; got != "Warning R" {
			t.Errorf("%q: fallback %v", format, got)
		}
	}
}

func TestMessageFormat(t *testing.T) {
	const body = `{"rule":"셸 <!channel>","priority":"Critical","time":"2026-08-17T09:47:21.5Z","source":"syscall","hostname":"node<",` +
		`"uuid":"0e2c3b52-9c5c-4b1e-8f5e-1f2d3c4b5a69","tags":["b","<@U1>"],"output":"o 🦅",` +
		`"output_fields":{"n":18446744073709551615,"list":["<!here>",{"<#C1>":1.0}],"t":true}}`
	for format, want := range map[string]string{
		`{{ .Rule }}`: "셸 &lt;!channel>",
		`<!here> {{ .Priority }} {{ if ge .Priority 6 }}page{{ end }} {{ .Output }}`: "<!here> Critical page o 🦅",
		`{{ .Hostname }}!here> {{ .Tags }} {{ .Source }}`:                            "node&lt;!here> [b &lt;@U1>] syscall",
		`{{ .UUID }} {{ .Time }}`:                                                    "0e2c3b52-9c5c-4b1e-8f5e-1f2d3c4b5a69 2026-08-17 09:47:21.5 +0000 UTC",
		`{{ index .OutputFields "n" }} {{ .OutputFields.t }} {{ .OutputFields.x }}`:  "18446744073709551615 true <no value>",
		`{{ .OutputFields.list }}`:                                                   "[&lt;!here> map[&lt;#C1>:1.0]]",
		`{{ .Time.Year }}`:                                                           "2026",
	} {
		c := config()
		c.MessageFormat = format
		s, slack := serve(t, c)
		if err := s.send(t, decode(t, body)); err != nil {
			t.Fatal(err)
		}
		if got := slack.all()[0].message(t)["text"]; got != want {
			t.Errorf("%s gives %q, want %q", format, got, want)
		}
	}
}

// An alert that a template cannot take is posted all the same.
func TestMessageFormatThatFails(t *testing.T) {
	c := config()
	c.MessageFormat = `{{ index .OutputFields.list 3 }}`
	s, slack := serve(t, c)
	for range 2 {
		if err := s.send(t, decode(t, common+`"output":"x"}`)); err != nil {
			t.Fatal(err)
		}
	}
	if got := slack.all()[1]; got.message(t)["text"] != nil || got.text(t) != "x" {
		t.Errorf("message %s", got.body)
	}
	if n := testutil.ToFloat64(s.Slack.metrics.templateErrors); n != 2 {
		t.Errorf("%v errors counted", n)
	}
	if n := strings.Count(s.log.String(), "messageformat fails"); n != 1 {
		t.Errorf("logged %d times: %s", n, s.log)
	}
}

func TestHostileText(t *testing.T) {
	for text, want := range map[string]string{
		"<!channel> <!here> <!everyone> <!subteam^S1>": "&lt;!channel> &lt;!here> &lt;!everyone> &lt;!subteam^S1>",
		"<@U012AB> <#C012AB>":                          "&lt;@U012AB> &lt;#C012AB>",
		"<https://a.example|https://b.example>":        "&lt;https://a.example|https://b.example>",
		"<mailto:a@b.example|x> <a+b-1.c:x> <1a:x>":    "&lt;mailto:a@b.example|x> &lt;a+b-1.c:x> <1a:x>",
		"a < b, <redirect>, <<!here>, <":               "a < b, <redirect>, <&lt;!here>, &lt;",
		"<NA>":                                         "<NA>",
		"&lt;!here&gt; & co":                           "&lt;!here&gt; & co",
		"one\ntwo\r\nthree\tfour\n\n":                  "one\ntwo\nthree\tfour\n\n",
		"a\x00b\x1b[31mc\u202ed\u2028e\u009b":          `a\u0000b\u001b[31mc\u202ed\u2028e\u009b`,
		"a\rb":                                         `a\u000db`,
		"한글 🦅 é":                                       "한글 🦅 é",
		"bad \xff utf-8":                               "bad \uFFFD utf-8",
		"@channel #general":                            "@channel #general",
	} {
		s, slack := serve(t, config())
		a := one("R", alert.Warning, "h", received)
		a.Output = text
		a.Rule, a.Hostname, a.Source, a.Tags = text, text, text, []string{text}
		a.Fields = alert.FieldsOf(alert.Field{Name: text, Value: alert.String(text)})
		if err := s.send(t, a); err != nil {
			t.Fatal(err)
		}
		got := slack.all()[0]
		if got.text(t) != want || got.attachment(t)["fallback"] != want {
			t.Errorf("%q goes out as %q, want %q", text, got.text(t), want)
		}
		for _, title := range []string{"rule", "hostname", "source", "tags"} {
			if value, _ := got.field(t, title); value != want {
				t.Errorf("%s %q goes out as %q, want %q", title, text, value, want)
			}
		}
		if !strings.Contains(text, "\xff") { // which the name of a field cannot be
			if value, _ := got.field(t, want); value != want {
				t.Errorf("field %q goes out as %q, want %q", text, value, want)
			}
		}
	}
}

// Slack takes 40,000 characters; an alert that it refuses would be buried, and a sender could wish for that.
func TestNoAlertIsTooLongForSlack(t *testing.T) {
	for name, letter := range map[string]string{
		"plain": "x", "Hangul": "한", "emoji": "🦅", "NUL": "\x00", "mentions": "<!", "lines": "\n", "line ends": "\r\n", "bidi": "\u202e",
	} {
		t.Run(name, func(t *testing.T) {
			huge := strings.Repeat(letter, 100_000)
			c := config()
			c.MessageFormat = `{{ .Output }}{{ .OutputFields }}{{ .Rule }}`
			s, slack := serve(t, c)
			a := one(huge, alert.Warning, huge, received)
			a.Source, a.Output, a.Tags = huge, "begin "+huge, []string{huge, huge}
			var fields []alert.Field
			for i := range 200 {
				fields = append(fields, alert.Field{Name: fmt.Sprint(i, huge[:3000*len(letter)]), Value: alert.String(huge[:3000*len(letter)])})
			}
			a.Fields = alert.FieldsOf(fields...)
			if err := s.send(t, a); err != nil {
				t.Fatal(err)
			}
			got := slack.all()[0]
			if n := characters(got.message(t)); n > 40_000 {
				t.Errorf("%d characters", n)
			}
			if !utf8.ValidString(got.body) || strings.Contains(got.body, `\ufffd`) || strings.Contains(got.body, "\uFFFD") {
				t.Error("a letter was cut in two")
			}
			if text := got.text(t); !strings.HasPrefix(text, "begin ") || !strings.HasSuffix(text, "[…]") {
				t.Errorf("text %.40q", text)
			}
			if fields := got.attachment(t)["fields"].([]any); len(fields) > 50 {
				t.Errorf("%d fields", len(fields))
			}
			shown := len(got.attachment(t)["fields"].([]any)) - 7 // rule, priority, source, hostname, tags, more fields, time
			if more, _ := got.field(t, "more fields"); more != fmt.Sprintf("%d are not shown", 200-shown) {
				t.Errorf("%d shown, and %s", shown, more)
			}
			got.field(t, "time")
		})
	}
}

// characters counts those of all texts.
func characters(v any) int {
	n := 0
	switch v := v.(type) {
	case string:
		n = utf8.RuneCountInString(v)
	case []any:
		for _, each := range v {
			n += characters(each)
		}
	case map[string]any:
		for _, each := range v {
			n += characters(each)
		}
	}
	return n
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text string
		most int
		want string
	}{
		{"", 5, ""},
		{"abcde", 5, "abcde"},
		{"abcdef", 5, "ab[…]"},
		{"한글한글한", 5, "한글한글한"},
		{"한글한글한글", 5, "한글[…]"},
		{"🦅🦅🦅🦅🦅🦅", 5, "🦅🦅[…]"},
		{"e\u0301abcdef", 5, "e\u0301[…]"},
	} {
		if got := cut(c.text, c.most); got != c.want {
			t.Errorf("cut(%q, %d) = %q, want %q", c.text, c.most, got, c.want)
		}
	}
	if got, want := clean("ab<!<!<!", 8), "ab[…]"; got != want {
		t.Errorf("half an escape is left: %q, want %q", got, want)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("<!channel>\x00\xff한글🦅\r\n<https://a|b>", 10)
	f.Add(strings.Repeat("<!", 50), 97)
	f.Fuzz(func(t *testing.T, text string, most int) {
		most = 4 + int(uint(most)%200)
		got := clean(text, most)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > most {
			t.Fatalf("%q with %d is %q", text, most, got)
		}
		for _, mark := range []string{"<!", "<@", "<#", "<http:", "<https:", "<mailto:"} {
			if strings.Contains(got, mark) {
				t.Fatalf("%q is %q", text, got)
			}
		}
		if strings.ContainsFunc(got, func(r rune) bool { return r < 0x20 && r != '\n' && r != '\t' || r == 0x7f || r == 0x202e }) {
			t.Fatalf("%q is %q", text, got)
		}
	})
}

func BenchmarkMessage(b *testing.B) {
	s, _ := serve(b, falcosidekick())
	a := decode(b, wire(b, "webhook.http"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := json.Marshal(s.message(a)); err != nil {
			b.Fatal(err)
		}
	}
}
