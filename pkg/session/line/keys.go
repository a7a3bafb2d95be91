package line

import (
	"slices"
	"unicode"
	"unicode/utf8"
)

// maxKeys bounds the characters that the key model holds, and the kill ring's.
const maxKeys = 1 << 16

// How a character came into the line, as far as the keys tell.
type entry uint8

const (
	recalledKey entry = 1 << iota
	completedKey
	pastedKey
)

// keys replays keystrokes on a line as an editor with emacs keys would. It is a guess: what it holds counts only where the
// screen shows the same. It never leaves memory by itself.
type keys struct {
	text   []rune
	at     int
	killed []rune
	// plain: only keys were used whose effect is the same everywhere, so the text is right unless the shell has
	// keys of its own.
	plain bool
	// used: something was typed at all.
	used  bool
	how   entry
	paste bool // between the paste brackets

	// What is not complete yet.
	seq    []byte // an escape sequence
	char   [4]byte
	have   int
	want   int
	quoted bool // the next key is taken as it is

	column int // a cursor report in the input: the true column, from 1; 0 for none
}

// What a key did.
type keyEffect uint8

const (
	edited  keyEffect = iota
	entered           // the line is given to the shell
	aborted           // the line was thrown away
	report            // a cursor report: no key at all
)

func (k *keys) reset() {
	k.text, k.at, k.plain, k.used, k.how = k.text[:0], 0, true, false, 0
	k.seq, k.have, k.quoted, k.paste, k.column = k.seq[:0], 0, false, false, 0
}

// pending says that a key has begun and is not complete.
func (k *keys) pending() bool { return len(k.seq) > 0 || k.have > 0 }

// feed takes one byte.
func (k *keys) feed(b byte) keyEffect {
	if len(k.seq) > 0 {
		return k.sequence(b)
	}
	if k.have > 0 {
		if b&0xc0 == 0x80 {
			k.char[k.have] = b
			if k.have++; k.have == k.want {
				r, _ := utf8.DecodeRune(k.char[:k.have])
				k.have = 0
				k.insert(r)
			}
			return edited
		}
		k.have = 0
		k.plain = false
	}
	if k.quoted {
		k.quoted = false
		k.insert(rune(b))
		return edited
	}
	if b >= utf8.RuneSelf {
		k.used = true
		if k.want = utf8Bytes(b); k.want == 0 {
			k.plain = false
			return edited
		}
		k.char[0], k.have = b, 1
		return edited
	}
	if b == 0x1b {
		k.seq = append(k.seq, b)
		return edited
	}
	return k.key(b)
}

func (k *keys) insert(r rune) {
	k.used = true
	if k.paste {
		k.how |= pastedKey
	}
	if len(k.text) >= maxKeys {
		k.plain = false
		return
	}
	k.text = slices.Insert(k.text, k.at, r)
	k.at++
}

func (k *keys) kill(from, to int) {
	k.killed = append(k.killed[:0], k.text[from:to]...)
	k.text = slices.Delete(k.text, from, to)
	k.at = from
}

func (k *keys) key(b byte) keyEffect {
	if b >= 0x20 && b != 0x7f {
		k.insert(rune(b))
		return edited
	}
	if k.paste {
		// Within a paste nothing is a command; a carriage return is a line break.
		if b == '\r' {
			b = '\n'
		}
		k.insert(rune(b))
		return edited
	}
	k.used = true
	switch b {
	case '\r', '\n', 0x0f:
		if b == 0x0f {
			k.how |= recalledKey
		}
		return entered
	case 0x01:
		k.at = k.lineStart()
	case 0x05:
		k.at = k.lineEnd()
	case 0x02:
		k.at = max(k.at-1, 0)
	case 0x06:
		k.at = min(k.at+1, len(k.text))
	case 0x08, 0x7f:
		if k.at > 0 {
			k.text = slices.Delete(k.text, k.at-1, k.at)
			k.at--
		}
	case 0x04:
		if k.at < len(k.text) {
			k.text = slices.Delete(k.text, k.at, k.at+1)
		}
	case 0x03, 0x07:
		if b == 0x03 {
			return aborted
		}
		k.plain = false
	case 0x0b:
		k.kill(k.at, k.lineEnd())
	case 0x15:
		k.kill(k.lineStart(), k.at)
	case 0x17:
		k.kill(k.wordStart(func(r rune) bool { return r != ' ' }), k.at)
	case 0x19:
		for _, r := range slices.Clone(k.killed) {
			k.insert(r)
		}
	case 0x14:
		if k.at == len(k.text) && k.at > 1 {
			k.text[k.at-1], k.text[k.at-2] = k.text[k.at-2], k.text[k.at-1]
		} else if k.at > 0 && k.at < len(k.text) {
			k.text[k.at-1], k.text[k.at] = k.text[k.at], k.text[k.at-1]
			k.at++
		}
	case 0x16, 0x11:
		k.quoted = true
	case 0x0c:
	case '\t':
		k.plain = false
		k.how |= completedKey
	case 0x10, 0x0e, 0x12, 0x13:
		k.plain = false
		k.how |= recalledKey
	default:
		k.plain = false
	}
	return edited
}

