// Package app builds everything that a config asks for and ties it together; it starts it and stops it.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/config"
	"github.com/tiercel/tiercel/pkg/falcogrpc"
	"github.com/tiercel/tiercel/pkg/flow"
	"github.com/tiercel/tiercel/pkg/journal"
	"github.com/tiercel/tiercel/pkg/normalize"
	"github.com/tiercel/tiercel/pkg/source"
	"github.com/tiercel/tiercel/pkg/source/httpsource"
	"github.com/tiercel/tiercel/pkg/source/probesource"
	"github.com/tiercel/tiercel/pkg/telemetry"
)

// App is a Tiercel that was built and can be run once.
type App struct {
	log     *slog.Logger
	drain   time.Duration
	journal *journal.Journal
	flow    *flow.Flow
	http    *httpsource.Source
	inputs  inputs

	subscribers *falcogrpc.Server // nil when nobody may subscribe

	probe   *probesource.Source // nil when this machine is not watched
	reload  reload
	metrics *prometheus.Registry
	stops   []stop // in the order of building

	delivered bool // the flow has run to its end
}

// stop is the end of something that was built.
type stop struct {
	name string
	do   func() error
}

// Deps is what an app is given besides its config.
type Deps struct {
	Version string
	Log     *slog.Logger
	Stdin   io.Reader // for inputs.stdin
	Stdout  io.Writer

	// Load reads the config again; nil never does. It is called at each signal, and when files of the config change.
	Load    func() (*config.Config, []config.Warning, error)
	Signals <-chan os.Signal
}

