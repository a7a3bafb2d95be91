package commandline

import (
	"strings"
)

// scanner reads one script: a line, or a text within a line that a shell is given.
type scanner struct {
	*state
	text   string
	at     int
	depth  int
	braces int         // how many {a,b} of one word we are within
	docs   []*document // here-documents whose texts come after the next line break
}

// document is a here-document that was announced.
type document struct {
	end   string // the line that ends it
	tabs  bool   // leading tabs do not count
	shell bool   // a shell reads it
}

// script reads a text and returns the programs that it runs.
func (s *state) script(text string, depth int) []string {
	if depth > maxDepth || !s.spend(len(text)) {
		return nil
	}
	p := &scanner{state: s, text: text, depth: depth}
	return p.list("")
}

func (p *scanner) more() bool { return p.at < len(p.text) }

func (p *scanner) peek(prefix string) bool { return strings.HasPrefix(p.text[p.at:], prefix) }

// blanks skips blanks, joined lines and comments.
func (p *scanner) blanks() {
	for p.more() {
		switch c := p.text[p.at]; {
		case c == ' ' || c == '\t' || c == '\r':
			p.at++
		case p.peek("\\\n"):
			p.at += 2
		case c == '#':
			for p.more() && p.text[p.at] != '\n' {
				p.at++
			}
		default:
			return
		}
	}
}

// closers are the words that end what another word has begun; "end" is fish's.
var closers = map[string]bool{"}": true, "fi": true, "done": true, "esac": true, "end": true}

// list reads commands up to closer, or to the end: ")" is a character, others are words. It returns the programs.
func (p *scanner) list(closer string) []string {
	if p.depth++; p.depth > 4*maxDepth {
		p.at = len(p.text)
	}
	defer func() { p.depth-- }()
	var all []string
	for p.more() {
		start := p.at
		names, ended := p.pipeline(closer)
		if len(all) < maxCommands {
			all = append(all, names...)
		}
		if ended {
			return all
		}
		p.separator(closer)
		if p.ended(closer) {
			return all
		}
		if p.at == start {
			p.at++ // what nothing begins with
		}
	}
	return all
}

// ended takes the character ")" where it ends a list. Words that end lists are found where commands begin.
func (p *scanner) ended(closer string) bool {
	if p.blanks(); closer == ")" && p.peek(")") {
		p.at++
		return true
	}
	return false
}

// separator skips what stands between two pipelines.
func (p *scanner) separator(closer string) {
	for p.more() {
		p.blanks()
		if !p.more() {
			return
		}
		switch c := p.text[p.at]; {
		case closer == "case" && p.peek(";;"):
			return
		case c == '\n':
			p.at++
			p.documents()
		case c == ';' || c == '&' || c == '|':
			p.at++
		default:
			return
		}
	}
}

// pipeline reads commands joined by "|". ended says that closer came instead.
func (p *scanner) pipeline(closer string) (names []string, ended bool) {
	var parts [][]string
	var output *string // what the part before writes, if that is known
	docs, piped := len(p.docs), false
	for {
		c := p.oneCommand(closer, output)
		if c.ended {
			ended = true
			break
		}
		parts = append(parts, c.names)
		names = append(names, c.names...)
		for _, name := range c.names {
			piped = piped || len(parts) > 1 && shells[name]
		}
		for _, within := range c.feeds {
			p.pipe([][]string{within, c.names})
		}
		output = c.output
		p.blanks()
		if !p.peek("|") || p.peek("||") {
			break
		}
		p.at++
		if p.peek("&") {
			p.at++
		}
		for p.blanks(); p.peek("\n"); p.blanks() { // a line may end after "|"
			p.at++
			p.documents()
		}
	}
	if piped && docs < len(p.docs) {
		for _, d := range p.docs[docs:] { // cat <<EOF | sh
			d.shell = true
		}
	}
	if len(parts) > 1 {
		p.pipe(parts)
	}
	return names, ended
}

// result is what a command was.
type result struct {
	names  []string   // the programs that it runs, without those that only start others
	feeds  [][]string // programs whose output it is given by "$(...)", "<(...)" or backquotes
	output *string    // what it writes, where that is known
	ended  bool       // it was none: the end of the list came
}

