package container

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Source asks a runtime about a container. Sources are asked by several goroutines at once.
type Source interface {
	// Name is the kind of the source, a label of metrics: `cri`, `containerd`, `docker`, `podman`.
	Name() string
	// Container describes a container. The error is [ErrNotFound] when the runtime knows none of that id, and
	// [ErrNotHere] when there is no such runtime on this machine.
	Container(ctx context.Context, ref Ref) (*Info, error)
}

var (
	// ErrNotFound says that the runtime does not know the container; it may know it a moment later.
	ErrNotFound = errors.New("the runtime knows no such container")
	// ErrNotHere says that there is no such runtime on this machine, or it does not make this kind of container.
	ErrNotHere = errors.New("no such runtime here")
)

// StoreOptions say how a [Store] asks. The zero value of each is the default.
type StoreOptions struct {
	// Sources are asked in this order until one knows the container.
	Sources []Source
	// Max is how many containers are remembered, 4096 by default. The one that was asked for longest ago goes first.
	Max int
	// Timeout bounds each question to a source, 2 s by default.
	Timeout time.Duration
	// Late is called with each answer that came after somebody had asked for it in vain. It is called by the goroutines
	// of Run, several at once. It must not wait.
	Late func(*Info)
	Log  *slog.Logger
	// Metrics takes the counters. Nil: nobody counts.
	Metrics prometheus.Registerer
}

const (
	defaultContainers = 4096
	defaultTimeout    = 2 * time.Second
	waitingRefs       = 1024             // that are still to be asked for
	workers           = 4                // that ask at once
	forgetUnknown     = 10 * time.Minute // until a container that no source knew is asked for again
	forgetNobody      = 30 * time.Second // the same, when there was nobody to ask
)

// pauses are those between rounds: a runtime names a container to itself a moment after the container's first process
// ran, and it may be starting itself.
var pauses = [...]time.Duration{50 * time.Millisecond, 250 * time.Millisecond, time.Second, 5 * time.Second, 30 * time.Second}

// Store remembers what runtimes said about containers. Reading it never waits: what is not known is asked for in the
// background, and is there a moment later.
type Store struct {
	o       StoreOptions
	log     *slog.Logger
	metrics storeMetrics
	queue   chan *entry

	mu      sync.RWMutex
	entries map[storeKey]*entry
	clock   func() time.Time
}

// storeKey is what tells containers apart. Free names of containerd may be the same in two namespaces.
type storeKey struct{ id, namespace string }

type entry struct {
	ref   Ref
	known chan struct{} // closed when info is there, or will not be

	// Under the lock of the store.
	info   *Info
	failed bool // all rounds were in vain
	missed bool // somebody asked in vain
	round  int
	used   time.Time
	until  time.Time // a failed one is asked for again after this
}

// NewStore makes a store. It asks once [Store.Run] runs.
func NewStore(o StoreOptions) (*Store, error) {
	o.Max = cmp.Or(max(o.Max, 0), defaultContainers)
	o.Timeout = cmp.Or(max(o.Timeout, 0), defaultTimeout)
	s := &Store{
		o:       o,
		log:     cmp.Or(o.Log, slog.New(slog.DiscardHandler)),
		queue:   make(chan *entry, waitingRefs),
		entries: make(map[storeKey]*entry),
		clock:   time.Now,
	}
	s.metrics = newStoreMetrics(s, o.Sources)
	if o.Metrics != nil {
		if err := s.metrics.register(o.Metrics); err != nil {
			return nil, fmt.Errorf("registering the metrics of containers: %w", err)
		}
	}
	return s, nil
}

// Run asks runtimes until ctx ends.
func (s *Store) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case e := <-s.queue:
					s.ask(ctx, e)
				}
			}
		})
	}
	wg.Wait()
}

// Get gives what is known of a container, without waiting. If nothing is known yet the runtimes are asked, and settled is
// false: ask again later, or [Store.Wait]. It is true without an info when no runtime knows the container, and for the
// host, which is none.
func (s *Store) Get(ref Ref) (info *Info, settled bool) {
	if ref.IsHost() {
		return nil, true
	}
	key := storeKey{ref.ID, ref.Namespace}
	s.mu.RLock()
	e := s.entries[key]
	if e != nil && e.info != nil && s.clock().Sub(e.used) < time.Minute {
		info = e.info
	}
	s.mu.RUnlock()
	if info != nil {
		return info, true
	}
	return s.look(key, ref, true)
}

