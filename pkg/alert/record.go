package alert

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unsafe"
)

// RecordVersion is the version of an alert's binary form, and its first byte. Integers without a size are unsigned
// varints (encoding/binary):
//
//	byte     version, 1
//	byte     priority
//	16 bytes ID
//	int64    received, Unix seconds; uint32 nanoseconds; both big endian
//	int64    time, Unix seconds; uint32 nanoseconds
//	text     the body, as received; or as mended, where it was no valid UTF-8
//	text     the original, where the body was mended, else empty
//	slice    output, rule, source, hostname, output_fields, extra
//	int      number of tags, then as many slices
//
// A text is its length and its bytes. A slice is either a place in the body (length<<1 | 1, then the offset), or a
// text of its own (length<<1, then the bytes). What normalization did not change is so stored once, and reading a
// record takes one allocation for all of its texts.
const RecordVersion = 1

const recordFixed = 2 + 16 + 2*12

// AppendRecord appends the alert's binary form, which [ParseRecord] reads.
func (a *Alert) AppendRecord(dst []byte) []byte {
	dst = append(dst, RecordVersion, byte(a.Priority))
	dst = append(dst, a.ID[:]...)
	dst = appendTime(dst, a.Received)
	dst = appendTime(dst, a.Time)
	dst = appendText(dst, a.body)
	dst = appendText(dst, a.original)
	w := sliceWriter{body: a.body}
	dst = w.append(dst, a.Output)
	dst = w.append(dst, a.Rule)
	dst = w.append(dst, a.Source)
	dst = w.append(dst, a.Hostname)
	dst = w.append(dst, a.Fields.text)
	dst = w.append(dst, a.Extra.text)
	dst = binary.AppendUvarint(dst, uint64(len(a.Tags)))
	for _, tag := range a.Tags {
		dst = w.append(dst, tag)
	}
	return dst
}

// RecordSize is at least the number of bytes that AppendRecord appends.
func (a *Alert) RecordSize() int {
	size := recordFixed + len(a.body) + len(a.original) + 12*(9+len(a.Tags))
	size += len(a.Output) + len(a.Rule) + len(a.Source) + len(a.Hostname) + len(a.Fields.text) + len(a.Extra.text)
	for _, tag := range a.Tags {
		size += len(tag)
	}
	return size
}

// sliceWriter writes texts as places in the body where they occur there.
type sliceWriter struct{ body string }

// minShared is the length from which a text is looked for in the body: a shorter one costs as little by itself.
const minShared = 8

func (w sliceWriter) append(dst []byte, text string) []byte {
	if len(text) >= minShared {
		if at := w.find(text); at >= 0 {
			dst = binary.AppendUvarint(dst, uint64(len(text))<<1|1)
			return binary.AppendUvarint(dst, uint64(at))
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(text))<<1)
	return append(dst, text...)
}

// find returns where text occurs in the body, or -1. What [Decode] took out of it and nobody changed lies there.
func (w sliceWriter) find(text string) int {
	at := uintptr(unsafe.Pointer(unsafe.StringData(text))) - uintptr(unsafe.Pointer(unsafe.StringData(w.body))) //nolint:gosec // compared only
	if len(text) <= len(w.body) && at <= uintptr(len(w.body)-len(text)) {
		return int(at)
	}
	return strings.Index(w.body, text)
}

func appendText(dst []byte, text string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(text)))
	return append(dst, text...)
}

func appendTime(dst []byte, t time.Time) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(t.Unix()))        //nolint:gosec // two's complement, read back as such
	return binary.BigEndian.AppendUint32(dst, uint32(t.Nanosecond())) //nolint:gosec // below 1e9
}

var errRecord = errors.New("the alert's record is damaged")

// ParseRecord reads what [Alert.AppendRecord] wrote. The alert's texts are slices of record, which must not change
// from now on: copying it is what most of the time would be spent on.
func ParseRecord(record []byte) (*Alert, error) {
	if len(record) < recordFixed {
		return nil, fmt.Errorf("%w: %d bytes are too few", errRecord, len(record))
	}
	if record[0] != RecordVersion {
		return nil, fmt.Errorf("%w: version %d, this program reads version %d", errRecord, record[0], RecordVersion)
	}
	if record[1] > byte(Emergency) {
		return nil, fmt.Errorf("%w: priority %d", errRecord, record[1])
	}
	a := &Alert{Priority: Priority(record[1]), ID: ID(record[2:18])}
	a.Received = timeAt(record[18:])
	a.Time = timeAt(record[30:])
	rest := record[recordFixed:]
	r := recordReader{rest: unsafe.String(unsafe.SliceData(rest), len(rest))} //nolint:gosec // the caller has promised not to change it
	a.body = r.text()
	a.original = r.text()
	a.Output = r.slice(a.body)
	a.Rule = r.slice(a.body)
	a.Source = r.slice(a.body)
	a.Hostname = r.slice(a.body)
	a.Fields.text = r.slice(a.body)
	a.Extra.text = r.slice(a.body)
	if tags := r.int(len(r.rest)); tags > 0 {
		a.Tags = make([]string, 0, min(tags, 64))
		for range tags {
			a.Tags = append(a.Tags, r.slice(a.body))
			if r.failed {
				break
			}
		}
	}
	if r.failed || r.rest != "" {
		return nil, fmt.Errorf("%w: %d of %d bytes do not fit", errRecord, len(r.rest), len(record))
	}
	return a, nil
}

func timeAt(b []byte) time.Time {
	seconds := int64(binary.BigEndian.Uint64(b)) //nolint:gosec // two's complement, as written
	return time.Unix(seconds, int64(binary.BigEndian.Uint32(b[8:]))).UTC()
}

type recordReader struct {
	rest   string
	failed bool
}

// int reads an integer from 0 to most.
func (r *recordReader) int(most int) int {
	var value uint64
	for i := 0; i < len(r.rest) && i < binary.MaxVarintLen64; i++ {
		b := r.rest[i]
		value |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			r.rest = r.rest[i+1:]
			if value > math.MaxInt || int(value) > most {
				break
			}
			return int(value)
		}
	}
	r.failed = true
	return 0
}

func (r *recordReader) take(n int) string {
	if n > len(r.rest) {
		r.failed = true
		return ""
	}
	text := r.rest[:n]
	r.rest = r.rest[n:]
	return text
}

func (r *recordReader) text() string { return r.take(r.int(len(r.rest))) }

func (r *recordReader) slice(body string) string {
	head := r.int(math.MaxInt)
	if length := head >> 1; head&1 == 0 {
		return r.take(length)
	} else if at := r.int(len(body)); length <= len(body)-at {
		return body[at : at+length]
	}
	r.failed = true
	return ""
}

// Clone returns a copy whose tags and members can be replaced without touching a.
func (a *Alert) Clone() *Alert {
	c := *a
	c.Tags = slices.Clone(a.Tags)
	return &c
}
