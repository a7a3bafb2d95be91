package elasticsearch

import (
	"strings"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
)

// appendAction appends the line that says what is to be done: create, which writes what is not there yet.
func (o *Output) appendAction(dst []byte, a *alert.Alert) []byte {
	dst = append(dst, `{"create":{"_index":"`...)
	dst = append(dst, o.config.Index...)
	if o.suffix != "" {
		// The day on which it came in, not that on which it is sent: so it goes to the same index when it is sent
		// again. Nor that on which it happened: a stranger's clock could make indices without end.
		dst = received(a).AppendFormat(dst, o.suffix)
	}
	dst = append(dst, `","_id":"`...)
	dst = append(dst, a.ID.String()...)
	return append(dst, "\"}}\n"...)
}

func received(a *alert.Alert) time.Time {
	if a.Received.IsZero() {
		return a.Time.UTC()
	}
	return a.Received.UTC()
}

// appendDocument appends the alert and its line break: its JSON, with @timestamp, and with the fields that the index did
// not take as one text.
func (o *Output) appendDocument(dst []byte, a *alert.Alert, rejected []string) []byte {
	var aside []alert.Field
	if o.config.FlattenFields || len(rejected) > 0 {
		own := *a
		var kept []alert.Field
		for name, value := range a.Fields.All() {
			f := alert.Field{Name: name, Value: value}
			if isRejected(o.fieldName(name), rejected) {
				aside = append(aside, f)
				continue
			}
			f.Name = o.fieldName(name)
			kept = append(kept, f)
		}
		own.Fields = alert.FieldsOf(kept...)
		a = &own
	}
	dst = a.AppendJSON(dst)
	dst = dst[:len(dst)-1]
	if _, there := a.Extra.Get("@timestamp"); !there { // the sender's own stays: twice would be refused
		dst = append(dst, `,"@timestamp":"`...)
		dst = a.Time.UTC().AppendFormat(dst, time.RFC3339Nano)
		dst = append(dst, '"')
	}
	if len(aside) > 0 {
		dst = append(dst, `,"rejected_fields":`...)
		dst = append(dst, alert.String(alert.FieldsOf(aside...).JSON())...)
	}
	return append(dst, "}\n"...)
}

func (o *Output) fieldName(name string) string {
	if o.config.FlattenFields {
		return strings.ReplaceAll(name, ".", "_")
	}
	return name
}

// isRejected reports whether a field is one of those, or stands above or below one: proc and proc.name cannot both be
// there, whichever of them the answer names.
func isRejected(name string, rejected []string) bool {
	for _, r := range rejected {
		if name == r || strings.HasPrefix(name, r+".") {
			return true
		}
	}
	return false
}
