package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/pkg/source"
)

// input is one way in.
type input struct {
	name   string
	source source.Source
	health *source.Health
	// vital says that the app ends when the source does: it listens, or it is the pipe that all alerts come through.
	// It is up as soon as it runs. Others are run again for ever, and say themselves when they are up.
	vital bool
}

// inputs are the ways in, in the order of building.
type inputs []input

// addInput takes an input in. Whoever built its source pushes the end of it with onStop, where it has one.
func (a *App) addInput(one input) { a.inputs = append(a.inputs, one) }

// health makes the health of an input that is to be built.
func health(log *slog.Logger, name string) *source.Health {
	return source.NewHealth(component(log, "input").With("input", name))
}

// run takes from all at once until ctx ends, or a vital one does. It returns once all have ended.
func (in inputs) run(ctx context.Context, put source.Put) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, len(in))
	var running sync.WaitGroup
	for i, one := range in {
		running.Go(func() {
			if !one.vital {
				source.Keep(ctx, one.health, one.source, put)
				return
			}
			defer stop()
			one.health.Up()
			if err := one.source.Run(ctx, put); err != nil {
				errs[i] = fmt.Errorf("input %s: %w", one.name, err)
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// InputState is how an input is doing.
type InputState struct {
	Name  string     `json:"input"`
	Up    bool       `json:"up"`
	Error string     `json:"error,omitempty"`
	Since *time.Time `json:"down_since,omitempty"`
}

// states tells how each input is doing.
func (in inputs) states() []InputState {
	states := make([]InputState, len(in))
	for i, one := range in {
		states[i] = InputState{Name: one.name, Up: true}
		if now := one.health.State(); now.Err != nil {
			states[i] = InputState{one.name, false, now.Err.Error(), &now.Since}
		}
	}
	return states
}

// upCollector asks the inputs how they are when it is scraped.
type upCollector struct{ app *App }

func upDesc() *prometheus.Desc {
	return prometheus.NewDesc("tiercel_input_up", "1 while alerts can come in this way.", []string{"input"}, nil)
}

// Describe sends the description.
func (c upCollector) Describe(ch chan<- *prometheus.Desc) { ch <- upDesc() }

// Collect sends the gauge of each input.
func (c upCollector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range c.app.inputs.states() {
		up := 0.0
		if s.Up {
			up = 1
		}
		ch <- prometheus.MustNewConstMetric(upDesc(), prometheus.GaugeValue, up, s.Name)
	}
}
