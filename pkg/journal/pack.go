package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/klauspost/compress/s2"

	"github.com/tiercel/tiercel/pkg/alert"
)

// A pack is what one message of the stream holds: the alerts that came in while the last one was being written.
//
//	byte    version, 2
//	uvarint number of frames
//	8 × uvarint  the odometer: alerts written before this pack, for each route from debug up
//	the frames, compressed as one S2 block (github.com/klauspost/compress/s2), which begins with their length
//	frames, each: byte route, uvarint length, the alert's record (alert.AppendRecord)
//
// The route is the priority that decides which lanes want the alert, so that a lane can pass over a frame without
// reading the record. Alerts are much alike: compressing a pack costs less than the copies, the checksum and the fsync
// of what it saves. Version 1, which is still read, has the frames as they are.
const (
	packVersion      = 2
	packUncompressed = 1
)

const (
	// packAlerts and packBytes bound a pack. An alert that is larger gets a pack of its own.
	packAlerts = 1024
	packBytes  = 512 << 10
	// packFrames bounds the frames of a pack before they are compressed, in bytes: memory for what a pack says that it
	// holds is made before it is known to be true.
	packFrames = largestMessage
	// packHeader is at least the size of a pack's header.
	packHeader = 1 + 9*binary.MaxVarintLen64
)

// odometer counts alerts by their route.
type odometer [8]uint64

// from sums the counts of priority p and above.
func (o odometer) from(p alert.Priority) uint64 {
	var total uint64
	for _, count := range o[p:] {
		total += count
	}
	return total
}

func (o *odometer) add(counts odometer) {
	for i, count := range counts {
		o[i] += count
	}
}

// appendFrame appends a's frame.
func appendFrame(dst []byte, a *alert.Alert) []byte {
	dst = append(dst, byte(a.Route()))
	// The length is not known before the record is written; three bytes hold up to 2 MiB, so leave room for the most
	// that a record can take and move it if it takes less.
	start := len(dst)
	dst = append(dst, make([]byte, binary.MaxVarintLen32)...)
	dst = a.AppendRecord(dst)
	record := dst[start+binary.MaxVarintLen32:]
	n := binary.PutUvarint(dst[start:], uint64(len(record)))
	copy(dst[start+n:], record)
	return dst[:start+n+len(record)]
}

// appendPack appends the pack of number frames, which are one after the other in frames, at most packFrames bytes.
func appendPack(dst, frames []byte, number int, before odometer) []byte {
	dst = append(dst, packVersion)
	dst = binary.AppendUvarint(dst, uint64(number)) //nolint:gosec // a length
	for _, count := range before {
		dst = binary.AppendUvarint(dst, count)
	}
	dst = slices.Grow(dst, s2.MaxEncodedLen(len(frames)))
	return dst[:len(dst)+len(s2.Encode(dst[len(dst):cap(dst)], frames))]
}

// parsed is a pack that was read, or that was just written.
type parsed struct {
	frames []frame // read only
	after  odometer
	size   int // of the frames, bytes
}

type frame struct {
	route  alert.Priority
	number uint32       // its place in the pack, from 0
	size   int          // of the record, bytes
	alert  *alert.Alert // of a pack just written, else nil
	record []byte       // of a pack that was read, else nil
}

// open returns the frame's alert.
func (f *frame) open() (*alert.Alert, error) {
	if f.alert != nil {
		return f.alert, nil
	}
	return alert.ParseRecord(f.record)
}

// wanted returns the frames of at least priority minimum, without copying where these are all.
func (p *parsed) wanted(minimum alert.Priority) []frame {
	for i := range p.frames {
		if p.frames[i].route >= minimum {
			continue
		}
		some := slices.Clone(p.frames[:i])
		for _, f := range p.frames[i:] {
			if f.route >= minimum {
				some = append(some, f)
			}
		}
		return some
	}
	return p.frames
}

var (
	errPack = errors.New("the pack is damaged")
	// errNewer stops a lane rather than throw away what a later version of this program can read.
	errNewer = errors.New("the pack was written by another version of Tiercel: start that version again")
)

// parsePack reads a pack. The frames may be slices of data.
func parsePack(data []byte) (*parsed, error) {
	if len(data) == 0 {
		return nil, fmt.Errorf("%w: it is empty", errPack)
	}
	if data[0] != packVersion && data[0] != packUncompressed {
		return nil, fmt.Errorf("%w: version %d, this program reads version %d", errNewer, data[0], packVersion)
	}
	rest := data[1:]
	uvarint := func() (uint64, bool) {
		value, n := binary.Uvarint(rest)
		if n <= 0 {
			return 0, false
		}
		rest = rest[n:]
		return value, true
	}
	count, ok := uvarint()
	p := new(parsed)
	for i := range p.after {
		var read bool
		p.after[i], read = uvarint()
		ok = ok && read
	}
	if !ok {
		return nil, fmt.Errorf("%w: odometer", errPack)
	}
	if data[0] == packVersion {
		var err error
		if rest, err = expand(rest); err != nil {
			return nil, err
		}
	}
	if count > uint64(len(rest)) {
		return nil, fmt.Errorf("%w: %d frames in %d bytes", errPack, count, len(rest))
	}
	p.size = len(rest)
	p.frames = make([]frame, 0, count)
	for range count {
		if len(rest) < 2 || rest[0] > byte(alert.Emergency) {
			return nil, fmt.Errorf("%w: frame %d", errPack, len(p.frames))
		}
		f := frame{route: alert.Priority(rest[0]), number: uint32(len(p.frames))} //nolint:gosec // less than the bytes of data
		rest = rest[1:]
		length, ok := uvarint()
		if !ok || length > uint64(len(rest)) {
			return nil, fmt.Errorf("%w: frame %d", errPack, len(p.frames))
		}
		f.size = int(length) //nolint:gosec // at most the length of data
		f.record, rest = rest[:length], rest[length:]
		if length > 0 && f.record[0] != alert.RecordVersion {
			return nil, fmt.Errorf("%w: an alert of version %d, this program reads version %d", errNewer, f.record[0], alert.RecordVersion)
		}
		p.after[f.route]++
		p.frames = append(p.frames, f)
	}
	return p, nil
}

// expand gives the frames of which block is the compressed form.
func expand(block []byte) ([]byte, error) {
	size, err := s2.DecodedLen(block)
	if err == nil && size > packFrames {
		err = fmt.Errorf("%d bytes are more than %d", size, packFrames)
	}
	var frames []byte
	if err == nil {
		frames, err = s2.Decode(nil, block)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: its frames: %w", errPack, err)
	}
	return frames, nil
}
