// Package probesource makes alerts of what the kernel of this machine does. It runs the probe, keeps the processes and
// containers, tests every event with the rules, and puts the alerts through the same door as Falco's own.
//
//	probe ─▶ process tree ─┬─▶ rules ─▶ alert ─▶ queue ─▶ put
//	                       └─▶ sessions ─▶ rules ─┘
//
// Everything before the queue happens on one goroutine, which never waits: what does not fit is counted and said.
package probesource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/pkg/accounts"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/container"
	"github.com/tiercel/tiercel/pkg/falcoevent"
	"github.com/tiercel/tiercel/pkg/proctree"
	"github.com/tiercel/tiercel/pkg/rules"
	"github.com/tiercel/tiercel/pkg/rules/eval"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/pkg/rules/ruleset"
	"github.com/tiercel/tiercel/pkg/source"
	"github.com/tiercel/tiercel/probe"
)

// Deps is what a source is given besides its config.
type Deps struct {
	Log     *slog.Logger
	Metrics prometheus.Registerer
	Health  *source.Health
	// Builtin has the rules that are taken when the config names no files.
	Builtin fs.FS
	// Containers know what runtimes say of containers. They may be nil.
	Containers *container.Store
	// Accounts name users and groups. They may be nil.
	Accounts *accounts.Accounts
	// Sessions make the keeper of terminal sessions. It may be nil: then rules with "source: terminal" never fire.
	Sessions func(Hooks) (Sessions, error)
	// TTY is what sessions need to be traced at terminals, once they ask for it.
	TTY probe.TTYOptions
	// Open opens the probe; [probe.Open] if nil.
	Open func(probe.Options) (Kernel, error)
}

// Kernel is the probe, or a recording of one.
type Kernel interface {
	Run(ctx context.Context, handle func(*probe.Event)) error
	SetSyscalls(names []string) error
	SetTTY(opts probe.TTYOptions) error
	Stats() probe.Stats
	Close() error
}

// Sessions are told of every event, after the process tree has it.
type Sessions interface {
	Event(ev *probe.Event, process *proctree.Process)
	// Tick is called about ten times a second, never at the same time as Event.
	Tick(now time.Time)
}

// Hooks are what sessions are given. They are to be called from within Event and Tick only.
type Hooks struct {
	// Base gives the fields of a process, its user and its container at a moment in nanoseconds since 1970. What it
	// gives is valid until Base is called again.
	Base func(process *proctree.Process, wall int64) eval.Event
	// Emit tests the rules with an event of a process and makes alerts of those that match. The event's values need to
	// be valid during the call only.
	Emit func(ev eval.Event, process *proctree.Process)
	// Trace switches the events of terminals on and off. They are off at first.
	Trace func(on bool) error
}

// Source is the probe as a way in for alerts.
type Source struct {
	config  Config
	deps    Deps
	metrics *metrics
	options probe.Options
	kernel  Kernel // nil after a run that failed
	hosts   *Hosts
	rules   atomic.Pointer[current]
	maxEnv  int
	maxData int
	queue   chan *alert.Alert
	losses  losses
	late    *late
	opening sync.Mutex
	ended   atomic.Int64                  // when the source was stopped, nanoseconds since 1970
	refused atomic.Pointer[string]        // why the rules could not be loaded the last time
	stamped atomic.Pointer[ruleset.Stamp] // of the files that were tried last

	// What follows belongs to whoever holds the lock: the goroutine of the events, or that of the ticks.
	mu       sync.Mutex
	node     *falcoevent.Node
	tree     *proctree.Tree
	event    *falcoevent.Event
	base     *falcoevent.Event
	sessions Sessions
	matched  []*rules.Rule
	number   uint64
	swept    time.Time
}

