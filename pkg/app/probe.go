package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/pkg/config"
	"github.com/tiercel/tiercel/pkg/falcoevent"
	"github.com/tiercel/tiercel/pkg/rules/load"
	"github.com/tiercel/tiercel/pkg/rules/ruleset"
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
	source, err := probesource.New(cfg.Probe, cfg.Rules, probesource.Deps{
		Log: log, Metrics: registry, Health: up, Builtin: rules.Default(),
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
	return nil
}

// RuleSupply says which events and fields rules can have, whether or not the probe can run here.
func RuleSupply() *load.Supply { return falcoevent.Supply(falcoevent.Limits{Terminals: true}) }

// ProbeView is somebody who looks at the probe's events.
type ProbeView = probesource.View

// WatchProbe shows events of the probe until ctx ends.
func WatchProbe(ctx context.Context, cfg *config.Config, view ProbeView) error {
	return view.Watch(ctx, cfg.Probe)
}

// LoadRules loads the rules of a config.
func LoadRules(cfg *config.Config) (*ruleset.Set, error) {
	return ruleset.Load(&cfg.Rules, ruleset.Env{Builtin: rules.Default(), Supply: RuleSupply()})
}
