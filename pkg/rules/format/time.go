package format

import (
	"strconv"
	"strings"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/rules/eval"
	"github.com/tiercel/tiercel/pkg/rules/field"
)

// The forms in which Falco prints times.
const (
	LayoutTime     = "15:04:05.000000000"                 // local
	LayoutISO      = "2006-01-02T15:04:05.000000000-0700" // always UTC
	layoutDatetime = "2006-01-02 15:04:05.000000000"
)

// layouts are the fields that are the event's time as a text. In JSON all of them are nanoseconds since 1970.
var layouts = map[field.ID]string{
	field.EvtTime:        LayoutTime,
	field.EvtTimeS:       "15:04:05",
	field.EvtTimeISO8601: LayoutISO,
	field.EvtDatetime:    layoutDatetime,
	field.EvtDatetimeS:   "2006-01-02 15:04:05",
}

// IsTime reports whether a field is the event's time as a text, which outputs make from evt.rawtime.
func IsTime(id field.ID) bool { _, ok := layouts[id]; return ok }

// Time is when the event happened, from evt.rawtime.
func Time(ev eval.Event) time.Time {
	v := ev.Field(field.EvtRawtime, field.NoArgument)
	return time.Unix(0, int64(v.Num())).UTC() //nolint:gosec // nanoseconds since 1970 fit until 2262
}

// Nanoseconds gives a time as output_fields have it.
func Nanoseconds(at time.Time) alert.Value { return alert.Value(strconv.FormatInt(at.UnixNano(), 10)) }

func appendTime(dst []byte, ev eval.Event, layout string, zone *time.Location) []byte {
	at := Time(ev)
	if zone != nil && !strings.Contains(layout, "T") {
		at = at.In(zone)
	}
	return at.AppendFormat(dst, layout)
}
