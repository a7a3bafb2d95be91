package eval

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/pkg/rules/filter"
)

// Error says why a condition cannot be compiled.
type Error struct {
	At      filter.Pos
	Text    string // the condition, the rule's or a macro's, that At is a place of
	Message string
	Unknown bool // a field or an event type is unknown: rules may choose to be skipped then
}

// Error gives the reason.
func (e *Error) Error() string { return e.Message }

// Warning is something in a condition that is allowed, but hardly meant.
type Warning struct {
	At      filter.Pos
	Text    string
	Message string
}

var errEventType = errors.New("unknown event type")

// leaf is a compiled test: an "exists" or a comparison.
type leaf struct {
	test     Test
	can      outcomes
	constant func(t event.Type) (holds, known bool) // nil for tests that do not depend on the type alone
	refs     []field.Ref
	hosts    []string
	warnings []Warning
}

// outcomes are the event types for which a condition may hold, and those for which it may not.
type outcomes struct{ hold, fail event.Set }

// checker compiles one leaf.
type checker struct {
	source   event.Source
	names    Names
	at       filter.Pos
	text     string
	refs     []field.Ref
	hosts    []string
	warnings []Warning
}

func (c *checker) warnf(format string, args ...any) {
	c.warnings = append(c.warnings, Warning{c.at, c.text, fmt.Sprintf(format, args...)})
}

// predicate tests one value that exists.
type predicate func(field.Value) bool

func (c *checker) leaf(e filter.Expr) (*leaf, error) {
	everything := event.Everything(c.source)
	l := &leaf{can: outcomes{everything, everything}}
	var left *operand
	var err error
	switch e := e.(type) {
	case *filter.Exists:
		if left, err = c.operand(e.Left); err == nil {
			l.test = exists(left)
			c.fold(l, left, func(v field.Value) bool { return v.Exists() })
		}
	case *filter.Compare:
		if left, err = c.operand(e.Left); err == nil {
			err = c.compare(l, e, left)
		}
	default:
		err = fmt.Errorf("unexpected %T", e)
	}
	if err != nil {
		unknown := errors.Is(err, field.ErrUnknown) || errors.Is(err, errEventType)
		message := err.Error()
		if errors.Is(err, field.ErrUnknown) {
			message = "filter_check called with " + message
		}
		return nil, &Error{e.Pos(), e.Text(), message, unknown}
	}
	l.refs, l.hosts, l.warnings = c.refs, c.hosts, c.warnings
	return l, nil
}

func exists(o *operand) Test {
	if o.multi == field.Single && o.all == nil {
		get := o.get
		return func(ev Event) bool { return get(ev, 0).Exists() }
	}
	return func(ev Event) bool { return o.each(ev, func(field.Value) bool { return false }) }
}

// fold makes a test of a built-in field one that depends on the event's type alone.
func (c *checker) fold(l *leaf, left *operand, p predicate) {
	if left.ref == nil {
		return
	}
	id, arg := left.ref.ID, left.ref.Arg
	if _, ok := Builtin(0, id, arg); !ok {
		return
	}
	l.constant = func(t event.Type) (bool, bool) {
		v, _ := Builtin(t, id, arg)
		return v.Exists() && p(v), true
	}
	l.can = outcomes{}
	for t := range event.All(c.source) {
		if holds, _ := l.constant(t); holds {
			l.can.hold.Add(t)
		} else {
			l.can.fail.Add(t)
		}
	}
}

// compare compiles a comparison into l.
func (c *checker) compare(l *leaf, e *filter.Compare, left *operand) error {
	if err := c.allowed(e, left); err != nil {
		return err
	}
	if call, ok := e.Right.(*filter.Call); ok {
		return c.dynamic(l, e, left, call)
	}
	texts := literals(e.Right)
	c.suspicious(e.Op, texts)
	if left.ref != nil {
		switch {
		case left.ref.ID == field.EvtType:
			if err := knownTypes(c.source, e.Op, texts); err != nil {
				return err
			}
		case left.ref.ID == field.EvtNum && never(e.Op, texts):
			l.test = func(Event) bool { return false }
			l.constant = func(event.Type) (bool, bool) { return false, true }
			l.can.hold = event.Set{}
			return nil
		case left.ref.Host && c.names != nil && hostOp(e.Op):
			l.test = c.host(e, left.ref.ID, texts)
			return nil
		}
	}
	p, err := c.predicate(e, left, texts)
	if err != nil {
		return err
	}
	l.test = apply(e.Op, left, p)
	c.fold(l, left, p)
	return nil
}

