package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tiercel/tiercel/pkg/alert"
)

const (
	// ackWait is how long the stream waits for an ack before it gives a pack out again: after a crash, the packs that
	// were under way come again so much later. The cursor says "still working" three times in it.
	ackWait = 6 * time.Second
	// windowPacks and windowBytes bound what a cursor holds: packs given out and not yet done.
	windowPacks = 2048
	windowBytes = 2 << 20
	// prefetch is how many packs may wait in the client beside the window.
	prefetch = 32
	// pullExpiry is how long one request for packs stands. The server seldom holds a backlog back until something new
	// comes in or the next request does, so this is how long alerts may be late by it.
	pullExpiry = 5 * time.Second
	// remembered is how many sequences of packs already done are kept, to know a pack again that comes once more.
	remembered = 4096
)

// Entry is an alert that a cursor gave out. It is done when [Cursor.Done] is told so.
type Entry struct {
	Alert *alert.Alert
	Size  int // of its record, bytes
	// Retried says that somebody asked for this alert to be sent again, whatever the lane's filter says.
	Retried bool
	// Sequence is the number of the pack that the alert came in. It grows with each pack that is written.
	Sequence uint64
	// Number is the alert's place in that pack, from 0.
	Number uint32

	pack *pack
}

// packID tells packs apart. A sequence alone does not: a stream that was lost and made again counts from 1.
type packID struct {
	seq    uint64
	stored int64 // when it was written, Unix nanoseconds
}

// pack is a message of the stream that a cursor holds.
type pack struct {
	id      packID
	msg     jetstream.Msg
	stored  time.Time // when it was written
	frames  []frame   // those that are not read yet
	retried bool
	undone  int // alerts that are not done, read or not
	size    int
}

// Cursor is one lane's place in the journal. Next and Done may be called from one goroutine each.
type Cursor struct {
	j    *Journal
	lane string
	idle time.Duration
	gone bool // see Lane.Gone

	mu      sync.Mutex
	minimum alert.Priority   // of the alerts that the lane wants
	unread  []*pack          // in the order in which they came
	late    []*pack          // came in when the cursor was ending; they are only given back
	held    map[packID]*pack // not done
	bytes   int              // of the packs held
	undone  uint64           // alerts in them
	last    *pack            // done, but not acknowledged yet; see finish
	done    map[packID]bool  // the last packs that are done
	ring    []packID         // their order
	horizon odometer         // where the newest pack seen ends
	seen    time.Time        // when the newest pack seen was written
	pending uint64           // packs that the stream has for this lane and did not give out yet
	ready   chan struct{}    // capacity 1: something was added to unread
	room    chan struct{}    // capacity 1: something left held

	entries []Entry // what Next returned last, to be used again; only Next uses it
}

// Lane names a lane and says which alerts it wants.
type Lane struct {
	Name    string // letters, digits, - and _, and / between an output and its instance
	Minimum alert.Priority
	// Idle is how long the place stays when nobody reads from it; 0 is for ever.
	Idle time.Duration
	// Gone says that its output is no longer configured: it is only wound up. See [Journal.Served].
	Gone bool
}

// Cursor makes the place of a lane, or finds it again as it was left. A new lane begins with what comes next. Make
// the cursors of all lanes before the first Append: the journal keeps only what some lane wants. Run must be called
// for alerts to come.
func (j *Journal) Cursor(ctx context.Context, lane Lane) (*Cursor, error) {
	c := &Cursor{
		j: j, lane: lane.Name, minimum: lane.Minimum, idle: lane.Idle, gone: lane.Gone,
		held: map[packID]*pack{}, done: map[packID]bool{},
		seen: time.Now(), ready: make(chan struct{}, 1), room: make(chan struct{}, 1),
	}
	l, err := j.current(ctx)
	if err != nil {
		return nil, err
	}
	var consumer jetstream.Consumer
	err = patiently(ctx, func(ctx context.Context) (err error) {
		consumer, err = c.consumer(ctx, l)
		return err
	})
	if err != nil {
		return nil, err
	}
	if info := consumer.CachedInfo(); info.NumPending == 0 && info.NumAckPending == 0 {
		c.horizon = j.writer.written()
	}
	j.mu.Lock()
	j.cursors[lane.Name] = c
	j.mu.Unlock()
	return c, nil
}

