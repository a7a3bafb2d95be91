package filter

import (
	"fmt"
	"slices"
	"strings"
)

// Nesting limits. Each pair of parentheses costs five levels, each nested transformer one.
const (
	MaxDepth     = 100  // for conditions on their own
	MaxRuleDepth = 1000 // for the conditions of rule files
)

// SyntaxError says where a condition stops making sense, and why.
type SyntaxError struct {
	At      Pos
	Message string
}

// Error gives the reason only; the place is for the one who knows the file.
func (e *SyntaxError) Error() string { return e.Message }

// Parse reads a condition. Its error is a *[SyntaxError]. The work is bounded by the length of the text, and the
// depth of calls by maxDepth.
func Parse(text string, maxDepth int) (expr Expr, err error) {
	if text == "" {
		return nil, &SyntaxError{Pos{0, 1, 1}, "the condition is empty: expected a test, such as proc.name = sh"}
	}
	p := &parser{text: text, at: Pos{0, 1, 1}, maxDepth: maxDepth}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *SyntaxError:
			expr, err = nil, e
		default:
			panic(e)
		}
	}()
	expr = p.or()
	if p.at.Offset != len(text) {
		p.failf("the condition cannot go on like this after '%s': expected 'and', 'or' or its end", p.last)
	}
	return expr, nil
}

// parser reads by recursive descent. A syntax error is a panic with a *SyntaxError, which [Parse] catches: each
// function would otherwise only hand it on.
type parser struct {
	text     string
	at       Pos
	last     string // the token read last, for messages
	depth    int
	maxDepth int
}

func (p *parser) failf(format string, args ...any) {
	panic(&SyntaxError{p.at, fmt.Sprintf(format, args...)})
}

// enter counts a level; the caller defers p.leave.
func (p *parser) enter() {
	if p.depth++; p.depth >= p.maxDepth {
		p.failf("the condition is nested deeper than %d levels: take parts of it out into macros", p.maxDepth)
	}
}

func (p *parser) leave() { p.depth-- }

func (p *parser) or() Expr {
	p.enter()
	defer p.leave()
	p.blanks()
	at := p.at
	parts := []Expr{p.and()}
	for p.blanks(); p.take("or"); p.blanks() {
		parts = append(parts, p.after("or", p.and))
	}
	return newOr(at, parts)
}

func (p *parser) and() Expr {
	p.enter()
	defer p.leave()
	p.blanks()
	at := p.at
	parts := []Expr{p.not()}
	for p.blanks(); p.take("and"); p.blanks() {
		parts = append(parts, p.after("and", p.not))
	}
	return newAnd(at, parts)
}

// after reads what follows "and" or "or": a blank and next, or a parenthesis.
func (p *parser) after(word string, next func() Expr) Expr {
	if p.blanks() {
		return next()
	}
	if !p.take("(") {
		p.failf("'%s' must be followed by a blank or '(', and by one more test", word)
	}
	return p.rest()
}

func (p *parser) not() Expr {
	p.enter()
	defer p.leave()
	p.blanks()
	at := p.at
	negative := false
	for {
		mark, last := p.at, p.last
		if p.take("not") && p.blanks() {
			negative = !negative
			continue
		}
		p.at, p.last = mark, last
		break
	}
	var part Expr
	if p.take("not(") {
		negative = !negative
		part = p.rest()
	} else {
		part = p.check()
	}
	if negative {
		return newNot(at, part)
	}
	return part
}

// rest reads a condition up to the parenthesis that closes it.
func (p *parser) rest() Expr {
	p.enter()
	defer p.leave()
	e := p.or()
	p.blanks()
	if !p.take(")") {
		p.failf("a '(' is never closed: expected ')' after '%s'", p.last)
	}
	return e
}

func (p *parser) check() Expr {
	p.enter()
	defer p.leave()
	p.blanks()
	if p.take("(") {
		return p.rest()
	}
	at := p.at
	if name := p.fieldName(); name != "" {
		return p.condition(p.field(name, at), at)
	}
	if name := p.callName(); name != "" {
		return p.condition(p.call(name, at), at)
	}
	if name := p.identifier(); name != "" {
		return &Ident{name, p.ident(at)}
	}
	p.failf("expected a test (a field and an operator), the name of a macro, or '('")
	return nil
}

// field reads the argument of a field whose name was just read.
func (p *parser) field(name string, at Pos) *Field {
	p.enter()
	defer p.leave()
	f := &Field{Name: name, At: at}
	f.Arg, f.HasArg = p.brackets()
	return f
}

