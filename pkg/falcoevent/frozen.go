package falcoevent

import (
	"strings"

	"github.com/tiercel/tiercel/pkg/container"
	"github.com/tiercel/tiercel/pkg/rules/eval"
	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
)

// Frozen is what some rules can ask about an event, kept for later: it points into no event, and any number of
// goroutines may read it. What is known of the container is asked for when it is read.
type Frozen struct {
	typ    event.Type
	node   *Node
	ref    container.Ref
	values map[frozenKey][]field.Value
}

// frozenKey is a field with its argument. Ancestors are kept by number, however the argument was written.
type frozenKey struct {
	id    field.ID
	index int
	text  string
}

func keyOf(id field.ID, arg field.Arg) frozenKey {
	if arg.Index >= 0 {
		return frozenKey{id: id, index: arg.Index}
	}
	return frozenKey{id, -1, arg.Key}
}

// Freeze keeps what rules that name these fields can ask about an event.
func (n *Node) Freeze(from eval.Event, in container.Ref, refs []field.Ref) *Frozen {
	f := &Frozen{typ: from.Type(), node: n, ref: in, values: make(map[frozenKey][]field.Value, len(refs)+1)}
	f.keep(from, field.EvtRawtime, field.NoArgument)
	for _, ref := range refs {
		switch {
		case isContainerField(ref.ID):
		case ref.Host:
			f.keep(from, addressOf(ref.ID), field.NoArgument)
			f.keep(from, ref.ID, ref.Arg)
		case !ref.Several():
			f.keep(from, ref.ID, ref.Arg)
		case ref.Multi == field.Ancestors:
			n := 0
			eval.Each(from, ref, func(v field.Value) bool {
				n++
				f.values[frozenKey{id: ref.ID, index: n}] = []field.Value{clone(v)}
				return true
			})
		default:
			key := keyOf(ref.ID, ref.Arg)
			f.values[key] = nil
			eval.Each(from, ref, func(v field.Value) bool {
				f.values[key] = append(f.values[key], clone(v))
				return true
			})
		}
	}
	return f
}

// addressOf is the address that a host name is compared with.
func addressOf(id field.ID) field.ID {
	switch id {
	case field.FdCIPName:
		return field.FdCIP
	case field.FdLIPName:
		return field.FdLIP
	case field.FdRIPName:
		return field.FdRIP
	}
	return field.FdSIP
}

func (f *Frozen) keep(from eval.Event, id field.ID, arg field.Arg) {
	if v := eval.Get(from, id, arg); v.Exists() {
		f.values[keyOf(id, arg)] = []field.Value{clone(v)}
	}
}

// clone copies the text of a value.
func clone(v field.Value) field.Value {
	switch v.Kind() {
	case field.KindText:
		return field.Text(strings.Clone(v.Str()))
	case field.KindBytes:
		return field.Bytes([]byte(v.Str()))
	}
	return v
}

// Type is the event's type.
func (f *Frozen) Type() event.Type { return f.typ }

// Container is the container that the event happened in.
func (f *Frozen) Container() container.Ref { return f.ref }

// Field gives a field's value.
func (f *Frozen) Field(id field.ID, arg field.Arg) field.Value {
	if isContainerField(id) {
		return f.node.containerField(f.ref, id, arg)
	}
	at := max(arg.At, 0)
	if values := f.values[keyOf(id, arg)]; at < len(values) {
		return values[at]
	}
	return field.Value{}
}
