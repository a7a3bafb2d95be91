package journal_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/goleak"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/journal"
	"github.com/tiercel/tiercel/pkg/size"
	"github.com/tiercel/tiercel/pkg/verdict"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func testConfig(t testing.TB) journal.Config {
	cfg := journal.Defaults()
	cfg.Dir = t.TempDir()
	cfg.Sync = journal.SyncNone
	cfg.Reserve = 0
	return cfg
}

// engines are the ways to run a journal; each must keep the same contract.
func engines(t testing.TB) map[string]journal.Config {
	file, memory, external := testConfig(t), testConfig(t), testConfig(t)
	memory.Storage = journal.StorageMemory
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	go srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(time.Minute) {
		t.Fatal("the NATS server does not start")
	}
	external.URL = srv.ClientURL()
	return map[string]journal.Config{"embedded, file": file, "embedded, memory": memory, "external": external}
}

func open(t testing.TB, cfg journal.Config) *journal.Journal {
	t.Helper()
	level := slog.LevelWarn
	if testing.Verbose() {
		level = slog.LevelInfo
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: level}))
	j, err := journal.Open(t.Context(), cfg, journal.Options{Log: log})
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

// anAlert makes an alert as Falco would send it, of about a kilobyte.
// noise is a text that cannot be compressed much.
func noise(seed, length int) string {
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	text := make([]byte, length)
	for i := range text {
		text[i] = byte(' ' + 1 + random.IntN('~'-' '))
	}
	return string(text)
}

func anAlert(t testing.TB, n int, priority alert.Priority) *alert.Alert {
	t.Helper()
	body := fmt.Sprintf(`{"rule":"rule %d","priority":%q,"time":"2026-01-01T00:00:00Z","output":"alert %d 한글 😀","output_fields":{"n":%d,"pad":%q}}`,
		n%7, priority, n, n, noise(n, 800))
	a, err := alert.DecodeOne([]byte(body), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// reader collects what a lane gets.
type reader struct {
	cursor *journal.Cursor
	stop   func()
	mu     sync.Mutex
	got    map[string]int // how often each alert came, by its number
}

func cursor(t testing.TB, j *journal.Journal, lane string, minimum alert.Priority) *journal.Cursor {
	t.Helper()
	c, err := j.Cursor(t.Context(), journal.Lane{Name: lane, Minimum: minimum})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// read makes a lane that takes everything at once.
func read(t testing.TB, j *journal.Journal, lane string, minimum alert.Priority) *reader {
	t.Helper()
	r := &reader{cursor: cursor(t, j, lane, minimum), got: map[string]int{}}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { r.cursor.Run(ctx) })
	running.Go(func() {
		for {
			entries, err := r.cursor.Next(ctx, 100, 0)
			if err != nil {
				return
			}
			r.mu.Lock()
			for _, e := range entries {
				r.got[e.Alert.Fields.Text("n")]++
			}
			r.mu.Unlock()
			r.cursor.Done(entries...)
		}
	})
	r.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(r.stop)
	return r
}

func (r *reader) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.got)
}

// wait waits until the lane has n different alerts.
func (r *reader) wait(t testing.TB, n int) {
	t.Helper()
	eventually(t, func() bool { return r.count() >= n }, func() string { return fmt.Sprintf("%d of %d alerts came", r.count(), n) })
	if got := r.count(); got != n {
		t.Errorf("%d alerts came, want %d", got, n)
	}
}

func eventually(t testing.TB, ok func() bool, what func() string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited 30 s: " + what())
		}
	}
}

func TestEveryLaneGetsWhatItWants(t *testing.T) {
	for name, cfg := range engines(t) {
		t.Run(name, func(t *testing.T) {
			j := open(t, cfg)
			all := read(t, j, "loki", alert.Debug)
			serious := read(t, j, "slack/on-call", alert.Critical)
			const each = 250
			var producers sync.WaitGroup
			for _, p := range alert.Priorities() {
				producers.Go(func() {
					for n := range each {
						if err := j.Append(t.Context(), []*alert.Alert{anAlert(t, int(p)*each+n, p)}); err != nil {
							t.Error(err)
						}
					}
				})
			}
			producers.Wait()
			all.wait(t, 8*each)
			serious.wait(t, 3*each)
			for n, times := range all.got {
				if times != 1 {
					t.Errorf("alert %s came %d times", n, times)
				}
			}
			eventually(t, func() bool { s, err := j.Status(t.Context()); return err == nil && s.Packs == 0 },
				func() string {
					s, err := j.Status(t.Context())
					return fmt.Sprint("the journal is not empty: ", s, err)
				})
		})
	}
}

