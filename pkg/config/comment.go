package config

import (
	"reflect"
	"strings"
)

// module is what is left out of the keys of comments.
const module = "github.com/tiercel/tiercel/"

// commentOf gives the comment of a struct's field, as the generator found it, or "".
func commentOf(t reflect.Type, field string) string {
	return comments[strings.TrimPrefix(t.PkgPath(), module)+"."+t.Name()+"."+field]
}

// lineWidth is how long a line of a comment in the config file is at most.
const lineWidth = 118

// wrapped breaks a comment into lines, each with a prefix. A word that is too long stays whole.
func wrapped(comment, prefix string) string {
	var b strings.Builder
	line := ""
	flush := func() {
		if line != "" {
			b.WriteString(prefix + line + "\n")
		}
		line = ""
	}
	for word := range strings.FieldsSeq(comment) {
		if line != "" && len(prefix)+len(line)+1+len(word) > lineWidth {
			flush()
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	flush()
	return b.String()
}
