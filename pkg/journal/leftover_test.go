package journal_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/journal"
)

// What is left for a lane ends with what was there when it was asked: later alerts keep it from nothing.
func TestLeftoverOfALane(t *testing.T) {
	for name, cfg := range engines(t) {
		t.Run(name, func(t *testing.T) {
			j := open(t, cfg)
			gone := cursor(t, j, "gone", alert.Error)
			appendOne := func(n int, p alert.Priority) {
				t.Helper()
				if err := j.Append(t.Context(), []*alert.Alert{anAlert(t, n, p)}); err != nil {
					t.Fatal(err)
				}
			}
			appendOne(1, alert.Critical)
			appendOne(2, alert.Emergency)
			var left journal.Leftover
			eventually(t, func() bool { // the stream tells its consumers a moment after it has answered
				var err error
				if left, err = j.Leftover(t.Context(), "gone"); err != nil {
					t.Fatal(err)
				}
				return left.Packs == 2
			}, func() string { return fmt.Sprintf("left: %+v", left) })
			if left.Minimum != alert.Error || left.Newest != 2 {
				t.Errorf("left: %+v", left)
			}
			past := func() bool {
				t.Helper()
				yes, err := j.IsPast(t.Context(), "gone", left.Newest)
				if err != nil {
					t.Fatal(err)
				}
				return yes
			}
			if past() {
				t.Error("nothing is done yet")
			}
			appendOne(3, alert.Alarm)
			appendOne(4, alert.Alarm)
			ctx, cancel := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() { gone.Run(ctx) })
			defer func() { cancel(); running.Wait() }()
			var sequences []uint64
			for len(sequences) < 3 {
				entries, err := gone.Next(t.Context(), 1, 0)
				if err != nil {
					t.Fatal(err)
				}
				sequences = append(sequences, entries[0].Sequence)
				gone.Done(entries...)
			}
			for i, got := range sequences {
				if want := uint64(i + 1); got != want {
					t.Errorf("alert %d has the sequence %d", want, got)
				}
			}
			eventually(t, past, func() string { return "the lane is not past what was left, though all of it is done" })
			if _, err := j.Leftover(t.Context(), "nobody"); err == nil {
				t.Error("a lane that nobody has heard of has something left")
			}
		})
	}
}
