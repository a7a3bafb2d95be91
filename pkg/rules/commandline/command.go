package commandline

import (
	"encoding/base64"
	"path"
	"strings"
)

// redirect is a redirection.
type redirect struct {
	feeds    [][]string
	document *document
	text     *string // of a here-string
	target   string  // the file that is written, if one is
}

// redirection reads one, if there is one.
func (p *scanner) redirection() (redirect, bool) {
	rest := p.text[p.at:]
	n := 0
	for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
		n++
	}
	operator := ""
	for _, o := range []string{"&>>", "&>", "<<<", "<<-", "<<", "<>", "<&", ">>", ">|", ">&", "<", ">"} {
		if strings.HasPrefix(rest[n:], o) {
			operator = o
			break
		}
	}
	// "<(...)" and ">(...)" are words; a number is only one of a file descriptor right before the operator.
	if operator == "" || (operator == "<" || operator == ">") && strings.HasPrefix(rest[n+1:], "(") {
		return redirect{}, false
	}
	p.at += n + len(operator)
	p.blanks()
	target := p.word()
	if target == nil {
		return redirect{}, true
	}
	d := redirect{feeds: target.feeds}
	switch operator {
	case "<<", "<<-":
		d.document = &document{end: target.text, tabs: operator == "<<-"}
	case "<<<":
		d.text = &target.text
	case "<":
		p.reads(target.text)
	case "<>":
		p.reads(target.text)
		p.writes(target.text)
	case "<&":
	default:
		if operator != ">&" || strings.Trim(target.text, "0123456789-") != "" {
			p.writes(target.text)
			d.target = target.text
		}
	}
	return d, true
}

// simple reads a command of words and redirections.
func (p *scanner) simple(input *string) result {
	var (
		r     result
		words []string
		docs  []*document
		files []string // that are written
	)
	for {
		p.blanks()
		if d, ok := p.redirection(); ok {
			r.feeds = append(r.feeds, d.feeds...)
			if d.document != nil {
				docs = append(docs, d.document)
			}
			if d.text != nil {
				input = d.text
			}
			if d.target != "" && len(files) < maxFiles {
				files = append(files, d.target)
			}
			continue
		}
		w := p.word()
		if w == nil {
			break
		}
		if len(words) == 0 && !w.quoted && p.peek("()") {
			// "name() { ... }" defines a function: what stands in it counts as run.
			p.at += len("()")
			for p.blanks(); p.peek("\n"); p.blanks() {
				p.at++
			}
			p.docs = append(p.docs, docs...)
			return p.oneCommand("", nil)
		}
		r.feeds = append(r.feeds, w.feeds...)
		if len(words) < maxWords {
			words = append(words, w.values()...)
		}
	}
	r.names, r.output = p.run(words, input, p.depth)
	for _, file := range files {
		if len(r.names) == 1 {
			p.made(file, r.names[0])
		}
	}
	for _, d := range docs {
		for _, name := range r.names {
			d.shell = d.shell || shells[name]
		}
	}
	p.docs = append(p.docs, docs...)
	return r
}

// run notes a command that is run, and the command that it runs in turn. It returns the programs that do the work, and
// what they write where that is known. input is what is given to it to read.
func (s *state) run(words []string, input *string, depth int) (names []string, output *string) {
	words = s.assignments(words)
	if len(words) == 0 || words[0] == "" || depth > maxDepth {
		return nil, nil
	}
	if s.work++; s.work > maxWork {
		return nil, nil
	}
	s.command(words)
	name := base(words[0])
	switch words[0][0] {
	case '`':
		return []string{"eval"}, nil // what a command writes is run
	case '$':
		if strings.HasPrefix(words[0], "$(") {
			return []string{"eval"}, nil
		}
		return nil, nil // only the shell knows
	}
	s.files(name, words[1:])
	s.download(name, words[1:])
	s.madeBefore(name, words)
	if shells[name] {
		return s.shell(name, words[1:], input, depth)
	}
	if inner, text := within(name, words[1:]); len(inner) > 0 {
		return s.run(inner, input, depth+1)
	} else if text != "" {
		names = s.script(text, depth+1)
		if name == "eval" {
			names = append(names, name)
		}
		return names, nil
	}
	return []string{name}, known(name, words[1:], input)
}

