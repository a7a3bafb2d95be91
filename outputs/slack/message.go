package slack

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	slackgo "github.com/slack-go/slack"

	"github.com/tiercel/tiercel/pkg/alert"
)

// Bounds, in characters, that keep a message below the 40,000 that Slack takes, whatever an alert holds.
const (
	maxAbove  = 4_000  // of the text above an alert
	maxOutput = 8_000  // of the sentence, which goes out twice
	maxTitle  = 100    // of a field's name
	maxValue  = 2_000  // of a field's value
	maxFields = 50     // fields
	allFields = 16_000 // of all fields together
)

// shortValue is the length, in characters, from which a field takes the whole width.
const shortValue = 36

var colors = [...]string{
	alert.Debug: "#ccfff2", alert.Informational: "#68c2ff", alert.Notice: "#5bffb5", alert.Warning: "#ffc700",
	alert.Error: "#e20b0b", alert.Critical: "#ff5400", alert.Alarm: "#ff5400", alert.Emergency: "#e20b0b",
}

// message shows one alert.
func (s *Slack) message(a *alert.Alert) *slackgo.WebhookMessage {
	sentence := clean(a.Output, maxOutput)
	if strings.TrimSpace(sentence) == "" {
		// Slack refuses a message without any text.
		sentence = a.Priority.String() + " " + clean(a.Rule, maxTitle)
	}
	attachment := slackgo.Attachment{Fallback: sentence, Color: colors[a.Priority]}
	if s.config.OutputFormat != formatFields {
		attachment.Text = sentence
	}
	if s.config.OutputFormat != formatText {
		attachment.Fields = fieldsOf(a)
		attachment.Footer = s.config.Footer
	}
	message := s.envelope(attachment)
	message.Text = s.textAbove(a)
	return message
}

// envelope is what all messages have.
func (s *Slack) envelope(attachment slackgo.Attachment) *slackgo.WebhookMessage {
	return &slackgo.WebhookMessage{
		Username:    s.config.Username,
		IconURL:     s.config.Icon,
		Channel:     s.config.Channel,
		Attachments: []slackgo.Attachment{attachment},
	}
}

// fieldsOf shows the alert's members, then its fields sorted by name, then its time. Nulls are left out.
func fieldsOf(a *alert.Alert) []slackgo.AttachmentField {
	members := a.Fields.Sorted()
	l := list{fields: make([]slackgo.AttachmentField, 0, min(len(members)+6, maxFields)), left: allFields}
	l.add("rule", a.Rule, true)
	l.add("priority", a.Priority.String(), true)
	l.add("source", a.Source, true)
	if a.Hostname != "" {
		l.add("hostname", a.Hostname, true)
	}
	if len(a.Tags) > 0 {
		l.add("tags", strings.Join(a.Tags, ", "), true)
	}
	hidden := 0
	for _, m := range members {
		switch text := m.Value.Text(); {
		case m.Value.Kind() == 'n':
		case len(l.fields) >= maxFields-2 || l.left <= maxTitle: // two are kept for what follows
			hidden++
		default:
			l.add(m.Name, text, utf8.RuneCountInString(text) < shortValue)
		}
	}
	if hidden > 0 {
		l.add("more fields", fmt.Sprintf("%d are not shown", hidden), true)
	}
	l.add("time", a.Time.UTC().Round(0).String(), false)
	return l.fields
}

// list gathers fields up to a number of characters.
type list struct {
	fields []slackgo.AttachmentField
	left   int
}

func (l *list) add(title, value string, short bool) {
	field := slackgo.AttachmentField{Title: clean(title, maxTitle), Value: clean(value, max(min(maxValue, l.left), maxTitle)), Short: short}
	l.left -= utf8.RuneCountInString(field.Title) + utf8.RuneCountInString(field.Value)
	l.fields = append(l.fields, field)
}

// view is an alert as falcosidekick's templates know it.
type view struct {
	UUID         string
	Output       string
	Priority     priority
	Rule         string
	Time         time.Time
	OutputFields map[string]any
	Source       string
	Tags         []string
	Hostname     string
}

// priority counts as falcosidekick's does, where debug is 1.
type priority int

// String gives the name.
func (p priority) String() string { return alert.Priority(p - 1).String() } //nolint:gosec // made of a priority

// textAbove fills the template of the config, which may well mention people; what comes from the alert may not.
func (s *Slack) textAbove(a *alert.Alert) string {
	if s.above == nil {
		return ""
	}
	v := view{
		UUID: a.ID.String(), Output: clean(a.Output, maxOutput), Priority: priority(a.Priority) + 1, Rule: clean(a.Rule, maxValue),
		Time: a.Time.UTC().Round(0), OutputFields: make(map[string]any, 32), Source: clean(a.Source, maxValue),
		Hostname: clean(a.Hostname, maxValue),
	}
	for _, tag := range a.Tags {
		v.Tags = append(v.Tags, clean(tag, maxValue))
	}
	for name, value := range a.Fields.All() {
		v.OutputFields[clean(name, maxValue)] = plain(value)
	}
	var out strings.Builder
	if err := s.above.Execute(&out, v); err != nil {
		s.metrics.templateErrors.Inc()
		if !s.warned {
			s.warned = true
			s.log.Warn("messageformat fails: messages go out without its text", "error", err, "rule", a.Rule)
		}
		return ""
	}
	return cut(strings.ToValidUTF8(out.String(), "\uFFFD"), maxAbove)
}

// plain gives a value as a template sees it: numbers as json.Number, with all their digits.
func plain(value alert.Value) any {
	if value.IsString() {
		return clean(value.Text(), maxValue)
	}
	var v any
	d := json.NewDecoder(strings.NewReader(string(value)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil // cannot happen: the alert's decoder has read it
	}
	return plainIn(v)
}

// plainIn cleans the texts in a value.
func plainIn(v any) any {
	switch v := v.(type) {
	case string:
		return clean(v, maxValue)
	case []any:
		for i := range v {
			v[i] = plainIn(v[i])
		}
	case map[string]any:
		cleaned := make(map[string]any, len(v))
		for name, value := range v {
			cleaned[clean(name, maxValue)] = plainIn(value)
		}
		return cleaned
	}
	return v
}
