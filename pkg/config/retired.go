package config

import "strings"

// retired are keys of falcosidekick's for outputs that are here, which are read and do nothing, each with the reason.
var retired = map[string]string{}

// retired warns of a key that is read and does nothing, and reports whether it is one. A value that says nothing is no
// reason to warn.
func (l *loader) retired(path string, at origin, text string) bool {
	why, ok := retired[path]
	if !ok {
		return false
	}
	for _, f := range foreigners() {
		if key, below := strings.CutPrefix(path, f.path+"."); below && f.has(key) && f.says(key, text) {
			l.warn(at, path, "this key does nothing here: "+why)
			break
		}
	}
	return true
}
