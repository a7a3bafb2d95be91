package load

import (
	"fmt"
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

// String gives the locations as Falco does, one per line.
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
			fmt.Fprintf(&w, " '%s'", l.Name)
		}
		fmt.Fprintf(&w, ": (%s:%d:%d)\n", l.File, l.Line, l.Column)
	}
	return w.String()
}

// String gives the problem as Falco does, on several lines.
func (p Problem) String() string {
	return fmt.Sprintf("%s------\n%s------\n%s (%s): %s\n", p.Where, p.Where.Snippet, p.Code, p.Code.Short(), p.Message)
}

// place is a Context in the making: the locations, and the text that the last one is a place of.
type place struct {
	locations []Location
	text      string
	offset    int
}

func (p place) context() Context {
	return Context{p.locations, snippet(p.text, p.offset)}
}

// with adds a location.
func (p place) with(l Location, text string, offset int) place {
	locations := make([]Location, len(p.locations)+1)
	copy(locations, p.locations)
	locations[len(p.locations)] = l
	return place{locations, text, offset}
}

// expression adds a place in a condition.
func (p place) expression(at filter.Pos, condition string) place {
	name := strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, condition)
	const most = 20
	if utf8.RuneCountInString(name) > most {
		name = string([]rune(name)[:most-3]) + "..."
	}
	l := Location{Type: itemExpression, File: `"` + name + `"`, Line: at.Line, Column: at.Column, Offset: at.Offset}
	return p.with(l, condition, at.Offset)
}

// snippetWidth is how many bytes of a line are shown at most.
const snippetWidth = 160

// snippet cuts the line at offset out of text and puts a caret below the place.
func snippet(text string, offset int) string {
	if text == "" {
		return "<No context available>\n"
	}
	// The place may be past the end, or at the line break that follows what is missing.
	offset = min(offset, len(text)-1)
	for offset > 0 && (text[offset] == '\n' || text[offset] == '\r') {
		offset--
	}
	start := strings.LastIndexAny(text[:offset], "\n\r") + 1
	end := len(text)
	if i := strings.IndexAny(text[offset:], "\n\r"); i >= 0 {
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

// visible makes control characters harmless, so that showing a file cannot change a terminal.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0:
			return utf8.RuneError
		}
		return r
	}, s)
}
