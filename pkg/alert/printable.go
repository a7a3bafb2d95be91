package alert

import (
	"strings"
	"unicode/utf8"
)

// Printable makes text safe to show on a terminal and to keep as one line: control characters (C0, DEL, C1), the line
// and paragraph separators, and the characters that turn the direction of writing become \uXXXX; invalid UTF-8
// becomes U+FFFD. The tab stays, and so does everything else, so text without any of these comes back as it is,
// without an allocation. It cannot be turned back: text that already reads \u001b is left as it is.
//
// JSON stays the same JSON, since these characters stand in its strings only, where \uXXXX means the same.
func Printable(text string) string {
	at := firstUnprintable(text)
	if at < 0 {
		return text
	}
	var out strings.Builder
	out.Grow(len(text) + 16)
	for at >= 0 {
		out.WriteString(text[:at])
		r, width := utf8.DecodeRuneInString(text[at:])
		if r == utf8.RuneError {
			out.WriteRune(utf8.RuneError)
		} else {
			const digits = "0123456789abcdef"
			out.Write([]byte{'\\', 'u', digits[r>>12&0xf], digits[r>>8&0xf], digits[r>>4&0xf], digits[r&0xf]})
		}
		text = text[at+width:]
		at = firstUnprintable(text)
	}
	out.WriteString(text)
	return out.String()
}

// firstUnprintable finds the first place in text that [Printable] would change, or -1.
func firstUnprintable(text string) int {
	for at := 0; at < len(text); {
		if at+8 <= len(text) && plainASCII(text[at:at+8]) {
			at += 8
			continue
		}
		c := text[at]
		switch {
		case c < 0x20 && c != '\t', c == 0x7f:
			return at
		case c < utf8.RuneSelf:
			at++
			continue
		}
		r, width := utf8.DecodeRuneInString(text[at:])
		switch {
		case r == utf8.RuneError && width == 1, // invalid, not a U+FFFD that is really there
			r >= 0x80 && r <= 0x9f,     // C1: U+009B begins a terminal's control sequence as ESC [ does
			r >= 0x2028 && r <= 0x202e, // line and paragraph separator; embeddings and overrides
			r >= 0x2066 && r <= 0x2069: // isolates
			return at
		}
		at += width
	}
	return -1
}

// plainASCII reports whether the 8 bytes of text are all from U+0020 to U+007E. It looks at them as one word: an
// alert's text is scanned at every output.
func plainASCII(text string) bool {
	w := word(text)
	const (
		ones = 0x0101010101010101
		high = 0x80 * ones
	)
	del := w ^ 0x7f*ones // zero where a byte is DEL
	return (w|(w-0x20*ones)|(del-ones)&^del)&high == 0
}
