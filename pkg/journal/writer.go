package journal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/size"
)

// writer is the group commit: while one pack is on its way to the disk, the requests that come in gather for the next.
type writer struct {
	j       *Journal
	queue   chan *request
	ended   chan struct{} // closed when run has returned
	session string        // begins the message ids of this process
	serial  uint64
	full    episode
	gain    gain
	frames  []byte // memory of the last pack, to be used again
	payload []byte

	mu    sync.Mutex // guards total
	total odometer   // alerts written so far, in this process and before
}

// request is a part of one Append, at most a pack in size.
type request struct {
	frames []byte
	alerts []frame // the alerts themselves, for the lanes of this process
	counts odometer
	number int
	route  alert.Priority // the highest
	done   chan error     // capacity 1
}

var requests = sync.Pool{New: func() any { return &request{done: make(chan error, 1)} }}

// patience is how long one write may take beside the time that a full journal may take. A request that comes in
// behind one waits at most twice as long.
const patience = 10 * time.Second

// answerTimeout is how long the stream may take to answer one publish.
const answerTimeout = 5 * time.Second

// lingerTime is how long a pack waits at most for half as many requests as the last one held.
const lingerTime = 300 * time.Microsecond

func newWriter(j *Journal, total odometer) *writer {
	return &writer{j: j, queue: make(chan *request, 256), ended: make(chan struct{}), session: rand.Text()[:12], total: total}
}

// append hands alerts to the writer and waits for the outcome of all parts.
func (w *writer) append(ctx context.Context, alerts []*alert.Alert) error {
	var one [1]*request
	parts := one[:0]
	for _, a := range alerts {
		var last *request
		if len(parts) > 0 {
			last = parts[len(parts)-1]
		}
		if last == nil || last.number >= packAlerts || len(last.frames)+a.RecordSize() > packBytes {
			last = requests.Get().(*request)
			last.frames, last.alerts, last.counts, last.number, last.route = last.frames[:0], last.alerts[:0], odometer{}, 0, 0
			parts = append(parts, last)
		}
		before := len(last.frames)
		last.frames = appendFrame(last.frames, a)
		last.alerts = append(last.alerts, frame{route: a.Route(), size: len(last.frames) - before, alert: a})
		last.counts[a.Route()]++
		last.number++
		last.route = max(last.route, a.Route())
	}
	for _, part := range parts {
		select {
		case w.queue <- part:
		case <-ctx.Done():
			return ctx.Err()
		case <-w.ended:
			return ErrClosed
		}
	}
	var failed error
	for _, part := range parts {
		select {
		case err := <-part.done:
			failed = errors.Join(failed, err)
			if cap(part.frames) <= 2*packBytes {
				clear(part.alerts)
				requests.Put(part)
			}
		// A request whose outcome was not waited for may still be in the writer's hands, so it does not go back to the pool.
		case <-ctx.Done():
			return ctx.Err()
		case <-w.ended:
			return ErrClosed
		}
	}
	return failed
}

// run writes packs until ctx ends.
func (w *writer) run(ctx context.Context) {
	defer close(w.ended)
	var (
		batch   []*request
		carried *request // did not fit into the last pack
		// How many requests the last pack held. While so many senders are active, a pack of two or three would cost
		// the disk as much as one of all of them; a single sender never waits.
		expected int
		linger   = time.NewTimer(time.Hour)
	)
	defer linger.Stop()
	for {
		batch = batch[:0]
		first := carried
		carried = nil
		if first == nil {
			select {
			case first = <-w.queue:
			case <-ctx.Done():
				return
			}
		}
		batch = append(batch, first)
		size, number := len(first.frames), first.number
		// Those who were answered by the last pack are about to send again: let them, before the pack closes.
		runtime.Gosched()
		var lingering <-chan time.Time
	gather:
		for {
			var next *request
			select {
			case next = <-w.queue:
			default:
				if len(batch) >= expected/2 {
					break gather
				}
				if lingering == nil {
					linger.Reset(lingerTime)
					lingering = linger.C
				}
				select {
				case next = <-w.queue:
				case <-lingering:
					break gather
				}
			}
			if number+next.number > packAlerts || size+len(next.frames) > packBytes {
				carried = next
				break gather
			}
			batch = append(batch, next)
			size += len(next.frames)
			number += next.number
		}
		expected = len(batch)
		w.write(ctx, batch, number)
	}
}

