package journal

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// settling is how long a question that the stream does not answer is repeated: a cluster that elects a leader drops
// what it is asked meanwhile.
const settling = 45 * time.Second

// codeUnavailable is JetStream's error code for "temporarily unavailable".
const codeUnavailable jetstream.ErrorCode = 10008

// patiently asks until there is an answer, whatever it says, or settling is over.
func patiently(ctx context.Context, ask func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	for {
		once, done := context.WithTimeout(ctx, answerTimeout)
		err := ask(once)
		done()
		if !isSilence(err) || ctx.Err() != nil {
			return err
		}
		pause(ctx, 200*time.Millisecond)
	}
}

// isSilence reports whether err says that nobody answered.
func isSilence(err error) bool {
	var api *jetstream.APIError
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrNoResponders) ||
		errors.Is(err, jetstream.ErrNoStreamResponse) || errors.As(err, &api) && api.ErrorCode == codeUnavailable
}
