package load

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tiercel/tiercel/pkg/rules/filter"
)

// Problem is an error or a warning about a rule file.
type Problem struct {
	Code    Code
	Message string
	Where   Context
}

// Context is where a problem is: from the file through the items that hold it, down to the place.
type Context struct {
	Locations []Location
	Snippet   string // the line at fault and a caret below the place; ends in a line break
}

// Location is one item on the way to a problem.
type Location struct {
	Type   string // "rule", "macro", "exception", "condition expression", ...
	Name   string // of the item, if it has one
	File   string // the file, or the beginning of a condition in quotes
	Line   int    // from 1; 0 for a whole file
	Column int    // from 1, in characters
	Offset int    // from 0, in bytes
}

// The types of items, as Falco calls them.
const (
	itemContent       = "rules content"
	itemItem          = "rules content item"
	itemEngineVersion = "required_engine_version"
	itemPlugins       = "required plugin versions"
	itemPlugin        = "required plugin versions entry"
	itemAlternative   = "required plugin versions alternative"
	itemList          = "list"
	itemListItem      = "list item"
	itemMacro         = "macro"
	itemMacroCond     = "macro condition"
	itemRule          = "rule"
	itemRuleCond      = "rule condition"
	itemRuleOutput    = "rule output"
	itemPriority      = "rule priority"
	itemExpression    = "condition expression"
	itemOverrides     = "overrides"
	itemExceptions    = "exceptions"
	itemException     = "exception"
	itemExValues      = "exception values"
	itemExValue       = "exception value"
	itemValue         = "value for"
)

// String gives the locations in the order in which one holds the next, one per line.
func (c Context) String() string {
	var w strings.Builder
	for i, l := range c.Locations {
		if i == 0 {
			w.WriteString("In ")
		} else {
			w.WriteString("    ")
		}
		w.WriteString(l.Type)
		if l.Name != "" {
			fmt.Fprintf(&w, " '%s'", visible(l.Name))
		}
		fmt.Fprintf(&w, ": (%s:%d:%d)\n", visible(l.File), l.Line, l.Column)
	}
	return w.String()
}

// String gives the problem on several lines: the items that lead to it, the line at fault, the code and the message.
func (p Problem) String() string {
	return fmt.Sprintf("%s------\n%s------\n%s (%s): %s\n", p.Where, p.Where.Snippet, p.Code, p.Code.Short(), visible(p.Message))
}

// place is a Context in the making. Most places are never shown, so what costs time is left for when one is.
type place struct {
	parent   *place
	location Location
	source   *source // of the text that the location is a place of
}

// source is a text that has lines.
type source struct {
	text  string
	lines []int // where each line begins, bytes; made when first needed
}

// offset finds the byte at a line and a column, both from 1; columns count characters.
func (s *source) offset(line, column int) int {
	if s.lines == nil {
		s.lines = append(s.lines, 0)
		for i := range len(s.text) {
			if s.text[i] == '\n' {
				s.lines = append(s.lines, i+1)
			}
		}
	}
	if line < 1 {
		return 0
	}
	if line > len(s.lines) {
		return len(s.text)
	}
	at := s.lines[line-1]
	for ; column > 1 && at < len(s.text); column-- {
		_, n := utf8.DecodeRuneInString(s.text[at:])
		at += n
	}
	return at
}

func (p place) context() Context {
	var c Context
	for q := &p; q != nil; q = q.parent {
		l := q.location
		if l.Type != itemExpression {
			l.Offset = q.source.offset(l.Line, l.Column)
		}
		c.Locations = append(c.Locations, l)
	}
	slices.Reverse(c.Locations)
	c.Snippet = snippet(p.source.text, c.Locations[len(c.Locations)-1].Offset)
	return c
}

// in adds a location in the same file.
func (p place) in(kind, name string, line, column int) place {
	return place{&p, Location{Type: kind, Name: name, File: p.location.File, Line: line, Column: column}, p.source}
}

// expression adds a place in a condition.
func (p place) expression(at filter.Pos, condition string) place {
	const most = 20
	name := condition
	if len(name) > 4*most {
		name = cutBack(name, 4*most) // as many bytes as the characters can have, so as not to count a long text
	}
	if runes := []rune(name); len(runes) > most {
		name = string(runes[:most-3]) + "..."
	}
	l := Location{Type: itemExpression, File: `"` + visible(name) + `"`, Line: at.Line, Column: at.Column, Offset: at.Offset}
	return place{&p, l, &source{text: condition}}
}

// snippetWidth is how many bytes of a line are shown at most.
const snippetWidth = 160

// snippet cuts the line at offset out of text and puts a caret below the place.
func snippet(text string, offset int) string {
	if text == "" {
		return "<nothing to show>\n"
	}
	// The place may be past the end, or at the line break that follows what is missing.
	offset = min(offset, len(text)-1)
	for offset > 0 && (text[offset] == '\n' || text[offset] == '\r') {
		offset--
	}
	// A line may be very long, so only what can be shown is looked at.
	start := max(0, offset-snippetWidth)
	start += strings.LastIndexAny(text[start:offset], "\n\r") + 1
	end := min(len(text), offset+snippetWidth)
	if i := strings.IndexAny(text[offset:end], "\n\r"); i >= 0 {
		end = offset + i
	}
	before, after := text[start:offset], text[offset:end]
	if len(before) > snippetWidth/2 {
		before = "..." + cutFront(before, snippetWidth/2)
	}
	if len(after) > snippetWidth/2 {
		after = cutBack(after, snippetWidth/2) + "..."
	}
	line := visible(before)
	return line + visible(after) + "\n" + strings.Repeat(" ", utf8.RuneCountInString(line)) + "^\n"
}

func cutFront(s string, n int) string {
	s = s[len(s)-n:]
	for s != "" && !utf8.RuneStart(s[0]) {
		s = s[1:]
	}
	return s
}

func cutBack(s string, n int) string {
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// visible puts a text on one line and makes control characters harmless, so that showing a file cannot change a terminal.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0:
			return utf8.RuneError
		}
		return r
	}, s)
}
