package alert_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/tiercel/tiercel/pkg/alert"
)

func TestPrintable(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"empty":                {"", ""},
		"plain":                {`cmd=bash -c "id" \x`, `cmd=bash -c "id" \x`},
		"Hangul and emoji":     {"안녕 👩‍👩‍👧 é", "안녕 👩‍👩‍👧 é"},
		"tab stays":            {"a\tb", "a\tb"},
		"NUL":                  {"a\x00b", `a\u0000b`},
		"line breaks":          {"a\r\nb", `a\u000d\u000ab`},
		"terminal title":       {"\x1b]0;owned\x07", `\u001b]0;owned\u0007`},
		"DEL":                  {"a\x7f", `a\u007f`},
		"C1":                   {"a\u009b31m", `a\u009b31m`},
		"NEL and no-break":     {"\u0085\u00a0", "\\u0085\u00a0"},
		"separators":           {"a\u2028b\u2029", `a\u2028b\u2029`},
		"direction override":   {"evil\u202egpj.exe\u202c", `evil\u202egpj.exe\u202c`},
		"direction isolate":    {"\u2066a\u2069", `\u2066a\u2069`},
		"invalid UTF-8":        {"a\xff\xfeb", "a\uFFFD\uFFFDb"},
		"half a letter":        {"\xec\x95", "\uFFFD\uFFFD"},
		"U+FFFD as it is":      {"\uFFFD", "\uFFFD"},
		"one after the other":  {"\x01\x02\x03", `\u0001\u0002\u0003`},
		"already escaped text": {`\u001b`, `\u001b`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := alert.Printable(c.text); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestPrintableCostsNothingWhereNothingIsToDo(t *testing.T) {
	text := strings.Repeat("Shell in container 안녕 (user=root)\t", 10)
	if n := testing.AllocsPerRun(10, func() { _ = alert.Printable(text) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("plain")
	f.Add("a\x00\x1b[31m\u009b\u202e\xff\uFFFD안녕")
	f.Fuzz(func(t *testing.T, text string) {
		got := alert.Printable(text)
		if !utf8.ValidString(got) {
			t.Fatalf("%q is no valid UTF-8", got)
		}
		for _, r := range got {
			if r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) ||
				(r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069)) {
				t.Fatalf("%U is left in %q", r, got)
			}
		}
		if again := alert.Printable(got); again != got {
			t.Fatalf("done twice it is %q, once %q", again, got)
		}
		// JSON means the same before and after.
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var before, after string
		if err := json.Unmarshal(quoted, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(alert.Printable(string(quoted))), &after); err != nil || after != before {
			t.Fatalf("%q became %q (%v)", before, after, err)
		}
	})
}

func BenchmarkPrintable(b *testing.B) {
	text := "09:47:21.123456789: Warning Shell in container (user=root cmd=bash -c \"id\" container=web 안녕)"
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		_ = alert.Printable(text)
	}
}
