package normalize

import (
	"strings"
	"unicode/utf8"

	"github.com/tiercel/tiercel/pkg/alert"
)

// falcosidekick's limits, in bytes.
const (
	maxJSON  = 4096    // an alert whose JSON is not longer is not cut
	maxField = 512     // longest text of a field in one that is longer
	ellipsis = "[...]" // ends a text that was cut
	keep     = maxField - len(ellipsis)
)

// maxSearch bounds how much of an output is searched for the texts that were cut, in bytes, added up over all of
// them: an alert made of thousands of long fields and a long output would otherwise take seconds.
const maxSearch = 16 << 20

// limit cuts the long texts among the fields of an alert whose JSON is too long, and the same texts where the output
// has them. The common alert has none, which one look over its fields tells.
func limit(a *alert.Alert) {
	if !anyLong(a.Fields) || !tooLong(a) {
		return
	}
	searched := 0
	a.Fields = a.Fields.Map(func(f alert.Field) alert.Field {
		if !maybeLong(f.Value) {
			return f
		}
		whole := f.Value.Text()
		if len(whole) <= maxField {
			return f
		}
		short := cut(whole)
		if searched += len(a.Output); searched <= maxSearch {
			a.Output = strings.ReplaceAll(a.Output, whole, short)
		}
		f.Value = alert.String(short)
		return f
	})
}

// cut shortens text to at most maxField bytes, the ellipsis among them, without cutting a letter in two.
func cut(text string) string {
	end := keep
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}

// maybeLong reports whether v may stand for a text longer than maxField. The JSON of a text is never shorter than
// the text and its two quotes.
func maybeLong(v alert.Value) bool { return len(v) > maxField+2 && v.IsString() }

func anyLong(fields alert.Fields) bool {
	if len(fields.JSON()) <= maxField+2 {
		return false
	}
	for _, value := range fields.All() {
		if maybeLong(value) {
			return true
		}
	}
	return false
}

// tooLong reports whether the alert's JSON is longer than maxJSON. It is only built where the parts do not tell.
func tooLong(a *alert.Alert) bool {
	if len(a.Fields.JSON())+len(a.Output)+len(a.Extra.JSON()) > maxJSON {
		return true
	}
	return len(a.AppendJSON(make([]byte, 0, 2*maxJSON))) > maxJSON
}
