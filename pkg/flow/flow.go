// Package flow is the way of an alert: put at one end, normalized, written to the journal, and run out of it by one
// lane for each configured output.
//
//	source ─▶ Put ─▶ normalize ─▶ journal ─┬─▶ lane "slack"  ─▶ pick ▶ send ▶ commit
//	                                       └─▶ lane "loki"   ─▶ pick ▶ send ▶ commit
//
// A lane has its own place in the journal, its own pace and its own retries: none slows another, or the sources.
package flow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/journal"
	"github.com/tiercel/tiercel/pkg/source"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// Flow joins sources, journal and outputs.
type Flow struct {
	deps      Deps
	metrics   *metrics
	normalize atomic.Pointer[func(*alert.Alert)]

	mu    sync.Mutex
	lanes []*lane
	start func(*lane) // while Run runs; see Swap
	ended bool        // Run waits for the lanes, or has
}

// Deps is what a flow works with.
type Deps struct {
	Log     *slog.Logger
	Journal *journal.Journal
	Metrics prometheus.Registerer
	// Normalize changes an alert before it is written. It is called once for each alert.
	Normalize func(*alert.Alert)
	// Accepted is told of each alert that is in the journal.
	Accepted func(*alert.Alert)
	// MaxAge is the age at which an alert that is not delivered becomes a dead letter, for outputs that do not say; 0
	// is no limit.
	MaxAge time.Duration
}

// Output is one configured output with its lane's settings.
type Output struct {
	Name     string // the instance
	Batch    outputs.Batch
	Settings Settings
	Output   outputs.Output
}

// New makes the lanes: the journal keeps a place for each from now on, so call it before the first Put. Lanes of
// outputs that are no longer configured are found in the journal; what they still had to deliver is buried as dead
// letters, where it can be sent elsewhere from.
func New(ctx context.Context, deps Deps, configured []Output) (*Flow, error) {
	f := &Flow{deps: deps, metrics: newMetrics(deps.Metrics)}
	f.normalize.Store(&deps.Normalize)
	known, err := deps.Journal.Lanes(ctx)
	if err != nil {
		return nil, err
	}
	for _, out := range configured {
		if err := f.add(ctx, out); err != nil {
			return nil, err
		}
	}
	for _, name := range known {
		if isFollower(name) || deps.Journal.Shared() || slices.ContainsFunc(configured, func(o Output) bool { return o.Name == name }) {
			continue // where others share the journal, it may be theirs: Run sees to it
		}
		if err := f.wind(ctx, name); err != nil {
			return nil, err
		}
	}
	deps.Metrics.MustRegister(&lagCollector{f})
	return f, nil
}

func (f *Flow) add(ctx context.Context, out Output) error {
	filter, err := f.prepare(&out)
	if err != nil {
		return err
	}
	_, gone := out.Output.(removed)
	cursor, err := f.deps.Journal.Cursor(ctx, journal.Lane{Name: out.Name, Minimum: out.Settings.MinimumPriority, Gone: gone})
	if err != nil {
		return err
	}
	f.lanes = append(f.lanes, &lane{
		name:   out.Name,
		work:   work{Output: out, when: filter},
		log:    f.deps.Log.With("output", out.Name),
		cursor: cursor,
		bury:   f.deps.Journal.Bury,
		count:  f.metrics.lane(out.Name),
		gone:   make(chan struct{}),
	})
	return nil
}

// prepare completes an output's settings and compiles its expression.
func (f *Flow) prepare(out *Output) (*when, error) {
	filter, err := compileWhen(out.Settings.When)
	if err != nil {
		return nil, fmt.Errorf("output %s: when: %w", out.Name, err)
	}
	if out.Settings.MaxAge == 0 {
		out.Settings.MaxAge = f.deps.MaxAge
	}
	return filter, nil
}

// wind adds a lane that buries what an output that is gone had still to deliver, and nothing that comes in after it
// was taken out of the config.
func (f *Flow) wind(ctx context.Context, name string) error {
	w, err := f.winding(ctx, name)
	if err != nil || w == nil {
		return err
	}
	if err := f.add(ctx, w.Output); err != nil {
		return err
	}
	f.lanes[len(f.lanes)-1].work = *w
	return nil
}

