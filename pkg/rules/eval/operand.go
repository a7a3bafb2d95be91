package eval

import (
	"fmt"
	"strings"

	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/pkg/rules/filter"
)

// operand is a compiled side of a comparison that depends on the event.
type operand struct {
	name  string // for messages
	typ   field.Type
	multi field.Multi                                    // how get's i counts; Single where there is one value
	get   func(ev Event, i int) field.Value              // the i-th value, missing past the last
	ref   *field.Ref                                     // the field itself, where nothing is done to it
	all   func(ev Event, yield func(v field.Value) bool) // for lists that are made at once, instead of get
}

func (c *checker) operand(o filter.Operand) (*operand, error) {
	switch o := o.(type) {
	case *filter.Field:
		return c.field(o)
	case *filter.Call:
		return c.call(o)
	default:
		return nil, fmt.Errorf("expected a field or a transformer, not '%s'", filter.OperandString(o))
	}
}

func (c *checker) field(f *filter.Field) (*operand, error) {
	ref, err := field.Find(c.source, f.Name, f.Arg, f.HasArg)
	if err != nil {
		return nil, err
	}
	c.refs = append(c.refs, ref)
	o := &operand{name: ref.Text, typ: ref.Type, ref: &ref}
	if !ref.Several() {
		id, arg := ref.ID, ref.Arg
		if _, ok := Builtin(0, id, arg); ok {
			o.get = func(ev Event, _ int) field.Value {
				v, _ := Builtin(ev.Type(), id, arg)
				return v
			}
			return o, nil
		}
		o.get = func(ev Event, _ int) field.Value { return ev.Field(id, arg) }
		return o, nil
	}
	o.multi = ref.Multi
	o.get = func(ev Event, i int) field.Value {
		arg, ok := nth(ref, i)
		if !ok {
			return field.Value{}
		}
		return ev.Field(ref.ID, arg)
	}
	return o, nil
}

// each calls f with each value until f returns false. It reports whether there was any value.
func (o *operand) each(ev Event, f func(field.Value) bool) bool {
	if o.all != nil {
		found := false
		o.all(ev, func(v field.Value) bool {
			found = true
			return f(v)
		})
		return found
	}
	for i := 0; ; i++ {
		v := o.get(ev, i)
		if !v.Exists() {
			return i > 0
		}
		if !f(v) || o.multi == field.Single {
			return true
		}
	}
}

func isText(t field.Type) bool {
	return t == field.Charbuf || t == field.Bytebuf || t == field.Dynamic
}

// call compiles a transformer.
func (c *checker) call(call *filter.Call) (*operand, error) {
	switch call.Name {
	case filter.Join, filter.Concat:
		return c.join(call)
	case filter.GetOpt:
		return c.getopt(call)
	}
	if len(call.Args) != 1 {
		return nil, fmt.Errorf("transformer '%s' takes one argument, not %d", call.Name, len(call.Args))
	}
	in, err := c.operand(call.Args[0])
	if err != nil || call.Name == filter.Val {
		return in, err
	}
	out := *in
	out.ref = nil
	out.name = filter.OperandString(call)
	if call.Name == filter.Len && in.multi == field.List {
		out.typ, out.multi, out.all = field.Uint64, field.Single, nil
		out.get = func(ev Event, _ int) field.Value {
			n := uint64(0)
			in.each(ev, func(field.Value) bool { n++; return true })
			return field.Uint(n)
		}
		return &out, nil
	}
	if !isText(in.typ) {
		return nil, fmt.Errorf("transformer '%s' does not apply to '%s' of type %s", call.Name, in.name, in.typ)
	}
	var change func(field.Value) field.Value
	switch call.Name {
	case filter.ToLower:
		change = func(v field.Value) field.Value { return field.Text(lower(v.Str())) }
	case filter.ToUpper:
		change = func(v field.Value) field.Value { return field.Text(upper(v.Str())) }
	case filter.Basename:
		change = func(v field.Value) field.Value { return field.Text(basename(v.Str())) }
	case filter.Base64:
		change = decodeBase64
	case filter.Len:
		out.typ = field.Uint64
		change = func(v field.Value) field.Value { return field.Uint(uint64(len(v.Str()))) }
	default:
		return nil, fmt.Errorf("unknown transformer '%s'", call.Name)
	}
	if in.all != nil {
		out.all = func(ev Event, yield func(field.Value) bool) {
			in.all(ev, func(v field.Value) bool { return yield(change(v)) })
		}
		return &out, nil
	}
	out.get = func(ev Event, i int) field.Value {
		v := in.get(ev, i)
		if k := v.Kind(); k != field.KindText && k != field.KindBytes {
			return field.Value{}
		}
		return change(v)
	}
	return &out, nil
}

