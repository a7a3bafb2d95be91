package app

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/config"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// Trial is what came of sending alerts through one output, without the journal.
type Trial struct {
	Output    string         `json:"output"`
	Delivered bool           `json:"delivered"`
	Reason    verdict.Reason `json:"reason,omitempty"`
	Error     string         `json:"error,omitempty"`
	Exchanges []Exchange     `json:"exchanges,omitempty"` // of an output that speaks HTTP
	Written   string         `json:"written,omitempty"`   // to standard output
}

// Try makes one configured output and sends alerts through it once, whatever its minimum priority and its when
// expression say. The alerts are sent as they are: normalize them before. What is in the trial holds no secret of the
// config.
func Try(ctx context.Context, cfg *config.Config, out config.Output, deps Deps, alerts []*alert.Alert) Trial {
	watcher := &watcher{secrets: secretsOf(out.Config)}
	var written bytes.Buffer
	deps.Stdout = &written
	trial := Trial{Output: out.Name, Delivered: true}
	made, err := makeOutput(out, deps, prometheus.NewRegistry(), cfg.Client.Wrapped(watcher.watch))
	if err == nil {
		err = errors.Join(sendAll(ctx, out, made, alerts), closeOutput(made))
	}
	if err != nil {
		trial.Delivered, trial.Reason, trial.Error = false, verdict.ReasonOf(err), withoutSecrets(err.Error(), watcher.secrets)
	}
	trial.Exchanges = watcher.exchanges()
	trial.Written = written.String()
	return trial
}

// sendAll sends in batches that the output takes, as its lane would.
func sendAll(ctx context.Context, out config.Output, made outputs.Output, alerts []*alert.Alert) error {
	var errs []error
	for len(alerts) > 0 {
		n := min(len(alerts), max(out.Spec.Batch.Max, 1))
		timeout := out.Lane.Timeout
		if out.Spec.Batch.OneByOne {
			timeout *= time.Duration(n)
		}
		sending, cancel := context.WithTimeout(ctx, timeout)
		errs = append(errs, made.Send(sending, alerts[:n]))
		cancel()
		alerts = alerts[n:]
	}
	return errors.Join(errs...)
}
