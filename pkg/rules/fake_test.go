package rules_test

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tiercel/tiercel/pkg/rules"
	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/pkg/rules/load"
)

// shared reads a file of test data that lies beside the project.
func shared(t testing.TB, parts ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{"..", "..", "..", "shared", "data"}, parts...)...))
	if err != nil {
		t.Skipf("the test data is not here: %v", err)
	}
	return data
}

// fake is an event made by hand. Its values are found by the text that a rule would write, "proc.aname[2]" for
// example; endpoints and lists are slices.
type fake struct {
	typ    event.Type
	fields map[string]any
	byID   [field.Count]field.Value // the plain fields, so that the fake is no slower than a real event
}

// at is when the fake events happen.
var at = time.Date(2016, 8, 4, 16, 17, 57, 881781397, time.UTC)

func newEvent(t testing.TB, name string, fields map[string]any) *fake {
	t.Helper()
	typ, ok := event.Lookup(name)
	if !ok {
		t.Fatalf("no event type %s", name)
	}
	f := &fake{typ: typ, fields: map[string]any{"evt.rawtime": uint64(at.UnixNano()), "evt.num": uint64(7)}}
	maps.Copy(f.fields, fields)
	for known := range field.All() {
		if v, ok := f.fields[known.Name]; ok {
			if _, list := v.([]any); !list {
				f.byID[known.ID] = value(v)
			}
		}
	}
	return f
}

func value(v any) field.Value {
	switch v := v.(type) {
	case nil:
		return field.Value{}
	case string:
		return field.Text(v)
	case []byte:
		return field.Bytes(v)
	case bool:
		return field.Bool(v)
	case int:
		return field.Int(int64(v))
	case int64:
		return field.Int(v)
	case uint64:
		return field.Uint(v)
	case float64:
		return field.Float(v)
	case netip.Addr:
		return field.Addr(v)
	}
	panic(fmt.Sprintf("a %T is no value", v))
}

func (f *fake) Type() event.Type { return f.typ }

func (f *fake) Field(id field.ID, arg field.Arg) field.Value {
	known := field.Of(id)
	if arg.Key == "" && arg.Index < 0 && known.Multi == field.Single {
		return f.byID[id]
	}
	name := known.Name
	switch {
	case (known.Multi == field.Ancestors || known.Param) && arg.Index >= 0:
		name = fmt.Sprintf("%s[%d]", name, arg.Index)
	case arg.Key != "" && known.Dotted:
		name += "." + arg.Key
	case arg.Key != "":
		name += "[" + arg.Key + "]"
	}
	v := f.fields[name]
	if list, ok := v.([]any); ok {
		if arg.At >= len(list) {
			return field.Value{}
		}
		v = list[arg.At]
	} else if arg.At > 0 {
		return field.Value{}
	}
	return value(v)
}

// compile loads rule files that must be without errors.
func compile(t testing.TB, options rules.Options, texts ...string) *rules.Set {
	t.Helper()
	l := load.New(load.Options{})
	for i, text := range texts {
		if r := l.Load(fmt.Sprintf("rules-%d.yaml", i), text); !r.OK() {
			t.Fatal(r)
		}
	}
	return rules.Compile(l.Rules(), options)
}

// condition makes a rule file of a condition.
func condition(text string) string {
	return "- rule: test\n  desc: d\n  output: o\n  priority: INFO\n  condition: |\n    " + text + "\n"
}

func matches(t testing.TB, text string, ev rules.Event) bool {
	t.Helper()
	return len(compile(t, rules.Options{}, condition(text)).Match(nil, ev)) == 1
}
