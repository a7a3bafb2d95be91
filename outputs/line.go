package outputs

import "github.com/tiercel/tiercel/pkg/alert"

// AppendLine appends the alert as one line of JSON with its line break. It is the JSON of [alert.Alert.AppendJSON] in
// a form that is safe to show on a terminal, see [alert.Printable].
func AppendLine(dst []byte, a *alert.Alert) []byte {
	start := len(dst)
	dst = a.AppendJSON(dst)
	for _, c := range dst[start:] {
		if c >= 0x7f { // DEL, or a letter beyond ASCII; JSON has no raw control characters below
			safe := alert.Printable(string(dst[start:]))
			dst = append(dst[:start], safe...)
			break
		}
	}
	return append(dst, '\n')
}
