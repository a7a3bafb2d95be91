package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Several Tiercels may share a cluster's streams and have different outputs, during a rolling update for one. Each lane
// that an output serves there has a mark, a message that is renewed while a cursor runs and goes by itself after a while.
// So one that does not know the output can tell whether another does.

const (
	// servedEvery is how often a mark is renewed, and servedFor how long it lasts.
	servedEvery = 20 * time.Second
	servedFor   = time.Minute
)

// Shared reports whether other Tiercels may use the same journal at the same time.
func (j *Journal) Shared() bool { return j.cfg.URL != "" }

// Served reports whether a lane is served by some Tiercel: by this one or, in a cluster, by another.
func (j *Journal) Served(ctx context.Context, lane string) (bool, error) {
	l, err := j.current(ctx)
	if err != nil {
		return false, err
	}
	marks, err := l.js.Stream(ctx, j.names.marksStream())
	if err == nil {
		_, err = marks.GetLastMsgForSubject(ctx, j.names.mark(lane))
	}
	if errors.Is(err, jetstream.ErrMsgNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("asking who serves output %s: %w", lane, err)
	}
	return true, nil
}

// makeMarks makes the stream of marks.
func (l *link) makeMarks(ctx context.Context, cfg Config, n names, storage jetstream.StorageType) error {
	_, err := l.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:              n.marksStream(),
		Description:       "Tiercel: which outputs are served now",
		Subjects:          []string{n.mark("*")},
		MaxMsgsPerSubject: 1,
		MaxAge:            servedFor,
		Duplicates:        servedFor,
		Storage:           storage,
		Replicas:          cfg.Replicas,
	})
	if err != nil {
		return fmt.Errorf("making the stream %s: %w", n.marksStream(), err)
	}
	return nil
}

// markServed renews the lane's mark until ctx ends, and then takes it away: another Tiercel that serves the lane too
// makes it again.
func (c *Cursor) markServed(ctx context.Context) {
	if !c.j.Shared() || c.gone || c.idle > 0 {
		return
	}
	tick := time.NewTicker(servedEvery)
	defer tick.Stop()
	for {
		if err := c.mark(ctx); err != nil && ctx.Err() == nil {
			c.j.log.Debug("the mark of an output that is served could not be renewed", "output", c.lane, "error", err)
		}
		select {
		case <-tick.C:
			continue
		case <-ctx.Done():
		}
		break
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if l, err := c.j.current(ending); err == nil {
		if marks, err := l.js.Stream(ending, c.j.names.marksStream()); err == nil {
			_ = marks.Purge(ending, jetstream.WithPurgeSubject(c.j.names.mark(c.lane))) // it goes by itself a minute later
		}
	}
}

func (c *Cursor) mark(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	l, err := c.j.current(ctx)
	if err != nil {
		return err
	}
	_, err = l.js.Publish(ctx, c.j.names.mark(c.lane), nil)
	return err
}
