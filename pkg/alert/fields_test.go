package alert_test

import (
	"testing"

	"github.com/tiercel/tiercel/pkg/alert"
)

func field(name string, value alert.Value) alert.Field { return alert.Field{Name: name, Value: value} }

func TestWithSetsMembers(t *testing.T) {
	three := alert.FieldsOf(field("a", "1"), field(`b"`, "2"), field("c", "null"))
	for name, c := range map[string]struct {
		fields  alert.Fields
		members []alert.Field
		want    string
	}{
		"none":              {three, nil, `{"a":1,"b\"":2,"c":null}`},
		"of nothing":        {alert.Fields{}, nil, `{}`},
		"into nothing":      {alert.Fields{}, []alert.Field{field("한", alert.String("글\x00"))}, `{"한":"글\u0000"}`},
		"new ones":          {three, []alert.Field{field("d", "[]"), field("B", "{}")}, `{"a":1,"b\"":2,"c":null,"d":[],"B":{}}`},
		"in their place":    {three, []alert.Field{field(`b"`, "9")}, `{"a":1,"b\"":9,"c":null}`},
		"old and new":       {three, []alert.Field{field("d", "4"), field("a", "9")}, `{"a":9,"b\"":2,"c":null,"d":4}`},
		"one name twice":    {three, []alert.Field{field("d", "4"), field("d", "5")}, `{"a":1,"b\"":2,"c":null,"d":5}`},
		"more than a few":   {three, []alert.Field{field("d", "4"), field("e", "5"), field("f", "6"), field("g", "7"), field("h", "8")}, `{"a":1,"b\"":2,"c":null,"d":4,"e":5,"f":6,"g":7,"h":8}`},
		"a few, then twice": {three, []alert.Field{field("d", "4"), field("e", "5"), field("f", "6"), field("g", "7"), field("c", "8")}, `{"a":1,"b\"":2,"c":8,"d":4,"e":5,"f":6,"g":7}`},
	} {
		if got := c.fields.With(c.members...).JSON(); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
	if three.JSON() != `{"a":1,"b\"":2,"c":null}` {
		t.Errorf("the original was changed: %s", three.JSON())
	}
}
