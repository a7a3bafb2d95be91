package slack

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
)

// plan gives the order in which the alerts of a batch are posted, as indexes in it, and how many from its begin may
// be posted each by itself. As long as all may, and the time will do, they are posted as they came in; else the most
// serious come first.
func (d Digest) plan(batch []*alert.Alert, now time.Time, t timetable) (order []int, alone int) {
	order = make([]int, len(batch))
	for i := range order {
		order[i] = i
	}
	behind := d.behind(batch, now)
	if len(batch) <= d.After && !behind && t.fits(len(batch)) {
		return order, len(batch)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(batch[b].Route(), batch[a].Route()) })
	alone = min(d.After, len(batch))
	for behind && alone > 0 && batch[order[alone-1]].Route() < alert.Critical {
		alone--
	}
	return order, alone
}

// behind reports whether an alert has waited for longer than Age.
func (d Digest) behind(batch []*alert.Alert, now time.Time) bool {
	return d.Age > 0 && slices.ContainsFunc(batch, func(a *alert.Alert) bool {
		return !a.Received.IsZero() && now.Sub(a.Received) > d.Age
	})
}

// timetable says how many messages can still be posted before a deadline.
type timetable struct {
	slack    *Slack
	deadline time.Time     // zero is none
	reserve  time.Duration // is kept free before it, for a message that takes longer than the last one
}

func (s *Slack) newTimetable(ctx context.Context) timetable {
	t := timetable{slack: s}
	if deadline, ok := ctx.Deadline(); ok {
		t.deadline = deadline
		t.reserve = time.Until(deadline) / 5
	}
	return t
}

// fits reports whether so many messages can be posted in the time that is left, if each takes as long as the last.
func (t timetable) fits(messages int) bool {
	if t.deadline.IsZero() {
		return true
	}
	now, took := time.Now(), t.slack.took
	first := max(t.slack.next.Sub(now), 0)
	step := max(t.slack.config.Digest.Pace, took)
	end := now.Add(first + time.Duration(messages-1)*step + took)
	return !end.After(t.deadline.Add(-t.reserve))
}
