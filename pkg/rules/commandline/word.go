package commandline

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// word is a word as the shell sees it after quotes and expansions, as far as they can be known.
type word struct {
	text    string
	quoted  bool       // some of it was in quotes
	feeds   [][]string // the programs within "$(...)", "<(...)" and backquotes
	variety []string   // what {a,b} makes of it, instead of text
	split   bool       // $IFS stands in it, which makes several words
}

// ifs marks where $IFS stands in a word; the character has no place in a command line.
const ifs = '\x00'

// values are the words that it becomes.
func (w *word) values() []string {
	all := w.variety
	if all == nil {
		all = []string{w.text}
	}
	if !w.split {
		return all
	}
	var out []string
	for _, text := range all {
		out = append(out, strings.FieldsFunc(text, func(r rune) bool { return r == ifs })...)
	}
	return out
}

// builder makes a word.
type builder struct {
	strings.Builder
	word
	braces []int // where an unquoted "{" and the commas after it are, in the text so far
}

func isOperator(c byte) bool { return strings.IndexByte(" \t\r\n;&|()<>", c) >= 0 }

// word reads a word; nil where none begins.
func (p *scanner) word() *word {
	b := &builder{}
	start := p.at
	for p.more() {
		c := p.text[p.at]
		switch {
		case (c == '<' || c == '>') && p.peek(p.text[p.at:p.at+1]+"(") && p.at == start:
			p.at++
			p.substitution(b, p.at+1)
		case c == '$' && p.peek("$("), c == '`', c == '$' && p.more():
			p.dollar(b, false)
		case isOperator(c):
			if p.at == start {
				return nil
			}
			return b.finish()
		case c == '\'':
			p.at++
			b.quoted = true
			b.WriteString(p.until('\''))
		case c == '"':
			p.at++
			p.double(b)
		case c == '\\':
			p.at++
			if p.peek("\n") {
				p.at++
				continue
			}
			b.quoted = true
			p.rune(b)
		case c == '{' && b.braces == nil && p.braces < maxBraces:
			b.braces = []int{b.Len()}
			p.rune(b)
		case c == ',' && b.braces != nil && b.variety == nil:
			b.braces = append(b.braces, b.Len())
			p.rune(b)
		case c == '}' && len(b.braces) > 1 && b.variety == nil:
			p.at++
			b.brace(p)
		default:
			p.rune(b)
		}
	}
	if p.at == start {
		return nil
	}
	return b.finish()
}

func (b *builder) finish() *word {
	b.text = b.String()
	return &b.word
}

// rune takes the next character as it is.
func (p *scanner) rune(b *builder) {
	if !p.more() {
		return
	}
	_, n := utf8.DecodeRuneInString(p.text[p.at:])
	if p.text[p.at] != ifs {
		b.WriteString(p.text[p.at : p.at+n])
	}
	p.at += n
}

// until takes everything up to a character, which is skipped.
func (p *scanner) until(c byte) string {
	rest := p.text[p.at:]
	end := strings.IndexByte(rest, c)
	if end < 0 {
		p.at = len(p.text)
		return rest
	}
	p.at += end + 1
	return rest[:end]
}

// brace makes the words of "before{one,two}", whose "}" was just read; what follows is added to each of them.
func (b *builder) brace(p *scanner) {
	text := b.String()
	before := text[:b.braces[0]]
	var parts []string
	for i, from := range b.braces {
		to := len(text)
		if i+1 < len(b.braces) {
			to = b.braces[i+1]
		}
		parts = append(parts, before+text[from+1:to])
	}
	p.braces++
	rest := p.word()
	p.braces--
	if len(parts) > 64 {
		parts = parts[:64]
	}
	for _, part := range parts {
		if rest == nil {
			b.variety = append(b.variety, part)
			continue
		}
		for _, end := range rest.values()[:min(len(rest.values()), 64)] {
			if len(b.variety) < 256 && p.spend(len(part)+len(end)) {
				b.variety = append(b.variety, part+end)
			}
		}
	}
	if rest != nil {
		b.feeds = append(b.feeds, rest.feeds...)
		b.split = b.split || rest.split
	}
}

// double reads what stands in double quotes, whose first was just read.
func (p *scanner) double(b *builder) {
	b.quoted = true
	for p.more() {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			return
		case c == '\\' && p.at+1 < len(p.text) && strings.IndexByte("\"\\$`\n", p.text[p.at+1]) >= 0:
			p.at++
			if p.text[p.at] == '\n' {
				p.at++
				continue
			}
			p.rune(b)
		case c == '$' || c == '`':
			p.dollar(b, true)
		default:
			p.rune(b)
		}
	}
}