// assignments takes "NAME=value" off the front, and remembers the values where nothing else follows or where they are
// exported.
func (s *state) assignments(words []string) []string {
	n := 0
	for n < len(words) && assigned(words[n]) > 0 {
		n++
	}
	set := words[:n]
	for _, word := range set {
		s.add('c', &s.line.Commands, maxCommands, oneLine(word))
	}
	if n < len(words) {
		set = nil
		switch words[n] {
		case "export", "declare", "typeset", "local", "readonly":
			set = words[n+1:]
		case "set": // fish: set name value
			if len(words) > n+2 && !strings.HasPrefix(words[n+1], "-") {
				s.set(words[n+1], strings.Join(words[n+2:], " "))
			}
		}
	}
	for _, word := range set {
		if i := assigned(word); i > 0 {
			s.set(word[:i], word[i+1:])
		}
	}
	return words[n:]
}

// set remembers a variable.
func (s *state) set(name, value string) {
	if _, ok := s.vars[name]; ok || len(s.vars) < maxVars {
		s.vars[name] = value[:min(len(value), maxValue)]
	}
}

// assigned is where the "=" of an assignment is, 0 if the word is none.
func assigned(word string) int {
	i := strings.IndexByte(word, '=')
	for k := range max(i, 0) {
		if c := word[k]; c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (k == 0 || c < '0' || c > '9') {
			return 0
		}
	}
	return max(i, 0)
}

// shells are the programs that run what they read.
var shells = map[string]bool{
	"sh": true, "bash": true, "dash": true, "zsh": true, "ksh": true, "ksh93": true, "mksh": true, "ash": true, "fish": true,
	"rbash": true, "yash": true, "csh": true, "tcsh": true, "lksh": true,
}

// interpreters are other programs that run the file that they are given; "" stands for ".", without the digits and dots.
var interpreters = map[string]bool{"source": true, "": true, "python": true, "perl": true, "ruby": true, "node": true, "php": true}

// shell runs a shell: what stands after -c, or what it is given to read.
func (s *state) shell(name string, args []string, input *string, depth int) ([]string, *string) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" || arg == "" || arg[0] != '-' && arg[0] != '+' {
			return []string{name}, nil // a script's name
		}
		if strings.HasPrefix(arg, "--") {
			if arg == "--rcfile" || arg == "--init-file" {
				i++
			}
			if text, ok := strings.CutPrefix(arg, "--command="); ok { // fish
				return s.script(text, depth+1), nil
			}
			continue
		}
		if strings.ContainsRune(arg, 'c') && i+1 < len(args) {
			next := args[i+1:]
			for len(next) > 1 && strings.HasPrefix(next[0], "-") {
				next = next[1:]
			}
			names := s.script(next[0], depth+1)
			if strings.ContainsAny(next[0], "$`") {
				names = append(names, name) // it runs what other programs write
			}
			return names, nil
		}
		if arg == "-o" || arg == "+o" || arg == "-O" {
			i++
		}
		if arg == "-s" {
			break
		}
	}
	if input != nil {
		return append(s.script(*input, depth+1), name), nil
	}
	return []string{name}, nil
}

// known is what a program writes, where that follows from its arguments: echo, printf, and base64 that decodes.
func known(name string, args []string, input *string) *string {
	switch name {
	case "echo":
		escapes := false
		for len(args) > 0 && (args[0] == "-n" || args[0] == "-e" || args[0] == "-ne" || args[0] == "-en" || args[0] == "-E") {
			escapes = escapes || strings.Contains(args[0], "e")
			args = args[1:]
		}
		text := strings.Join(args, " ")
		if escapes {
			text = escaped(text)
		}
		return &text
	case "printf":
		if len(args) == 0 {
			return nil
		}
		text := escaped(args[0])
		for _, arg := range args[1:] {
			for _, verb := range []string{"%s", "%b"} {
				if strings.Contains(text, verb) {
					text = strings.Replace(text, verb, arg, 1)
					break
				}
			}
		}
		return &text
	case "cat", "tee":
		if len(args) == 0 || name == "tee" {
			return input
		}
	case "base64":
		if input == nil || len(args) == 0 {
			return nil
		}
		for _, arg := range args {
			if arg != "-d" && arg != "-D" && arg != "--decode" && arg != "-di" && arg != "-i" {
				return nil
			}
		}
		clean := strings.NewReplacer(" ", "", "\n", "", "=", "").Replace(*input)
		if b, err := base64.RawStdEncoding.DecodeString(clean); err == nil {
			text := string(b)
			return &text
		}
	}
	return nil
}