func (p *parser) brackets() (string, bool) {
	if !p.take("[") {
		return "", false
	}
	arg, ok := p.quoted()
	if !ok {
		arg = p.while(func(c byte) bool { return !isSpace(c) && strings.IndexByte("[]\"'\x00", c) < 0 })
		ok = arg != ""
	}
	if !ok {
		p.failf("expected an argument in the brackets: quote it if it has blanks, quotes or brackets in it")
	}
	if !p.take("]") {
		p.failf("the brackets are never closed: expected ']' after the argument")
	}
	return arg, true
}

// call reads the arguments of a transformer whose name and parenthesis were just read. What arguments a transformer
// takes is not a matter of syntax.
func (p *parser) call(name string, at Pos) *Call {
	p.enter()
	defer p.leave()
	c := &Call{Name: name, At: at}
	for more := true; more; more = p.take(",") {
		c.Args = append(c.Args, p.argument(true))
		p.blanks()
	}
	if !p.take(")") {
		p.failf("the arguments of '%s' are never closed: expected ',' or ')' after '%s'", name, p.last)
	}
	if name == GetOpt {
		c.Selector, c.HasSelector = p.brackets()
	}
	return c
}

// argument reads a field, a transformer, a quoted text, a number or, where it may be one, a list of these.
func (p *parser) argument(list bool) Operand {
	p.blanks()
	at := p.at
	if text := p.numberText(); text != "" {
		return &Literal{text, at}
	}
	if text, ok := p.quoted(); ok {
		return &Literal{text, at}
	}
	if list && p.take("(") {
		return p.arguments(at)
	}
	if name := p.callName(); name != "" {
		return p.call(name, at)
	}
	if name := p.fieldName(); name != "" {
		return p.field(name, at)
	}
	p.failf("expected an argument: a field, a number, a text in quotes, a list in parentheses or a transformer (%s)", quotedNames(Transformers()))
	return nil
}

// arguments reads a list of arguments up to its closing parenthesis.
func (p *parser) arguments(at Pos) *List {
	l := &List{At: at}
	p.blanks()
	if p.take(")") {
		return l
	}
	for {
		l.Items = append(l.Items, p.argument(false))
		p.blanks()
		if p.take(")") {
			return l
		}
		if !p.take(",") {
			p.failf("the list is never closed: expected ',' or ')' after '%s'", p.last)
		}
	}
}

// literal reads a text, quoted or bare.
func (p *parser) literal() Operand {
	p.blanks()
	at := p.at
	if text, ok := p.quoted(); ok {
		return &Literal{text, at}
	}
	if text := p.bare(); text != "" {
		return &Literal{text, at}
	}
	p.failf("expected one more item of the list: quote it if it has blanks, quotes, commas, parentheses or '=' in it")
	return nil
}

// condition reads the operator and the right side of a test.
func (p *parser) condition(left Operand, at Pos) Expr {
	p.enter()
	defer p.leave()
	p.blanks()
	if p.take(string(OpExists)) {
		return &Exists{left, p.leaf(at)}
	}
	if op, ok := p.operator(numberOps, false); ok {
		return &Compare{left, op, None, p.number(), p.leaf(at)}
	}
	op, ok := p.operator(symbolOps, false)
	if !ok {
		op, ok = p.operator(wordOps, true)
	}
	if ok {
		if m, list := p.modified(); m != None {
			return &Compare{left, op, m, list, p.leaf(at)}
		}
		return &Compare{left, op, None, p.stringValue(), p.leaf(at)}
	}
	if op, ok := p.operator(listOps, false); ok {
		list := p.list()
		c := &Compare{left, op, None, list, p.leaf(at)}
		if l, ok := list.(*List); ok {
			c.nodes = min(maxSize, 1+len(l.Items)/16)
		}
		return c
	}
	names := make([]string, 0, 24)
	for _, op := range Operators() {
		names = append(names, string(op))
	}
	p.failf("expected an operator after '%s': one of %s", p.last, quotedNames(names))
	return nil
}

func (p *parser) operator(ops []Op, word bool) (Op, bool) {
	for _, op := range ops {
		if !strings.HasPrefix(p.text[p.at.Offset:], string(op)) {
			continue
		}
		if after := p.at.Offset + len(op); word && (after >= len(p.text) || !isBlank(p.text[after])) {
			continue
		}
		p.take(string(op))
		return op, true
	}
	return "", false
}

