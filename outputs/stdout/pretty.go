package stdout

import (
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/width"

	"github.com/tiercel/tiercel/pkg/alert"
)

// Columns are as wide as most of what stands in them, in cells. Longer texts push the rest of their line aside.
const (
	priorityWidth = 9
	ruleWidth     = 32
)

// Escape sequences of a terminal (ECMA-48, SGR).
const (
	reset = "\x1b[0m"
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
)

// pretty writes an alert as a line for people:
//
//	09:47:21.123 WARNING   Terminal shell in container       Shell in a container (user=root)  node-03 shop/web-7d4b9 web
//
// that is the local time, the priority, the rule, the sentence without the time and priority that Falco puts before
// it, and where it happened: host, Kubernetes namespace and pod, container.
type pretty struct{ colour bool }

func (p pretty) append(dst []byte, a *alert.Alert) []byte {
	at := a.Time.Local()
	layout := "15:04:05.000"
	if y, m, d := a.Received.Local().Date(); !sameDay(at, y, m, d) {
		layout = "2006-01-02 " + layout // an alert that comes late, or out of a recording
	}
	dst = p.styled(dst, dim, at.Format(layout))
	dst = append(dst, ' ')

	name, style := priority(a.Priority)
	dst = p.styled(dst, style, name)
	dst = pad(dst, priorityWidth-len(name)+1)

	rule := line(a.Rule)
	dst = p.styled(dst, bold, rule)

	var container, id, namespace, pod string
	for name, value := range a.Fields.All() {
		switch name {
		case "container.name":
			container = known(value)
		case "container.id":
			id = known(value)
		case "k8s.ns.name":
			namespace = known(value)
		case "k8s.pod.name":
			pod = known(value)
		}
	}
	text := line(sentence(a))
	if text == "" {
		text = fields(a)
	}
	if container == "" {
		container = id
	}
	if id == "host" { // Falco's word for no container
		container = ""
	}
	where := join(" ", line(a.Hostname), join("/", namespace, pod), container)
	if text == "" && where == "" {
		return append(dst, '\n')
	}
	dst = pad(dst, max(ruleWidth-cells(rule), 0)+2)
	dst = append(dst, text...)
	if where != "" {
		if text != "" {
			dst = append(dst, ' ', ' ')
		}
		dst = p.styled(dst, dim, where)
	}
	return append(dst, '\n')
}

func (p pretty) styled(dst []byte, style, text string) []byte {
	if !p.colour || style == "" {
		return append(dst, text...)
	}
	dst = append(dst, style...)
	dst = append(dst, text...)
	return append(dst, reset...)
}

// priority gives the word and the colour; only what is serious is loud.
func priority(p alert.Priority) (name, style string) {
	switch p {
	case alert.Emergency:
		return "EMERGENCY", "\x1b[1;97;41m" // white on red
	case alert.Alarm:
		return "ALERT", "\x1b[1;97;41m"
	case alert.Critical:
		return "CRITICAL", "\x1b[1;31m" // bold red
	case alert.Error:
		return "ERROR", "\x1b[31m" // red
	case alert.Warning:
		return "WARNING", "\x1b[33m" // yellow
	case alert.Notice:
		return "NOTICE", "\x1b[36m" // cyan
	case alert.Informational:
		return "INFO", "\x1b[32m" // green
	default:
		return "DEBUG", dim
	}
}

// sentence is the alert's output without the time and the priority that Falco puts before it, which the line shows
// already: "09:47:21.123456789: Warning Shell in a container" is "Shell in a container".
func sentence(a *alert.Alert) string {
	head, rest, ok := strings.Cut(a.Output, ": ")
	if !ok || head == "" || strings.Trim(head, "0123456789:.-+TZ ") != "" {
		return a.Output
	}
	word, rest, ok := strings.Cut(rest, " ")
	if !ok || !strings.EqualFold(word, a.Priority.String()) {
		return a.Output
	}
	return rest
}

// fields stands in for a sentence where there is none.
func fields(a *alert.Alert) string {
	var pairs []string
	for name, value := range a.Fields.All() {
		pairs = append(pairs, name+"="+value.Text())
	}
	return line(strings.Join(pairs, " "))
}

// known gives a field's text, or nothing where the sender did not know it.
func known(v alert.Value) string {
	if text := v.Text(); text != "<NA>" {
		return line(text)
	}
	return ""
}

// line makes text safe for a terminal and keeps it on one line.
func line(text string) string {
	return strings.ReplaceAll(alert.Printable(text), "\t", " ")
}

func join(separator string, texts ...string) string {
	var some []string
	for _, text := range texts {
		if text != "" {
			some = append(some, text)
		}
	}
	return strings.Join(some, separator)
}

func pad(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, ' ')
	}
	return dst
}

// cells counts the columns that text takes on a terminal: Hangul and most emoji two, combining marks none.
func cells(text string) int {
	n := 0
	for _, r := range text {
		switch {
		case r < 0x7f:
			n++
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		default:
			n++
			if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
				n++
			}
		}
	}
	return n
}

func sameDay(t time.Time, year int, month time.Month, day int) bool {
	y, m, d := t.Date()
	return y == year && m == month && d == day
}