// Wait is like Get, and waits until something is known, until it is certain that no runtime knows, or until ctx ends.
func (s *Store) Wait(ctx context.Context, ref Ref) (info *Info, ok bool) {
	if ref.IsHost() {
		return nil, false
	}
	key := storeKey{ref.ID, ref.Namespace}
	if info, settled := s.look(key, ref, false); settled {
		return info, info != nil
	}
	s.mu.RLock()
	e := s.entries[key]
	s.mu.RUnlock()
	if e == nil {
		return nil, false
	}
	select {
	case <-e.known:
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e.missed = e.missed || e.info == nil
	return e.info, e.info != nil
}

// look gives what is known, or makes an entry and has it asked for. When too many wait to be asked for there is no entry:
// then the next look tries again.
func (s *Store) look(key storeKey, ref Ref, missed bool) (info *Info, settled bool) {
	now := s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[key]
	if e != nil && e.failed && now.After(e.until) {
		delete(s.entries, key)
		e = nil
	}
	if e == nil {
		e = &entry{ref: ref, known: make(chan struct{})}
		select {
		case s.queue <- e:
		default:
			s.metrics.dropped.Inc()
			return nil, false
		}
		s.makeRoom()
		s.entries[key] = e
	}
	e.used = now
	if missed && e.info == nil {
		e.missed = true
	}
	return e.info, e.info != nil || e.failed
}

// makeRoom forgets the sixteenth of the entries that were used longest ago, when there are too many.
func (s *Store) makeRoom() {
	if len(s.entries) < s.o.Max {
		return
	}
	type aged struct {
		key  storeKey
		used time.Time
	}
	all := make([]aged, 0, len(s.entries))
	for key, e := range s.entries {
		all = append(all, aged{key, e.used})
	}
	slices.SortFunc(all, func(a, b aged) int { return a.used.Compare(b.used) })
	for _, old := range all[:max(len(all)/16, len(all)-s.o.Max+1)] {
		delete(s.entries, old.key)
		s.metrics.evicted.Inc()
	}
}

// ask asks every source, and has the container asked for again when none knows it.
func (s *Store) ask(ctx context.Context, e *entry) {
	info, again := s.round(ctx, e.ref)
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	late := e.missed && info != nil
	e.info = info
	if info == nil && again && e.round < len(pauses) {
		pause := pauses[e.round]
		e.round++
		s.mu.Unlock()
		time.AfterFunc(pause, func() {
			select {
			case s.queue <- e:
			case <-ctx.Done():
			default:
				s.metrics.dropped.Inc()
				s.give(e, false)
			}
		})
		return
	}
	s.mu.Unlock()
	s.give(e, again)
	if late {
		s.metrics.late.Inc()
		if s.o.Late != nil {
			s.o.Late(info)
		}
	}
}

// give ends the asking for a container, found or not. asked is false when nobody could be asked.
func (s *Store) give(e *entry, asked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.info == nil {
		pause := forgetNobody
		if asked {
			pause = forgetUnknown
		}
		e.failed, e.until = true, s.clock().Add(pause)
	}
	close(e.known)
}

// round asks all sources once. again is false when there is nobody to ask.
func (s *Store) round(ctx context.Context, ref Ref) (info *Info, again bool) {
	for _, source := range s.o.Sources {
		asked, cancel := context.WithTimeout(ctx, s.o.Timeout)
		info, err := source.Container(asked, ref)
		cancel()
		switch {
		case err == nil && info != nil:
			s.metrics.answer(source, "found")
			return info, false
		case errors.Is(err, ErrNotHere):
			continue
		case errors.Is(err, ErrNotFound), err == nil:
			s.metrics.answer(source, "unknown")
		default:
			s.metrics.answer(source, "failed")
			s.log.Debug("a container runtime did not answer", "runtime", source.Name(), "container", ref.ID, "error", err)
		}
		again = true
	}
	return nil, again
}

// Len is how many containers are remembered, those that no runtime knows included.
func (s *Store) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.entries)
}

type storeMetrics struct {
	answers                *prometheus.CounterVec
	dropped, late, evicted prometheus.Counter
	remembered             prometheus.GaugeFunc
}

func newStoreMetrics(s *Store, sources []Source) storeMetrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "tiercel_containers_" + name + "_total", Help: help})
	}
	m := storeMetrics{
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tiercel_containers_lookups_total",
			Help: "Questions to container runtimes, by runtime (cri, containerd, docker, podman) and answer (found, unknown, failed).",
		}, []string{"runtime", "answer"}),
		dropped: counter("dropped_lookups", "Containers that were not asked for because too many were waiting; the next event of the container asks again."),
		late:    counter("late_answers", "Answers that came after an event of the container had been passed on without them."),
		evicted: counter("evicted", "Containers that were forgotten because too many were remembered."),
		remembered: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tiercel_containers", Help: "Containers that are remembered, those that no runtime knows included.",
		}, func() float64 { return float64(s.Len()) }),
	}
	for _, source := range sources {
		for _, answer := range []string{"found", "unknown", "failed"} {
			m.answers.WithLabelValues(source.Name(), answer)
		}
	}
	return m
}

func (m *storeMetrics) register(r prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{m.answers, m.dropped, m.late, m.evicted, m.remembered} {
		if err := r.Register(c); err != nil {
			return err //nolint:wrapcheck // wrapped above
		}
	}
	return nil
}

func (m *storeMetrics) answer(source Source, answer string) {
	m.answers.WithLabelValues(source.Name(), answer).Inc()
}
