package flow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/journal"
)

// seat is an output that remembers what it took, and whether it was closed.
type seat struct {
	send func(ctx context.Context) error

	mu     sync.Mutex
	rules  []string
	closed int
}

func (s *seat) Send(ctx context.Context, batch []*alert.Alert) error {
	if s.send != nil {
		if err := s.send(ctx); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range batch {
		s.rules = append(s.rules, a.Rule)
	}
	return nil
}

func (s *seat) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed++
	return nil
}

func (s *seat) took() ([]string, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.rules), s.closed
}

func open(t *testing.T) *journal.Journal {
	t.Helper()
	c := journal.Defaults()
	c.Dir, c.Sync, c.Reserve = t.TempDir(), "none", 0
	j, err := journal.Open(t.Context(), c, journal.Options{Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
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

func output(name string, s *seat, minimum alert.Priority) Output {
	settings := Defaults()
	settings.MinimumPriority, settings.Retry.Initial, settings.Retry.Max = minimum, time.Hour, time.Hour
	return Output{Name: name, Batch: outputs.Batch{Max: 7}, Settings: settings, Output: s}
}

// runs starts a flow and ends it with the test.
func runs(t *testing.T, j *journal.Journal, configured ...Output) *Flow {
	t.Helper()
	f, err := New(t.Context(), Deps{
		Log: slog.New(slog.DiscardHandler), Journal: j, Metrics: prometheus.NewRegistry(),
		Normalize: func(*alert.Alert) {}, Accepted: func(*alert.Alert) {},
	}, configured)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { f.Run(ctx, time.Second); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return f
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("did not happen: %s", what)
		}
	}
}

func put(t *testing.T, f *Flow, priority alert.Priority, rules ...string) {
	t.Helper()
	var alerts []*alert.Alert
	for _, rule := range rules {
		a := named(rule)
		a.Priority = priority
		alerts = append(alerts, a)
	}
	if err := f.Put(t.Context(), alerts); err != nil {
		t.Fatal(err)
	}
}

func TestSwapWhileAlertsComeIn(t *testing.T) {
	first := &seat{}
	f := runs(t, open(t), output("a", first, alert.Debug))
	seats := []*seat{first}
	stop := make(chan struct{})
	var writing sync.WaitGroup
	sent := 0
	writing.Go(func() {
		for ; ; sent++ {
			select {
			case <-stop:
				return
			default:
				put(t, f, alert.Notice, fmt.Sprint(sent))
			}
		}
	})
	for range 50 {
		s := &seat{}
		seats = append(seats, s)
		if err := f.Swap(t.Context(), Change{Outputs: []Output{output("a", s, alert.Debug)}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	close(stop)
	writing.Wait()
	total := func() (n int) {
		for _, s := range seats {
			rules, _ := s.took()
			n += len(rules)
		}
		return n
	}
	eventually(t, "all are delivered", func() bool { return total() >= sent })
	next, used := 0, 0
	for i, s := range seats {
		rules, closed := s.took()
		if last := i == len(seats)-1; closed != 1 && !last || closed != 0 && last {
			t.Errorf("output %d of %d was closed %d times", i, len(seats), closed)
		}
		if len(rules) > 0 {
			used++
		}
		for _, rule := range rules {
			if rule != fmt.Sprint(next) {
				t.Fatalf("output %d got %s, want %d: lost, doubled or out of order", i, rule, next)
			}
			next++
		}
	}
	if next != sent || used < 2 {
		t.Errorf("%d of %d were delivered, by %d outputs", next, sent, used)
	}
}

// What waits for another try goes to the new output at once.
func TestSwapEndsThePause(t *testing.T) {
	broken, works := &seat{send: func(context.Context) error { return errors.New("wrong address") }}, &seat{}
	f := runs(t, open(t), output("a", broken, alert.Debug))
	put(t, f, alert.Notice, "1", "2")
	eventually(t, "the first try failed", func() bool { return f.States()[0].LastError != "" })
	if err := f.Swap(t.Context(), Change{Outputs: []Output{output("a", works, alert.Debug)}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new output has them", func() bool { rules, _ := works.took(); return slices.Equal(rules, []string{"1", "2"}) })
	if _, closed := broken.took(); closed != 1 {
		t.Errorf("the old one was closed %d times", closed)
	}
}

func TestSwapOfTheMinimumPriority(t *testing.T) {
	s1, s2, s3 := &seat{}, &seat{}, &seat{}
	f := runs(t, open(t), output("a", s1, alert.Critical))
	put(t, f, alert.Notice, "not wanted")
	put(t, f, alert.Critical, "1")
	eventually(t, "1", func() bool { rules, _ := s1.took(); return slices.Equal(rules, []string{"1"}) })
	if err := f.Swap(t.Context(), Change{Outputs: []Output{output("a", s2, alert.Notice)}}); err != nil {
		t.Fatal(err)
	}
	put(t, f, alert.Notice, "2")
	put(t, f, alert.Debug, "not wanted")
	eventually(t, "2", func() bool { rules, _ := s2.took(); return slices.Equal(rules, []string{"2"}) })
	if err := f.Swap(t.Context(), Change{Outputs: []Output{output("a", s3, alert.Emergency)}}); err != nil {
		t.Fatal(err)
	}
	put(t, f, alert.Critical, "not wanted")
	put(t, f, alert.Emergency, "3")
	eventually(t, "3", func() bool { rules, _ := s3.took(); return slices.Equal(rules, []string{"3"}) })
}

func TestSwapAddsAndRemoves(t *testing.T) {
	j := open(t)
	stuck, added, again := &seat{send: func(context.Context) error { return errors.New("down") }}, &seat{}, &seat{}
	f := runs(t, j, output("a", &seat{}, alert.Debug), output("gone", stuck, alert.Debug))
	put(t, f, alert.Notice, "1")
	eventually(t, "the first try failed", func() bool { return f.States()[1].LastError != "" })
	change := Change{Outputs: []Output{output("new", added, alert.Debug)}, Removed: []string{"gone"}}
	if err := f.Swap(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	put(t, f, alert.Notice, "2")
	eventually(t, "the new one gets what comes now", func() bool { rules, _ := added.took(); return slices.Equal(rules, []string{"2"}) })
	var dead []string
	eventually(t, "what the removed one had is a dead letter", func() bool {
		dead = nil
		err := j.DeadLetters(t.Context(), "", func(d journal.DeadLetter) bool {
			dead = append(dead, d.Lane+" "+d.Alert.Rule)
			return true
		})
		return err == nil && slices.Equal(dead, []string{"gone 1"})
	})
	eventually(t, "its lane is gone", func() bool {
		lanes, err := j.Lanes(t.Context())
		return err == nil && !slices.Contains(lanes, "gone")
	})
	if err := f.Swap(t.Context(), Change{Outputs: []Output{output("gone", again, alert.Debug)}}); err != nil {
		t.Fatal(err)
	}
	put(t, f, alert.Notice, "3")
	eventually(t, "it is back", func() bool { rules, _ := again.took(); return slices.Equal(rules, []string{"3"}) })
	if _, closed := stuck.took(); closed != 1 {
		t.Errorf("the removed output was closed %d times", closed)
	}
}

// A change that cannot be made changes nothing.
func TestSwapOfSomethingBad(t *testing.T) {
	s := &seat{}
	f := runs(t, open(t), output("a", s, alert.Debug))
	bad := output("b", &seat{}, alert.Debug)
	bad.Settings.When = "no expression at all"
	other := &seat{}
	if err := f.Swap(t.Context(), Change{Outputs: []Output{output("a", other, alert.Debug), bad}}); err == nil {
		t.Fatal("took it")
	}
	put(t, f, alert.Notice, "1")
	eventually(t, "the old one works on", func() bool { rules, _ := s.took(); return slices.Equal(rules, []string{"1"}) })
	if rules, closed := other.took(); len(rules) > 0 || closed > 0 {
		t.Errorf("got %v, closed %d times", rules, closed)
	}
}

// Before it runs, and after its end.
func TestSwapOutsideOfRun(t *testing.T) {
	first, second, third := &seat{}, &seat{}, &seat{}
	f, err := New(t.Context(), Deps{
		Log: slog.New(slog.DiscardHandler), Journal: open(t), Metrics: prometheus.NewRegistry(),
		Normalize: func(*alert.Alert) {}, Accepted: func(*alert.Alert) {},
	}, []Output{output("a", first, alert.Debug)})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Swap(t.Context(), Change{Outputs: []Output{output("a", second, alert.Debug), output("b", third, alert.Debug)}}); err != nil {
		t.Fatal(err)
	}
	f.Normalize(func(a *alert.Alert) { a.Rule += "!" })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { f.Run(ctx, time.Second); close(done) }()
	put(t, f, alert.Notice, "1")
	for _, s := range []*seat{second, third} {
		eventually(t, "delivered", func() bool { rules, _ := s.took(); return slices.Equal(rules, []string{"1!"}) })
	}
	cancel()
	<-done
	if err := f.Swap(t.Context(), Change{Removed: []string{"a"}}); err == nil {
		t.Error("it was changed after its end")
	}
	for i, s := range []*seat{first, second, third} {
		if _, closed := s.took(); closed != 1 {
			t.Errorf("output %d was closed %d times", i, closed)
		}
	}
}

// A send that is under way ends with the output that it began with.
func TestSwapDuringASend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		second := &seat{}
		first := &seat{send: func(context.Context) error { time.Sleep(5 * time.Second); return nil }}
		q := newQueue("1", "2")
		r := newRig(t, q, func(o *Output) { o.Batch.Max = 1 }, func(context.Context, []*alert.Alert) error { return nil })
		r.lane.work.Output.Output = first
		go func() {
			time.Sleep(time.Second)
			r.replace(&work{Output: Output{Name: "test", Batch: outputs.Batch{Max: 1}, Settings: Defaults(), Output: second}})
		}()
		r.runFor(20 * time.Second)
		a, _ := first.took()
		b, _ := second.took()
		if !slices.Equal(a, []string{"1"}) || !slices.Equal(b, []string{"2"}) {
			t.Errorf("the first got %v, the second %v", a, b)
		}
	})
}
