package line

import (
	"slices"
	"strings"
)

// A grammar reads shell text only as far as is needed to know whether a command is complete: quotes, here-documents,
// brackets, the words that open and close blocks, and what a line may not end with. It knows the POSIX shells' grammar and
// what they have in common beyond; where it is wrong, the prompt that follows decides.
type grammar struct {
	text string
	at   int

	heredocs []heredoc
	blocks   []string // open words and brackets
	start    bool     // a command may begin here
	trailing bool     // the text ends with what asks for more: | && || \
	unclosed bool
}

type heredoc struct {
	end  string
	tabs bool
}

const maxNesting = 256

// incomplete says whether a shell that was given text waits for more. The text has no line feed at its end.
func incomplete(text string) bool {
	if len(text) > 2*MaxLine {
		return false
	}
	g := grammar{text: text, start: true}
	g.run()
	return g.unclosed || g.trailing || len(g.heredocs) > 0 || len(g.blocks) > 0
}

func (g *grammar) open(what string) {
	if len(g.blocks) < maxNesting {
		g.blocks = append(g.blocks, what)
	}
}

func (g *grammar) close(what ...string) {
	n := len(g.blocks)
	if n == 0 {
		return
	}
	if slices.Contains(what, g.blocks[n-1]) {
		g.blocks = g.blocks[:n-1]
	}
}

func (g *grammar) run() {
	for g.at < len(g.text) {
		c := g.text[g.at]
		switch c {
		case '\n':
			g.at++
			g.start = true
			g.trailing = g.trailing && len(g.heredocs) == 0
			g.bodies()
		case ' ', '\t':
			g.at++
		case '#':
			for g.at < len(g.text) && g.text[g.at] != '\n' {
				g.at++
			}
		case '|', '&', ';':
			g.operator(c)
		case '(':
			g.open("(")
			g.at++
			g.start, g.trailing = true, false
		case ')':
			// Within case, a pattern ends with it.
			if n := len(g.blocks); n > 0 && g.blocks[n-1] == "(" {
				g.close("(")
			}
			// A function's body follows (), a command the pattern of a case, and nothing else begins behind a bracket.
			n := len(g.blocks)
			g.start = g.at > 0 && g.text[g.at-1] == '(' || n > 0 && g.blocks[n-1] == "case"
			g.at++
			g.trailing = false
		case '<', '>':
			g.redirect()
		default:
			g.trailing = false
			g.word()
		}
	}
}

func (g *grammar) operator(c byte) {
	next := byte(0)
	if g.at+1 < len(g.text) {
		next = g.text[g.at+1]
	}
	g.at++
	g.trailing = false
	switch {
	case c == '&' && next == '>':
		g.redirect()
		return
	case c == ';' && next == ';', c == ';' && next == '&':
		g.at++
	case c == next:
		g.at++
		g.trailing = true
	case c == '|':
		if next == '&' {
			g.at++
		}
		g.trailing = true
	}
	g.start = true
}

// redirect reads an operator with < or > and, for a here-document, its end mark.
func (g *grammar) redirect() {
	g.trailing = false
	rest := g.text[g.at:]
	switch {
	case strings.HasPrefix(rest, "<<<"):
		g.at += 3
	case strings.HasPrefix(rest, "<<"):
		g.at += 2
		h := heredoc{}
		if g.at < len(g.text) && g.text[g.at] == '-' {
			h.tabs = true
			g.at++
		}
		for g.at < len(g.text) && (g.text[g.at] == ' ' || g.text[g.at] == '\t') {
			g.at++
		}
		h.end = g.mark()
		if h.end != "" && len(g.heredocs) < maxNesting {
			g.heredocs = append(g.heredocs, h)
		}
	case strings.HasPrefix(rest, "<(") || strings.HasPrefix(rest, ">("):
		g.open("(")
		g.at += 2
		g.start = true
	default:
		for g.at < len(g.text) && strings.IndexByte("<>&|", g.text[g.at]) >= 0 {
			g.at++
		}
	}
}

// mark reads the word after << without its quotes.
func (g *grammar) mark() string {
	var b strings.Builder
	for g.at < len(g.text) {
		c := g.text[g.at]
		switch c {
		case ' ', '\t', '\n', ';', '&', '|', '<', '>', '(', ')':
			return b.String()
		case '\'', '"':
			end := strings.IndexByte(g.text[g.at+1:], c)
			if end < 0 {
				g.unclosed = true
				g.at = len(g.text)
				return b.String()
			}
			b.WriteString(g.text[g.at+1 : g.at+1+end])
			g.at += end + 2
		case '\\':
			g.at++
		default:
			b.WriteByte(c)
			g.at++
		}
	}
	return b.String()
}

// bodies skips the here-documents that begin on this line.
func (g *grammar) bodies() {
	for len(g.heredocs) > 0 {
		h := g.heredocs[0]
		closed := false
		for g.at < len(g.text) {
			line := g.text[g.at:]
			if i := strings.IndexByte(line, '\n'); i >= 0 {
				line = line[:i]
				g.at += i + 1
			} else {
				g.at = len(g.text)
			}
			if h.tabs {
				line = strings.TrimLeft(line, "\t")
			}
			if line == h.end {
				closed = true
				break
			}
		}
		if !closed {
			return
		}
		g.heredocs = g.heredocs[1:]
	}
}

