package syslog

import (
	"strconv"
	"strings"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
)

// form says how an alert becomes a message.
type form struct {
	facility int
	cef      bool
	octets   bool // the length stands before each message
}

func newForm(c *Config) form {
	return form{facility: facilities[c.Facility], cef: c.Format == formatCEF, octets: c.Protocol == overTLS || c.Framing != framingNewline}
}

// severities by priority, RFC 5424, section 6.2.1: Falco's names are those of syslog.
func severity(p alert.Priority) int { return 7 - int(p) }

// appendFrame appends a message as it stands in a stream.
func (f form) appendFrame(dst []byte, a *alert.Alert) []byte {
	message := f.appendMessage(nil, a)
	if f.octets {
		dst = strconv.AppendInt(dst, int64(len(message)), 10)
		dst = append(dst, ' ')
		return append(dst, message...)
	}
	dst = append(dst, message...) // it has no line breaks: JSON escapes them, and so does our CEF
	return append(dst, '\n')
}

// appendMessage appends a message of RFC 5424, section 6. It has no byte order mark before the text, which that would
// have, since those who read JSON or CEF behind it stumble over one.
func (f form) appendMessage(dst []byte, a *alert.Alert) []byte {
	dst = append(dst, '<')
	dst = strconv.AppendInt(dst, int64(f.facility*8+severity(a.Priority)), 10)
	dst = append(dst, ">1 "...)
	// Collectors take a year that is far away for no header at all; the text has the time in any case.
	if at := a.Time.UTC(); at.Year() >= 1970 && at.Year() < 2100 {
		dst = at.AppendFormat(dst, "2006-01-02T15:04:05.000000Z07:00")
	} else {
		dst = append(dst, '-')
	}
	dst = append(dst, ' ')
	dst = append(dst, headerText(a.Hostname, 255)...)
	dst = append(dst, " Falco - alert - "...) // no process id, the kind of message, no structured data
	if f.cef {
		return appendCEF(dst, a)
	}
	return a.AppendJSON(dst)
}

// headerText makes the name of a host fit for the header: letters, digits and what else such names have, not empty.
func headerText(text string, most int) string {
	var b strings.Builder
	for _, r := range text {
		if b.Len() == most {
			break
		}
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(".-_:", r) {
			b.WriteRune(r)
		} else {
			b.WriteByte('_')
		}
	}
	if b.Len() == 0 {
		return "-"
	}
	return b.String()
}

// cefSeverities are falcosidekick's, by priority.
var cefSeverities = [...]string{
	alert.Debug: "0", alert.Informational: "3", alert.Notice: "4", alert.Warning: "6",
	alert.Error: "7", alert.Critical: "8", alert.Alarm: "9", alert.Emergency: "10",
}

var (
	// In the header of CEF, | divides; in its extension, = does.
	cefHeader    = strings.NewReplacer(`\`, `\\`, `|`, `\|`, "\r\n", " ", "\n", " ", "\r", " ")
	cefExtension = strings.NewReplacer(`\`, `\\`, `=`, `\=`, "\r\n", `\n`, "\n", `\n`, "\r", `\r`)
)

// appendCEF appends the alert as an event of ArcSight's Common Event Format, with falcosidekick's members, escaped.
func appendCEF(dst []byte, a *alert.Alert) []byte {
	dst = append(dst, "CEF:0|Falcosecurity|Falco|1.0|Falco Event|"...)
	dst = append(dst, printable(cefHeader, a.Rule)...)
	dst = append(dst, '|')
	dst = append(dst, cefSeverities[a.Priority]...)
	dst = append(dst, '|')
	add := func(key, value string) {
		dst = append(dst, key...)
		dst = append(dst, '=')
		dst = append(dst, printable(cefExtension, value)...)
		dst = append(dst, ' ')
	}
	add("uuid", a.ID.String())
	add("start", a.Time.UTC().Format(time.RFC3339Nano))
	add("msg", a.Output)
	add("source", a.Source)
	if a.Hostname != "" {
		add("hostname", a.Hostname)
	}
	var fields strings.Builder
	for _, m := range a.Fields.Sorted() {
		if m.Value.Kind() == 'n' {
			continue
		}
		if fields.Len() > 0 {
			fields.WriteByte(' ')
		}
		fields.WriteString(m.Name + ":" + m.Value.Text())
	}
	if fields.Len() > 0 {
		add("outputfields", fields.String())
	}
	if len(a.Tags) > 0 {
		add("tags", strings.Join(a.Tags, ","))
	}
	return dst[:len(dst)-1]
}

// printable escapes a text and leaves no control character in it.
func printable(escape *strings.Replacer, text string) string {
	return alert.Printable(escape.Replace(strings.ToValidUTF8(text, "\uFFFD")))
}
