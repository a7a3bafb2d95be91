// Package normalize makes all alerts look the same: the user's fields and tags are added, names and sentences get
// the form that was asked for, and overlong texts are cut. Alert in, alert out, once, at the door.
package normalize

import (
	"errors"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/pkg/alert"
)

// Normalizer changes alerts as its config says. It may be used by several goroutines at once.
type Normalizer struct {
	custom    []alert.Field
	templated []templated
	tags      []string
	brackets  *brackets
	format    *format

	customText string // the custom fields as <custom_fields> shows them
}

// New makes a Normalizer. An error names the setting. Its metrics are registered with reg, if that is not nil.
func New(cfg Config, reg prometheus.Registerer) (*Normalizer, error) {
	custom, customErr := cfg.custom()
	templated, templatedErr := cfg.templated()
	if err := errors.Join(customErr, templatedErr); err != nil {
		return nil, err
	}
	failures := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tiercel_template_errors_total",
		Help: "Alerts for which the template of a templated field failed, so that the field was left out.",
	}, []string{"field"})
	if reg != nil {
		if err := reg.Register(failures); err != nil {
			return nil, err
		}
	}
	for i := range templated {
		templated[i].failed = failures.WithLabelValues(templated[i].name)
	}
	n := &Normalizer{
		templated:  templated,
		tags:       cfg.tags(),
		brackets:   newBrackets(cfg.BracketReplacer),
		format:     newFormat(cfg.OutputFieldFormat),
		customText: joined(custom),
	}
	for _, t := range custom {
		n.custom = append(n.custom, t.field())
	}
	return n, nil
}

// Apply normalizes a, once, before it is written to the journal. What was received stays as it is ([alert.Alert.Raw]).
//
// The order is falcosidekick's: custom fields, custom tags, source, templated fields, tags sorted, brackets, the form
// of the output, limits.
func (n *Normalizer) Apply(a *alert.Alert) {
	if len(n.custom) > 0 {
		a.Fields = a.Fields.With(n.custom...)
	}
	a.Tags = append(a.Tags, n.tags...)
	switch {
	case a.IsTest():
		a.Source = "internal"
	case a.Source == "":
		a.Source = "syscalls"
	}
	made := n.fill(a)
	slices.Sort(a.Tags)
	n.brackets.rename(a)
	if n.format != nil {
		n.format.apply(a, n.customText, joined(made))
	}
	limit(a)
}

// TestAlert makes the alert that /test sends to every output. An empty hostname is "tiercel".
func TestAlert(now time.Time, hostname string) *alert.Alert {
	if hostname == "" {
		hostname = "tiercel"
	}
	return &alert.Alert{
		ID:       alert.NewID(),
		Received: now.UTC().Round(0), // Round takes the monotonic clock off
		Time:     now.UTC().Truncate(time.Second),
		Priority: alert.Debug,
		Rule:     alert.TestRule,
		Source:   "internal",
		Hostname: valid(hostname),
		Output:   "This is a test from tiercel",
		Tags:     []string{"example", "test"},
		Fields: alert.FieldsOf(
			alert.Field{Name: "proc.name", Value: alert.String("tiercel")},
			alert.Field{Name: "user.name", Value: alert.String("tiercel")},
		),
	}
}
