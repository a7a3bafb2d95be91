package load

import (
	"slices"

	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/pkg/rules/filter"
)

func (l *Loader) tick() int {
	l.next++
	return l.next
}

func (l *Loader) require(r requirement, at place) error {
	names := map[string]bool{}
	for _, p := range r.alternatives {
		if _, ok := parseVersion(p.version); !ok {
			return fail(ErrValidate, at, "plugin '%s' is required in version '%s': expected three numbers, as in 0.4.0", p.name, p.version)
		}
		if names[p.name] {
			return fail(ErrValidate, at, "plugin '%s' is named more than once: alternatives must be other plugins", p.name)
		}
		names[p.name] = true
	}
	l.plugins = append(l.plugins, r)
	return nil
}

func (l *Loader) defineList(v *list, appends bool) error {
	now := l.tick()
	before, ok := l.lists.get(v.name)
	if appends {
		if !ok {
			return fail(ErrValidate, v.at, textNoList)
		}
		before.items = append(slices.Clip(before.items), v.items...)
		before.visible = now
		return nil
	}
	v.index, v.visible = now, now
	if ok {
		v.index = before.index
	}
	l.lists.set(v.name, v)
	return nil
}

func (l *Loader) defineMacro(v *macro, appends bool) error {
	now := l.tick()
	before, ok := l.macros.get(v.name)
	if appends {
		if !ok {
			return fail(ErrValidate, v.at, textNoMacro)
		}
		before.condition += " " + v.condition
		before.visible = now
		return nil
	}
	v.index, v.visible = now, now
	if ok {
		v.index = before.index
	}
	l.macros.set(v.name, v)
	return nil
}

const textSource = "Rule has been re-defined with a different source"

func (l *Loader) defineRule(v *rule, result *Result) error {
	if before, ok := l.rules.get(v.name); ok && before.source != v.source {
		return fail(ErrValidate, v.at, textSource)
	}
	if _, ok := event.ParseSource(v.source); !ok {
		v.unknownSource = true
		result.warn(WarnUnknownSource, v.at, "the rule is skipped, because no events come from '%s': expected 'syscall' or 'terminal'", v.source)
	}
	for _, x := range v.exceptions {
		if !x.fields.set {
			return fail(ErrValidate, x.at, "the exception has no 'fields': name the fields that its values are for")
		}
		if err := x.check(v); err != nil {
			return err
		}
	}
	l.tick()
	l.rules.set(v.name, v)
	return nil
}

// check completes an exception and makes sure that its parts fit together.
func (x *exception) check(r *rule) error {
	source, known := event.ParseSource(r.source)
	var fields []values
	if x.fields.list {
		fields = x.fields.items
		if !x.comps.set {
			x.comps = values{set: true, list: true}
			for range fields {
				x.comps.items = append(x.comps.items, values{set: true, text: string(filter.OpEq)})
			}
		}
		if len(fields) != len(x.comps.items) {
			return fail(ErrValidate, x.at, "'fields' and 'comps' must have the same number of items, not %d and %d",
				len(fields), len(x.comps.items))
		}
		for _, comp := range x.comps.items {
			if _, _, ok := filter.ParseOp(comp.text); !ok {
				return fail(ErrValidate, x.at, "'%s' is not a supported comparison operator", comp.text)
			}
		}
	} else {
		fields = []values{x.fields}
		if !x.comps.set {
			x.comps = values{set: true, text: string(filter.OpIn)}
		}
		if x.comps.list {
			return fail(ErrValidate, x.at, "'fields' is a single field, so 'comps' must be a single operator, not a sequence")
		}
		if op, modifier, ok := filter.ParseOp(x.comps.text); !ok || !filter.IsListOp(op) && modifier == filter.None {
			return fail(ErrValidate, x.at, "'%s' does not compare with a list: for a single field, 'comps' must be in, intersects or "+
				"pmatch, or another operator followed by anyof, allof or oneof, as in 'startswith anyof'", x.comps.text)
		}
	}
	if !known {
		return nil
	}
	for _, f := range fields {
		if !isField(source, f.text) {
			return fail(ErrValidate, x.at, "'%s' is not a supported filter field", f.text)
		}
	}
	return nil
}

