package slack

import (
	"strings"
	"unicode/utf8"

	"github.com/tiercel/tiercel/pkg/alert"
)

// clean makes a text of an alert fit for Slack: at most so many characters, no control characters but line breaks, and
// nothing that Slack would take for its own markup.
func clean(text string, most int) string {
	return fit(escape(lines(cut(text, most))), most)
}

// fit cuts a text that escapes have made too long, and does not leave the begin of one.
func fit(text string, most int) string {
	short := cut(text, most)
	if short == text {
		return text
	}
	kept := strings.TrimSuffix(short, ellipsis)
	for _, half := range []string{"&lt", "&l", "&"} {
		if whole, ok := strings.CutSuffix(kept, half); ok {
			return whole + ellipsis
		}
	}
	return short
}

// lines makes each line printable.
func lines(text string) string {
	if !strings.Contains(text, "\n") {
		return alert.Printable(text)
	}
	var out strings.Builder
	for line := range strings.Lines(text) {
		line, broken := strings.CutSuffix(line, "\n")
		if broken {
			line = strings.TrimSuffix(line, "\r")
		}
		out.WriteString(alert.Printable(line))
		if broken {
			out.WriteByte('\n')
		}
	}
	return out.String()
}

const ellipsis = "[…]"

// cut shortens text to at most so many characters, the ellipsis among them.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	keep := most - utf8.RuneCountInString(ellipsis)
	count, end := 0, 0
	for at := range text {
		if count == keep {
			end = at
		}
		if count++; count > most {
			return text[:end] + ellipsis
		}
	}
	return text
}

// escape writes &lt; for each < with which Slack's markup begins: <!channel> calls everybody, <@U…> a person, <#C…>
// names a channel, and <https://one|https://two> shows another address than it leads to. Slack shows &lt; as <. All
// else stays as falcosidekick sends it, a < at the end apart: what is put after it could complete the markup.
func escape(text string) string {
	at := markup(text)
	if at < 0 {
		return text
	}
	var out strings.Builder
	out.Grow(len(text) + 16)
	for at >= 0 {
		out.WriteString(text[:at])
		out.WriteString("&lt;")
		text = text[at+1:]
		at = markup(text)
	}
	out.WriteString(text)
	return out.String()
}

// markup finds the first < that begins markup, or -1.
func markup(text string) int {
	for at := 0; at < len(text); at++ {
		next := strings.IndexByte(text[at:], '<')
		if next < 0 {
			return -1
		}
		at += next
		if begins(text[at+1:]) {
			return at
		}
	}
	return -1
}

// begins reports whether what follows a < makes it markup.
func begins(rest string) bool {
	if rest == "" || strings.IndexByte("!@#", rest[0]) >= 0 {
		return true
	}
	// The scheme of an address, see RFC 3986, section 3.1.
	for i := range len(rest) {
		switch c := rest[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		case i > 0 && (c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.'):
		default:
			return i > 0 && c == ':'
		}
	}
	return false
}
