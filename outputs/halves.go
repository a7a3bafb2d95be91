package outputs

import (
	"context"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// Halves sends a batch with send, for places that take all of a request or none of it. A part that is refused for good
// is sent in halves, until what is refused stands alone and the others are delivered, in their order. Where a part
// fails and may be tried again, what stands after it waits: it is returned as held.
func Halves(ctx context.Context, batch []*alert.Alert, send func(context.Context, []*alert.Alert) error) error {
	if len(batch) == 1 {
		return send(ctx, batch)
	}
	failed := verdict.Partial{}
	// deliver sends the alerts from begin up to end. It returns the error for which those after them have to wait.
	var deliver func(begin, end int) error
	deliver = func(begin, end int) error {
		err := send(ctx, batch[begin:end])
		if half := (begin + end) / 2; half > begin && verdict.IsPermanent(err) {
			first := deliver(begin, half)
			if first == nil {
				return deliver(half, end)
			}
			for i := half; i < end; i++ {
				failed[i] = verdict.Held(first)
			}
			return first
		}
		if err == nil {
			return nil
		}
		for i := begin; i < end; i++ {
			failed[i] = err
		}
		if verdict.IsPermanent(err) {
			return nil
		}
		return err
	}
	_ = deliver(0, len(batch)) // nothing stands after the batch
	return failed.ErrOrNil()
}
