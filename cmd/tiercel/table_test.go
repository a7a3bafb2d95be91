package main

import (
	"strings"
	"testing"
)

func TestTableAlignsWhatATerminalShows(t *testing.T) {
	tab := &table{rows: [][]cell{texts("NAME", "RULE", "ANSWER")}, limit: 40}
	tab.add(texts("하나", "규칙 🦅", "yes")...)
	tab.add(texts("e\u0301", "plain", "a text that is far too long for such a line")...)
	tab.add(cell{"red", red}, cell{text: "x"}, cell{})
	tab.add(texts("line\nbreak\x07", "tab\there", "\u202eturned")...)
	var plainText, colours strings.Builder
	if err := tab.writeTo(&plainText, false); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		`NAME              RULE      ANSWER`,
		`하나              규칙 🦅   yes`,
		"e\u0301                 plain     a text that…",
		`red               x`,
		`line break\u0007  tab here  \u202eturned`,
	}, "\n") + "\n"
	if got := plainText.String(); got != want {
		t.Errorf("the table is\n%q, expected\n%q", got, want)
	}
	if err := tab.writeTo(&colours, true); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(colours.String(), "\n\x1b[31mred\x1b[0m               x") {
		t.Errorf("colours change the columns:\n%q", colours.String())
	}
}

func TestShorten(t *testing.T) {
	for _, c := range []struct {
		text string
		most int
		want string
	}{
		{"abc", 3, "abc"},
		{"abcd", 3, "ab…"},
		{"한글입니다", 10, "한글입니다"},
		{"한글입니다", 9, "한글입니…"},
		{"한글입니다", 8, "한글입…"},
		{"", 0, ""},
		{"a", 1, "a"},
		{"ab", 1, "…"},
	} {
		if got := shorten(c.text, c.most); got != c.want {
			t.Errorf("%q in %d columns is %q, expected %q", c.text, c.most, got, c.want)
		}
	}
}
