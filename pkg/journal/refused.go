package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// refusedKept is how many refused bodies are kept.
	refusedKept = 100
	// refusedBody is how much of each is kept, bytes.
	refusedBody = 64 << 10
)

// Refused is a body that was no alert, kept to be looked at.
type Refused struct {
	Time   time.Time `json:"time"`
	Remote string    `json:"remote"` // the sender's address
	Reason string    `json:"reason"`
	Error  string    `json:"error"`
	Body   []byte    `json:"body"` // at most its first 64 KiB
}

// Refuse keeps a refused body. It never waits: when bodies come faster than they are written, some are not kept.
func (j *Journal) Refuse(r Refused) {
	r.Body = r.Body[:min(len(r.Body), refusedBody)]
	select {
	case j.refused <- r:
	default:
	}
}

// keepRefused writes refused bodies, at most ten in a second: a flood of garbage must not cost alerts their disk.
func (j *Journal) keepRefused(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-j.refused:
			if err := j.keep(ctx, r); err != nil && ctx.Err() == nil {
				j.log.Warn("a refused body could not be kept", "error", err)
			}
			pause(ctx, 100*time.Millisecond)
		}
	}
}

func (j *Journal) keep(ctx context.Context, r Refused) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	l, err := j.current(ctx)
	if err != nil {
		return err
	}
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = l.js.Publish(ctx, j.names.refused(), data)
	return err
}

// LastRefused returns the last refused bodies, the newest first.
func (j *Journal) LastRefused(ctx context.Context, limit int) ([]Refused, error) {
	l, err := j.current(ctx)
	if err != nil {
		return nil, err
	}
	stream, err := l.js.Stream(ctx, j.names.refusedStream())
	if err != nil {
		return nil, fmt.Errorf("finding the stream %s: %w", j.names.refusedStream(), err)
	}
	var all []Refused
	state := stream.CachedInfo().State
	for seq := state.LastSeq; seq >= state.FirstSeq && seq > 0 && len(all) < limit; seq-- {
		msg, err := stream.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return all, fmt.Errorf("reading a refused body: %w", err)
		}
		var r Refused
		if err := json.Unmarshal(msg.Data, &r); err != nil {
			continue // written by another version
		}
		all = append(all, r)
	}
	return all, nil
}
