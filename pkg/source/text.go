package source

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
)

// TextRule is the rule of an alert that came as text, which does not name its rule.
const TextRule = "Text alert"

// textSource marks such an alert.
const textSource = "text"

// textAlert is what Falco writes while json_output is off: the time of the day, or a whole time with
// time_format_iso_8601, then the priority, then the sentence.
var textAlert = regexp.MustCompile(`^(?:\d{2}:\d{2}:\d{2}\.\d{9}|(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{9}[+-]\d{4})): ` +
	`(Emergency|Alert|Critical|Error|Warning|Notice|Informational|Debug) \S`)

var errNotText = errors.New(`expected an alert as JSON, or as Falco's text: a time, a priority and a sentence ("16:17:57.881781397: Warning …")`)

// DecodeLine reads a line of Falco: alerts as JSON, or one as text. received is put into them. An error that is no
// *[alert.Refusal] is to be refused for the reason [NotText].
func DecodeLine(line []byte, received time.Time) ([]*alert.Alert, error) {
	line = bytes.TrimSpace(line)
	if bytes.HasPrefix(line, []byte("{")) || bytes.HasPrefix(line, []byte("[")) {
		return alert.Decode(line, received, alert.DefaultMaxDepth)
	}
	a, err := decodeText(line, received)
	if err != nil {
		return nil, err
	}
	return []*alert.Alert{a}, nil
}

// decodeText reads an alert that is no JSON. Only what stands at the begin of such a line is certain: the sentence is
// kept whole, as the output, and nothing is looked for in it. A time without a date and a zone is no time; then the
// alert is as old as its arrival.
func decodeText(line []byte, received time.Time) (*alert.Alert, error) {
	m := textAlert.FindSubmatch(line)
	if m == nil {
		return nil, errNotText
	}
	priority, err := alert.ParsePriority(string(m[2]))
	if err != nil {
		return nil, err
	}
	at := received
	if len(m[1]) > 0 {
		if at, err = time.Parse("2006-01-02T15:04:05.000000000-0700", string(m[1])); err != nil {
			return nil, errNotText
		}
	}
	return &alert.Alert{
		ID: alert.NewID(), Received: received.UTC(), Time: at.UTC(), Priority: priority, Rule: TextRule, Source: textSource,
		Output: strings.ToValidUTF8(string(line), "\uFFFD"),
	}, nil
}
