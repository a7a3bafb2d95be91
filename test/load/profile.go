package main

import (
	"context"
	"fmt"
)

// steady loads a program that runs already: for a look at it with a profiler.
func steady(ctx context.Context, l load) error {
	sink, err := newSink(ctx, "127.0.0.1:2898", false)
	if err != nil {
		return err
	}
	defer sink.close()
	result, err := l.send(ctx)
	fmt.Printf("%.0f alerts/s, p50 %s, p99 %s, %d requests at the destination\n", result.perSecond(), result.percentile(0.5), result.percentile(0.99), sink.requests.Load())
	return err
}
