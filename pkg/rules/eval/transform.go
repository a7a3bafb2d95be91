package eval

import (
	"encoding/base64"
	"strings"

	"github.com/tiercel/tiercel/pkg/rules/field"
)

// lower changes ASCII letters only, as the C locale does. It allocates only if there is something to change.
func lower(s string) string { return mapASCII(s, 'A', 'Z', 'a'-'A') }

// upper is the reverse: adding 224 to a byte takes 32 away.
func upper(s string) string { return mapASCII(s, 'a', 'z', 256-('a'-'A')) }

func mapASCII(s string, from, to, add byte) string {
	for i := range len(s) {
		if s[i] < from || s[i] > to {
			continue
		}
		b := []byte(s)
		for ; i < len(b); i++ {
			if b[i] >= from && b[i] <= to {
				b[i] += add
			}
		}
		return string(b)
	}
	return s
}

// basename is the last part of a path, blank for a path that ends in a slash.
func basename(s string) string { return s[strings.LastIndexByte(s, '/')+1:] }

// decodeBase64 decodes with or without padding; a text that is no Base64 becomes a missing value.
func decodeBase64(v field.Value) field.Value {
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(v.Str(), "="))
	if err != nil {
		return field.Value{}
	}
	return field.Text(string(b))
}

// options reads arguments as getopt(3) does: single letters, several after one dash, those followed by a colon in
// spec with a value in the same word or the next. Words that are no options are passed over; "--" ends the options.
func options(args, spec string, yield func(option, value string) bool) {
	for args != "" {
		var word string
		word, args = cutWord(args)
		if word == "--" {
			return
		}
		if len(word) < 2 || word[0] != '-' || word[1] == '-' {
			continue
		}
		for i := 1; i < len(word); i++ {
			at := strings.IndexByte(spec, word[i])
			if at < 0 || word[i] == ':' {
				continue
			}
			value := ""
			takes := at+1 < len(spec) && spec[at+1] == ':'
			if takes {
				if value = word[i+1:]; value == "" && !strings.HasPrefix(spec[at+1:], "::") {
					value, args = cutWord(args)
				}
			}
			if !yield(word[i:i+1], value) {
				return
			}
			if takes {
				break
			}
		}
	}
}

func cutWord(args string) (word, rest string) {
	args = strings.TrimLeft(args, " ")
	word, rest, _ = strings.Cut(args, " ")
	return word, rest
}
