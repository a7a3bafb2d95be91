package eval

import (
	"fmt"

	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/pkg/rules/filter"
)

// Compiler compiles conditions. It remembers what it has compiled, so macros that many rules share are compiled
// once. It is for one goroutine at a time; the tests that it gives are for any.
type Compiler struct {
	names  Names
	leaves map[leafKey]*leaf
	can    map[leafKey]outcomes
	tests  map[testKey]built
}

type leafKey struct {
	e      filter.Expr
	source event.Source
}

type testKey struct {
	e      filter.Expr
	source event.Source
	t      event.Type
}

type built struct {
	test  Test // nil when the outcome is known
	holds bool
}

// NewCompiler makes a compiler. Without names, the names of addresses are compared as the texts that events give.
func NewCompiler(names Names) *Compiler {
	return &Compiler{
		names: names, leaves: map[leafKey]*leaf{}, can: map[leafKey]outcomes{}, tests: map[testKey]built{},
	}
}

// Condition is a condition whose fields and values were found valid.
type Condition struct {
	Types    event.Set   // the event types for which it can hold
	Refs     []field.Ref // the fields that it names
	Hosts    []string    // the host names whose addresses must be known
	Warnings []Warning

	expr     filter.Expr
	source   event.Source
	compiler *Compiler
}

// Check checks a condition without macro names in it. Its error is an *[Error].
func (c *Compiler) Check(e filter.Expr, source event.Source) (*Condition, error) {
	if filter.TooLarge(e) {
		return nil, &Error{At: e.Pos(), Message: "the condition is too large"}
	}
	out := &Condition{expr: e, source: source, compiler: c}
	seen := map[filter.Expr]bool{}
	names := map[string]bool{}
	if err := c.collect(out, e, seen, names); err != nil {
		return nil, err
	}
	out.Types = c.outcomes(e, source).hold
	return out, nil
}

// collect compiles the leaves and gathers what they need. Parts that several macros share are visited once.
func (c *Compiler) collect(out *Condition, e filter.Expr, seen map[filter.Expr]bool, names map[string]bool) error {
	if seen[e] {
		return nil
	}
	seen[e] = true
	switch e := e.(type) {
	case *filter.And:
		return c.collectAll(out, e.Parts, seen, names)
	case *filter.Or:
		return c.collectAll(out, e.Parts, seen, names)
	case *filter.Not:
		return c.collect(out, e.Part, seen, names)
	case *filter.Ident:
		return &Error{At: e.Pos(), Text: e.Text(), Message: fmt.Sprintf("Undefined macro '%s' used in filter.", e.Name)}
	}
	key := leafKey{e, out.source}
	l, ok := c.leaves[key]
	if !ok {
		k := &checker{source: out.source, names: c.names, at: e.Pos(), text: e.Text()}
		made, err := k.leaf(e)
		if err != nil {
			return err
		}
		l = made
		c.leaves[key] = l
	}
	for _, ref := range l.refs {
		if !names[ref.Text] {
			names[ref.Text] = true
			out.Refs = append(out.Refs, ref)
		}
	}
	out.Hosts = append(out.Hosts, l.hosts...)
	out.Warnings = append(out.Warnings, l.warnings...)
	return nil
}

func (c *Compiler) collectAll(out *Condition, parts []filter.Expr, seen map[filter.Expr]bool, names map[string]bool) error {
	for _, part := range parts {
		if err := c.collect(out, part, seen, names); err != nil {
			return err
		}
	}
	return nil
}

// outcomes finds for which event types a condition may hold, and for which it may not.
func (c *Compiler) outcomes(e filter.Expr, source event.Source) outcomes {
	key := leafKey{e, source}
	if o, ok := c.can[key]; ok {
		return o
	}
	var o outcomes
	switch e := e.(type) {
	case *filter.And:
		o.hold = event.Everything(source)
		for _, part := range e.Parts {
			p := c.outcomes(part, source)
			o.hold, o.fail = o.hold.And(p.hold), o.fail.Or(p.fail)
		}
	case *filter.Or:
		o.fail = event.Everything(source)
		for _, part := range e.Parts {
			p := c.outcomes(part, source)
			o.hold, o.fail = o.hold.Or(p.hold), o.fail.And(p.fail)
		}
	case *filter.Not:
		p := c.outcomes(e.Part, source)
		o.hold, o.fail = p.fail, p.hold
	default:
		o = c.leaves[key].can
	}
	c.can[key] = o
	return o
}

// maxBuilt bounds the nodes that are made for all event types of one condition together. A condition for hundreds of
// types is made once instead, and asks for the type each time.
const maxBuilt = 1 << 16

