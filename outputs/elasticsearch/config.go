package elasticsearch

import (
	"errors"
	"strings"

	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/secret"
)

// Config is falcosidekick's, and data streams.
type Config struct {
	// Address of Elasticsearch or OpenSearch, http:// or https://. Setting it switches the output on.
	HostPort string `config:"hostport"`
	// Index, without its suffix; or the data stream.
	Index string `config:"index"`
	// What is put behind the index's name, by the day on which an alert came in, UTC: daily (-2006.01.02), monthly (-2006.01), annually (-2006) or none.
	Suffix string `config:"suffix" enum:"daily,monthly,annually,none"`
	// Write to a data stream: the index has no suffix, and rolls over by the policy that it has there.
	DataStream bool `config:"datastream"`
	// Ingest pipeline that each alert goes through.
	Pipeline string `config:"pipeline"`
	// User, for basic authentication.
	Username string `config:"username"`
	// Password of the user.
	Password secret.String `config:"password"`
	// API key, as Elasticsearch shows it (encoded), or id:key. It wins over the user.
	APIKey secret.String `config:"apikey"`
	// Write _ for each . in the names of fields.
	FlattenFields bool `config:"flattenfields"`
	// Make an index template for the index, where there is none of that name.
	CreateIndexTemplate bool `config:"createindextemplate"`
	// Shards of an index, in the template.
	NumberOfShards int `config:"numberofshards"`
	// Replicas of each, in the template.
	NumberOfReplicas int `config:"numberofreplicas"`
	// Compress requests with gzip.
	EnableCompression bool `config:"enablecompression"`

	httpx.Settings
}

// Values of Config.Suffix.
const (
	suffixDaily    = "daily"
	suffixMonthly  = "monthly"
	suffixAnnually = "annually"
	suffixNone     = "none"
)

// Defaults gives falcosidekick's.
func Defaults() Config {
	return Config{Index: "falco", Suffix: suffixDaily, NumberOfShards: 3, NumberOfReplicas: 3, Settings: httpx.DefaultSettings()}
}

// Enabled reports whether there is an address.
func (c *Config) Enabled() bool { return c.HostPort != "" }

// Validate returns every problem, joined.
func (c *Config) Validate() error {
	errs := []error{c.Settings.Validate()}
	if _, err := httpx.Address(c.HostPort); err != nil {
		errs = append(errs, problem.At("hostport", "%v", err))
	}
	switch {
	case c.Index == "" || c.Index != strings.ToLower(c.Index) || strings.ContainsAny(c.Index, "\\/*?\"<>| ,#:") || strings.ContainsAny(c.Index[:1], "-_+."):
		errs = append(errs, problem.At("index", "expected a name in lower case that does not begin with - _ + or . and has none of \\ / * ? \" < > | , # : and blanks, got %q", c.Index))
	case len(c.Index) > 200:
		errs = append(errs, problem.At("index", "expected at most 200 bytes, got %d", len(c.Index)))
	}
	if c.Username == "" && !c.Password.IsZero() {
		errs = append(errs, problem.At("password", "username is not set: a password alone does nothing"))
	}
	if c.NumberOfShards < 1 || c.NumberOfShards > 1024 {
		errs = append(errs, problem.At("numberofshards", "expected 1 to 1024, got %d", c.NumberOfShards))
	}
	if c.NumberOfReplicas < 0 || c.NumberOfReplicas > 100 {
		errs = append(errs, problem.At("numberofreplicas", "expected 0 to 100, got %d", c.NumberOfReplicas))
	}
	return errors.Join(errs...)
}

// layout gives the form of the suffix, as package time has it.
func (c *Config) layout() string {
	if c.DataStream {
		return ""
	}
	switch c.Suffix {
	case suffixMonthly:
		return "-2006.01"
	case suffixAnnually:
		return "-2006"
	case suffixNone:
		return ""
	}
	return "-2006.01.02"
}
