package source_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/tiercel/tiercel/pkg/source"
)

// readAll gives every line, with those too long in brackets, and what is left, after a |.
func readAll(t testing.TB, from io.Reader, most int) (lines []string, total int64) {
	t.Helper()
	l := source.NewLines(from, most)
	for {
		line, size, err := l.Next()
		switch {
		case errors.Is(err, source.ErrTooLong):
			lines = append(lines, "["+string(line)+"]")
		case errors.Is(err, io.EOF):
			rest, size := l.Rest()
			return append(lines, "|"+string(rest)), total + size
		case err != nil:
			t.Fatal(err)
		default:
			lines = append(lines, string(line))
		}
		total += size
	}
}

func TestLines(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "|"},
		{"a\nb\r\n\n안녕\nrest", "a,b,,안녕,|rest"},
		{"12345678\n123456789\nx\n", "12345678,[12345678],x,|"},
		{strings.Repeat("y", 200_000) + "\nx\n" + strings.Repeat("z", 100_000), "[yyyyyyyy],x,|zzzzzzzz"},
		{"\r\n\r", ",|\r"},
	} {
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader, "with EOF": iotest.DataErrReader,
		} {
			got, total := readAll(t, wrap(strings.NewReader(c.text)), 8)
			if text := strings.Join(got, ","); text != c.want && !strings.HasPrefix(text, c.want) {
				t.Errorf("%s: %.20q gave %.60q, expected %q", name, c.text, text, c.want)
			}
			if total != int64(len(c.text)) {
				t.Errorf("%s: %.20q: %d bytes were counted, of %d", name, c.text, total, len(c.text))
			}
		}
	}
}

// A file that grows while it is read.
func TestLinesOfWhatGrows(t *testing.T) {
	var file bytes.Buffer
	l := source.NewLines(&file, 100)
	file.WriteString("one\ntw")
	if line, size, err := l.Next(); string(line) != "one" || size != 4 || err != nil {
		t.Errorf("got %q, %d, %v", line, size, err)
	}
	for range 2 {
		if _, _, err := l.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("half a line gave %v", err)
		}
	}
	file.WriteString("o\n")
	if line, size, err := l.Next(); string(line) != "two" || size != 4 || err != nil {
		t.Errorf("got %q, %d, %v", line, size, err)
	}
}

func FuzzLines(f *testing.F) {
	f.Add("a\nb\r\n\nlonger than eight\nx", 3)
	f.Fuzz(func(t *testing.T, text string, chunk int) {
		got, total := readAll(t, &chunked{text, max(1, chunk%64)}, 8)
		want := strings.Split(text, "\n")
		if total != int64(len(text)) || len(got) != len(want) {
			t.Fatalf("%q gave %q, %d bytes", text, got, total)
		}
		for i, line := range want[:len(want)-1] {
			expected := strings.TrimSuffix(line, "\r")
			if len(line) > 8 {
				expected = "[" + line[:8] + "]"
			}
			if got[i] != expected {
				t.Errorf("line %d of %q is %q", i, text, got[i])
			}
		}
	})
}

type chunked struct {
	text string
	size int
}

func (c *chunked) Read(p []byte) (int, error) {
	if c.text == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.size)], c.text)
	c.text = c.text[n:]
	return n, nil
}
