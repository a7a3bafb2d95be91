package field

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tiercel/tiercel/pkg/rules/event"
)

// Arg is the argument of a field for [Ref], as an event gets it.
type Arg struct {
	Key   string // the text between the brackets or after the dot; "" for none
	Index int    // Key as a number, or -1 when it is none. For ancestors, 0 is the process itself and 1 its parent
	At    int    // for fields with several values, which of them: from 0; the source and the destination of Either
}

// NoArgument is what fields without an argument get.
var NoArgument = Arg{Index: -1}

// Ref is a field with its argument, as a condition or an output names it.
type Ref struct {
	Field
	Arg  Arg
	Text string // as written: the key of output_fields
}

// HasArg reports whether there is an argument.
func (r Ref) HasArg() bool { return r.Arg.Key != "" }

// Several reports whether the reference stands for several values.
func (r Ref) Several() bool {
	switch r.Multi {
	case Ancestors:
		return !r.HasArg() || r.ID == ProcAenv && r.Arg.Index < 0
	case Either, List, Any:
		return true
	default:
		return false
	}
}

// ErrUnknown is the error for a name that is no field.
var ErrUnknown = errors.New("nonexistent field")

// maxIndex bounds numbers in brackets; no process has more ancestors, no call more parameters.
const maxIndex = 1 << 20

// Find resolves a field by its full name as written in a condition. arg is what stands in brackets; hasArg tells an
// absent argument from an empty one.
func Find(source event.Source, name, arg string, hasArg bool) (Ref, error) {
	text := name
	if hasArg {
		text += "[" + arg + "]"
	}
	id, ok := byName()[name]
	if !ok {
		return dotted(source, name, text, hasArg)
	}
	return resolve(source, id, text, arg, hasArg)
}

// dotted resolves a name whose last part is an argument, as in evt.arg.flags.
func dotted(source event.Source, name, text string, hasArg bool) (Ref, error) {
	for i := strings.LastIndexByte(name, '.'); i > 0; i = strings.LastIndexByte(name[:i], '.') {
		id, ok := byName()[name[:i]]
		if !ok {
			continue
		}
		if !table[id].Dotted || hasArg {
			break
		}
		return resolve(source, id, text, name[i+1:], true)
	}
	return Ref{}, fmt.Errorf("%w %s", ErrUnknown, name)
}

func resolve(source event.Source, id ID, text, arg string, hasArg bool) (Ref, error) {
	r := Ref{Field: Of(id), Arg: Arg{Key: arg, Index: -1}, Text: text}
	if r.Terminal && source != event.Terminal {
		return Ref{}, fmt.Errorf("%w %s: it exists for rules with 'source: terminal' only", ErrUnknown, text)
	}
	if !hasArg {
		if r.Arg.Key = ""; r.Field.Arg == KeyNeeded {
			return Ref{}, fmt.Errorf("field '%s' needs an argument, as in %s[...]", r.Name, r.Name)
		}
		return r, nil
	}
	if r.Field.Arg == NoArg {
		return Ref{}, fmt.Errorf("field '%s' takes no argument", r.Name)
	}
	if arg == "" {
		return Ref{}, fmt.Errorf("the argument of field '%s' is empty", r.Name)
	}
	if n, err := strconv.Atoi(arg); err == nil && n >= 0 && n < maxIndex && arg[0] != '+' {
		r.Arg.Index = n
	}
	switch {
	case r.Field.Arg == IndexAllowed && r.Arg.Index < 0:
		return Ref{}, fmt.Errorf("the argument of field '%s' must be a number, not '%s'", r.Name, arg)
	case r.Param && r.Arg.Index < 0:
		if longest, _ := event.LongestParam(arg); longest != arg {
			return Ref{}, fmt.Errorf("no event has a parameter '%s'", arg)
		}
	case id == EvtTypeIs:
		if _, ok := event.Lookup(arg); !ok {
			return Ref{}, fmt.Errorf("unknown event type %s", arg)
		}
	}
	return r, nil
}

// Prefix resolves the longest field that text begins with, with its argument, as outputs name fields. It returns the
// number of bytes that belong to it.
func Prefix(source event.Source, text string) (Ref, int, error) {
	for _, name := range longestFirst() {
		if !strings.HasPrefix(text, name) {
			continue
		}
		f := Of(byName()[name])
		rest := text[len(name):]
		switch {
		case f.Arg != NoArg && strings.HasPrefix(rest, "["):
			arg, n, ok := bracket(rest)
			if !ok {
				return Ref{}, 0, fmt.Errorf("the argument of field '%s' is not closed", name)
			}
			r, err := resolve(source, f.ID, text[:len(name)+n], arg, true)
			return r, len(name) + n, err
		case f.Dotted && strings.HasPrefix(rest, "."):
			arg, err := dottedArg(f, rest[1:])
			if err != nil {
				return Ref{}, 0, err
			}
			if arg == "" {
				continue
			}
			n := len(name) + 1 + len(arg)
			r, err := resolve(source, f.ID, text[:n], arg, true)
			return r, n, err
		}
		r, err := resolve(source, f.ID, name, "", false)
		return r, len(name), err
	}
	return Ref{}, 0, fmt.Errorf("%w %s", ErrUnknown, text)
}

// dottedArg finds the argument that follows the dot: a parameter's name, or letters, digits and what labels may have.
func dottedArg(f Field, rest string) (string, error) {
	if f.Param {
		name, ok := event.LongestParam(rest)
		if !ok {
			return "", fmt.Errorf("no event has a parameter '%s'", rest)
		}
		return name, nil
	}
	n := 0
	for n < len(rest) && (isNameByte(rest[n]) || strings.IndexByte(".-/", rest[n]) >= 0) {
		n++
	}
	return strings.TrimRight(rest[:n], ".-/"), nil
}

// bracket reads "[arg]" with arg bare or quoted.
func bracket(text string) (arg string, length int, ok bool) {
	if len(text) > 1 && (text[1] == '"' || text[1] == '\'') {
		if end := strings.Index(text[2:], text[1:2]+"]"); end >= 0 {
			return text[2 : 2+end], 2 + end + 2, true
		}
		return "", 0, false
	}
	end := strings.IndexByte(text, ']')
	if end < 0 {
		return "", 0, false
	}
	return text[1:end], end + 1, true
}

func isNameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
