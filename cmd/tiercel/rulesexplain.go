package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tiercel/tiercel/pkg/falcoevent"
	"github.com/tiercel/tiercel/pkg/rules"
	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/pkg/rules/filter"
)

// explained is a rule with all that follows from its files, as it is written for programs.
type explained struct {
	listedRule

	Written      string   `json:"condition_written"` // with its exceptions and what was appended
	Condition    string   `json:"condition"`         // with its macros and lists put in
	Output       string   `json:"output"`
	Fields       []string `json:"fields"`        // of the condition
	OutputFields []string `json:"output_fields"` // of the output
	Hosts        []string `json:"hosts"`         // names whose addresses are looked up
}

func (c *cli) rulesExplainCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "explain RULE",
		Short: "Show what a rule means: its condition without macros, its events and fields",
		Long: `Show what a rule means after all its files: the condition as written and with
its macros and lists put in, the system calls and other events that it is tested
for, the fields that it asks for, and which of these never have a value here.

RULE is the name, whole or in part.`,
		Args: cobra.ExactArgs(1),
	}
	var files []string
	command.Flags().StringSliceVarP(&files, "rules", "r", nil, "`FILE` or folder of rules; may be given more than once")
	f := formatFlag(command, formatText, formatJSON, formatYAML)
	command.RunE = func(_ *cobra.Command, args []string) error {
		all, _, err := c.loadRules(files)
		if err != nil {
			return err
		}
		r, err := findRule(all, args[0])
		if err != nil {
			return err
		}
		e := explain(r)
		if f.isData() {
			return c.write(f, e)
		}
		return writeSafely(c.stdout, []byte(e.text(filter.Pretty(r.Expr))))
	}
	return command
}

// findRule finds a rule by its name, or by a part of it that no other rule has.
func findRule(all []*rules.Rule, name string) (*rules.Rule, error) {
	var found []*rules.Rule
	for _, r := range all {
		if r.Name == name {
			return r, nil
		}
		if strings.Contains(strings.ToLower(r.Name), strings.ToLower(name)) {
			found = append(found, r)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("there is no rule %q: \"tiercel rules list\" has the names", name)
	}
	const most = 5
	var names []string
	for _, r := range found[:min(len(found), most)] {
		names = append(names, "'"+r.Name+"'")
	}
	if len(found) > most {
		names = append(names, fmt.Sprintf("%d more", len(found)-most))
	}
	return nil, fmt.Errorf("%q is in the names of several rules: %s", name, strings.Join(names, ", "))
}

func explain(r *rules.Rule) explained {
	return explained{
		listedRule: listed(r, r.Enabled), Written: r.Written, Condition: filter.String(r.Expr), Output: r.Output,
		Fields: fieldTexts(r.Condition.Refs), OutputFields: fieldTexts(r.Format.Refs()), Hosts: append([]string{}, r.Condition.Hosts...),
	}
}

// fieldTexts are the fields as the rule names them, each once.
func fieldTexts(refs []field.Ref) []string {
	all := []string{}
	seen := map[string]bool{}
	for _, ref := range refs {
		if !seen[ref.Text] {
			seen[ref.Text] = true
			all = append(all, ref.Text)
		}
	}
	return all
}

// text writes it for people.
func (e explained) text(condition string) string {
	var w strings.Builder
	enabled := "enabled"
	if !e.Enabled {
		enabled = "disabled"
	}
	fmt.Fprintf(&w, "%s\n%s\n\n", e.Name, strings.Join(strings.Fields(e.Description), " "))
	for _, row := range [][2]string{
		{"file", fmt.Sprintf("%s:%d", e.File, e.Line)},
		{"source", e.Source},
		{"priority", e.Priority + ", " + enabled},
		{"tags", strings.Join(e.Tags, ", ")},
		{"events", strings.ReplaceAll(eventNames(e.Events), ",", ", ")},
		{"fields", strings.Join(e.Fields, ", ")},
		{"output", strings.Join(strings.Fields(e.Output), " ")},
		{"hosts", strings.Join(e.Hosts, ", ")},
		{"never set", strings.Join(e.unsupplied(), "; ")},
	} {
		if row[1] == "" && row[0] == "events" {
			row[1] = "none: it can never fire"
		}
		if row[1] != "" {
			fmt.Fprintf(&w, "%-13s %s\n", row[0], row[1])
		}
	}
	fmt.Fprintf(&w, "\nThe condition as written:\n\n%s\n\nThe condition with its macros and lists:\n\n%s\n", indented(e.Written), indented(condition))
	return w.String()
}

// unsupplied are the fields and events that never come, with the reason where there is one.
func (e explained) unsupplied() []string {
	source, _ := event.ParseSource(e.Source)
	var all []string
	for _, name := range e.NotSupplied {
		if ref, n, err := field.Prefix(source, name); err == nil && n == len(name) {
			if why := falcoevent.NotSupplied(ref.ID); why != "" {
				name += " (" + why + ")"
			}
		}
		all = append(all, name)
	}
	return all
}

func indented(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight("  "+line, " ")
	}
	return strings.Join(lines, "\n")
}
