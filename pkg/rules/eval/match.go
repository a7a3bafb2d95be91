package eval

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tiercel/tiercel/pkg/rules/field"
)

// containsFold is strings.Contains with ASCII letters in any case. part must be in lower case.
func containsFold(s, part string) bool {
	if part == "" {
		return true
	}
	for i := 0; i+len(part) <= len(s); i++ {
		if lowerByte(s[i]) == part[0] && hasPrefixFold(s[i:], part) {
			return true
		}
	}
	return false
}

func hasPrefixFold(s, prefix string) bool {
	for i := range len(prefix) {
		if lowerByte(s[i]) != prefix[i] {
			return false
		}
	}
	return true
}

func lowerByte(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// cString is s up to its first NUL, which is where C ends a text.
func cString(s string) string {
	if before, _, ok := strings.Cut(s, "\x00"); ok {
		return before
	}
	return s
}

// globMatch matches as fnmatch(3) without flags does: "*" is any text, slashes too; "?" any character; "[...]" one of
// a set, with ranges, classes like [:alpha:], and "!" or "^" for all others; a backslash takes the next character as
// it is. The time is bounded by the product of the two lengths.
func globMatch(pattern, s string, fold bool) bool {
	p, i := 0, 0
	starP, starI := -1, 0
	for i < len(s) {
		r, width := utf8.DecodeRuneInString(s[i:])
		if p < len(pattern) {
			if pattern[p] == '*' {
				starP, starI = p, i
				p++
				continue
			}
			if n, ok := globOne(pattern[p:], r, fold); ok {
				p += n
				i += width
				continue
			}
		}
		if starP < 0 {
			return false
		}
		_, skipped := utf8.DecodeRuneInString(s[starI:])
		starI += skipped
		p, i = starP+1, starI
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// globOne matches one character with the beginning of a pattern, and gives the length of that.
func globOne(pattern string, r rune, fold bool) (int, bool) {
	switch pattern[0] {
	case '?':
		return 1, true
	case '[':
		if n, ok, closed := globSet(pattern, r, fold); closed {
			return n, ok
		}
	case '\\':
		if len(pattern) > 1 {
			c, n := utf8.DecodeRuneInString(pattern[1:])
			return 1 + n, same(c, r, fold)
		}
	}
	c, n := utf8.DecodeRuneInString(pattern)
	return n, same(c, r, fold)
}

func same(a, b rune, fold bool) bool {
	return a == b || fold && unicode.ToLower(a) == unicode.ToLower(b)
}

// globSet matches "[...]". closed is false when there is no closing bracket: then the first one stands for itself.
func globSet(pattern string, r rune, fold bool) (length int, match, closed bool) {
	i := 1
	negative := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if negative {
		i++
	}
	for first := true; i < len(pattern); first = false {
		if pattern[i] == ']' && !first {
			return i + 1, match != negative, true
		}
		if strings.HasPrefix(pattern[i:], "[:") {
			if end := strings.Index(pattern[i:], ":]"); end > 0 {
				match = match || inClass(pattern[i+2:i+end], r, fold)
				i += end + 2
				continue
			}
		}
		low, n := setRune(pattern[i:])
		i += n
		high := low
		if i+1 < len(pattern) && pattern[i] == '-' && pattern[i+1] != ']' {
			high, n = setRune(pattern[i+1:])
			i += 1 + n
		}
		match = match || r >= low && r <= high
		if fold && !match {
			l, u := unicode.ToLower(r), unicode.ToUpper(r)
			match = l >= low && l <= high || u >= low && u <= high
		}
	}
	return 0, false, false
}

func setRune(s string) (rune, int) {
	if s[0] == '\\' && len(s) > 1 {
		r, n := utf8.DecodeRuneInString(s[1:])
		return r, 1 + n
	}
	return utf8.DecodeRuneInString(s)
}

func inClass(name string, r rune, fold bool) bool {
	switch name {
	case "alpha":
		return unicode.IsLetter(r)
	case "digit":
		return r >= '0' && r <= '9'
	case "alnum":
		return unicode.IsLetter(r) || unicode.IsDigit(r)
	case "upper":
		return unicode.IsUpper(r) || fold && unicode.IsLower(r)
	case "lower":
		return unicode.IsLower(r) || fold && unicode.IsUpper(r)
	case "space":
		return unicode.IsSpace(r)
	case "blank":
		return r == ' ' || r == '\t'
	case "punct":
		return unicode.IsPunct(r) || unicode.IsSymbol(r)
	case "cntrl":
		return unicode.IsControl(r)
	case "print":
		return unicode.IsPrint(r)
	case "graph":
		return unicode.IsGraphic(r) && !unicode.IsSpace(r)
	case "xdigit":
		return r >= '0' && r <= '9' || r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F'
	}
	return false
}

// compileRegex makes a regular expression in POSIX syntax that must match the whole text. As in Falco's, a dot is any
// character but a line break, while [^x] is a line break, too. Matching takes linear time.
func compileRegex(expr string) (*regexp.Regexp, error) {
	parsed, err := syntax.Parse(expr, syntax.POSIX|syntax.ClassNL)
	if err != nil {
		if e, ok := errors.AsType[*syntax.Error](err); ok {
			return nil, fmt.Errorf("invalid regular expression '%s': %s: %s", expr, e.Code, e.Expr)
		}
		return nil, err
	}
	// The parsed form prints in the full syntax, in which anchors and groups without a number exist.
	return regexp.Compile(`\A(?:` + parsed.String() + `)\z`)
}

// textSet is a set of texts. Most look-ups fail, and most of these by the length alone.
type textSet struct {
	lengths uint64 // bit n: there is a text of n bytes; bit 63: of 63 or more
	texts   map[string]struct{}
}

func newTextSet(texts []string) *textSet {
	s := &textSet{texts: make(map[string]struct{}, len(texts))}
	for _, text := range texts {
		s.texts[text] = struct{}{}
		s.lengths |= 1 << min(len(text), 63)
	}
	return s
}

func (s *textSet) has(text string) bool {
	if s.lengths&(1<<min(len(text), 63)) == 0 {
		return false
	}
	_, ok := s.texts[text]
	return ok
}

// prefixSet is a set of texts that others may begin with. Each length among them is tried once, however many there are.
type prefixSet struct {
	texts   map[string]struct{}
	lengths []int // ascending, each once
}

func newPrefixSet(prefixes []string) *prefixSet {
	s := &prefixSet{texts: make(map[string]struct{}, len(prefixes))}
	for _, p := range prefixes {
		s.texts[p] = struct{}{}
		s.lengths = append(s.lengths, len(p))
	}
	slices.Sort(s.lengths)
	s.lengths = slices.Compact(s.lengths)
	return s
}

func (s *prefixSet) begins(text string) bool {
	for _, n := range s.lengths {
		if n > len(text) {
			return false
		}
		if _, ok := s.texts[text[:n]]; ok {
			return true
		}
	}
	return false
}

// pathSet is a set of paths that other paths may begin with.
type pathSet struct {
	paths map[string]struct{}
	root  bool
}

func newPathSet(prefixes []string) *pathSet {
	s := &pathSet{paths: make(map[string]struct{}, len(prefixes))}
	for _, p := range prefixes {
		clean := cleanPath(p)
		if clean == "" && p != "" {
			s.root = true
			continue
		}
		s.paths[clean] = struct{}{}
	}
	return s
}

// covers reports whether path is one of the paths or lies below one.
func (s *pathSet) covers(path string) bool {
	if s.root && strings.HasPrefix(path, "/") {
		return true
	}
	if len(s.paths) == 0 {
		return false
	}
	if strings.Contains(path, "//") || len(path) > 1 && path[len(path)-1] == '/' {
		path = cleanPath(path)
	}
	for i := 1; i < len(path); i++ {
		if path[i] == '/' {
			if _, ok := s.paths[path[:i]]; ok {
				return true
			}
		}
	}
	_, ok := s.paths[path]
	return ok
}

// cleanPath drops doubled and trailing slashes.
func cleanPath(p string) string {
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	return strings.TrimSuffix(p, "/")
}

// netSet is a set of networks.
type netSet []netip.Prefix

func (s netSet) has(v field.Value) bool {
	ip := v.IP()
	for _, p := range s {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}
