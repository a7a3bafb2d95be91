//go:build linux && (amd64 || arm64)

package probe

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"unsafe"

	"github.com/cilium/ebpf/link"
)

// snapshot hands over the processes that are there. Tracing of processes has begun before, so none is missed: one that
// starts meanwhile can come twice, with the same key.
func (p *Probe) snapshot(ctx context.Context, hand func(record []byte)) error {
	l, err := link.AttachIter(link.IterOptions{Program: p.objects.EachTask})
	if err != nil {
		return fmt.Errorf("attaching the iterator of tasks: %w", err)
	}
	defer l.Close()
	in, err := l.Open()
	if err != nil {
		return fmt.Errorf("opening the iterator of tasks: %w", err)
	}
	defer in.Close()
	args := argReader{max: p.opts.MaxArgs, maxEnv: p.opts.MaxEnv}
	return records(in, func(record []byte) {
		if ctx.Err() == nil {
			hand(args.add(record))
		}
	})
}

// records reads records that follow one another: each begins with a head that has its size, a multiple of 8.
func records(in io.Reader, each func([]byte)) error {
	words := make([]uint64, (64<<10)/8) // so that records are aligned
	buffer := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(words)*8)
	headSize := int(unsafe.Sizeof(bpfHead{}))
	sizeAt := int(unsafe.Offsetof(bpfHead{}.Size))
	have := 0
	for {
		n, err := in.Read(buffer[have:])
		have += n
		begin := 0
		for have-begin >= headSize {
			size := int(binary.NativeEndian.Uint32(buffer[begin+sizeAt:]))
			if size < headSize || size%8 != 0 || size > len(buffer) {
				return fmt.Errorf("a record of %d bytes is none of ours", size)
			}
			if have-begin < size {
				break
			}
			each(buffer[begin : begin+size : begin+size])
			begin += size
		}
		have = copy(buffer, buffer[begin:have])
		if errors.Is(err, io.EOF) {
			if have > 0 {
				return fmt.Errorf("%d bytes behind the last record: %w", have, io.ErrUnexpectedEOF)
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// argReader reads arguments and environments of other processes.
type argReader struct {
	max, maxEnv     int
	args, env, stat []byte
	whole           []uint64 // words, so that the record is aligned
}

// add puts behind a record what the iterator cannot read. A process that ended meanwhile, or whose pid is another's by
// now, stays without. The record that it returns is valid until the next call.
func (a *argReader) add(record []byte) []byte {
	e, err := view[bpfProcess](record)
	if err != nil {
		return record // decoding it will say so
	}
	dir := "/proc/" + strconv.Itoa(int(e.Head.Pid))
	var argsTotal, envTotal int
	a.args, argsTotal = readUpTo(a.args, dir+"/cmdline", a.max)
	if a.maxEnv > 0 {
		a.env, envTotal = readUpTo(a.env, dir+"/environ", a.maxEnv)
	}
	// Only now can it be known whose they were.
	var same bool
	if a.stat, same = alive(a.stat, Key{int32(e.Head.Pid), e.Head.Start}); !same {
		return record
	}
	size := len(record) + len(a.args) + len(a.env)
	if need := (size + 7) / 8; len(a.whole) < need {
		a.whole = make([]uint64, need)
	}
	whole := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(a.whole))), size)
	copy(whole[copy(whole, record):], a.args)
	copy(whole[len(record)+len(a.args):], a.env)
	e = (*bpfProcess)(unsafe.Pointer(unsafe.SliceData(a.whole)))
	e.Head.Size = uint32(size)
	e.ArgsOff, e.ArgsLen, e.ArgsTotal = uint32(len(record)), uint32(len(a.args)), uint32(argsTotal)
	e.EnvOff, e.EnvLen, e.EnvTotal = uint32(len(record)+len(a.args)), uint32(len(a.env)), uint32(envTotal)
	return whole
}

// readUpTo reads a file into buf, which it may replace, and keeps at most limit bytes. total is one more than that when
// there were more.
func readUpTo(buf []byte, name string, limit int) (_ []byte, total int) {
	if cap(buf) < limit+1 {
		buf = make([]byte, limit+1)
	}
	buf = buf[:limit+1]
	file, err := os.Open(name)
	if err != nil {
		return buf[:0], 0
	}
	defer file.Close()
	n, err := io.ReadFull(file, buf)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return buf[:0], 0
	}
	return buf[:min(n, limit)], n
}

// clockTick is the unit of start times in /proc, in nanoseconds: USER_HZ is 100 on every architecture we have.
const clockTick = 10_000_000

// procStat is what of /proc/PID/stat is used.
type procStat struct {
	comm                 string
	ppid, pgid, sid, tty int
	start                uint64 // nanoseconds since boot, a multiple of clockTick
}

// Alive reports whether a process is still there: whether its pid has not become another's. What was read of /proc/PID
// before was then its own.
func (k Key) Alive() bool {
	_, same := alive(nil, k)
	return same
}

// alive is Key.Alive with memory to be used again.
func alive(buffer []byte, k Key) (_ []byte, same bool) {
	buffer, _ = readUpTo(buffer, "/proc/"+strconv.Itoa(int(k.PID))+"/stat", 4096)
	stat, err := parseStat(buffer)
	return buffer, err == nil && stat.start/clockTick == k.Start/clockTick
}

// parseStat reads /proc/PID/stat. The name is in parentheses and may contain any byte, also parentheses and blanks.
func parseStat(line []byte) (procStat, error) {
	var s procStat
	open, closing := bytes.IndexByte(line, '('), bytes.LastIndexByte(line, ')')
	if open < 0 || closing < open {
		return s, errors.New("no name in parentheses")
	}
	s.comm = string(line[open+1 : closing])
	fields := bytes.Fields(line[closing+1:])
	// The first of these is field 3 of proc(5), the state.
	if len(fields) < 20 {
		return s, fmt.Errorf("%d fields behind the name, at least 20 are expected", len(fields))
	}
	for _, f := range []struct {
		at int
		to *int
	}{{1, &s.ppid}, {2, &s.pgid}, {3, &s.sid}, {4, &s.tty}} {
		n, err := strconv.ParseInt(string(fields[f.at]), 10, 64)
		if err != nil {
			return s, fmt.Errorf("field %d: %w", f.at+3, err)
		}
		*f.to = int(n)
	}
	ticks, err := strconv.ParseUint(string(fields[19]), 10, 64)
	if err != nil {
		return s, fmt.Errorf("field 22: %w", err)
	}
	s.start = ticks * clockTick
	return s, nil
}
