package filter

import (
	"fmt"
	"slices"
)

// MacroError says which macro cannot be put in, and where it is named.
type MacroError struct {
	At      Pos
	Text    string // the condition that At is a place of
	Name    string
	Message string
}

// Error gives the reason.
func (e *MacroError) Error() string { return e.Message }

// PutMacros replaces the names of macros by their conditions, and the names in these, too. lookup gives a macro's
// condition; used is told of each macro that was put in. Its error is a *[MacroError]: an unknown name, macros that
// lead back to themselves, or a condition that grows too large. The macros' trees are shared, not copied.
func PutMacros(e Expr, lookup func(name string) (Expr, bool), used func(name string)) (Expr, error) {
	r := resolver{lookup: lookup, used: used, done: map[string]Expr{}}
	out := r.expr(e)
	if r.err != nil {
		return nil, r.err
	}
	if TooLarge(out) {
		return nil, &MacroError{e.Pos(), e.Text(), "", fmt.Sprintf("the condition has more than %d parts after its macros were put in", maxSize-1)}
	}
	return out, nil
}

type resolver struct {
	lookup func(string) (Expr, bool)
	used   func(string)
	path   []string        // the macros we are within
	done   map[string]Expr // the macros that are resolved
	err    error           // the first error
}

func (r *resolver) expr(e Expr) Expr {
	if e.idents() == 0 || r.err != nil {
		return e
	}
	switch e := e.(type) {
	case *And:
		return newAnd(e.at, r.all(e.Parts))
	case *Or:
		return newOr(e.at, r.all(e.Parts))
	case *Not:
		return newNot(e.at, r.expr(e.Part))
	case *Ident:
		return r.macro(e)
	default:
		return e
	}
}

func (r *resolver) all(parts []Expr) []Expr {
	out := make([]Expr, len(parts))
	for i, part := range parts {
		out[i] = r.expr(part)
	}
	return out
}

func (r *resolver) macro(e *Ident) Expr {
	if done, ok := r.done[e.Name]; ok {
		r.used(e.Name)
		return done
	}
	if slices.Contains(r.path, e.Name) {
		r.err = &MacroError{e.at, e.text, e.Name, fmt.Sprintf("the macro '%s' leads back to itself (reference loop): take its name out of what it uses", e.Name)}
		return e
	}
	condition, ok := r.lookup(e.Name)
	if !ok {
		r.err = &MacroError{e.at, e.text, e.Name, fmt.Sprintf("Undefined macro '%s' used in filter.", e.Name)}
		return e
	}
	r.path = append(r.path, e.Name)
	out := r.expr(condition)
	r.path = r.path[:len(r.path)-1]
	if r.err == nil {
		r.done[e.Name] = out
		r.used(e.Name)
	}
	return out
}
