// Package commandline works out what a line given to a shell runs, so that rules can speak of commands and not of
// characters: quotes, paths, blanks and what is put before a command make no difference.
//
// It reads as POSIX shells do, knows what bash, zsh and fish add where it matters, and never fails: of what it does not
// understand it makes the best. It does not run anything, so what only the shell knows stays as it was written:
// variables that the line does not set, and the output of commands.
package commandline

import (
	"path"
	"strings"

	"github.com/tiercel/tiercel/pkg/rules/field"
)

// Bounds of the work that one line can make.
const (
	maxText     = 64 << 10  // of the line, bytes; the rest is not looked at
	maxDepth    = 12        // of commands within commands
	maxWork     = 512 << 10 // bytes looked at, those of texts within counted again
	maxCommands = 512
	maxWords    = 1024 // of a command
	maxOutput   = 256 << 10
	maxPipes    = 256
	maxParts    = 64 // of a pipeline
	maxFiles    = 256
	maxVars     = 256
	maxValue    = 4096 // of a variable, bytes
	maxBraces   = 3    // {a,b} in one word
)

// Line is what a line runs.
type Line struct {
	Commands []string // each command, its words without quotes and joined by a blank, the program without its path; and each assignment
	Pipes    []string // the programs of each pipeline joined by "|": curl|sh
	Writes   []string // the files that are written
	Reads    []string // the files that are read by "<"
}

// Parse reads a line. cwd is the working directory, which relative files are relative to; "" if it is not known.
func Parse(text, cwd string) *Line {
	if len(text) > maxText {
		text = text[:maxText]
	}
	s := &state{line: &Line{}, cwd: cwd, vars: map[string]string{}, from: map[string]string{}, seen: map[string]bool{}}
	s.script(text, 0)
	return s.line
}

// Fields are the fields that follow from a line.
func Fields() []field.ID {
	return []field.ID{field.ShellCommand, field.ShellPipe, field.ShellWrites, field.ShellReads}
}

// Field gives the at-th value of one of the fields that follow from the line, from 0, and a missing value past the last
// or for other fields.
func (l *Line) Field(id field.ID, at int) field.Value {
	var values []string
	switch id {
	case field.ShellCommand:
		values = l.Commands
	case field.ShellPipe:
		values = l.Pipes
	case field.ShellWrites:
		values = l.Writes
	case field.ShellReads:
		values = l.Reads
	}
	if at < 0 || at >= len(values) {
		return field.Value{}
	}
	return field.Text(values[at])
}

// state is what is known while a line is read.
type state struct {
	line   *Line
	cwd    string
	vars   map[string]string // what the line itself sets
	from   map[string]string // the programs that wrote the files that the line itself makes
	seen   map[string]bool   // what is in the line already, by kind and text
	work   int               // bytes looked at
	output int               // bytes kept
}

// spend reports whether there is work left for so many bytes.
func (s *state) spend(n int) bool {
	s.work += n
	return s.work <= maxWork
}

// add keeps a text once, as long as there is room.
func (s *state) add(kind byte, to *[]string, most int, text string) {
	key := string(kind) + text
	if text == "" || len(*to) >= most || s.output+len(text) > maxOutput || s.seen[key] {
		return
	}
	s.seen[key] = true
	s.output += len(text)
	*to = append(*to, text)
}

func (s *state) command(words []string) {
	var text strings.Builder
	text.WriteString(base(words[0]))
	for _, word := range words[1:min(len(words), maxWords)] {
		text.WriteByte(' ')
		text.WriteString(direct(word))
	}
	s.add('c', &s.line.Commands, maxCommands, oneLine(text.String()))
	s.here(words)
}

// here notes a command that removes or changes what is here, "rm -rf *", with the directory that it is about.
func (s *state) here(words []string) {
	switch name := base(words[0]); name {
	case "rm", "chmod", "chown", "chgrp", "find":
		out, changed := []string{name}, false
		for _, word := range words[1:min(len(words), maxWords)] {
			if s.cwd != "" && word != "" && word[0] != '/' && strings.Trim(word, "./*") == "" {
				word, changed = path.Join(s.cwd, word), true
			}
			out = append(out, word)
		}
		if changed {
			s.add('c', &s.line.Commands, maxCommands, oneLine(strings.Join(out, " ")))
		}
	}
}

// direct takes the detours out of a path: /etc/../etc//shadow is /etc/shadow.
func direct(word string) string {
	if word == "" || word[0] != '/' || !strings.Contains(word, "//") && !strings.Contains(word, "/.") {
		return word
	}
	return path.Clean(word)
}

func (s *state) writes(file string) { s.add('w', &s.line.Writes, maxFiles, s.absolute(file)) }

func (s *state) reads(file string) { s.add('r', &s.line.Reads, maxFiles, s.absolute(file)) }

// absolute makes a path absolute and clean where that can be done.
func (s *state) absolute(file string) string {
	switch {
	case file == "" || file[0] == '~' || file[0] == '$' || file[0] == '`':
		return oneLine(file)
	case file[0] == '/':
		return oneLine(path.Clean(file))
	case s.cwd != "":
		return oneLine(path.Join(s.cwd, file))
	}
	return oneLine(path.Clean(file))
}

// pipe notes a pipeline, whose parts are each one of several programs where they are groups of commands.
func (s *state) pipe(parts [][]string) {
	parts = parts[:min(len(parts), maxParts)]
	texts := []string{""}
	for i, part := range parts {
		var longer []string
		for _, text := range texts {
			for _, name := range part {
				if len(longer) >= maxPipes {
					break
				}
				if i > 0 {
					longer = append(longer, text+"|"+name)
				} else {
					longer = append(longer, name)
				}
			}
		}
		if len(part) > 0 {
			texts = longer
		}
	}
	for _, text := range texts {
		if strings.Contains(text, "|") {
			s.add('p', &s.line.Pipes, maxPipes, oneLine(text))
		}
	}
}

// base is the name of a program without its path.
func base(program string) string { return program[strings.LastIndexByte(program, '/')+1:] }

func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r == '\r' {
			return ' '
		}
		return r
	}, text)
}
