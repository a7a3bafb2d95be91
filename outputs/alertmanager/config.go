package alertmanager

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/problem"
)

// Config is falcosidekick's, and what becomes of fields that differ each time.
type Config struct {
	// Addresses of the Alertmanagers, http:// or https://, all of one cluster: each is sent every alert. Setting it switches the output on.
	HostPort []string `config:"hostport"`
	// Path of the API. /api/v1/alerts, which Alertmanager no longer has, is taken for /api/v2/alerts.
	Endpoint string `config:"endpoint"`
	// An alert is resolved so long after it happened: a duration, or seconds. 0 leaves it to Alertmanager's resolve_timeout.
	ExpiresAfter Seconds `config:"expiresafter"`
	// Labels to add to every alert. They win over those of the alert.
	ExtraLabels map[string]string `config:"extralabels"`
	// Annotations to add to every alert.
	ExtraAnnotations map[string]string `config:"extraannotations"`
	// The severity label of a priority, warning:page for example. Others keep theirs: information, warning or critical.
	CustomSeverityMap map[string]string `config:"customseveritymap"`
	// Least priority of an alert about dropped events whose number is above no threshold.
	DropEventDefaultPriority alert.Priority `config:"dropeventdefaultpriority"`
	// Least priority of an alert about more than so many dropped events, number:priority. The highest number that fits counts.
	DropEventThresholds []string `config:"dropeventthresholds"`
	// Fields that become annotations instead of labels, by name, * for any text: they differ each time, so that no two alerts would be the same. Set it to none to make every field a label, as falcosidekick does.
	VolatileFields []string `config:"volatilefields"`

	httpx.Compression
	httpx.Settings
}

const (
	endpointV1 = "/api/v1/alerts"
	endpointV2 = "/api/v2/alerts"
)

// Defaults gives falcosidekick's, with the fields that differ each time kept out of the labels.
func Defaults() Config {
	return Config{
		Endpoint:                 endpointV2,
		DropEventDefaultPriority: alert.Critical,
		DropEventThresholds:      []string{"10000:critical", "1000:critical", "100:critical", "10:warning", "1:warning"},
		VolatileFields: []string{
			"evt.time*", "evt.rawtime*", "evt.datetime*", "evt.reltime*", "evt.outputtime*", "evt.deltatime*", "evt.latency*", "evt.duration*",
			"evt.num", "evt.count*", "*.pid", "*.ppid", "*.vpid", "*.ppid.ts", "*.pid.ts", "*.tid", "*.vtid", "*.sid", "*.pgid", "*.vpgid",
			"*.duration", "fd.num", "fd.cport", "fd.lport", "fd.ino", "shell.seq", "shell.start", "shell.lines", "shell.bytes",
		},
		Settings: httpx.DefaultSettings(),
	}
}

// Enabled reports whether there is an address.
func (c *Config) Enabled() bool { return len(c.HostPort) > 0 }

// Validate returns every problem, joined.
func (c *Config) Validate() error {
	errs := []error{c.Settings.Validate()}
	for _, address := range c.HostPort {
		if _, err := httpx.Address(address); err != nil {
			errs = append(errs, problem.At("hostport", "%v", err))
		}
	}
	if c.Endpoint != "" && !strings.HasPrefix(c.Endpoint, "/") {
		errs = append(errs, problem.At("endpoint", "expected a path that begins with /, got %q", c.Endpoint))
	}
	if c.ExpiresAfter < 0 {
		errs = append(errs, problem.At("expiresafter", "expected 0 or more, got %s", time.Duration(c.ExpiresAfter)))
	}
	errs = append(errs, names("extralabels", c.ExtraLabels), names("extraannotations", c.ExtraAnnotations))
	for _, name := range slices.Sorted(maps.Keys(c.CustomSeverityMap)) {
		if _, err := alert.ParsePriority(name); err != nil {
			errs = append(errs, problem.At("customseveritymap", "%v", err))
		}
	}
	if _, err := c.thresholds(); err != nil {
		errs = append(errs, problem.At("dropeventthresholds", "%v", err))
	}
	for _, pattern := range c.VolatileFields {
		if _, err := path.Match(pattern, ""); err != nil {
			errs = append(errs, problem.At("volatilefields", "expected the name of a field, with * for any text, got %q", pattern))
		}
	}
	return errors.Join(errs...)
}

// labelName is what Prometheus allows as the name of a label.
var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

func names(key string, of map[string]string) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(of)) {
		if !labelName.MatchString(name) {
			errs = append(errs, problem.At(key, "expected a name of letters, digits and _, got %q", name))
		}
	}
	return errors.Join(errs...)
}

// threshold is the least priority of an alert about more than so many dropped events.
type threshold struct {
	above    int64
	priority alert.Priority
}

// thresholds reads DropEventThresholds; the highest number comes first.
func (c *Config) thresholds() ([]threshold, error) {
	var all []threshold
	for _, text := range c.DropEventThresholds {
		number, name, ok := strings.Cut(strings.ReplaceAll(text, " ", ""), ":")
		above, err := strconv.ParseInt(number, 10, 64)
		if !ok || err != nil || above < 0 {
			return nil, fmt.Errorf("expected number:priority, 100:critical for example, got %q", text)
		}
		priority, err := alert.ParsePriority(name)
		if err != nil {
			return nil, err
		}
		all = append(all, threshold{above, priority})
	}
	slices.SortFunc(all, func(a, b threshold) int { return int(min(max(b.above-a.above, -1), 1)) })
	return all, nil
}

// severities gives the severity label of each priority.
func (c *Config) severities() map[alert.Priority]string {
	all := make(map[alert.Priority]string)
	for _, p := range alert.Priorities() {
		switch {
		case p <= alert.Notice:
			all[p] = "information"
		case p <= alert.Error:
			all[p] = "warning"
		default:
			all[p] = "critical"
		}
	}
	for name, severity := range c.CustomSeverityMap {
		if p, err := alert.ParsePriority(name); err == nil {
			all[p] = severity
		}
	}
	return all
}

// urls are the addresses that alerts are sent to.
func (c *Config) urls() []string {
	endpoint := c.Endpoint
	if endpoint == "" || endpoint == endpointV1 {
		endpoint = endpointV2
	}
	var all []string
	for _, address := range c.HostPort {
		all = append(all, strings.TrimRight(address, "/")+endpoint)
	}
	return all
}

// Seconds is a duration that may be written as a number of seconds.
type Seconds time.Duration

// MarshalText writes it as Go writes durations.
func (s Seconds) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }

// UnmarshalText reads a number of seconds, or a duration with its unit.
func (s *Seconds) UnmarshalText(text []byte) error {
	if n, err := strconv.ParseInt(string(text), 10, 32); err == nil {
		*s = Seconds(time.Duration(n) * time.Second)
		return nil
	}
	d, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("expected a number of seconds or a duration, 3600 or 1h for example, got %q", text)
	}
	*s = Seconds(d)
	return nil
}
