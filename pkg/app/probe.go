package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/pkg/accounts"
	"github.com/tiercel/tiercel/pkg/config"
	"github.com/tiercel/tiercel/pkg/container"
	"github.com/tiercel/tiercel/pkg/container/runtime"
	"github.com/tiercel/tiercel/pkg/falcoevent"
	"github.com/tiercel/tiercel/pkg/rules/load"
	"github.com/tiercel/tiercel/pkg/rules/ruleset"
	"github.com/tiercel/tiercel/pkg/session"
	"github.com/tiercel/tiercel/pkg/source/probesource"
	"github.com/tiercel/tiercel/rules"
)

// addProbe lets the kernel of this machine be a way in for alerts, where it can be and is wanted.
func (a *App) addProbe(cfg *config.Config, deps Deps, registry prometheus.Registerer) error {
	if cfg.Probe.Enabled == probesource.EnabledNo {
		return nil
	}
	log := component(deps.Log, "probe")
	up := health(deps.Log, "probe")
	var store *container.Store
	if cfg.Containers.Enabled {
		var err error
		if store, err = a.containers(cfg, deps, registry); err != nil {
			return err
		}
	}
	source, err := probesource.New(cfg.Probe, cfg.Rules, probesource.Deps{
		Log: log, Metrics: registry, Health: up, Builtin: rules.Default(), Accounts: accounts.New(), Containers: store,
		Sessions: sessions(cfg, deps, registry), TTY: cfg.Sessions.Options(),
	})
	var missing *probesource.NoProbe
	switch {
	case errors.As(err, &missing) && cfg.Probe.Enabled == probesource.EnabledAuto:
		log.Info("this machine is not watched, alerts come from elsewhere only", "reason", missing.Reason)
		return nil
	case err != nil:
		return fmt.Errorf("probe: %w", err)
	}
	a.probe = source
	a.onStop("probe", source.Close)
	a.addInput(input{name: "probe", source: source, health: up})
	a.onReload(reloader{"rules", []string{"rules."}, func(_ context.Context, cfg *config.Config) (func(), error) {
		return source.Prepare(cfg.Rules)
	}})
	return nil
}

// containers makes what knows about containers.
func (a *App) containers(cfg *config.Config, deps Deps, registry prometheus.Registerer) (*container.Store, error) {
	runtimes := runtime.New(cfg.Containers)
	store, err := container.NewStore(container.StoreOptions{
		Sources: runtimes.Sources(), Timeout: cfg.Containers.Timeout, Log: component(deps.Log, "containers"), Metrics: registry,
	})
	if err != nil {
		return nil, err
	}
	a.onStop("container runtimes", runtimes.Close)
	return store, nil
}

// sessions make the keeper of terminal sessions, nil where nothing of them is recorded.
func sessions(cfg *config.Config, deps Deps, registry prometheus.Registerer) func(probesource.Hooks) (probesource.Sessions, error) {
	if cfg.Sessions.Record == session.RecordOff {
		return nil
	}
	return func(h probesource.Hooks) (probesource.Sessions, error) {
		s, err := session.New(cfg.Sessions, session.Deps{
			Base: h.Base, Emit: h.Emit, Arm: h.Trace, Registerer: registry, Log: component(deps.Log, "sessions"),
		})
		if err != nil {
			return nil, fmt.Errorf("sessions: %w", err)
		}
		return s, nil
	}
}

// RuleSupply says which events and fields rules can have, whether or not the probe can run here.
func RuleSupply() *load.Supply { return falcoevent.Supply(falcoevent.Limits{Terminals: true}) }

// ProbeView is somebody who looks at the probe's events.
type ProbeView = probesource.View

// WatchProbe shows events of the probe until ctx ends.
func WatchProbe(ctx context.Context, cfg *config.Config, view ProbeView) error {
	if view.Replay == nil {
		view.Accounts = accounts.New()
		go view.Accounts.Run(ctx)
		if cfg.Containers.Enabled {
			runtimes := runtime.New(cfg.Containers)
			defer func() { _ = runtimes.Close() }()
			store, err := container.NewStore(container.StoreOptions{Sources: runtimes.Sources(), Timeout: cfg.Containers.Timeout})
			if err != nil {
				return err
			}
			go store.Run(ctx)
			view.Containers = store
		}
	}
	return view.Watch(ctx, cfg.Probe)
}

// LoadRules loads the rules of a config.
func LoadRules(cfg *config.Config) (*ruleset.Set, error) {
	return ruleset.Load(&cfg.Rules, ruleset.Env{Builtin: rules.Default(), Supply: RuleSupply()})
}
