//go:build linux && (amd64 || arm64)

package probe

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unsafe"
)

// A recording is what the kernel wrote, as it came: the same decoder makes the same events of it, on any machine of the
// same byte order. All numbers are little endian.
//
//	8 bytes   TIERCEL and a NUL
//	4         version of the recording: recordVersion
//	4         number of sizes
//	4 each    sizes of the C types that records are made of; a probe whose types differ cannot read it
//	          padded to a multiple of 8, then frames:
//	4         length of what follows the frame's head
//	4         frameRecord, frameWall, frameLost or frameReady
//	…         padded to a multiple of 8
//
// frameRecord has a record. frameWall has what makes a time since boot one since 1970, in nanoseconds: it holds for what
// follows. frameLost has kind, cause, count, first, last and the time since boot, each in 8 bytes, frameReady the time
// since boot.
const (
	recordMagic   = "TIERCEL\x00"
	recordVersion = 1

	frameRecord = 1
	frameWall   = 2
	frameLost   = 3
	frameReady  = 4

	// No record is longer: the whole head, arguments and environment.
	maxFrame = 64<<10 + 2*maxStrings
)

// recordSizes are the types' sizes, in the order in which they are written.
func recordSizes() []uint32 {
	return []uint32{
		uint32(unsafe.Sizeof(bpfHead{})),
		uint32(unsafe.Sizeof(bpfProcess{})),
		uint32(unsafe.Sizeof(bpfFork{})),
		uint32(unsafe.Sizeof(bpfExit{})),
		uint32(unsafe.Sizeof(bpfSyscall{})),
		uint32(unsafe.Sizeof(bpfFdInfo{})),
		uint32(unsafe.Sizeof(bpfSockInfo{})),
		ttyRecordSize,
		uint32(sysCount),
	}
}

// recorder writes a recording. After its first error it writes nothing more. A nil one writes nothing at all.
type recorder struct {
	to   *bufio.Writer
	wall int64
	err  error
	some bool
}

func newRecorder(to io.Writer) *recorder {
	if to == nil {
		return nil
	}
	r := &recorder{to: bufio.NewWriterSize(to, 256<<10)}
	sizes := recordSizes()
	head := []byte(recordMagic)
	head = binary.LittleEndian.AppendUint32(head, recordVersion)
	head = binary.LittleEndian.AppendUint32(head, uint32(len(sizes)))
	for _, size := range sizes {
		head = binary.LittleEndian.AppendUint32(head, size)
	}
	for len(head)%8 != 0 {
		head = append(head, 0)
	}
	_, r.err = r.to.Write(head)
	return r
}

