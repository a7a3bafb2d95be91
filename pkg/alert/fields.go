package alert

import (
	"iter"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Fields is a JSON object kept as its text: output_fields, or the members of an alert that we do not know.
// Values keep their exact form: integers all their digits, nulls, nested values. The zero Fields is the empty object.
//
// The text is valid JSON without blanks between tokens and without a name twice, which [Decode] sees to.
type Fields struct{ text string }

// Value is the text of one JSON value: a string with its quotes, a number with its digits, and so on.
type Value string

// Kind gives the first byte of the kind, as jsontext has it: 'n' null, 'f' false, 't' true, '"' string, '0' number,
// '{' object, '[' array; 0 for no value.
func (v Value) Kind() jsontext.Kind {
	if v == "" {
		return 0
	}
	return jsontext.Value(v[:1]).Kind()
}

// IsString reports whether v is a JSON string.
func (v Value) IsString() bool { return len(v) > 1 && v[0] == '"' }

// Text renders any value for people: a string without its quotes, a number with its digits, true or false, nothing
// for null, and JSON for arrays and objects.
func (v Value) Text() string {
	switch {
	case v.IsString():
		return unquote(string(v))
	case v == "null":
		return ""
	default:
		return string(v)
	}
}

// Field is a name and a value, for [FieldsOf].
type Field struct {
	Name  string
	Value Value
}

// String makes a JSON string of text.
func String(text string) Value { return Value(appendQuoted(nil, text)) }

// FieldsOf makes an object of the given members, in their order. A name that comes again replaces the earlier value.
func FieldsOf(members ...Field) Fields {
	return Fields{}.With(members...)
}

// IsEmpty reports whether there is no member.
func (f Fields) IsEmpty() bool { return len(f.text) <= 2 }

// JSON returns the object as JSON text.
func (f Fields) JSON() string {
	if f.text == "" {
		return "{}"
	}
	return f.text
}

// All yields the members in the order in which they came.
func (f Fields) All() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		var m Member
		for w := f.Walk(); w.Next(&m); {
			if !yield(m.Name, m.Value) {
				return
			}
		}
	}
}

// Sorted gives the members sorted by name.
func (f Fields) Sorted() []Field {
	var all []Field
	for name, value := range f.All() {
		all = append(all, Field{name, value})
	}
	slices.SortFunc(all, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Get finds a member by its name.
func (f Fields) Get(name string) (Value, bool) {
	var m Member
	for w := f.Walk(); w.Next(&m); {
		if m.Name == name {
			return m.Value, true
		}
	}
	return "", false
}

// Text renders a member for people as [Value.Text] does; a missing one is nothing.
func (f Fields) Text(name string) string {
	value, _ := f.Get(name)
	return value.Text()
}

// With returns a copy of f in which the given members are set: replaced in place, or added at the end.
func (f Fields) With(members ...Field) Fields {
	if len(members) == 0 {
		return f
	}
	if f.areNew(members) {
		return f.extended(members)
	}
	all := make([]Field, 0, 16)
	at := make(map[string]int, 16)
	set := func(name string, value Value) {
		if i, ok := at[name]; ok {
			all[i].Value = value
			return
		}
		at[name] = len(all)
		all = append(all, Field{name, value})
	}
	for name, value := range f.All() {
		set(name, value)
	}
	for _, m := range members {
		set(m.Name, m.Value)
	}
	return Fields{}.extended(all)
}

// fewMembers is up to how many members are looked up one by one.
const fewMembers = 4

// areNew reports that members are few, and that f has none of their names and they no name twice.
func (f Fields) areNew(members []Field) bool {
	if len(members) > fewMembers {
		return false
	}
	for i, m := range members {
		if _, ok := f.Get(m.Name); ok {
			return false
		}
		for _, earlier := range members[:i] {
			if earlier.Name == m.Name {
				return false
			}
		}
	}
	return true
}

// extended returns a copy of f with members added at the end, whose names must be new.
func (f Fields) extended(members []Field) Fields {
	size := len(f.text) + 2
	for _, m := range members {
		size += len(m.Name) + len(m.Value) + 4
	}
	text := make([]byte, 0, size)
	text = append(text, '{')
	if !f.IsEmpty() {
		text = append(text, f.text[1:len(f.text)-1]...)
		text = append(text, ',')
	}
	for i, m := range members {
		if i > 0 {
			text = append(text, ',')
		}
		text = appendQuoted(text, m.Name)
		text = append(text, ':')
		text = append(text, m.Value...)
	}
	return Fields{string(append(text, '}'))}
}

// Map returns a copy of f with each member replaced by what change makes of it. Where two members end up with one
// name, the later wins.
func (f Fields) Map(change func(Field) Field) Fields {
	all := make([]Field, 0, 16)
	for name, value := range f.All() {
		all = append(all, change(Field{name, value}))
	}
	return FieldsOf(all...)
}

// scanString returns the length of the quoted string that text begins with.
func scanString(text string) int {
	if end := plainString(text); end > 0 {
		return end
	}
	for at := 1; ; {
		next := strings.IndexByte(text[at:], '"')
		if next < 0 {
			return len(text)
		}
		at += next
		escapes := 0
		for text[at-1-escapes] == '\\' {
			escapes++
		}
		at++
		if escapes%2 == 0 {
			return at
		}
	}
}

// scanValue returns the length of the valid, compact JSON value that text begins with.
func scanValue(text string) int {
	if text[0] == '"' {
		return scanString(text)
	}
	depth := 0
	for at := 0; at < len(text); {
		switch text[at] {
		case '"':
			at += scanString(text[at:])
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return at
			}
			if depth == 0 {
				return at + 1
			}
		case ',':
			if depth == 0 {
				return at
			}
		}
		at++
	}
	return len(text)
}

// unquote gives what the JSON string text (with its quotes) stands for.
func unquote(text string) string {
	inner := text[1 : len(text)-1]
	if plainString(text) > 0 || strings.IndexByte(inner, '\\') < 0 {
		return inner
	}
	// The only error left for a string that was accepted is a half surrogate pair, which comes out as U+FFFD.
	plain, _ := jsontext.AppendUnquote(make([]byte, 0, len(text)), text)
	return string(plain)
}

// appendQuoted appends text as a JSON string; invalid UTF-8 becomes U+FFFD.
func appendQuoted(dst []byte, text string) []byte {
	dst, _ = jsontext.AppendQuote(dst, text)
	return dst
}
