package outputtest

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Updating reports whether golden files are to be rewritten: the test was called with -update.
func Updating() bool { return *update }

// Golden compares got with the file of that name in the testdata folder, or rewrites it, see [Updating].
func Golden(t testing.TB, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if got != string(want) {
		t.Errorf("differs from %s (go test -update rewrites it); it is now:\n%s", path, got)
	}
}

// ShowBody shows a JSON body with its members on lines of their own, any other as it is.
func ShowBody(r Request) string {
	var lines bytes.Buffer
	if json.Indent(&lines, r.Body, "", "  ") == nil {
		return lines.String()
	}
	return string(r.Body)
}

// ShowRequest shows a request as a golden file has it: the request line, the headers that do not depend on the client
// library, and the body as show gives it.
func ShowRequest(r Request, show func(Request) string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s %s\n", r.Method, r.URI)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if name != "Accept-Encoding" && name != "Content-Length" {
			fmt.Fprintf(&s, "%s: %s\n", name, strings.Join(r.Header[name], ", "))
		}
	}
	s.WriteByte('\n')
	s.WriteString(shorten(show(r)))
	return strings.TrimRight(s.String(), "\n") + "\n"
}

var longText = regexp.MustCompile(`(?:` + regexp.QuoteMeta(longUnit) + `){2,}`)

// shorten replaces the long text of the hostile alert by how long it is.
func shorten(text string) string {
	return longText.ReplaceAllStringFunc(text, func(found string) string {
		return fmt.Sprintf("(%d times) %s", len(found)/len(longUnit), longUnit)
	})
}

// visible marks the characters that an editor would obey instead of showing them: <U+009B>.
func visible(text string) string {
	var s strings.Builder
	for _, r := range text {
		if control(r) || bidirectional(r) || r == '\u2028' || r == '\u2029' {
			fmt.Fprintf(&s, "<%U>", r)
			continue
		}
		s.WriteRune(r)
	}
	return s.String()
}

func control(r rune) bool { return r != '\n' && r != '\t' && unicode.IsControl(r) }

func bidirectional(r rune) bool { return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 }

// harmful finds the first character in text that a terminal or a line of a log could take for a command.
func harmful(text string) (rune, bool) {
	for _, r := range text {
		if control(r) || bidirectional(r) {
			return r, true
		}
	}
	return 0, false
}

// unescaped finds a byte below 0x20 that is neither a line break nor a tab: JSON never has one, and a place that takes
// text must get none.
func unescaped(text string) (rune, bool) {
	for _, r := range text {
		if r < 0x20 && control(r) {
			return r, true
		}
	}
	return 0, false
}
