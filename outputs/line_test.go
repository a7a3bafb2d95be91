package outputs_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
)

// FuzzAppendLine: whatever an alert holds, its line is one safe line that is the same JSON.
func FuzzAppendLine(f *testing.F) {
	f.Add(`{"rule":"a","priority":"info","time":"2026-01-01T00:00:00Z","output":"\u0000\u001b[31m\u007f\u009b` + "\u009b\u202e\x7f" + `","output_fields":{"키":"😀"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		a, err := alert.DecodeOne([]byte(text), time.Now())
		if err != nil {
			t.Skip()
		}
		line := outputs.AppendLine([]byte("before\x1b"), a)
		rest, ok := bytes.CutPrefix(line, []byte("before\x1b"))
		if !ok {
			t.Fatalf("what was there was changed: %q", line)
		}
		safe, ok := strings.CutSuffix(string(rest), "\n")
		if !ok || strings.ContainsFunc(safe, func(r rune) bool { return r != '\t' && unicode.IsControl(r) || r == '\u202e' || r == '\u2028' }) {
			t.Errorf("not one safe line: %q", rest)
		}
		var got, want any
		if err := json.Unmarshal([]byte(safe), &got); err != nil {
			t.Fatalf("%v in %q", err, safe)
		}
		if err := json.Unmarshal(a.AppendJSON(nil), &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q is not %q", safe, a.AppendJSON(nil))
		}
	})
}

func BenchmarkAppendLine(b *testing.B) {
	a, err := alert.DecodeOne([]byte(`{"rule":"a","priority":"info","time":"2026-01-01T00:00:00Z","output":"`+strings.Repeat("x", 500)+`"}`), time.Now())
	if err != nil {
		b.Fatal(err)
	}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = outputs.AppendLine(dst[:0], a)
	}
}
