// Package eval compiles conditions and tests events with them.
//
// It is pure: what it knows of the world comes from the event, and the same event always gives the same answer. A
// test allocates nothing, transformers apart.
package eval

import (
	"fmt"
	"net/netip"

	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/pkg/rules/filter"
)

// Event is what conditions are tested with and outputs are filled from.
//
// Field gives a field's value, or a missing one. For fields that [field.Field] marks as having several values it is
// called once per value: for ancestors with arg.Index 1, 2, ... (1 is the parent), for endpoints with arg.At 0 (the
// source) and 1 (the destination), for lists with arg.At 0, 1, ...; a missing value ends the sequence. The fields
// that [Builtin] answers are not asked for.
type Event interface {
	Type() event.Type
	Field(id field.ID, arg field.Arg) field.Value
}

// Names knows the addresses of host names. Rules compare the names of addresses by resolving the name in the rule;
// that is work for the one who has a network, so it is done outside, from time to time. Is must not block.
type Names interface {
	Is(name string, addr netip.Addr) bool
}

// Test tells whether a condition holds for an event.
type Test func(Event) bool

// maxSeveral bounds how many ancestors or list elements are looked at.
const maxSeveral = 4096

// Builtin gives the fields that follow from the event's type, and reports whether id is one of them.
func Builtin(t event.Type, id field.ID, arg field.Arg) (field.Value, bool) {
	switch id {
	case field.EvtType:
		return field.Text(t.String()), true
	case field.EvtDir:
		return field.Text("<"), true
	case field.EvtSource:
		return field.Text(t.Source().String()), true
	case field.EvtCount:
		return field.Uint(1), true
	case field.EvtTypeIs:
		if t.String() == arg.Key {
			return field.Uint(1), true
		}
		return field.Uint(0), true
	}
	return field.Value{}, false
}

// Get gives one value of a field, built in or the event's own.
func Get(ev Event, id field.ID, arg field.Arg) field.Value {
	if v, ok := Builtin(ev.Type(), id, arg); ok {
		return v
	}
	return ev.Field(id, arg)
}

// nth is the argument that asks for the i-th of several values, from 0, and false past the last.
func nth(ref field.Ref, i int) (field.Arg, bool) {
	arg := ref.Arg
	switch ref.Multi {
	case field.Ancestors:
		arg.Index = i + 1
		return arg, i < maxSeveral
	case field.Either:
		arg.At = i
		return arg, i < 2
	default:
		arg.At = i
		return arg, i < maxSeveral
	}
}

// Each calls yield with the values of a field until it returns false.
func Each(ev Event, ref field.Ref, yield func(field.Value) bool) {
	if !ref.Several() {
		if v := Get(ev, ref.ID, ref.Arg); v.Exists() {
			yield(v)
		}
		return
	}
	for i := 0; ; i++ {
		arg, ok := nth(ref, i)
		if !ok {
			return
		}
		if v := ev.Field(ref.ID, arg); !v.Exists() || !yield(v) {
			return
		}
	}
}

// Value is a transformer applied to fields, for outputs.
type Value struct {
	operand *operand
	refs    []field.Ref
}

// NewValue compiles a transformer.
func NewValue(call *filter.Call, source event.Source) (*Value, error) {
	c := &checker{source: source}
	o, err := c.call(call)
	if err != nil {
		return nil, err
	}
	if len(c.refs) == 0 {
		return nil, fmt.Errorf("'%s' names no field", filter.OperandString(call))
	}
	return &Value{o, c.refs}, nil
}

// Refs are the fields within, at least one.
func (v *Value) Refs() []field.Ref { return v.refs }

// List reports whether there may be several values.
func (v *Value) List() bool { return v.operand.multi == field.List || v.operand.multi == field.Any }

// Each calls yield with each value until it returns false.
func (v *Value) Each(ev Event, yield func(field.Value) bool) { v.operand.each(ev, yield) }
