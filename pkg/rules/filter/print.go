package filter

import "strings"

// String writes a condition in Falco's normal form: one blank between words, parentheses around every "and" and
// "or", quotes only around texts that could not be read without.
func String(e Expr) string {
	var w strings.Builder
	write(&w, e)
	return w.String()
}

func write(w *strings.Builder, e Expr) {
	switch e := e.(type) {
	case *And:
		writeAll(w, e.Parts, " and ")
	case *Or:
		writeAll(w, e.Parts, " or ")
	case *Not:
		w.WriteString("not ")
		write(w, e.Part)
	case *Ident:
		w.WriteString(e.Name)
	case *Exists:
		writeOperand(w, e.Left)
		w.WriteString(" exists")
	case *Compare:
		writeOperand(w, e.Left)
		w.WriteByte(' ')
		w.WriteString(string(e.Op))
		w.WriteByte(' ')
		if e.Modifier != None {
			w.WriteString(string(e.Modifier))
			w.WriteByte(' ')
		}
		writeOperand(w, e.Right)
	}
}

func writeAll(w *strings.Builder, parts []Expr, between string) {
	w.WriteByte('(')
	for i, part := range parts {
		if i > 0 {
			w.WriteString(between)
		}
		write(w, part)
	}
	w.WriteByte(')')
}

func writeOperand(w *strings.Builder, o Operand) {
	switch o := o.(type) {
	case *Field:
		w.WriteString(o.Name)
		if o.HasArg {
			w.WriteString("[" + Quote(o.Arg) + "]")
		}
	case *Literal:
		w.WriteString(Quote(o.Text))
	case *List:
		if o.Name != "" {
			w.WriteString(o.Name)
			return
		}
		w.WriteByte('(')
		for i, item := range o.Items {
			if i > 0 {
				w.WriteString(", ")
			}
			writeOperand(w, item)
		}
		w.WriteByte(')')
	case *Call:
		w.WriteString(o.Name)
		writeArguments(w, o.Args)
		if o.HasSelector {
			w.WriteString("[" + Quote(o.Selector) + "]")
		}
	}
}

// writeArguments writes what transformers take, where a text needs quotes to be one.
func writeArguments(w *strings.Builder, args []Operand) {
	w.WriteByte('(')
	for i, arg := range args {
		if i > 0 {
			w.WriteString(", ")
		}
		switch arg := arg.(type) {
		case *Literal:
			p := parser{text: arg.Text}
			if p.numberText() != "" && p.at.Offset == len(arg.Text) {
				w.WriteString(arg.Text)
			} else {
				w.WriteString(quoted(arg.Text))
			}
		case *List:
			writeArguments(w, arg.Items)
		default:
			writeOperand(w, arg)
		}
	}
	w.WriteByte(')')
}

// Pretty writes a condition on several lines: one test per line, the parts of "and" and "or" indented. It reads back
// as the same condition.
func Pretty(e Expr) string {
	var w strings.Builder
	pretty(&w, e, 0)
	return w.String()
}

const (
	prettyIndent = "  "
	prettyShort  = 60 // parts up to this length stay on one line
)

func pretty(w *strings.Builder, e Expr, depth int) {
	word, parts := "and", []Expr(nil)
	switch e := e.(type) {
	case *And:
		parts = e.Parts
	case *Or:
		word, parts = "or", e.Parts
	case *Not:
		w.WriteString("not ")
		pretty(w, e.Part, depth)
		return
	}
	if parts == nil || e.size() <= prettyShort/4 && len(String(e)) <= prettyShort {
		write(w, e)
		return
	}
	indent := strings.Repeat(prettyIndent, depth+1)
	w.WriteString("(\n")
	for i, part := range parts {
		w.WriteString(indent)
		if i > 0 {
			w.WriteString(word + " ")
		}
		pretty(w, part, depth+1)
		w.WriteByte('\n')
	}
	w.WriteString(strings.Repeat(prettyIndent, depth) + ")")
}

// OperandString writes one side of a comparison.
func OperandString(o Operand) string {
	var w strings.Builder
	writeOperand(&w, o)
	return w.String()
}

// Quote writes a text as conditions have it. A text with blanks that ends in a backslash cannot be written: the
// language takes its closing quote for an escaped one.
func Quote(text string) string {
	if IsBare(text) && (!strings.ContainsAny(text, "\b\\") || strings.HasSuffix(text, "\\")) {
		return text
	}
	return quoted(text)
}

func quoted(text string) string {
	var w strings.Builder
	w.WriteByte('"')
	for i := range len(text) {
		switch c := text[i]; c {
		case '\b':
			w.WriteString(`\b`)
		case '\f':
			w.WriteString(`\f`)
		case '\n':
			w.WriteString(`\n`)
		case '\r':
			w.WriteString(`\r`)
		case '\t':
			w.WriteString(`\t`)
		case '\\', '"':
			w.WriteByte('\\')
			w.WriteByte(c)
		default:
			w.WriteByte(c)
		}
	}
	w.WriteByte('"')
	return w.String()
}
