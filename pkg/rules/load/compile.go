package load

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/tiercel/tiercel/pkg/rules/eval"
	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/pkg/rules/filter"
	"github.com/tiercel/tiercel/pkg/rules/format"
)

// Bounds of what a file can make of a little text.
const (
	maxItems     = 1 << 20 // items of all lists together, with the lists within
	maxCondition = 4 << 20 // a condition with its exceptions, bytes
	manyTypes    = 100     // more event types than that are worth a warning
)

// compile makes rules of all that was read so far. It fails with the first problem that it finds.
func (l *Loader) compile(result *Result) error {
	if err := l.compileLists(); err != nil {
		return err
	}
	if err := l.compileMacros(); err != nil {
		return err
	}
	var out []*Rule
	for _, r := range l.rules.all {
		if r.unknownSource {
			continue
		}
		rule, skip, err := l.compileRule(r, result)
		if err != nil {
			return err
		}
		if !skip {
			out = append(out, rule)
		}
	}
	for _, m := range l.macros.all {
		if !m.used {
			result.warn(WarnUnusedMacro, m.at, "no rule and no other macro uses this macro: remove it, or use it")
		}
	}
	for _, v := range l.lists.all {
		if !v.used {
			result.warn(WarnUnusedList, v.at, "no condition and no other list uses this list: remove it, or use it")
		}
	}
	l.out = out
	return nil
}

// compileLists puts into each list the lists that it names and that were defined before.
func (l *Loader) compileLists() error {
	total := 0
	for _, v := range l.lists.all {
		v.used = false
	}
	for _, v := range l.lists.all {
		v.resolved = nil
		for _, item := range v.items {
			within, ok := l.lists.get(item)
			if !ok || within.index >= v.visible || within == v {
				v.resolved = append(v.resolved, item)
				total++
			} else {
				within.used = true
				items := within.resolved
				if within.index > v.index {
					items = within.items // not resolved yet: the outer list was changed after it was defined
				}
				v.resolved = append(v.resolved, items...)
				total += len(items)
			}
			if total > maxItems {
				return fail(ErrValidate, v.at, "the lists have more than %d items together", maxItems)
			}
		}
	}
	return nil
}

// parse reads a condition after the lists were put in. Conditions that were read before are not read again.
func (l *Loader) parse(condition string, at place) (filter.Expr, error) {
	text := l.putLists(condition)
	if len(text) > maxCondition {
		return nil, fail(ErrCompileCondition, at, "the condition has more than %d bytes after its lists were put in", maxCondition)
	}
	if e, ok := l.parsed[text]; ok {
		return e, nil
	}
	e, err := filter.Parse(text, filter.MaxRuleDepth)
	if err != nil {
		if syntax, ok := errors.AsType[*filter.SyntaxError](err); ok {
			at = at.expression(syntax.At, text)
		}
		return nil, fail(ErrCompileCondition, at, "%s", err)
	}
	l.parsed[text] = e
	return e, nil
}

// putLists puts lists into a condition in the order of their definition, so an item of one can be the name of a later
// one.
func (l *Loader) putLists(text string) string {
	last := -1
	for len(text) <= maxCondition {
		next := len(l.lists.all)
		for word := range strings.FieldsFuncSeq(text, isBound) {
			if i, ok := l.lists.index[word]; ok && i > last && i < next {
				next = i
			}
		}
		for i := last + 1; i < next; i++ {
			// Names that are no words of their own are looked for one by one; they are rare and warned of.
			if name := l.lists.all[i].name; strings.ContainsFunc(name, isBound) && strings.Contains(text, name) {
				next = i
			}
		}
		if next == len(l.lists.all) {
			return text
		}
		v := l.lists.all[next]
		put, found := filter.PutList(text, v.name, v.resolved)
		v.used = v.used || found
		text, last = put, next
	}
	return text
}

func isBound(r rune) bool { return strings.ContainsRune(" \t\n\r(),=", r) }

// compileMacros puts into each macro the macros that it names and that were defined before.
func (l *Loader) compileMacros() error {
	for _, m := range l.macros.all {
		e, err := l.parse(m.condition, m.conditionAt)
		if err != nil {
			return err
		}
		m.expr, m.used = e, false
	}
	for _, m := range l.macros.all {
		e, err := l.putMacros(m.expr, m.visible, m.at)
		if err != nil {
			return err
		}
		m.expr = e
	}
	return nil
}

