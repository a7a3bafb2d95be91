package probesource

import (
	"context"
	"errors"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/rules"
	"github.com/tiercel/tiercel/pkg/source"
)

const (
	// maxBatch is how many alerts are put at once.
	maxBatch = 256
	// firstPause and longestPause bound the time between two tries to put what the journal does not take.
	firstPause   = 50 * time.Millisecond
	longestPause = 5 * time.Second
	// lastTries is how long what is left is tried to be put once the source has stopped.
	lastTries = 5 * time.Second
)

// enqueue hands an alert to the delivery. It never waits: an alert that finds no room is lost, and counted.
func (s *Source) enqueue(a *alert.Alert) {
	select {
	case s.queue <- a:
	default:
		s.metrics.lost.WithLabelValues(lostQueue).Inc()
		s.losses.overrun(a.Time)
	}
}

// deliver puts the alerts of the queue until the source is over and the queue empty. Each goes through the decoder that
// reads Falco's, so that outputs cannot tell one from the other.
func (s *Source) deliver(ctx context.Context, put source.Put, over <-chan struct{}) {
	batch := make([]*alert.Alert, 0, maxBatch)
	for {
		select {
		case a := <-s.queue:
			batch = s.decoded(batch, a)
		case <-over:
			over = nil
		}
		for len(batch) < cap(batch) && len(s.queue) > 0 {
			batch = s.decoded(batch, <-s.queue)
		}
		s.putAll(ctx, put, batch)
		clear(batch)
		batch = batch[:0]
		if over == nil && len(s.queue) == 0 {
			return
		}
	}
}

// decoded adds an alert to a batch, as it reads when it comes in as a line.
func (s *Source) decoded(batch []*alert.Alert, a *alert.Alert) []*alert.Alert {
	decoded, err := alert.DecodeOne(rules.AppendJSON(nil, a), time.Now().UTC())
	if err != nil {
		s.deps.Log.Error("an alert of the probe is no alert", "rule", a.Rule, "error", err)
		s.metrics.lost.WithLabelValues(lostInvalid).Inc()
		return batch
	}
	return append(batch, decoded)
}

// putAll puts a batch, until the journal has it or the source has been stopped for long enough. What is too large by
// itself is left out.
func (s *Source) putAll(ctx context.Context, put source.Put, batch []*alert.Alert) {
	pause := firstPause
	for len(batch) > 0 {
		err := put(ctx, batch)
		switch {
		case err == nil:
			return
		case errors.Is(err, source.ErrTooLarge) && len(batch) == 1:
			s.metrics.lost.WithLabelValues(lostLarge).Inc()
			s.deps.Log.Warn("an alert of the probe is larger than the journal takes", "rule", batch[0].Rule)
			return
		case errors.Is(err, source.ErrTooLarge):
			s.putAll(ctx, put, batch[:len(batch)/2])
			batch = batch[len(batch)/2:]
			continue
		case s.isOver():
			s.metrics.lost.WithLabelValues(lostStop).Add(float64(len(batch)))
			s.deps.Log.Warn("alerts of the probe were lost when it stopped: the journal does not take them", "alerts", len(batch), "error", err)
			return
		}
		time.Sleep(pause)
		pause = min(2*pause, longestPause)
	}
}

// isOver reports whether the source was stopped so long ago that nothing is tried any more.
func (s *Source) isOver() bool {
	at := s.ended.Load()
	return at != 0 && time.Since(time.Unix(0, at)) > lastTries
}