// piece is a part of what join and concat make: a literal or an operand.
type piece struct {
	text string
	from *operand
}

func (c *checker) pieces(items []filter.Operand) ([]piece, error) {
	var out []piece
	for _, item := range items {
		if l, ok := item.(*filter.Literal); ok {
			out = append(out, piece{text: l.Text})
			continue
		}
		o, err := c.operand(item)
		if err != nil {
			return nil, err
		}
		if o.multi == field.Ancestors || o.multi == field.Either || o.multi == field.Any {
			return nil, fmt.Errorf("'%s' has several values and cannot be joined", o.name)
		}
		out = append(out, piece{from: o})
	}
	return out, nil
}

// join compiles join(separator, items) and concat(items). The result is missing when any of the items is.
func (c *checker) join(call *filter.Call) (*operand, error) {
	items, separator := call.Args, ""
	if call.Name == filter.Join {
		l, ok := items[0].(*filter.Literal)
		if !ok || len(items) != 2 {
			return nil, fmt.Errorf("transformer '%s' takes a text and a list", call.Name)
		}
		separator = l.Text
		items = items[1:]
		if list, ok := items[0].(*filter.List); ok {
			items = list.Items
		}
	}
	pieces, err := c.pieces(items)
	if err != nil {
		return nil, err
	}
	return &operand{name: filter.OperandString(call), typ: field.Charbuf, get: func(ev Event, _ int) field.Value {
		buf := make([]byte, 0, 128)
		n := 0
		for _, p := range pieces {
			if p.from == nil {
				if n++; n > 1 {
					buf = append(buf, separator...)
				}
				buf = append(buf, p.text...)
				continue
			}
			found := p.from.each(ev, func(v field.Value) bool {
				if n++; n > 1 {
					buf = append(buf, separator...)
				}
				buf = v.AppendText(buf)
				return true
			})
			if !found {
				return field.Value{}
			}
		}
		return field.Text(string(buf))
	}}, nil
}

// getopt compiles getopt(args, "options") and getopt(args, "options")[x].
func (c *checker) getopt(call *filter.Call) (*operand, error) {
	if len(call.Args) != 2 {
		return nil, fmt.Errorf("transformer '%s' takes two arguments, not %d", call.Name, len(call.Args))
	}
	in, err := c.operand(call.Args[0])
	if err != nil {
		return nil, err
	}
	if in.typ != field.Charbuf || in.multi != field.Single {
		return nil, fmt.Errorf("transformer '%s' does not apply to '%s' of type %s", call.Name, in.name, in.typ)
	}
	spec, ok := call.Args[1].(*filter.Literal)
	if !ok {
		return nil, fmt.Errorf("the second argument of '%s' must be a text", call.Name)
	}
	out := &operand{name: filter.OperandString(call), typ: field.Charbuf}
	if !call.HasSelector {
		out.multi = field.List
		out.all = func(ev Event, yield func(field.Value) bool) {
			options(in.get(ev, 0).Str(), spec.Text, func(option, _ string) bool { return yield(field.Text(option)) })
		}
		return out, nil
	}
	if len(call.Selector) != 1 || !strings.Contains(strings.ReplaceAll(spec.Text, ":", ""), call.Selector) {
		return nil, fmt.Errorf("'%s' is none of the options of '%s'", call.Selector, out.name)
	}
	out.get = func(ev Event, _ int) field.Value {
		var v field.Value
		options(in.get(ev, 0).Str(), spec.Text, func(option, value string) bool {
			if option == call.Selector {
				v = field.Text(value)
			}
			return true
		})
		return v
	}
	return out, nil
}