// For makes the test for events of one type: what follows from the type is worked out now. It returns nil when the
// condition cannot hold.
func (c *Condition) For(t event.Type) Test {
	if filter.Size(c.expr)*c.Types.Len() > maxBuilt || c.Types.Len() > 64 {
		t = 0
	}
	b := c.compiler.build(c.expr, c.source, t)
	if b.test == nil && b.holds {
		return func(Event) bool { return true }
	}
	return b.test
}

// build makes the test of a part; with no type, one for events of any.
func (c *Compiler) build(e filter.Expr, source event.Source, t event.Type) built {
	key := testKey{e, source, t}
	if b, ok := c.tests[key]; ok {
		return b
	}
	var b built
	switch e := e.(type) {
	case *filter.And:
		b = c.buildAll(e.Parts, source, t, false)
	case *filter.Or:
		b = c.buildAll(c.together(e.Parts, source), source, t, true)
	case *filter.Not:
		b = c.build(e.Part, source, t)
		if test := b.test; test != nil {
			b.test = func(ev Event) bool { return !test(ev) }
		} else {
			b.holds = !b.holds
		}
	default:
		l := c.leaves[leafKey{e, source}]
		b.test = l.test
		if l.constant != nil && t != 0 {
			if holds, known := l.constant(t); known {
				b = built{holds: holds}
			}
		}
	}
	c.tests[key] = b
	return b
}

// alternatives is how many tests of one field are worth a set.
const alternatives = 3

// together makes one test of those that are alternatives for one field, "fd.name startswith /a or fd.name startswith /b
// or ...": the field is asked for once, and the texts are looked up instead of tried one after the other.
func (c *Compiler) together(parts []filter.Expr, source event.Source) []filter.Expr {
	texts := map[string][]filter.Operand{}
	for _, part := range parts {
		if key, e := c.alternative(part, source); e != nil {
			texts[key] = append(texts[key], e.Right)
		}
	}
	out := make([]filter.Expr, 0, len(parts))
	for _, part := range parts {
		key, e := c.alternative(part, source)
		if e == nil || len(texts[key]) > 0 && len(texts[key]) < alternatives {
			out = append(out, part)
			continue
		}
		if texts[key] == nil {
			continue // it is in the set of the first one
		}
		all := *e
		all.Modifier, all.Right = filter.AnyOf, &filter.List{Items: texts[key], At: e.Pos()}
		k := &checker{source: source, names: c.names, at: e.Pos(), text: e.Text()}
		made, err := k.leaf(&all)
		if err != nil {
			return parts // what is valid alone is valid together; if not, nothing is lost
		}
		c.leaves[leafKey{&all, source}] = made
		out = append(out, &all)
		texts[key] = nil
	}
	return out
}

// alternative gives the test of a part that can stand in a set with others of the same key, nil for other parts.
func (c *Compiler) alternative(part filter.Expr, source event.Source) (string, *filter.Compare) {
	e, ok := part.(*filter.Compare)
	if !ok || e.Modifier != filter.None || e.Op != filter.OpStartsWith && e.Op != filter.OpEq {
		return "", nil
	}
	left, isField := e.Left.(*filter.Field)
	_, isText := e.Right.(*filter.Literal)
	l := c.leaves[leafKey{e, source}]
	if !isField || !isText || l.constant != nil || len(l.hosts) > 0 {
		return "", nil
	}
	return string(e.Op) + " " + filter.OperandString(left), e
}

// buildAll builds "and" (decisive false) or "or" (decisive true): the first part with the decisive outcome decides.
func (c *Compiler) buildAll(parts []filter.Expr, source event.Source, t event.Type, decisive bool) built {
	var tests []Test
	for _, part := range parts {
		b := c.build(part, source, t)
		if b.test != nil {
			tests = append(tests, b.test)
			continue
		}
		if b.holds == decisive {
			// Parts before this one have no side effects, so the outcome is known.
			return built{holds: decisive}
		}
	}
	switch len(tests) {
	case 0:
		return built{holds: !decisive}
	case 1:
		return built{test: tests[0]}
	case 2:
		one, two := tests[0], tests[1]
		if decisive {
			return built{test: func(ev Event) bool { return one(ev) || two(ev) }}
		}
		return built{test: func(ev Event) bool { return one(ev) && two(ev) }}
	}
	if decisive {
		return built{test: func(ev Event) bool {
			for _, test := range tests {
				if test(ev) {
					return true
				}
			}
			return false
		}}
	}
	return built{test: func(ev Event) bool {
		for _, test := range tests {
			if !test(ev) {
				return false
			}
		}
		return true
	}}
}