func (k *keys) lineStart() int {
	i := k.at
	for i > 0 && k.text[i-1] != '\n' {
		i--
	}
	return i
}

func (k *keys) lineEnd() int {
	i := k.at
	for i < len(k.text) && k.text[i] != '\n' {
		i++
	}
	return i
}

func letter(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func (k *keys) wordStart(is func(rune) bool) int {
	i := k.at
	for i > 0 && !is(k.text[i-1]) {
		i--
	}
	for i > 0 && is(k.text[i-1]) {
		i--
	}
	return i
}

func (k *keys) wordEnd() int {
	i := k.at
	for i < len(k.text) && !letter(k.text[i]) {
		i++
	}
	for i < len(k.text) && letter(k.text[i]) {
		i++
	}
	return i
}

// sequence collects what begins with ESC.
func (k *keys) sequence(b byte) keyEffect {
	k.seq = append(k.seq, b)
	n := len(k.seq)
	switch {
	case n == 2 && (b == '[' || b == 'O'):
		return edited
	case n == 2 && b == 0x1b:
		k.seq = k.seq[:1]
		k.plain = false
		return edited
	case n == 2:
		k.seq = k.seq[:0]
		return k.meta(b)
	case n > 32:
		k.seq = k.seq[:0]
		k.plain = false
		return edited
	case b == 0x1b:
		k.seq = append(k.seq[:0], b)
		k.plain = false
		return edited
	case b < 0x40 || b > 0x7e:
		if b < 0x20 {
			k.seq = k.seq[:0]
			k.plain = false
			return k.key(b)
		}
		return edited
	}
	body := string(k.seq[2:])
	k.seq = k.seq[:0]
	return k.special(body)
}

// meta is a key with Alt.
func (k *keys) meta(b byte) keyEffect {
	k.used = true
	if k.paste {
		k.insert(0x1b)
		k.insert(rune(b))
		return edited
	}
	switch b {
	case 'b', 'B':
		k.at = k.wordStart(letter)
	case 'f', 'F':
		k.at = k.wordEnd()
	case 'd', 'D':
		to := k.wordEnd()
		k.kill(k.at, to)
	case 0x7f, 0x08:
		k.kill(k.wordStart(letter), k.at)
	case '\r', '\n':
		// fish and zsh put a line break into the line.
		k.insert('\n')
	case '.', '_':
		k.plain = false
		k.how |= recalledKey
	default:
		k.plain = false
	}
	return edited
}

// special is a key that sends a control sequence; body is what follows ESC [ or ESC O.
func (k *keys) special(body string) keyEffect {
	final := body[len(body)-1]
	if final == 'R' {
		row, col, n := 0, 0, 0
		for _, c := range body[:len(body)-1] {
			switch {
			case c == ';':
				n++
			case c >= '0' && c <= '9' && n == 0 && row < 100_000:
				row = row*10 + int(c-'0')
			case c >= '0' && c <= '9' && n == 1 && col < 100_000:
				col = col*10 + int(c-'0')
			}
		}
		if n == 1 && row > 0 && col > 0 {
			k.column = col
			return report
		}
	}
	switch body {
	case "200~":
		k.paste, k.used = true, true
		k.how |= pastedKey
		return edited
	case "201~":
		k.paste = false
		return edited
	case "I", "O": // focus
		return edited
	}
	if final == 'c' || final == 'n' || final == 'u' && body[0] == '?' || final == 'y' {
		return report // the terminal answers a question
	}
	if k.paste {
		return edited
	}
	k.used = true
	switch body {
	case "D":
		k.at = max(k.at-1, 0)
	case "C":
		if k.at == len(k.text) {
			// fish and others take a suggestion here.
			k.plain = false
			k.how |= completedKey
		}
		k.at = min(k.at+1, len(k.text))
	case "H", "1~", "7~":
		k.at = k.lineStart()
	case "F", "4~", "8~":
		k.at = k.lineEnd()
	case "3~":
		if k.at < len(k.text) {
			k.text = slices.Delete(k.text, k.at, k.at+1)
		}
	case "1;5C", "1;3C", "5C":
		k.at = k.wordEnd()
	case "1;5D", "1;3D", "5D":
		k.at = k.wordStart(letter)
	case "A", "B", "5~", "6~":
		k.plain = false
		k.how |= recalledKey
	default:
		k.plain = false
	}
	return edited
}
