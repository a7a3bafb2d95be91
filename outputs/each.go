package outputs

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// DefaultConcurrency is how many alerts [Each] sends at once.
const DefaultConcurrency = 8

// Each sends the alerts of a batch one by one with send, for places that take one at a time: up to concurrency at
// once (values below 1 mean [DefaultConcurrency]), those of one origin host one after the other in their order. Where
// an alert fails and may be tried again, the later ones of its host wait for it: they are returned as held.
//
// The time left until ctx's deadline is shared out evenly: each alert gets its part of it. The lane of a spec with
// Batch.OneByOne sets the deadline so that each gets the lane's time-out.
func Each(ctx context.Context, batch []*alert.Alert, concurrency int, send func(context.Context, *alert.Alert) error) error {
	if concurrency < 1 {
		concurrency = DefaultConcurrency
	}
	send = recovering(send)
	if len(batch) == 1 {
		return send(ctx, batch[0])
	}
	if deadline, ok := ctx.Deadline(); ok {
		whole, part := send, time.Until(deadline)/time.Duration(len(batch))
		send = func(ctx context.Context, a *alert.Alert) error {
			ctx, cancel := context.WithTimeout(ctx, part)
			defer cancel()
			return whole(ctx, a)
		}
	}
	chains := make([][]int, 0, concurrency)
	ofHost := make(map[string]int, concurrency)
	for i, a := range batch {
		at, ok := ofHost[a.Hostname]
		if !ok {
			at = len(chains)
			ofHost[a.Hostname] = at
			chains = append(chains, nil)
		}
		chains[at] = append(chains[at], i)
	}
	var (
		mu     sync.Mutex
		failed = verdict.Partial{}
		wg     sync.WaitGroup
		next   = make(chan []int)
	)
	for range min(concurrency, len(chains)) {
		wg.Go(func() {
			for chain := range next {
				for n, i := range chain {
					err := send(ctx, batch[i])
					if err == nil {
						continue
					}
					mu.Lock()
					failed[i] = err
					stop := !verdict.IsPermanent(err)
					if stop {
						for _, waiting := range chain[n+1:] {
							failed[waiting] = verdict.Held(err)
						}
					}
					mu.Unlock()
					if stop {
						break
					}
				}
			}
		})
	}
	for _, chain := range chains {
		next <- chain
	}
	close(next)
	wg.Wait()
	return failed.ErrOrNil()
}

// recovering makes an error of a panic: nobody above could recover from one in a goroutine of [Each], so an alert that
// an output does not cope with would end the process, again at each start.
func recovering(send func(context.Context, *alert.Alert) error) func(context.Context, *alert.Alert) error {
	return func(ctx context.Context, a *alert.Alert) (err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("the output panicked: %v", r)
			}
		}()
		return send(ctx, a)
	}
}
