package journal

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tiercel/tiercel/pkg/alert"
)

// lane makes a lane's place and brings its packs in until the test ends.
func lane(t *testing.T, j *Journal, name string, minimum alert.Priority) *Cursor {
	t.Helper()
	c, err := j.Cursor(t.Context(), Lane{Name: name, Minimum: minimum})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return c
}

// left waits until as many packs are in the stream.
func left(t *testing.T, j *Journal, packs uint64) {
	t.Helper()
	var status Status
	for range 1000 {
		var err error
		if status, err = j.Status(t.Context()); err != nil {
			t.Fatal(err)
		}
		if status.Packs == packs {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%d packs are left, want %d", status.Packs, packs)
}

// TestSweepTakesWhatEveryLaneHas: also where a lane for serious alerts has seen none yet.
func TestSweepTakesWhatEveryLaneHas(t *testing.T) {
	j := openInside(t, func(*Config) {})
	all := lane(t, j, "loki", alert.Debug)
	lane(t, j, "slack", alert.Critical)
	for range 20 {
		a := alertOf(t, alert.Notice, 100)
		appendOne(t, j, a)
		expect(t, all, a.ID)
	}
	left(t, j, 0)
}

// TestSweepLeavesWhatALaneWaitsFor: one lane that is stuck keeps its own alerts and no others.
func TestSweepLeavesWhatALaneWaitsFor(t *testing.T) {
	j := openInside(t, func(*Config) {})
	all := lane(t, j, "loki", alert.Debug)
	stuck := lane(t, j, "slack", alert.Critical)
	var serious []alert.ID
	for n := range 60 {
		a := alertOf(t, alert.Notice, 100)
		if n%20 == 10 {
			a = alertOf(t, alert.Critical, 100)
			serious = append(serious, a.ID)
		}
		appendOne(t, j, a)
		expect(t, all, a.ID)
	}
	left(t, j, uint64(len(serious)))
	for _, id := range serious {
		expect(t, stuck, id)
	}
	left(t, j, 0)
}

// TestSweepLosesNothing: whatever lanes do while it is swept all the time.
func TestSweepLosesNothing(t *testing.T) {
	j := openInside(t, func(*Config) {})
	minimums := map[string]alert.Priority{"all": alert.Debug, "some": alert.Warning, "few": alert.Alarm}
	const alerts = 2000
	wanted := map[string]int{}
	var readers sync.WaitGroup
	var sent [alerts]*alert.Alert
	for n := range sent {
		sent[n] = alertOf(t, alert.Priority(rand.IntN(8)), 10)
		for name, minimum := range minimums {
			if sent[n].Priority >= minimum {
				wanted[name]++
			}
		}
	}
	for name, minimum := range minimums {
		c := lane(t, j, name, minimum)
		readers.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			got := map[alert.ID]bool{}
			var held []Entry
			for len(got) < wanted[name] {
				entries, err := c.Next(ctx, 1+rand.IntN(50), 0)
				if err != nil {
					t.Errorf("%s has %d of %d: %v", name, len(got), wanted[name], err)
					return
				}
				for _, e := range entries {
					got[e.Alert.ID] = true
				}
				held = append(held, entries...)
				rand.Shuffle(len(held), func(a, b int) { held[a], held[b] = held[b], held[a] })
				done := rand.IntN(len(held) + 1)
				c.Done(held[:done]...)
				held = append([]Entry(nil), held[done:]...)
			}
			c.Done(held...)
		})
	}
	sweeping, stop := context.WithCancel(t.Context())
	var sweeper sync.WaitGroup
	sweeper.Go(func() {
		for sweeping.Err() == nil {
			if err := j.sweep(sweeping, j.link, true); err != nil && sweeping.Err() == nil {
				t.Error(err)
			}
		}
	})
	for _, a := range sent {
		appendOne(t, j, a)
	}
	readers.Wait()
	stop()
	sweeper.Wait()
	left(t, j, 0)
}

// TestJournalOfInterestRetentionIsTakenOver: as versions before this one made it.
func TestJournalOfInterestRetentionIsTakenOver(t *testing.T) {
	dir := t.TempDir()
	j := openInside(t, func(cfg *Config) { cfg.Dir = dir })
	if _, err := j.Cursor(t.Context(), Lane{Name: "loki"}); err != nil {
		t.Fatal(err)
	}
	old := j.link.alerts.CachedInfo().Config
	old.Retention = jetstream.InterestPolicy
	if _, err := j.link.js.UpdateStream(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	var ids []alert.ID
	for range 10 {
		a := alertOf(t, alert.Notice, 100)
		appendOne(t, j, a)
		ids = append(ids, a.ID)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = openInside(t, func(cfg *Config) { cfg.Dir = dir })
	c := lane(t, j, "loki", alert.Debug)
	for _, id := range ids {
		expect(t, c, id)
	}
	left(t, j, 0)
}
