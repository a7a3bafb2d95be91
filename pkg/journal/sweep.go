package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The stream of the embedded journal keeps a pack until it is swept away. Interest retention, which a cluster uses,
// would do it by itself, but by a note in the file for each pack when its last lane has it, for which sync: always
// waits as long as for the pack. A sweep removes whole files.

const (
	// sweepEvery is how often the packs are removed that every lane has.
	sweepEvery = time.Second
	// sweepBetween is how often those are removed between which older ones still wait for some lane: it costs a look at
	// each of them.
	sweepBetween = 5 * time.Second
)

// sweeper remembers what sweeps need of one another. Its lock is held through a sweep.
type sweeper struct {
	lock    chan struct{} // capacity 1
	last    uint64        // the newest pack at the last sweep
	between time.Time     // the last time that packs were removed between others
}

// keepSwept sweeps until ctx ends.
func (j *Journal) keepSwept(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		j.mu.Lock()
		l := j.link
		j.mu.Unlock()
		if l == nil {
			continue
		}
		err := j.sweep(ctx, l, false)
		if err != nil && !failing && ctx.Err() == nil && l.gone.Err() == nil {
			j.log.Warn("delivered alerts could not be removed from the journal, trying again", "error", err)
		}
		failing = err != nil
	}
}

// sweep removes what every lane has. thorough also looks between packs that still wait, at once.
func (j *Journal) sweep(ctx context.Context, l *link, thorough bool) error {
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	s := &j.sweeper
	select {
	case s.lock <- struct{}{}:
		defer func() { <-s.lock }()
	case <-ctx.Done():
		return ctx.Err()
	}
	// The newest pack is asked for before the lanes are: what comes in meanwhile is none of this sweep's business.
	stream, err := l.alerts.Info(ctx)
	if err != nil {
		return fmt.Errorf("asking the stream %s: %w", j.names.alertsStream(), err)
	}
	first, last := stream.State.FirstSeq, stream.State.LastSeq
	idle := last == s.last
	s.last = last
	if stream.State.Msgs == 0 {
		return nil
	}
	all, reached, err := j.reached(ctx, l, last)
	if err != nil {
		return err
	}
	// A stream that becomes empty makes a new file, so the newest pack goes only when no other follows it.
	if upTo := all; upTo >= first {
		if upTo == last && !idle {
			upTo--
		}
		if err := l.alerts.Purge(ctx, jetstream.WithPurgeSequence(upTo+1)); err != nil {
			return fmt.Errorf("removing what every output has: %w", err)
		}
	}
	if !thorough && time.Since(s.between) < sweepBetween {
		return nil
	}
	s.between = time.Now()
	for subject, upTo := range reached {
		if upTo <= all {
			continue
		}
		if err := l.alerts.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(upTo+1)); err != nil {
			return fmt.Errorf("removing what every output has of %s: %w", subject, err)
		}
	}
	return nil
}

// reached says up to which sequence, at most last, every lane has everything, and the same for each subject.
func (j *Journal) reached(ctx context.Context, l *link, last uint64) (all uint64, bySubject map[string]uint64, err error) {
	bySubject = make(map[string]uint64)
	for _, subject := range j.names.filters("", 0)[1:] {
		bySubject[subject] = last
	}
	all = last
	var known []string
	lanes := l.alerts.ListConsumers(ctx)
	for info := range lanes.Info() {
		known = append(known, info.Name)
		upTo, err := laneReached(ctx, l, info, last)
		if err != nil {
			return 0, nil, err
		}
		all = min(all, upTo)
		for _, subject := range info.Config.FilterSubjects {
			if other, ok := bySubject[subject]; ok {
				bySubject[subject] = min(other, upTo)
			} else {
				bySubject[subject] = upTo
			}
		}
	}
	if err := lanes.Err(); err != nil {
		return 0, nil, fmt.Errorf("asking for the places of the outputs: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for lane, c := range j.cursors {
		if c.idle == 0 && !slices.Contains(known, j.names.consumer(lane)) {
			return 0, nil, fmt.Errorf("output %s has no place in the journal", lane)
		}
	}
	return all, bySubject, nil
}

// laneReached says up to which sequence, at most last, a lane has everything that it wants.
func laneReached(ctx context.Context, l *link, lane *jetstream.ConsumerInfo, last uint64) (uint64, error) {
	upTo := lane.AckFloor.Stream
	if upTo >= last {
		return last, nil
	}
	if lane.NumPending > 0 || lane.NumAckPending > 0 {
		return upTo, nil
	}
	// It waits for nothing, so what came after its last pack is not for it. That is too much to be believed: the stream
	// itself is asked for the next pack that would be.
	reached := last
	for _, subject := range lane.Config.FilterSubjects {
		next, err := l.alerts.GetMsg(ctx, upTo+1, jetstream.WithGetMsgSubject(subject))
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
		case err != nil:
			return 0, fmt.Errorf("looking for what output %s waits for: %w", lane.Name, err)
		default:
			reached = min(reached, next.Sequence-1)
		}
	}
	return max(reached, upTo), nil
}
