package outputs_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/verdict"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errAgain, errNever = errors.New("again"), errors.New("never")

// from makes an alert of each host, with the place in the batch as its rule.
func from(hosts ...string) []*alert.Alert {
	var batch []*alert.Alert
	for i, host := range hosts {
		batch = append(batch, &alert.Alert{Rule: fmt.Sprint(i), Hostname: host})
	}
	return batch
}

// journal remembers which alerts were sent, in what order per host.
type journal struct {
	mu    sync.Mutex
	rules map[string][]string
}

func (j *journal) note(a *alert.Alert) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.rules == nil {
		j.rules = map[string][]string{}
	}
	j.rules[a.Hostname] = append(j.rules[a.Hostname], a.Rule)
}

func TestEachOfOneAlertGivesItsErrorAsItIs(t *testing.T) {
	for _, want := range []error{nil, errAgain, verdict.Permanent(errNever)} {
		err := outputs.Each(t.Context(), from("a"), 8, func(context.Context, *alert.Alert) error { return want })
		if err != want { //nolint:errorlint // as it is
			t.Errorf("%v came back as %v", want, err)
		}
	}
}

func TestEachSendsSeveralHostsAtOnce(t *testing.T) {
	for _, c := range []struct{ concurrency, hosts, atOnce int }{
		{1, 5, 1}, {3, 9, 3}, {8, 3, 3}, {0, 20, outputs.DefaultConcurrency}, {-1, 20, outputs.DefaultConcurrency},
	} {
		synctest.Test(t, func(t *testing.T) {
			var hosts []string
			for i := range c.hosts * 2 { // two alerts of each
				hosts = append(hosts, fmt.Sprint("host-", i%c.hosts))
			}
			var mu sync.Mutex
			now, most := 0, 0
			err := outputs.Each(t.Context(), from(hosts...), c.concurrency, func(context.Context, *alert.Alert) error {
				mu.Lock()
				now++
				most = max(most, now)
				mu.Unlock()
				time.Sleep(time.Second) // of a fake clock: all that can run at once do
				mu.Lock()
				now--
				mu.Unlock()
				return nil
			})
			if err != nil || most != c.atOnce {
				t.Errorf("%d hosts, concurrency %d: %d at once, want %d (%v)", c.hosts, c.concurrency, most, c.atOnce, err)
			}
		})
	}
}

// TestEachAgainstAModel: whatever the hosts and the errors, each host's alerts are sent in order, up to the first that
// may be tried again; those after it are held.
func TestEachAgainstAModel(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		var hosts []string
		errs := map[string]error{}
		for i := range 2 + r.IntN(30) {
			hosts = append(hosts, fmt.Sprint("host-", r.IntN(6)))
			switch r.IntN(6) {
			case 0:
				errs[fmt.Sprint(i)] = verdict.After(time.Minute, errAgain)
			case 1:
				errs[fmt.Sprint(i)] = verdict.Permanent(errNever)
			}
		}
		batch := from(hosts...)
		wantSent, wantFailed, stopped := map[string][]string{}, map[int]string{}, map[string]bool{}
		for i, a := range batch {
			err := errs[a.Rule]
			switch {
			case stopped[a.Hostname]:
				wantFailed[i] = "held"
				continue
			case verdict.IsPermanent(err):
				wantFailed[i] = "permanent"
			case err != nil:
				wantFailed[i] = "again"
				stopped[a.Hostname] = true
			}
			wantSent[a.Hostname] = append(wantSent[a.Hostname], a.Rule)
		}

		var sent journal
		err := outputs.Each(t.Context(), batch, 1+r.IntN(8), func(_ context.Context, a *alert.Alert) error {
			sent.note(a)
			return errs[a.Rule]
		})

		gotFailed := map[int]string{}
		var partial verdict.Partial
		if errors.As(err, &partial) != (len(wantFailed) > 0) {
			t.Fatalf("seed %d: got %v, want %v", seed, err, wantFailed)
		}
		for i, err := range partial {
			pause, _ := verdict.Pause(err)
			switch {
			case verdict.IsHeld(err) && errors.Is(err, errAgain) && pause == time.Minute:
				gotFailed[i] = "held"
			case verdict.IsPermanent(err):
				gotFailed[i] = "permanent"
			case errors.Is(err, errAgain) && pause == time.Minute:
				gotFailed[i] = "again"
			}
		}
		if !maps.Equal(gotFailed, wantFailed) {
			t.Errorf("seed %d: failed %v, want %v", seed, gotFailed, wantFailed)
		}
		if !maps.EqualFunc(sent.rules, wantSent, slices.Equal) {
			t.Errorf("seed %d: sent %v, want %v", seed, sent.rules, wantSent)
		}
	}
}

func TestEachSharesOutTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
		defer cancel()
		// The first of host a hangs. It costs its own quarter of the time and holds back its host, nobody else.
		batch := from("a", "b", "a", "b")
		began := time.Now()
		err := outputs.Each(ctx, batch, 8, func(ctx context.Context, a *alert.Alert) error {
			if a.Rule != "0" {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		})
		var partial verdict.Partial
		if !errors.As(err, &partial) || len(partial) != 2 || verdict.ReasonOf(partial[0]) != verdict.Timeout || verdict.IsHeld(partial[0]) || !verdict.IsHeld(partial[2]) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("took %v of 40s for one of four alerts", took)
		}
	})
}

func TestEachWithoutADeadlineSetsNone(t *testing.T) {
	err := outputs.Each(t.Context(), from("a", "b"), 8, func(ctx context.Context, _ *alert.Alert) error {
		if at, ok := ctx.Deadline(); ok {
			return fmt.Errorf("there is a deadline, %v", at)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestEachEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := outputs.Each(ctx, from("a", "b", "c", "d"), 2, func(ctx context.Context, _ *alert.Alert) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	})
	var partial verdict.Partial
	if !errors.As(err, &partial) || len(partial) != 4 || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkEach(b *testing.B) {
	var hosts []string
	for i := range 64 {
		hosts = append(hosts, fmt.Sprint("host-", i%16))
	}
	batch := from(hosts...)
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if err := outputs.Each(ctx, batch, 8, func(context.Context, *alert.Alert) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

func TestEachOutlivesAPanic(t *testing.T) {
	batch := from("a", "b", "c")
	sent := journal{}
	err := outputs.Each(t.Context(), batch, 2, func(_ context.Context, a *alert.Alert) error {
		if a.Hostname == "b" {
			panic("no such thing")
		}
		sent.note(a)
		return nil
	})
	var partial verdict.Partial
	if !errors.As(err, &partial) || len(partial) != 1 || partial[1] == nil || verdict.IsPermanent(partial[1]) {
		t.Errorf("got %v, want a failure of b alone that may be tried again", err)
	}
	if len(sent.rules) != 2 {
		t.Errorf("sent %v", sent.rules)
	}
}
