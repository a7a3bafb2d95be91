package normalize_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/normalize"
	"github.com/tiercel/tiercel/pkg/problem"
)

var received = time.Date(2026, 8, 17, 9, 47, 22, 0, time.UTC)

func decode(t testing.TB, body string) *alert.Alert {
	t.Helper()
	a, err := alert.DecodeOne([]byte(body), received)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func normalizer(t testing.TB, cfg normalize.Config) *normalize.Normalizer {
	t.Helper()
	n, err := normalize.New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// wire gives the body of a recorded request of falcosidekick.
func wire(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join("..", "..", "..", "shared", "data", "wire", name)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("the recorded requests are not here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	_, body, ok := strings.Cut(string(text), "\n\n")
	if !ok {
		t.Fatalf("%s: no body", name)
	}
	return body
}

// parse reads a JSON object, numbers with all their digits.
func parse(t testing.TB, text string) map[string]any {
	t.Helper()
	var members map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&members); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return members
}

func compare(t *testing.T, a *alert.Alert, want map[string]any) {
	t.Helper()
	got := parse(t, string(a.AppendJSON(nil)))
	delete(got, "uuid")
	delete(want, "uuid")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestEnrichedIsAsFalcosidekickSends(t *testing.T) {
	a := decode(t, wire(t, "webhook.http"))
	normalizer(t, normalize.Config{
		CustomFields:      map[string]string{"env": "prod"},
		CustomTags:        []string{"zed", "alpha"},
		TemplatedFields:   map[string]string{"who": `{{ index . "user.name" }}`},
		BracketReplacer:   "_",
		OutputFieldFormat: "<timestamp>|<priority>|<output>|<custom_fields>|<templated_fields>|<tags>",
	}).Apply(a)
	compare(t, a, parse(t, wire(t, "webhook-enriched.http")))
}

func TestLongIsAsFalcosidekickSendsButForHalfALetter(t *testing.T) {
	members := parse(t, wire(t, "webhook.http"))
	fields := members["output_fields"].(map[string]any)
	fields["proc.env"] = strings.Repeat("E", 6000)
	fields["proc.name"] = strings.Repeat("é", 400)
	body, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	a := decode(t, string(body))
	normalizer(t, normalize.Config{}).Apply(a)

	want := parse(t, wire(t, "webhook-long.http"))
	name := want["output_fields"].(map[string]any)["proc.name"].(string)
	if !strings.Contains(name, "\uFFFD") {
		t.Fatal("the recorded request has no cut letter")
	}
	want["output_fields"].(map[string]any)["proc.name"] = strings.ReplaceAll(name, "\uFFFD", "")
	compare(t, a, want)
	if a.Raw() != string(body) {
		t.Error("what was received was changed")
	}
}

const common = `{"rule":"R","priority":"Warning","time":"2026-08-17T09:47:21Z","source":"syscall",`

func TestApply(t *testing.T) {
	for name, c := range map[string]struct {
		cfg    normalize.Config
		body   string // after common
		output string
		fields map[string]string // as JSON
		tags   []string
	}{
		"nothing to do": {
			body:   `"output":"x","output_fields":{"b":1,"a":"[x]"},"tags":["b","a"]}`,
			output: "x", fields: map[string]string{"a": `"[x]"`, "b": "1"}, tags: []string{"a", "b"},
		},
		"custom fields win": {
			cfg:    normalize.Config{CustomFields: map[string]string{"env": "서울", "new": "🦅"}},
			body:   `"output_fields":{"env":1,"a":null}}`,
			fields: map[string]string{"env": `"서울"`, "a": "null", "new": `"🦅"`},
		},
		"custom fields where there are none": {
			cfg:    normalize.Config{CustomFields: map[string]string{"env": `"\` + "\x00\xff"}},
			body:   `"output":""}`,
			fields: map[string]string{"env": `"\"\\\u0000` + "\uFFFD" + `"`},
		},
		"custom tags, the empty one of an empty variable left out": {
			cfg:  normalize.Config{CustomTags: []string{"", "b", "태그", " c "}},
			body: `"tags":["z","b"]}`,
			tags: []string{"b", "b", "c", "z", "태그"},
		},
		"templates see values as they are": {
			cfg: normalize.Config{
				CustomFields: map[string]string{"env": "prod"},
				TemplatedFields: map[string]string{
					"number": `{{ index . "n" }}`, "big": `{{ .big }}`, "true": `{{ if .yes }}yes{{ end }}`, "null": `{{ .null }}`,
					"absent": `{{ .absent }}`, "nested": `{{ (index .list 1).k }}`, "custom": `{{ .env }}`, "other": `{{ .number }}`,
					"part": `{{ .text }}/{{ .null }}`,
				},
			},
			body: `"output_fields":{"n":-1.50,"big":18446744073709551615,"yes":true,"null":null,"text":"é","list":[1,{"k":2.0}]}}`,
			fields: map[string]string{
				"n": "-1.50", "big": `"18446744073709551615"`, "yes": "true", "null": "null", "text": `"é"`, "list": `[1,{"k":2.0}]`,
				"env": `"prod"`, "number": `"-1.50"`, "true": `"yes"`, "nested": `"2.0"`, "custom": `"prod"`, "part": `"é/<no value>"`,
			},
		},
		"a template that fails or cuts a letter": {
			cfg: normalize.Config{TemplatedFields: map[string]string{
				"bad": `{{ index .list 7 }}`, "half": `{{ slice .text 0 1 }}`, "good": `{{ .text }}`,
			}},
			body:   `"output_fields":{"list":[1],"text":"é","bad":"kept"}}`,
			fields: map[string]string{"list": "[1]", "text": `"é"`, "bad": `"kept"`, "half": `"` + "\uFFFD" + `"`, "good": `"é"`},
		},
		"brackets": {
			cfg:    normalize.Config{BracketReplacer: "_"},
			body:   `"output_fields":{"a[2]":1,"b":"c[2]","k[x][y]":2}}`,
			fields: map[string]string{"a_2": "1", "b": `"c[2]"`, "k_x_y": "2"},
		},
		"brackets never cost a value": {
			cfg:    normalize.Config{BracketReplacer: "_"},
			body:   `"output_fields":{"a[2]":1,"a_2":2,"b[1":3,"b[1]":4}}`,
			fields: map[string]string{"a[2]": "1", "a_2": "2", "b_1": "3", "b[1]": "4"},
		},
		"format": {
			cfg: normalize.Config{
				OutputFieldFormat: "<priority>: <output> [<tags>] <timestamp> <custom_fields>; <templated_fields>",
				CustomFields:      map[string]string{"z": "<tags>", "a": "1"},
				TemplatedFields:   map[string]string{"t": "{{ .n }}", "s": "🦅"},
			},
			body:   `"output":"09:47:21.123456789: Warning 경고: <tags> a: b","output_fields":{"n":1},"tags":["y","x"]}`,
			output: "Warning: 경고: <tags> a: b [x,y] 09:47:21.123456789 a=1 z=<tags>; s=🦅 t=1",
			fields: map[string]string{"n": "1", "a": `"1"`, "z": `"<tags>"`, "t": `"1"`, "s": `"🦅"`}, tags: []string{"x", "y"},
		},
		"format with a whole time": {
			cfg:    normalize.Config{OutputFieldFormat: "<output> at <timestamp>"},
			body:   `"output":"2016-08-04T16:17:57.881781397+0000: Warning An open was seen"}`,
			output: "An open was seen at 2016-08-04T16:17:57.881781397+0000",
		},
		"format with a whole time in another zone": {
			cfg:    normalize.Config{OutputFieldFormat: "<output> at <timestamp>"},
			body:   `"output":"2016-08-04T16:17:57.881781397+09:00: Info An open was seen"}`,
			output: "An open was seen at 2016-08-04T16:17:57.881781397+09:00",
		},
		"format leaves no empty parentheses": {
			cfg:    normalize.Config{OutputFieldFormat: "<output> (<custom_fields> <templated_fields>)  "},
			body:   `"output":"1.2: Error main()  "}`,
			output: "main()",
		},
		"format cuts no parentheses of the alert's": {
			cfg:    normalize.Config{OutputFieldFormat: "<output> "},
			body:   `"output":"1.2: Error main()  "}`,
			output: "main()",
		},
		"format of an output without a head": {
			cfg:    normalize.Config{OutputFieldFormat: "<output>"},
			body:   `"output":"09:47:21: Warning x"}`,
			output: "09:47:21: Warning x",
		},
		"format of an output with another word": {
			cfg:    normalize.Config{OutputFieldFormat: "<output>"},
			body:   `"output":"09:47:21.1: Surprise x"}`,
			output: "09:47:21.1: Surprise x",
		},
		"format of an empty output": {
			cfg: normalize.Config{OutputFieldFormat: "<output>x"}, body: `"output":""}`, output: "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := decode(t, common+c.body)
			normalizer(t, c.cfg).Apply(a)
			if a.Output != c.output {
				t.Errorf("output %q, want %q", a.Output, c.output)
			}
			if !slices.Equal(a.Tags, c.tags) {
				t.Errorf("tags %q, want %q", a.Tags, c.tags)
			}
			got := map[string]string{}
			for name, value := range a.Fields.All() {
				got[name] = string(value)
			}
			if c.fields == nil {
				c.fields = map[string]string{}
			}
			if !reflect.DeepEqual(got, c.fields) {
				t.Errorf("fields %q, want %q", got, c.fields)
			}
			valid(t, a)
		})
	}
}

func TestSource(t *testing.T) {
	n := normalizer(t, normalize.Config{})
	for body, want := range map[string]string{
		`{"rule":"R","priority":"Debug","time":"2026-08-17T09:47:21Z"}`:                              "syscalls",
		`{"rule":"R","priority":"Debug","time":"2026-08-17T09:47:21Z","source":"k8s_audit"}`:         "k8s_audit",
		`{"rule":"Test rule","priority":"Debug","time":"2026-08-17T09:47:21Z","source":"k8s_audit"}`: "internal",
	} {
		a := decode(t, body)
		n.Apply(a)
		if a.Source != want {
			t.Errorf("source %q of %s, want %q", a.Source, body, want)
		}
	}
	a := &alert.Alert{Rule: "R"} // as a program makes one
	n.Apply(a)
	if a.Source != "syscalls" {
		t.Errorf("source %q", a.Source)
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("TIERCEL_TEST_CLUSTER", "서울-1")
	t.Setenv("TIERCEL_TEST_EMPTY", "")
	a := decode(t, common+`"output":"x"}`)
	normalizer(t, normalize.Config{CustomFields: map[string]string{
		"cluster": "%TIERCEL_TEST_CLUSTER", "empty": "%TIERCEL_TEST_EMPTY", "percent": "%5 of it",
	}}).Apply(a)
	if got, want := a.Fields.JSON(), `{"cluster":"서울-1","empty":"","percent":"%5 of it"}`; got != want {
		t.Errorf("fields %s, want %s", got, want)
	}
}

func TestLimit(t *testing.T) {
	padding := strings.Repeat("p", 512) // long, but not too long
	pad := func(count int) string {
		var s strings.Builder
		for i := range count {
			s.WriteString(`,"p` + string(rune('a'+i)) + `":"` + padding + `"`)
		}
		return s.String()
	}
	for name, c := range map[string]struct{ text, want string }{
		"512 bytes stay":        {strings.Repeat("x", 512), strings.Repeat("x", 512)},
		"513 bytes":             {strings.Repeat("x", 513), strings.Repeat("x", 507) + "[...]"},
		"two bytes a letter":    {strings.Repeat("é", 300), strings.Repeat("é", 253) + "[...]"},
		"Hangul":                {strings.Repeat("한", 200), strings.Repeat("한", 169) + "[...]"},
		"emoji":                 {strings.Repeat("🦅", 200), strings.Repeat("🦅", 126) + "[...]"},
		"a shift of one":        {"x" + strings.Repeat("🦅", 200), "x" + strings.Repeat("🦅", 126) + "[...]"},
		"NUL":                   {strings.Repeat("\x00", 600), strings.Repeat("\x00", 507) + "[...]"},
		"escaped, but not long": {strings.Repeat("\x00", 100), strings.Repeat("\x00", 100)},
	} {
		t.Run(name, func(t *testing.T) {
			quoted, err := json.Marshal(c.text)
			if err != nil {
				t.Fatal(err)
			}
			text := string(quoted[1 : len(quoted)-1])
			a := decode(t, common+`"output":"`+text+` and `+text+`","output_fields":{"f":"`+text+`","n":1`+pad(8)+`}}`)
			normalizer(t, normalize.Config{}).Apply(a)
			if got := a.Fields.Text("f"); got != c.want {
				t.Errorf("field is %q, want %q", got, c.want)
			}
			if want := c.want + " and " + c.want; a.Output != want {
				t.Errorf("output is %q, want %q", a.Output, want)
			}
			if a.Fields.Text("n") != "1" || a.Fields.Text("pa") != padding {
				t.Errorf("other fields changed: %s", a.Fields.JSON())
			}
			valid(t, a)
		})
	}
}

// The limit holds from one byte over 4096 of the JSON that goes out, escapes and all.
func TestLimitBeginsAtTheJSONsLength(t *testing.T) {
	n := normalizer(t, normalize.Config{})
	text := strings.Repeat("<", 513)
	filled := func(filler int) *alert.Alert {
		return decode(t, common+`"output":"`+strings.Repeat("o", filler)+`","output_fields":{"f":"`+text+`"}}`)
	}
	filler := 4096 - len(filled(0).AppendJSON(nil))
	if filler < 1 {
		t.Fatalf("no room for a filler: %d", filler)
	}
	a := filled(filler)
	n.Apply(a)
	if len(a.AppendJSON(nil)) != 4096 || a.Fields.Text("f") != text {
		t.Errorf("an alert of 4096 bytes was cut: %s", a.Fields.JSON())
	}
	a = filled(filler + 1)
	n.Apply(a)
	if got, want := a.Fields.Text("f"), text[:507]+"[...]"; got != want {
		t.Errorf("an alert of 4097 bytes was not cut: %q", got)
	}
}

// Searching a long output for thousands of long texts would take seconds, so it ends after 16 MiB.
func TestSearchIsBounded(t *testing.T) {
	var fields, output strings.Builder
	for i := range 26 {
		text := strings.Repeat(string(rune('a'+i)), 600)
		fields.WriteString(`,"` + text[:1] + `":"` + text + `"`)
		output.WriteString(text + " ")
	}
	output.WriteString(strings.Repeat(" ", 1<<20))
	a := decode(t, common+`"output":"`+output.String()+`","output_fields":{"n":1`+fields.String()+`}}`)
	normalizer(t, normalize.Config{}).Apply(a)
	for i := range 26 {
		letter := string(rune('a' + i))
		if got := a.Fields.Text(letter); len(got) != 512 {
			t.Errorf("%s has %d bytes", letter, len(got))
		}
		whole := strings.Contains(a.Output, strings.Repeat(letter, 508))
		if want := i >= 15; whole != want {
			t.Errorf("the output has %s as it was: %v, want %v", letter, whole, want)
		}
	}
}

func TestProblemsNameTheSetting(t *testing.T) {
	for key, cfg := range map[string]normalize.Config{
		"templatedfields.who":  {TemplatedFields: map[string]string{"who": "{{ .a "}},
		"templatedfields.what": {TemplatedFields: map[string]string{"what": "{{ nothing .a }}"}},
		"templatedfields":      {TemplatedFields: map[string]string{"": "x"}},
		"customfields":         {CustomFields: map[string]string{"": "x"}},
		"customfields.k8s.x":   {CustomFields: map[string]string{"k8s.x": "%TIERCEL_TEST_NOT_SET"}},
	} {
		_, newErr := normalize.New(cfg, nil)
		for _, err := range []error{cfg.Validate(), newErr} {
			var p *problem.Problem
			if !errors.As(err, &p) || p.Key != key {
				t.Errorf("%s: %v", key, err)
			}
		}
	}
	cfg := normalize.Defaults()
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}

func TestTemplateErrorsAreCounted(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	n, err := normalize.New(normalize.Config{TemplatedFields: map[string]string{
		"bad": `{{ .text.member }}`, "good": `{{ .text }}`,
	}}, reg)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		n.Apply(decode(t, common+`"output_fields":{"text":"x"}}`))
	}
	want := `
