package probesource

import (
	"context"
	"time"

	"github.com/tiercel/tiercel/pkg/falcoevent"
	"github.com/tiercel/tiercel/pkg/rules"
)

// late are the events that wait until something is known of their container: the first moments of its life.
type late struct {
	source *Source
	queue  chan lateEvent
}

// lateEvent is an event that waits, with the rules that matched it already, or without: then they are to be tested.
type lateEvent struct {
	event *falcoevent.Frozen
	other *falcoevent.Frozen // the same with the path that the kernel came to, where that is another
	rules []*rules.Rule
	now   *current
	until time.Time
}

// maxLate bounds the events that wait; each takes some KiB.
const maxLate = 2048

// askAgain is how often the container is looked up while an event waits.
const askAgain = 5 * time.Millisecond

func newLate(s *Source) *late { return &late{source: s, queue: make(chan lateEvent, maxLate)} }

func (l *late) room() bool { return len(l.queue) < cap(l.queue) }

// add lets an event wait, unless too many do.
func (l *late) add(e lateEvent) bool {
	e.rules = append([]*rules.Rule(nil), e.rules...)
	e.until = time.Now().Add(l.source.config.ContainerWait)
	select {
	case l.queue <- e:
		return true
	default:
		return false
	}
}

// run finishes events in their order, until ctx ends; then those that wait are finished at once.
func (l *late) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			for {
				select {
				case e := <-l.queue:
					l.finish(e)
				default:
					return
				}
			}
		case e := <-l.queue:
			for time.Now().Before(e.until) && l.source.pending(e.event.Container()) {
				select {
				case <-ctx.Done():
					e.until = time.Time{}
				case <-time.After(askAgain):
				}
			}
			l.finish(e)
		}
	}
}

// finish makes the alerts of an event.
func (l *late) finish(e lateEvent) {
	matched := e.rules
	if matched == nil {
		matched = e.now.Match(nil, e.event)
		if len(matched) == 0 && e.other != nil {
			e.event = e.other
			matched = e.now.Match(nil, e.event)
		}
		l.source.metrics.matched.Add(float64(len(matched)))
	}
	for _, r := range matched {
		l.source.enqueue(e.now.printer.Alert(r, e.event))
	}
}