// winding is the work that buries what is left for an output that is gone. It is nil where nothing is left: then the
// journal has forgotten the lane.
func (f *Flow) winding(ctx context.Context, name string) (*work, error) {
	left, err := f.deps.Journal.Leftover(ctx, name)
	if err != nil {
		return nil, err
	}
	if left.Packs == 0 {
		return nil, f.deps.Journal.Forget(ctx, name)
	}
	f.deps.Log.Warn("an output is no longer configured: what it had still to deliver becomes dead letters", "output", name, "packs", left.Packs)
	return f.burying(name, left), nil
}

// burying is the work that buries what is left for an output that is gone, and nothing newer.
func (f *Flow) burying(name string, left journal.Leftover) *work {
	settings := Defaults()
	settings.MinimumPriority = left.Minimum
	return &work{
		Output: Output{Name: name, Batch: outputs.Batch{Max: 1024}, Settings: settings, Output: removed{}},
		until:  left.Newest,
		empty: func(ctx context.Context) bool {
			past, err := f.deps.Journal.IsPast(ctx, name, left.Newest)
			return err == nil && past
		},
		forget: func(ctx context.Context) {
			if err := f.deps.Journal.Forget(ctx, name); err != nil {
				f.deps.Log.Warn("the place of a removed output stays in the journal", "output", name, "error", err)
			}
		},
	}
}

// removed stands for an output that is no longer configured.
type removed struct{}

func (removed) Send(context.Context, []*alert.Alert) error {
	return verdict.Permanent(verdict.Because(verdict.Removed, errors.New("the output is no longer configured")))
}

// Normalize changes what is done to each alert that comes in from now on, see [Deps].
func (f *Flow) Normalize(apply func(*alert.Alert)) { f.normalize.Store(&apply) }

// Put takes alerts in: when it returns nil they are normalized and safe in the journal, and every output that wants
// them will get them.
func (f *Flow) Put(ctx context.Context, alerts []*alert.Alert) error {
	normalize := *f.normalize.Load()
	for _, a := range alerts {
		normalize(a)
	}
	if err := f.deps.Journal.Append(ctx, alerts); err != nil {
		if errors.Is(err, journal.ErrTooLarge) {
			return fmt.Errorf("%w: %w", source.ErrTooLarge, err)
		}
		return err
	}
	for _, a := range alerts {
		f.deps.Accepted(a)
	}
	return nil
}

// Run delivers until ctx ends, then for at most drain longer what the journal still holds. Then it closes the
// outputs. What was not delivered stays in the journal.
func (f *Flow) Run(ctx context.Context, drain time.Duration) {
	// Lanes and cursors outlive ctx by the time of the drain.
	living, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	stopDrain := context.AfterFunc(ctx, func() { time.AfterFunc(drain, end) })
	defer stopDrain()
	var running sync.WaitGroup
	start := func(l *lane) { running.Go(func() { l.live(ctx, living) }) }
	f.mu.Lock()
	for _, l := range f.lanes {
		start(l)
	}
	f.start = start
	f.mu.Unlock()
	if f.deps.Journal.Shared() {
		running.Go(func() { f.windUnserved(ctx) })
	}
	<-ctx.Done()
	f.mu.Lock()
	f.start, f.ended = nil, true // no lane is added to those that are waited for
	f.mu.Unlock()
	running.Wait()
	for _, l := range f.all() {
		l.close()
	}
}

// all gives the lanes there are.
func (f *Flow) all() []*lane {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.lanes)
}

// LaneState is how a lane is doing.
type LaneState struct {
	Name        string     `json:"output"`
	Lag         uint64     `json:"lag_alerts"`
	LagSeconds  float64    `json:"lag_seconds"`
	LastSuccess *time.Time `json:"last_success,omitempty"`
	LastError   string     `json:"last_error,omitempty"` // empty once a later try succeeded
	Since       *time.Time `json:"failing_since,omitempty"`
}

// States tells how each lane is doing, but for those of removed outputs for which nothing is left.
func (f *Flow) States() []LaneState {
	lanes := f.all()
	states := make([]LaneState, 0, len(lanes))
	for _, l := range lanes {
		if !l.hasEnded() {
			states = append(states, l.state())
		}
	}
	return states
}
