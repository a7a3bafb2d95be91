package flow

import (
	"errors"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/problem"
)

// Settings are what every output's lane has, beside the output's own config.
type Settings struct {
	// Least serious priority to send: emergency, alert, critical, error, warning, notice, informational or debug. Empty sends all.
	MinimumPriority alert.Priority `config:"minimumpriority"`
	// Send only alerts for which this expression (expr-lang.org) is true, for example: rule startsWith "Terminal" and fields["k8s.ns.name"] != "dev". See docs/routing.md.
	When string `config:"when"`
	// Longest time for one request.
	Timeout time.Duration `config:"timeout"`
	// An alert that could not be sent for so long becomes a dead letter. 0 means the journal's maxage.
	MaxAge time.Duration `config:"maxage"`
	// Pauses between tries.
	Retry Retry `config:"retry"`
}

// Retry says how the pauses between two tries of a lane grow: each is twice the last, give or take a fifth.
type Retry struct {
	// First pause.
	Initial time.Duration `config:"initial"`
	// Longest pause.
	Max time.Duration `config:"max"`
}

// Defaults gives the settings of an output that sets none.
func Defaults() Settings {
	return Settings{Timeout: 10 * time.Second, Retry: Retry{Initial: 200 * time.Millisecond, Max: 30 * time.Second}}
}

// Validate returns every problem, joined.
func (s *Settings) Validate() error {
	var errs []error
	if s.Timeout <= 0 {
		errs = append(errs, problem.At("timeout", "expected more than 0, got %s", s.Timeout))
	}
	if s.MaxAge < 0 {
		errs = append(errs, problem.At("maxage", "expected 0 or more, got %s", s.MaxAge))
	}
	if s.Retry.Initial <= 0 || s.Retry.Max < s.Retry.Initial {
		errs = append(errs, problem.At("retry", "expected 0 < initial <= max, got %s and %s", s.Retry.Initial, s.Retry.Max))
	}
	if s.When != "" {
		if _, err := compileWhen(s.When); err != nil {
			errs = append(errs, problem.At("when", "%v", err))
		}
	}
	return errors.Join(errs...)
}
