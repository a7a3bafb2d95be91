package telemetry

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/problem"
)

// EventsConfig is which labels the counter of alerts has, and how many series it may have.
type EventsConfig struct {
	// Fields of output_fields to use as labels of falcosecurity_falcosidekick_falco_events_total too, separated by commas; proc.name becomes proc_name.
	ExtraLabels string `config:"extralabels"`
	// Most series of that metric. Further ones are counted with the label values _other. 0 counts all so.
	MaxSeries int `config:"maxseries"`
}

// DefaultEvents gives no extra labels and 2000 series.
func DefaultEvents() EventsConfig { return EventsConfig{MaxSeries: 2000} }

// Validate returns every problem, joined.
func (c *EventsConfig) Validate() error {
	_, err := c.extra()
	if c.MaxSeries < 0 || c.MaxSeries > 1_000_000 {
		err = errors.Join(err, problem.At("maxseries", "expected 0 to 1000000, got %d", c.MaxSeries))
	}
	return err
}

// builtIn are the labels that the counter of alerts always has, as falcosidekick's.
var builtIn = []string{"hostname", "rule", "priority", "priority_raw", "source", "k8s_ns_name", "k8s_pod_name"}

// labelPattern is what Prometheus takes as the name of a label; names with __ at the beginning are its own.
var labelPattern = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// extraLabel is a member of output_fields and the label that it becomes.
type extraLabel struct{ field, label string }

// extra reads ExtraLabels.
func (c *EventsConfig) extra() ([]extraLabel, error) {
	var (
		all   []extraLabel
		errs  []error
		taken = slices.Clone(builtIn)
	)
	for field := range strings.SplitSeq(c.ExtraLabels, ",") {
		field = strings.TrimSpace(field)
		if field == "" {
			continue
		}
		l := labelOf(field)
		switch {
		case !labelPattern.MatchString(l.label) || strings.HasPrefix(l.label, "__"):
			errs = append(errs, problem.At("extralabels", "%q makes no label: expected letters, digits, _ and .", field))
		case slices.Contains(taken, l.label):
			errs = append(errs, problem.At("extralabels", "%q makes the label %s, which is there already", field, l.label))
		default:
			taken = append(taken, l.label)
			all = append(all, l)
		}
	}
	return all, errors.Join(errs...)
}

func labelOf(field string) extraLabel {
	return extraLabel{field, strings.ReplaceAll(field, ".", "_")}
}

const (
	other       = "_other" // stands for the label values beyond MaxSeries
	maxLabel    = 128      // bytes of a label's value
	maxSources  = 32       // sources that keep their name beyond MaxSeries
	endOfLabel  = 0xff     // between two values of a key: occurs in no valid UTF-8
	unknownHost = "unknown"
)

// Events counts alerts as falcosidekick does: falcosecurity_falcosidekick_falco_events_total by host, rule, priority,
// source, namespace, pod and the configured fields. It is bounded: after MaxSeries distinct series further ones are
// counted with _other as host, rule, namespace, pod and field, which adds at most 8 x 33 series. Use it from any
// goroutine.
type Events struct {
	total   *prometheus.CounterVec
	limited prometheus.Counter
	extra   []extraLabel
	max     int

	mu      sync.RWMutex
	series  map[string]prometheus.Counter // by the values of all labels, see appendKey
	first   int                           // how many of series have their own labels
	sources map[string]struct{}           // the first maxSources ones, which keep their name beyond max
}

// NewEvents makes the counter and registers it. fields are names of output_fields that become labels too, as those of
// cfg.ExtraLabels do: falcosidekick takes its customfields and templatedfields. One that makes no label, or one that
// is there already, is left out.
func NewEvents(reg prometheus.Registerer, cfg EventsConfig, fields ...string) (*Events, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	extra, _ := cfg.extra()
	names := slices.Clone(builtIn)
	for _, l := range extra {
		names = append(names, l.label)
	}
	for _, field := range slices.Sorted(slices.Values(fields)) {
		l := labelOf(field)
		if !labelPattern.MatchString(l.label) || strings.HasPrefix(l.label, "__") || slices.Contains(names, l.label) {
			continue
		}
		extra, names = append(extra, l), append(names, l.label)
	}
	e := &Events{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "falcosecurity_falcosidekick_falco_events_total",
			Help: "Alerts accepted, by what they are about. A series exists from its first alert on.",
		}, names),
		limited: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tiercel_metrics_series_limited_total",
			Help: "Alerts counted with the label values _other, because prometheus.maxseries was reached.",
		}),
		extra:   extra,
		max:     cfg.MaxSeries,
		series:  make(map[string]prometheus.Counter),
		sources: make(map[string]struct{}),
	}
	for _, c := range []prometheus.Collector{e.total, e.limited} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register the counter of alerts: %w", err)
		}
	}
	return e, nil
}

