package app

import (
	"errors"
	"fmt"
	"io"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/config"
	"github.com/tiercel/tiercel/pkg/flow"
	"github.com/tiercel/tiercel/pkg/httpx"
)

// makeOutputs makes every configured output, and gives the metrics of each by its name. When one cannot be made, those
// before it are closed.
func makeOutputs(cfg *config.Config, deps Deps) ([]flow.Output, map[string]*staged, error) {
	var made []flow.Output
	metrics := make(map[string]*staged)
	for _, out := range cfg.Outputs {
		registry := newStaged()
		one, err := makeOutput(out, deps, registry, cfg.Client)
		if err != nil {
			return nil, nil, errors.Join(err, closeOutputs(made))
		}
		metrics[out.Name] = registry
		made = append(made, flow.Output{Name: out.Name, Batch: out.Spec.Batch, Settings: out.Lane, Output: one})
	}
	return made, metrics, nil
}

func makeOutput(out config.Output, deps Deps, reg prometheus.Registerer, client httpx.Common) (outputs.Output, error) {
	made, err := out.Spec.New(outputs.Env{
		Name:    out.Name,
		Version: deps.Version,
		Log:     component(deps.Log, "output").With("output", out.Name),
		Metrics: prometheus.WrapRegistererWith(prometheus.Labels{"output": out.Name}, reg),
		HTTP:    client,
		Stdout:  deps.Stdout,
	}, out.Config)
	if err != nil {
		return nil, fmt.Errorf("output %s: %w", out.Name, err)
	}
	return made, nil
}

func closeOutputs(made []flow.Output) error {
	var errs []error
	for _, out := range made {
		if err := closeOutput(out.Output); err != nil {
			errs = append(errs, fmt.Errorf("output %s: %w", out.Name, err))
		}
	}
	return errors.Join(errs...)
}

func closeOutput(out outputs.Output) error {
	if closer, ok := out.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}
