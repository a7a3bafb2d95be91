package rules

import (
	"strings"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/rules/format"
)

// Printer makes alerts as Falco prints them.
type Printer struct {
	Hostname string
	Zone     *time.Location // of the time before the output; UTC if nil
	ISO8601  bool           // a full UTC time before the output, instead of the local time of day
	Message  bool           // add "message", the output without time and priority
}

// Alert makes the alert of a rule that matched an event. Its members are those that Falco sends; its ID and the time
// of its receipt are for the door through which it goes.
func (p Printer) Alert(r *Rule, ev Event) *alert.Alert {
	at := format.Time(ev)
	timeField, layout := "evt.time", format.LayoutTime
	shown := at
	if p.ISO8601 {
		timeField, layout = "evt.time.iso8601", format.LayoutISO
	} else if p.Zone != nil {
		shown = at.In(p.Zone)
	}
	text := make([]byte, 0, 512)
	text = shown.AppendFormat(text, layout)
	text = append(text, ": "...)
	text = append(text, r.Priority.String()...)
	text = append(text, ' ')
	prefix := len(text)
	text = r.Format.AppendText(text, ev, p.Zone)
	output := strings.ToValidUTF8(string(text), "\uFFFD")

	members := make([]alert.Field, 0, 32)
	members = r.Format.AppendFields(members, ev)
	members = append(members, alert.Field{Name: timeField, Value: format.Nanoseconds(at)})
	for _, f := range r.Fields {
		if f.Ref != nil {
			members = append(members, alert.Field{Name: f.Name, Value: format.JSON(ev, *f.Ref)})
			continue
		}
		members = append(members, alert.Field{Name: f.Name, Value: alert.String(string(f.Format.AppendText(nil, ev, p.Zone)))})
	}
	a := &alert.Alert{
		Time: at, Priority: r.Priority, Rule: r.Name, Source: r.Source.String(), Hostname: p.Hostname,
		Output: output, Tags: r.Tags, Fields: alert.FieldsOf(members...),
	}
	if p.Message {
		a.Extra = alert.FieldsOf(alert.Field{Name: "message", Value: alert.String(output[prefix:])})
	}
	return a
}

// AppendJSON appends an alert as the line that Falco sends: its members in alphabetical order, the time with nine
// digits, tags always there, output_fields in alphabetical order.
func AppendJSON(dst []byte, a *alert.Alert) []byte {
	dst = append(dst, `{"hostname":`...)
	dst = append(dst, alert.String(a.Hostname)...)
	if message, ok := a.Extra.Get("message"); ok {
		dst = append(dst, `,"message":`...)
		dst = append(dst, message...)
	}
	dst = append(dst, `,"output":`...)
	dst = append(dst, alert.String(a.Output)...)
	dst = append(dst, `,"output_fields":`...)
	dst = append(dst, alert.FieldsOf(a.Fields.Sorted()...).JSON()...)
	dst = append(dst, `,"priority":"`...)
	dst = append(dst, a.Priority.String()...)
	dst = append(dst, `","rule":`...)
	dst = append(dst, alert.String(a.Rule)...)
	dst = append(dst, `,"source":`...)
	dst = append(dst, alert.String(a.Source)...)
	dst = append(dst, `,"tags":[`...)
	for i, tag := range a.Tags {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, alert.String(tag)...)
	}
	dst = append(dst, `],"time":"`...)
	dst = a.Time.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000000Z")
	return append(dst, `"}`...)
}
