package load

import (
	"slices"
	"strings"

	"github.com/tiercel/tiercel/pkg/rules/eval"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/pkg/rules/format"
)

// supply finds out what a rule asks for that no event will have, and says so: a rule must not be silently false.
func (l *Loader) supply(r *rule, out *Rule, result *Result) {
	s := l.options.Supply
	if s == nil {
		return
	}
	var condition, output []string
	for _, ref := range out.Condition.Refs {
		// The name of an address is compared by the address, where that can be done.
		asked := ref
		if ref.Host && l.options.Names != nil {
			asked, _ = field.Find(out.Source, strings.TrimSuffix(ref.Name, ".name"), "", false)
		}
		if !l.supplied(asked, out) {
			condition = append(condition, ref.Text)
		}
	}
	for _, ref := range out.Format.Refs() {
		asked := ref
		if format.IsTime(ref.ID) {
			asked.Field = field.Of(field.EvtRawtime)
		}
		if !l.supplied(asked, out) && !slices.Contains(condition, ref.Text) && !slices.Contains(output, ref.Text) {
			output = append(output, ref.Text)
		}
	}
	var types []string
	supplied := 0
	if s.Type != nil && out.Condition.Types.Len() <= manyTypes {
		for t := range out.Condition.Types.All() {
			if s.Type(t) {
				supplied++
			} else {
				types = append(types, t.String())
			}
		}
	}
	out.NotSupplied = slices.Concat(condition, output, types)
	if len(out.NotSupplied) == 0 {
		return
	}
	var parts []string
	if len(types) > 0 && supplied == 0 {
		parts = append(parts, "no event of its types ("+strings.Join(types, ", ")+") is supplied, so it can never fire")
	} else if len(types) > 0 {
		parts = append(parts, "events not supplied: "+strings.Join(types, ", "))
	}
	if len(condition) > 0 {
		parts = append(parts, "fields of the condition that never have a value: "+strings.Join(condition, ", "))
	}
	if len(output) > 0 {
		parts = append(parts, "fields of the output that never have a value: "+strings.Join(output, ", "))
	}
	result.warn(WarnNotSupplied, r.at, "%s", strings.Join(parts, "; "))
}

func (l *Loader) supplied(ref field.Ref, out *Rule) bool {
	if _, ok := eval.Builtin(0, ref.ID, ref.Arg); ok || ref.Deprecated || l.options.Supply.Field == nil {
		return true
	}
	return l.options.Supply.Field(ref, out.Condition.Types)
}
