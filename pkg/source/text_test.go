package source_test

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/source"
)

func TestDecodeLine(t *testing.T) {
	received := time.Date(2026, 7, 31, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		line     string
		rule     string
		source   string
		output   string
		priority alert.Priority
		at       time.Time
	}{
		{
			`{"rule":"r","priority":"Error","time":"2016-08-04T16:17:57Z","output":"o","source":"syscall"}`,
			"r", "syscall", "o", alert.Error, time.Date(2016, 8, 4, 16, 17, 57, 0, time.UTC),
		},
		{
			"2016-08-04T16:17:57.881781397+0900: Warning 셸 🐚 was spawned (user=root a=b c)",
			source.TextRule, "text", "2016-08-04T16:17:57.881781397+0900: Warning 셸 🐚 was spawned (user=root a=b c)", alert.Warning,
			time.Date(2016, 8, 4, 7, 17, 57, 881781397, time.UTC),
		},
		{"16:17:57.881781397: Informational x\n", source.TextRule, "text", "16:17:57.881781397: Informational x", alert.Informational, received},
		{"16:17:57.881781397: Alert x\xff", source.TextRule, "text", "16:17:57.881781397: Alert x\uFFFD", alert.Alarm, received},
	} {
		got, err := source.DecodeLine([]byte(c.line), received)
		if err != nil || len(got) != 1 {
			t.Errorf("%s: %v, %v", c.line, got, err)
			continue
		}
		a := got[0]
		if a.Rule != c.rule || a.Source != c.source || a.Output != c.output || a.Priority != c.priority || !a.Time.Equal(c.at) || !a.Received.Equal(received) {
			t.Errorf("%s became %+v", c.line, a)
		}
	}
}

// Nothing is guessed: what is not exactly what Falco writes is no alert.
func TestDecodeLineRefuses(t *testing.T) {
	for _, line := range []string{
		"Falco initialized with configuration file: /etc/falco/falco.yaml",
		"2026-07-31T12:00:00+0000: Falco version: 0.41.0 (x86_64)",
		"2026-07-31T12:00:00.123456789+0000: Loading rules from:",
		"16:17:57.881781397: Warning", "16:17:57.881781397: warning x", "16:17:57.881781397: INFO x", "16:17:57.88: Warning x",
		" x 16:17:57.881781397: Warning x", "16:17:57.881781397 Warning x", "2016-13-45T16:17:57.881781397+0000: Warning x",
		"", "null", "hello",
	} {
		if got, err := source.DecodeLine([]byte(line), time.Now()); err == nil {
			t.Errorf("%q became %+v", line, got[0])
		}
	}
	for _, line := range []string{`{"valid":true}`, `{"rule":`, "[]"} {
		_, err := source.DecodeLine([]byte(line), time.Now())
		if _, ok := errors.AsType[*alert.Refusal](err); !ok {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// A text alert that Falco itself wrote.
func TestDecodeLineOfFalco(t *testing.T) {
	text, err := os.ReadFile("../../../shared/data/alerts/single_rule_with_cat_write.txt")
	if err != nil {
		t.Skipf("the samples of Falco are not here: %v", err)
	}
	lines := 0
	for line := range bytes.Lines(text) {
		lines++
		if _, err := source.DecodeLine(line, time.Now()); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	if lines < 5 {
		t.Errorf("only %d lines", lines)
	}
}

func FuzzDecodeLine(f *testing.F) {
	f.Add("16:17:57.881781397: Warning x")
	f.Add("2016-08-04T16:17:57.881781397+0000: Emergency \xff")
	f.Add(`{"rule":"r","priority":"Error","time":"2016-08-04T16:17:57Z"}`)
	f.Fuzz(func(t *testing.T, line string) {
		got, err := source.DecodeLine([]byte(line), time.Unix(1, 0))
		if err != nil {
			return
		}
		for _, a := range got {
			if _, err := alert.DecodeOne(a.AppendJSON(nil), a.Received); err != nil {
				t.Errorf("%q became what is no alert as JSON: %v", line, err)
			}
		}
	})
}
