package flow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/journal"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// queue is a cursor over a slice.
type queue struct {
	mu      sync.Mutex
	entries []journal.Entry
	more    chan struct{}
	done    []string
}

func newQueue(names ...string) *queue {
	q := &queue{more: make(chan struct{}, 1)}
	q.add(names...)
	return q
}

func (q *queue) add(names ...string) {
	q.mu.Lock()
	for _, name := range names {
		q.entries = append(q.entries, journal.Entry{Alert: named(name), Size: 100})
	}
	q.mu.Unlock()
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// named makes an alert of a rule; host/rule names the host too.
func named(name string) *alert.Alert {
	host, rule, ok := strings.Cut(name, "/")
	if !ok {
		host, rule = "", name
	}
	return &alert.Alert{
		ID: alert.NewID(), Rule: rule, Hostname: host, Priority: alert.Notice, Received: time.Now(),
		Tags: []string{"shell"}, Fields: alert.FieldsOf(alert.Field{Name: "k8s.ns.name", Value: alert.String("shop")}),
	}
}

func (q *queue) Run(context.Context) {}

func (q *queue) Next(ctx context.Context, limit, _ int) ([]journal.Entry, error) {
	for {
		q.mu.Lock()
		n := min(limit, len(q.entries))
		if n > 0 {
			out := q.entries[:n]
			q.entries = q.entries[n:]
			q.mu.Unlock()
			return out, nil
		}
		q.mu.Unlock()
		select {
		case <-q.more:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (q *queue) Done(entries ...journal.Entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range entries {
		q.done = append(q.done, e.Alert.Rule)
	}
}

func (q *queue) Lag() journal.Lag {
	q.mu.Lock()
	defer q.mu.Unlock()
	return journal.Lag{Alerts: uint64(len(q.entries))}
}

// script is an output that answers as the test says and remembers when it was given what.
type script struct {
	began time.Time
	calls []string // "1.2s a,b"
	send  func(ctx context.Context, batch []*alert.Alert) error
}

func (s *script) Send(ctx context.Context, batch []*alert.Alert) error {
	var rules []string
	for _, a := range batch {
		rules = append(rules, a.Rule)
	}
	s.calls = append(s.calls, fmt.Sprintf("%.1fs %s", time.Since(s.began).Seconds(), strings.Join(rules, ",")))
	return s.send(ctx, batch)
}

type rig struct {
	*lane

	queue  *queue
	script *script
	graves []journal.DeadLetter
	reg    *prometheus.Registry
	logs   *strings.Builder
}

func newRig(t *testing.T, q *queue, change func(*Output), send func(context.Context, []*alert.Alert) error) *rig {
	t.Helper()
	r := &rig{queue: q, script: &script{began: time.Now(), send: send}, reg: prometheus.NewRegistry(), logs: &strings.Builder{}}
	out := Output{Name: "test", Batch: outputs.Batch{Max: 10}, Settings: Defaults(), Output: r.script}
	if change != nil {
		change(&out)
	}
	filter, err := compileWhen(out.Settings.When)
	if err != nil {
		t.Fatal(err)
	}
	r.lane = &lane{
		work: work{Output: out, when: filter}, name: out.Name, gone: make(chan struct{}), log: slog.New(slog.NewTextHandler(r.logs, nil)), cursor: q,
		count: newMetrics(r.reg).lane(out.Name),
		bury: func(_ context.Context, letters ...journal.DeadLetter) error {
			r.graves = append(r.graves, letters...)
			return nil
		},
	}
	return r
}

// for_ runs the lane for so long on the fake clock.
func (r *rig) runFor(d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	r.run(ctx, ctx)
}

func TestLaneDeliversInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("a", "b", "c")
		r := newRig(t, q, func(o *Output) { o.Batch.Max = 2 }, func(context.Context, []*alert.Alert) error { return nil })
		r.runFor(time.Second)
		if got := fmt.Sprint(r.script.calls); got != "[0.0s a,b 0.0s c]" || fmt.Sprint(q.done) != "[a b c]" {
			t.Errorf("%s, done %v", got, q.done)
		}
		if n := testutil.ToFloat64(r.count.sent); n != 3 {
			t.Errorf("%v sent", n)
		}
	})
}

func TestLaneBacksOffAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("a")
		var up atomic.Bool
		r := newRig(t, q, nil, func(context.Context, []*alert.Alert) error {
			if !up.Load() {
				return verdict.Because(verdict.ServerError, errors.New("503 down"))
			}
			return nil
		})
		time.AfterFunc(30*time.Minute, func() { up.Store(true) })
		r.runFor(time.Hour)
		// 0.2 s doubling to 30 s: 8 tries to get there, then at most one in 24 s for half an hour.
		if n := len(r.script.calls); n < 45 || n > 90 {
			t.Errorf("%d tries in an hour", n)
		}
		if fmt.Sprint(q.done) != "[a]" || len(r.graves) != 0 {
			t.Errorf("done %v, dead %v", q.done, r.graves)
		}
		if logs := r.logs.String(); strings.Count(logs, "delivering failed") != 1 || strings.Count(logs, "delivering again") != 1 {
			t.Errorf("an error is logged when it changes, not at every try:\n%s", logs)
		}
		if n := testutil.ToFloat64(r.count.retriedBy[verdict.ServerError]); int(n) != len(r.script.calls)-1 {
			t.Errorf("%v failures counted in %d calls", n, len(r.script.calls))
		}
	})
}

func TestLaneHonoursRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		r := newRig(t, newQueue("a"), nil, func(context.Context, []*alert.Alert) error {
			if tries++; tries == 1 {
				return verdict.After(17*time.Second, errors.New("slow down"))
			}
			return nil
		})
		r.runFor(time.Minute)
		if got := fmt.Sprint(r.script.calls); got != "[0.0s a 17.0s a]" {
			t.Error(got)
		}
	})
}

func TestLaneTreatsEachOfABatchByItsVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("good", "bad", "later", "held", "good2")
		first := true
		r := newRig(t, q, nil, func(context.Context, []*alert.Alert) error {
			if !first {
				return nil
			}
			first = false
			later := verdict.After(time.Second, errors.New("busy"))
			return verdict.Partial{1: verdict.Permanent(verdict.Because(verdict.Rejected, errors.New("no such field"))), 2: later, 3: verdict.Held(later)}
		})
		time.AfterFunc(500*time.Millisecond, func() { q.add("new") })
		r.runFor(time.Minute)
		if got := fmt.Sprint(r.script.calls); got != "[0.0s good,bad,later,held,good2 1.0s later,held,new]" {
			t.Error(got)
		}
		if len(r.graves) != 1 || r.graves[0].Alert.Rule != "bad" || r.graves[0].Reason != verdict.Rejected || r.graves[0].Attempts != 1 ||
			!strings.Contains(r.graves[0].Answer, "no such field") {
			t.Errorf("%+v", r.graves)
		}
		slices.Sort(q.done)
		if got := fmt.Sprint(q.done); got != "[bad good good2 held later new]" {
			t.Error(got)
		}
	})
}

func TestLaneBuriesWhatIsTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newQueue("a", "b"), func(o *Output) { o.Settings.MaxAge = time.Minute }, func(context.Context, []*alert.Alert) error {
			return errors.New("connection refused")
		})
		r.runFor(5 * time.Minute)
		if len(r.graves) != 2 || r.graves[0].Reason != verdict.Expired || !strings.Contains(r.graves[0].Answer, "connection refused") {
			t.Errorf("%+v", r.graves)
		}
	})
}

func TestLaneBuriesAPoisonousAlertOnlyWhileOthersPass(t *testing.T) {
	poison := func(_ context.Context, batch []*alert.Alert) error {
		failed := verdict.Partial{}
		for i, a := range batch {
			if a.Rule == "poison" {
				failed[i] = verdict.Because(verdict.ServerError, errors.New("500"))
			}
		}
		return failed.ErrOrNil()
	}
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("poison", "a")
		r := newRig(t, q, nil, poison)
		for n := range 300 {
			time.AfterFunc(time.Duration(n)*20*time.Second, func() { q.add("b") })
		}
		r.runFor(2 * time.Hour)
		if len(r.graves) != 1 || r.graves[0].Alert.Rule != "poison" || r.graves[0].Attempts < poisonAttempts {
			t.Fatalf("%+v", r.graves)
		}
		// A part of the place may be down for some minutes: that is no poison.
		if after := r.graves[0].Buried.Sub(r.script.began); after < time.Hour || after > 65*time.Minute {
			t.Errorf("buried after %s", after)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newQueue("poison"), nil, poison)
		r.runFor(24 * time.Hour)
		if len(r.graves) != 0 {
			t.Errorf("the place is down, not the alert at fault: %+v", r.graves)
		}
	})
}

func TestLaneKeepsWhatCannotBeBuried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("a")
		r := newRig(t, q, nil, func(context.Context, []*alert.Alert) error { return verdict.Permanent(errors.New("no")) })
		fails := 3
		write := r.bury
		r.bury = func(ctx context.Context, letters ...journal.DeadLetter) error {
			if fails--; fails >= 0 {
				return errors.New("disk full")
			}
			return write(ctx, letters...)
		}
		r.runFor(time.Hour)
		if len(r.graves) != 1 || fmt.Sprint(q.done) != "[a]" {
			t.Errorf("%v %v", r.graves, q.done)
		}
	})
}

func TestLaneSurvivesPanicAndHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		q := newQueue("a")
		r := newRig(t, q, nil, func(ctx context.Context, _ []*alert.Alert) error {
			switch tries++; tries {
			case 1:
				panic("boom")
			case 2:
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
		r.runFor(time.Minute)
		if tries != 3 || fmt.Sprint(q.done) != "[a]" {
			t.Errorf("%d tries, done %v", tries, q.done)
		}
		if n := testutil.ToFloat64(r.count.retriedBy[verdict.Timeout]); n != 1 {
			t.Errorf("%v time-outs counted", n)
		}
	})
}

// TestLaneSetsApartWhatAnOutputPanicsOn: the others of its batch are delivered at once, and it is buried in the end.
func TestLaneSetsApartWhatAnOutputPanicsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("a", "b", "poison", "d", "e")
		r := newRig(t, q, func(o *Output) { o.Batch.Max = 10 }, func(_ context.Context, batch []*alert.Alert) error {
			if slices.ContainsFunc(batch, func(a *alert.Alert) bool { return a.Rule == "poison" }) {
				panic("boom")
			}
			return nil
		})
		for n := range 100 {
			time.AfterFunc(time.Duration(n+1)*time.Minute, func() { q.add(fmt.Sprint("later-", n)) })
		}
		r.runFor(2 * time.Hour)
		if got := fmt.Sprint(r.script.calls[:5]); got != "[0.0s a,b,poison,d,e 0.0s a,b 0.0s poison,d,e 0.0s poison 0.0s d,e]" {
			t.Error(got)
		}
		if len(r.graves) != 1 || r.graves[0].Alert.Rule != "poison" || !strings.Contains(r.graves[0].Answer, "boom") {
			t.Errorf("buried: %+v", r.graves)
		}
		if len(q.done) != 105 {
			t.Errorf("%d of 105 are done", len(q.done))
		}
	})
}

func TestLaneWaitsForABatchThatWritesFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("a")
		r := newRig(t, q, func(o *Output) { o.Batch.Wait = 2 * time.Second }, func(context.Context, []*alert.Alert) error { return nil })
		time.AfterFunc(time.Second, func() { q.add("b") })
		time.AfterFunc(3*time.Second, func() { q.add("c") })
		r.runFor(time.Minute)
		if got := fmt.Sprint(r.script.calls); got != "[2.0s a,b 5.0s c]" {
			t.Error(got)
		}
	})
}

func TestLaneDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("a", "b", "c", "d")
		r := newRig(t, q, func(o *Output) { o.Batch.Max = 1 }, func(context.Context, []*alert.Alert) error {
			time.Sleep(time.Second)
			return nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		r.run(ctx, t.Context())
		if got := fmt.Sprint(q.done); got != "[a b c d]" {
			t.Errorf("drained %s", got)
		}
	})
}

func TestWhen(t *testing.T) {
	a := named("node-1/Terminal shell in container")
	for expression, want := range map[string]bool{
		``:                                       true,
		`rule startsWith "Terminal"`:             true,
		`priority >= warning`:                    false,
		`priority == notice`:                     true,
		`fields["k8s.ns.name"] != "dev"`:         true,
		`"shell" in tags and hostname == "x"`:    false,
		`source matches "^sys" or rule != rule`:  false,
		`fields["absent"] == ""`:                 true,
		`any(tags, # == "shell") && !(1 == 2)`:   true,
		`fields["k8s.ns.name"] in ["shop", "x"]`: true,
	} {
		w, err := compileWhen(expression)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		if got, err := w.wants(a); err != nil || got != want {
			t.Errorf("%s is %v, %v", expression, got, err)
		}
	}
	for _, wrong := range []string{`rule`, `rool == "x"`, `priority >= "warning"`, `rule ==`, `1 +`} {
		if _, err := compileWhen(wrong); err == nil {
			t.Errorf("%s compiles", wrong)
		}
	}
	w, _ := compileWhen(`rule == "x"`)
	if yes, _ := w.wants(&alert.Alert{Rule: alert.TestRule}); !yes {
		t.Error("the test alert must always pass")
	}
}

func TestLaneFilters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("a", "b")
		r := newRig(t, q, func(o *Output) { o.Settings.When = `rule == "b"` }, func(context.Context, []*alert.Alert) error { return nil })
		r.runFor(time.Second)
		if got := fmt.Sprint(r.script.calls, q.done); got != "[0.0s b] [a b]" {
			t.Error(got)
		}
	})
}

func TestBackoffIsBounded(t *testing.T) {
	l := &lane{work: work{Output: Output{Settings: Defaults()}}}
	for _, attempts := range []int{0, 1, 2, 10, 1000, math.MaxInt} {
		if d := l.backoff(attempts); d <= 0 || d > 36*time.Second {
			t.Errorf("after %d tries %s", attempts, d)
		}
	}
}
