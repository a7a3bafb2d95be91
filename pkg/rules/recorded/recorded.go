// Package recorded reads and writes events as JSON lines, so that rules can be tested without a kernel.
//
// A line is one object:
//
//	{"type":"execve","time":"2026-01-02T03:04:05.000000006Z","fields":{"proc.name":"bash","proc.aname[1]":"sshd","user.uid":0}}
//
// The keys of "fields" are written as in a condition. Fields with several values, endpoints and lists, have an array;
// ancestors have a number each, from 0 for the process itself. Addresses are texts, byte buffers are Base64, times and
// durations are nanoseconds. A field that is null or not there has no value. What follows from shell.line by itself,
// shell.command for example, need not be there.
//
// For tests of rules, a line may also have "name", which says in words what it is about, and "expect", the names of the
// rules that must match: ["Command on a host"], or [] for none.
package recorded

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/tiercel/tiercel/pkg/rules/commandline"
	"github.com/tiercel/tiercel/pkg/rules/eval"
	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
)

// MaxValues bounds the values of one field.
const MaxValues = 4096

// Event is an event that was recorded. It can be given to rules.
type Event struct {
	typ    event.Type
	values map[key][]field.Value
}

// key is a field with its argument. Ancestors are kept by number, however the argument was written.
type key struct {
	id    field.ID
	index int
	text  string
}

func keyOf(id field.ID, arg field.Arg) key {
	if arg.Index >= 0 {
		return key{id: id, index: arg.Index}
	}
	return key{id, -1, arg.Key}
}

// Type is the event's type.
func (e *Event) Type() event.Type { return e.typ }

// Field gives a field's value.
func (e *Event) Field(id field.ID, arg field.Arg) field.Value {
	values := e.values[keyOf(id, arg)]
	if arg.At < 0 || arg.At >= len(values) {
		return field.Value{}
	}
	return values[arg.At]
}

// Case is an event with what a test says of it.
type Case struct {
	*Event

	Name   string   // what it is about, in words
	Expect []string // names of the rules that must match, in any order; nil when nothing is expected of it
}

type line struct {
	Type   string                     `json:"type"`
	Time   time.Time                  `json:"time"`
	Name   string                     `json:"name"`
	Fields map[string]json.RawMessage `json:"fields"`
	Expect []string                   `json:"expect"`
}

// Decode reads one line.
func Decode(text []byte) (*Event, error) {
	c, err := DecodeCase(text)
	return c.Event, err
}

// DecodeCase reads one line with what it says for tests.
func DecodeCase(text []byte) (Case, error) {
	var l line
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return Case{}, fmt.Errorf("event: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Case{}, errors.New("event: more than one object on a line")
	}
	e, err := l.event()
	return Case{e, l.Name, l.Expect}, err
}

func (l *line) event() (*Event, error) {
	typ, ok := event.Lookup(l.Type)
	if !ok {
		return nil, fmt.Errorf("unknown event type %q", l.Type)
	}
	e := &Event{typ: typ, values: make(map[key][]field.Value, len(l.Fields)+1)}
	if !l.Time.IsZero() {
		e.values[key{id: field.EvtRawtime, index: -1}] = []field.Value{field.Uint(uint64(l.Time.UnixNano()))}
	}
	// In order, so that a bad line always gives the same error.
	for _, name := range slices.Sorted(maps.Keys(l.Fields)) {
		ref, n, err := field.Prefix(event.Terminal, name) // the terminal's fields are those of calls, and more
		if err == nil && n != len(name) {
			err = fmt.Errorf("%w %s", field.ErrUnknown, name)
		}
		if err != nil {
			return nil, err
		}
		values, err := decodeValues(ref, l.Fields[name])
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", name, err)
		}
		if len(values) > 0 {
			e.values[keyOf(ref.ID, ref.Arg)] = values
		}
	}
	if typ.Source() == event.Terminal {
		e.derive()
	}
	return e, nil
}

// derive works out the fields that follow from the line, where they were not recorded.
func (e *Event) derive() {
	get := func(id field.ID) string { return e.Field(id, field.NoArgument).Str() }
	text := get(field.ShellLine)
	if text == "" || get(field.ShellKind) == "input" {
		return
	}
	line := commandline.Parse(text, get(field.ShellCwd))
	for _, id := range commandline.Fields() {
		k := key{id: id, index: -1}
		if _, ok := e.values[k]; ok {
			continue
		}
		for v := line.Field(id, 0); v.Exists(); v = line.Field(id, len(e.values[k])) {
			e.values[k] = append(e.values[k], v)
		}
	}
}