// apply makes a test of a predicate, for fields with one value or several.
func apply(op filter.Op, left *operand, p predicate) Test {
	switch left.multi {
	case field.Single:
		if left.ref != nil {
			if _, ok := Builtin(0, left.ref.ID, left.ref.Arg); !ok {
				id, arg := left.ref.ID, left.ref.Arg
				return func(ev Event) bool {
					v := ev.Field(id, arg)
					return v.Exists() && p(v)
				}
			}
		}
		get := left.get
		return func(ev Event) bool {
			v := get(ev, 0)
			return v.Exists() && p(v)
		}
	case field.Either:
		if op == filter.OpNe {
			return all(left, p)
		}
	case field.List:
		if op == filter.OpIn {
			return all(left, p)
		}
	}
	return anyOf(left, p)
}

// anyOf and all loop over the values without a closure, so that they allocate nothing.
func anyOf(left *operand, p predicate) Test {
	if left.all != nil {
		return func(ev Event) bool {
			found := false
			left.all(ev, func(v field.Value) bool {
				found = p(v)
				return !found
			})
			return found
		}
	}
	get := left.get
	return func(ev Event) bool {
		for i := 0; ; i++ {
			v := get(ev, i)
			if !v.Exists() {
				return false
			}
			if p(v) {
				return true
			}
		}
	}
}

func all(left *operand, p predicate) Test {
	if left.all != nil {
		return func(ev Event) bool {
			holds := true
			found := left.each(ev, func(v field.Value) bool {
				holds = p(v)
				return holds
			})
			return found && holds
		}
	}
	get := left.get
	return func(ev Event) bool {
		for i := 0; ; i++ {
			v := get(ev, i)
			if !v.Exists() {
				return i > 0
			}
			if !p(v) {
				return false
			}
		}
	}
}

// allowed checks that the operator applies to the type.
func (c *checker) allowed(e *filter.Compare, left *operand) error {
	var ok bool
	switch op := e.Op; {
	case left.multi == field.List:
		if e.Modifier != filter.None {
			return fmt.Errorf("'%s' needs a single value on its left, '%s' is a list", e.Modifier, left.name)
		}
		if op != filter.OpIn && op != filter.OpIntersects {
			return fmt.Errorf("'%s' cannot test '%s', which is a list: use in, intersects or exists", op, left.name)
		}
		ok = true
	case left.typ == field.Dynamic:
		ok = true
	case left.typ == field.Charbuf:
		ok = op != filter.OpBContains && op != filter.OpBStartsWith
	case left.typ == field.Bytebuf:
		ok = isEquality(op) || slices.Contains([]filter.Op{
			filter.OpContains, filter.OpIn, filter.OpStartsWith, filter.OpEndsWith, filter.OpBContains, filter.OpBStartsWith,
		}, op)
	case left.typ == field.IPAddr || left.typ == field.IPNet || left.typ == field.Boolean:
		ok = isEquality(op) || op == filter.OpIn || op == filter.OpIntersects
	default:
		ok = isEquality(op) || isOrder(op) || op == filter.OpIn || op == filter.OpIntersects
	}
	if !ok {
		return fmt.Errorf("'%s' cannot test '%s', which is of type %s: use an operator for that type", e.Op, left.name, left.typ)
	}
	return nil
}

func isEquality(op filter.Op) bool {
	return op == filter.OpEq || op == filter.OpEqEq || op == filter.OpNe
}

func isOrder(op filter.Op) bool {
	return op == filter.OpLt || op == filter.OpLe || op == filter.OpGt || op == filter.OpGe
}

func hostOp(op filter.Op) bool {
	return isEquality(op) || op == filter.OpIn || op == filter.OpIntersects
}

// never reports whether a test of evt.num, which counts from 1, cannot hold.
func never(op filter.Op, texts []string) bool {
	return len(texts) == 1 && (op == filter.OpEq || op == filter.OpEqEq || op == filter.OpIn) && texts[0] == "0"
}

