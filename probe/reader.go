//go:build linux && (amd64 || arm64)

package probe

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reader takes records from the two rings, in the order of time.
//
// Nobody wakes it for each record: it sleeps at most Options.Latency, is woken when much waits or when a record must not
// wait (a line at a terminal), and then takes all there is. When nothing came for a while it sleeps until the first
// record, whatever it is.
type reader struct {
	probe  *Probe
	handle func(*Event)
	poll   int // epoll of both rings and of wakeup
	wakeup int // written when ctx ends
	idle   int // how often in a row nothing was there
	wall   int64
	losses time.Time // when losses were last looked at
	tape   *recorder
}

const (
	// After so many sleeps in a row without a record the reader sleeps until one comes.
	idleAfter = 20
	// How often the kernel's counters of losses are read while records come.
	lossPeriod = time.Second
)

func newReader(p *Probe, handle func(*Event)) (*reader, error) {
	r := &reader{probe: p, handle: handle, poll: -1, wakeup: -1, wall: wallOffset(), tape: newRecorder(p.opts.Record)}
	var err error
	if r.poll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("making an epoll: %w", err)
	}
	if r.wakeup, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		r.close()
		return nil, fmt.Errorf("making an eventfd: %w", err)
	}
	for _, fd := range []int{p.rings[0].fd, p.rings[1].fd, r.wakeup} {
		event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
		if fd != r.wakeup {
			// Only what comes while we sleep counts: what waits below the threshold must not end the sleep at once.
			event.Events |= unix.EPOLLET
		}
		if err := unix.EpollCtl(r.poll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
			r.close()
			return nil, fmt.Errorf("watching a ring: %w", err)
		}
	}
	return r, nil
}

func (r *reader) close() {
	_ = unix.Close(r.poll)
	_ = unix.Close(r.wakeup)
}

// stop ends a sleep for good.
func (r *reader) stop() {
	one := [8]byte{1}
	_, _ = unix.Write(r.wakeup, one[:])
}

func (r *reader) run(ctx context.Context) error {
	for {
		n := r.drain(ctx)
		select {
		case <-ctx.Done():
			return r.tape.flush()
		default:
		}
		if n > 0 || r.probe.lossPending() {
			r.idle = 0
			if now := time.Now(); now.Sub(r.losses) >= lossPeriod {
				r.losses = now
				r.reportLosses()
			}
		} else {
			r.idle++
			if r.idle == idleAfter {
				r.reportLosses()
			}
		}
		if err := r.tape.flush(); err != nil {
			return err
		}
		if err := r.sleep(); err != nil {
			return err
		}
		r.wall = wallOffset()
	}
}

// sleep waits for records.
func (r *reader) sleep() error {
	c := r.probe.controls()
	timeout := int(max(r.probe.opts.Latency/time.Millisecond, 1))
	wake := uint32(r.probe.opts.WakeBytes)
	if r.idle >= idleAfter {
		timeout, wake = -1, 1
	}
	atomic.StoreUint32(&c.WakeBytes, wake)
	for i := range c.Asleep {
		atomic.StoreUint32(&c.Asleep[i], 1)
	}
	// What came before the flags were set woke nobody.
	if atomic.SwapUint32(&c.Urgent, 0) != 0 || timeout < 0 && r.probe.rings[0].waiting()+r.probe.rings[1].waiting() > 0 {
		return nil
	}
	var events [3]unix.EpollEvent
	_, err := unix.EpollWait(r.poll, events[:], timeout)
	for i := range c.Asleep {
		atomic.StoreUint32(&c.Asleep[i], 0)
	}
	atomic.StoreUint32(&c.Urgent, 0)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("waiting for events: %w", err)
	}
	return nil
}

// drain hands over what waits, and returns how many that were. Records of two rings are merged by their time.
//
// What happened first must come first where one is the cause of the other: an exec before the opens of the new program,
// and its end after them. So: bulk is only taken up to where it was written when the pass began, after which the end of
// the process ring is looked at: everything that came before those records is in sight. And a record of the process
// ring that is younger than the begin of the pass waits for the next pass, because older bulk may still come.
func (r *reader) drain(ctx context.Context) int {
	process, bulk := r.probe.rings[0], r.probe.rings[1]
	total := 0
	for ctx.Err() == nil {
		begin := bootNow()
		bulkEnd := bulk.end()
		processEnd := process.end()
		n, busy := 0, false
		for {
			a, busyA := process.peek(processEnd)
			b, busyB := bulk.peek(bulkEnd)
			if busyA || busyB {
				busy = true
				break
			}
			if a == nil && b == nil {
				break
			}
			switch {
			case b == nil || a != nil && timeOf(a) <= timeOf(b):
				if timeOf(a) > begin && b == nil {
					// Of the next pass, which comes at once.
					busy = true
					break
				}
				r.record(a)
				process.take(a)
			default:
				r.record(b)
				bulk.take(b)
			}
			if busy {
				break
			}
			n++
			if n&1023 == 0 && ctx.Err() != nil {
				break
			}
		}
		process.tell()
		bulk.tell()
		total += n
		if n == 0 && !busy {
			break
		}
		if busy && n == 0 {
			runtime.Gosched() // a record is being written on another CPU
		}
	}
	return total
}

// timeOf is when a record was made: its first member. A record that is too short for it is the oldest, and refused soon.
func timeOf(record []byte) uint64 {
	if len(record) < 8 {
		return 0
	}
	return *(*uint64)(unsafe.Pointer(unsafe.SliceData(record)))
}

// record decodes one and hands it over.
func (r *reader) record(record []byte) {
	event, err := r.probe.decoder.decode(record)
	if err != nil {
		r.probe.countBad(record, err)
		return
	}
	if event.Kind == KindExit && r.probe.decoder.doubleExit(event.Task.Key) {
		return
	}
	r.tape.record(record, r.wall)
	r.deliver(event)
}

// say hands over an event that is not the kernel's.
func (r *reader) say(event *Event) {
	r.tape.event(event, r.wall)
	r.deliver(event)
}

// deliver numbers an event and hands it over.
func (r *reader) deliver(event *Event) {
	r.probe.seq++
	event.Seq = r.probe.seq
	event.Wall = int64(event.Boot) + r.wall // 292 years
	r.probe.received[event.Kind].Add(1)
	r.handle(event)
}
