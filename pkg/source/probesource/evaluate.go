package probesource

import (
	"strings"
	"time"

	"github.com/tiercel/tiercel/pkg/container"
	"github.com/tiercel/tiercel/pkg/proctree"
	"github.com/tiercel/tiercel/pkg/rules"
	"github.com/tiercel/tiercel/pkg/rules/eval"
	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/probe"
)

// handle takes an event of the probe.
func (s *Source) handle(ev *probe.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.number = ev.Seq
	process := s.tree.Apply(ev)
	if s.deps.Accounts != nil && process != nil {
		s.deps.Accounts.Learn(process.Container(), ev.Task.Key)
	}
	if s.sessions != nil {
		s.sessions.Event(ev, process)
	}
	if ev.Kind == probe.KindLost {
		s.lost(ev)
		return
	}
	if !s.event.Set(ev, process) {
		return
	}
	now := s.rules.Load()
	if !now.types.Has(s.event.Type()) {
		return
	}
	in := s.event.Container()
	if s.excluded(in) {
		return
	}
	s.metrics.evaluated.Inc()
	if in.IsHost() || !s.pending(in) {
		s.test(now)
		return
	}
	if now.asks.Has(s.event.Type()) && s.later(now, s.event, in) {
		return
	}
	s.test(now)
}

// test tests the rules with the event of the probe. A file that was opened through a link has two names: the one that
// was asked for, as Falco shows it, and the one where the kernel found it. Neither is to be a way around a rule.
func (s *Source) test(now *current) {
	s.matched = now.Match(s.matched[:0], s.event)
	if len(s.matched) == 0 && s.event.Elsewhere() {
		s.event.Resolve()
		s.matched = now.Match(s.matched, s.event)
	}
	if len(s.matched) > 0 {
		s.make(now, s.matched, s.event, s.event.Container())
	}
}

// emit tests the rules with an event of a session.
func (s *Source) emit(ev eval.Event, process *proctree.Process) {
	now := s.rules.Load()
	if !now.types.Has(ev.Type()) {
		return
	}
	var in container.Ref
	if process != nil {
		in = process.Container()
	}
	if s.excluded(in) {
		return
	}
	s.metrics.evaluated.Inc()
	if !in.IsHost() && now.asks.Has(ev.Type()) && s.pending(in) && s.later(now, ev, in) {
		return
	}
	if s.matched = now.Match(s.matched[:0], ev); len(s.matched) > 0 {
		s.make(now, s.matched, ev, in)
	}
}

// make makes the alerts of rules that matched. In a container of which nothing is known yet they wait a little.
func (s *Source) make(now *current, matched []*rules.Rule, ev eval.Event, in container.Ref) {
	s.metrics.matched.Add(float64(len(matched)))
	if !in.IsHost() && s.pending(in) {
		var refs []field.Ref
		for _, r := range matched {
			refs = append(refs, outputFields(r)...)
		}
		if s.late.add(lateEvent{event: s.node.Freeze(ev, in, refs), rules: matched, now: now}) {
			return
		}
	}
	for _, r := range matched {
		s.enqueue(now.printer.Alert(r, ev))
	}
}

// later keeps an event until something is known of its container. It is false when too many wait already.
func (s *Source) later(now *current, ev eval.Event, in container.Ref) bool {
	if !s.late.room() {
		return false
	}
	s.metrics.deferred.Inc()
	waits := lateEvent{event: s.node.Freeze(ev, in, now.fields), now: now}
	if ev == eval.Event(s.event) && s.event.Elsewhere() {
		s.event.Resolve()
		waits.other = s.node.Freeze(ev, in, now.fields)
	}
	return s.late.add(waits)
}

// pending reports whether a container's runtime is still to answer, or its password file to be read.
func (s *Source) pending(in container.Ref) bool {
	switch {
	case s.config.ContainerWait == 0:
		return false
	case s.deps.Accounts != nil && !s.deps.Accounts.Settled(in):
		return true
	case s.deps.Containers == nil:
		return false
	}
	_, settled := s.deps.Containers.Get(in)
	return !settled
}

// excluded reports whether rules are not to see a container.
func (s *Source) excluded(in container.Ref) bool {
	if len(s.config.Exclude.Containers) == 0 || in.IsHost() {
		return false
	}
	for _, pattern := range s.config.Exclude.Containers {
		if strings.HasPrefix(in.ID, pattern) {
			return true
		}
		if s.deps.Containers == nil {
			continue
		}
		if info, _ := s.deps.Containers.Get(in); info != nil && (rules.Wildcard(pattern, info.Name) || rules.Wildcard(pattern, info.Image.Name)) {
			return true
		}
	}
	return false
}

// baseOf gives the fields of a process for an event that is none of the probe's.
func (s *Source) baseOf(process *proctree.Process, wall int64) eval.Event {
	s.base.SetProcess(process, s.number, wall)
	return s.base
}

// outputFields are the fields that the alerts of a rule show.
func outputFields(r *rules.Rule) []field.Ref {
	refs := r.Format.Refs()
	for _, f := range r.Fields {
		if f.Ref != nil {
			refs = append(refs, *f.Ref)
			continue
		}
		refs = append(refs, f.Format.Refs()...)
	}
	return refs
}

// asking are the event types for which some condition asks what only a container's runtime can say.
func asking(all []*rules.Rule, metadata func(field.ID) bool) event.Set {
	var types event.Set
	for _, r := range all {
		for _, ref := range r.Condition.Refs {
			if metadata(ref.ID) {
				types = types.Or(r.Condition.Types)
				break
			}
		}
	}
	return types
}

// sweepEvery bounds how often the table of processes is compared with /proc after events were lost.
const sweepEvery = 10 * time.Second

// lost takes note of events that the kernel could not hand over.
func (s *Source) lost(ev *probe.Event) {
	s.losses.add(ev.Lost, ev.Wall-int64(ev.Boot)) //nolint:gosec // nanoseconds
	if now := time.Now(); now.Sub(s.swept) >= sweepEvery {
		s.swept = now
		s.tree.Sweep(ev.Boot, alive)
	}
}
