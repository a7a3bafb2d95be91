package line

import (
	"unicode"

	"golang.org/x/text/width"
)

// columns is how many columns of a terminal a character takes: 0 for what joins the one before, 2 for Hangul, Han,
// kana and emoji, else 1. Ambiguous characters take one, as C libraries have it.
func columns(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case r >= 0x1160 && r <= 0x11ff: // vowels and finals of decomposed Hangul join the initial
		return 0
	case r == 0x200b, r >= 0xfe00 && r <= 0xfe0f, r >= 0xe0100 && r <= 0xe01ef:
		return 0
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}
