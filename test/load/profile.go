package main

import (
	"context"
	"fmt"
	"time"
)

// steady loads a program that runs already: for a look at it with a profiler.
func steady(ctx context.Context, addr string, perPost int, length time.Duration) error {
	sink, err := newSink(ctx, "127.0.0.1:2898", false)
	if err != nil {
		return err
	}
	defer sink.close()
	result, err := load{addr: addr, connections: 64, perPost: perPost, length: length}.send(ctx)
	fmt.Println(result.perSecond(), sink.requests.Load())
	return err
}
