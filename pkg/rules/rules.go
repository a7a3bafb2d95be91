// Package rules tests events with Falco's rules and makes alerts of those that match.
//
// Files are read by package load, which gives [load.Rule]s; [Compile] makes a [Set] of those that are enabled; a Set
// is asked with [Set.Match] for every event, and [Set.Alert] makes the alert. Nothing here reads a clock or a file.
package rules

import (
	"cmp"
	"maps"
	"slices"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/rules/eval"
	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/pkg/rules/load"
)

// Event is what rules are tested with; see [eval.Event].
type Event = eval.Event

// Rule is a rule that was loaded.
type Rule = load.Rule

// Options say which rules count, and how.
type Options struct {
	Select   []Selection    // in order; later ones win
	Minimum  alert.Priority // rules below are left out
	MatchAll bool           // report every rule that matches an event, not the first only
}

// Set is a number of rules, ready for events. It never changes, and may be used by any number of goroutines.
type Set struct {
	rules    []*Rule
	byType   [event.Count][]candidate
	matchAll bool
	types    event.Set
}

// candidate is a rule that can match events of one type. Its test takes the type for granted.
type candidate struct {
	test eval.Test
	rule *Rule
}

// Compile makes a set of the enabled rules. Within the events of a type, rules are tested in their order.
func Compile(all []*Rule, options Options) *Set {
	s := &Set{matchAll: options.MatchAll}
	for _, r := range all {
		if !decide(options.Select, r, r.Enabled) || r.Priority < options.Minimum {
			continue
		}
		s.rules = append(s.rules, r)
		for t := range r.Condition.Types.All() {
			test := r.Condition.For(t)
			if test == nil {
				continue
			}
			s.byType[t] = append(s.byType[t], candidate{test, r})
			s.types.Add(t)
		}
	}
	return s
}

// Match appends the rules that match an event: the first, or all of them. Where dst has room it allocates nothing.
func (s *Set) Match(dst []*Rule, ev Event) []*Rule {
	t := ev.Type()
	if int(t) >= len(s.byType) {
		return dst
	}
	for i := range s.byType[t] {
		c := &s.byType[t][i]
		if !c.test(ev) {
			continue
		}
		dst = append(dst, c.rule)
		if !s.matchAll {
			break
		}
	}
	return dst
}

// Rules are the rules of the set, in their order.
func (s *Set) Rules() []*Rule { return s.rules }

// Types are the event types that some rule can match: no others need to be made.
func (s *Set) Types() event.Set { return s.types }

// Fields are the fields that conditions and outputs name, each with the arguments it is named with, sorted.
func (s *Set) Fields() []field.Ref {
	refs := map[string]field.Ref{}
	for _, r := range s.rules {
		for _, ref := range r.Condition.Refs {
			refs[ref.Text] = ref
		}
		for _, ref := range r.Format.Refs() {
			refs[ref.Text] = ref
		}
		for _, f := range r.Fields {
			if f.Ref != nil {
				refs[f.Ref.Text] = *f.Ref
			} else {
				for _, ref := range f.Format.Refs() {
					refs[ref.Text] = ref
				}
			}
		}
	}
	return slices.SortedFunc(maps.Values(refs), func(a, b field.Ref) int { return cmp.Compare(a.Text, b.Text) })
}

// Hosts are the host names in conditions, whose addresses [eval.Names] must know, sorted.
func (s *Set) Hosts() []string {
	hosts := map[string]struct{}{}
	for _, r := range s.rules {
		for _, host := range r.Condition.Hosts {
			hosts[host] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(hosts))
}
