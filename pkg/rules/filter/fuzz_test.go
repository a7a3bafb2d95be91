package filter_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/rules/filter"
)

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"evt.type in (execve, execveat) and not proc.name = 'a b' or (m1 and m2)", `fd.name glob "/home/*/.ssh/*"`,
		`join("-", (tolower(fd.name), "x", 1)) = val(proc.name)`, `getopt(proc.args, "ab:")[b] startswith anyof (x, y)`,
		"proc.aname[2] exists", "evt.num >= -0x1F", "concat(a.b,':',c.d) in ()", "not(not a)", "((((a))))", "한글.x = 값",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := filter.Parse(text, filter.MaxDepth)
		if err != nil {
			var syntax *filter.SyntaxError
			if !errors.As(err, &syntax) || syntax.At.Offset > len(text) || syntax.At.Offset < 0 || syntax.Message == "" {
				t.Fatalf("%q: %#v", text, err)
			}
			return
		}
		printed := filter.String(e)
		if strings.Contains(printed, `\\"`) {
			return // a text that ends in a backslash, see filter.Quote
		}
		again, err := filter.Parse(printed, filter.MaxRuleDepth)
		if err != nil {
			t.Fatalf("%q prints as %q, which is refused: %v", text, printed, err)
		}
		if got := filter.String(again); got != printed && !strings.Contains(printed, "not not") {
			t.Fatalf("%q prints as %q, then as %q", text, printed, got)
		}
	})
}

func FuzzPutList(f *testing.F) {
	f.Add("proc.name in (a, names, b)", "names", "x y", "z")
	f.Add("names", "names", "", "")
	f.Fuzz(func(_ *testing.T, text, name, one, two string) {
		out, _ := filter.PutList(text, name, []string{one, two, name})
		_, _ = filter.PutList(out, name, nil)
	})
}
