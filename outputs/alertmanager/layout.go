package alertmanager

import (
	"maps"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
)

// posting is one alert in the form of Alertmanager's API, version 2: postableAlert of its OpenAPI description.
type posting struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    string            `json:"startsAt"`
	EndsAt      string            `json:"endsAt,omitempty"`
}

const (
	maxLabel      = 1024    // bytes of a label's value
	maxAnnotation = 8 << 10 // bytes of an annotation's
	more          = " [...]"
)

// layout says what an alert becomes.
type layout struct {
	severities  map[alert.Priority]string
	labels      map[string]string
	annotations map[string]string
	volatile    []string
	thresholds  []threshold
	dropDefault alert.Priority
	expires     time.Duration
}

func newLayout(c *Config) (*layout, error) {
	thresholds, err := c.thresholds()
	if err != nil {
		return nil, err
	}
	l := &layout{
		severities: c.severities(), labels: c.ExtraLabels, annotations: c.ExtraAnnotations, thresholds: thresholds,
		dropDefault: c.DropEventDefaultPriority, expires: time.Duration(c.ExpiresAfter),
	}
	for _, pattern := range c.VolatileFields {
		if pattern != "none" {
			l.volatile = append(l.volatile, pattern)
		}
	}
	return l, nil
}

// posting makes an alert's. now is the time of sending.
func (l *layout) posting(a *alert.Alert, now time.Time) posting {
	p := posting{Labels: make(map[string]string, 24), Annotations: make(map[string]string, 12)}
	priority := a.Priority
	for name, value := range a.Fields.All() {
		safe := safeName(name)
		kind := value.Kind()
		if safe == "" || kind != '"' && kind != '0' || strings.HasPrefix(name, "n_evts") {
			continue
		}
		text := value.Text()
		if strings.HasPrefix(name, "n_drop") {
			text, priority = l.drops(text, priority)
		}
		switch {
		case text == "":
		case l.isVolatile(name, text):
			p.Annotations[safe] = cut(text, maxAnnotation)
		default:
			p.Labels[safe] = cut(text, maxLabel)
		}
	}
	set := func(name, value string) {
		if value != "" {
			p.Labels[name] = cut(value, maxLabel)
		}
	}
	set("source", "falco")
	set("rule", a.Rule)
	set("alertname", a.Rule)
	set("eventsource", a.Source)
	set("hostname", a.Hostname)
	set("tags", strings.Join(a.Tags, ","))
	set("priority", priority.String())
	set("severity", l.severities[priority])
	maps.Copy(p.Labels, l.labels)
	p.Annotations["info"] = cut(a.Output, maxAnnotation)
	p.Annotations["description"] = p.Annotations["info"]
	p.Annotations["summary"] = cut(a.Rule, maxAnnotation)
	p.Annotations["uuid"] = a.ID.String()
	maps.Copy(p.Annotations, l.annotations)
	l.times(&p, a, now)
	return p
}

// times sets when the alert began and when it is resolved. A clock that is ahead would begin it after its end, which
// Alertmanager refuses. One that was late on its way is resolved so long after it was sent: one that came in resolved
// would notify nobody.
func (l *layout) times(p *posting, a *alert.Alert, now time.Time) {
	start := a.Time
	if start.After(now) {
		start = now
	}
	p.StartsAt = start.UTC().Format(time.RFC3339Nano)
	if l.expires <= 0 {
		return
	}
	end := start.Add(l.expires)
	if !end.After(now) {
		end = now.Add(l.expires)
	}
	p.EndsAt = end.UTC().Format(time.RFC3339Nano)
}

// drops gives the label of a number of dropped events, so that numbers that differ a little do not make two alerts, and
// the priority that the alert has at least.
func (l *layout) drops(text string, priority alert.Priority) (string, alert.Priority) {
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		return text, priority
	case n == 0:
		return "0", max(priority, alert.Warning)
	}
	for _, t := range l.thresholds {
		if n > t.above {
			return ">" + strconv.FormatInt(t.above, 10), max(priority, t.priority)
		}
	}
	return text, max(priority, l.dropDefault)
}

// isVolatile reports whether a field differs each time. The name of a descriptor does where it is a connection, not
// where it is a file.
func (l *layout) isVolatile(name, text string) bool {
	if name == "fd.name" && len(l.volatile) > 0 && strings.Contains(text, "->") {
		return true
	}
	for _, pattern := range l.volatile {
		if ok, err := path.Match(pattern, name); ok && err == nil {
			return true
		}
	}
	return false
}

// safeName makes a label's name of a field's, as falcosidekick does: what is no letter, digit or _ becomes _, several of
// them one, none at the ends. A digit in front gets a _, since Prometheus takes none there.
func safeName(name string) string {
	var b strings.Builder
	under := true // nothing but what is left out so far
	for i := range len(name) {
		c := name[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			b.WriteByte(c)
			under = false
		} else if !under {
			b.WriteByte('_')
			under = true
		}
	}
	safe := strings.TrimSuffix(b.String(), "_")
	if safe != "" && safe[0] >= '0' && safe[0] <= '9' {
		return "_" + safe
	}
	return safe
}

// cut shortens text to at most so many bytes of whole characters.
func cut(text string, most int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-len(more)], "") + more
}
