package journal

import (
	"context"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tiercel/tiercel/pkg/alert"
)

// Leftover is what a lane that is no longer configured had still to get.
type Leftover struct {
	Packs   uint64         // that wait for it
	Minimum alert.Priority // the least serious alert that it wanted
	Newest  uint64         // Entry.Sequence of the newest pack there is: later ones were never meant for it
}

// Leftover says what is left for a lane.
func (j *Journal) Leftover(ctx context.Context, lane string) (Leftover, error) {
	l, err := j.current(ctx)
	if err != nil {
		return Leftover{}, err
	}
	info, err := j.place(ctx, l, lane)
	if err != nil {
		return Leftover{}, err
	}
	left := Leftover{Packs: info.NumPending + uint64(max(info.NumAckPending, 0))}
	for _, p := range slices.Backward(alert.Priorities()) {
		if slices.Contains(info.Config.FilterSubjects, j.names.alerts(p)) {
			left.Minimum = p
		}
	}
	err = patiently(ctx, func(ctx context.Context) error {
		stream, err := l.alerts.Info(ctx)
		if err == nil {
			left.Newest = stream.State.LastSeq
		}
		return err
	})
	if err != nil {
		return Leftover{}, fmt.Errorf("asking the stream %s: %w", j.names.alertsStream(), err)
	}
	return left, nil
}

// IsPast reports whether a lane is done with every pack up to a sequence.
func (j *Journal) IsPast(ctx context.Context, lane string, sequence uint64) (bool, error) {
	l, err := j.current(ctx)
	if err != nil {
		return false, err
	}
	info, err := j.place(ctx, l, lane)
	if err != nil {
		return false, err
	}
	return info.AckFloor.Stream >= sequence || info.NumPending == 0 && info.NumAckPending == 0, nil
}

// place finds a lane's place in the stream.
func (j *Journal) place(ctx context.Context, l *link, lane string) (*jetstream.ConsumerInfo, error) {
	var consumer jetstream.Consumer
	err := patiently(ctx, func(ctx context.Context) (err error) {
		consumer, err = l.alerts.Consumer(ctx, j.names.consumer(lane))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("finding the place of output %s: %w", lane, err)
	}
	return consumer.CachedInfo(), nil
}
