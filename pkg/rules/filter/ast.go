// Package filter is the language of conditions: its syntax, its trees, and what lists and macros do to them.
package filter

// Pos is a place in the text of a condition. Line and Column count from 1, Column in bytes; Offset counts bytes
// from 0.
type Pos struct{ Offset, Line, Column int }

// Expr is a condition or a part of it: *[And], *[Or], *[Not], *[Ident], *[Exists] or *[Compare]. Trees are never
// changed once made, so they may share parts.
type Expr interface {
	Pos() Pos
	Text() string // for tests and macro names, the text that they stand in: the rule's or a macro's
	size() int    // number of nodes, counting shared parts as often as they occur; at most maxSize
	idents() int  // number of macro names left, likewise
}

// Operand is one side of a comparison: *[Field], *[Call], *[Literal] or *[List].
type Operand interface {
	Pos() Pos
	operand()
}

// And holds when all of its parts hold. They are tested from left to right, up to the first that does not hold.
type And struct {
	Parts []Expr
	node
}

// Or holds when any of its parts holds. They are tested from left to right, up to the first that holds.
type Or struct {
	Parts []Expr
	node
}

// Not holds when its part does not.
type Not struct {
	Part Expr
	node
}

// Ident is the name of a macro.
type Ident struct {
	Name string
	node
}

// Exists holds when its operand has a value.
type Exists struct {
	Left Operand
	node
}

// Compare holds when the operator holds for both sides. With a modifier, Right is a list, and the operator is applied
// to each of its items.
type Compare struct {
	Left     Operand
	Op       Op
	Modifier Modifier
	Right    Operand
	node
}

// Field is the name of a field, with its argument.
type Field struct {
	Name   string
	Arg    string
	HasArg bool
	At     Pos
}

// Call is a transformer applied to operands.
type Call struct {
	Name        string // "tolower"; "val" stands for the plain value of a field
	Args        []Operand
	Selector    string // what stands in brackets after the call
	HasSelector bool
	At          Pos
}

// Literal is a text or a number, as written, without its quotes.
type Literal struct {
	Text string
	At   Pos
}

// List is several literals or, as an argument of a call, several operands.
type List struct {
	Items []Operand
	Name  string // of a list that was written without parentheses
	At    Pos
}

// Pos is where the operand begins.
func (f *Field) Pos() Pos { return f.At }

// Pos is where the operand begins.
func (c *Call) Pos() Pos { return c.At }

// Pos is where the operand begins.
func (l *Literal) Pos() Pos { return l.At }

// Pos is where the operand begins.
func (l *List) Pos() Pos { return l.At }

func (*Field) operand()   {}
func (*Call) operand()    {}
func (*Literal) operand() {}
func (*List) operand()    {}

// node is what all expressions have.
type node struct {
	at     Pos
	text   string // what a leaf was read from
	nodes  int
	macros int
}

// Pos is where the expression begins.
func (n *node) Pos() Pos { return n.at }

// Text is the condition that a test or a macro's name was read from.
func (n *node) Text() string { return n.text }

func (n *node) size() int   { return n.nodes }
func (n *node) idents() int { return n.macros }

// maxSize bounds the number of nodes of a condition after its macros were put in. The largest official condition has
// some hundreds.
const maxSize = 1 << 16

// Size is the number of nodes of a condition, counting parts that it shares as often as they occur.
func Size(e Expr) int { return e.size() }

// TooLarge reports whether the condition has more nodes than can be compiled.
func TooLarge(e Expr) bool { return e.size() >= maxSize }

func sum(at Pos, parts ...Expr) node {
	n := node{at: at, nodes: 1}
	for _, p := range parts {
		n.nodes = min(n.nodes+p.size(), maxSize)
		n.macros = min(n.macros+p.idents(), maxSize)
	}
	return n
}

func newAnd(at Pos, parts []Expr) Expr {
	if len(parts) == 1 {
		return parts[0]
	}
	return &And{parts, sum(at, parts...)}
}

func newOr(at Pos, parts []Expr) Expr {
	if len(parts) == 1 {
		return parts[0]
	}
	return &Or{parts, sum(at, parts...)}
}

func newNot(at Pos, part Expr) Expr { return &Not{part, sum(at, part)} }

// leaf is the node of a test.
func (p *parser) leaf(at Pos) node { return node{at: at, text: p.text, nodes: 1} }

// ident is the node of a macro's name.
func (p *parser) ident(at Pos) node { return node{at: at, text: p.text, nodes: 1, macros: 1} }
