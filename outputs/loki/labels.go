package loki

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tiercel/tiercel/pkg/alert"
)

// maxLabelValue bounds a label's value, in bytes. It is Loki's default limit (limits_config.max_label_value_length),
// above which Loki refuses the whole stream.
const maxLabelValue = 2048

// pair is a label, or a piece of structured metadata.
type pair struct{ name, value string }

// label is one label that streams have.
type label struct {
	name  string
	field string                    // the field that it comes from, or
	of    func(*alert.Alert) string // what of an alert it is
	value func(alert.Value) string  // how the field's value becomes text
}

// newLabels lists the labels of a config, sorted by name.
func newLabels(c *Config) []label {
	all := []label{
		{name: "rule", of: func(a *alert.Alert) string { return a.Rule }},
		{name: "source", of: func(a *alert.Alert) string { return a.Source }},
		{name: "priority", of: func(a *alert.Alert) string { return a.Priority.String() }},
		{name: "hostname", of: func(a *alert.Alert) string { return a.Hostname }},
	}
	extra := alert.Value.Text
	if c.Labels == LabelsFalcosidekick {
		all = append(all,
			label{name: "tags", of: func(a *alert.Alert) string { return strings.Join(a.Tags, ",") }},
			label{name: "k8s_ns_name", field: "k8s.ns.name", value: onlyStrings},
			label{name: "k8s_pod_name", field: "k8s.pod.name", value: onlyStrings})
		extra = func(v alert.Value) string { return strings.ReplaceAll(onlyStrings(v), `"`, "") }
	}
	for field := range strings.SplitSeq(c.ExtraLabels, ",") {
		field = strings.TrimSpace(field)
		name := labelName(field)
		// The first of a name stays; what else would have it is structured metadata.
		if field != "" && !slices.ContainsFunc(all, func(l label) bool { return l.name == name }) {
			all = append(all, label{name: name, field: field, value: extra})
		}
	}
	slices.SortFunc(all, func(a, b label) int { return strings.Compare(a.name, b.name) })
	return all
}

// onlyStrings gives the text of a string and nothing for any other value, as falcosidekick does for its labels.
func onlyStrings(v alert.Value) string {
	if !v.IsString() {
		return ""
	}
	return v.Text()
}

// safe is [alert.Printable] for labels and metadata. Loki refuses a stream with U+FFFD in a label, in which its parser
// sees text that is no UTF-8, and takes it out of metadata without a word. Here it shows as the others do.
func safe(text string) string {
	text = alert.Printable(text)
	if strings.IndexByte(text, "\uFFFD"[0]) < 0 {
		return text
	}
	return strings.ReplaceAll(text, "\uFFFD", `\ufffd`)
}

// cut shortens text to limit bytes, between two letters, and says so with an ellipsis.
func cut(text string, limit int) string {
	const more = "…"
	if len(text) <= limit {
		return text
	}
	end := limit - len(more)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + more
}