func (l *Loader) putMacros(e filter.Expr, visible int, at place) (filter.Expr, error) {
	lookup := func(name string) (filter.Expr, bool) {
		m, ok := l.macros.get(name)
		if !ok || m.index >= visible {
			return nil, false
		}
		return m.expr, true
	}
	used := func(name string) {
		if m, ok := l.macros.get(name); ok {
			m.used = true
		}
	}
	out, err := filter.PutMacros(e, lookup, used)
	if err != nil {
		if m, ok := errors.AsType[*filter.MacroError](err); ok {
			at = at.expression(m.At, m.Text)
		}
		return nil, fail(ErrValidate, at, "%s", err)
	}
	return out, nil
}

// compileRule makes a rule, unless it is to be skipped.
func (l *Loader) compileRule(r *rule, result *Result) (out *Rule, skip bool, err error) {
	source, _ := event.ParseSource(r.source)
	out = &Rule{
		Name: r.name, Desc: r.desc, Source: source, Priority: r.priority, Enabled: r.enabled,
		Tags: slices.Sorted(maps.Keys(r.tags)), Capture: r.capture, CaptureDuration: r.captureDuration, Where: r.at.location,
	}
	if skip, err = l.compileOutput(r, out, result); skip || err != nil {
		return nil, skip, err
	}
	condition, err := r.withExceptions()
	if err != nil {
		return nil, false, err
	}
	out.Written = strings.TrimSpace(condition)
	e, err := l.parse(condition, r.conditionAt)
	if err != nil {
		return nil, false, err
	}
	if e, err = l.putMacros(e, l.next+1, r.at); err != nil {
		return nil, false, err
	}
	out.Expr = e
	if out.Condition, err = l.compiler.Check(e, source); err != nil {
		at, unknown := r.conditionAt, false
		if c, ok := errors.AsType[*eval.Error](err); ok {
			at, unknown = at.expression(c.At, c.Text), c.Unknown
		}
		if unknown && r.skipUnknown {
			result.warn(WarnUnknownFilter, at, "%s", err)
			return nil, true, nil
		}
		return nil, false, fail(ErrCompileCondition, at, "%s", err)
	}
	for _, w := range out.Condition.Warnings {
		result.warn(WarnCompileCondition, r.conditionAt.expression(w.At, w.Text), "%s", w.Message)
	}
	deprecated(out.Condition.Refs, "condition", r.conditionAt, result)
	if out.Condition.Types.Len() == 0 && slices.ContainsFunc(out.Condition.Refs, func(ref field.Ref) bool { return ref.ID == field.EvtDir }) {
		result.warn(WarnCompileCondition, r.conditionAt, "the rule can never fire: it asks for enter events, which no longer exist")
	}
	if source == event.Syscall && r.warnEventTypes && out.Condition.Types.Len() > manyTypes {
		result.warn(WarnNoEventType, r.at, "the rule is tested for %d types of events, which takes time: "+
			"name the types that are meant with evt.type", out.Condition.Types.Len())
	}
	l.supply(r, out, result)
	return out, false, nil
}

// deprecated warns of fields that have lost their meaning.
func deprecated(refs []field.Ref, where string, at place, result *Result) {
	warned := map[field.ID]bool{}
	for _, ref := range refs {
		if !ref.Deprecated || warned[ref.ID] {
			continue
		}
		warned[ref.ID] = true
		why := "enter events no longer exist, so the field has no value"
		if ref.ID == field.EvtDir {
			why = "enter events no longer exist, so 'evt.dir = <' is always true and 'evt.dir = >' always false; " +
				"the test can be removed"
		}
		result.warn(WarnDeprecatedItem, at, "the %s names the outdated field '%s': %s", where, ref.Name, why)
	}
}

const containerInfo = "%container.info"

// compileOutput parses the output after it was completed. It reports whether the rule is to be skipped.
func (l *Loader) compileOutput(r *rule, out *Rule, result *Result) (skip bool, err error) {
	out.Output = r.output
	for _, a := range l.options.Append {
		if a.fits(r) && a.Output != "" {
			out.Output += " " + a.Output
		}
	}
	if strings.Contains(out.Output, containerInfo) {
		result.warn(WarnDeprecatedItem, r.at, "%s is deprecated: the fields of the container are added to outputs anyway", containerInfo)
		out.Output = strings.ReplaceAll(out.Output, containerInfo, "")
	}
	if out.Format, err = format.Parse(out.Source, out.Output); err != nil {
		if r.skipUnknown && strings.Contains(err.Error(), "invalid formatting token") {
			result.warn(WarnUnknownFilter, r.outputAt, "%s", err)
			return true, nil
		}
		return false, fail(ErrCompileOutput, r.outputAt, "%s", err)
	}
	deprecated(out.Format.Refs(), "output", r.outputAt, result)
	for _, a := range l.options.Append {
		if !a.fits(r) {
			continue
		}
		for _, f := range a.Fields {
			member, err := l.extraField(f, out.Source)
			if err != nil {
				return false, fail(ErrCompileOutput, r.outputAt, "added field '%s': %s", f.Name, err)
			}
			out.Fields = append(out.Fields, member)
		}
	}
	return false, nil
}

