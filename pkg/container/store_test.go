package container_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tiercel/tiercel/pkg/container"
)

// fake is a runtime that takes its time.
type fake struct {
	mu    sync.Mutex
	takes time.Duration
	err   error
	asked []container.Ref
}

func (*fake) Name() string { return "cri" }

func (f *fake) Container(ctx context.Context, ref container.Ref) (*container.Info, error) {
	f.mu.Lock()
	f.asked = append(f.asked, ref)
	takes, err := f.takes, f.err
	f.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	return &container.Info{Ref: ref, Name: "name of " + ref.Namespace + "/" + ref.ID}, nil
}

func (f *fake) set(takes time.Duration, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.takes, f.err = takes, err
}

func (f *fake) questions() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.asked)
}

// run makes a store and runs it for the length of a test.
func run(t *testing.T, o container.StoreOptions) *container.Store {
	t.Helper()
	s, err := container.NewStore(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

func TestStoreNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{takes: time.Second}
		var late []string
		s := run(t, container.StoreOptions{Sources: []container.Source{f}, Late: func(i *container.Info) { late = append(late, i.Name) }})
		began := time.Now()
		for range 100 {
			if info, ok := s.Get(container.Ref{ID: "c1"}); ok {
				t.Fatalf("known before it was asked for: %+v", info)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("asking took %v", took)
		}
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		info, ok := s.Get(container.Ref{ID: "c1"})
		if !ok || info.Name != "name of /c1" {
			t.Errorf("got %+v, %v", info, ok)
		}
		if len(late) != 1 || late[0] != "name of /c1" {
			t.Errorf("late answers: %v", late)
		}
		if n := f.questions(); n != 1 {
			t.Errorf("asked %d times", n)
		}
		if info, settled := s.Get(container.Ref{}); info != nil || !settled || f.questions() != 1 {
			t.Error("the host is a container")
		}
	})
}

func TestStoreWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{takes: 300 * time.Millisecond}
		var late int
		s := run(t, container.StoreOptions{Sources: []container.Source{f}, Late: func(*container.Info) { late++ }})
		began := time.Now()
		if _, ok := s.Wait(t.Context(), container.Ref{ID: "c1"}); !ok || time.Since(began) != 300*time.Millisecond {
			t.Errorf("known %v after %v", ok, time.Since(began))
		}
		short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began = time.Now()
		if _, ok := s.Wait(short, container.Ref{ID: "c2"}); ok || time.Since(began) != 100*time.Millisecond {
			t.Errorf("known %v after %v", ok, time.Since(began))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if late != 1 {
			t.Errorf("%d late answers, want that of c2", late)
		}
		// A name is one container in each of containerd's namespaces.
		a, _ := s.Wait(t.Context(), container.Ref{ID: "web", Namespace: "a"})
		b, _ := s.Wait(t.Context(), container.Ref{ID: "web", Namespace: "b"})
		if a.Name != "name of a/web" || b.Name != "name of b/web" {
			t.Errorf("%q and %q", a.Name, b.Name)
		}
	})
}

// A runtime may know its container a moment later, or not be there yet.
func TestStoreAsksAgain(t *testing.T) {
	for _, err := range []error{container.ErrNotFound, errors.New("connection refused")} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{err: err}
			s := run(t, container.StoreOptions{Sources: []container.Source{f}})
			s.Get(container.Ref{ID: "c1"})
			time.Sleep(200 * time.Millisecond)
			f.set(0, nil)
			if info, ok := s.Wait(t.Context(), container.Ref{ID: "c1"}); !ok || info.ID != "c1" {
				t.Errorf("%v: got %+v, %v", err, info, ok)
			}
			if n := f.questions(); n != 3 {
				t.Errorf("%v: asked %d times, want 3", err, n)
			}
		})
	}
}

func TestStoreGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{err: container.ErrNotFound}
		s := run(t, container.StoreOptions{Sources: []container.Source{f}})
		began := time.Now()
		if _, ok := s.Wait(t.Context(), container.Ref{ID: "c1"}); ok || time.Since(began) > time.Minute {
			t.Errorf("known %v after %v", ok, time.Since(began))
		}
		asked := f.questions()
		for range 100 {
			if info, settled := s.Get(container.Ref{ID: "c1"}); info != nil || !settled {
				t.Fatalf("%+v, settled %v", info, settled)
			}
			time.Sleep(time.Second)
		}
		if n := f.questions(); n != asked || n != 6 {
			t.Errorf("asked %d times, then %d", asked, n)
		}
		f.set(0, nil)
		time.Sleep(10 * time.Minute)
		if _, ok := s.Wait(t.Context(), container.Ref{ID: "c1"}); !ok {
			t.Error("never asked again")
		}
	})
}

func TestStoreWithNobodyToAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{err: container.ErrNotHere}
		s := run(t, container.StoreOptions{Sources: []container.Source{f}})
		began := time.Now()
		if _, ok := s.Wait(t.Context(), container.Ref{ID: "c1"}); ok || time.Since(began) != 0 {
			t.Errorf("known %v after %v: waited for nobody", ok, time.Since(began))
		}
		f.set(0, nil) // the engine is installed
		time.Sleep(31 * time.Second)
		if _, ok := s.Wait(t.Context(), container.Ref{ID: "c1"}); !ok {
			t.Error("an engine that came later is not asked")
		}
	})
}

// A runtime that hangs holds up nobody, and no more than a bound of questions waits.
func TestStoreIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{takes: time.Hour}
		metrics := prometheus.NewRegistry()
		s := run(t, container.StoreOptions{Sources: []container.Source{f}, Max: 100, Timeout: time.Second, Metrics: metrics})
		began := time.Now()
		for i := range 10_000 {
			s.Get(container.Ref{ID: fmt.Sprint(i)})
		}
		if took := time.Since(began); took != 0 || s.Len() > 100 {
			t.Errorf("%d containers after %v", s.Len(), took)
		}
		if n := count(t, metrics, "tiercel_containers_dropped_lookups_total"); n < 8000 {
			t.Errorf("%v dropped questions were counted", n)
		}
		if n := count(t, metrics, "tiercel_containers_evicted_total"); n < 900 {
			t.Errorf("%v forgotten containers were counted", n)
		}
		if problems, err := testutil.GatherAndLint(metrics); err != nil || len(problems) > 0 {
			t.Error(problems, err)
		}
		if _, err := container.NewStore(container.StoreOptions{Metrics: metrics}); err == nil {
			t.Error("two stores count in one place")
		}
	})
}

// Containers that are asked for stay; those that come and go do not push them out.
func TestStoreKeepsWhatIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		s := run(t, container.StoreOptions{Sources: []container.Source{f}, Max: 64})
		busy := container.Ref{ID: "busy"}
		s.Wait(t.Context(), busy)
		for i := range 5000 {
			if _, ok := s.Wait(t.Context(), container.Ref{ID: fmt.Sprint("job-", i)}); !ok {
				t.Fatal("unknown")
			}
			if i%20 == 0 {
				time.Sleep(time.Minute + time.Second)
			}
			if _, ok := s.Get(busy); !ok {
				t.Fatalf("after %d containers the one in use was forgotten", i)
			}
		}
		if n := s.Len(); n > 64 {
			t.Errorf("%d containers are kept", n)
		}
	})
}

func count(t *testing.T, metrics *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}

func BenchmarkStoreGet(b *testing.B) {
	s, err := container.NewStore(container.StoreOptions{Sources: []container.Source{&fake{}}})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	defer func() { cancel(); <-done }()
	ref := container.Ref{ID: strings.Repeat("a", 64), Runtime: container.Docker, Namespace: "moby"}
	s.Wait(ctx, ref)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := s.Get(ref); !ok {
			b.Fatal("unknown")
		}
	}
}