// oneCommand reads a command, simple or compound. input is what it is given to read, where that is known.
func (p *scanner) oneCommand(closer string, input *string) result {
	for {
		p.blanks()
		if !p.more() {
			return result{}
		}
		if p.peek("(") {
			return p.group()
		}
		switch word := p.bareWord(); word {
		case "{", "begin":
			p.at += len(word)
			return p.compound("}")
		case "if":
			p.at += len(word)
			return p.compound("fi")
		case "while", "until":
			p.at += len(word)
			return p.compound("done")
		case "for", "select", "foreach":
			p.at += len(word)
			p.header()
			return p.compound("done")
		case "case":
			p.at += len(word)
			return p.cases()
		case "then", "do", "else", "elif", "!", "time", "coproc", "not", "and", "or", "function":
			p.at += len(word)
			if word == "function" {
				p.blanks()
				p.at += len(p.bareWord())
			}
			continue
		default:
			if closers[word] && closer != "" && closer != ")" {
				p.at += len(word)
				return result{ended: true}
			}
		}
		return p.simple(input)
	}
}

// bareWord is the word that comes next if it has nothing in it but letters and the like.
func (p *scanner) bareWord() string {
	n := p.at
	for n < len(p.text) && !strings.ContainsRune(" \t\r\n;&|()<>'\"\\`$#", rune(p.text[n])) {
		n++
	}
	if n < len(p.text) && strings.ContainsRune("'\"\\`$", rune(p.text[n])) {
		return ""
	}
	return p.text[p.at:n]
}

// group reads "( ... )". What stands in "(( ... ))" is arithmetic and no command.
func (p *scanner) group() result {
	if p.peek("((") {
		if end := strings.Index(p.text[p.at:], "))"); end >= 0 {
			p.at += end + 2
			return p.redirected(result{})
		}
	}
	p.at++
	return p.redirected(result{names: p.list(")")})
}

// compound reads a list up to the word that closes it.
func (p *scanner) compound(closer string) result {
	return p.redirected(result{names: p.list(closer)})
}

// header skips the words between "for" and what it repeats.
func (p *scanner) header() {
	for p.more() {
		p.blanks()
		if !p.more() || p.text[p.at] == ';' || p.text[p.at] == '\n' {
			return
		}
		if p.peek("((") {
			if end := strings.Index(p.text[p.at:], "))"); end >= 0 {
				p.at += end + 2
				continue
			}
		}
		if w := p.bareWord(); w == "do" || w == "{" {
			return
		}
		if start := p.at; p.word() == nil && p.at == start {
			p.at++
		}
	}
}

// cases reads "WORD in PATTERN) commands ;; ... esac".
func (p *scanner) cases() result {
	p.blanks()
	p.word()
	p.blanks()
	if p.bareWord() == "in" {
		p.at += len("in")
	}
	var all result
	for p.more() {
		for p.blanks(); p.peek("\n") || p.peek(";"); p.blanks() {
			p.at++
		}
		if w := p.bareWord(); w == "esac" || w == "end" {
			p.at += len(w)
			break
		}
		// The pattern.
		end := strings.IndexByte(p.text[p.at:], ')')
		if end < 0 {
			p.at = len(p.text)
			break
		}
		if p.peek("(") && end == 0 {
			p.at++
		}
		p.at += end + 1
		closed := p.caseList(&all)
		if closed {
			break
		}
	}
	return p.redirected(all)
}

// caseList reads the commands of one case. It reports whether that was the last.
func (p *scanner) caseList(all *result) bool {
	for p.more() {
		start := p.at
		names, ended := p.pipeline("esac")
		all.names = append(all.names, names...)
		if ended {
			return true
		}
		p.separator("case")
		if p.peek(";;") {
			p.at += 2
			return false
		}
		if p.at == start {
			p.at++
		}
	}
	return true
}

// redirected reads the redirections that follow a compound command.
func (p *scanner) redirected(r result) result {
	for {
		p.blanks()
		d, ok := p.redirection()
		if !ok {
			return r
		}
		r.feeds = append(r.feeds, d.feeds...)
		if d.document != nil {
			p.docs = append(p.docs, d.document)
		}
	}
}

// documents reads the here-documents that were announced in the line before.
func (p *scanner) documents() {
	docs := p.docs
	p.docs = nil
	for _, d := range docs {
		var body strings.Builder
		for p.more() {
			line := p.text[p.at:]
			end := strings.IndexByte(line, '\n')
			if end >= 0 {
				line = line[:end]
				p.at += end + 1
			} else {
				p.at = len(p.text)
			}
			if d.tabs {
				line = strings.TrimLeft(line, "\t")
			}
			if line == d.end {
				break
			}
			body.WriteString(line + "\n")
		}
		if d.shell {
			p.script(body.String(), p.depth+1)
		}
	}
}
