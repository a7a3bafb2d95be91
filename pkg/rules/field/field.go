// Package field knows the fields that conditions and outputs may name, their types, and the values that events give
// for them.
package field

import (
	"iter"
	"slices"
	"strings"
	"sync"
)

//go:generate go run ./fieldsdoc ../../../docs/fields.md

// Type is the type of a field's value. It decides which operators and which literals a condition may use.
type Type uint8

// The types, with Falco's names in capitals in the documentation.
const (
	Charbuf Type = iota // text
	Bytebuf             // bytes
	Boolean
	Int16
	Int32
	Int64
	Uint32
	Uint64
	Double
	Port    // 16 bits; literals may be service names
	Abstime // nanoseconds since 1970
	Reltime // nanoseconds
	IPAddr
	IPNet   // an address, compared with networks
	Dynamic // text or number, as the event gives it
)

var typeNames = [...]string{
	"CHARBUF", "BYTEBUF", "BOOL", "INT16", "INT32", "INT64", "UINT32", "UINT64", "DOUBLE", "PORT", "ABSTIME", "RELTIME",
	"IPADDR", "IPNET", "DYNAMIC",
}

// String gives Falco's name of the type.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "UNKNOWN"
}

// IsNumber reports whether values are numbers that can be ordered.
func (t Type) IsNumber() bool {
	switch t {
	case Int16, Int32, Int64, Uint32, Uint64, Double, Port, Abstime, Reltime:
		return true
	}
	return false
}

// ArgKind says whether a field takes an argument in brackets.
type ArgKind uint8

// The kinds of argument.
const (
	NoArg        ArgKind = iota
	IndexAllowed         // a number may follow: proc.aname[2]
	KeyAllowed           // a text or number may follow: proc.env[HOME]
	KeyNeeded            // a text or number must follow: container.mount.dest[/etc]
)

// Multi says how a field has several values.
type Multi uint8

// The ways to have several values.
const (
	Single    Multi = iota
	Ancestors       // without an argument: one value per ancestor; a test holds if it holds for any
	Either          // the two endpoints of a connection; a test holds if it holds for either, != only for both
	List            // a list; only "in" (all of it), "intersects" (any of it) and "exists" apply
	Any             // any number of values; a test holds if it holds for any
)

// String gives the word that the documentation has for it; none for a single value.
func (m Multi) String() string {
	switch m {
	case Ancestors:
		return "ancestors"
	case Either:
		return "endpoints"
	case List:
		return "list"
	case Any:
		return "any"
	}
	return ""
}

// Field is what is known of a field.
type Field struct {
	ID         ID
	Name       string // "proc.name"
	Class      string // the group in the documentation
	Type       Type
	Arg        ArgKind
	Multi      Multi
	Dotted     bool   // the argument may also follow a dot: evt.arg.flags
	Param      bool   // the argument must be the name of an event's parameter, or a number
	Host       bool   // the name of an address: a literal is resolved and compared by address
	Deprecated bool   // Falco warns of its use
	Terminal   bool   // exists for source "terminal" only
	Doc        string // one sentence in Markdown
}

// ArgumentForms says how an argument may be written, in parentheses if it may be left out.
func (f Field) ArgumentForms() string {
	key := "[key]"
	if f.Dotted {
		key = ".key [key]"
	}
	switch f.Arg {
	case IndexAllowed:
		return "([n])"
	case KeyAllowed:
		return "(" + key + ")"
	case KeyNeeded:
		return key
	}
	return ""
}

// Class is a group of fields.
type Class struct{ Name, Doc string }

// Of returns what is known of a field.
func Of(id ID) Field {
	if id >= count {
		return Field{}
	}
	f := table[id]
	f.ID = id
	return f
}

// String gives the field's name.
func (id ID) String() string { return Of(id).Name }

// Count is one more than the highest ID.
const Count = int(count)

// All yields all fields in the order of the documentation.
func All() iter.Seq[Field] {
	return func(yield func(Field) bool) {
		for id := None + 1; id < count; id++ {
			if !yield(Of(id)) {
				return
			}
		}
	}
}

// byName is made once, because the table is in the order of the documentation.
var byName = sync.OnceValue(func() map[string]ID {
	names := make(map[string]ID, count)
	for f := range All() {
		names[f.Name] = f.ID
	}
	return names
})

// longestFirst has all names, the longer before the shorter.
var longestFirst = sync.OnceValue(func() []string {
	names := make([]string, 0, count)
	for f := range All() {
		names = append(names, f.Name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if d := len(b) - len(a); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return names
})
