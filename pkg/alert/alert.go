// Package alert is the one thing that travels: an alert as Falco sends it, or as the probe makes it.
//
// An Alert is built once at the door ([Decode], or a literal by the probe), normalized, written to the journal in
// its binary form ([Alert.AppendRecord]) and from then on only read. Its texts are slices of one string, so an
// alert costs few allocations and can be shared between goroutines.
package alert

import (
	"crypto/rand"
	"encoding/hex"
	"time"
)

// TestRule is the rule of the test alert, which every output takes whatever its minimum priority and filter say.
const TestRule = "Test rule"

// Alert is one alert. It is read-only once it is in the journal.
type Alert struct {
	ID       ID
	Received time.Time // when it came in, UTC
	Time     time.Time // when it happened, as the sender says, UTC
	Priority Priority
	Rule     string
	Source   string   // "syscall", a Falco plugin's name, "k8s_audit", "terminal", "internal"
	Hostname string   // the node it happened on; may be empty
	Output   string   // the sentence for people; may be empty
	Tags     []string // sorted
	Fields   Fields   // output_fields
	Extra    Fields   // top-level members that we do not know, kept as they came

	body     string // the JSON text that the texts above may be slices of; valid UTF-8
	original string // what was received, where that was not valid UTF-8
}

// Raw returns the alert as it was received, byte for byte. It is empty for an alert that did not come in as JSON.
func (a *Alert) Raw() string {
	if a.original != "" {
		return a.original
	}
	return a.body
}

// IsTest reports whether this is the test alert.
func (a *Alert) IsTest() bool { return a.Rule == TestRule }

// Route is the priority that decides who may get the alert: its own, or the highest for the test alert.
func (a *Alert) Route() Priority {
	if a.IsTest() {
		return Emergency
	}
	return a.Priority
}

// ID is an alert's UUID (RFC 9562).
type ID [16]byte

// NewID makes a random ID, UUID version 4.
func NewID() ID {
	var id ID
	// crypto/rand.Read never fails since Go 1.24: it ends the program instead.
	_, _ = rand.Read(id[:])
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// ParseID reads the usual text form of a UUID, 36 characters.
func ParseID(text string) (ID, bool) {
	var id ID
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return ID{}, false
	}
	compact := text[:8] + text[9:13] + text[14:18] + text[19:23] + text[24:]
	if _, err := hex.Decode(id[:], []byte(compact)); err != nil {
		return ID{}, false
	}
	return id, id != ID{}
}

// String gives the usual text form.
func (id ID) String() string { return string(id.appendText(make([]byte, 0, 36))) }

// AppendText appends the usual text form. It never fails.
func (id ID) AppendText(dst []byte) ([]byte, error) { return id.appendText(dst), nil }

func (id ID) appendText(dst []byte) []byte {
	dst = hex.AppendEncode(dst, id[0:4])
	dst = append(dst, '-')
	dst = hex.AppendEncode(dst, id[4:6])
	dst = append(dst, '-')
	dst = hex.AppendEncode(dst, id[6:8])
	dst = append(dst, '-')
	dst = hex.AppendEncode(dst, id[8:10])
	dst = append(dst, '-')
	return hex.AppendEncode(dst, id[10:16])
}