func literals(o filter.Operand) []string {
	switch o := o.(type) {
	case *filter.Literal:
		return []string{o.Text}
	case *filter.List:
		texts := make([]string, 0, len(o.Items))
		for _, item := range o.Items {
			if l, ok := item.(*filter.Literal); ok {
				texts = append(texts, l.Text)
			}
		}
		return texts
	}
	return nil
}

// knownTypes checks that the types that evt.type is compared with exist, for events of the source.
func knownTypes(source event.Source, op filter.Op, texts []string) error {
	if !isEquality(op) && op != filter.OpIn && op != filter.OpIntersects {
		return nil
	}
	for _, text := range texts {
		t, ok := event.Lookup(text)
		if !ok {
			return fmt.Errorf("%w %s", errEventType, text)
		}
		if t.Source() != source {
			return fmt.Errorf("%w %s: it exists for rules with 'source: %s' only", errEventType, text, t.Source())
		}
	}
	return nil
}

// suspicious warns of texts that look like something else.
func (c *checker) suspicious(op filter.Op, texts []string) {
	for _, text := range texts {
		if len(text) > 4096 {
			continue
		}
		stripped := strings.Map(func(r rune) rune {
			if r == ' ' || r == '\t' || r == '\n' || r == '\r' {
				return -1
			}
			return r
		}, text)
		if looksLikeField(c.source, stripped) {
			c.warnf("'%s' may be a valid field misused as a const string value: compare with val(...) if the field is meant", text)
		}
		for _, name := range append(filter.Transformers(), filter.Val) {
			if strings.HasPrefix(stripped, name+"(") && strings.HasSuffix(stripped, ")") {
				c.warnf("'%s' may be a valid field transformer misused as a const string value: "+
					"write it without quotes and without inner blanks if it is to be applied", text)
			}
		}
		if op == filter.OpRegex && regexp.QuoteMeta(text) == text {
			c.warnf("'%s' is a plain text, which '=' compares in less time than 'regex'", text)
		}
	}
}

func looksLikeField(source event.Source, text string) bool {
	if !strings.Contains(text, ".") {
		return false
	}
	_, n, err := field.Prefix(source, text)
	return err == nil && n == len(text)
}

// host compares the name of an address by asking for the addresses of the literal.
func (c *checker) host(e *filter.Compare, id field.ID, names []string) Test {
	c.hosts = append(c.hosts, names...)
	address := map[field.ID]field.ID{
		field.FdCIPName: field.FdCIP, field.FdSIPName: field.FdSIP, field.FdLIPName: field.FdLIP, field.FdRIPName: field.FdRIP,
	}[id]
	known := c.names
	return func(ev Event) bool {
		ip := ev.Field(address, field.NoArgument).IP()
		if !ip.IsValid() {
			return false
		}
		for _, name := range names {
			if known.Is(name, ip) {
				return e.Op != filter.OpNe
			}
		}
		return e.Op == filter.OpNe
	}
}

