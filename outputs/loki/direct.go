package loki

import (
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/tiercel/tiercel/pkg/alert"
)

// The usual form of the request, protobuf with structured metadata and labels that come from no field, is most of what
// the encoder costs. Here an alert is written in one pass over its fields' JSON text, straight into the request. What
// comes out is what [encoder.add] would write; where that needs more than this way knows, it is taken instead.

// uuidPiece is the begin of the piece of metadata that holds an alert's UUID, up to its 36 characters.
func uuidPiece() string {
	name := nameOf("uuid")
	piece := appendSize([]byte{entryMetadata}, len(name)+2*tagSize+uuidLength)
	piece = append(piece, name...)
	return string(append(piece, pairValue, uuidLength))
}

// uuidLength is the length of a UUID's text form, in bytes.
const uuidLength = 36

// direct adds one alert, the i-th of its batch, and reports whether it could.
func (e *encoder) direct(i int, a *alert.Alert) bool {
	e.names.begin()
	e.ownLabels(a)
	stream := e.stream()
	from := len(e.text)
	e.line = e.layout.line(e.line[:0], a, e.names)
	e.text = appendEntryStart(e.text, timestampOf(a.Time), e.line)
	e.text = append(e.text, e.uuid...)
	e.text, _ = a.ID.AppendText(e.text) // never fails
	pieces, size := 1, len("uuid")+uuidLength
	if len(a.Tags) > 0 {
		before := len(e.text)
		e.text = appendTags(e.text, e.tags, a.Tags)
		pieces++
		size += len(e.text) - before // some bytes more than it counts
	}
	var m alert.Member
	for _, fields := range [...]alert.Fields{a.Fields, a.Extra} {
		for w := fields.Walk(); w.Next(&m); {
			var value string
			if m.Plain {
				value = m.PlainText()
			} else {
				value = safe(m.Value.Text())
			}
			if value == "" {
				continue // null, or an empty text
			}
			name := e.names.of(m.Name).name
			if name.round == e.names.round {
				// The second of a name that Loki takes for the same. This is rare.
				unique := e.names.unique(name)
				e.text = appendPiece(e.text, nameOf(unique), value)
				size += len(unique)
			} else {
				e.names.mark(name)
				e.text = appendPiece(e.text, name.wire, value)
				size += len(name.text)
			}
			pieces++
			size += len(value)
		}
	}
	if size > maxMetadataBytes || pieces > maxMetadata {
		e.text = e.text[:from]
		return false
	}
	e.enter(stream, i, from)
	return true
}

// appendPiece appends a piece of metadata; name is what [nameOf] gives.
func appendPiece(dst []byte, name, value string) []byte {
	dst = appendSize(append(dst, entryMetadata), len(name)+tagSize+protowire.SizeBytes(len(value)))
	dst = append(dst, name...)
	return appendText(dst, pairValue, value)
}

// appendTags is [appendPiece] for the alert's tags with commas between.
func appendTags(dst []byte, name string, tags []string) []byte {
	length := len(tags) - 1
	for _, tag := range tags {
		if !alert.IsPlain(tag) {
			return appendPiece(dst, name, safe(strings.Join(tags, ",")))
		}
		length += len(tag)
	}
	dst = appendSize(append(dst, entryMetadata), len(name)+tagSize+protowire.SizeBytes(length))
	dst = append(dst, name...)
	dst = appendSize(append(dst, pairValue), length)
	for i, tag := range tags {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, tag...)
	}
	return dst
}

// nameOf is the name of a piece of metadata as it stands in the request.
func nameOf(name string) string { return string(appendText(nil, pairName, name)) }