// dollar reads what begins with "$" or a backquote.
func (p *scanner) dollar(b *builder, inQuotes bool) {
	rest := p.text[p.at:]
	switch {
	case rest[0] == '`':
		p.at++
		inner := p.backquoted()
		b.feeds = append(b.feeds, p.script(inner, p.depth+1))
		b.WriteString("`" + inner + "`")
	case strings.HasPrefix(rest, "$(("):
		if end := strings.Index(rest, "))"); end >= 0 {
			b.WriteString(rest[:end+2])
			p.at += end + 2
			return
		}
		p.at++
		p.substitution(b, p.at+1)
	case strings.HasPrefix(rest, "$("):
		p.at++
		p.substitution(b, p.at+1)
	case !inQuotes && strings.HasPrefix(rest, "$'"):
		p.at += 2
		b.quoted = true
		p.ansi(b)
	case !inQuotes && strings.HasPrefix(rest, "$\""):
		p.at += 2
		p.double(b)
	case strings.HasPrefix(rest, "${"):
		end := strings.IndexByte(rest, '}')
		if end < 0 {
			end = len(rest) - 1
		}
		p.at += end + 1
		p.variable(b, rest[2:max(2, end)], rest[:end+1], inQuotes)
	default:
		n := 1
		for n < len(rest) && (rest[n] == '_' || rest[n] >= '0' && rest[n] <= '9' || rest[n]|0x20 >= 'a' && rest[n]|0x20 <= 'z') {
			n++
		}
		p.at += n
		p.variable(b, rest[1:n], rest[:n], inQuotes)
	}
}

// variable puts in what is known of a variable; else it stays as it was written.
func (p *scanner) variable(b *builder, name, written string, inQuotes bool) {
	value, ok := p.vars[name]
	switch {
	case ok && p.spend(len(value)):
		b.WriteString(value)
	case name == "IFS" && !inQuotes:
		b.split = true
		b.WriteByte(ifs)
	case name == "HOME":
		b.WriteByte('~')
	case name == "PWD" && p.cwd != "":
		b.WriteString(p.cwd)
	default:
		// ${x:-rm} and the like: the name that stands in for an empty one.
		if _, instead, found := strings.Cut(name, ":-"); found {
			written = instead
		}
		b.WriteString(written)
	}
}

// substitution reads "(commands)" whose commands begin at from. They are kept in the word as they were written.
func (p *scanner) substitution(b *builder, from int) {
	start := p.at - 1
	p.at = from
	b.feeds = append(b.feeds, p.list(")"))
	b.WriteString(strings.ReplaceAll(p.text[start:p.at], "\x00", ""))
}

// backquoted reads up to the closing backquote; within, a backslash protects some characters.
func (p *scanner) backquoted() string {
	var inner strings.Builder
	for p.more() {
		c := p.text[p.at]
		p.at++
		switch {
		case c == '`':
			return inner.String()
		case c == '\\' && p.more() && strings.IndexByte("`\\$", p.text[p.at]) >= 0:
			inner.WriteByte(p.text[p.at])
			p.at++
		default:
			inner.WriteByte(c)
		}
	}
	return inner.String()
}

// ansi reads what stands in $'...', in which a backslash names characters by number.
func (p *scanner) ansi(b *builder) {
	for p.more() {
		c := p.text[p.at]
		if c == '\'' {
			p.at++
			return
		}
		if c != '\\' || p.at+1 >= len(p.text) {
			p.rune(b)
			continue
		}
		c = p.text[p.at+1]
		p.at += 2
		switch c {
		case 'n', 'r', 't', 'v', 'f', 'a', 'b', 'e', 'E':
			b.WriteByte(' ')
		case 'x':
			p.number(b, 16, 2)
		case 'u':
			p.number(b, 16, 4)
		case 'U':
			p.number(b, 16, 8)
		case '0', '1', '2', '3', '4', '5', '6', '7':
			p.at--
			p.number(b, 8, 3)
		default:
			b.WriteByte(c)
		}
	}
}

// number reads a character's number of so many digits at most.
func (p *scanner) number(b *builder, base, most int) {
	n := 0
	for n < most && p.at+n < len(p.text) {
		if _, err := strconv.ParseUint(p.text[p.at+n:p.at+n+1], base, 8); err != nil {
			break
		}
		n++
	}
	value, err := strconv.ParseUint(p.text[p.at:p.at+n], base, 32)
	p.at += n
	if err != nil || value == 0 || value > utf8.MaxRune {
		return
	}
	if most == 2 || base == 8 { // bytes
		b.WriteByte(byte(value & 0xff))
		return
	}
	b.WriteRune(rune(value))
}
