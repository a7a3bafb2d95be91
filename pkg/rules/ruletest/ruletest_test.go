package ruletest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/rules"
	"github.com/tiercel/tiercel/pkg/rules/load"
	"github.com/tiercel/tiercel/pkg/rules/ruletest"
)

func set(t *testing.T, all bool) *rules.Set {
	t.Helper()
	l := load.New(load.Options{})
	if r := l.Load("r.yaml", `
- rule: 'Opened 파일'
  desc: d
  condition: evt.type = open and fd.name startswith /etc
  output: o
  priority: INFO
- rule: Any open
  desc: d
  condition: evt.type = open
  output: o
  priority: INFO
`); !r.OK() {
		t.Fatal(r)
	}
	return rules.Compile(l.Rules(), rules.Options{MatchAll: all})
}

func play(t *testing.T, all bool, text string) ([]string, error) {
	t.Helper()
	var got []string
	err := ruletest.Play(strings.NewReader(text), set(t, all), func(o *ruletest.Outcome) error {
		got = append(got, fmt.Sprintf("%d %s %v %v %v %v", o.Line, o.Name, o.Names(), o.Missing, o.Unexpected, o.Failed()))
		return nil
	})
	return got, err
}

func TestPlay(t *testing.T) {
	text := `{"type":"open","name":"one","fields":{"fd.name":"/etc/x"},"expect":["Opened 파일"]}

{"type":"open","fields":{"fd.name":"/x"},"expect":["Opened 파일"]}
{"type":"close","name":"none","expect":[]}
{"type":"open","name":"shown only","fields":{"fd.name":"/etc/x"}}
{"type":"open","name":"no line break","expect":[]}`
	got, err := play(t, false, text)
	want := []string{
		"1 one [Opened 파일] [] [] false", "3  [Any open] [Opened 파일] [Any open] true", "4 none [] [] [] false", "5 shown only [Opened 파일] [] [] false",
		"6 no line break [Any open] [] [Any open] true",
	}
	if err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%v\n%s", err, strings.Join(got, "\n"))
	}
	got, err = play(t, true, text)
	if err != nil || got[0] != "1 one [Opened 파일 Any open] [] [Any open] true" {
		t.Errorf("%v %s", err, got)
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"\n{\"type\":\"x\"}":                    `line 2: unknown event type "x"`,
		"{":                                     "line 1: event: unexpected EOF",
		strings.Repeat("x", ruletest.MaxLine+1): "line 1: an event has more than 4194304 bytes",
	} {
		if _, err := play(t, false, text); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	enough := errors.New("enough")
	err := ruletest.Play(strings.NewReader(`{"type":"open"}`), set(t, false), func(*ruletest.Outcome) error { return enough })
	if !errors.Is(err, enough) {
		t.Error(err)
	}
}