// Count counts an alert.
func (e *Events) Count(a *alert.Alert) {
	var room [768]byte // holds most keys, so that they need no allocation
	key := e.appendKey(room[:0], a)

	e.mu.RLock()
	counter, ok := e.series[string(key)]
	full := !ok && e.first >= e.max
	if full {
		_, known := e.sources[clean(a.Source)]
		if known || len(e.sources) >= maxSources {
			key = e.appendOtherKey(key[:0], a, known)
			counter, ok = e.series[string(key)]
		}
	}
	e.mu.RUnlock()

	if !ok {
		counter, full = e.add(a)
	}
	counter.Inc()
	if full {
		e.limited.Inc()
	}
}

// add makes the series of an alert that has none yet, and reports whether it is one of _other.
func (e *Events) add(a *alert.Alert) (counter prometheus.Counter, full bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := e.appendKey(nil, a)
	if counter, ok := e.series[string(key)]; ok {
		return counter, false
	}
	_, known := e.sources[clean(a.Source)]
	if !known && len(e.sources) < maxSources {
		e.sources[strings.Clone(clean(a.Source))] = struct{}{}
		known = true
	}
	if full = e.first >= e.max; full {
		key = e.appendOtherKey(nil, a, known)
		if counter, ok := e.series[string(key)]; ok {
			return counter, true
		}
	} else {
		e.first++
	}
	// The values are cut out of a copy of the key: those of the alert would keep its whole body in memory.
	text := string(key)
	counter = e.total.WithLabelValues(e.values(text)...)
	e.series[text] = counter
	return counter, full
}

// appendKey appends the values of all labels in the order of their names, each followed by endOfLabel. The two labels
// of the priority are one byte.
func (e *Events) appendKey(dst []byte, a *alert.Alert) []byte {
	var namespace, pod string
	found := make([]string, 0, 8) // stays on the stack
	for range e.extra {
		found = append(found, "")
	}
	for name, value := range a.Fields.All() {
		switch name {
		case "k8s.ns.name":
			namespace = value.Text()
		case "k8s_ns_name":
			if namespace == "" {
				namespace = value.Text()
			}
		case "k8s.pod.name":
			pod = value.Text()
		case "k8s_pod_name":
			if pod == "" {
				pod = value.Text()
			}
		}
		for i := range e.extra {
			if e.extra[i].field == name {
				found[i] = value.Text()
			}
		}
	}
	host := a.Hostname
	if host == "" {
		host = unknownHost
	}
	dst = appendValue(dst, host)
	dst = appendValue(dst, a.Rule)
	dst = appendPriority(dst, a.Priority)
	dst = appendValue(dst, a.Source)
	dst = appendValue(dst, namespace)
	dst = appendValue(dst, pod)
	for _, value := range found {
		dst = appendValue(dst, value)
	}
	return dst
}

// appendOtherKey is appendKey for the alerts beyond MaxSeries.
func (e *Events) appendOtherKey(dst []byte, a *alert.Alert, keepSource bool) []byte {
	source := other
	if keepSource {
		source = a.Source
	}
	dst = appendValue(dst, other)
	dst = appendValue(dst, other)
	dst = appendPriority(dst, a.Priority)
	dst = appendValue(dst, source)
	dst = appendValue(dst, other)
	dst = appendValue(dst, other)
	for range e.extra {
		dst = appendValue(dst, other)
	}
	return dst
}

// values are the values of all labels, in the order of their names, that key was made of.
func (e *Events) values(key string) []string {
	values := make([]string, 0, len(builtIn)+len(e.extra))
	for len(key) > 0 {
		end := strings.IndexByte(key, endOfLabel)
		value := key[:end]
		key = key[end+1:]
		if len(values) == 2 { // the priority
			p := alert.Priority(value[0])
			values = append(values, strconv.Itoa(int(p)+1), strings.ToLower(p.String()))
			continue
		}
		values = append(values, value)
	}
	return values
}

func appendValue(dst []byte, value string) []byte {
	return append(append(dst, clean(value)...), endOfLabel)
}

func appendPriority(dst []byte, p alert.Priority) []byte {
	return append(dst, byte(min(p, alert.Emergency)), endOfLabel)
}

// clean makes value fit for a label: valid UTF-8 of at most 128 bytes, cut between two runes.
func clean(value string) string {
	if len(value) > maxLabel {
		end := maxLabel
		for end > maxLabel-utf8.UTFMax && !utf8.RuneStart(value[end]) {
			end--
		}
		value = value[:end]
	}
	if utf8.ValidString(value) {
		return value
	}
	value = strings.ToValidUTF8(value, "\uFFFD")
	if len(value) > maxLabel { // U+FFFD takes three bytes, what it stands for may have been one
		return clean(value)
	}
	return value
}
