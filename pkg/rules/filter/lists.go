package filter

import "strings"

// maxText bounds a condition after its lists were put in, bytes.
const maxText = 4 << 20

// PutList puts the items of a list into the text of a condition, wherever the list's name stands as a whole word.
// Lists are texts to the language: what the items look like decides how they are read. It reports whether the name
// was found. A text that would grow beyond 4 MiB is left as it is from there on.
func PutList(text, name string, items []string) (string, bool) {
	if name == "" || !strings.Contains(text, name) {
		return text, false
	}
	joined := joinItems(items)
	var w strings.Builder
	found := false
	rest := text
	for from := 0; ; {
		i := strings.Index(rest[from:], name)
		if i < 0 || w.Len() > maxText {
			break
		}
		start, end := from+i, from+i+len(name)
		// w ends with a blank or nothing, so what is before rest bounds a word, too.
		if start > 0 && !isBound(rest[start-1]) || end < len(rest) && !isBound(rest[end]) {
			from = start + 1
			continue
		}
		found = true
		before := strings.TrimRight(rest[:start], bounds)
		after := strings.TrimLeft(rest[end:], bounds)
		if joined == "" {
			// Nothing takes the place of the name, so one comma next to it goes, too.
			if cut, ok := strings.CutSuffix(before, ","); ok {
				before = cut
			} else {
				after = strings.TrimPrefix(after, ",")
			}
		}
		w.WriteString(before)
		if w.Len() > 0 {
			w.WriteByte(' ')
		}
		w.WriteString(joined)
		w.WriteByte(' ')
		rest, from = after, 0
	}
	w.WriteString(rest)
	return w.String(), found
}

const bounds = " \t\n\r"

func isBound(c byte) bool { return strings.IndexByte(bounds+"(),=", c) >= 0 }

func joinItems(items []string) string {
	var w strings.Builder
	for i, item := range items {
		if i > 0 {
			w.WriteString(", ")
		}
		w.WriteString(QuoteItem(item))
		if w.Len() > maxText {
			break
		}
	}
	return w.String()
}

// QuoteItem puts double quotes around an item of a list or an exception that has a blank and no quotes yet. What it
// holds is not escaped.
func QuoteItem(item string) string {
	if strings.Contains(item, " ") && item[0] != '"' && item[0] != '\'' {
		return `"` + item + `"`
	}
	return item
}