// escaped reads backslashes as printf does.
func escaped(text string) string {
	p := &scanner{text: text}
	b := &builder{}
	for p.more() {
		if p.peek("\\n") || p.peek("\\t") {
			b.WriteString(map[byte]string{'n': "\n", 't': "\t"}[p.text[p.at+1]])
			p.at += 2
			continue
		}
		if p.peek("\\x") {
			p.at += 2
			p.number(b, 16, 2)
			continue
		}
		if p.peek("\\0") {
			p.at += 2
			p.number(b, 8, 3)
			continue
		}
		p.rune(b)
	}
	return b.String()
}

// enter changes the directory that what follows is relative to, where the line says which.
func (s *state) enter(args []string) {
	switch {
	case len(args) == 0:
		s.cwd = "~"
	case len(args) > 1 || strings.ContainsAny(args[0], "$`*") || args[0] == "-":
		s.cwd = ""
	case args[0] != "" && (args[0][0] == '/' || args[0][0] == '~'):
		s.cwd = args[0]
	case s.cwd != "":
		s.cwd = path.Join(s.cwd, args[0])
	}
}

// download notes where the usual programs put what they fetch.
func (s *state) download(name string, args []string) {
	if name != "curl" && name != "wget" {
		return
	}
	remote := name == "wget" // which makes a file of the same name by itself
	for i, arg := range args {
		switch {
		case (name == "curl" && (arg == "-o" || arg == "--output") || name == "wget" && (arg == "-O" || arg == "--output-document")) && i+1 < len(args):
			s.made(args[i+1], name)
		case name == "curl" && len(arg) > 1 && arg[0] == '-' && arg[1] != '-' && strings.ContainsRune(arg, 'O') || arg == "--remote-name":
			remote = true
		case name == "curl" && len(arg) > 2 && arg[0] == '-' && arg[1] != '-' && arg[len(arg)-1] == 'o' && i+1 < len(args): // -fsSLo
			s.made(args[i+1], name)
		}
	}
	for _, arg := range args {
		if remote && strings.Contains(arg, "/") && arg[0] != '-' {
			s.made(base(strings.TrimRight(arg, "/")), name)
		}
	}
}

func (s *state) made(file, program string) {
	if file != "" && file != "-" && len(s.from) < maxFiles {
		s.from[s.absolute(file)] = program
	}
}

// madeBefore notes a pipeline where a command runs a file that the line made before: "curl -o f ...; sh f".
func (s *state) madeBefore(name string, words []string) {
	if len(s.from) == 0 {
		return
	}
	runs := []string{words[0]}
	switch {
	case shells[name], interpreters[strings.TrimRight(name, "0123456789.")]:
		runs = words[1:]
	case strings.IndexByte(words[0], '/') < 0:
		return // looked up in PATH
	default:
		name = "sh"
	}
	for _, word := range runs[:min(len(runs), 16)] {
		if program, ok := s.from[s.absolute(word)]; ok {
			s.pipe([][]string{{program}, {name}})
		}
	}
}

// files notes what well-known programs write besides redirections.
func (s *state) files(name string, args []string) {
	var plain []string
	for i, arg := range args {
		switch {
		case arg == "--":
			plain = append(plain, args[i+1:]...)
		case !strings.HasPrefix(arg, "-"):
			plain = append(plain, arg)
			continue
		default:
			continue
		}
		break
	}
	switch name {
	case "cd", "pushd":
		if len(args) > 0 && args[0] == "-" {
			plain = args
		}
		s.enter(plain)
	case "tee", "truncate", "touch":
		for _, file := range plain {
			s.writes(file)
		}
	case "cp", "mv", "install", "ln", "rsync", "scp":
		if len(plain) > 1 {
			s.writes(plain[len(plain)-1])
		}
	case "dd":
		for _, arg := range args {
			if file, ok := strings.CutPrefix(arg, "of="); ok {
				s.writes(file)
			}
			if file, ok := strings.CutPrefix(arg, "if="); ok {
				s.reads(file)
			}
		}
	case "sed", "perl":
		for _, arg := range args {
			if strings.HasPrefix(arg, "-i") || arg == "--in-place" || name == "perl" && strings.HasPrefix(arg, "-pi") {
				for _, file := range plain[min(1, len(plain)):] {
					s.writes(file)
				}
				return
			}
		}
	}
}