func (r *recorder) frame(kind uint32, payload []byte) {
	if r.err != nil {
		return
	}
	var head [8]byte
	binary.LittleEndian.PutUint32(head[:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(head[4:], kind)
	_, err := r.to.Write(head[:])
	if err == nil {
		_, err = r.to.Write(payload)
	}
	if pad := -len(payload) & 7; err == nil && pad > 0 {
		var zero [8]byte
		_, err = r.to.Write(zero[:pad])
	}
	if err != nil {
		r.err = fmt.Errorf("writing the recording: %w", err)
	}
}

// record writes a record, and before it the clock where that has changed by more than a millisecond.
func (r *recorder) record(record []byte, wall int64) {
	if r == nil {
		return
	}
	r.clock(wall)
	r.frame(frameRecord, record)
}

func (r *recorder) clock(wall int64) {
	if d := wall - r.wall; r.some && d > -1_000_000 && d < 1_000_000 {
		return
	}
	r.wall, r.some = wall, true
	r.frame(frameWall, binary.LittleEndian.AppendUint64(nil, uint64(wall)))
}

// event writes an event that is not the kernel's.
func (r *recorder) event(e *Event, wall int64) {
	if r == nil {
		return
	}
	r.clock(wall)
	switch e.Kind {
	case KindLost:
		var b []byte
		for _, n := range []uint64{uint64(e.Lost.Kind), uint64(e.Lost.Cause), e.Lost.Count, e.Lost.First, e.Lost.Last, e.Boot} {
			b = binary.LittleEndian.AppendUint64(b, n)
		}
		r.frame(frameLost, b)
	case KindReady:
		r.frame(frameReady, binary.LittleEndian.AppendUint64(nil, e.Boot))
	}
}

// flush writes what is kept back, and returns the first error of all.
func (r *recorder) flush() error {
	if r == nil {
		return nil
	}
	if r.err == nil {
		if err := r.to.Flush(); err != nil {
			r.err = fmt.Errorf("writing the recording: %w", err)
		}
	}
	return r.err
}

// Replay hands over the events of a recording, as Run did when it was made, until its end, until ctx ends, or until it
// cannot be read: a recording that was cut gives what is whole and then an error. It needs no kernel.
func Replay(ctx context.Context, in io.Reader, handle func(*Event)) error {
	from := bufio.NewReaderSize(in, 256<<10)
	if err := readRecordHead(from); err != nil {
		return err
	}
	var (
		d      = decoder{tick: 1}
		seq    uint64
		wall   int64
		words  []uint64
		number int
	)
	deliver := func(e *Event) {
		seq++
		e.Seq = seq
		e.Wall = int64(e.Boot) + wall
		handle(e)
	}
	for ctx.Err() == nil {
		var head [8]byte
		if _, err := io.ReadFull(from, head[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("the recording is cut behind frame %d: %w", number, err)
		}
		number++
		size, kind := int(binary.LittleEndian.Uint32(head[:])), binary.LittleEndian.Uint32(head[4:])
		if size > maxFrame {
			return fmt.Errorf("frame %d of the recording has %d bytes, at most %d are possible", number, size, maxFrame)
		}
		need := (size + 7) / 8
		if len(words) < need {
			words = make([]uint64, max(need, 8<<10)) // words, so that records are aligned
		}
		frame := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(words)*8)
		if _, err := io.ReadFull(from, frame[:need*8]); err != nil {
			return fmt.Errorf("the recording is cut in frame %d: %w", number, errors.Join(err, io.ErrUnexpectedEOF))
		}
		frame = frame[:size:size]
		switch {
		case kind == frameRecord:
			e, err := d.decode(frame)
			if err != nil {
				return fmt.Errorf("frame %d of the recording: %w", number, err)
			}
			if e.Kind == KindExit && d.doubleExit(e.Task.Key) {
				continue
			}
			deliver(e)
		case kind == frameWall && size == 8:
			wall = int64(binary.LittleEndian.Uint64(frame))
		case kind == frameLost && size == 48:
			var n [6]uint64
			for i := range n {
				n[i] = binary.LittleEndian.Uint64(frame[8*i:])
			}
			if n[0] >= uint64(kindCount) || n[1] >= uint64(causeCount) {
				return fmt.Errorf("frame %d of the recording: a loss of kind %d by cause %d", number, n[0], n[1])
			}
			d.lost = Lost{Kind: Kind(n[0]), Cause: Cause(n[1]), Count: n[2], First: n[3], Last: n[4]}
			deliver(&Event{Kind: KindLost, Boot: n[5], Lost: &d.lost})
		case kind == frameReady && size == 8:
			deliver(&Event{Kind: KindReady, Boot: binary.LittleEndian.Uint64(frame)})
		default:
			return fmt.Errorf("frame %d of the recording has kind %d and %d bytes, which is none that this version knows", number, kind, size)
		}
	}
	return nil
}

// readRecordHead reads up to the first frame.
func readRecordHead(in io.Reader) error {
	var head [16]byte
	if _, err := io.ReadFull(in, head[:]); err != nil || string(head[:8]) != recordMagic {
		return errors.New("this is no recording of the probe: it does not begin with TIERCEL and a NUL")
	}
	version, count := binary.LittleEndian.Uint32(head[8:]), binary.LittleEndian.Uint32(head[12:])
	sizes := recordSizes()
	other := func(what string) error {
		return fmt.Errorf("the recording is of another version of the probe (%s): replay it with the version that made it", what)
	}
	if version != recordVersion {
		return other(fmt.Sprintf("its format is %d, ours %d", version, recordVersion))
	}
	if int64(count) != int64(len(sizes)) {
		return other("its records have other types")
	}
	rest := make([]byte, (4*len(sizes)+7)&^7)
	if _, err := io.ReadFull(in, rest); err != nil {
		return fmt.Errorf("the recording is cut in its head: %w", io.ErrUnexpectedEOF)
	}
	for i, size := range sizes {
		if got := binary.LittleEndian.Uint32(rest[4*i:]); got != size {
			return other(fmt.Sprintf("type %d of its records has size %d, ours %d", i, got, size))
		}
	}
	return nil
}