// modified reads a modifier and its list, if there is one: the same words may also be plain texts.
func (p *parser) modified() (Modifier, *List) {
	mark, last := p.at, p.last
	// A word operator has a blank before the modifier by itself; "=" needs one too.
	if !p.blanks() {
		return None, nil
	}
	for _, m := range modifiers {
		if !p.take(string(m)) {
			continue
		}
		if !p.blanks() || p.keywordAhead() {
			break
		}
		start := p.at
		if p.take("(") {
			return m, p.literals(start)
		}
		if name := p.identifier(); name != "" {
			return m, &List{Name: name, Items: []Operand{&Literal{name, start}}, At: start}
		}
		break
	}
	p.at, p.last = mark, last
	return None, nil
}

// keywordAhead reports whether "and" or "or" comes next, as a word of its own.
func (p *parser) keywordAhead() bool {
	rest := p.text[p.at.Offset:]
	for _, word := range []string{"and", "or"} {
		if after, ok := strings.CutPrefix(rest, word); ok && (after == "" || isBlank(after[0]) || after[0] == '(') {
			return true
		}
	}
	return false
}

func (p *parser) number() Operand {
	p.enter()
	defer p.leave()
	p.blanks()
	at := p.at
	if c := p.value(); c != nil {
		return c
	}
	if text := p.numberText(); text != "" {
		return &Literal{text, at}
	}
	p.failf("the right side must be a number, or a field within a transformer (%s)", quotedNames(append(Transformers(), Val)))
	return nil
}

func (p *parser) stringValue() Operand {
	p.enter()
	defer p.leave()
	p.blanks()
	at := p.at
	if c := p.value(); c != nil {
		return c
	}
	if text, ok := p.quoted(); ok {
		return &Literal{text, at}
	}
	if text := p.bare(); text != "" {
		return &Literal{text, at}
	}
	p.failf("the right side must be a text, in quotes where it is more than a word, or a field within a transformer (%s)", quotedNames(append(Transformers(), Val)))
	return nil
}

func (p *parser) list() Operand {
	p.enter()
	defer p.leave()
	p.blanks()
	at := p.at
	if p.take("(") {
		return p.literals(at)
	}
	if c := p.value(); c != nil {
		return c
	}
	if name := p.identifier(); name != "" {
		return &List{Name: name, Items: []Operand{&Literal{name, at}}, At: at}
	}
	p.failf("the right side must be a list in parentheses, the name of a list, or a field within a transformer (%s)", quotedNames(append(Transformers(), Val)))
	return nil
}

// literals reads the items of a list up to its closing parenthesis.
func (p *parser) literals(at Pos) *List {
	l := &List{At: at}
	p.blanks()
	if p.take(")") {
		return l
	}
	for {
		l.Items = append(l.Items, p.literal())
		p.blanks()
		if p.take(")") {
			return l
		}
		if !p.take(",") {
			p.failf("the list is never closed: expected ',' or ')' after '%s'", p.last)
		}
	}
}

// value reads a transformer or val(field), if there is one.
func (p *parser) value() Operand {
	at := p.at
	if p.take(Val + "(") {
		p.blanks()
		fieldAt := p.at
		name := p.fieldName()
		if name == "" {
			p.failf("'%s' takes a field: expected its name after '('", Val)
		}
		c := &Call{Name: Val, Args: []Operand{p.field(name, fieldAt)}, At: at}
		p.blanks()
		if !p.take(")") {
			p.failf("'%s' takes nothing but a field: expected ')' after '%s'", Val, p.last)
		}
		return c
	}
	if name := p.callName(); name != "" {
		return p.call(name, at)
	}
	return nil
}

func quotedNames(names []string) string {
	quoted := slices.Clone(names)
	for i, n := range quoted {
		quoted[i] = "'" + n + "'"
	}
	return strings.Join(quoted, ", ")
}

// ParseCall reads a transformer at the beginning of text, as outputs may have it, and gives its length. It returns nil
// where there is none, or none that can be read.
func ParseCall(text string) (call *Call, length int) {
	p := &parser{text: text, at: Pos{0, 1, 1}, maxDepth: MaxDepth}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *SyntaxError:
			call, length = nil, 0
		default:
			panic(e)
		}
	}()
	name := p.callName()
	if name == "" {
		return nil, 0
	}
	return p.call(name, Pos{0, 1, 1}), p.at.Offset
}
