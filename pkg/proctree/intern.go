package proctree

import "strings"

// interned keeps one copy of each text that comes again and again: names, paths of programs, working directories. It
// makes most events free of allocations. It forgets everything when it is full; texts in use live on in who uses them.
type interned map[string]string

const (
	maxInterned    = 8192
	maxInternedLen = 512 // longer texts are seldom the same twice
)

// get gives a copy of s that does not point into an event.
func (in interned) get(s string) string {
	if s == "" {
		return ""
	}
	if known, ok := in[s]; ok {
		return known
	}
	s = strings.Clone(s)
	if len(s) > maxInternedLen {
		return s
	}
	if len(in) >= maxInterned {
		clear(in)
	}
	in[s] = s
	return s
}
