package main

import (
	"bytes"
	"encoding/json"
	"testing"

	"go.yaml.in/yaml/v3"
)

// hostile is data whose texts would like to control a terminal, or to be taken for something else.
func hostile() map[string]any {
	return map[string]any{
		"a": "\x1b[2J\u009b31m\x7f\x00", "b": "\u202eturned\u2028", "c": "true", "d": "123", "e": "", "f": "line\nbreak\ttab", "g": "안녕 🦅",
		"h": []any{}, "i": map[string]any{}, "j": nil, "k": "- x: y # z", "l": "\\u001b", "m": "<&>",
	}
}

func TestDataIsTheSameAndHarmless(t *testing.T) {
	for _, name := range []string{formatJSON, formatYAML} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			c := &cli{stdout: &out}
			if err := c.write(&format{value: name}, hostile()); err != nil {
				t.Fatal(err)
			}
			for _, r := range out.String() {
				if r != '\n' && (r < ' ' || r >= 0x7f && r <= 0x9f || r == '\u202e' || r == '\u2028') {
					t.Errorf("the text holds %q:\n%q", r, out.String())
				}
			}
			var got map[string]any
			decode := json.Unmarshal
			if name == formatYAML {
				decode = yaml.Unmarshal
			}
			if err := decode(out.Bytes(), &got); err != nil {
				t.Fatalf("%v\n%s", err, out.String())
			}
			for key, want := range hostile() {
				if !same(got[key], want) {
					t.Errorf("%s is %#v, expected %#v\n%s", key, got[key], want, out.String())
				}
			}
		})
	}
}

func same(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// Numbers and the order of members come through digit by digit.
func TestYAMLKeepsNumbersAndOrder(t *testing.T) {
	text, err := toYAML(json.RawMessage(`{"z":18446744073709551615,"a":1.50,"m":[1,{"x":1e3,"b":true}],"n":null,"s":"\ud83e\udd85"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := "z: 18446744073709551615\na: 1.50\nm:\n  - 1\n  - x: 1e3\n    b: true\nn: null\ns: \"\\U0001F985\"\n"
	if got := string(text); got != want {
		t.Errorf("got\n%s\nexpected\n%s", got, want)
	}
}

func TestEmptyListIsNoNull(t *testing.T) {
	var out bytes.Buffer
	c := &cli{stdout: &out}
	if err := writeAll[letter](c, &format{value: formatJSON}, nil); err != nil || out.String() != "[]\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}