// New builds everything and opens the journal and the listeners, so that what cannot work is known now. ctx bounds
// the building only. An App that is built must be run, or closed.
func New(ctx context.Context, cfg *config.Config, deps Deps) (*App, error) {
	a := &App{log: deps.Log, drain: cfg.DrainTimeout}
	a.reload.load, a.reload.signals, a.reload.deps = deps.Load, deps.Signals, deps
	a.reload.cfg, a.reload.certs, a.reload.began = cfg, certificates(cfg), sums(cfg.Files())
	if err := a.build(ctx, cfg, deps); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// build is one straight line on purpose: it is read from top to bottom as the order in which things come to life,
// and each end stands beside its beginning.
func (a *App) build(ctx context.Context, cfg *config.Config, deps Deps) error {
	registry := telemetry.NewRegistry(deps.Version)
	a.metrics = registry
	events, err := telemetry.NewEvents(registry, cfg.Prometheus, ownFields(cfg.Normalize)...)
	if err != nil {
		return err
	}
	a.reload.register(registry)
	general := newStaged()
	normalizer, err := normalize.New(cfg.Normalize, general)
	if err != nil {
		return err
	}
	if err := general.replace(nil, registry); err != nil {
		return err
	}
	a.onReload(a.normalizer(general))
	a.journal, err = journal.Open(ctx, cfg.Journal, journal.Options{Log: component(deps.Log, "journal"), Metrics: registry})
	if err != nil {
		return err
	}
	a.onStop("journal", a.journal.Close)

	built, metrics, err := makeOutputs(cfg, deps)
	if err != nil {
		return err
	}
	a.reload.outputs = make(map[string]*staged)
	a.showMetrics(metrics, nil)
	a.onStop("outputs", func() error {
		if a.delivered {
			return nil // the flow has closed them
		}
		return closeOutputs(built)
	})
	if err := a.buildSubscribers(ctx, cfg, deps, registry); err != nil {
		return err
	}
	a.flow, err = flow.New(ctx, flow.Deps{
		Log:       component(deps.Log, "flow"),
		Journal:   a.journal,
		Metrics:   registry,
		Normalize: normalizer.Apply,
		Accepted:  a.accepted(events),
		MaxAge:    cfg.Journal.MaxAge,
	}, built)
	if err != nil {
		return err
	}
	if err := a.buildStreams(ctx, cfg, deps, registry); err != nil {
		return err
	}
	a.http, err = httpsource.New(ctx, cfg.HTTP, httpsource.Deps{
		Log:            component(deps.Log, "receiver"),
		Metrics:        registry,
		MetricsHandler: telemetry.Handler(registry),
		Ready:          a.ready,
		Test:           func() *alert.Alert { return normalize.TestAlert(time.Now(), "") },
		Refused:        a.refuse,
		Now:            time.Now,
	})
	if err != nil {
		return err
	}
	a.onStop("receiver", a.http.Close)
	a.addInput(input{name: "http", source: a.http, vital: true, health: health(deps.Log, "http")})
	if err := a.addProbe(cfg, deps, registry); err != nil {
		return err
	}
	registry.MustRegister(upCollector{a})
	return nil
}

// ownFields are the fields that the config adds to every alert; falcosidekick makes them labels of its counter.
func ownFields(cfg normalize.Config) []string {
	return slices.AppendSeq(slices.Collect(maps.Keys(cfg.CustomFields)), maps.Keys(cfg.TemplatedFields))
}

func component(log *slog.Logger, name string) *slog.Logger { return log.With("component", name) }

func (a *App) onStop(name string, do func() error) { a.stops = append(a.stops, stop{name, do}) }

// Addrs gives the addresses on which alerts are received.
func (a *App) Addrs() []net.Addr { return a.http.Addrs() }

// JournalPlace says where accepted alerts are kept.
func (a *App) JournalPlace() string { return a.journal.Place() }

// Run takes alerts in and delivers them until ctx ends. Then the inputs finish what is under way, the lanes deliver
// what is left for at most the drain time, the outputs close, and the journal last. What was not delivered is in the
// journal for the next start.
func (a *App) Run(ctx context.Context) error {
	ctx, stopTaking := context.WithCancel(ctx)
	defer stopTaking()
	// The lanes stop after the inputs: what these still accept is drained too.
	delivering, stopDelivering := context.WithCancel(context.WithoutCancel(ctx))
	defer stopDelivering()
	delivered := make(chan struct{})
	go func() {
		a.flow.Run(delivering, a.drain)
		close(delivered)
	}()
	served := a.serve(delivering, stopTaking)
	watching, stopWatching := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	if a.reload.load != nil {
		watcher.Go(func() { a.watch(watching) })
	}
	err := a.inputs.run(ctx, a.flow.Put)
	stopWatching()
	watcher.Wait()
	a.log.Info("stopping", "drain", a.drain.String())
	stopDelivering()
	err = errors.Join(err, <-served)
	<-delivered
	a.delivered = true
	for _, s := range a.flow.States() {
		if s.Lag > 0 {
			a.log.Warn("not delivered yet, kept for the next start", "output", s.Name, "alerts", s.Lag, "error", s.LastError)
		}
	}
	return errors.Join(err, a.Close())
}

// Close ends what was built, the latest first. Each failing step is reported by its name, and the others still run.
func (a *App) Close() error {
	var errs []error
	for len(a.stops) > 0 {
		last := a.stops[len(a.stops)-1]
		a.stops = a.stops[:len(a.stops)-1]
		if err := last.do(); err != nil {
			errs = append(errs, fmt.Errorf("stopping the %s: %w", last.name, err))
		}
	}
	return errors.Join(errs...)
}

func (a *App) refuse(r httpsource.Refused) { a.refuseOf(source.Refused(r)) }

func (a *App) refuseOf(r source.Refused) {
	a.journal.Refuse(journal.Refused{Time: r.Time, Remote: r.Remote, Reason: r.Reason, Error: r.Error, Body: r.Body})
}

// readiness is the answer of /readyz.
type readiness struct {
	Ready   bool             `json:"ready"`
	Journal string           `json:"journal"` // "ok", or why it takes no alerts
	Config  string           `json:"config"`  // "ok", or why the one that was read last is not used
	Inputs  []InputState     `json:"inputs"`
	Outputs []flow.LaneState `json:"outputs"`
	// Rules is what the probe's events are tested with; missing when this machine is not watched.
	Rules *probesource.State `json:"rules,omitempty"`
}

// ready says whether alerts can be accepted. An output that is down makes nothing unready: its alerts wait in the
// journal, while a receiver out of service would lose those that Falco sends. So does an input that is down: the
// others still take alerts, and what it waits for comes back or does not, whoever is sent here.
func (a *App) ready() (bool, any) {
	r := readiness{Ready: true, Journal: "ok", Config: a.configState(), Inputs: a.inputs.states(), Outputs: a.flow.States()}
	if a.probe != nil {
		state := a.probe.State()
		r.Rules = &state
	}
	if err := a.journal.Err(); err != nil {
		r.Ready, r.Journal = false, err.Error()
	}
	return r.Ready, r
}