# HELP tiercel_template_errors_total Alerts for which the template of a templated field failed, so that the field was left out.
# TYPE tiercel_template_errors_total counter
tiercel_template_errors_total{field="bad"} 3
tiercel_template_errors_total{field="good"} 0
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
	if _, err := normalize.New(normalize.Config{}, reg); err == nil {
		t.Error("a second Normalizer on one registry should fail, not count nowhere")
	}
}

func TestTestAlert(t *testing.T) {
	now := time.Date(2026, 8, 17, 18, 47, 21, 123456789, time.FixedZone("KST", 9*3600))
	a := normalize.TestAlert(now, "")
	before := string(a.AppendJSON(nil))
	normalizer(t, normalize.Config{}).Apply(a)
	if after := string(a.AppendJSON(nil)); after != before {
		t.Errorf("normalizing changed it: %s, then %s", before, after)
	}
	if !a.IsTest() || !a.Received.Equal(now) || a.ID == (alert.ID{}) {
		t.Errorf("%+v", a)
	}
	want := parse(t, strings.NewReplacer("falcosidekick", "tiercel", "NOW", "2026-08-17T09:47:21Z").Replace(wire(t, "webhook-test.http")))
	compare(t, a, want)
	if h := normalize.TestAlert(now, "node-03").Hostname; h != "node-03" {
		t.Errorf("hostname %q", h)
	}
	kept, err := alert.ParseRecord(a.AppendRecord(nil))
	if err != nil || !reflect.DeepEqual(kept, a) {
		t.Errorf("the journal's form gives %+v, %v", kept, err)
	}
}

