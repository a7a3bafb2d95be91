package line

import (
	"slices"
	"unicode/utf8"
)

// match says whether a screen shows just what was typed, given what editors do to a line: tabs are blanks, control
// characters ^X, wide characters leave a blank at the margin, a locale without UTF-8 shows ? or escapes, and line breaks may
// be followed by blanks.
func match(typed, shown []rune) bool {
	typed = trimRight(append([]rune(nil), typed...))
	for _, each := range []bool{false, true} {
		if n, ok := consume(typed, shown, each); ok && n == len(shown) {
			return true
		}
	}
	return false
}

// matchTail is match with the end of what is shown, and tells where that begins.
func matchTail(typed, shown []rune) (int, bool) {
	if len(typed) == 0 {
		return 0, false
	}
	// The shortest tail that could hold it is as long as the text, or shorter where characters show as one.
	for at := range slices.Backward(shown) {
		if len(shown)-at > 2*len(typed)+64 {
			break
		}
		if shown[at] != typed[0] && typed[0] >= 0x20 && typed[0] < 0x7f {
			continue
		}
		if n, ok := consume(typed, shown[at:], false); ok && at+n == len(shown) {
			return at, true
		}
	}
	return 0, false
}

// consume walks over both and says how much of shown is used up when typed is. Where the editor shows a mark for what it
// does not know, there is one for each character, or for each byte of it.
func consume(typed, shown []rune, eachByte bool) (int, bool) {
	j := 0
	for i := range typed {
		r := typed[i]
		for j < len(shown) && (shown[j] == maybePad || shown[j] == maybeRow && r != '\n') {
			j++
		}
		if j >= len(shown) {
			return j, blank(typed[i:])
		}
		switch {
		case r == '\n':
			if shown[j] != breakRow && shown[j] != maybeRow {
				if n := caret(r, shown[j:]); n > 0 {
					j += n
					continue
				}
				return j, false
			}
			j++
			// An editor's own indentation, but not the line's.
			have := 0
			for j+have < len(shown) && shown[j+have] == ' ' {
				have++
			}
			want := 0
			for i+1+want < len(typed) && typed[i+1+want] == ' ' {
				want++
			}
			if have > want {
				j += have - want
			}
		case r == '\t':
			if n := caret(r, shown[j:]); n > 0 {
				j += n
				continue
			}
			n := 0
			for j+n < len(shown) && shown[j+n] == ' ' && n < 8 {
				n++
			}
			keep := 0
			for i+1+keep < len(typed) && typed[i+1+keep] == ' ' {
				keep++
			}
			if n-keep < 1 {
				return j, false
			}
			j += n - keep
		case r < 0x20 || r == 0x7f:
			n := caret(r, shown[j:])
			if n == 0 {
				return j, false
			}
			j += n
		case shown[j] == r:
			j++
		case r >= utf8.RuneSelf:
			n := foreign(r, shown[j:], eachByte)
			if n < 0 {
				return j, false
			}
			j += n
		default:
			return j, false
		}
	}
	for j < len(shown) && (shown[j] == ' ' || shown[j] == maybePad || shown[j] == maybeRow) {
		j++
	}
	return j, true
}

func blank(s []rune) bool {
	for _, r := range s {
		if r != ' ' && r != '\n' && r != '\t' && columns(r) != 0 {
			return false
		}
	}
	return true
}

// caret is how many runes ^X takes here for a control character, 0 if it is not there.
func caret(r rune, shown []rune) int {
	if len(shown) >= 2 && shown[0] == '^' && (shown[1] == r^0x40) {
		return 2
	}
	return 0
}

// foreign is how many runes stand here for a character that the editor could not show; -1 if it is another one.
func foreign(r rune, shown []rune, eachByte bool) int {
	if shown[0] == utf8.RuneError {
		if n := eachEscaped(r, shown); n > 0 {
			return n
		}
	}
	if shown[0] == '?' || shown[0] == utf8.RuneError {
		if !eachByte {
			return 1
		}
		n := 0
		for n < utf8.RuneLen(r) && n < len(shown) && shown[n] == shown[0] {
			n++
		}
		return n
	}
	if n := eachEscaped(r, shown); n > 0 {
		return n
	}
	if columns(r) == 0 {
		return 0
	}
	return -1
}

// eachEscaped is how many runes the character's bytes take, each shown as an escape, as ^!X (mksh) or as something that is
// no UTF-8; 0 if they are not there.
func eachEscaped(r rune, shown []rune) int {
	var b [utf8.UTFMax]byte
	n := 0
	for _, c := range b[:utf8.EncodeRune(b[:], r)] {
		rest := shown[n:]
		switch {
		case len(rest) == 0:
			return 0
		case rest[0] == utf8.RuneError:
			n++
		case len(rest) >= 3 && rest[0] == '^' && rest[1] == '!' && rest[2] == rune(c&0x7f^0x40):
			n += 3
		case len(rest) >= 4:
			got, ok := escaped(string(rest[:4]))
			if !ok || got != c {
				return 0
			}
			n += 4
		default:
			return 0
		}
	}
	return n
}