func TestReopenGivesWhatWasNotDone(t *testing.T) {
	for name, cfg := range engines(t) {
		if cfg.Storage == journal.StorageFile {
			t.Run(name, func(t *testing.T) { reopen(t, cfg) })
		}
	}
}

func reopen(t *testing.T, cfg journal.Config) {
	j := open(t, cfg)
	c := cursor(t, j, "webhook", alert.Debug)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx) })
	for n := range 100 {
		if err := j.Append(t.Context(), []*alert.Alert{anAlert(t, n, alert.Notice)}); err != nil {
			t.Fatal(err)
		}
	}
	var done []journal.Entry
	for len(done) < 40 {
		entries, err := c.Next(ctx, 40-len(done), 0)
		if err != nil {
			t.Fatal(err)
		}
		c.Done(entries...)
		done = append(done, entries...)
	}
	// A journal in a cluster, where others may write too, knows only what it was given.
	if lag := c.Lag(); (lag.Alerts != 60 && cfg.URL == "") || lag.Alerts > 60 || lag.Oldest.IsZero() {
		t.Errorf("lag %+v, want 60 alerts", lag)
	}
	cancel()
	running.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(t.Context(), []*alert.Alert{anAlert(t, 0, alert.Notice)}); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	j = open(t, cfg)
	r := read(t, j, "webhook", alert.Debug)
	r.wait(t, 60)
	eventually(t, func() bool { return r.cursor.Lag() == journal.Lag{} }, func() string { return fmt.Sprintf("lag %+v, want none", r.cursor.Lag()) })
}