// write puts one pack into the stream and tells each request of it.
func (w *writer) write(ctx context.Context, batch []*request, number int) {
	var route alert.Priority
	var counts odometer
	for _, r := range batch {
		route = max(route, r.route)
		counts.add(r.counts)
	}
	frames := batch[0].frames
	if len(batch) > 1 {
		w.frames = w.frames[:0]
		for _, r := range batch {
			w.frames = append(w.frames, r.frames...)
		}
		frames = w.frames
	}
	var err error
	if len(frames) > packFrames {
		err = fmt.Errorf("%w: %d bytes, the journal takes %d", ErrTooLarge, len(frames), packFrames)
	} else {
		w.payload = appendPack(w.payload[:0], frames, number, w.written())
		w.serial++
		id := w.session + strconv.FormatUint(w.serial, 36)
		if w.j.recent != nil {
			w.remember(id, batch, number, len(frames), counts)
		}
		err = w.publish(ctx, route, id, w.payload)
	}
	if err == nil {
		w.mu.Lock()
		w.total.add(counts)
		w.mu.Unlock()
		w.j.metrics.wrote(number, len(w.payload))
	}
	for _, r := range batch {
		r.done <- err
	}
	if errors.Is(err, ErrUnavailable) {
		w.refuseWaiting(err)
	}
	if cap(w.frames) > 2*packBytes { // an alert that was larger than packs are
		w.frames = nil
	}
	if cap(w.payload) > 2*packBytes+packHeader {
		w.payload = nil
	}
}

// remember keeps the pack's alerts for the lanes of this process.
func (w *writer) remember(id string, batch []*request, number, size int, counts odometer) {
	p := &parsed{frames: make([]frame, 0, number), after: w.written(), size: size}
	p.after.add(counts)
	for _, r := range batch {
		p.frames = append(p.frames, r.alerts...)
	}
	for i := range p.frames {
		p.frames[i].number = uint32(i)
	}
	w.j.recent.put(id, p, size)
}

// refuseWaiting gives err to the requests that came in while the journal did not answer: they have waited as long,
// and their turn would only fail in the same way. A pack that is too large, or not serious enough for a full journal,
// says nothing about them.
func (w *writer) refuseWaiting(err error) {
	for {
		select {
		case r := <-w.queue:
			r.done <- err
		default:
			return
		}
	}
}

// written returns the odometer: how many alerts of each route were written so far.
func (w *writer) written() odometer {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.total
}

// JetStream's error codes for "no room".
const (
	codeMaxBytes          jetstream.ErrorCode = 10077 // the stream's limit
	codeStorageExceeded   jetstream.ErrorCode = 10047 // the account's or server's limit
	codeMemoryExceeded    jetstream.ErrorCode = 10028
	codeInsufficientSpace jetstream.ErrorCode = 10023
)

func isFull(err error) bool {
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode {
	case codeMaxBytes, codeStorageExceeded, codeMemoryExceeded, codeInsufficientSpace:
		return true
	}
	return false
}

// publish writes one message, through a full journal and a restart, or says why it cannot.
func (w *writer) publish(ctx context.Context, route alert.Priority, id string, payload []byte) error {
	j := w.j
	msg := &nats.Msg{Subject: j.names.alerts(route), Header: nats.Header{}, Data: payload}
	deadline := time.Now().Add(j.cfg.FullWait + patience)
	for swept := false; ; {
		waiting, cancel := context.WithDeadline(ctx, deadline)
		l, err := j.current(waiting)
		cancel()
		if err != nil {
			return err
		}
		if len(payload) > int(l.nc.MaxPayload())-1024 {
			return fmt.Errorf("%w: %d bytes, the journal takes %d", ErrTooLarge, len(payload), l.nc.MaxPayload()-1024)
		}
		if err = j.diskGuard(); err == nil {
			w.gain = gain{}
			began := time.Now()
			err = l.write(ctx, msg, id)
			j.metrics.writeSeconds.Observe(time.Since(began).Seconds())
		}
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ErrClosed
		case (isFull(err) || errors.Is(err, errDiskFull)) && l.server != nil && !swept:
			swept = true
			if err := j.sweep(ctx, l, true); err != nil {
				j.log.Warn("delivered alerts could not be removed from a full journal", "error", err)
			}
			j.guard.forget()
		case isFull(err) || errors.Is(err, errDiskFull):
			swept = false
			if w.full.hold(j.cfg.FullWait) {
				pause(ctx, 20*time.Millisecond)
				continue
			}
			if j.cfg.Full == FullRefuse || time.Now().After(deadline) {
				return fmt.Errorf("%w: %w", ErrFull, err)
			}
			onDisk := errors.Is(err, errDiskFull)
			if onDisk && w.gain.futile(j.guard.room(), j.vainMost()) {
				return fmt.Errorf("%w: %w", ErrFull, err)
			}
			freed, err := j.makeRoom(ctx, l, route, len(payload))
			if errors.Is(err, errMoreSerious) {
				return fmt.Errorf("%w: %w", ErrFull, err)
			}
			if err != nil {
				return fmt.Errorf("%w: %w", ErrUnavailable, err)
			}
			if onDisk {
				w.gain.discarded += size.Bytes(freed)
			}
		case time.Now().After(deadline):
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		default:
			// No answer: the write may or may not have happened. The id makes the next try harmless.
			j.metrics.writeErrors.Inc()
			if l.server != nil || l.nc.IsClosed() {
				j.replace(ctx, l, err)
			} else {
				pause(ctx, 100*time.Millisecond)
			}
		}
	}
}

// write publishes msg and waits until the stream has it.
func (l *link) write(ctx context.Context, msg *nats.Msg, id string) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	_, err := l.js.PublishMsg(ctx, msg, jetstream.WithMsgID(id), jetstream.WithRetryAttempts(0))
	return err
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