func (a *Append) fits(r *rule) bool {
	if a.Rule != "" && a.Rule != r.name || a.Source != "" && a.Source != r.source {
		return false
	}
	for _, tag := range a.Tags {
		if _, ok := r.tags[tag]; !ok {
			return false
		}
	}
	return true
}

var environment = regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_]*\}`)

func (l *Loader) extraField(f ExtraField, source event.Source) (Field, error) {
	if f.Format == "" {
		ref, n, err := field.Prefix(source, f.Name)
		if err == nil && n != len(f.Name) {
			err = fmt.Errorf("%w %s", field.ErrUnknown, f.Name)
		}
		return Field{Name: f.Name, Ref: &ref}, err
	}
	text := f.Format
	if l.options.Expand != nil {
		text = environment.ReplaceAllStringFunc(text, func(name string) string { return l.options.Expand(name[2 : len(name)-1]) })
	}
	if text == "" {
		return Field{Name: f.Name, Format: &format.Format{}}, nil
	}
	parsed, err := format.Parse(source, text)
	return Field{Name: f.Name, Format: parsed}, err
}

// withExceptions gives the condition with its exceptions, as text: "(condition) and not (tuple or tuple ...)".
func (r *rule) withExceptions() (string, error) {
	if len(r.exceptions) == 0 {
		return r.condition, nil
	}
	var w strings.Builder
	w.WriteString("(" + r.condition + ")")
	for _, x := range r.exceptions {
		if len(x.values) == 0 {
			continue
		}
		w.WriteString(" and not ")
		var err error
		if x.fields.list {
			err = x.tuples(&w)
		} else {
			err = x.flat(&w)
		}
		if err != nil {
			return "", err
		}
		if w.Len() > maxCondition {
			return "", fail(ErrValidate, x.at, "the condition has more than %d bytes with its exceptions", maxCondition)
		}
	}
	return w.String(), nil
}

// flat writes an exception with one field: its values are one list.
func (x *exception) flat(w *strings.Builder) error {
	fmt.Fprintf(w, "(%s %s (", x.fields.text, x.comps.text)
	for i, v := range x.values {
		if v.list {
			return fail(ErrValidate, x.at, "'fields' is a single field, so each of 'values' must be a single value")
		}
		if i > 0 {
			w.WriteString(", ")
		}
		w.WriteString(filter.QuoteItem(v.text))
		if w.Len() > maxCondition {
			break
		}
	}
	w.WriteString("))")
	return nil
}

// tuples writes an exception with several fields: each of its values has one part per field.
func (x *exception) tuples(w *strings.Builder) error {
	w.WriteByte('(')
	for i, tuple := range x.values {
		if len(tuple.items) != len(x.fields.items) {
			return fail(ErrValidate, x.at, "'fields' and each of 'values' must have the same number of items, not %d and %d",
				len(x.fields.items), len(tuple.items))
		}
		if i > 0 {
			w.WriteString(" or ")
		}
		w.WriteByte('(')
		for k, v := range tuple.items {
			if k > 0 {
				w.WriteString(" and ")
			}
			op, modifier, _ := filter.ParseOp(x.comps.items[k].text)
			fmt.Fprintf(w, "%s %s ", x.fields.items[k].text, op)
			if modifier != filter.None {
				fmt.Fprintf(w, "%s ", modifier)
			}
			v.write(w, filter.IsListOp(op) || modifier != filter.None)
		}
		w.WriteByte(')')
		if w.Len() > maxCondition {
			break
		}
	}
	w.WriteByte(')')
	return nil
}

// write writes one part of a tuple; where the operator takes a list, a single text is put in parentheses.
func (v values) write(w *strings.Builder, list bool) {
	switch {
	case v.list:
		w.WriteByte('(')
		for i, item := range v.items {
			if i > 0 {
				w.WriteString(", ")
			}
			w.WriteString(filter.QuoteItem(item.text))
			if w.Len() > maxCondition {
				break
			}
		}
		w.WriteByte(')')
	case list && !strings.HasPrefix(v.text, "("):
		w.WriteString("(" + v.text + ")")
	case list:
		w.WriteString(v.text)
	default:
		w.WriteString(filter.QuoteItem(v.text))
	}
}