// New loads the rules and then the probe, which keeps events from then on until [Source.Run] takes them. A [NoProbe]
// error means that the rules are fine and the machine is not.
func New(cfg Config, rulesCfg ruleset.Config, deps Deps) (*Source, error) {
	s := &Source{config: cfg, deps: deps, queue: make(chan *alert.Alert, cfg.Queue), matched: make([]*rules.Rule, 0, 16)}
	s.hosts = NewHosts(deps.Log, func(ctx context.Context, name string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	})
	var err error
	if s.config.Hostname == "" {
		if s.config.Hostname, err = os.Hostname(); err != nil {
			return nil, fmt.Errorf("asking for the name of the machine: set probe.hostname: %w", err)
		}
	}
	first, err := s.load(rulesCfg, true)
	if err != nil {
		return nil, err
	}
	if s.options, err = s.optionsFor(first); err != nil {
		return nil, err
	}
	if s.deps.Open == nil {
		s.deps.Open = func(o probe.Options) (Kernel, error) { return probe.Open(o) }
	}
	s.tree, err = proctree.New(proctree.Options{Max: cfg.MaxProcesses, Metrics: deps.Metrics})
	if err != nil {
		return nil, err
	}
	s.metrics = newMetrics(deps.Metrics, func() float64 { return float64(len(s.queue)) })
	deps.Metrics.MustRegister(probe.NewCollector(s.stats))
	if s.kernel, err = s.deps.Open(s.options); err != nil {
		return nil, &NoProbe{err}
	}
	s.node = &falcoevent.Node{
		Hostname: s.config.Hostname, Started: time.Now().UnixNano(), Tree: s.tree,
		HostName: s.hosts.Name,
	}
	if deps.Containers != nil {
		s.node.Containers = deps.Containers
	}
	if deps.Accounts != nil {
		s.node.Users = deps.Accounts
	}
	s.event, s.base = falcoevent.New(s.node), falcoevent.New(s.node)
	s.late = newLate(s)
	if deps.Sessions != nil {
		if s.sessions, err = deps.Sessions(Hooks{Base: s.baseOf, Emit: s.emit, Trace: s.traceTerminals}); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	s.use(first)
	return s, nil
}

// NoProbe says why the probe cannot run on this machine.
type NoProbe struct{ Reason error }

// Error gives the reason.
func (e *NoProbe) Error() string { return "the probe cannot run: " + e.Reason.Error() }

// Unwrap gives the reason.
func (e *NoProbe) Unwrap() error { return e.Reason }

// Bytes of an environment, and of what is sent or received, that are read where a rule asks for them: as Falco does.
const (
	usualEnv  = 4096
	usualData = 80
)

// optionsFor are what the probe is opened with, for the rules that are used at first.
func (s *Source) optionsFor(first *current) (probe.Options, error) {
	cfg := &s.config
	s.maxEnv, s.maxData = int(cfg.MaxEnv), int(cfg.MaxData)
	asks := func(ids ...field.ID) bool {
		return slices.ContainsFunc(first.fields, func(ref field.Ref) bool { return slices.Contains(ids, ref.ID) })
	}
	if s.maxEnv == 0 && asks(field.ProcEnv, field.ProcAenv) {
		s.maxEnv = usualEnv
	}
	if s.maxData == 0 && asks(field.EvtBuffer) {
		s.maxData = usualData
	}
	cgroups, err := cgroupIDs(cfg.Exclude.Cgroups)
	if err != nil {
		return probe.Options{}, err
	}
	return probe.Options{
		Log:         s.deps.Log,
		Syscalls:    s.syscalls(first),
		ProcessRing: int(cfg.ProcessRing),
		BulkRing:    int(cfg.BulkRing),
		WakeBytes:   int(cfg.WakeBytes),
		Latency:     cfg.Latency,
		MaxArgs:     int(cfg.MaxArgs),
		MaxEnv:      s.maxEnv,
		MaxData:     s.maxData,
		Filter: probe.Filter{
			Comms: cfg.Exclude.Comms, Cgroups: cgroups, OpenWriteOnly: cfg.Exclude.AllReads,
			NoFailedOpens: cfg.Exclude.FailedOpens,
		},
	}, nil
}

// syscalls are the calls that the rules and the config ask for.
func (s *Source) syscalls(rules *current) []string {
	names := append(falcoevent.Syscalls(rules.Types()), s.config.Syscalls...)
	if talks(names) && asksRole(rules.fields) {
		names = append(names, "connect", "accept", "accept4") // they tell which side of a connection a process is on
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// talks reports whether a call is among them that sends or receives.
func talks(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		switch name {
		case "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg", "dup", "dup2", "dup3", "shutdown":
			return true
		}
		return false
	})
}

// asksRole reports whether a rule asks which side of a connection a process is on.
func asksRole(fields []field.Ref) bool {
	return slices.ContainsFunc(fields, func(ref field.Ref) bool {
		return ref.ID >= field.FdName && ref.ID <= field.FdRIPName && field.Of(ref.ID).Class == "fd" && ref.ID != field.FdDirectory && ref.ID != field.FdFilename
	})
}

// Run tests events until ctx ends. What was matched by then is still put. After an error it may be run again.
func (s *Source) Run(ctx context.Context, put source.Put) error {
	if err := s.reopen(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	over := make(chan struct{})
	var helpers, delivery sync.WaitGroup
	helpers.Go(func() { s.hosts.Run(ctx) })
	if s.deps.Containers != nil {
		helpers.Go(func() { s.deps.Containers.Run(ctx) })
	}
	if s.deps.Accounts != nil {
		helpers.Go(func() { s.deps.Accounts.Run(ctx) })
	}
	helpers.Go(func() { s.watch(ctx) })
	helpers.Go(func() { s.tick(ctx) })
	helpers.Go(func() { s.late.run(ctx) })
	delivery.Go(func() { s.deliver(context.WithoutCancel(ctx), put, over) })
	s.started()
	err := s.kernel.Run(ctx, s.handle)
	if err != nil {
		err = fmt.Errorf("reading the probe: %w", err)
		err = errors.Join(err, s.Close())
	}
	stop()
	helpers.Wait()
	s.stopped(err)
	close(over)
	delivery.Wait()
	return err
}

// reopen opens the probe again after a run that failed.
func (s *Source) reopen() error {
	s.opening.Lock()
	defer s.opening.Unlock()
	s.ended.Store(0)
	if s.kernel != nil {
		return nil
	}
	s.options.Syscalls = s.syscalls(s.rules.Load())
	kernel, err := s.deps.Open(s.options)
	if err != nil {
		return &NoProbe{err}
	}
	s.kernel = kernel
	return nil
}

// tickEvery is how often sessions are told the time and losses are said.
const tickEvery = 100 * time.Millisecond

func (s *Source) tick(ctx context.Context) {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			if s.sessions != nil {
				s.mu.Lock()
				s.sessions.Tick(now)
				s.mu.Unlock()
			}
			s.sayLosses(now)
		}
	}
}

