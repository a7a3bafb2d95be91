package flow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/tiercel/tiercel/pkg/alert"
)

// Change is what another config asks of a flow that runs.
type Change struct {
	Outputs []Output // those that are new, or not as they were
	Removed []string // names of those that are no longer there
}

var errEnded = errors.New("the outputs are being closed")

// Swap puts other outputs in the place of those that run, all or, with an error, none. A lane whose output changes keeps
// its place in the journal and what it holds: what is on the wire ends with the old output, the next try is the new one's.
// So nothing is lost, and nothing is sent twice because of it. What a removed output had still to deliver becomes dead
// letters. The flow closes the outputs that it no longer needs.
func (f *Flow) Swap(ctx context.Context, c Change) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return errEnded
	}
	f.lanes = slices.DeleteFunc(f.lanes, func(l *lane) bool { return l.hasEnded() && isClosed(l.gone) })
	changes := make(map[*lane]*work)
	var added []Output
	for _, out := range c.Outputs {
		filter, err := f.prepare(&out)
		if err != nil {
			return err
		}
		l := f.find(out.Name)
		switch {
		case l == nil:
			added = append(added, out)
			continue
		case l.hasEnded():
			// Its place in the journal is just being forgotten; a new one is made when that is done.
			select {
			case <-l.gone:
			case <-ctx.Done():
				return fmt.Errorf("output %s: waiting for the end of its last lane: %w", out.Name, ctx.Err())
			}
			added = append(added, out)
			continue
		}
		// To get more is asked for before anything is changed: it may fail, and hurts nobody. To get less comes last.
		if lane, ok := l.cursor.(wanter); ok && out.Settings.MinimumPriority < l.minimum() {
			if err := lane.Want(ctx, out.Settings.MinimumPriority); err != nil {
				return err
			}
		}
		changes[l] = &work{Output: out, when: filter}
	}
	for _, name := range c.Removed {
		l := f.find(name)
		if l == nil || l.hasEnded() {
			continue
		}
		left, err := f.deps.Journal.Leftover(ctx, name)
		if err != nil {
			return err
		}
		f.deps.Log.Warn("an output is no longer configured: what it had still to deliver becomes dead letters", "output", name, "packs", left.Packs)
		changes[l] = f.burying(name, left)
	}
	before := len(f.lanes)
	for _, out := range added {
		if err := f.add(ctx, out); err != nil {
			// Their places would keep alerts for nobody.
			for _, l := range f.lanes[before:] {
				err = errors.Join(err, f.deps.Journal.Forget(ctx, l.name))
			}
			f.lanes = f.lanes[:before]
			return err
		}
	}
	for l, w := range changes {
		less := w.empty == nil && w.Settings.MinimumPriority > l.minimum()
		l.replace(w)
		if lane, ok := l.cursor.(wanter); ok && less {
			if err := lane.Want(ctx, w.Settings.MinimumPriority); err != nil {
				l.log.Warn("the journal still brings alerts that the output no longer wants; they are passed over", "error", err)
			}
		}
	}
	for _, l := range f.lanes[before:] {
		if f.start != nil { // else Run starts it
			f.start(l)
		}
	}
	return nil
}

// wanter is a cursor that can be told of another minimum priority, as journal.Cursor can.
type wanter interface {
	Want(ctx context.Context, minimum alert.Priority) error
}

func (f *Flow) find(name string) *lane {
	for _, l := range slices.Backward(f.lanes) {
		if l.name == name {
			return l
		}
	}
	return nil
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// replace gives the lane other work. It takes that up before its next try.
func (l *lane) replace(w *work) {
	l.mu.Lock()
	old, disturb := l.next, l.disturb
	l.next = w
	l.mu.Unlock()
	if old != nil {
		l.closing(old.Output.Output)
	}
	if disturb != nil {
		disturb()
	}
}

// apply takes up other work, if there is some, and gives a context that ends with ctx or when there is other work again.
func (l *lane) apply(ctx context.Context) context.Context {
	undisturbed, cancel := context.WithCancel(ctx)
	l.mu.Lock()
	w, before := l.next, l.disturb
	l.next, l.disturb = nil, cancel
	var old Output
	if w != nil {
		old, l.work = l.work.Output, *w
	}
	l.mu.Unlock()
	if before != nil {
		before()
	}
	if w != nil {
		l.closing(old.Output)
	}
	return undisturbed
}

// minimum is the least priority that the lane wants, or will.
func (l *lane) minimum() alert.Priority {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next != nil {
		return l.next.Settings.MinimumPriority
	}
	return l.work.Settings.MinimumPriority
}

// close closes the output of a lane that has ended, and one that it was still to get.
func (l *lane) close() {
	l.mu.Lock()
	next, disturb := l.next, l.disturb
	l.next = nil
	l.mu.Unlock()
	if disturb != nil {
		disturb()
	}
	l.closing(l.Output.Output)
	if next != nil {
		l.closing(next.Output.Output)
	}
}

func (l *lane) closing(output any) {
	if closer, ok := output.(io.Closer); ok {
		if err := closer.Close(); err != nil {
			l.log.Error("closing the output failed", "error", err)
		}
	}
}
