package alert

import "time"

// AppendJSON appends the alert as one JSON object without a line break, in the form that falcosidekick sends:
// uuid, output, priority, rule, time, output_fields, source, tags and hostname (both left out when empty), then the
// members that we do not know, as they came. As in encoding/json, &, < and > are escaped, so that the text can
// stand in a page.
func (a *Alert) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"uuid":"`...)
	dst = a.ID.appendText(dst)
	dst = append(dst, `","output":`...)
	dst = appendQuotedHTML(dst, a.Output)
	dst = append(dst, `,"priority":"`...)
	dst = append(dst, a.Priority.String()...)
	dst = append(dst, `","rule":`...)
	dst = appendQuotedHTML(dst, a.Rule)
	dst = append(dst, `,"time":"`...)
	dst = a.Time.AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, `","output_fields":`...)
	dst = appendEscapedHTML(dst, a.Fields.JSON())
	dst = append(dst, `,"source":`...)
	dst = appendQuotedHTML(dst, a.Source)
	if len(a.Tags) > 0 {
		dst = append(dst, `,"tags":[`...)
		for i, tag := range a.Tags {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendQuotedHTML(dst, tag)
		}
		dst = append(dst, ']')
	}
	if a.Hostname != "" {
		dst = append(dst, `,"hostname":`...)
		dst = appendQuotedHTML(dst, a.Hostname)
	}
	if !a.Extra.IsEmpty() {
		dst = append(dst, ',')
		members := a.Extra.JSON()
		dst = appendEscapedHTML(dst, members[1:len(members)-1])
	}
	return append(dst, '}')
}

// MarshalJSON gives what [Alert.AppendJSON] appends.
func (a *Alert) MarshalJSON() ([]byte, error) { return a.AppendJSON(make([]byte, 0, 2048)), nil }

func appendQuotedHTML(dst []byte, text string) []byte {
	start := len(dst)
	dst = appendQuoted(dst, text)
	if !needsHTMLEscape(string(dst[start:])) {
		return dst
	}
	quoted := string(dst[start:])
	return appendEscapedHTML(dst[:start], quoted)
}

// appendEscapedHTML appends JSON text with the characters <, >, &, U+2028 and U+2029 escaped. In valid JSON they
// stand in strings only.
func appendEscapedHTML(dst []byte, text string) []byte {
	const hexDigits = "0123456789abcdef"
	start := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '<', '>', '&':
			dst = append(dst, text[start:i]...)
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
			start = i + 1
		case 0xe2: // U+2028 and U+2029 are e2 80 a8 and e2 80 a9
			if i+2 < len(text) && text[i+1] == 0x80 && text[i+2]&^1 == 0xa8 {
				dst = append(dst, text[start:i]...)
				dst = append(dst, '\\', 'u', '2', '0', '2', hexDigits[text[i+2]&0xf])
				start = i + 3
				i += 2
			}
		}
	}
	return append(dst, text[start:]...)
}

func needsHTMLEscape(text string) bool {
	for i := range len(text) {
		switch text[i] {
		case '<', '>', '&', 0xe2:
			return true
		}
	}
	return false
}
