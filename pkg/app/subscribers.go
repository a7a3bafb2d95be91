package app

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/config"
	"github.com/tiercel/tiercel/pkg/falcogrpc"
	"github.com/tiercel/tiercel/pkg/rules/load"
	"github.com/tiercel/tiercel/pkg/telemetry"
)

// buildSubscribers listens for those who subscribe to the alerts over gRPC, if the config says so.
func (a *App) buildSubscribers(ctx context.Context, cfg *config.Config, deps Deps, reg prometheus.Registerer) error {
	if !cfg.GRPC.Enabled() {
		return nil
	}
	var err error
	a.subscribers, err = falcogrpc.New(ctx, cfg.GRPC, falcogrpc.Deps{
		Log:     component(deps.Log, "grpc"),
		Metrics: reg,
		Version: deps.Version,
		Engine:  load.EngineVersion,
		Place: func(ctx context.Context, subscriber string) (falcogrpc.Place, error) {
			return a.flow.Follow(ctx, subscriber, cfg.GRPC.KeepPlace, cfg.GRPC.MaxPlaces)
		},
	})
	if err != nil {
		return err
	}
	a.onStop("subscribers", a.subscribers.Close)
	return nil
}

// accepted counts an alert that is in the journal, and shows it to the subscribers.
func (a *App) accepted(events *telemetry.Events) func(*alert.Alert) {
	if a.subscribers == nil {
		return events.Count
	}
	return func(one *alert.Alert) {
		events.Count(one)
		a.subscribers.Publish(one)
	}
}

// serve answers subscribers until ctx ends, and calls fail when it cannot any more. The channel gives its error once
// it has ended.
func (a *App) serve(ctx context.Context, fail func()) <-chan error {
	ended := make(chan error, 1)
	if a.subscribers == nil {
		ended <- nil
		return ended
	}
	go func() {
		defer fail()
		err := a.subscribers.Run(ctx)
		if err != nil {
			err = fmt.Errorf("subscribers over gRPC: %w", err)
		}
		ended <- err
	}()
	return ended
}
