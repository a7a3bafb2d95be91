package eval

import (
	"path"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestGlob(t *testing.T) {
	for _, test := range []struct {
		pattern, text string
		want, fold    bool
	}{
		{"", "", true, true},
		{"", "a", false, false},
		{"*", "", true, true},
		{"*", "a/b", true, true},
		{"**", "abc", true, true},
		{"a*c", "abbc", true, true},
		{"a*c", "abbd", false, false},
		{"*.log", "/var/log/x.log", true, true},
		{"?", "", false, false},
		{"?", "한", true, true},
		{"??", "한", false, false},
		{"[abc]", "b", true, true},
		{"[!abc]", "b", false, false},
		{"[^abc]", "d", true, true},
		{"[a-c]x", "bx", true, true},
		{"[]]", "]", true, true},
		{"[]a]", "a", true, true},
		{"[a", "[a", true, true},
		{"[a-]", "-", true, true},
		{"[-a]", "-", true, true},
		{"[[:digit:]]", "7", true, true},
		{"[[:digit:]x]", "x", true, true},
		{"[[:upper:]]", "a", false, true},
		{`\*`, "*", true, true},
		{`\*`, "a", false, false},
		{`\[a]`, "[a]", true, true},
		{`a\`, `a\`, true, true},
		{"ABC", "abc", false, true},
		{"a*b*c*d", "a1b2c3d", true, true},
		{"*a*b", "xaxb", true, true},
		{"[A-C]", "b", false, true},
		{"É*", "été", false, true},
		{`[\]]`, "]", true, true},
		{"[[:nothing:]]", "n", false, false},
	} {
		if got := globMatch(test.pattern, test.text, false); got != test.want {
			t.Errorf("%q %q is %v", test.pattern, test.text, got)
		}
		if got := globMatch(test.pattern, test.text, true); got != test.fold {
			t.Errorf("%q %q is %v without case", test.pattern, test.text, got)
		}
	}
}

func TestGlobClasses(t *testing.T) {
	for class, members := range map[string]string{
		"alpha": "aZ한", "digit": "09", "alnum": "a9한", "upper": "AÉ", "lower": "aé", "space": " \t\n", "blank": " \t", "punct": "!,+", "cntrl": "\x01\x7f", "print": "a !",
		"graph": "a!", "xdigit": "0aF",
	} {
		for _, r := range members {
			if !globMatch("[[:"+class+":]]", string(r), false) {
				t.Errorf("%q is not %s", r, class)
			}
			if globMatch("[![:"+class+":]]", string(r), false) {
				t.Errorf("%q is also not %s", r, class)
			}
		}
	}
}

// FuzzGlob compares with path.Match, which knows the same patterns but for slashes, classes and broken sets.
func FuzzGlob(f *testing.F) {
	f.Add("a*b?[c-d]", "axxbyd")
	f.Add("[!x]*", "한글")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		got := globMatch(pattern, text, false)
		_ = globMatch(pattern, text, true)
		if strings.ContainsAny(pattern, "[\\") || strings.Contains(text, "/") || !utf8.ValidString(text) || !utf8.ValidString(pattern) {
			return
		}
		if want, err := path.Match(pattern, text); err == nil && got != want {
			t.Fatalf("%q %q is %v", pattern, text, got)
		}
	})
}

func TestGlobTakesBoundedTime(t *testing.T) {
	// A backtracking matcher would take longer than the universe is old.
	if globMatch(strings.Repeat("a*", 200)+"b", strings.Repeat("a", 5000), false) {
		t.Error("matches")
	}
}

func TestPathSet(t *testing.T) {
	s := newPathSet([]string{"/etc/", "/var//log", "relative"})
	for p, want := range map[string]bool{
		"/etc": true, "/etc/": true, "/etc/x": true, "/etcx": false, "/var/log/x": true, "/var//log//x": true, "/var": false, "": false, "/": false,
		"relative/x": true, "relatives": false,
	} {
		if s.covers(p) != want {
			t.Errorf("%q: %v", p, !want)
		}
	}
	if root := newPathSet([]string{"/"}); !root.covers("/x") || !root.covers("/") || root.covers("x") {
		t.Error("the root")
	}
}

func TestTextSet(t *testing.T) {
	long := strings.Repeat("x", 100)
	s := newTextSet([]string{"", "a", "bb", long})
	for text, want := range map[string]bool{"": true, "a": true, "b": false, "bb": true, "ccc": false, long: true, long + "x": false} {
		if s.has(text) != want {
			t.Errorf("%.9q: %v", text, !want)
		}
	}
}

func TestContainsFold(t *testing.T) {
	for _, test := range []struct {
		text, part string
		want       bool
	}{{"", "", true}, {"a", "", true}, {"ABC", "bc", true}, {"ABC", "bd", false}, {"a", "ab", false}, {"xAb한", "ab한", true}, {"É", "é", false}} {
		if got := containsFold(test.text, test.part); got != test.want {
			t.Errorf("%q %q is %v", test.text, test.part, got)
		}
	}
}

func TestRegexIsAnchored(t *testing.T) {
	for _, test := range []struct {
		expr, text string
		want       bool
	}{
		{"a", "a", true},
		{"a", "ab", false},
		{"a|ab", "ab", true},
		{"ab|a", "ab", true},
		{"a*", "", true},
		{".*b", "ab", true},
		{"^a$", "a", true},
		{"(a|b)*", "abba", true},
		{"a", "xa", false},
		{"[[:digit:]]{2}", "12", true},
		{".", "\n", false},
		{"[^x]", "\n", true},
		{"[^x]*b", "a\nb", true},
		{"(.|\n)*b", "a\nb", true},
		{"^a$", "a\na", false},
		{"a|b|", "", true},
		{"한.", "한글", true},
	} {
		re, err := compileRegex(test.expr)
		if err != nil {
			t.Fatal(err)
		}
		if got := re.MatchString(test.text); got != test.want {
			t.Errorf("%q %q is %v", test.expr, test.text, got)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, test := range []struct{ args, spec, want string }{
		{"-e /bin/sh 10.0.0.1 1", "e:l", "e=/bin/sh "},
		{"-le /bin/sh", "e:l", "l= e=/bin/sh "},
		{"-e/bin/sh -l", "e:l", "e=/bin/sh l= "},
		{"host -l", "l", "l= "},
		{"-- -l", "l", ""},
		{"--long -l", "l", "l= "},
		{"-x -l", "l", "l= "},
		{"-e", "e:", "e= "},
		{"-e x", "e::", "e= "},
		{"-ex", "e::", "e=x "},
		{"-", "l", ""},
		{"", "l", ""},
		{"-:", ":", ""},
	} {
		got := ""
		options(test.args, test.spec, func(o, v string) bool { got += o + "=" + v + " "; return true })
		if got != test.want {
			t.Errorf("%q %q: %q, want %q", test.args, test.spec, got, test.want)
		}
	}
}

func TestTransforms(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{lower("AbÉ한"), "abÉ한"}, {upper("aBé한"), "ABé한"}, {lower("abc"), "abc"}, {basename("/a/b"), "b"}, {basename("/a/"), ""}, {basename("a"), "a"},
	} {
		if test.got != test.want {
			t.Errorf("%q, want %q", test.got, test.want)
		}
	}
}
