package loki

import (
	"strconv"
	"strings"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
)

// lineWriter appends an alert's log line, one line that is safe to show on a terminal.
type lineWriter func(dst []byte, a *alert.Alert, n *names) []byte

// jsonLine is the whole alert.
func jsonLine(dst []byte, a *alert.Alert, _ *names) []byte {
	dst = outputs.AppendLine(dst, a)
	return dst[:len(dst)-1] // Loki's lines have no line break
}

// textLine is the alert's output. Where that says nothing, it is rule, priority and fields as logfmt.
func textLine(dst []byte, a *alert.Alert, n *names) []byte {
	if strings.TrimSpace(a.Output) != "" {
		return append(dst, alert.Printable(a.Output)...)
	}
	return logfmt(dst, a, n)
}

// maxLogfmt bounds a line made of fields, in bytes: it stands for a sentence. The fields themselves are metadata.
const maxLogfmt = 16 << 10

func logfmt(dst []byte, a *alert.Alert, n *names) []byte {
	from := len(dst)
	dst = appendLogfmt(dst, "rule", a.Rule)
	dst = append(dst, ' ')
	dst = appendLogfmt(dst, "priority", a.Priority.String())
	for name, value := range a.Fields.All() {
		if value == "null" {
			continue
		}
		pair := appendLogfmt(nil, n.of(name).name.text, value.Text())
		if len(dst)-from+len(pair) > maxLogfmt {
			return append(dst, " …"...)
		}
		dst = append(dst, ' ')
		dst = append(dst, pair...)
	}
	return dst
}

// appendLogfmt appends name=value, the value in quotes where it needs them.
func appendLogfmt(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, '=')
	value = alert.Printable(value)
	if value != "" && !strings.ContainsAny(value, " \t\"=\\") {
		return append(dst, value...)
	}
	return strconv.AppendQuote(dst, value)
}
