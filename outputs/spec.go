package outputs

import (
	"fmt"
	"time"

	"github.com/tiercel/tiercel/pkg/size"
)

// Spec is what an output is, as data. Config keys, environment names, docs and metrics are derived from it.
type Spec struct {
	Name     string // lower case letters and digits; the config section and the folder
	Title    string // as its maker writes it, "Slack"
	Category string // chat, logs, web, local, …
	About    string // one sentence for the docs
	Batch    Batch
	Fallback bool // used when no output is configured at all

	// Config makes a fresh config that holds the defaults, as a pointer to a struct.
	Config func() Config
	// New makes the output. config is what Config made, filled and valid.
	New func(env Env, config Config) (Output, error)
}

// Batch says how many alerts an output takes at once. Batches form by themselves: while one is on the wire, the
// next gathers.
type Batch struct {
	Max   int           // alerts, at least 1
	Bytes size.Bytes    // of the alerts as stored; 0 is no bound. A single alert may be larger
	Wait  time.Duration // how long a batch that is not full waits for more; 0 sends at once
	// OneByOne says that each alert is a request of its own (see Each), so that the lane's time-out counts for each.
	OneByOne bool
}

// Config is what an output's config must answer.
type Config interface {
	// Enabled reports whether the user asked for this output: with falcosidekick's keys, its address is set.
	Enabled() bool
	// Validate returns every problem, joined, each made by problem.At. It is asked only when Enabled.
	Validate() error
}

// Define completes a spec with an output's own config type C. The fields of C carry the tag `config:"key"`; their
// comments are the documentation.
func Define[C any, P interface {
	*C
	Config
}](spec Spec, defaults func() C, create func(Env, C) (Output, error),
) Spec {
	spec.Config = func() Config {
		c := defaults()
		return P(&c)
	}
	spec.New = func(env Env, config Config) (Output, error) {
		own, ok := config.(P)
		if !ok {
			return nil, fmt.Errorf("output %s was given a config of type %T", spec.Name, config)
		}
		return create(env, *own)
	}
	return spec
}
