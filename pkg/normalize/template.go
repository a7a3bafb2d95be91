package normalize

import (
	"encoding/json"
	"strings"
	"text/template"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/pkg/alert"
)

// templated is a field whose value is made from the others.
type templated struct {
	name     string
	template *template.Template
	failed   prometheus.Counter
}

// missing is what text/template prints for a field that an alert does not have, and for null.
const missing = "<no value>"

// fill sets the templated fields, and returns those that were set. Each template sees the fields as the alert came
// with them and the custom ones; none sees another's, since no order among them would be plain to see.
func (n *Normalizer) fill(a *alert.Alert) []text {
	if len(n.templated) == 0 {
		return nil
	}
	data := dataOf(a.Fields)
	made := make([]text, 0, len(n.templated))
	members := make([]alert.Field, 0, len(n.templated))
	var out strings.Builder
	for _, t := range n.templated {
		out.Reset()
		if err := t.template.Execute(&out, data); err != nil {
			t.failed.Inc()
			continue
		}
		if out.String() == missing {
			continue
		}
		value := text{t.name, valid(out.String())}
		made = append(made, value)
		members = append(members, value.field())
	}
	a.Fields = a.Fields.With(members...)
	return made
}

// dataOf gives fields as templates see them: texts as strings, numbers as json.Number with all their digits, true and
// false, nil for null, and []any and map[string]any for what is nested.
func dataOf(fields alert.Fields) map[string]any {
	data := make(map[string]any, 32)
	for name, value := range fields.All() {
		switch value.Kind() {
		case '"':
			data[name] = value.Text()
		case '0':
			data[name] = json.Number(value)
		case 't', 'f':
			data[name] = value == "true"
		case '{', '[':
			data[name] = nested(value)
		default:
			data[name] = nil
		}
	}
	return data
}

// nested reads an array or object.
func nested(value alert.Value) any {
	var v any
	d := json.NewDecoder(strings.NewReader(string(value)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return string(value) // cannot happen: the alert's decoder has read it
	}
	return v
}
