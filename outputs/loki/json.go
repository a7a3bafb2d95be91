package loki

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonWire is the JSON form of the push API, as falcosidekick sends it.
type jsonWire struct{}

func (jsonWire) contentType() string { return "application/json" }

func (jsonWire) labels(dst []byte, labels []pair) []byte { return appendObject(dst, labels) }

// entry writes ["nanoseconds","line"], or with structured metadata ["nanoseconds","line",{"name":"value"}].
func (jsonWire) entry(dst []byte, at timestamp, line []byte, metadata []pair) []byte {
	dst = append(dst, `["`...)
	dst = strconv.AppendInt(dst, at.unixNano(), 10)
	dst = append(dst, `",`...)
	dst = appendJSONText(dst, string(line))
	if len(metadata) > 0 {
		dst = append(dst, ',')
		dst = appendObject(dst, metadata)
	}
	return append(dst, ']')
}

func (jsonWire) body(out, scratch []byte, r *request) (body, space []byte) {
	out = append(out[:0], `{"streams":[`...)
	for i, s := range r.streams {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, `{"stream":`...)
		out = append(out, r.at(s.labels)...)
		out = append(out, `,"values":[`...)
		for at := s.first; at >= 0; at = r.entries[at].next {
			if at != s.first {
				out = append(out, ',')
			}
			out = append(out, r.at(r.entries[at].part)...)
		}
		out = append(out, "]}"...)
	}
	return append(out, "]}"...), scratch
}

func appendObject(dst []byte, pairs []pair) []byte {
	dst = append(dst, '{')
	for i, p := range pairs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSONText(dst, p.name)
		dst = append(dst, ':')
		dst = appendJSONText(dst, p.value)
	}
	return append(dst, '}')
}

// appendJSONText appends a JSON string; invalid UTF-8 becomes U+FFFD, which is all that the error would be about.
func appendJSONText(dst []byte, text string) []byte {
	dst, _ = jsontext.AppendQuote(dst, text)
	return dst
}