// valid checks what must hold of any alert that was normalized.
func valid(t *testing.T, a *alert.Alert) {
	t.Helper()
	text := a.AppendJSON(nil)
	if !json.Valid(text) || !utf8.Valid(text) {
		t.Errorf("neither JSON nor UTF-8: %q", text)
	}
	for _, s := range append([]string{a.Output, a.Rule, a.Source, a.Hostname}, a.Tags...) {
		if !utf8.ValidString(s) {
			t.Errorf("invalid UTF-8: %q", s)
		}
	}
	if !slices.IsSorted(a.Tags) {
		t.Errorf("tags are not sorted: %q", a.Tags)
	}
	kept, err := alert.ParseRecord(a.AppendRecord(nil))
	if err != nil || !bytes.Equal(kept.AppendJSON(nil), text) {
		t.Errorf("the journal's form gives %v, %v", kept, err)
	}
}

func FuzzApply(f *testing.F) {
	f.Add([]byte(common+`"output":"09:47:21.1: Warning x","output_fields":{"a[1]":"\u0000é","n":1},"tags":["b","a"]}`),
		"k", "v", "t", `{{ .n }}{{ slice . 0 1 }}`, "_", "<output> <tags> (<custom_fields>)", "tag")
	f.Add([]byte(common+`"output":"`+strings.Repeat("한", 600)+`","output_fields":{"a":"`+strings.Repeat("한", 600)+`","b":"`+strings.Repeat("x", 3000)+`"}}`),
		"a[2]", "\xff", "b", `{{ printf "%s" .a }}`, "]", "<templated_fields>\xff()", "")
	f.Fuzz(func(t *testing.T, body []byte, name, value, templated, template, brackets, format, tag string) {
		// A template can ask for any amount of work; a config that does is its writer's own doing.
		if strings.Contains(template, "%") && len(template) > 24 || strings.Contains(template, "range") || strings.Contains(template, "template") {
			t.Skip()
		}
		n, err := normalize.New(normalize.Config{
			CustomFields: map[string]string{name: value}, CustomTags: []string{tag},
			TemplatedFields: map[string]string{templated: template}, BracketReplacer: brackets, OutputFieldFormat: format,
		}, nil)
		if err != nil {
			return
		}
		alerts, err := alert.Decode(body, received, alert.DefaultMaxDepth)
		if err != nil {
			return
		}
		for _, a := range alerts {
			raw := a.Raw()
			n.Apply(a)
			valid(t, a)
			if a.Raw() != raw {
				t.Error("what was received was changed")
			}
			if len(a.AppendJSON(nil)) <= 4096 {
				continue
			}
			for name, field := range a.Fields.All() {
				if field.IsString() && len(field.Text()) > 512 {
					t.Errorf("%q has %d bytes", name, len(field.Text()))
				}
			}
		}
	})
}

