package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/size"
)

// The policy for a full journal.
//
// The stream itself refuses what does not fit (discard new), so nothing goes without our knowing. The sender is held
// for Config.FullWait, because a lane may make room at any moment. Then, with "discard-oldest", the oldest packs of
// the lowest priority go, never one that is more serious than what comes in, and every alert in them is counted. Falco
// does not look at the answer and never sends again, so refusing would lose the newest alert without a trace.

var (
	errDiskFull    = errors.New("the disk has less free space than the journal's reserve")
	errMoreSerious = errors.New("all that it holds is more serious than what came in")
)

// guard remembers the last look at the disk.
type guard struct {
	mu   sync.Mutex
	ask  func(dir string) (size.Bytes, error) // freeSpace
	at   time.Time
	free size.Bytes
	err  error
}

const guardEvery = 100 * time.Millisecond

// gain remembers whether discarding alerts gives a full disk room. Where somebody else fills it, it does not, and
// going on would cost every alert that the journal holds. It is used by the writer alone.
type gain struct {
	before    size.Bytes // free before anything was discarded
	discarded size.Bytes
}

// futile reports that discarding more would help nobody: at least most was, and less than half of that became free.
func (g *gain) futile(free, most size.Bytes) bool {
	if g.discarded == 0 {
		g.before = free
	}
	return g.discarded >= most && free-g.before < g.discarded/2
}

// vainMost is how much is discarded in vain at most: a file of the journal goes with the last alert in it, and such a
// file has up to 8 MiB.
func (j *Journal) vainMost() size.Bytes {
	return max(j.cfg.MaxSize/16, min(j.cfg.MaxSize/2, 16*size.MiB))
}

// diskGuard returns errDiskFull while the journal's disk has less free space than the reserve. JetStream does not
// recover from a write that fails for lack of space until it is started again, so it must not come to that.
func (j *Journal) diskGuard() error {
	if j.cfg.Reserve == 0 || j.cfg.URL != "" || j.cfg.Storage != StorageFile {
		return nil
	}
	g := &j.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Since(g.at) < guardEvery {
		return g.err
	}
	g.at = time.Now()
	free, err := g.ask(j.cfg.Dir)
	switch {
	case err != nil:
		g.err = nil // a file system that cannot be asked is not a full one
	case free < j.cfg.Reserve:
		g.err = fmt.Errorf("%w: %s free, %s reserved", errDiskFull, free, j.cfg.Reserve)
	default:
		g.err = nil
	}
	g.free = free
	return g.err
}

// room returns the free space that the last look found.
func (g *guard) room() size.Bytes {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.free
}

// forget lets the disk be asked at once the next time.
func (g *guard) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at = time.Time{}
}

// freeSpace is what a process without privileges may still write in dir's file system.
func freeSpace(dir string) (size.Bytes, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, fmt.Errorf("asking for the free space of %s: %w", dir, err)
	}
	const most = 1 << 62
	if fs.Bsize <= 0 || fs.Bavail > uint64(most/fs.Bsize) { //nolint:gosec // Bsize is positive here
		return most, nil
	}
	return size.Bytes(fs.Bavail) * size.Bytes(fs.Bsize), nil //nolint:gosec // bounded above
}

// episode is a time during which the journal is full. The sender is held once in it, at its beginning: if it were held
// for every pack, a full journal would take one pack in each FullWait.
type episode struct {
	since, last time.Time
}

// episodeEnds is how long the journal must not have been full for the next time to count as another episode.
const episodeEnds = 10 * time.Second

// hold notes that the journal is full now and reports whether to wait for a lane to make room.
func (e *episode) hold(wait time.Duration) bool {
	now := time.Now()
	if now.Sub(e.last) > episodeEnds {
		e.since = now
	}
	e.last = now
	return now.Sub(e.since) < wait
}

// discardLog sums up what was discarded, so that a journal that stays full writes a line every few seconds.
type discardLog struct {
	at     time.Time
	alerts uint64
	bytes  int
}

const discardLogEvery = 5 * time.Second

// roomPacks is how many packs are discarded at most before the writer tries again.
const roomPacks = 512

// makeRoom discards the oldest packs of the lowest priority that is not above route: at least need bytes of them, and
// a little of the whole, so that it is not called for every pack. It returns the bytes discarded.
func (j *Journal) makeRoom(ctx context.Context, l *link, route alert.Priority, need int) (int, error) {
	for _, p := range alert.Priorities() {
		if p > route {
			break
		}
		freed, alerts, last, err := j.oldest(ctx, l, p, max(4*need, int(j.cfg.MaxSize/128)))
		if err != nil {
			return 0, err
		}
		if last == 0 {
			continue
		}
		if err := l.alerts.Purge(ctx, jetstream.WithPurgeSubject(j.names.alerts(p)), jetstream.WithPurgeSequence(last+1)); err != nil {
			return 0, fmt.Errorf("discarding the oldest alerts: %w", err)
		}
		j.guard.forget() // it may have been enough
		var total uint64
		for route, n := range alerts {
			j.metrics.discarded[route].Add(float64(n))
			total += n
		}
		d := &j.discardLog
		d.alerts += total
		d.bytes += freed
		if time.Since(d.at) >= discardLogEvery {
			j.log.Error("the journal is full: the oldest alerts of the lowest priority were discarded before every output had them",
				"alerts", d.alerts, "bytes", d.bytes, "priority", p.String())
			*d = discardLog{at: time.Now()}
		}
		return freed, nil
	}
	return 0, errMoreSerious
}

// oldest adds up the oldest packs of priority p until they hold need bytes. last is the sequence of the last of
// them, 0 when there is none.
func (j *Journal) oldest(ctx context.Context, l *link, p alert.Priority, need int) (freed int, alerts odometer, last uint64, err error) {
	next := uint64(1)
	for range roomPacks {
		msg, err := l.alerts.GetMsg(ctx, next, jetstream.WithGetMsgSubject(j.names.alerts(p)))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			break
		}
		if err != nil {
			return freed, alerts, last, fmt.Errorf("looking for the oldest alerts: %w", err)
		}
		last, next = msg.Sequence, msg.Sequence+1
		freed += len(msg.Data)
		if pack, err := parsePack(msg.Data); err == nil {
			for _, f := range pack.frames {
				alerts[f.route]++
			}
		}
		if freed >= need {
			break
		}
	}
	return freed, alerts, last, nil
}
