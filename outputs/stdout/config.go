package stdout

import "github.com/tiercel/tiercel/pkg/problem"

// Config says whether and how alerts go to the standard output.
type Config struct {
	// Write every alert to the standard output. Where no output at all is configured, this one is used in any case.
	On bool `config:"enabled"`
	// pretty is for people, json is one line of JSON per alert, auto is pretty on a terminal and json anywhere else.
	Format string `config:"format" enum:"auto,pretty,json"`
}

// Values of [Config.Format]. An empty one is auto.
const (
	Auto   = "auto"
	Pretty = "pretty"
	JSON   = "json"
)

// Defaults gives what suits a terminal as well as a container's log.
func Defaults() Config { return Config{Format: Auto} }

// Enabled reports whether the user asked for it.
func (c *Config) Enabled() bool { return c.On }

// Validate returns the problem with the format, if there is one.
func (c *Config) Validate() error {
	switch c.Format {
	case "", Auto, Pretty, JSON:
		return nil
	}
	return problem.At("format", "expected %s, %s or %s, got %q", Auto, Pretty, JSON, c.Format)
}