// Want changes from which priority up the lane gets alerts. What it holds already stays.
func (c *Cursor) Want(ctx context.Context, minimum alert.Priority) error {
	l, err := c.j.current(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	old := c.minimum
	c.minimum = minimum
	c.mu.Unlock()
	err = patiently(ctx, func(ctx context.Context) error {
		_, err := c.consumer(ctx, l)
		return err
	})
	if err != nil {
		c.mu.Lock()
		c.minimum = old
		c.mu.Unlock()
	}
	return err
}

func (c *Cursor) wanted() alert.Priority {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.minimum
}

// consumer makes the durable consumer, or changes it to what the lane wants now.
func (c *Cursor) consumer(ctx context.Context, l *link) (jetstream.Consumer, error) {
	n := c.j.names
	want := jetstream.ConsumerConfig{
		Durable:        n.consumer(c.lane),
		Description:    "Tiercel: output " + c.lane,
		DeliverPolicy:  jetstream.DeliverNewPolicy,
		AckPolicy:      jetstream.AckExplicitPolicy, // acking one pack must never ack another
		AckWait:        ackWait,
		MaxDeliver:     -1,
		MaxAckPending:  windowPacks + prefetch,
		FilterSubjects: n.filters(c.lane, c.wanted()),
		HeadersOnly:    l.server != nil, // see recent
		Metadata:       map[string]string{"lane": c.lane},

		InactiveThreshold: c.idle,
	}
	existing, err := l.alerts.Consumer(ctx, want.Durable)
	if err == nil {
		want.DeliverPolicy = existing.CachedInfo().Config.DeliverPolicy
		if info := existing.CachedInfo(); info.NumPending > 0 || info.NumAckPending > 0 {
			// What the lane no longer wants would stay in the stream for ever, so the filter gets narrower only when
			// nothing waits; until then the cursor passes over those alerts by itself.
			want.FilterSubjects = union(want.FilterSubjects, info.Config.FilterSubjects)
		}
	} else if !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil, fmt.Errorf("finding the place of output %s: %w", c.lane, err)
	}
	consumer, err := l.alerts.CreateOrUpdateConsumer(ctx, want)
	if err != nil {
		return nil, fmt.Errorf("making the place of output %s: %w", c.lane, err)
	}
	return consumer, nil
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// Run brings packs in until ctx ends. Then it gives back what is not done; that comes again at most ackWait after the
// next start.
func (c *Cursor) Run(ctx context.Context) {
	var working sync.WaitGroup
	working.Go(func() { c.keepAlive(ctx) })
	working.Go(func() { c.markServed(ctx) })
	for ctx.Err() == nil {
		l, err := c.j.current(ctx)
		if err != nil {
			if errors.Is(err, ErrClosed) {
				break
			}
			continue
		}
		if err := c.pump(ctx, l); err != nil && ctx.Err() == nil && l.gone.Err() == nil {
			c.j.log.Warn("reading the journal failed, trying again", "output", c.lane, "error", err)
			pause(ctx, 500*time.Millisecond)
		}
	}
	working.Wait()
	c.giveBack(context.WithoutCancel(ctx))
}

// pump reads packs over one connection until it or ctx ends.
func (c *Cursor) pump(ctx context.Context, l *link) error {
	opening, cancel := context.WithTimeout(ctx, 30*time.Second)
	consumer, err := c.consumer(opening, l)
	cancel()
	if err != nil {
		return err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(prefetch), jetstream.PullExpiry(pullExpiry))
	if err != nil {
		return fmt.Errorf("reading from the stream: %w", err)
	}
	defer messages.Stop()
	defer context.AfterFunc(ctx, messages.Drain)()
	defer context.AfterFunc(l.gone, messages.Stop)()
	for c.waitForRoom(ctx, l) {
		msg, err := messages.Next()
		switch {
		case errors.Is(err, jetstream.ErrMsgIteratorClosed):
			return nil
		case errors.Is(err, jetstream.ErrNoHeartbeat):
			continue // the next pull request is sent by the library
		case err != nil:
			return err
		}
		if ctx.Err() != nil {
			c.putBack(msg)
			break
		}
		if err := c.add(ctx, l, msg); err != nil {
			return err
		}
	}
	// What was sent in advance is given back with what is held: to stop would leave it to ackWait, and what is still
	// coming to a subscription that ends a moment later.
	messages.Drain()
	for {
		msg, err := messages.Next(jetstream.NextMaxWait(time.Second))
		if err != nil {
			return nil
		}
		c.putBack(msg)
	}
}

// waitForRoom waits until the window has room.
func (c *Cursor) waitForRoom(ctx context.Context, l *link) bool {
	for {
		c.mu.Lock()
		full := c.bytes >= windowBytes || len(c.held) >= windowPacks
		c.mu.Unlock()
		if !full {
			return true
		}
		select {
		case <-c.room:
		case <-ctx.Done():
			return false
		case <-l.gone.Done():
			return false
		}
	}
}

// again says whether a pack is held already or is done, and has come again because its ack was late or lost. The caller
// holds the lock.
func (c *Cursor) again(id packID, msg jetstream.Msg) bool {
	switch held, ok := c.held[id]; {
	case ok:
		held.msg = msg
	case c.last != nil && c.last.id == id:
		c.last.msg = msg
	case c.done[id]:
		_ = msg.Ack() // if that does not arrive, it comes once more
	default:
		return false
	}
	return true
}

// putBack keeps a message that came in too late for giveBack.
func (c *Cursor) putBack(msg jetstream.Msg) {
	meta, err := msg.Metadata()
	if err != nil {
		return // add has no use for it either
	}
	id := packID{meta.Sequence.Stream, meta.Timestamp.UnixNano()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.again(id, msg) {
		c.late = append(c.late, &pack{id: id, msg: msg})
	}
}

// add takes a message in. One that is held already, or that is done, came again because its ack was late or lost.
func (c *Cursor) add(ctx context.Context, l *link, msg jetstream.Msg) error {
	meta, err := msg.Metadata()
	if err != nil {
		return fmt.Errorf("a message without metadata: %w", err)
	}
	read, err := c.j.packOf(ctx, l, msg, meta.Sequence.Stream)
	switch {
	case errors.Is(err, errPack):
		c.j.metrics.damaged.Inc()
		c.j.log.Error("a damaged pack in the journal is passed over", "output", c.lane, "sequence", meta.Sequence.Stream, "error", err)
		return msg.Ack()
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return msg.Ack() // discarded meanwhile, to make room, and counted there
	case err != nil:
		return err // it comes again after ackWait
	}
	id := packID{meta.Sequence.Stream, meta.Timestamp.UnixNano()}
	p := &pack{id: id, msg: msg, stored: meta.Timestamp, retried: c.j.names.isRetry(msg.Subject()), size: read.size}
	minimum := c.wanted()
	if p.retried {
		minimum = alert.Debug
	}
	p.frames = read.wanted(minimum)
	p.undone = len(p.frames)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = meta.NumPending
	if c.again(id, msg) {
		return nil
	}
	if p.undone == 0 {
		return msg.Ack()
	}
	if !p.retried && read.after.from(alert.Debug) > c.horizon.from(alert.Debug) {
		c.horizon = read.after
	}
	c.held[id] = p
	c.seen = p.stored
	c.bytes += p.size
	c.undone += uint64(p.undone) //nolint:gosec // a length
	c.unread = append(c.unread, p)
	signal(c.ready)
	return nil
}

// packOf finds the pack of a message: in the message itself, among the recent ones, or in the stream.
func (j *Journal) packOf(ctx context.Context, l *link, msg jetstream.Msg, seq uint64) (*parsed, error) {
	if l.server == nil {
		return parsePack(msg.Data())
	}
	if p := j.recent.get(msg.Headers().Get(jetstream.MsgIDHeader)); p != nil {
		return p, nil
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	stored, err := l.alerts.GetMsg(ctx, seq)
	if err != nil {
		return nil, fmt.Errorf("reading pack %d: %w", seq, err)
	}
	return parsePack(stored.Data)
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Next waits until there is an alert and returns what is there: at most limit alerts, and at most size bytes of them,
// but at least one. It returns ctx's error when ctx ends first. The slice is used again by the next call.
func (c *Cursor) Next(ctx context.Context, limit, size int) ([]Entry, error) {
	for {
		c.entries = c.take(c.entries[:0], limit, size)
		if len(c.entries) > 0 {
			return c.entries, nil
		}
		select {
		case <-c.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// take appends what is there now, which may be nothing.
func (c *Cursor) take(entries []Entry, limit, size int) []Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	total := 0
	for len(c.unread) > 0 && len(entries) < limit {
		p := c.unread[0]
		for len(p.frames) > 0 && len(entries) < limit {
			f := p.frames[0]
			if size > 0 && len(entries) > 0 && total+f.size > size {
				return entries
			}
			p.frames = p.frames[1:]
			a, err := f.open()
			if err != nil {
				c.j.metrics.damaged.Inc()
				c.j.log.Error("a damaged alert in the journal is passed over", "output", c.lane, "sequence", p.id.seq, "error", err)
				c.finish(p)
				continue
			}
			total += f.size
			entries = append(entries, Entry{Alert: a, Size: f.size, Retried: p.retried, Sequence: p.id.seq, Number: f.number, pack: p})
		}
		if len(p.frames) == 0 {
			c.unread[0] = nil
			c.unread = c.unread[1:]
		}
	}
	return entries
}

// Done says that entries need nothing more: they were delivered, buried or not wanted. A pack whose alerts are all
// done is acknowledged.
func (c *Cursor) Done(entries ...Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range entries {
		c.finish(e.pack)
	}
}

// finish counts one alert of p as done. The caller holds the lock.
func (c *Cursor) finish(p *pack) {
	p.undone--
	c.undone--
	if p.undone > 0 {
		return
	}
	// The newest pack done is acknowledged when the next one is, or a moment later by keepAlive: a stream that becomes
	// empty makes a new file each time, which costs more than everything else about a pack. An ack that does not
	// arrive costs a repetition, which add recognizes.
	if c.last != nil {
		_ = c.last.msg.Ack()
	}
	c.last = p
	delete(c.held, p.id)
	c.bytes -= p.size
	c.done[p.id] = true
	c.ring = append(c.ring, p.id)
	if len(c.ring) > remembered {
		delete(c.done, c.ring[0])
		c.ring = c.ring[1:]
	}
	signal(c.room)
}

// keepAlive tells the stream that the packs held are being worked on, and acknowledges the last one done when no
// other follows.
func (c *Cursor) keepAlive(ctx context.Context) {
	var before *pack
	pending := false
	const every = ackWait / 24
	tick := time.NewTicker(every)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		c.mu.Lock()
		if n%8 == 0 {
			for _, p := range c.held {
				_ = p.msg.InProgress()
			}
			pending = c.j.cfg.URL != ""
		}
		if c.last != nil && c.last == before {
			_ = c.last.msg.Ack()
			c.last = nil
		}
		before = c.last
		c.mu.Unlock()
		if pending {
			c.askPending(ctx)
			pending = false
		}
	}
}

// askPending asks the stream how many packs it has for this lane: in a cluster others write too.
func (c *Cursor) askPending(ctx context.Context) {
	n, err := c.j.Remaining(ctx, c.lane)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = n - min(n, uint64(len(c.held)))
}

// giveBack returns what is held to the stream.
func (c *Cursor) giveBack(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// In their order, because that is how they come again.
	packs := slices.SortedFunc(maps.Values(c.held), func(a, b *pack) int { return cmp.Compare(a.id.seq, b.id.seq) })
	for _, p := range append(packs, c.late...) {
		_ = p.msg.Nak()
	}
	c.late = nil
	if c.last != nil {
		// Acks are applied in their order: once this one is, so are all before it.
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		_ = c.last.msg.DoubleAck(ctx)
		cancel()
		c.last = nil
		return
	}
	c.j.mu.Lock()
	l := c.j.link
	c.j.mu.Unlock()
	if l != nil {
		_ = l.nc.FlushTimeout(time.Second)
	}
}

// Lag is how far a lane is behind.
type Lag struct {
	Alerts uint64    // that the lane wants and does not have
	Oldest time.Time // when the oldest of them was accepted; zero when there is none
}

// Lag says how far the lane is behind. Several Tiercels on one cluster do not know of each other's alerts; there the
// part that was not given out yet is counted in packs.
func (c *Cursor) Lag() Lag {
	c.mu.Lock()
	defer c.mu.Unlock()
	lag := Lag{Alerts: c.undone}
	written := c.j.writer.written()
	if ahead, seen := written.from(c.minimum), c.horizon.from(c.minimum); c.j.cfg.URL == "" && ahead > seen {
		lag.Alerts += ahead - seen
	} else if c.j.cfg.URL != "" {
		lag.Alerts += c.pending
	}
	if lag.Alerts > c.undone {
		lag.Oldest = c.seen // those not given out are younger than the newest pack seen
	}
	for _, p := range c.held {
		if lag.Oldest.IsZero() || p.stored.Before(lag.Oldest) {
			lag.Oldest = p.stored
		}
	}
	return lag
}

// Lanes lists the names of all lanes that have a place in the journal, whether they are configured or not.
func (j *Journal) Lanes(ctx context.Context) ([]string, error) {
	l, err := j.current(ctx)
	if err != nil {
		return nil, err
	}
	var lanes []string
	err = patiently(ctx, func(ctx context.Context) error {
		lanes = nil
		consumers := l.alerts.ConsumerNames(ctx)
		for name := range consumers.Name() {
			lanes = append(lanes, j.names.laneOfConsumer(name))
		}
		return consumers.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("listing the outputs that the journal knows: %w", err)
	}
	slices.Sort(lanes)
	return lanes, nil
}

// Remaining returns how many packs wait for a lane: those not given out, and those given out and not done.
func (j *Journal) Remaining(ctx context.Context, lane string) (uint64, error) {
	l, err := j.current(ctx)
	if err != nil {
		return 0, err
	}
	info, err := j.place(ctx, l, lane)
	if err != nil {
		return 0, err
	}
	return info.NumPending + uint64(max(info.NumAckPending, 0)), nil
}

// Release ends the use of a lane's place, which stays as it is: what is not done comes again to the next cursor. Call it
// once the cursor's Run has ended.
func (j *Journal) Release(c *Cursor) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.cursors[c.lane] == c {
		delete(j.cursors, c.lane)
	}
}

// Forget removes a lane's place. What only this lane still wanted is gone with it.
func (j *Journal) Forget(ctx context.Context, lane string) error {
	j.mu.Lock()
	delete(j.cursors, lane)
	j.mu.Unlock()
	l, err := j.current(ctx)
	if err != nil {
		return err
	}
	err = patiently(ctx, func(ctx context.Context) error { return l.alerts.DeleteConsumer(ctx, j.names.consumer(lane)) })
	if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return fmt.Errorf("removing the place of output %s: %w", lane, err)
	}
	return nil
}
