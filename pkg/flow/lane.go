package flow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/journal"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// cursor is a lane's place in the journal; see journal.Cursor.
type cursor interface {
	Run(ctx context.Context)
	Next(ctx context.Context, limit, size int) ([]journal.Entry, error)
	Done(entries ...journal.Entry)
	Lag() journal.Lag
}

// lane takes alerts out of the journal and gives them to one output, in order, until they are delivered or buried.
type lane struct {
	work // only the lane's own goroutine touches it; others see next, and ask minimum

	name   string
	log    *slog.Logger
	cursor cursor
	bury   func(ctx context.Context, letters ...journal.DeadLetter) error
	count  *laneMetrics

	gone chan struct{}   // closed once the lane has ended
	done []journal.Entry // memory of the last send, to be used again

	mu          sync.Mutex         // guards what follows
	next        *work              // what takes the place of work before the next try
	disturb     context.CancelFunc // ends the wait for alerts, or for the next try, because next is there
	lastSuccess time.Time
	lastError   string
	failing     time.Time // since when
	ended       bool      // nothing is left for a lane whose output is gone
}

// work is what a lane does, which another config may change.
type work struct {
	Output

	when *when

	// For an output that is gone, else nothing: the newest pack that was meant for it, whether nothing is left for it,
	// and how to end it then.
	until  uint64
	empty  func(ctx context.Context) bool
	forget func(ctx context.Context)
}

// item is an alert on its way, with what was tried so far.
type item struct {
	journal.Entry

	attempts int       // failed tries of its own
	err      error     // the last of them
	alone    int       // tries in which it failed while others of the same batch were delivered
	first    time.Time // when the first of those was
}

// poisonAttempts and poisonTime are after how many such tries, over how long, an alert is buried: what fails is then the
// alert and not the place, and it must not hold up those behind it for days. A tenant or a host of the other side that
// is down for some minutes looks the same, so an hour must have passed.
const (
	poisonAttempts = 12
	poisonTime     = time.Hour
)

// errFinished says that nothing is left for an output that is gone.
var errFinished = errors.New("nothing is left for the output")

// live runs the lane with its cursor, and ends both.
func (l *lane) live(ctx, living context.Context) {
	defer close(l.gone)
	reading, stop := context.WithCancel(living)
	var cursor sync.WaitGroup
	cursor.Go(func() { l.cursor.Run(reading) })
	finished := l.run(ctx, living)
	stop()
	cursor.Wait()
	if finished {
		l.forget(living)
	}
}

