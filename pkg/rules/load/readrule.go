package load

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tiercel/tiercel/pkg/rules/event"
)

var ruleKeys = map[string]bool{
	"rule": true, "condition": true, "output": true, "desc": true, "priority": true, "source": true, "enabled": true,
	"tags": true, "exceptions": true, "warn_evttypes": true, "skip-if-unknown-filter": true, "capture": true,
	"capture_duration": true, "capture_events": true, "capture_filesize": true, "override": true, "append": true,
}

var ruleAppend = map[string]bool{"condition": true, "output": true, "desc": true, "tags": true, "exceptions": true}

var ruleReplace = map[string]bool{
	"condition": true, "output": true, "desc": true, "tags": true, "exceptions": true, "priority": true, "enabled": true,
	"warn_evttypes": true, "skip-if-unknown-filter": true, "capture": true, "capture_duration": true,
	"capture_events": true, "capture_filesize": true,
}

func (r *reader) rule(n *yaml.Node) error {
	name, err := r.needed(n, "rule", r.in(r.root, itemRule, "", n))
	if err != nil {
		return err
	}
	at := r.in(r.root, itemRule, name, n)
	r.unknownKeys(n, at, ruleKeys)
	legacy, err := r.legacyAppend(n, at)
	if err != nil {
		return err
	}
	o, err := r.overrides(n, at, ruleAppend, ruleReplace)
	if err != nil {
		return err
	}
	switch {
	case legacy && o.any():
		return fail(ErrYAMLValidate, at, textBoth)
	case o.any():
		return r.override(n, name, at, o)
	case legacy:
		return r.appendRule(n, name, at)
	case !slices.ContainsFunc([]string{"condition", "output", "desc", "priority"}, func(key string) bool { return member(n, key) != nil }):
		enabled, err := r.truth(n, "enabled", at, false)
		if err != nil {
			return err
		}
		r.result.warn(WarnDeprecatedItem, at, textEnabled)
		return r.loader.enable(name, *enabled, at)
	}
	return r.define(n, name, at)
}

// define reads a whole rule.
func (r *reader) define(n *yaml.Node, name string, at place) (err error) {
	v := &rule{name: name, at: at, source: event.Syscall.String(), enabled: true, warnEventTypes: true}
	if v.condition, err = r.needed(n, "condition", at); err != nil {
		return err
	}
	v.conditionAt = r.in(at, itemRuleCond, "", member(n, "condition"))
	if v.output, err = r.needed(n, "output", at); err != nil {
		return err
	}
	v.output = strings.TrimSpace(v.output)
	v.outputAt = r.in(at, itemRuleOutput, "", member(n, "output"))
	if v.desc, err = r.needed(n, "desc", at); err != nil {
		return err
	}
	if v.priority, err = r.priority(n, at); err != nil {
		return err
	}
	if source, ok, err := r.scalar(n, "source", at, true); err != nil {
		return err
	} else if ok {
		v.source = source
	}
	for key, to := range map[string]*bool{
		"enabled": &v.enabled, "warn_evttypes": &v.warnEventTypes, "skip-if-unknown-filter": &v.skipUnknown, "capture": &v.capture,
	} {
		value, err := r.truth(n, key, at, true)
		if err != nil {
			return err
		}
		if value != nil {
			*to = *value
		}
	}
	duration, err := r.integer(n, "capture_duration", at, true)
	if err != nil {
		return err
	}
	if duration != nil {
		v.captureDuration = *duration
	}
	tags, err := r.texts(n, "tags", at, true)
	if err != nil {
		return err
	}
	v.tags = tagSet(tags)
	if v.exceptions, err = r.exceptions(n, at, false); err != nil {
		return err
	}
	return r.loader.defineRule(v, r.result)
}

func tagSet(tags []string) map[string]struct{} {
	set := make(map[string]struct{}, len(tags))
	for _, tag := range tags {
		set[tag] = struct{}{}
	}
	return set
}

// appendRule reads what "append: true" adds to a rule.
func (r *reader) appendRule(n *yaml.Node, name string, at place) error {
	u := &update{name: name, at: at}
	source, err := r.source(n, at)
	if err != nil {
		return err
	}
	if err := r.updateKeys(n, u, map[string]bool{
		"condition": member(n, "condition") != nil, "exceptions": member(n, "exceptions") != nil,
	}, true); err != nil {
		return err
	}
	return r.loader.appendRule(u, source)
}

// source reads the source that an update names, which must be the rule's own.
func (r *reader) source(n *yaml.Node, at place) (string, error) {
	source, _, err := r.scalar(n, "source", at, true)
	return source, err
}

// override reads an object with "override".
func (r *reader) override(n *yaml.Node, name string, at place, o overrides) error {
	source, err := r.source(n, at)
	if err != nil {
		return err
	}
	expected := map[string]bool{}
	for key := range ruleReplace {
		if member(n, key) != nil {
			expected[key] = true
		}
	}
	for _, step := range []struct {
		how  string
		keys map[string]bool
		do   func(*update, string) error
	}{{"append", o.append, r.loader.appendRule}, {"replace", o.replace, r.loader.replaceRule}} {
		if len(step.keys) == 0 {
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(step.keys)) {
			if !expected[key] {
				return fail(ErrYAMLValidate, at, "override: %s of '%s' was specified but '%s' is not defined: "+
					"add the key, or remove it from 'override'", step.how, key, key)
			}
		}
		u := &update{name: name, at: at}
		if err := r.updateKeys(n, u, step.keys, step.how == "append"); err != nil {
			return err
		}
		if err := step.do(u, source); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(expected)) {
		if !o.append[key] && !o.replace[key] {
			return fail(ErrYAMLValidate, r.in(at, itemOverrides, key, member(n, key)),
				"'override' does not say what becomes of '%s': add '%s: replace' to it, or remove the key here", key, key)
		}
	}
	return nil
}