// word reads one word with its quotes, and minds those that open and close blocks.
func (g *grammar) word() {
	from, quoted := g.at, false
loop:
	for g.at < len(g.text) {
		switch c := g.text[g.at]; c {
		case ' ', '\t', '\n', ';', '&', '|', '<', '>', ')':
			break loop
		case '(':
			if g.at > from {
				break loop // a function, or an array
			}
			break loop
		case '\'':
			quoted = true
			end := strings.IndexByte(g.text[g.at+1:], '\'')
			if g.at > from && g.text[g.at-1] == '$' {
				end = ansiEnd(g.text[g.at+1:])
			}
			if end < 0 {
				g.unclosed, g.at = true, len(g.text)
				return
			}
			g.at += end + 2
		case '"':
			quoted = true
			g.at++
			if !g.until('"', 0) {
				return
			}
		case '`':
			quoted = true
			g.at++
			for g.at < len(g.text) && g.text[g.at] != '`' {
				if g.text[g.at] == '\\' {
					g.at++
				}
				g.at++
			}
			if g.at >= len(g.text) {
				g.unclosed, g.at = true, len(g.text)
				return
			}
			g.at++
		case '\\':
			quoted = true
			g.at++
			if g.at >= len(g.text) {
				g.trailing = true
				return
			}
			g.at++
		case '$':
			g.at++
			if !g.expansion(0) {
				return
			}
		default:
			g.at++
		}
	}
	if g.at == from {
		g.at++ // what no rule knows
		return
	}
	g.reserved(g.text[from:g.at], quoted)
}

// ansiEnd finds the end of $'…', in which \' is no end.
func ansiEnd(s string) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '\'':
			return i
		}
	}
	return -1
}

// expansion reads what follows a $: ${…}, $(…), $((…)).
func (g *grammar) expansion(depth int) bool {
	if g.at >= len(g.text) || depth > maxNesting {
		return true
	}
	switch g.text[g.at] {
	case '{':
		g.at++
		return g.until('}', depth+1)
	case '(':
		g.at++
		return g.until(')', depth+1)
	}
	return true
}

// until skips to an end mark, over nested quotes and expansions.
func (g *grammar) until(end byte, depth int) bool {
	if depth > maxNesting {
		g.at = len(g.text)
		return false
	}
	for g.at < len(g.text) {
		c := g.text[g.at]
		g.at++
		switch {
		case c == end:
			return true
		case c == '\\':
			g.at++
		case c == '$':
			if !g.expansion(depth) {
				return false
			}
		case end == ')' && c == '(':
			if !g.until(')', depth+1) {
				return false
			}
		case end != '"' && c == '\'':
			i := strings.IndexByte(g.text[g.at:], '\'')
			if i < 0 {
				g.unclosed, g.at = true, len(g.text)
				return false
			}
			g.at += i + 1
		case end != '"' && c == '"':
			if !g.until('"', depth+1) {
				return false
			}
		}
	}
	g.unclosed, g.at = true, len(g.text)
	return false
}

// reserved minds the words that open and close blocks, where a command may begin.
func (g *grammar) reserved(word string, quoted bool) {
	n := len(g.blocks)
	top := ""
	if n > 0 {
		top = g.blocks[n-1]
	}
	begins := g.start
	g.start = false
	if quoted {
		return
	}
	if word == "in" && top == "case" || word == "in" && (top == "for" || top == "select") {
		g.start = top == "case"
		return
	}
	if !begins {
		if word == "do" && (top == "for" || top == "select") {
			g.blocks[n-1], g.start = "do", true
		}
		return
	}
	switch word {
	case "if", "while", "until", "for", "select", "case", "{", "[[":
		if word == "[[" {
			g.conditional()
			return
		}
		g.open(word)
		g.start = word != "for" && word != "select" && word != "case"
	case "then", "else", "elif", "!", "time":
		g.start = true
	case "do":
		if top == "while" || top == "until" || top == "for" || top == "select" {
			g.blocks[n-1] = "do"
		}
		g.start = true
	case "fi":
		g.close("if")
	case "done":
		g.close("do")
	case "esac":
		g.close("case")
	case "}":
		g.close("{")
	case "function":
		g.start = true
	}
}

// conditional skips [[ … ]], in which < and ( mean something else.
func (g *grammar) conditional() {
	for g.at < len(g.text) {
		rest := g.text[g.at:]
		switch {
		case strings.HasPrefix(rest, "]]"):
			g.at += 2
			return
		case rest[0] == '\'':
			i := strings.IndexByte(rest[1:], '\'')
			if i < 0 {
				g.unclosed, g.at = true, len(g.text)
				return
			}
			g.at += i + 2
		case rest[0] == '"':
			g.at++
			if !g.until('"', 0) {
				return
			}
		case rest[0] == '\\':
			g.at += 2
		default:
			g.at++
		}
	}
	g.at = len(g.text)
	g.unclosed = true
}
