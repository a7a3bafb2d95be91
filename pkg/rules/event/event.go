// Package event names the events that rules speak of: the exits of system calls, as Falco names them, and what
// happens at a terminal.
package event

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Type is the type of an event. Types are dense and start at 1, so they index arrays; the zero Type is none. They
// are no part of any file format: names are.
type Type uint16

// Source is where events come from.
type Source uint8

// The sources that rules can name in "source:".
const (
	Syscall Source = iota
	Terminal
)

// String gives the name that rule files and alerts use.
func (s Source) String() string {
	if s == Terminal {
		return "terminal"
	}
	return "syscall"
}

// ParseSource reads a source's name.
func ParseSource(name string) (Source, bool) {
	switch name {
	case "syscall":
		return Syscall, true
	case "terminal":
		return Terminal, true
	}
	return 0, false
}

type info struct {
	name   string
	source Source
	params string
}

// Count is one more than the highest Type.
const Count = len(table) + 1

// Lookup finds a type by its name, "execve" for example.
func Lookup(name string) (Type, bool) {
	i, found := slices.BinarySearchFunc(table[:], name, func(e info, name string) int { return strings.Compare(e.name, name) })
	if !found {
		return 0, false
	}
	return Type(i + 1), true //nolint:gosec // an index into the table
}

// String gives the name.
func (t Type) String() string {
	if t == 0 || int(t) >= Count {
		return ""
	}
	return table[t-1].name
}

// Source is where events of this type come from.
func (t Type) Source() Source {
	if t == 0 || int(t) >= Count {
		return Syscall
	}
	return table[t-1].source
}

// Params yields the names and types of the event's parameters, in their order.
func (t Type) Params() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if t == 0 || int(t) >= Count {
			return
		}
		for param := range strings.FieldsSeq(table[t-1].params) {
			name, kind, _ := strings.Cut(param, ":")
			if !yield(name, kind) {
				return
			}
		}
	}
}

// All yields the types of one source, in the order of their names.
func All(source Source) iter.Seq[Type] {
	return func(yield func(Type) bool) {
		for i := range table {
			if table[i].source == source && !yield(Type(i+1)) {
				return
			}
		}
	}
}

// params are the names of all parameters, the longer before the shorter.
var params = sync.OnceValue(func() []string {
	names := map[string]struct{}{}
	for _, e := range table {
		for param := range strings.FieldsSeq(e.params) {
			name, _, _ := strings.Cut(param, ":")
			names[name] = struct{}{}
		}
	}
	return slices.SortedFunc(maps.Keys(names), func(a, b string) int {
		return cmp.Or(len(b)-len(a), strings.Compare(a, b))
	})
})

// LongestParam finds the longest parameter name, of any event, that text begins with. What comes after the name is
// not looked at.
func LongestParam(text string) (string, bool) {
	for _, name := range params() {
		if strings.HasPrefix(text, name) {
			return name, true
		}
	}
	return "", false
}
