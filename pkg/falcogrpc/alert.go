package falcogrpc

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/tiercel/tiercel/pkg/alert"
)

// The members of falco.outputs.response as they begin on the wire: number<<3, and for bytes 2 with it.
const (
	tagTime         = 1<<3 | 2
	tagPriority     = 2 << 3
	tagOldSource    = 3 << 3
	tagRule         = 4<<3 | 2
	tagOutput       = 5<<3 | 2
	tagOutputFields = 6<<3 | 2
	tagHostname     = 7<<3 | 2
	tagTags         = 8<<3 | 2
	tagSource       = 9<<3 | 2
)

// The members of a Timestamp, and of an entry of output_fields.
const (
	tagSeconds = 1 << 3
	tagNanos   = 2 << 3
	tagKey     = 1<<3 | 2
	tagValue   = 2<<3 | 2
)

// oldSources are the names of falco.schema.source, by number. Every source that is not among them is a plugin's.
var oldSources = [...]string{"syscall", "k8s_audit", "internal", "plugin"}

const pluginSource = 3

// absent is how Falco writes a field without a value where all values are texts.
const absent = "<NA>"

// Append appends an alert as a falco.outputs.response. Fields that are no texts are written as Falco writes them into
// a sentence: numbers with all their digits, what has no value as <NA>, lists as JSON.
func Append(dst []byte, a *alert.Alert) []byte {
	dst = append(dst, tagTime)
	dst = appendTime(dst, a.Time)
	if number := alert.Emergency - a.Priority; number > 0 {
		dst = append(dst, tagPriority)
		dst = protowire.AppendVarint(dst, uint64(number))
	}
	if number := oldSource(a.Source); number > 0 {
		dst = append(dst, tagOldSource)
		dst = protowire.AppendVarint(dst, number)
	}
	dst = appendText(dst, tagRule, a.Rule)
	dst = appendText(dst, tagOutput, a.Output)
	for name, value := range a.Fields.All() {
		text := absent
		if value != "null" {
			text = value.Text()
		}
		dst = append(dst, tagOutputFields)
		dst = protowire.AppendVarint(dst, uint64(sizeText(name)+sizeText(text))) //nolint:gosec // a length
		dst = appendText(dst, tagKey, name)
		dst = appendText(dst, tagValue, text)
	}
	dst = appendText(dst, tagHostname, a.Hostname)
	for _, tag := range a.Tags {
		dst = append(dst, tagTags)
		dst = protowire.AppendString(dst, tag)
	}
	return appendText(dst, tagSource, a.Source)
}

func oldSource(name string) uint64 {
	if at := slices.Index(oldSources[:], name); at >= 0 {
		return uint64(at)
	}
	return pluginSource
}

// appendTime appends a google.protobuf.Timestamp with its length.
func appendTime(dst []byte, at time.Time) []byte {
	seconds, nanos := uint64(at.Unix()), uint64(at.Nanosecond()) //nolint:gosec // two's complement, as protobuf has it
	size := 0
	if seconds != 0 {
		size += 1 + protowire.SizeVarint(seconds)
	}
	if nanos != 0 {
		size += 1 + protowire.SizeVarint(nanos)
	}
	dst = protowire.AppendVarint(dst, uint64(size))
	if seconds != 0 {
		dst = append(dst, tagSeconds)
		dst = protowire.AppendVarint(dst, seconds)
	}
	if nanos != 0 {
		dst = append(dst, tagNanos)
		dst = protowire.AppendVarint(dst, nanos)
	}
	return dst
}

// appendText appends a text, unless it is empty, which is what a missing one means.
func appendText(dst []byte, tag byte, text string) []byte {
	if text == "" {
		return dst
	}
	return protowire.AppendString(append(dst, tag), text)
}

// sizeText is what appendText appends.
func sizeText(text string) int {
	if text == "" {
		return 0
	}
	return 1 + protowire.SizeBytes(len(text))
}