// run delivers until ctx ends, then what is left, until living ends. It returns early, and true, when the output is
// gone and nothing is left for it.
func (l *lane) run(ctx, living context.Context) (finished bool) {
	var waiting []item // not delivered, in order
	undisturbed := l.apply(ctx)
	for {
		if undisturbed.Err() != nil {
			undisturbed = l.apply(ctx) //nolint:fatcontext // each is a child of ctx, and ends the one before
		}
		var err error
		waiting, err = l.gather(undisturbed, living, waiting)
		switch {
		case len(waiting) > 0 || err == nil:
		case errors.Is(err, errFinished):
			if l.end() {
				return true
			}
			continue
		case ctx.Err() == nil: // other work has come
			continue
		default:
			return false
		}
		if undisturbed.Err() != nil {
			undisturbed = l.apply(ctx)
		}
		waiting = l.buryExpired(living, waiting)
		if len(waiting) == 0 {
			continue
		}
		failed, pause := l.send(living, waiting)
		waiting = l.buryHopeless(living, failed)
		if len(waiting) == 0 {
			continue
		}
		// Other work ends the pause: what failed may be what was changed.
		if !sleep(undisturbed, pause) && ctx.Err() != nil {
			return false // draining, and the output does not take it: it stays in the journal
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// gather appends what comes next to the items that wait already: it waits for the first alert when none waits, and
// then as long as the output's Batch.Wait for more. An error means that there is nothing more to do.
func (l *lane) gather(ctx, living context.Context, items []item) ([]item, error) {
	// room is how many bytes the batch may still have: 0 is without a limit, 1 is none.
	room, counted := int(l.Batch.Bytes), 0
	count := func() {
		for ; counted < len(items) && room > 0; counted++ {
			room = max(room-items[counted].Size, 1)
		}
	}
	if count(); len(items) >= l.Batch.Max || room == 1 {
		return items, nil
	}
	fill := func(ctx context.Context) error {
		entries, err := l.cursor.Next(ctx, l.Batch.Max-len(items), room)
		if err != nil {
			return err
		}
		items = l.appendWanted(items, entries)
		count()
		clear(entries) // the cursor keeps the slice, and would keep the alerts
		return nil
	}
	if len(items) > 0 {
		now, cancel := context.WithCancel(ctx)
		cancel()
		_ = fill(now) // only what is there
		return items, nil
	}
	for len(items) == 0 {
		if l.empty != nil && ctx.Err() == nil {
			moment, cancel := context.WithTimeout(ctx, time.Second)
			for len(items) == 0 && moment.Err() == nil {
				_ = fill(moment) // an error is the end of the moment
			}
			cancel()
			if len(items) == 0 && l.empty(living) {
				return items, errFinished
			}
			continue
		}
		if err := fill(ctx); err == nil {
			continue
		}
		// Draining: what is on its way out of the journal may take a moment to come.
		if l.cursor.Lag().Alerts == 0 || living.Err() != nil {
			return items, context.Canceled
		}
		moment, cancel := context.WithTimeout(living, 50*time.Millisecond)
		_ = fill(moment)
		cancel()
	}
	if l.Batch.Wait > 0 {
		waiting, cancel := context.WithTimeout(ctx, l.Batch.Wait)
		defer cancel()
		for len(items) < l.Batch.Max && room != 1 {
			if fill(waiting) != nil {
				break
			}
		}
	}
	return items, nil
}

// appendWanted appends what the lane's expression lets through, and drops the rest.
func (l *lane) appendWanted(items []item, entries []journal.Entry) []item {
	items = slices.Grow(items, len(entries))
	for _, e := range entries {
		if !e.Retried && l.until > 0 && e.Sequence > l.until {
			l.cursor.Done(e) // it came in after the output was gone
			continue
		}
		if !e.Retried && e.Alert.Route() < l.Settings.MinimumPriority {
			l.cursor.Done(e) // the output has wanted it until the config was changed
			continue
		}
		if !e.Retried {
			yes, err := l.when.wants(e.Alert)
			if err != nil {
				// An alert too many is better than one too few.
				l.count.whenErrors.Inc()
				l.log.Debug("the when expression failed, the alert is sent", "rule", e.Alert.Rule, "error", err)
			}
			if !yes {
				l.count.filtered.Inc()
				l.cursor.Done(e)
				continue
			}
		}
		items = append(items, item{Entry: e})
	}
	return items
}

// send makes one try with items. It returns those that failed, in order and in the same memory, and how long to wait
// before the next try.
func (l *lane) send(living context.Context, items []item) (failed []item, pause time.Duration) {
	batch := make([]*alert.Alert, len(items))
	for i := range items {
		batch[i] = items[i].Alert
	}
	timeout := l.Settings.Timeout
	if l.Batch.OneByOne {
		timeout *= time.Duration(len(batch))
	}
	ctx, cancel := context.WithTimeout(living, timeout)
	began := time.Now()
	err := l.safely(ctx, batch)
	cancel()
	l.count.requestSeconds.Observe(time.Since(began).Seconds())
	l.count.batchAlerts.Observe(float64(len(batch)))

	partial := asPartial(err, len(items))
	done := l.done[:0]
	failed = items[:0]
	longest := 0
	for i := range items {
		it := items[i]
		err := partial[i]
		if err == nil {
			done = append(done, it.Entry)
			continue
		}
		if !verdict.IsHeld(err) {
			it.attempts++
			it.err = err
			reason := verdict.ReasonOf(err)
			if reason != verdict.RateLimited && len(partial) < len(items) {
				if it.alone++; it.alone == 1 {
					it.first = time.Now()
				}
			}
			l.count.retried(reason)
		}
		longest = max(longest, it.attempts)
		if asked, ok := verdict.Pause(err); ok {
			pause = max(pause, asked)
		}
		failed = append(failed, it)
	}
	// Commit after send, not before: a crash may send twice, never lose.
	l.cursor.Done(done...)
	l.count.sent.Add(float64(len(done)))
	l.count.ok.Add(float64(len(done)))
	l.count.failed.Add(float64(len(failed)))
	l.note(err, len(done) > 0)
	// What is used again must not keep alerts in memory until then.
	clear(items[len(failed):])
	clear(done)
	l.done = done
	if len(failed) > 0 && pause == 0 {
		pause = l.backoff(longest)
	}
	return failed, pause
}

// safely calls the output; a panic in one output must not take the others down. Nor must one alert on which it panics
// take the others of its batch with it: they are sent in halves until it is alone.
func (l *lane) safely(ctx context.Context, batch []*alert.Alert) error {
	err, panicked := l.try(ctx, batch)
	if !panicked || len(batch) == 1 || ctx.Err() != nil {
		return err
	}
	half := len(batch) / 2
	failed := verdict.Partial{}
	maps.Copy(failed, asPartial(l.safely(ctx, batch[:half]), half))
	for i, err := range asPartial(l.safely(ctx, batch[half:]), len(batch)-half) {
		failed[half+i] = err
	}
	return failed.ErrOrNil()
}

// try calls the output once.
func (l *lane) try(ctx context.Context, batch []*alert.Alert) (err error, panicked bool) { //nolint:revive // the error is the result, the other says of what kind
	defer func() {
		if r := recover(); r != nil {
			l.log.Error("the output panicked", "panic", fmt.Sprint(r), "alerts", len(batch), "first", batch[0].Rule)
			err, panicked = fmt.Errorf("the output panicked: %v", r), true
		}
	}()
	return l.Output.Output.Send(ctx, batch), false
}

// asPartial says for each of n alerts what became of it.
func asPartial(err error, n int) verdict.Partial {
	if err == nil {
		return nil
	}
	if partial, ok := err.(verdict.Partial); ok { //nolint:errorlint // a wrapped Partial has lost whose indexes it holds
		return partial
	}
	all := make(verdict.Partial, n)
	for i := range n {
		all[i] = err
	}
	return all
}

// backoff is the pause after so many failed tries: twice as long each time, give or take a fifth, so that many
// lanes do not come back at the same moment.
func (l *lane) backoff(attempts int) time.Duration {
	pause := l.Settings.Retry.Max
	if shift := max(attempts-1, 0); shift < 30 {
		pause = min(l.Settings.Retry.Initial<<shift, l.Settings.Retry.Max)
	}
	jitter := 0.8 + 0.4*rand.Float64() //nolint:gosec // spreads load, keeps no secret
	return max(time.Duration(float64(pause)*jitter), time.Millisecond)
}

// note remembers the outcome of a try, and logs when it changes.
func (l *lane) note(err error, progress bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if err == nil || progress {
		l.lastSuccess = now
	}
	if err == nil {
		if l.lastError != "" {
			l.log.Info("delivering again", "after", now.Sub(l.failing).Round(time.Millisecond).String())
		}
		l.lastError, l.failing = "", time.Time{}
		return
	}
	if l.failing.IsZero() {
		l.failing = now
	}
	if partial, ok := err.(verdict.Partial); ok { //nolint:errorlint // see asPartial
		err = partial[slices.Min(slices.Collect(maps.Keys(partial)))] // how many failed changes at every try
	}
	if text := err.Error(); text != l.lastError {
		l.lastError = text
		l.log.Warn("delivering failed", "reason", verdict.ReasonOf(err), "error", text)
	}
}

// buryExpired buries those that are too old to be sent.
func (l *lane) buryExpired(ctx context.Context, items []item) []item {
	if l.Settings.MaxAge <= 0 {
		return items
	}
	now := time.Now()
	return l.buryWhere(ctx, items, func(it *item) (verdict.Reason, string, bool) {
		if age := now.Sub(it.Alert.Received); age > l.Settings.MaxAge && !it.Retried {
			text := fmt.Sprintf("not delivered within %s", l.Settings.MaxAge)
			if it.err != nil {
				text += ", last: " + it.err.Error()
			}
			return verdict.Expired, text, true
		}
		return "", "", false
	})
}

// buryHopeless buries those that no later try can mend.
func (l *lane) buryHopeless(ctx context.Context, items []item) []item {
	return l.buryWhere(ctx, items, func(it *item) (verdict.Reason, string, bool) {
		switch {
		case it.err == nil:
			return "", "", false
		case verdict.IsPermanent(it.err):
			return verdict.ReasonOf(it.err), it.err.Error(), true
		case it.alone >= poisonAttempts && time.Since(it.first) >= poisonTime:
			return verdict.ReasonOf(it.err), fmt.Sprintf("failed %d times while others of its batch were delivered, last: %v", it.alone, it.err), true
		}
		return "", "", false
	})
}

// buryWhere buries the items for which why says so and returns the others. An item that cannot be buried stays.
func (l *lane) buryWhere(ctx context.Context, items []item, why func(*item) (verdict.Reason, string, bool)) []item {
	var (
		letters []journal.DeadLetter
		buried  []journal.Entry
		rest    []item // is made when the first of them is buried, which is rare
	)
	for i := range items {
		it := &items[i]
		reason, text, yes := why(it)
		if !yes {
			if letters != nil {
				rest = append(rest, *it)
			}
			continue
		}
		if letters == nil {
			rest = slices.Clone(items[:i])
		}
		buried = append(buried, it.Entry)
		letters = append(letters, journal.DeadLetter{
			Lane: l.Name, Buried: time.Now(), Reason: reason, Attempts: it.attempts, Answer: text, Alert: it.Alert,
			Sequence: it.Sequence, Number: it.Number,
		})
	}
	if len(letters) == 0 {
		return items
	}
	if err := l.bury(ctx, letters...); err != nil {
		l.log.Error("dead letters could not be written, they are tried again", "alerts", len(letters), "error", err)
		sleep(ctx, time.Second)
		return items
	}
	l.cursor.Done(buried...)
	for _, letter := range letters {
		l.count.dead(letter.Reason)
	}
	l.log.Warn("alerts became dead letters", "alerts", len(letters), "reason", letters[0].Reason, "first", letters[0].Answer)
	return rest
}

// end remembers that nothing is left for the lane. It reports false where there is other work instead.
func (l *lane) end() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = l.next == nil
	return l.ended
}

func (l *lane) hasEnded() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended
}

func (l *lane) state() LaneState {
	lag := l.cursor.Lag()
	l.mu.Lock()
	defer l.mu.Unlock()
	s := LaneState{Name: l.name, Lag: lag.Alerts, LastError: l.lastError}
	if !lag.Oldest.IsZero() {
		s.LagSeconds = max(time.Since(lag.Oldest), 0).Seconds()
	}
	if !l.lastSuccess.IsZero() {
		at := l.lastSuccess
		s.LastSuccess = &at
	}
	if !l.failing.IsZero() {
		at := l.failing
		s.Since = &at
	}
	return s
}
