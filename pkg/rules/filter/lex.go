package filter

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// advance moves over n bytes.
func (p *parser) advance(n int) {
	for _, c := range []byte(p.text[p.at.Offset : p.at.Offset+n]) {
		p.at.Column++
		if c == '\r' || c == '\n' {
			p.at.Column = 1
			p.at.Line++
		}
	}
	p.at.Offset += n
}

// take reads token, if it comes next.
func (p *parser) take(token string) bool {
	if !strings.HasPrefix(p.text[p.at.Offset:], token) {
		return false
	}
	p.last = token
	p.advance(len(token))
	return true
}

// while reads bytes as long as they are of one kind.
func (p *parser) while(kind func(byte) bool) string {
	return p.takeN(span(p.text[p.at.Offset:], kind))
}

// takeN reads n bytes as a token.
func (p *parser) takeN(n int) string {
	token := p.text[p.at.Offset : p.at.Offset+n]
	if n > 0 {
		p.last = token
		p.advance(n)
	}
	return token
}

func span(text string, kind func(byte) bool) int {
	n := 0
	for n < len(text) && kind(text[n]) {
		n++
	}
	return n
}

// blanks skips blanks and line breaks. It does not count as a token.
func (p *parser) blanks() bool {
	n := span(p.text[p.at.Offset:], isBlank)
	p.advance(n)
	return n > 0
}

func isBlank(c byte) bool {
	return c == ' ' || c == '\t' || c == '\b' || c == '\r' || c == '\n'
}

// isSpace is what bare texts cannot hold.
func isSpace(c byte) bool {
	return c == ' ' || c >= '\t' && c <= '\r'
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWord(c byte) bool { return isLetter(c) || isDigit(c) || c == '_' }

// wordLength is the length of the identifier that text begins with: a letter, then letters, digits, underscores.
func wordLength(text string) int {
	if text == "" || !isLetter(text[0]) {
		return 0
	}
	return span(text, isWord)
}

// identifier reads the name of a macro or a list.
func (p *parser) identifier() string { return p.takeN(wordLength(p.text[p.at.Offset:])) }

// IsIdentifier reports whether name is a valid macro name.
func IsIdentifier(name string) bool { return name != "" && wordLength(name) == len(name) }

// IsBare reports whether text may stand without quotes.
func IsBare(text string) bool { return text != "" && span(text, isBareByte) == len(text) }

// fieldName reads identifiers joined by dots, with at least one dot.
func (p *parser) fieldName() string {
	rest := p.text[p.at.Offset:]
	n := wordLength(rest)
	dots := 0
	for n > 0 && n < len(rest) && rest[n] == '.' {
		part := wordLength(rest[n+1:])
		if part == 0 {
			break
		}
		n += 1 + part
		dots++
	}
	if dots == 0 {
		return ""
	}
	return p.takeN(n)
}

// callName reads the name of a transformer and its parenthesis, which follows without a blank.
func (p *parser) callName() string {
	for _, name := range Transformers() {
		if p.take(name + "(") {
			return name
		}
	}
	return ""
}

func isBareByte(c byte) bool { return !isSpace(c) && strings.IndexByte("()\"'=,\x00", c) < 0 }

// bare reads a text without quotes.
func (p *parser) bare() string { return p.while(isBareByte) }

// numberText reads a hexadecimal or decimal number, the latter with sign, fraction and exponent.
func (p *parser) numberText() string {
	rest := p.text[p.at.Offset:]
	if len(rest) > 2 && rest[0] == '0' && (rest[1] == 'x' || rest[1] == 'X') {
		if n := span(rest[2:], func(c byte) bool { return isLetter(c) || isDigit(c) }); n > 0 {
			return p.takeN(2 + n)
		}
	}
	n := 0
	if n < len(rest) && (rest[n] == '+' || rest[n] == '-') {
		n++
	}
	digits := span(rest[n:], isDigit)
	if digits == 0 {
		return ""
	}
	n += digits
	if n < len(rest) && rest[n] == '.' {
		n++
		n += span(rest[n:], isDigit)
	}
	// The exponent needs its sign.
	if n+1 < len(rest) && (rest[n] == 'e' || rest[n] == 'E') && (rest[n+1] == '+' || rest[n+1] == '-') {
		if exponent := span(rest[n+2:], isDigit); exponent > 0 {
			n += 2 + exponent
		}
	}
	return p.takeN(n)
}

// quoted reads a text in single or double quotes. The text ends at the first such quote that does not follow a
// backslash, whatever stands before that backslash: this is how Falco reads it, too.
func (p *parser) quoted() (string, bool) {
	rest := p.text[p.at.Offset:]
	if rest == "" || rest[0] != '"' && rest[0] != '\'' {
		return "", false
	}
	quote := rest[0]
	for i := 1; i < len(rest) && rest[i] != 0; i++ {
		if rest[i] != quote || rest[i-1] == '\\' {
			continue
		}
		text, err := unescape(rest[1:i], quote)
		if err != nil {
			p.failf("%s", err)
		}
		p.takeN(i + 1)
		return text, true
	}
	p.failf("the text in quotes is never closed: expected %c at its end", quote)
	return "", false
}

func unescape(text string, quote byte) (string, error) {
	if strings.IndexByte(text, '\\') < 0 {
		return text, nil
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			out = append(out, text[i])
			continue
		}
		if i++; i == len(text) {
			break
		}
		switch c := text[i]; c {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case '\\', '/':
			out = append(out, c)
		case ' ':
			// Falco takes an escaped blank, found in old rules, for a backslash.
			out = append(out, '\\')
		case '"', '\'':
			if c != quote {
				return "", fmt.Errorf("\\%c has no meaning between %c and %c: leave the backslash out", c, quote, quote)
			}
			out = append(out, c)
		default:
			r, _ := utf8.DecodeRuneInString(text[i:])
			return "", fmt.Errorf("\\%c has no meaning in quotes: write \\\\ for a backslash", r)
		}
	}
	return string(out), nil
}