// updateKeys reads the named keys of an object into u.
func (r *reader) updateKeys(n *yaml.Node, u *update, keys map[string]bool, adds bool) (err error) {
	at := u.at
	texts := map[string]**string{"condition": &u.condition, "output": &u.output, "desc": &u.desc}
	truths := map[string]**bool{
		"enabled": &u.enabled, "warn_evttypes": &u.warnEventTypes, "skip-if-unknown-filter": &u.skipUnknown, "capture": &u.capture,
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !keys[key] {
			continue
		}
		if to, ok := texts[key]; ok {
			text, err := r.needed(n, key, at)
			if err != nil {
				return err
			}
			*to = &text
			switch key {
			case "condition":
				u.conditionAt = r.in(at, itemRuleCond, "", member(n, key))
			case "output":
				u.outputAt = r.in(at, itemRuleOutput, "", member(n, key))
			}
			continue
		}
		if to, ok := truths[key]; ok {
			if *to, err = r.truth(n, key, at, false); err != nil {
				return err
			}
			continue
		}
		switch key {
		case "capture_duration":
			if u.captureDuration, err = r.integer(n, key, at, false); err != nil {
				return err
			}
		case "capture_events", "capture_filesize":
			// Limits of recordings, which we do not make. They count as a change.
			if u.captureDuration == nil {
				u.captureDuration = new(int64)
			}
		case "priority":
			p, err := r.priority(n, at)
			if err != nil {
				return err
			}
			u.priority = &p
		case "tags":
			if u.tags, err = r.texts(n, key, at, false); err != nil {
				return err
			}
			u.hasTags = true
		case "exceptions":
			if u.exceptions, err = r.exceptions(n, at, adds); err != nil {
				return err
			}
			u.hasExceptions = true
		}
	}
	return nil
}

// exceptions reads the exceptions of a rule. Those that only add values to others need no fields.
func (r *reader) exceptions(n *yaml.Node, parent place, adds bool) ([]*exception, error) {
	v := member(n, "exceptions")
	if v == nil || isNull(v) {
		return nil, nil
	}
	at := r.in(parent, itemExceptions, "", v)
	if !isSequence(v) {
		return nil, fail(ErrYAMLValidate, at, "expected a sequence of exceptions, each with 'name' and 'fields'")
	}
	if err := r.count(v); err != nil {
		return nil, err
	}
	var all []*exception
	names := map[string]bool{}
	for _, item := range v.Content {
		if item = deref(item); item == nil {
			continue
		}
		unnamed := r.in(at, itemException, "", item)
		if !isMap(item) {
			return nil, fail(ErrYAMLValidate, unnamed, "expected an exception: a mapping with 'name' and 'fields'")
		}
		name, err := r.needed(item, "name", unnamed)
		if err != nil {
			return nil, err
		}
		x := &exception{name: name, at: r.in(parent, itemException, name, item)}
		if names[name] {
			r.result.warn(WarnExceptionNameNotUnique, x.at, "Multiple definitions of exception '%s': give each of them a name of its own", name)
		}
		names[name] = true
		if err := r.exception(item, x, adds); err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	return all, nil
}

var exceptionKeys = map[string]bool{"name": true, "fields": true, "comps": true, "values": true}

func (r *reader) exception(n *yaml.Node, x *exception, adds bool) (err error) {
	r.unknownKeys(n, x.at, exceptionKeys)
	fields := member(n, "fields")
	if fields == nil && !adds {
		return fail(ErrYAMLValidate, x.at, "Item has no mapping for key 'fields'")
	}
	if fields != nil {
		if x.fields, err = r.values(fields, r.in(x.at, itemValue, "fields", fields), 0); err != nil {
			return err
		}
	}
	if comps := member(n, "comps"); comps != nil {
		if x.comps, err = r.values(comps, r.in(x.at, itemValue, "comps", comps), 0); err != nil {
			return err
		}
	}
	v := member(n, "values")
	if v == nil {
		if adds {
			r.result.warn(WarnAppendNoValues, x.at, "Overriding/appending exception with no values: it adds nothing, so give 'values' or remove it")
		}
		return nil
	}
	at := r.in(x.at, itemExValues, "", v)
	if !isSequence(v) {
		return fail(ErrYAMLValidate, at, "expected a sequence for 'values'")
	}
	if err := r.count(v); err != nil {
		return err
	}
	for _, item := range v.Content {
		if item = deref(item); item == nil {
			continue
		}
		value, err := r.values(item, r.in(at, itemExValue, "", item), 0)
		if err != nil {
			return err
		}
		x.values = append(x.values, value)
	}
	return nil
}

// maxValues is how deep lists within an exception's values may be nested; no comparison takes more than two.
const maxValues = 4

func (r *reader) values(n *yaml.Node, at place, depth int) (values, error) {
	if n = deref(n); n == nil || depth > maxValues {
		return values{}, fail(ErrYAMLValidate, at, "the values are nested too deep: %d levels are read at most", maxValues)
	}
	if err := r.count(n); err != nil {
		return values{}, err
	}
	switch {
	case isScalar(n):
		if n.Value == "" {
			return values{}, fail(ErrYAMLValidate, at, "the value is empty: give one, or remove it")
		}
		return values{set: true, text: n.Value}, nil
	case isSequence(n):
		out := values{set: true, list: true}
		for _, item := range n.Content {
			v, err := r.values(item, at, depth+1)
			if err != nil {
				return values{}, err
			}
			out.items = append(out.items, v)
		}
		return out, nil
	}
	return values{}, fail(ErrYAMLValidate, at, "expected a single value or a sequence of such")
}