// Close unloads the probe.
func (s *Source) Close() error {
	s.opening.Lock()
	defer s.opening.Unlock()
	kernel := s.kernel
	s.kernel = nil
	if kernel == nil {
		return nil
	}
	if err := kernel.Close(); err != nil {
		return fmt.Errorf("closing the probe: %w", err)
	}
	return nil
}

// setSyscalls says what is to be traced from now on. A probe that is not open takes it when it is opened again.
func (s *Source) setSyscalls(names []string) error {
	s.opening.Lock()
	defer s.opening.Unlock()
	if s.kernel == nil {
		return nil
	}
	slices.Sort(names)
	return s.kernel.SetSyscalls(slices.Compact(names))
}

// traceTerminals switches the events of terminals on or off. A probe that is not open takes it when it is opened again.
func (s *Source) traceTerminals(on bool) error {
	s.opening.Lock()
	defer s.opening.Unlock()
	s.options.TTY = probe.TTYOptions{}
	if on {
		s.options.TTY = s.deps.TTY
	}
	if s.kernel == nil {
		return nil
	}
	return s.kernel.SetTTY(s.options.TTY)
}

// stats are those of the probe that is open, if one is.
func (s *Source) stats() probe.Stats {
	s.opening.Lock()
	defer s.opening.Unlock()
	if s.kernel == nil {
		return probe.Stats{}
	}
	return s.kernel.Stats()
}

// alive reports whether a process is still there.
func alive(pid int32) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	return !errors.Is(err, fs.ErrNotExist)
}
