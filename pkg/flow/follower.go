package flow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/journal"
)

// A Follower is somebody outside, known by a name, who reads the alerts at their own pace: like a lane it has a place in
// the journal, unlike a lane it comes and goes. One that stays away for longer than it asked for loses its place.
type Follower struct {
	journal *journal.Journal
	cursor  *journal.Cursor
	end     context.CancelFunc
	ended   chan struct{}

	mu    sync.Mutex
	given []journal.Entry // not done, in order
}

// followerPrefix begins the names of the followers' places in the journal. No output has a name with it.
const followerPrefix = "subscriber/"

func isFollower(lane string) bool { return strings.HasPrefix(lane, followerPrefix) }

// ErrTooMany says that there are as many followers as there may be.
var ErrTooMany = errors.New("as many have a place in the journal as may")

// Follow opens a follower's place, or makes it: then it begins with what comes next. idle is how long the place stays
// while nobody uses it; most is how many followers there may be. One name is for one user at a time.
func (f *Flow) Follow(ctx context.Context, name string, idle time.Duration, most int) (*Follower, error) {
	j := f.deps.Journal
	lanes, err := j.Lanes(ctx)
	if err != nil {
		return nil, err
	}
	others := 0
	for _, lane := range lanes {
		if isFollower(lane) && lane != followerPrefix+name {
			others++
		}
	}
	if others >= most {
		return nil, fmt.Errorf("%w: %d", ErrTooMany, others)
	}
	cursor, err := j.Cursor(ctx, journal.Lane{Name: followerPrefix + name, Minimum: alert.Debug, Idle: idle})
	if err != nil {
		return nil, err
	}
	reading, end := context.WithCancel(context.WithoutCancel(ctx)) // ended by Close
	follower := &Follower{journal: j, cursor: cursor, end: end, ended: make(chan struct{})}
	go func() {
		cursor.Run(reading)
		j.Release(cursor)
		close(follower.ended)
	}()
	return follower, nil
}

const (
	followAlerts = 256
	followBytes  = 1 << 20
)

// Next waits for alerts and gives those that are there, in order. It returns ctx's error when ctx ends first.
func (f *Follower) Next(ctx context.Context) ([]*alert.Alert, error) {
	entries, err := f.cursor.Next(ctx, followAlerts, followBytes)
	if err != nil {
		return nil, err
	}
	alerts := make([]*alert.Alert, len(entries))
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, e := range entries {
		alerts[i] = e.Alert
		e.Alert = nil // what is on its way is no longer needed here
		f.given = append(f.given, e)
	}
	return alerts, nil
}

// Done says that the first n alerts that Next gave, of those not done, are delivered for good.
func (f *Follower) Done(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n = min(n, len(f.given))
	f.cursor.Done(f.given[:n]...)
	f.given = f.given[n:]
}

// Close ends the use of the place, which stays. What is not done comes again.
func (f *Follower) Close() {
	f.end()
	<-f.ended
}
