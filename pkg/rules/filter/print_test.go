package filter_test

import (
	"testing"

	"github.com/tiercel/tiercel/pkg/rules/filter"
)

func TestPretty(t *testing.T) {
	text := `evt.type in (execve, execveat) and not (proc.name = 'a b' or proc.pname startswith containerd) and (fd.num = 1 or ` +
		`(proc.cmdline contains something-long and proc.cmdline contains something-else))`
	want := `(
  evt.type in (execve, execveat)
  and not (proc.name = "a b" or proc.pname startswith containerd)
  and (
    fd.num = 1
    or (
      proc.cmdline contains something-long
      and proc.cmdline contains something-else
    )
  )
)`
	e, err := filter.Parse(text, filter.MaxRuleDepth)
	if err != nil {
		t.Fatal(err)
	}
	got := filter.Pretty(e)
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	again, err := filter.Parse(got, filter.MaxRuleDepth)
	if err != nil || filter.String(again) != filter.String(e) {
		t.Errorf("reads back as %v, %v", again, err)
	}
}

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{
		"a": "a", "": `""`, "a b": `"a b"`, `a"b`: `"a\"b"`, "it's": `"it's"`, "a\n\t": `"a\n\t"`, "a,b": `"a,b"`, "(": `"("`, "a=b": `"a=b"`, `\d x`: `"\\d x"`, "한글": "한글",
	} {
		if got := filter.Quote(text); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

func TestParseOp(t *testing.T) {
	for text, ok := range map[string]bool{
		"=": true, "startswith": true, "glob oneof": true, "contains  anyof": true, "in": true, "exists": true, "in oneof": false, ">= anyof": false,
		"oneof": false, "like": false, "": false, "= sometimes": false,
	} {
		if op, m, got := filter.ParseOp(text); got != ok {
			t.Errorf("%q: %s %s %v", text, op, m, got)
		}
	}
}