// isField reports whether text is a field or a transformer.
func isField(source event.Source, text string) bool {
	if call, n := filter.ParseCall(text); call != nil {
		return n == len(text)
	}
	_, n, err := field.Prefix(source, text)
	return err == nil && n == len(text)
}

func (l *Loader) appendRule(u *update, source string) error {
	r, ok := l.rules.get(u.name)
	if !ok {
		return fail(ErrValidate, u.at, textNoRule)
	}
	if source != "" && source != r.source {
		return fail(ErrValidate, u.at, textSource)
	}
	if u.empty() {
		return fail(ErrValidate, u.at, "there is nothing to add: expected 'condition' or 'exceptions'")
	}
	if u.condition != nil {
		r.condition += " " + *u.condition
	}
	if u.output != nil {
		r.output += " " + *u.output
	}
	if u.desc != nil {
		r.desc += " " + *u.desc
	}
	for _, tag := range u.tags {
		r.tags[tag] = struct{}{}
	}
	for _, x := range u.exceptions {
		i := slices.IndexFunc(r.exceptions, func(y *exception) bool { return y.name == x.name })
		if i < 0 {
			if !x.fields.set {
				return fail(ErrValidate, x.at, "Rule exception must have fields property with a list of fields")
			}
			if len(x.values) == 0 {
				return fail(ErrValidate, x.at, "an exception that is added to a rule needs 'values'")
			}
			if err := x.check(r); err != nil {
				return err
			}
			r.exceptions = append(r.exceptions, x)
			continue
		}
		if x.fields.set {
			return fail(ErrValidate, x.at, "the rule has an exception of this name, so only 'values' can be added: remove 'fields'")
		}
		if x.comps.set {
			return fail(ErrValidate, x.at, "the rule has an exception of this name, so only 'values' can be added: remove 'comps'")
		}
		y := *r.exceptions[i]
		y.values = append(slices.Clip(y.values), x.values...)
		r.exceptions[i] = &y
	}
	l.tick()
	return nil
}

func (l *Loader) replaceRule(u *update, source string) error {
	r, ok := l.rules.get(u.name)
	if !ok {
		return fail(ErrValidate, u.at, textNoReplace)
	}
	if source != "" && source != r.source {
		return fail(ErrValidate, u.at, textSource)
	}
	if u.empty() {
		return fail(ErrValidate, u.at, "there is nothing to replace: name at least one key under 'override'")
	}
	if u.condition != nil {
		r.condition, r.conditionAt = *u.condition, u.conditionAt
	}
	if u.output != nil {
		r.output, r.outputAt = *u.output, u.outputAt
	}
	if u.desc != nil {
		r.desc = *u.desc
	}
	if u.hasTags {
		r.tags = tagSet(u.tags)
	}
	if u.hasExceptions {
		for _, x := range u.exceptions {
			if err := x.check(r); err != nil {
				return err
			}
		}
		r.exceptions = u.exceptions
	}
	if u.priority != nil {
		r.priority = *u.priority
	}
	for _, change := range []struct{ to, from *bool }{
		{&r.enabled, u.enabled}, {&r.warnEventTypes, u.warnEventTypes}, {&r.skipUnknown, u.skipUnknown}, {&r.capture, u.capture},
	} {
		if change.from != nil {
			*change.to = *change.from
		}
	}
	if u.captureDuration != nil {
		r.captureDuration = *u.captureDuration
	}
	l.tick()
	return nil
}

func (l *Loader) enable(name string, enabled bool, at place) error {
	r, ok := l.rules.get(name)
	if !ok {
		return fail(ErrValidate, at, "there is no rule of this name yet that could be switched: define it before, here or in an earlier file")
	}
	r.enabled = enabled
	return nil
}
