package app

import (
	"context"
	"errors"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/config"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// Checked is what an output said when it was asked whether its place would take alerts.
type Checked struct {
	Output string         `json:"output"`
	Result string         `json:"result"` // one of the constants below
	Reason verdict.Reason `json:"reason,omitempty"`
	Error  string         `json:"error,omitempty"`
}

// Values of Checked.Result.
const (
	CheckOK       = "ok"
	CheckFailed   = "failed"
	CheckUnknown  = "cannot be checked" // the output has no way to ask
	checkInFlight = 8                   // outputs asked at once
)

// Check makes every configured output and asks each that is an outputs.Checker, for at most its lane's time-out. The
// answers are in the order of the config. Nothing is sent that a person would see.
func Check(ctx context.Context, cfg *config.Config, deps Deps) []Checked {
	all := make([]Checked, len(cfg.Outputs))
	slots := make(chan struct{}, checkInFlight)
	var asking sync.WaitGroup
	for i, out := range cfg.Outputs {
		asking.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			all[i] = check(ctx, cfg, out, deps)
		})
	}
	asking.Wait()
	return all
}

func check(ctx context.Context, cfg *config.Config, out config.Output, deps Deps) Checked {
	failed := func(err error) Checked {
		text := withoutSecrets(err.Error(), secretsOf(out.Config))
		return Checked{Output: out.Name, Result: CheckFailed, Reason: verdict.ReasonOf(err), Error: text}
	}
	made, err := makeOutput(out, deps, prometheus.NewRegistry(), cfg.Client)
	if err != nil {
		return failed(err)
	}
	checker, ok := made.(outputs.Checker)
	if !ok {
		if err := closeOutput(made); err != nil {
			return failed(err)
		}
		return Checked{Output: out.Name, Result: CheckUnknown}
	}
	ctx, cancel := context.WithTimeout(ctx, out.Lane.Timeout)
	defer cancel()
	if err := errors.Join(checker.Check(ctx), closeOutput(made)); err != nil {
		return failed(err)
	}
	return Checked{Output: out.Name, Result: CheckOK}
}
