package format_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/pkg/rules/format"
)

// one is an event of which every plain field has the same value.
type one struct{ value field.Value }

func (o one) Type() event.Type { t, _ := event.Lookup("open"); return t }

func (o one) Field(id field.ID, _ field.Arg) field.Value {
	if id == field.EvtRawtime {
		return field.Uint(1470327477000000001)
	}
	if field.Of(id).Multi != field.Single {
		return field.Value{}
	}
	return o.value
}

func TestText(t *testing.T) {
	zone := time.FixedZone("KST", 9*3600)
	for text, want := range map[string]string{
		"plain": "plain", "*plain": "plain", "%proc.name": "값", "a%proc.name,b": "a값,b", "%8proc.name|": "값     |", "%2proc.name|": "  |", "%3proc.name|": "값|",
		"%4proc.name|": "값 |", "%evt.type %evt.dir": "open <", "%evt.time": "01:17:57.000000001", "%evt.time.s": "01:17:57",
		"%evt.time.iso8601": "2016-08-04T16:17:57.000000001+0000", "%evt.datetime": "2016-08-05 01:17:57.000000001", "%evt.rawtime": "1470327477000000001",
		"%proc.aname": "<NA>", "%proc.aname[2]": "<NA>", "%fd.types": "<NA>", "%proc.name%proc.name": "값값", "%proc.env[A]": "값", "%len(proc.name)": "3",
		"%basename(proc.name)": "값", `%concat(proc.name, "-", fd.name).`: "값-값.", "%evt.arg.flags.": "값.", "100 %evt.res": "100 값",
	} {
		f, err := format.Parse(event.Syscall, text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := string(f.AppendText(nil, one{field.Text("값")}, zone)); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"": "the text is empty", "*": "the text is empty", "100%": "the text ends in %: the name", "a %20": "the text ends in % and a width",
		"%not_a_real_field": "invalid formatting token not_a_real_field", "%proc.nobody x": "invalid formatting token proc.nobody:", "% x": "invalid formatting token",
		"%%": "invalid formatting token", "%99999proc.name": "width", "%toupper(fd.num)": "does not apply", "%proc.aname[x]": "must be a number",
		"%shell.line": "invalid formatting token", "%evt.arg.nothing": "no event has a parameter 'nothing'", "%container.mount.dest": "needs an argument",
	} {
		if _, err := format.Parse(event.Syscall, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := format.Parse(event.Terminal, "%shell.line"); err != nil {
		t.Error(err)
	}
}

func TestJSON(t *testing.T) {
	ref := func(text string) field.Ref {
		r, _, err := field.Prefix(event.Syscall, text)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, test := range []struct {
		value field.Value
		text  string
		want  alert.Value
	}{
		{field.Text("a\"\x00\xff한"), "proc.name", "\"a\\\"\\u0000\uFFFD한\""},
		{field.Int(-1), "user.loginuid", "-1"},
		{field.Uint(1<<64 - 1), "proc.pid", "18446744073709551615"},
		{field.Bool(true), "evt.is_open_read", "true"},
		{field.Value{}, "fd.name", "null"},
		{field.Float(0.25), "thread.cpu", "0.25"},
		{field.Bytes([]byte("a\x00b")), "evt.buffer", `"a.b"`},
		{field.Text("x"), "evt.time", "1470327477000000001"},
		{field.Text("x"), "evt.time.iso8601", "1470327477000000001"},
		{field.Text("x"), "evt.type", `"open"`},
		{field.Text("x"), "fd.types", "null"},
	} {
		if got := format.JSON(one{test.value}, ref(test.text)); got != test.want {
			t.Errorf("%s is %s, want %s", test.text, got, test.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"a %proc.name b", "%20evt.arg.flags", "%join(',', (proc.name, 'x'))", "%proc.env['A'] %%", "*", "%evt.time.iso8601"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := format.Parse(event.Syscall, text)
		if err != nil {
			return
		}
		for _, v := range []field.Value{{}, field.Text("한\x00"), field.Uint(7)} {
			if out := parsed.AppendText(nil, one{v}, time.UTC); len(out) > len(text)*8192+8192 {
				t.Fatalf("%q gives %d bytes", text, len(out))
			}
			if fields := alert.FieldsOf(parsed.AppendFields(nil, one{v})...); fields.JSON() == "" {
				t.Fatal("no fields")
			}
		}
	})
}