func TestManyAlertsInOneAppend(t *testing.T) {
	j := open(t, testConfig(t))
	r := read(t, j, "loki", alert.Debug)
	var many []*alert.Alert
	for n := range 3000 {
		many = append(many, anAlert(t, n, alert.Notice))
	}
	if err := j.Append(t.Context(), many); err != nil {
		t.Fatal(err)
	}
	r.wait(t, 3000)
	big := anAlert(t, 3000, alert.Notice)
	big.Fields = big.Fields.With(alert.Field{Name: "big", Value: alert.String(strings.Repeat("y", 5<<20))})
	if err := j.Append(t.Context(), []*alert.Alert{big}); err != nil {
		t.Fatal(err)
	}
	r.wait(t, 3001)
	big.Fields = big.Fields.With(alert.Field{Name: "big", Value: alert.String(strings.Repeat("y", 70<<20))})
	if err := j.Append(t.Context(), []*alert.Alert{big}); !errors.Is(err, journal.ErrTooLarge) {
		t.Errorf("an alert of 70 MiB: %v", err)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	cfg := testConfig(t)
	open(t, cfg)
	_, err := journal.Open(t.Context(), cfg, journal.Options{Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("in use by process %d", os.Getpid())) {
		t.Errorf("a second journal in the same folder: %v", err)
	}
}

func TestAttachSeesTheRunningJournal(t *testing.T) {
	cfg := testConfig(t)
	j := open(t, cfg)
	r := read(t, j, "slack", alert.Debug)
	a := anAlert(t, 1, alert.Critical)
	letter := journal.DeadLetter{Lane: "slack", Reason: verdict.Rejected, Attempts: 3, Answer: "400\r\nno_text \x1b[31m한글", Alert: a}
	if err := j.Bury(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	beside, err := journal.Attach(t.Context(), cfg, journal.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer beside.Close()
	var letters []journal.DeadLetter
	if err := beside.DeadLetters(t.Context(), "slack", func(d journal.DeadLetter) bool { letters = append(letters, d); return true }); err != nil {
		t.Fatal(err)
	}
	if len(letters) != 1 {
		t.Fatalf("%d dead letters", len(letters))
	}
	got := letters[0]
	if got.Lane != "slack" || got.Reason != verdict.Rejected || got.Attempts != 3 || got.Answer != "400  no_text  [31m한글" || got.Alert.Raw() != a.Raw() {
		t.Errorf("dead letter %+v", got)
	}
	if err := beside.Retry(t.Context(), got.ID, "nobody"); err == nil {
		t.Error("an alert was given to an output that does not exist")
	}
	if err := beside.Retry(t.Context(), got.ID, ""); err != nil {
		t.Fatal(err)
	}
	r.wait(t, 1)
	if _, err := j.DeadLetter(t.Context(), got.ID); !errors.Is(err, journal.ErrNoDeadLetter) {
		t.Errorf("the dead letter is still there: %v", err)
	}
	if err := beside.Drop(t.Context(), got.ID); !errors.Is(err, journal.ErrNoDeadLetter) {
		t.Errorf("dropping it: %v", err)
	}
}

func TestEveryEntryHasADeadLetterOfItsOwn(t *testing.T) {
	for name, cfg := range engines(t) {
		t.Run(name, func(t *testing.T) {
			j := open(t, cfg)
			c := cursor(t, j, "slack", alert.Debug)
			running(t, c)
			// A sender gave one UUID to two alerts of one body.
			a, b := anAlert(t, 1, alert.Critical), anAlert(t, 2, alert.Critical)
			b.ID, b.Received = a.ID, a.Received
			if err := j.Append(t.Context(), []*alert.Alert{a, b}); err != nil {
				t.Fatal(err)
			}
			bury := func(entries []journal.Entry) {
				for _, e := range entries {
					letter := journal.DeadLetter{Lane: "slack", Reason: verdict.Rejected, Alert: e.Alert, Sequence: e.Sequence, Number: e.Number}
					for range 2 { // the second time because the answer to the first was lost
						if err := j.Bury(t.Context(), letter); err != nil {
							t.Fatal(err)
						}
					}
				}
				c.Done(entries...)
			}
			bury(take(t, c, 2))
			if got := buried(t, j); !slices.Equal(got, []string{"1", "2"}) {
				t.Fatalf("dead letters of the alerts %q", got)
			}
			// It is given to the output again and fails again.
			letter, err := j.DeadLetter(t.Context(), 1)
			if err != nil {
				t.Fatal(err)
			}
			if err := j.Retry(t.Context(), letter.ID, ""); err != nil {
				t.Fatal(err)
			}
			bury(take(t, c, 1))
			if got := buried(t, j); !slices.Equal(got, []string{"2", "1"}) {
				t.Errorf("dead letters of the alerts %q after a retry that failed", got)
			}
		})
	}
}

// running lets c get its alerts until the test ends.
func running(t testing.TB, c *journal.Cursor) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	wait.Go(func() { c.Run(ctx) })
	t.Cleanup(func() { cancel(); wait.Wait() })
}

// take returns the next n entries.
func take(t testing.TB, c *journal.Cursor, n int) []journal.Entry {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var entries []journal.Entry
	for len(entries) < n {
		more, err := c.Next(ctx, n-len(entries), 0)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, more...)
	}
	return entries
}

// buried returns the numbers of the alerts that are dead letters, the oldest first.
func buried(t testing.TB, j *journal.Journal) []string {
	t.Helper()
	var numbers []string
	yield := func(d journal.DeadLetter) bool { numbers = append(numbers, d.Alert.Fields.Text("n")); return true }
	if err := j.DeadLetters(t.Context(), "", yield); err != nil {
		t.Fatal(err)
	}
	return numbers
}

func TestDeadLettersMakeRoomAndAreCounted(t *testing.T) {
	cfg := testConfig(t)
	cfg.DeadLetters.MaxSize = 64 * size.KiB
	j := open(t, cfg)
	for n := range 200 {
		if err := j.Bury(t.Context(), journal.DeadLetter{Lane: "slack", Reason: verdict.Expired, Alert: anAlert(t, n, alert.Notice)}); err != nil {
			t.Fatal(err)
		}
	}
	s, err := j.Status(t.Context())
	if err != nil || s.DeadLetters < 20 || s.DeadLetters > 80 || s.DeadBytes > cfg.DeadLetters.MaxSize {
		t.Errorf("%+v, %v", s, err)
	}
	last := ""
	if err := j.DeadLetters(t.Context(), "", func(d journal.DeadLetter) bool { last = d.Alert.Fields.Text("n"); return true }); err != nil || last != "199" {
		t.Errorf("the newest is %s, %v", last, err)
	}
}

func TestRefusedBodiesAreKeptBounded(t *testing.T) {
	j := open(t, testConfig(t))
	j.Refuse(journal.Refused{Time: time.Now(), Remote: "127.0.0.1:1", Reason: "not_json", Error: "no", Body: []byte(strings.Repeat("z", 100<<10))})
	var kept []journal.Refused
	eventually(t, func() bool {
		var err error
		kept, err = j.LastRefused(t.Context(), 10)
		return err == nil && len(kept) == 1
	}, func() string { return "nothing was kept" })
	if len(kept[0].Body) != 64<<10 || kept[0].Reason != "not_json" {
		t.Errorf("%d bytes, %s", len(kept[0].Body), kept[0].Reason)
	}
}

func TestFullJournal(t *testing.T) {
	small := func(t *testing.T, policy string) (*journal.Journal, *journal.Cursor) {
		cfg := testConfig(t)
		cfg.MaxSize = 1 * size.MiB
		cfg.Full = policy
		cfg.FullWait = 50 * time.Millisecond
		j := open(t, cfg)
		return j, cursor(t, j, "stalled", alert.Debug)
	}
	t.Run("refuse", func(t *testing.T) {
		j, _ := small(t, journal.FullRefuse)
		var accepted int
		var err error
		for n := 0; err == nil && n < 5000; n++ {
			if err = j.Append(t.Context(), []*alert.Alert{anAlert(t, n, alert.Notice)}); err == nil {
				accepted++
			}
		}
		if !errors.Is(err, journal.ErrFull) {
			t.Fatalf("after %d alerts: %v", accepted, err)
		}
		read(t, j, "stalled", alert.Debug).wait(t, accepted)
		if err := j.Append(t.Context(), []*alert.Alert{anAlert(t, 9999, alert.Notice)}); err != nil {
			t.Errorf("once there is room again: %v", err)
		}
	})
	t.Run("discard the oldest of the lowest priority", func(t *testing.T) {
		j, _ := small(t, journal.FullDiscardOldest)
		for n := range 100 {
			if err := j.Append(t.Context(), []*alert.Alert{anAlert(t, n, alert.Critical)}); err != nil {
				t.Fatal(err)
			}
		}
		for n := range 2000 {
			if err := j.Append(t.Context(), []*alert.Alert{anAlert(t, 1000+n, alert.Notice)}); err != nil {
				t.Fatal(err)
			}
		}
		r := read(t, j, "stalled", alert.Debug)
		eventually(t, func() bool { s, err := j.Status(t.Context()); return err == nil && s.Packs == 0 }, func() string { return "not drained" })
		for n := range 100 {
			if r.got[fmt.Sprint(n)] != 1 {
				t.Fatalf("critical alert %d is gone", n)
			}
		}
		if r.got["2999"] != 1 || r.got["1000"] != 0 || r.count() > 1000 {
			t.Errorf("newest %d, oldest %d, %d in all", r.got["2999"], r.got["1000"], r.count())
		}
	})
	t.Run("never for something less serious", func(t *testing.T) {
		j, _ := small(t, journal.FullDiscardOldest)
		for n := range 1500 {
			if err := j.Append(t.Context(), []*alert.Alert{anAlert(t, n, alert.Critical)}); err != nil {
				t.Fatal(err)
			}
		}
		before, err := j.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for n := range 500 {
			if err := j.Append(t.Context(), []*alert.Alert{anAlert(t, 10_000+n, alert.Debug)}); err != nil && !errors.Is(err, journal.ErrFull) {
				t.Fatal(err)
			}
		}
		r := read(t, j, "stalled", alert.Debug)
		eventually(t, func() bool { s, err := j.Status(t.Context()); return err == nil && s.Packs == 0 }, func() string { return "not drained" })
		var critical uint64
		for n := range 1500 {
			if r.got[fmt.Sprint(n)] == 1 {
				critical++
			}
		}
		if critical != before.Packs {
			t.Errorf("%d critical alerts of %d are left", critical, before.Packs)
		}
	})
}

func TestMinimumPriorityChangesBetweenStarts(t *testing.T) {
	cfg := testConfig(t)
	j := open(t, cfg)
	cursor(t, j, "slack", alert.Debug) // stalled
	for n := range 20 {
		if err := j.Append(t.Context(), []*alert.Alert{anAlert(t, n, alert.Notice), anAlert(t, 100+n, alert.Critical)}); err != nil {
			t.Fatal(err)
		}
		if err := j.Append(t.Context(), []*alert.Alert{anAlert(t, 200+n, alert.Debug)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, cfg)
	narrow := read(t, j, "slack", alert.Critical)
	narrow.wait(t, 20)
	eventually(t, func() bool { s, err := j.Status(t.Context()); return err == nil && s.Packs == 0 },
		func() string {
			s, err := j.Status(t.Context())
			return fmt.Sprint("what is no longer wanted stays: ", s, err)
		})
	narrow.stop()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, cfg)
	wide := read(t, j, "slack", alert.Debug)
	if err := j.Append(t.Context(), []*alert.Alert{anAlert(t, 300, alert.Debug)}); err != nil {
		t.Fatal(err)
	}
	wide.wait(t, 1)
}

func TestLanesCanBeForgotten(t *testing.T) {
	j := open(t, testConfig(t))
	cursor(t, j, "slack/old", alert.Debug)
	cursor(t, j, "loki", alert.Critical)
	if err := j.Append(t.Context(), []*alert.Alert{anAlert(t, 1, alert.Notice)}); err != nil {
		t.Fatal(err)
	}
	if lanes, err := j.Lanes(t.Context()); err != nil || fmt.Sprint(lanes) != "[loki slack/old]" {
		t.Errorf("%v %v", lanes, err)
	}
	if n, err := j.Remaining(t.Context(), "slack/old"); err != nil || n != 1 {
		t.Errorf("%d remain, %v", n, err)
	}
	if err := j.Forget(t.Context(), "slack/old"); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { s, err := j.Status(t.Context()); return err == nil && s.Packs == 0 }, func() string { return "the alert stays" })
}
