package journal

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/size"
	"github.com/tiercel/tiercel/pkg/verdict"
)

var errTorn = errors.New("torn")

func openInside(t *testing.T, change func(*Config)) *Journal {
	t.Helper()
	cfg := Defaults()
	cfg.Dir, cfg.Sync, cfg.Reserve = t.TempDir(), SyncNone, 0
	change(&cfg)
	j, err := Open(t.Context(), cfg, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

func alertOf(t *testing.T, priority alert.Priority, padding int) *alert.Alert {
	t.Helper()
	noise := make([]byte, padding*3/4) // so that compressing it does not make it much smaller
	_, _ = rand.Read(noise)
	body := fmt.Sprintf(`{"rule":"r","priority":%q,"time":"2026-01-01T00:00:00Z","output":%q}`, priority, base64.RawStdEncoding.EncodeToString(noise))
	a, err := alert.DecodeOne([]byte(body), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func appendOne(t *testing.T, j *Journal, a *alert.Alert) {
	t.Helper()
	if err := j.Append(t.Context(), []*alert.Alert{a}); err != nil {
		t.Fatal(err)
	}
}

// expect waits for the alert want and is done with it.
func expect(t *testing.T, c *Cursor, want alert.ID) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	entries, err := c.Next(ctx, 1, 0)
	if err != nil {
		t.Fatalf("the alert did not come: %v", err)
	}
	if entries[0].Alert.ID != want {
		t.Fatalf("another alert came")
	}
	c.Done(entries...)
}

// TestRestartForgetsNoLane: whatever the journal lost by its restart, an alert that is accepted after it reaches the
// lanes, also when they have not looked again yet, and when the stream counts from 1 again.
func TestRestartForgetsNoLane(t *testing.T) {
	for _, storage := range []string{StorageFile, StorageMemory} {
		t.Run(storage, func(t *testing.T) {
			j := openInside(t, func(cfg *Config) { cfg.Storage = storage })
			var lanes [2]*Cursor
			for i := range lanes {
				c, err := j.Cursor(t.Context(), Lane{Name: fmt.Sprint("lane-", i)})
				if err != nil {
					t.Fatal(err)
				}
				lanes[i] = c
			}
			ctx, cancel := context.WithCancel(t.Context())
			var running sync.WaitGroup
			t.Cleanup(func() { cancel(); running.Wait() })
			running.Go(func() { lanes[0].Run(ctx) })

			before, after := alertOf(t, alert.Notice, 10), alertOf(t, alert.Notice, 10)
			appendOne(t, j, before)
			expect(t, lanes[0], before.ID)
			l, err := j.current(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			j.replace(context.WithoutCancel(t.Context()), l, errTorn)
			appendOne(t, j, after)
			expect(t, lanes[0], after.ID)
			running.Go(func() { lanes[1].Run(ctx) })
			if storage == StorageFile {
				expect(t, lanes[1], before.ID)
			}
			expect(t, lanes[1], after.ID)
		})
	}
}

// TestOneRefusalIsNotThatOfOthers: what the journal does not take of one sender says nothing about those behind it.
func TestOneRefusalIsNotThatOfOthers(t *testing.T) {
	behind := func(t *testing.T, j *Journal, first *alert.Alert, want error) {
		t.Helper()
		w := newWriter(j, odometer{}) // one that does not run
		made := func(a *alert.Alert) *request {
			r := &request{frames: appendFrame(nil, a), alerts: []frame{{route: a.Route(), alert: a}}, number: 1, route: a.Route(), done: make(chan error, 1)}
			r.counts[a.Route()]++
			return r
		}
		refused, waiting := made(first), made(alertOf(t, alert.Critical, 10))
		w.queue <- waiting
		w.write(t.Context(), []*request{refused}, 1)
		if err := <-refused.done; !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
		select {
		case err := <-waiting.done:
			t.Errorf("a critical alert of another sender was refused as well: %v", err)
		default:
		}
	}
	t.Run("too large", func(t *testing.T) {
		srv, err := server.NewServer(&server.Options{
			Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true, MaxPayload: 64 << 10,
		})
		if err != nil {
			t.Fatal(err)
		}
		go srv.Start()
		t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
		if !srv.ReadyForConnections(time.Minute) {
			t.Fatal("the NATS server does not start")
		}
		j := openInside(t, func(cfg *Config) { cfg.URL = srv.ClientURL() })
		behind(t, j, alertOf(t, alert.Notice, 100<<10), ErrTooLarge)
	})
	t.Run("full of what is more serious", func(t *testing.T) {
		j := openInside(t, func(cfg *Config) { cfg.MaxSize, cfg.FullWait = 1*size.MiB, 0 })
		if _, err := j.Cursor(t.Context(), Lane{Name: "stalled"}); err != nil {
			t.Fatal(err)
		}
		for range 30 { // more than fits
			appendOne(t, j, alertOf(t, alert.Warning, 50<<10))
		}
		behind(t, j, alertOf(t, alert.Debug, 200<<10), ErrFull)
	})
}

// TestTooLargeADeadLetter: one that cannot fit in any case neither pushes the others out nor stays in the way of its
// lane for ever.
func TestTooLargeADeadLetter(t *testing.T) {
	j := openInside(t, func(cfg *Config) { cfg.DeadLetters.MaxSize = 64 * size.KiB })
	for n := range uint64(10) {
		if err := j.Bury(t.Context(), DeadLetter{Lane: "slack", Alert: alertOf(t, alert.Notice, 500), Sequence: n}); err != nil {
			t.Fatal(err)
		}
	}
	large := alertOf(t, alert.Critical, 200<<10)
	if err := j.Bury(t.Context(), DeadLetter{Lane: "slack", Alert: large, Reason: verdict.TooLarge}); err != nil {
		t.Fatal(err)
	}
	var last DeadLetter
	count := 0
	if err := j.DeadLetters(t.Context(), "slack", func(letter DeadLetter) bool {
		last = letter
		count++
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if count != 11 {
		t.Errorf("%d dead letters of 11 are there", count)
	}
	got := last.Alert
	if got.ID != large.ID || got.Priority != alert.Critical || !strings.HasPrefix(got.Output, large.Output[:1000]) || last.Reason != verdict.TooLarge {
		t.Errorf("the large one is %+v", last)
	}
	if note := got.Fields.Text("tiercel.cut"); !strings.Contains(note, "deadletters.maxsize") {
		t.Errorf("it does not say that it was cut: %q", note)
	}
}

// TestDeadLetterOfAnEarlierVersion: they held the alert's record itself.
func TestDeadLetterOfAnEarlierVersion(t *testing.T) {
	a := alertOf(t, alert.Notice, 100)
	got, err := buriedAlert(a.AppendRecord(nil))
	if err != nil || got.ID != a.ID || got.Raw() != a.Raw() {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestFullDiskIsLookedAtAgain: each time that alerts were discarded, the disk is asked before more of them are.
func TestFullDiskIsLookedAtAgain(t *testing.T) {
	j := openInside(t, func(cfg *Config) { cfg.MaxSize, cfg.FullWait, cfg.Reserve = 1*size.MiB, 0, 1 })
	if _, err := j.Cursor(t.Context(), Lane{Name: "stalled"}); err != nil {
		t.Fatal(err)
	}
	const packs = 500
	for range packs {
		appendOne(t, j, alertOf(t, alert.Notice, 1000))
	}
	asked := 0
	j.guard.mu.Lock()
	j.guard.at, j.guard.ask = time.Time{}, func(string) (size.Bytes, error) {
		if asked++; asked > 2 {
			return 1 * size.MiB, nil // there is room once something was discarded
		}
		return 0, nil // full, also when what is delivered was removed
	}
	j.guard.mu.Unlock()
	appendOne(t, j, alertOf(t, alert.Notice, 1000))
	status, err := j.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if most := uint64(10); status.Packs == packs+1 || status.Packs < packs-most {
		t.Errorf("%d of %d packs are left, want some fewer, but at most %d", status.Packs, packs, most)
	}
}

// TestFullDiskOfOthersCostsLittle: when it is not the journal that fills the disk, it does not give up all it holds.
func TestFullDiskOfOthersCostsLittle(t *testing.T) {
	j := openInside(t, func(cfg *Config) { cfg.MaxSize, cfg.FullWait, cfg.Reserve = 1*size.MiB, 0, 1 })
	if _, err := j.Cursor(t.Context(), Lane{Name: "stalled"}); err != nil {
		t.Fatal(err)
	}
	free := func(n size.Bytes) {
		j.guard.mu.Lock()
		defer j.guard.mu.Unlock()
		j.guard.at, j.guard.ask = time.Time{}, func(string) (size.Bytes, error) { return n, nil }
	}
	const packs = 700 // some 800 KiB
	for range packs {
		appendOne(t, j, alertOf(t, alert.Notice, 900))
	}
	free(0)
	left := uint64(packs)
	for n := range 3 {
		if err := j.Append(t.Context(), []*alert.Alert{alertOf(t, alert.Notice, 900)}); !errors.Is(err, ErrFull) {
			t.Fatalf("got %v", err)
		}
		status, err := j.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if status.Packs < packs/5 || n > 0 && status.Packs != left {
			t.Fatalf("%d of %d packs are left, before it were %d", status.Packs, packs, left)
		}
		left = status.Packs
	}
	free(1 * size.MiB)
	appendOne(t, j, alertOf(t, alert.Notice, 900))
}

func TestGain(t *testing.T) {
	for name, c := range map[string]struct {
		discarded, free size.Bytes
		futile          bool
	}{
		"nothing discarded yet": {0, 100, false},
		"too little to say":     {9, 100, false},
		"no more room":          {10, 100, true},
		"others take more":      {10, 50, true},
		"a little by chance":    {10, 104, true},
		"it helps":              {10, 105, false},
	} {
		g := gain{before: 100, discarded: c.discarded}
		if got := g.futile(c.free, 10); got != c.futile {
			t.Errorf("%s: %v", name, got)
		}
	}
}