// predicate compiles the right side.
func (c *checker) predicate(e *filter.Compare, left *operand, texts []string) (predicate, error) {
	if e.Modifier == filter.None {
		if filter.IsListOp(e.Op) {
			return c.set(e.Op, left.typ, texts)
		}
		return c.single(e.Op, left.typ, texts[0])
	}
	if e.Modifier == filter.AnyOf && (e.Op == filter.OpEq || e.Op == filter.OpEqEq) {
		return c.set(filter.OpIn, left.typ, texts)
	}
	if e.Modifier == filter.AnyOf && e.Op == filter.OpStartsWith && isText(left.typ) {
		prefixes := newPrefixSet(texts)
		return func(v field.Value) bool { return prefixes.begins(v.Str()) }, nil
	}
	parts := make([]predicate, 0, len(texts))
	for _, text := range texts {
		p, err := c.single(e.Op, left.typ, text)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	switch e.Modifier {
	case filter.AllOf:
		return func(v field.Value) bool {
			for _, p := range parts {
				if !p(v) {
					return false
				}
			}
			return len(parts) > 0
		}, nil
	case filter.OneOf:
		return func(v field.Value) bool {
			n := 0
			for _, p := range parts {
				if p(v) {
					n++
				}
			}
			return n == 1
		}, nil
	default:
		return func(v field.Value) bool {
			for _, p := range parts {
				if p(v) {
					return true
				}
			}
			return false
		}, nil
	}
}

// single compiles an operator with one literal.
func (c *checker) single(op filter.Op, t field.Type, text string) (predicate, error) {
	if t == field.IPNet {
		net, err := network(text)
		if err != nil {
			return nil, err
		}
		differs := op == filter.OpNe
		return func(v field.Value) bool { return net.Contains(v.IP()) != differs }, nil
	}
	if t == field.Dynamic {
		return dynamicSingle(op, text)
	}
	if isOrder(op) || isEquality(op) {
		want, err := literal(t, text)
		if err != nil {
			return nil, err
		}
		if isText(t) && !isOrder(op) {
			differs := op == filter.OpNe
			return func(v field.Value) bool { return (v.Str() == text) != differs }, nil
		}
		return ordered(op, want), nil
	}
	return textTest(op, text)
}

// ordered compares values with a constant.
func ordered(op filter.Op, want field.Value) predicate {
	switch op {
	case filter.OpEq, filter.OpEqEq:
		return func(v field.Value) bool { return equal(v, want) }
	case filter.OpNe:
		return func(v field.Value) bool { return !equal(v, want) }
	default:
		return func(v field.Value) bool { return inOrder(op, v, want) }
	}
}

// equal compares numbers of any kind by their value, and all else as it is.
func equal(a, b field.Value) bool {
	if n, ok := a.Compare(b); ok {
		return n == 0
	}
	return a.Equal(b)
}

func inOrder(op filter.Op, a, b field.Value) bool {
	n, ok := a.Compare(b)
	if !ok {
		return false
	}
	switch op {
	case filter.OpLt:
		return n < 0
	case filter.OpLe:
		return n <= 0
	case filter.OpGt:
		return n > 0
	case filter.OpGe:
		return n >= 0
	}
	return false
}

// textTest compiles the operators on texts and bytes.
func textTest(op filter.Op, text string) (predicate, error) {
	switch op {
	case filter.OpContains:
		return func(v field.Value) bool {
			if v.Kind() == field.KindBytes {
				return strings.Contains(v.Str(), text)
			}
			return strings.Contains(cString(v.Str()), text)
		}, nil
	case filter.OpIContains:
		part := lower(text)
		return func(v field.Value) bool { return containsFold(cString(v.Str()), part) }, nil
	case filter.OpStartsWith:
		return func(v field.Value) bool { return strings.HasPrefix(v.Str(), text) }, nil
	case filter.OpEndsWith:
		return func(v field.Value) bool { return strings.HasSuffix(v.Str(), text) }, nil
	case filter.OpGlob, filter.OpIGlob:
		fold := op == filter.OpIGlob
		return func(v field.Value) bool { return globMatch(text, v.Str(), fold) }, nil
	case filter.OpRegex:
		re, err := compileRegex(text)
		if err != nil {
			return nil, err
		}
		return func(v field.Value) bool { return re.MatchString(v.Str()) }, nil
	case filter.OpBContains, filter.OpBStartsWith:
		b, err := hexBytes(text)
		if err != nil {
			return nil, err
		}
		if op == filter.OpBContains {
			return func(v field.Value) bool { return strings.Contains(v.Str(), b) }, nil
		}
		return func(v field.Value) bool { return strings.HasPrefix(v.Str(), b) }, nil
	}
	return nil, fmt.Errorf("unexpected operator '%s'", op)
}

// dynamicSingle compares fields whose type depends on the event: as a number where both are numbers, else as text.
func dynamicSingle(op filter.Op, text string) (predicate, error) {
	number, notNumber := integer(text)
	if !isEquality(op) && !isOrder(op) {
		return textTest(op, text)
	}
	return func(v field.Value) bool {
		want := number
		if k := v.Kind(); k == field.KindText || k == field.KindBytes {
			want = field.Text(text)
		} else if notNumber != nil {
			return op == filter.OpNe
		}
		if isOrder(op) {
			return inOrder(op, v, want)
		}
		return equal(v, want) != (op == filter.OpNe)
	}, nil
}

// set compiles in, intersects and pmatch for one value.
func (c *checker) set(op filter.Op, t field.Type, texts []string) (predicate, error) {
	switch {
	case op == filter.OpPMatch:
		paths := newPathSet(texts)
		return func(v field.Value) bool { return paths.covers(v.Str()) }, nil
	case t == field.IPNet:
		var nets netSet
		for _, text := range texts {
			net, err := network(text)
			if err != nil {
				return nil, err
			}
			nets = append(nets, net)
		}
		return nets.has, nil
	case t == field.Charbuf || t == field.Bytebuf:
		set := newTextSet(texts)
		return func(v field.Value) bool { return set.has(v.Str()) }, nil
	case t == field.Dynamic:
		set := newTextSet(texts)
		return func(v field.Value) bool { return set.has(v.String()) }, nil
	}
	set := make(map[field.Value]struct{}, len(texts))
	for _, text := range texts {
		v, err := literal(t, text)
		if err != nil {
			return nil, err
		}
		set[canonical(v)] = struct{}{}
	}
	return func(v field.Value) bool {
		_, ok := set[canonical(v)]
		return ok
	}, nil
}

// canonical gives equal numbers one form.
func canonical(v field.Value) field.Value {
	if v.Kind() == field.KindInt && !v.IsNegative() {
		return field.Uint(v.Num())
	}
	return v
}

// dynamic compiles comparisons of two things that depend on the event.
func (c *checker) dynamic(l *leaf, e *filter.Compare, left *operand, call *filter.Call) error {
	right, err := c.call(call)
	if err != nil {
		return err
	}
	if err := alike(left, right); err != nil {
		return err
	}
	listOp := filter.IsListOp(e.Op)
	if right.multi != field.Single && (right.multi != field.List || !listOp) {
		return fmt.Errorf("'%s' has several values and cannot stand on the right of '%s'", right.name, e.Op)
	}
	compare, err := twoValues(e.Op)
	if err != nil {
		return err
	}
	// A missing value on either side makes the test false.
	l.test = func(ev Event) bool {
		holds := false
		found := left.each(ev, func(a field.Value) bool {
			holds = false
			right.each(ev, func(b field.Value) bool {
				holds = compare(a, b)
				return !holds
			})
			// Of lists, "in" asks for all and "intersects" for any; of ancestors and endpoints, any will do but for !=.
			wantAll := left.multi == field.List && e.Op == filter.OpIn || left.multi == field.Either && e.Op == filter.OpNe
			return holds == wantAll
		})
		return found && holds
	}
	return nil
}

func alike(left, right *operand) error {
	a, b := left.typ, right.typ
	switch {
	case a == b, a == field.Dynamic, b == field.Dynamic, isText(a) && isText(b), a.IsNumber() && b.IsNumber():
		return nil
	}
	return fmt.Errorf("'%s' of type %s cannot be compared with '%s' of type %s", left.name, a, right.name, b)
}

// twoValues gives the comparison for an operator whose right side depends on the event.
func twoValues(op filter.Op) (func(a, b field.Value) bool, error) {
	switch op {
	case filter.OpEq, filter.OpEqEq, filter.OpIn, filter.OpIntersects:
		return equal, nil
	case filter.OpNe:
		return func(a, b field.Value) bool { return !equal(a, b) }, nil
	case filter.OpLt, filter.OpLe, filter.OpGt, filter.OpGe:
		return func(a, b field.Value) bool { return inOrder(op, a, b) }, nil
	case filter.OpContains:
		return func(a, b field.Value) bool { return strings.Contains(cString(a.Str()), b.Str()) }, nil
	case filter.OpIContains:
		return func(a, b field.Value) bool { return containsFold(cString(a.Str()), lower(b.Str())) }, nil
	case filter.OpStartsWith:
		return func(a, b field.Value) bool { return strings.HasPrefix(a.Str(), b.Str()) }, nil
	case filter.OpEndsWith:
		return func(a, b field.Value) bool { return strings.HasSuffix(a.Str(), b.Str()) }, nil
	case filter.OpBContains, filter.OpBStartsWith:
		return func(a, b field.Value) bool {
			part, err := hexBytes(b.Str())
			if op == filter.OpBContains {
				return err == nil && strings.Contains(a.Str(), part)
			}
			return err == nil && strings.HasPrefix(a.Str(), part)
		}, nil
	case filter.OpGlob, filter.OpIGlob:
		return func(a, b field.Value) bool { return globMatch(b.Str(), a.Str(), op == filter.OpIGlob) }, nil
	case filter.OpPMatch:
		return func(a, b field.Value) bool { return newPathSet([]string{b.Str()}).covers(a.Str()) }, nil
	}
	// A regular expression that an event could choose is work that an event could choose.
	return nil, fmt.Errorf("the right side of '%s' must be a text, not a field", op)
}
