package source

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	// firstPause and longestPause bound the time between two tries of [Keep]; it doubles from one to the other.
	firstPause   = time.Second
	longestPause = 30 * time.Second
	// steady is how long a run must have lasted for the pauses to begin anew.
	steady = time.Minute
)

// errEnded is a run that ended without an error though its context had not.
var errEnded = errors.New("it ended by itself")

// Keep runs a source again and again until ctx ends, for ever: what it takes from may come back at any time. Pauses
// between the tries grow to half a minute, give or take a fifth, and begin anew after a run that lasted. health is
// down from the end of a run until the source itself says that it is up.
func Keep(ctx context.Context, health *Health, s Source, put Put) {
	pause := firstPause
	for {
		began := time.Now()
		err := s.Run(ctx, put)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errEnded
		}
		health.Down(err)
		if time.Since(began) >= steady {
			pause = firstPause
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(jitter(pause)):
		}
		pause = min(2*pause, longestPause)
	}
}

// jitter spreads a pause by a fifth, so that what went down at once does not come back at once.
func jitter(d time.Duration) time.Duration {
	return d*4/5 + rand.N(d*2/5) //nolint:gosec // no secret
}
