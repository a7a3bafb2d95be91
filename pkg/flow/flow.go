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
	"io"
	"log/slog"
	"slices"
	"sync"
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
	deps  Deps
	lanes []*lane
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
	f := &Flow{deps: deps}
	m := newMetrics(deps.Metrics)
	known, err := deps.Journal.Lanes(ctx)
	if err != nil {
		return nil, err
	}
	for _, out := range configured {
		if err := f.add(ctx, m, out); err != nil {
			return nil, err
		}
	}
	for _, name := range known {
		if isFollower(name) || slices.ContainsFunc(configured, func(o Output) bool { return o.Name == name }) {
			continue
		}
		if err := f.wind(ctx, m, name); err != nil {
			return nil, err
		}
	}
	deps.Metrics.MustRegister(&lagCollector{lanes: f.lanes})
	return f, nil
}

func (f *Flow) add(ctx context.Context, m *metrics, out Output) error {
	filter, err := compileWhen(out.Settings.When)
	if err != nil {
		return fmt.Errorf("output %s: when: %w", out.Name, err)
	}
	cursor, err := f.deps.Journal.Cursor(ctx, journal.Lane{Name: out.Name, Minimum: out.Settings.MinimumPriority})
	if err != nil {
		return err
	}
	if out.Settings.MaxAge == 0 {
		out.Settings.MaxAge = f.deps.MaxAge
	}
	f.lanes = append(f.lanes, &lane{
		Output: out,
		log:    f.deps.Log.With("output", out.Name),
		when:   filter,
		cursor: cursor,
		bury:   f.deps.Journal.Bury,
		count:  m.lane(out.Name),
	})
	return nil
}

// wind adds a lane that buries what an output that is gone had still to deliver, and nothing that comes in after it
// was taken out of the config.
func (f *Flow) wind(ctx context.Context, m *metrics, name string) error {
	left, err := f.deps.Journal.Leftover(ctx, name)
	if err != nil {
		return err
	}
	if left.Packs == 0 {
		return f.deps.Journal.Forget(ctx, name)
	}
	f.deps.Log.Warn("an output is no longer configured: what it had still to deliver becomes dead letters", "output", name, "packs", left.Packs)
	settings := Defaults()
	settings.MinimumPriority = left.Minimum
	out := Output{Name: name, Batch: outputs.Batch{Max: 1024}, Settings: settings, Output: removed{}}
	if err := f.add(ctx, m, out); err != nil {
		return err
	}
	l := f.lanes[len(f.lanes)-1]
	l.until = left.Newest
	l.empty = func(ctx context.Context) bool {
		past, err := f.deps.Journal.IsPast(ctx, name, left.Newest)
		return err == nil && past
	}
	l.forget = func(ctx context.Context) {
		if err := f.deps.Journal.Forget(ctx, name); err != nil {
			f.deps.Log.Warn("the place of a removed output stays in the journal", "output", name, "error", err)
		}
	}
	return nil
}

// removed stands for an output that is no longer configured.
type removed struct{}

func (removed) Send(context.Context, []*alert.Alert) error {
	return verdict.Permanent(verdict.Because(verdict.Removed, errors.New("the output is no longer configured")))
}

// Put takes alerts in: when it returns nil they are normalized and safe in the journal, and every output that wants
// them will get them.
func (f *Flow) Put(ctx context.Context, alerts []*alert.Alert) error {
	for _, a := range alerts {
		f.deps.Normalize(a)
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
	var lanes sync.WaitGroup
	for _, l := range f.lanes {
		lanes.Go(func() {
			reading, stop := context.WithCancel(living)
			var cursor sync.WaitGroup
			cursor.Go(func() { l.cursor.Run(reading) })
			finished := l.run(ctx, living)
			stop()
			cursor.Wait()
			if finished {
				l.forget(living)
				l.end()
			}
		})
	}
	lanes.Wait()
	for _, l := range f.lanes {
		if closer, ok := l.Output.Output.(io.Closer); ok {
			if err := closer.Close(); err != nil {
				l.log.Error("closing the output failed", "error", err)
			}
		}
	}
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
	states := make([]LaneState, 0, len(f.lanes))
	for _, l := range f.lanes {
		if !l.hasEnded() {
			states = append(states, l.state())
		}
	}
	return states
}
