package alert_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
)

func TestIsPlainSaysWhatPrintableLeaves(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "a": true, "proc.name": true, "a sentence of more than eight bytes ~": true,
		"tab\tbed": false, "12345678\x00": false, "\x7f": false, "한글": false, "1234567é": false, "a sentence\u202e": false,
	} {
		if got := alert.IsPlain(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// TestWalkTellsWhatIsPlain: a special character at each place of strings of each length.
func TestWalkTellsWhatIsPlain(t *testing.T) {
	for length := range 20 {
		for at := range length {
			for special, means := range map[string]string{`\"`: `"`, `\\`: `\`, "\x7f": "\x7f", "é": "é", `\u0000`: "\x00", "x": "x"} {
				before, after := strings.Repeat("x", at), strings.Repeat("y", length-at-1)
				quoted := `"` + before + special + after + `"`
				a, err := alert.DecodeOne([]byte(`{"rule":"r","priority":"Notice","time":"2026-01-02T03:04:05Z","output_fields":{`+
					quoted+`:`+quoted+`,"n":1}}`), time.Now())
				if err != nil {
					t.Fatal(err)
				}
				w, m := a.Fields.Walk(), alert.Member{}
				if !w.Next(&m) || m.Plain != (special == "x") || string(m.Value) != quoted || m.Name != before+means+after {
					t.Fatalf("%s: %+v", quoted, m)
				}
				if m.Plain && m.PlainText() != before+means+after {
					t.Fatalf("%s: %q", quoted, m.PlainText())
				}
				if !w.Next(&m) || !m.Plain || m.PlainText() != "1" || w.Next(&m) {
					t.Fatalf("after %s: %+v", quoted, m)
				}
			}
		}
	}
}
