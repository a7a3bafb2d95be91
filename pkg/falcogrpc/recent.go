package falcogrpc

import (
	"context"
	"errors"
	"math"
	"sync"

	"github.com/tiercel/tiercel/pkg/alert"
)

// recent holds the last alerts, once for all subscribers: each has only its place in it. Whoever adds never waits; a
// reader whose place is gone was too slow.
type recent struct {
	limit int // bytes

	mu      sync.Mutex
	entries []*entry // by age
	first   uint64   // number of the oldest
	bytes   int
	more    chan struct{} // closed when something is added; nil while nobody waits
	readers map[*reader]struct{}
	got     uint64 // number behind the last alert that a get took
}

// entry is an alert, encoded by the first subscriber that sends it.
type entry struct {
	size int // about as many bytes as it takes

	once  sync.Once
	alert *alert.Alert // until it is encoded
	raw   Raw
}

// message gives the alert as all subscribers send it.
func (e *entry) message() *Raw {
	e.once.Do(func() {
		e.raw.Bytes = Append(make([]byte, 0, e.size), e.alert)
		e.alert = nil
	})
	return &e.raw
}

// reader is one subscriber's place.
type reader struct {
	slow chan struct{} // closed when the place is gone

	next  uint64 // number of the alert that comes next
	until uint64 // number of the first that is not for it
}

var (
	errTooSlow = errors.New("the next alert to send is gone")
	errAll     = errors.New("that was all")
)

func newRecent(limit int) *recent { return &recent{limit: limit, readers: map[*reader]struct{}{}} }

// add takes an alert in and lets the oldest go that there is no more room for.
func (r *recent) add(a *alert.Alert) {
	e := &entry{size: a.RecordSize(), alert: a}
	r.mu.Lock()
	r.entries = append(r.entries, e)
	r.bytes += e.size
	if r.bytes > r.limit {
		r.trim()
	}
	more := r.more
	r.more = nil
	r.mu.Unlock()
	if more != nil {
		close(more)
	}
}

// trim makes room, and tells the readers whose place it takes. The caller holds the lock.
func (r *recent) trim() {
	for r.bytes > r.limit && len(r.entries) > 1 {
		r.bytes -= r.entries[0].size
		r.entries[0] = nil
		r.entries = r.entries[1:]
		r.first++
	}
	for reader := range r.readers {
		if reader.next < r.first && reader.next < reader.until {
			close(reader.slow)
			delete(r.readers, reader)
		}
	}
}

// end is the number of the alert that comes next. The caller holds the lock.
func (r *recent) end() uint64 { return r.first + uint64(len(r.entries)) }

// follow makes a reader of all that comes from now on.
func (r *recent) follow() *reader {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reader(r.end(), math.MaxUint64)
}

// rest makes a reader of what is there and that no such reader had before: Falco gives each alert to one get.
func (r *recent) rest() *reader {
	r.mu.Lock()
	defer r.mu.Unlock()
	from := max(r.got, r.first)
	r.got = r.end()
	return r.reader(from, r.got)
}

func (r *recent) reader(next, until uint64) *reader {
	reader := &reader{slow: make(chan struct{}), next: next, until: until}
	r.readers[reader] = struct{}{}
	return reader
}

// leave ends a reader.
func (r *recent) leave(reader *reader) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.readers, reader)
}

// read gives a reader its next alerts, at most limit of them, appended to batch. It waits until there is one. Once
// ctx has ended it gives only what is there by then; the end of that is errAll.
func (r *recent) read(ctx context.Context, reader *reader, batch []*entry, limit int) ([]*entry, error) {
	for {
		r.mu.Lock()
		if ctx.Err() != nil {
			reader.until = min(reader.until, r.end())
		}
		if reader.next >= reader.until {
			r.mu.Unlock()
			return batch, errAll
		}
		if reader.next < r.first {
			r.mu.Unlock()
			return batch, errTooSlow
		}
		if n := min(r.end(), reader.until) - reader.next; n > 0 {
			n = min(n, uint64(limit)) //nolint:gosec // limits are positive
			at := reader.next - r.first
			batch = append(batch, r.entries[at:at+n]...)
			reader.next += n
			r.mu.Unlock()
			return batch, nil
		}
		if r.more == nil {
			r.more = make(chan struct{})
		}
		more := r.more
		r.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
		}
	}
}
