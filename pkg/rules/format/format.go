// Package format fills the outputs of rules from events.
package format

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/rules/eval"
	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/pkg/rules/filter"
)

// Format is a text with fields in it: "A shell in %container.name (user=%user.name)".
type Format struct {
	tokens []token
}

// token is a plain text, or a field.
type token struct {
	text  string
	width int // bytes to pad or cut to; 0 for as it is
	ref   *field.Ref
	value *eval.Value // with transformers; nil for a plain field
}

// maxWidth bounds the padding that a format can ask for, bytes.
const maxWidth = 4096

var (
	errEmpty  = errors.New("the text is empty")
	errEnd    = errors.New("the text ends in %: the name of a field must follow it")
	errNumber = errors.New("the text ends in % and a width: the name of a field must follow them")
)

// Parse reads a format for events of one source. "%field" stands for a field's value, by the longest field name that
// fits; "%20field" for the value padded or cut to 20 bytes; a transformer may take the field's place. A "*" at the
// beginning has no meaning any more: missing values never suppress an output.
func Parse(source event.Source, text string) (*Format, error) {
	if text = strings.TrimPrefix(text, "*"); text == "" {
		return nil, errEmpty
	}
	f := &Format{}
	for text != "" {
		plain, rest, found := strings.Cut(text, "%")
		if plain != "" {
			f.tokens = append(f.tokens, token{text: plain})
		}
		if !found {
			break
		}
		if rest == "" {
			return nil, errEnd
		}
		t := token{}
		digits := 0
		for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
			digits++
		}
		if digits > 0 {
			if digits == len(rest) {
				return nil, errNumber
			}
			width, err := strconv.Atoi(rest[:digits])
			if err != nil || width > maxWidth {
				return nil, fmt.Errorf("the width %s is too large: at most %d bytes", rest[:digits], maxWidth)
			}
			t.width = width
			rest = rest[digits:]
		}
		n, err := t.parse(source, rest)
		if err != nil {
			return nil, err
		}
		f.tokens = append(f.tokens, t)
		text = rest[n:]
	}
	return f, nil
}

// parse reads the field or transformer that rest begins with, and gives its length.
func (t *token) parse(source event.Source, rest string) (int, error) {
	if call, n := filter.ParseCall(rest); call != nil {
		value, err := eval.NewValue(call, source)
		if err != nil {
			return 0, fmt.Errorf("invalid formatting token %s: %w", rest[:n], err)
		}
		t.value = value
		ref := value.Refs()[0]
		t.ref = &ref
		return n, nil
	}
	ref, n, err := field.Prefix(source, rest)
	if err != nil {
		name := rest
		if i := strings.IndexFunc(rest, unicode.IsSpace); i >= 0 {
			name = rest[:i]
		}
		if errors.Is(err, field.ErrUnknown) {
			return 0, fmt.Errorf("invalid formatting token %s: after %% stands the name of a field", name)
		}
		return 0, fmt.Errorf("invalid formatting token %s: %w", name, err)
	}
	t.ref = &ref
	return n, nil
}

// Refs are the fields in the format, in their order.
func (f *Format) Refs() []field.Ref {
	var refs []field.Ref
	for _, t := range f.tokens {
		if t.value != nil {
			refs = append(refs, t.value.Refs()...)
		} else if t.ref != nil {
			refs = append(refs, *t.ref)
		}
	}
	return refs
}

// NoValue is what a missing value looks like in a text.
const NoValue = "<NA>"

// AppendText appends the format with the event's values. Times of day are local to zone.
func (f *Format) AppendText(dst []byte, ev eval.Event, zone *time.Location) []byte {
	for _, t := range f.tokens {
		start := len(dst)
		if t.ref == nil {
			dst = append(dst, t.text...)
			continue
		}
		dst = t.appendText(dst, ev, zone)
		if t.width > 0 {
			dst = fit(dst, start, t.width)
		}
	}
	return dst
}

func (t *token) appendText(dst []byte, ev eval.Event, zone *time.Location) []byte {
	start := len(dst)
	switch {
	case t.value != nil:
		dst = appendSeveral(dst, t.value.List(), func(yield func(field.Value) bool) { t.value.Each(ev, yield) })
	case t.ref.Several():
		dst = appendSeveral(dst, isList(t.ref.Multi), func(yield func(field.Value) bool) { eval.Each(ev, *t.ref, yield) })
	default:
		if layout, ok := layouts[t.ref.ID]; ok {
			return appendTime(dst, ev, layout, zone)
		}
		v := eval.Get(ev, t.ref.ID, t.ref.Arg)
		if dst = v.AppendText(dst); v.Exists() {
			return dst
		}
	}
	if len(dst) == start {
		dst = append(dst, NoValue...)
	}
	return dst
}

// appendSeveral appends a list as "(a,b)", and of other fields with several values the first.
func appendSeveral(dst []byte, list bool, each func(func(field.Value) bool)) []byte {
	n := 0
	each(func(v field.Value) bool {
		switch {
		case n == 0 && list:
			dst = append(dst, '(')
		case n > 0:
			dst = append(dst, ',')
		}
		n++
		dst = v.AppendText(dst)
		return list
	})
	if n > 0 && list {
		dst = append(dst, ')')
	}
	return dst
}

// isList reports whether all values are shown, and not the first only.
func isList(m field.Multi) bool { return m == field.List || m == field.Any }

// fit pads or cuts what was appended since start to width bytes, without cutting a character in two.
func fit(dst []byte, start, width int) []byte {
	if end := start + width; len(dst) > end {
		for end > start && dst[end]&0xc0 == 0x80 {
			end--
		}
		dst = dst[:end]
	}
	for len(dst) < start+width {
		dst = append(dst, ' ')
	}
	return dst
}

// AppendFields appends each field of the format once, under its name as written. A field with a transformer has the
// name and the value of the field inside.
func (f *Format) AppendFields(dst []alert.Field, ev eval.Event) []alert.Field {
	for _, t := range f.tokens {
		if t.ref != nil {
			dst = append(dst, alert.Field{Name: t.ref.Text, Value: JSON(ev, *t.ref)})
		}
	}
	return dst
}

// JSON gives a field's value as output_fields have it: numbers and truth values as they are, times as nanoseconds
// since 1970, a missing value as null, lists as arrays, all else as text.
func JSON(ev eval.Event, ref field.Ref) alert.Value {
	if ref.Several() {
		return several(ev, ref)
	}
	if _, ok := layouts[ref.ID]; ok {
		return one(ev.Field(field.EvtRawtime, field.NoArgument))
	}
	return one(eval.Get(ev, ref.ID, ref.Arg))
}

func one(v field.Value) alert.Value {
	switch v.Kind() {
	case field.Missing:
		return "null"
	case field.KindInt, field.KindUint, field.KindBool:
		return alert.Value(v.String())
	case field.KindFloat:
		if f := v.Float64(); f-f != 0 {
			return "null" // JSON has no infinities
		}
		return alert.Value(v.String())
	default:
		return alert.String(v.String())
	}
}

func several(ev eval.Event, ref field.Ref) alert.Value {
	out := []byte{'['}
	var first alert.Value = "null"
	eval.Each(ev, ref, func(v field.Value) bool {
		if len(out) > 1 {
			out = append(out, ',')
		} else {
			first = one(v)
		}
		out = append(out, one(v)...)
		return isList(ref.Multi)
	})
	if !isList(ref.Multi) || len(out) == 1 {
		return first
	}
	return alert.Value(append(out, ']'))
}
