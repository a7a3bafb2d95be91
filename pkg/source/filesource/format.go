package filesource

import (
	"bytes"
	"encoding/json"
	"regexp"
)

// record is what one line of a container's log says.
type record struct {
	stream  string // "stdout" or "stderr"
	text    []byte
	partial bool // the line goes on in the next record of the same stream
}

// criLine is a line of the container runtime interface: a time, a stream, P or F with tags perhaps, and the text.
var criLine = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2}) (stdout|stderr) ([PF])(?::\S*)? `)

// unwrap takes apart a line of a container's log: as containerd and CRI-O write it, or Docker's json-file. Any other
// line is no such record.
func unwrap(line []byte) (r record, ok bool) {
	if m := criLine.FindSubmatch(line); m != nil {
		return record{string(m[1]), line[len(m[0]):], m[2][0] == 'P'}, true
	}
	if !bytes.HasPrefix(line, []byte(`{"log":`)) {
		return record{}, false
	}
	var docker struct {
		Log    *string `json:"log"`
		Stream string  `json:"stream"`
	}
	if err := json.Unmarshal(line, &docker); err != nil || docker.Log == nil || docker.Stream == "" {
		return record{}, false
	}
	text, whole := bytes.CutSuffix([]byte(*docker.Log), []byte("\n"))
	return record{docker.Stream, text, !whole}, true
}
