// Package config is the whole config of Tiercel: every package's own section, how they are loaded, and what is
// generated from them (the reference file, the docs, the JSON Schema).
//
// A section is a struct of the package that it configures; the tag `config:"key"` names each key and the field's
// comment is its documentation. [Load] is strict: what it does not know, it refuses.
package config

import (
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/container/runtime"
	"github.com/tiercel/tiercel/pkg/falcogrpc"
	"github.com/tiercel/tiercel/pkg/flow"
	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/journal"
	"github.com/tiercel/tiercel/pkg/normalize"
	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/rules/ruleset"
	"github.com/tiercel/tiercel/pkg/session"
	"github.com/tiercel/tiercel/pkg/source/httpsource"
	"github.com/tiercel/tiercel/pkg/source/probesource"
	"github.com/tiercel/tiercel/pkg/telemetry"
)

//go:generate go run ./gen
//go:generate go run ./gen/pages

// Config is everything that can be set, filled and valid. [Load] makes it.
type Config struct {
	// Where alerts come in.
	HTTP httpsource.Config `config:",inline"`
	// Further ways in.
	Inputs Inputs `config:"inputs"`
	// Who may subscribe to the alerts, over Falco's gRPC API.
	GRPC falcogrpc.Config `config:"grpc"`
	// What is done to every alert.
	Normalize normalize.Config `config:",inline"`
	// What all HTTP clients share.
	Client httpx.Common `config:",inline"`
	// Log at level debug, whatever log.level says.
	Debug bool `config:"debug"`
	// How long the outputs may go on delivering what is left when Tiercel is stopped. With a journal on disk the rest is sent after the next start.
	DrainTimeout time.Duration `config:"draintimeout"`
	// Where accepted alerts are kept until every output has them.
	Journal journal.Config `config:"journal"`
	// When the config is read again. See docs/reload.md.
	Reload Reload `config:"reload"`
	// What is logged, and how.
	Log telemetry.LogConfig `config:"log"`
	// The metrics page.
	Prometheus telemetry.EventsConfig `config:"prometheus"`
	// What is watched on this machine.
	Probe probesource.Config `config:"probe"`
	// What of it makes alerts.
	Rules ruleset.Config `config:"rules"`
	// What is recorded of the people at this machine's terminals. It needs the probe.
	Sessions session.Config `config:"sessions"`
	// Who is asked about containers.
	Containers runtime.Config `config:"containers"`

	// Outputs are the ones in use, at least one, in the order of the specs; several of one spec in the order of the
	// file.
	Outputs []Output

	files        []string // see Files
	certificates []string // see Certificates

	origins map[string]origin // where each key that is set was set, by its path
}

// Reload says when the config is read again, besides at SIGHUP.
type Reload struct {
	// Read it again when its file changes, or a file that it names: of a secret, a certificate.
	Watch bool `config:"watch"`
	// How often to look whether they have. A change is acted on once it stays the same from one look to the next.
	Interval time.Duration `config:"interval"`
}

// Validate returns every problem, joined.
func (r *Reload) Validate() error {
	if r.Interval < 100*time.Millisecond {
		return problem.At("interval", "expected at least 100ms, got %s", r.Interval)
	}
	return nil
}

// Output is one output in use.
type Output struct {
	Name   string // "slack", or "slack/oncall" for one of several
	Spec   outputs.Spec
	Lane   flow.Settings
	Config outputs.Config // what Spec.New takes
}

// Options are what [Load] reads from.
type Options struct {
	File    string   // path of a YAML or JSON file; empty is none
	Environ []string // NAME=value, as os.Environ gives it; nil is none
	Specs   []outputs.Spec

	node *yaml.Node // takes the place of what File holds; keys that nobody knows are warned of
}

// defaults gives the config without any outputs.
func defaults() *Config {
	return &Config{
		HTTP:         httpsource.Defaults(),
		Inputs:       defaultInputs(),
		GRPC:         falcogrpc.Defaults(),
		DrainTimeout: 10 * time.Second,
		Client:       httpx.Defaults(),
		Journal:      journal.Defaults(),
		Reload:       Reload{Watch: true, Interval: 2 * time.Second},
		Log:          telemetry.DefaultLog(),
		Prometheus:   telemetry.DefaultEvents(),
		Probe:        probesource.Defaults(),
		Rules:        ruleset.Defaults(),
		Sessions:     session.Defaults(),
		Containers:   runtime.Defaults(),
		origins:      make(map[string]origin),
	}
}

// newOutput gives an output with the defaults of its spec.
func newOutput(name string, spec outputs.Spec) *Output {
	return &Output{Name: name, Spec: spec, Lane: flow.Defaults(), Config: spec.Config()}
}
