package loki

import (
	"strconv"

	"github.com/klauspost/compress/s2"
	"google.golang.org/protobuf/encoding/protowire"
)

// Tags of the fields of Loki's push API, package logproto (grafana/loki, pkg/push/push.proto): number and wire type.
const (
	number1    = 1 << 3
	number2    = 2 << 3
	number3    = 3 << 3
	varintType = byte(protowire.VarintType)
	bytesType  = byte(protowire.BytesType)

	requestStreams = number1 | bytesType

	streamLabels  = number1 | bytesType
	streamEntries = number2 | bytesType

	entryTimestamp = number1 | bytesType
	entryLine      = number2 | bytesType
	entryMetadata  = number3 | bytesType

	timestampSeconds = number1 | varintType
	timestampNanos   = number2 | varintType

	pairName  = number1 | bytesType
	pairValue = number2 | bytesType
)

// tagSize is the size of each of these tags.
const tagSize = 1

// protobufWire is a PushRequest in a snappy block, which Loki and its own clients speak among themselves.
type protobufWire struct{}

func (protobufWire) contentType() string { return "application/x-protobuf" }

// labels writes {name="value", name="value"}, as Prometheus does: values are quoted as Go strings are.
func (protobufWire) labels(dst []byte, labels []pair) []byte {
	dst = append(dst, '{')
	for i, l := range labels {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(dst, l.name...)
		dst = append(dst, '=')
		dst = appendQuoted(dst, l.value)
	}
	return append(dst, '}')
}

// appendQuoted is [strconv.AppendQuote], with a short way for what needs no escape.
func appendQuoted(dst []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			return strconv.AppendQuote(dst, text)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, text...)
	return append(dst, '"')
}

// appendEntryStart appends an entry up to its metadata.
func appendEntryStart(dst []byte, at timestamp, line []byte) []byte {
	dst = appendSize(append(dst, entryTimestamp), sizeVarint(at.seconds)+sizeVarint(at.nanos))
	dst = appendVarint(dst, timestampSeconds, at.seconds)
	dst = appendVarint(dst, timestampNanos, at.nanos)
	return appendText(dst, entryLine, line)
}

func (protobufWire) entry(dst []byte, at timestamp, line []byte, metadata []pair) []byte {
	dst = appendEntryStart(dst, at, line)
	for _, p := range metadata {
		size := 2*tagSize + protowire.SizeBytes(len(p.name)) + protowire.SizeBytes(len(p.value))
		dst = appendSize(append(dst, entryMetadata), size)
		dst = appendText(dst, pairName, p.name)
		dst = appendText(dst, pairValue, p.value)
	}
	return dst
}

func appendText[T string | []byte](dst []byte, tag byte, text T) []byte {
	dst = appendSize(append(dst, tag), len(text))
	return append(dst, text...)
}

func appendSize(dst []byte, size int) []byte {
	if size < 0x80 {
		return append(dst, byte(size)) //nolint:gosec // below 0x80
	}
	return protowire.AppendVarint(dst, uint64(size))
}

// appendVarint leaves a zero out, as proto3 does.
func appendVarint(dst []byte, tag byte, value int64) []byte {
	if value == 0 {
		return dst
	}
	return protowire.AppendVarint(append(dst, tag), uint64(value)) //nolint:gosec // two's complement, as protobuf has int64
}

func sizeVarint(value int64) int {
	if value == 0 {
		return 0
	}
	return tagSize + protowire.SizeVarint(uint64(value)) //nolint:gosec // as above
}

func (protobufWire) body(out, scratch []byte, r *request) (body, space []byte) {
	scratch = scratch[:0]
	for _, s := range r.streams {
		size := tagSize + protowire.SizeBytes(s.labels.to-s.labels.from)
		for at := s.first; at >= 0; at = r.entries[at].next {
			size += tagSize + protowire.SizeBytes(r.entries[at].to-r.entries[at].from)
		}
		scratch = appendSize(append(scratch, requestStreams), size)
		scratch = appendText(scratch, streamLabels, r.at(s.labels))
		for at := s.first; at >= 0; at = r.entries[at].next {
			scratch = appendText(scratch, streamEntries, r.at(r.entries[at].part))
		}
	}
	return s2.EncodeSnappy(out[:cap(out)], scratch), scratch
}
