package field

import (
	"bytes"
	"fmt"
	"strings"
)

// Page is the documentation of all fields, Markdown.
func Page() []byte {
	var w bytes.Buffer
	w.WriteString(`# Fields

<!-- Generated from pkg/rules/field by go generate. Do not edit. -->

Fields are what conditions test and outputs show. They have Falco's names, types and meanings; those that begin with
` + "`shell.`" + ` are our own and exist for rules with ` + "`source: terminal`" + ` only, together with the fields of the process, the user
and the container.

* A field without a value makes every test false, ` + "`!=`" + ` too; ` + "`exists`" + ` asks whether there is one.
* **Argument**: ` + "`[n]`" + ` takes a number, ` + "`[key]`" + ` a text or a number, ` + "`.key`" + ` also one after a dot; in parentheses where it may be left out.
* **Several**: *ancestors* without an argument stands for every ancestor, and a test holds if it holds for any;
  *endpoints* stands for both ends of a connection, and a test holds if it holds for either (` + "`!=`" + `: for both); a *list* knows
  ` + "`in`" + ` (all of it), ` + "`intersects`" + ` (any of it) and ` + "`exists`" + `; of *any*, a test holds if it holds for any of the values.
* Which fields have values depends on where the events come from. ` + "`tiercel rules check`" + ` names, for each rule, those that never will.
`)
	for _, c := range classes {
		fmt.Fprintf(&w, "\n## %s\n\n%s\n\n| field | type | argument | several | meaning |\n|---|---|---|---|---|\n", c.Name, c.Doc)
		for f := range All() {
			if f.Class != c.Name {
				continue
			}
			doc := strings.ReplaceAll(f.Doc, "|", `\|`)
			if f.Deprecated {
				doc += " (deprecated)"
			}
			fmt.Fprintf(&w, "| `%s` | %s | %s | %s | %s |\n", f.Name, f.Type, argument(f), f.Multi, doc)
		}
	}
	return w.Bytes()
}

// argument says which arguments a field takes, Markdown.
func argument(f Field) string {
	forms := strings.Fields(f.ArgumentForms())
	for i, form := range forms {
		inner := strings.Trim(form, "()")
		forms[i] = strings.Replace(form, inner, "`"+inner+"`", 1)
	}
	return strings.Join(forms, " ")
}
