package config

import "strings"

// retired are keys of falcosidekick's for outputs that are here, which are read and do nothing, each with the reason.
var retired = map[string]string{
	"alertmanager.expireafter":             "falcosidekick reads alertmanager.expiresafter, its chart sets this one by mistake",
	"elasticsearch.type":                   "documents have no types since Elasticsearch 7",
	"elasticsearch.batching.enabled":       "alerts always go in bulk, as many as wait",
	"elasticsearch.batching.batchsize":     "alerts always go in bulk, as many as wait, up to 4MiB",
	"elasticsearch.batching.flushinterval": "an alert is sent at once; while it is on its way, others gather",
}

// IsRetired reports whether a key of falcosidekick's, by its path, is read and does nothing.
func IsRetired(path string) bool {
	_, ok := retired[path]
	return ok
}

// retired warns of a key that is read and does nothing, and reports whether it is one. A value that says nothing is no
// reason to warn.
func (l *loader) retired(path string, at origin, text string) bool {
	why, ok := retired[path]
	if !ok {
		return false
	}
	for _, f := range l.foreign {
		if key, below := strings.CutPrefix(path, f.path+"."); below && f.has(key) && f.says(key, text) {
			l.warn(at, path, "this key does nothing here: "+why)
			break
		}
	}
	return true
}

// isRetiredSection reports whether all that may stand below a path is read and does nothing.
func isRetiredSection(path string) bool {
	for key := range retired {
		if strings.HasPrefix(key, path+".") && strings.Contains(path, ".") {
			return true
		}
	}
	return false
}
