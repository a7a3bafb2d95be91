package normalize

import (
	"strings"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
)

// format gives the output another form. Falco begins an output with the time and the priority, which the format puts
// elsewhere or leaves out.
type format struct {
	pieces []piece
	parens bool // the format itself ends with ")", so an empty pair of them at the end of an output is its doing
}

// piece is a token, or text to be copied.
type piece struct {
	token   token
	literal string
}

type token int

const (
	literal token = iota
	timestamp
	priority
	output
	customFields
	templatedFields
	tags
)

var tokens = []string{
	timestamp: "<timestamp>", priority: "<priority>", output: "<output>",
	customFields: "<custom_fields>", templatedFields: "<templated_fields>", tags: "<tags>",
}

// newFormat makes nothing of an empty text.
func newFormat(text string) *format {
	if text == "" {
		return nil
	}
	f := &format{parens: strings.HasSuffix(strings.TrimRight(text, " "), ")")}
	text = valid(text)
	start := 0
	for at := 0; at < len(text); at++ {
		for t, name := range tokens {
			if name != "" && strings.HasPrefix(text[at:], name) {
				f.pieces = append(f.pieces, piece{literal: text[start:at]}, piece{token: token(t)})
				start = at + len(name)
				at = start - 1
				break
			}
		}
	}
	f.pieces = append(f.pieces, piece{literal: text[start:]})
	return f
}

// apply replaces a's output where it begins as Falco begins one; any other stays as it is. The texts that stand for
// tokens are taken as they are: one that looks like a token is none.
func (f *format) apply(a *alert.Alert, custom, templated string) {
	when, level, sentence, ok := cutHead(a.Output)
	if !ok {
		return
	}
	var out strings.Builder
	out.Grow(len(a.Output) + len(custom) + len(templated) + 128)
	for _, p := range f.pieces {
		switch p.token {
		case literal:
			out.WriteString(p.literal)
		case timestamp:
			out.WriteString(when)
		case priority:
			out.WriteString(level)
		case output:
			out.WriteString(sentence)
		case customFields:
			out.WriteString(custom)
		case templatedFields:
			out.WriteString(templated)
		case tags:
			for i, tag := range a.Tags {
				if i > 0 {
					out.WriteByte(',')
				}
				out.WriteString(tag)
			}
		}
	}
	a.Output = f.trim(out.String())
}

// trim cuts what empty tokens leave behind at the end: blanks, and "()" around nothing.
func (f *format) trim(text string) string {
	text = strings.TrimRight(text, " ")
	if inner, ok := strings.CutSuffix(text, ")"); ok && f.parens {
		if before, ok := strings.CutSuffix(strings.TrimRight(inner, " "), "("); ok {
			text = strings.TrimRight(before, " ")
		}
	}
	return text
}

// cutHead takes apart an output as Falco begins it: "09:47:21.123456789: Warning text", or with a whole time,
// "2026-08-17T09:47:21.123456789+0000: Warning text", where Falco's time_format_iso_8601 is on.
func cutHead(text string) (when, level, sentence string, ok bool) {
	when, text, ok = strings.Cut(text, ": ")
	if !ok || !isClock(when) && !isISO8601(when) {
		return "", "", "", false
	}
	level, sentence, _ = strings.Cut(text, " ")
	if _, err := alert.ParsePriority(level); err != nil {
		return "", "", "", false
	}
	return when, level, sentence, true
}

// isClock reports whether text is a time of day: digits and colons, a dot, digits.
func isClock(text string) bool {
	clock, fraction, ok := strings.Cut(text, ".")
	return ok && clock != "" && fraction != "" && strings.Trim(clock, "0123456789:") == "" && strings.Trim(fraction, "0123456789") == ""
}

// longestISO8601 is the length of "2026-08-17T09:47:21.123456789+00:00".
const longestISO8601 = 35

func isISO8601(text string) bool {
	if len(text) > longestISO8601 {
		return false
	}
	for _, layout := range []string{"2006-01-02T15:04:05Z0700", time.RFC3339} {
		if _, err := time.Parse(layout, text); err == nil {
			return true
		}
	}
	return false
}

// joined shows fields as name=value, separated by blanks.
func joined(fields []text) string {
	var out strings.Builder
	for i, t := range fields {
		if i > 0 {
			out.WriteByte(' ')
		}
		out.WriteString(t.name)
		out.WriteByte('=')
		out.WriteString(t.value)
	}
	return out.String()
}
