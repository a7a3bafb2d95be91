package httpsource

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// budget bounds the memory of the large bodies that are being received or kept until their alerts are safe.
type budget struct {
	bytes *semaphore.Weighted
	size  int64
}

func newBudget(size int64) budget { return budget{semaphore.NewWeighted(size), size} }

// take waits for n bytes; the body's own limit sees to it that n is no more than there are in all.
func (b budget) take(ctx context.Context, n int64) (int64, error) {
	n = min(n, b.size)
	return n, b.bytes.Acquire(ctx, n)
}

// give returns what take took.
func (b budget) give(n int64) {
	if n > 0 {
		b.bytes.Release(n)
	}
}
