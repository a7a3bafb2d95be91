package normalize

import (
	"strings"

	"github.com/tiercel/tiercel/pkg/alert"
)

// brackets takes the brackets out of the names of fields, for places that take none: proc.aname[2].
type brackets struct{ replacer *strings.Replacer }

// newBrackets makes nothing of an empty replacement.
func newBrackets(replacement string) *brackets {
	if replacement == "" {
		return nil
	}
	return &brackets{strings.NewReplacer("[", valid(replacement), "]", "")}
}

// rename changes the names. One whose new name another field has already stays as it is: no value is lost.
func (b *brackets) rename(a *alert.Alert) {
	if b == nil || !strings.ContainsAny(a.Fields.JSON(), "[]") {
		return
	}
	all := make([]alert.Field, 0, 32)
	taken := make(map[string]bool, 32)
	found := false
	for name, value := range a.Fields.All() {
		all = append(all, alert.Field{Name: name, Value: value})
		taken[name] = true
		found = found || strings.ContainsAny(name, "[]")
	}
	if !found {
		return
	}
	for i := range all {
		name := b.replacer.Replace(all[i].Name)
		if name != all[i].Name && !taken[name] {
			delete(taken, all[i].Name)
			taken[name] = true
			all[i].Name = name
		}
	}
	a.Fields = alert.FieldsOf(all...)
}
