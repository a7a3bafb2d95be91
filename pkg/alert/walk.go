package alert

import (
	"math/bits"
	"strings"
)

// Walk goes through the members of an object in their order, without the cost of an iterator. [Fields.Walk] begins one.
type Walk struct{ rest string }

// Member is what [Walk.Next] finds.
type Member struct {
	Name  string
	Value Value
	// Plain says that the value is a number, true, false or null, or a string of printable ASCII without escapes: its
	// text, [Member.PlainText], is safe to show as it stands.
	Plain bool
}

// PlainText is Value.Text of a value that is plain.
func (m *Member) PlainText() string {
	switch {
	case m.Value[0] == '"':
		return string(m.Value[1 : len(m.Value)-1])
	case m.Value == "null":
		return ""
	}
	return string(m.Value)
}

// Walk begins at the first member.
func (f Fields) Walk() Walk {
	if f.IsEmpty() {
		return Walk{}
	}
	return Walk{f.text[1:]}
}

// Next goes to the next member and reports whether there was one.
func (w *Walk) Next(m *Member) bool {
	text := w.rest
	if text == "" {
		return false
	}
	end := plainString(text)
	if end > 0 {
		m.Name = text[1 : end-1]
	} else {
		end = scanString(text)
		m.Name = unquote(text[:end])
	}
	text = text[end+1:] // the name and the colon
	switch text[0] {
	case '"':
		end = plainString(text)
		m.Plain = end > 0
		if end == 0 {
			end = scanString(text)
		}
	case '{', '[':
		m.Plain = false
		end = scanValue(text)
	default:
		m.Plain = true
		for end = 1; end < len(text) && text[end] != ',' && text[end] != '}'; {
			end++
		}
	}
	m.Value = Value(text[:end])
	w.rest = text[min(end+1, len(text)):] // the comma, or the closing brace
	return true
}

// plainString returns the length of the quoted string that text begins with, where that is printable ASCII without
// escapes, else 0. It looks at eight bytes as one word: this is what most of the time for an alert's fields is spent on.
func plainString(text string) int {
	const (
		ones = 0x0101010101010101
		high = 0x80 * ones
	)
	at := 1
	for ; at+8 <= len(text); at += 8 {
		w := word(text[at:])
		quote, escape, del := w^'"'*ones, w^'\\'*ones, w^0x7f*ones // zero where a byte is that
		// A bit for each byte that ends the scan. Borrows make false ones only above a true one.
		found := (w | (w - 0x20*ones) | (quote-ones)&^quote | (escape-ones)&^escape | (del-ones)&^del) & high
		if found != 0 {
			at += bits.TrailingZeros64(found) / 8
			if text[at] == '"' {
				return at + 1
			}
			return 0
		}
	}
	for ; at < len(text); at++ {
		switch c := text[at]; {
		case c == '"':
			return at + 1
		case c < 0x20, c >= 0x7f, c == '\\':
			return 0
		}
	}
	return 0
}

// IsPlain reports whether text is printable ASCII, so that [Printable] would not change it.
func IsPlain(text string) bool {
	at := 0
	for ; at+8 <= len(text); at += 8 {
		if !plainASCII(text[at:]) {
			return false
		}
	}
	return strings.IndexFunc(text[at:], func(r rune) bool { return r < 0x20 || r >= 0x7f }) < 0
}

// word reads the first eight bytes of text, which it must have.
func word(text string) uint64 {
	_ = text[7]
	return uint64(text[0]) | uint64(text[1])<<8 | uint64(text[2])<<16 | uint64(text[3])<<24 |
		uint64(text[4])<<32 | uint64(text[5])<<40 | uint64(text[6])<<48 | uint64(text[7])<<56
}