// Decode reads a falco.outputs.response. The error is an *[alert.Refusal].
//
// It is more patient than generated code, which throws a whole message away for one byte that is no UTF-8: Falco could
// send such bytes in this API. They become U+FFFD. The values of the fields are and stay texts. Where output holds the
// alert as JSON, as it does while json_output is on, its sentence is taken out of that.
func Decode(message []byte, received time.Time) (*alert.Alert, error) {
	a := &alert.Alert{Received: received.UTC()}
	var seconds, nanos int64
	priority, old := uint64(0), uint64(0)
	var fields []alert.Field
	err := members(message, func(tag uint64, m member) error {
		switch tag {
		case tagTime:
			return members(m.bytes, func(tag uint64, m member) error {
				switch tag {
				case tagSeconds:
					seconds = int64(m.varint) //nolint:gosec // two's complement, as protobuf has it
				case tagNanos:
					nanos = int64(m.varint) //nolint:gosec // checked below
				}
				return nil
			})
		case tagPriority:
			priority = m.varint
		case tagOldSource:
			old = m.varint
		case tagRule:
			a.Rule = m.text()
		case tagOutput:
			a.Output = m.text()
		case tagOutputFields:
			field, err := fieldOf(m.bytes)
			fields = append(fields, field)
			return err
		case tagHostname:
			a.Hostname = m.text()
		case tagTags:
			a.Tags = append(a.Tags, m.text())
		case tagSource:
			a.Source = m.text()
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, &alert.Refusal{Expected: "a falco.outputs.response", Reason: alert.WrongType, Err: err}
	case a.Rule == "":
		return nil, &alert.Refusal{Member: "rule", Expected: "a text that is not empty", Reason: alert.MissingMember}
	case priority > uint64(alert.Emergency):
		return nil, &alert.Refusal{Member: "priority", Expected: "0 (emergency) to 7 (debug)", Got: fmt.Sprint(priority), Reason: alert.BadValue}
	case seconds == 0 && nanos == 0:
		return nil, &alert.Refusal{Member: "time", Expected: "a time", Reason: alert.MissingMember}
	case seconds < minTime || seconds > maxTime || nanos < 0 || nanos > 999_999_999:
		return nil, &alert.Refusal{Member: "time", Expected: "a time from year 1 to 9999", Got: fmt.Sprintf("%d s and %d ns", seconds, nanos), Reason: alert.BadValue}
	}
	a.ID = alert.NewID()
	a.Priority = alert.Emergency - alert.Priority(priority)
	a.Time = time.Unix(seconds, nanos).UTC()
	if a.Source == "" {
		a.Source = oldSources[min(old, pluginSource)]
	}
	slices.Sort(a.Tags)
	slices.SortStableFunc(fields, func(a, b alert.Field) int { return strings.Compare(a.Name, b.Name) })
	a.Fields = alert.FieldsOf(fields...)
	if strings.HasPrefix(a.Output, "{") {
		if whole, err := alert.DecodeOne([]byte(a.Output), received); err == nil && whole.Rule == a.Rule {
			a.Output = whole.Output
		}
	}
	return a, nil
}

// The times that RFC 3339 can write, in Unix seconds: from year 1 to 9999.
const (
	minTime = -62_135_596_800
	maxTime = 253_402_300_799
)

// fieldOf reads an entry of output_fields.
func fieldOf(entry []byte) (alert.Field, error) {
	var name, value string
	err := members(entry, func(tag uint64, m member) error {
		switch tag {
		case tagKey:
			name = m.text()
		case tagValue:
			value = m.text()
		}
		return nil
	})
	return alert.Field{Name: name, Value: alert.String(value)}, err
}

// member is the value of a member: a number, or bytes.
type member struct {
	varint uint64
	bytes  []byte
}

func (m member) text() string { return strings.ToValidUTF8(string(m.bytes), "\uFFFD") }

// members calls do for each member of a message that is a number or bytes, and passes over others.
func members(message []byte, do func(tag uint64, m member) error) error {
	for len(message) > 0 {
		number, form, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		var m member
		switch form {
		case protowire.VarintType:
			m.varint, n = protowire.ConsumeVarint(message)
		case protowire.BytesType:
			m.bytes, n = protowire.ConsumeBytes(message)
		default:
			n = protowire.ConsumeFieldValue(number, form, message)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		if err := do(protowire.EncodeTag(number, form), m); err != nil {
			return err
		}
	}
	return nil
}