func decodeValues(ref field.Ref, raw json.RawMessage) ([]field.Value, error) {
	if string(raw) == "null" {
		return nil, nil
	}
	if raw[0] != '[' {
		v, err := decodeValue(ref.Type, raw)
		return []field.Value{v}, err
	}
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, err
	}
	if ref.Multi == field.Single || ref.Multi == field.Ancestors || len(items) > MaxValues {
		return nil, fmt.Errorf("has %d values", len(items))
	}
	values := make([]field.Value, 0, len(items))
	for _, item := range items {
		v, err := decodeValue(ref.Type, item)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

// decodeValue reads a value as the field's type has it.
func decodeValue(t field.Type, raw json.RawMessage) (field.Value, error) {
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return field.Value{}, err
	}
	switch v := v.(type) {
	case bool:
		if t == field.Boolean || t == field.Dynamic {
			return field.Bool(v), nil
		}
	case json.Number:
		if t.IsNumber() || t == field.Dynamic {
			return number(v.String())
		}
	case string:
		switch t {
		case field.Charbuf, field.Dynamic:
			return field.Text(v), nil
		case field.Bytebuf:
			b, err := base64.StdEncoding.DecodeString(v)
			return field.Bytes(b), err
		case field.IPAddr, field.IPNet:
			a, err := netip.ParseAddr(v)
			return field.Addr(a), err
		}
	}
	return field.Value{}, fmt.Errorf("%s is no %s", raw, t)
}

func number(text string) (field.Value, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return field.Int(n), nil
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return field.Uint(n), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	return field.Float(f), err
}

// Append appends an event as a line with a line break. It has the given fields, where they have a value: those that
// [github.com/tiercel/tiercel/pkg/rules.Set.Fields] names are all that its rules can ask for.
func Append(dst []byte, ev eval.Event, refs []field.Ref) ([]byte, error) {
	fields := map[string]any{}
	for _, ref := range refs {
		if _, builtin := eval.Builtin(ev.Type(), ref.ID, ref.Arg); builtin || ref.ID == field.EvtRawtime {
			continue
		}
		if ref.Multi == field.Ancestors && ref.Several() {
			ancestors(fields, ev, ref)
			continue
		}
		var values []any
		eval.Each(ev, ref, func(v field.Value) bool {
			values = append(values, plain(v))
			return len(values) < MaxValues
		})
		switch {
		case len(values) == 0:
		case ref.Multi == field.Either || ref.Multi == field.List || ref.Multi == field.Any:
			fields[ref.Text] = values
		default:
			fields[ref.Text] = values[0]
		}
	}
	at := ev.Field(field.EvtRawtime, field.NoArgument)
	text, err := json.Marshal(struct {
		Type   string         `json:"type"`
		Time   *time.Time     `json:"time,omitempty"`
		Fields map[string]any `json:"fields"`
	}{ev.Type().String(), timeOf(at), fields})
	if err != nil {
		return dst, fmt.Errorf("event: %w", err)
	}
	return append(append(dst, text...), '\n'), nil
}

// ancestors writes every ancestor with its number.
func ancestors(fields map[string]any, ev eval.Event, ref field.Ref) {
	n := 0
	eval.Each(ev, ref, func(v field.Value) bool {
		n++
		fields[ref.Name+"["+strconv.Itoa(n)+"]"] = plain(v)
		return n < MaxValues
	})
}

func timeOf(v field.Value) *time.Time {
	if !v.Exists() {
		return nil
	}
	at := time.Unix(0, int64(v.Num())).UTC() //nolint:gosec // nanoseconds since 1970 fit until 2262
	return &at
}

func plain(v field.Value) any {
	switch v.Kind() {
	case field.KindBytes:
		return base64.StdEncoding.EncodeToString([]byte(v.Str()))
	case field.KindBool, field.KindInt, field.KindUint:
		return json.RawMessage(v.String())
	case field.KindFloat:
		return v.Float64()
	default:
		return v.String()
	}
}
