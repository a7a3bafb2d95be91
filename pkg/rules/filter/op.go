package filter

import (
	"slices"
	"strings"
)

// Op is an operator.
type Op string

// The operators.
const (
	OpExists      Op = "exists"
	OpEq          Op = "="
	OpEqEq        Op = "=="
	OpNe          Op = "!="
	OpLt          Op = "<"
	OpLe          Op = "<="
	OpGt          Op = ">"
	OpGe          Op = ">="
	OpContains    Op = "contains"
	OpIContains   Op = "icontains"
	OpBContains   Op = "bcontains"
	OpStartsWith  Op = "startswith"
	OpBStartsWith Op = "bstartswith"
	OpEndsWith    Op = "endswith"
	OpGlob        Op = "glob"
	OpIGlob       Op = "iglob"
	OpRegex       Op = "regex"
	OpIn          Op = "in"
	OpIntersects  Op = "intersects"
	OpPMatch      Op = "pmatch"
)

// Modifier says how an operator is applied to a list.
type Modifier string

// The modifiers. None of them holds for an empty list.
const (
	None  Modifier = ""
	AnyOf Modifier = "anyof" // holds for at least one item
	AllOf Modifier = "allof" // holds for every item
	OneOf Modifier = "oneof" // holds for exactly one item, which is our reading of the word
)

// The orders matter: of two operators of which one begins with the other, the longer comes first.
var (
	numberOps = []Op{OpLe, OpLt, OpGe, OpGt}
	symbolOps = []Op{OpEqEq, OpEq, OpNe}
	wordOps   = []Op{
		OpGlob, OpIGlob, OpContains, OpIContains, OpBContains, OpStartsWith, OpBStartsWith, OpEndsWith, OpRegex,
	}
	listOps   = []Op{OpIntersects, OpIn, OpPMatch}
	modifiers = []Modifier{OneOf, AnyOf, AllOf}
)

// Operators lists all operators as error messages and documents name them.
func Operators() []Op {
	all := []Op{OpExists}
	for _, ops := range [][]Op{numberOps, symbolOps, wordOps, listOps} {
		all = append(all, ops...)
	}
	return all
}

// IsListOp reports whether the right side of op is a list.
func IsListOp(op Op) bool {
	return op == OpIn || op == OpIntersects || op == OpPMatch
}

// IsTextOp reports whether op may have a modifier.
func IsTextOp(op Op) bool {
	return slices.Contains(symbolOps, op) || slices.Contains(wordOps, op)
}

// ParseOp reads an operator with or without a modifier, as exceptions name them: "startswith", "glob oneof".
func ParseOp(text string) (Op, Modifier, bool) {
	word, rest, modified := strings.Cut(text, " ")
	op := Op(word)
	if !slices.Contains(Operators(), op) {
		return "", None, false
	}
	if !modified {
		return op, None, true
	}
	for _, m := range modifiers {
		if strings.TrimSpace(rest) == string(m) && IsTextOp(op) {
			return op, m, true
		}
	}
	return "", None, false
}

// The transformers.
const (
	Val      = "val" // the plain value of a field, on the right only
	ToLower  = "tolower"
	ToUpper  = "toupper"
	Base64   = "b64" // decodes
	Basename = "basename"
	Len      = "len"
	Join     = "join"
	Concat   = "concat"
	GetOpt   = "getopt"
)

// Transformers lists the transformers that may stand on either side.
func Transformers() []string {
	return []string{ToLower, ToUpper, Base64, Basename, Len, Join, Concat, GetOpt}
}