// falcoAlert is what Falco sends for a shell in a container, with 20 output_fields.
const falcoAlert = `{"hostname":"node-03","output":"09:47:21.123456789: Warning Shell & <redirect> in container (user=root cmd=bash -c \"id\" container=web)","output_fields":{"container.id":"3ad7b26ded6d","container.image.repository":"docker.io/library/nginx","container.image.tag":"1.27","container.name":"web","evt.time":1787132841123456789,"evt.type":"execve","fd.name":null,"k8s.ns.name":"shop","k8s.pod.name":"web-7d4b9-abcde","proc.aname[2]":"containerd-shim","proc.cmdline":"bash -c \"id\" and a text longer than thirty-six characters","proc.exepath":"/usr/bin/bash","proc.name":"bash","proc.pid":18446744073709551615,"proc.pname":"containerd-shim","proc.tty":34816,"thread.cap_permitted":true,"user.loginuid":-1,"user.name":"root","user.uid":0},"priority":"Warning","rule":"Terminal shell in container","source":"syscall","tags":["T1059","container","mitre_execution","shell"],"time":"2026-08-17T09:47:21.123456789Z"}`

func TestNothingToDoAllocatesNothing(t *testing.T) {
	n := normalizer(t, normalize.Config{})
	a := decode(t, falcoAlert)
	if allocs := testing.AllocsPerRun(100, func() { n.Apply(a) }); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func BenchmarkApply(b *testing.B) {
	for _, c := range []struct {
		name string
		cfg  normalize.Config
	}{
		{"nothing", normalize.Config{}},
		{"customfields", normalize.Config{CustomFields: map[string]string{"cluster": "seoul-1", "env": "prod"}}},
		{"customtags", normalize.Config{CustomTags: []string{"prod"}}},
		{"templatedfields", normalize.Config{TemplatedFields: map[string]string{"who": `{{ index . "user.name" }}@{{ index . "k8s.ns.name" }}`}}},
		{"bracketreplacer", normalize.Config{BracketReplacer: "_"}},
		{"outputfieldformat", normalize.Config{OutputFieldFormat: "<priority> <output> <tags>"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			n := normalizer(b, c.cfg)
			a := decode(b, falcoAlert)
			b.ReportAllocs()
			for b.Loop() {
				work := *a
				n.Apply(&work)
			}
		})
	}
	b.Run("limit", func(b *testing.B) {
		n := normalizer(b, normalize.Config{})
		a := decode(b, common+`"output":"`+strings.Repeat("한", 200)+`","output_fields":{"a":"`+strings.Repeat("한", 200)+`","b":"`+strings.Repeat("x", 4000)+`"}}`)
		b.ReportAllocs()
		for b.Loop() {
			work := *a
			n.Apply(&work)
		}
	})
}
