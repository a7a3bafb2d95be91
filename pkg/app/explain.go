package app

import (
	"context"
	"net/http"
	"reflect"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/config"
	"github.com/tiercel/tiercel/pkg/flow"
	"github.com/tiercel/tiercel/pkg/httpx"
)

// Explained is what an output would do with an alert.
type Explained struct {
	Output   string    `json:"output"`
	Sent     bool      `json:"sent"`
	Why      string    `json:"why"`
	Requests []Request `json:"requests,omitempty"` // what would be sent, where the output speaks HTTP
	Written  string    `json:"written,omitempty"`  // to standard output
	NotShown string    `json:"not_shown,omitempty"`
}

// Explain tells for each configured output whether it would get an alert, and shows what would be sent. Nothing is sent.
// The alert is taken as it is: normalize it before.
func Explain(ctx context.Context, cfg *config.Config, deps Deps, a *alert.Alert) ([]Explained, error) {
	all := make([]Explained, 0, len(cfg.Outputs))
	for _, out := range cfg.Outputs {
		decision, err := flow.Decide(out.Lane, a)
		if err != nil {
			return nil, err
		}
		one := Explained{Output: out.Name, Sent: decision.Wanted, Why: decision.Why}
		switch {
		case !decision.Wanted:
		case !isHTTP(out.Config) && out.Spec.Name != "stdout":
			one.NotShown = "this output does not speak HTTP: nothing is shown without writing to its place"
		default:
			trial := Try(ctx, dry(cfg), out, deps, []*alert.Alert{a})
			for _, x := range trial.Exchanges {
				one.Requests = append(one.Requests, x.Request)
			}
			one.Written = trial.Written
			if len(one.Requests) == 0 && one.Written == "" {
				one.NotShown = trial.Error
			}
		}
		all = append(all, one)
	}
	return all, nil
}

// dry is a config whose HTTP clients send nothing, and take what they are given for delivered.
func dry(cfg *config.Config) *config.Config {
	own := *cfg
	own.Client = cfg.Client.Instead(roundTripper(func(req *http.Request) (*http.Response, error) {
		if req.Body != nil {
			if err := req.Body.Close(); err != nil {
				return nil, err
			}
		}
		return &http.Response{StatusCode: http.StatusOK, Header: make(http.Header), Body: http.NoBody, Request: req}, nil
	}))
	return &own
}

// isHTTP reports whether an output's config has the settings of HTTP outputs.
func isHTTP(config any) bool {
	v := reflect.Indirect(reflect.ValueOf(config))
	if v.Kind() != reflect.Struct {
		return false
	}
	for i := range v.NumField() {
		if v.Type().Field(i).Type == reflect.TypeFor[httpx.Settings]() {
			return true
		}
	}
	return false
}
