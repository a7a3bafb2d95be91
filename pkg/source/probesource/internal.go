package probesource

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/rules/format"
	"github.com/tiercel/tiercel/probe"
)

// The rules of the alerts that the source makes of itself.
const (
	ruleStarted  = "Tiercel internal: probe started"
	ruleStopped  = "Tiercel internal: probe stopped"
	ruleLost     = "Tiercel internal: events lost"
	ruleOverload = "Tiercel internal: alerts lost"
	ruleReloaded = "Tiercel internal: rules reloaded"
	ruleRefused  = "Tiercel internal: rules not reloaded"
)

// sourceInternal is the source of those alerts, as Falco calls it.
const sourceInternal = "internal"

// say makes an alert of the source itself. message is a sentence; fields go into output_fields.
func (s *Source) say(rule string, priority alert.Priority, message string, fields ...alert.Field) {
	now := s.rules.Load()
	if !s.config.Internal || priority < now.config.MinimumPriority {
		return
	}
	at := time.Now().UTC()
	layout, shown, timeField := format.LayoutTime, at.In(time.Local), "evt.time"
	if now.printer.ISO8601 {
		layout, shown, timeField = format.LayoutISO, at, "evt.time.iso8601"
	}
	a := &alert.Alert{
		Time: at, Priority: priority, Rule: rule, Source: sourceInternal, Hostname: s.config.Hostname,
		Output: shown.Format(layout) + ": " + priority.String() + " " + message,
		Fields: alert.FieldsOf(append(fields, alert.Field{Name: timeField, Value: format.Nanoseconds(at)})...),
	}
	s.enqueue(a)
}

func number[T int | int64 | uint64](name string, n T) alert.Field {
	return alert.Field{Name: name, Value: alert.Value(fmt.Sprint(n))}
}

func text(name, value string) alert.Field {
	return alert.Field{Name: name, Value: alert.String(value)}
}

func (s *Source) started() {
	s.deps.Health.Up()
	now := s.rules.Load()
	calls := s.syscalls(now)
	s.deps.Log.Info("watching this machine", "rules", len(now.Rules()), "syscalls", len(calls))
	s.say(ruleStarted, alert.Informational,
		fmt.Sprintf("The probe watches this machine | rules=%d syscalls=%d", len(now.Rules()), len(calls)),
		number("rules", len(now.Rules())), number("syscalls", len(calls)))
}

func (s *Source) stopped(err error) {
	s.ended.Store(time.Now().UnixNano())
	s.sayLosses(time.Time{})
	if err != nil {
		s.say(ruleStopped, alert.Error, "The probe stopped, nothing is watched any more | error="+err.Error(), text("error", err.Error()))
		return
	}
	s.say(ruleStopped, alert.Notice, "The probe stopped: from here on this machine is not watched")
}

// losses gathers what is missing, so that a flood of losses does not become a flood of alerts.
type losses struct {
	mu     sync.Mutex
	said   time.Time
	events map[lossKey]*gap
	alerts gap
}

type lossKey struct {
	kind  probe.Kind
	cause probe.Cause
}

// gap is a number of things that are missing, and the times of the first and the last.
type gap struct {
	count       uint64
	first, last time.Time
}

func (g *gap) add(n uint64, first, last time.Time) {
	if g.count == 0 || first.Before(g.first) {
		g.first = first
	}
	if last.After(g.last) {
		g.last = last
	}
	g.count += n
}

// lossEvery is how often losses are said at most.
const lossEvery = 2 * time.Second

// add takes note of lost events. boot is when the machine was started, in nanoseconds since 1970.
func (l *losses) add(lost *probe.Lost, boot int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.events == nil {
		l.events = make(map[lossKey]*gap)
	}
	key := lossKey{lost.Kind, lost.Cause}
	if l.events[key] == nil {
		l.events[key] = &gap{}
	}
	at := func(ns uint64) time.Time { return time.Unix(0, boot+int64(ns)).UTC() } //nolint:gosec // nanoseconds
	l.events[key].add(lost.Count, at(lost.First), at(lost.Last))
}

// overrun takes note of an alert that did not fit into the queue.
func (l *losses) overrun(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alerts.add(1, at, at)
}

// take gives what was gathered, unless something was said a moment ago. The zero time is always late enough.
func (l *losses) take(now time.Time) (map[lossKey]*gap, gap) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.events) == 0 && l.alerts.count == 0 || !now.IsZero() && now.Sub(l.said) < lossEvery {
		return nil, gap{}
	}
	events, alerts := l.events, l.alerts
	l.events, l.alerts, l.said = nil, gap{}, now
	return events, alerts
}

// sayLosses makes alerts of what is missing.
func (s *Source) sayLosses(now time.Time) {
	events, alerts := s.losses.take(now)
	keys := make([]lossKey, 0, len(events))
	for key := range events {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b lossKey) int { return int(a.kind)*256 + int(a.cause) - int(b.kind)*256 - int(b.cause) })
	for _, key := range keys {
		g, kind := events[key], key.kind.String()
		s.deps.Log.Warn("events of the kernel were lost", "kind", kind, "cause", key.cause.String(), "events", g.count)
		s.say(ruleLost, alert.Warning,
			fmt.Sprintf("%d events of the kernel were lost | kind=%s cause=%s from=%s to=%s", g.count, kind, key.cause, stamp(g.first), stamp(g.last)),
			append(g.fields(), text("kind", kind), text("cause", key.cause.String()))...)
	}
	if alerts.count > 0 {
		s.deps.Log.Warn("alerts of the probe were lost: more matched than the journal took", "alerts", alerts.count)
		s.say(ruleOverload, alert.Warning,
			fmt.Sprintf("%d alerts were lost: more events matched rules than the journal took | from=%s to=%s",
				alerts.count, stamp(alerts.first), stamp(alerts.last)), alerts.fields()...)
	}
}

func (g *gap) fields() []alert.Field {
	return []alert.Field{
		{Name: "lost", Value: alert.Value(strconv.FormatUint(g.count, 10))},
		text("first", stamp(g.first)), text("last", stamp(g.last)),
	}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000000Z") }
