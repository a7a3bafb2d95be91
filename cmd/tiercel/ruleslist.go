package main

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tiercel/tiercel/pkg/falcoevent"
	"github.com/tiercel/tiercel/pkg/rules"
	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
)

// listedRule is a rule as it is written for programs.
type listedRule struct {
	Name        string   `json:"name"`
	Priority    string   `json:"priority"`
	Source      string   `json:"source"`
	Enabled     bool     `json:"enabled"`
	Tags        []string `json:"tags"`
	Events      []string `json:"events"` // system calls, or what happens at terminals
	Description string   `json:"description"`
	File        string   `json:"file"`
	Line        int      `json:"line"`
	NotSupplied []string `json:"not_supplied"` // fields and events that never come
}

func (c *cli) rulesListCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "list [FILE...]",
		Short: "List the rules of files",
		Long: `List the rules of files, in the order in which they are tested, with the system
calls and other events that each is tested for.`,
		ValidArgsFunction: ruleFileNames,
	}
	var selection ruleSelection
	selection.flags(command)
	f := formatFlag(command, formatTable, formatJSON, formatJSONL, formatYAML)
	command.RunE = func(_ *cobra.Command, args []string) error {
		all, cfg, err := c.loadRules(args)
		if err != nil {
			return err
		}
		options, err := selection.options(cfg)
		if err != nil {
			return err
		}
		enabled := map[*rules.Rule]bool{}
		for _, r := range rules.Compile(all, options).Rules() {
			enabled[r] = true
		}
		list := make([]listedRule, 0, len(all))
		for _, r := range all {
			list = append(list, listed(r, enabled[r]))
		}
		if f.isData() {
			return writeAll(c, f, list)
		}
		t := c.newTable("NAME", "PRIORITY", "SOURCE", "ENABLED", "TAGS", "EVENTS")
		for _, r := range list {
			row := texts(r.Name, r.Priority, r.Source, "", strings.Join(r.Tags, ","), eventNames(r.Events))
			row[3] = yesNo(r.Enabled)
			t.add(row...)
		}
		return t.writeTo(c.stdout, c.coloured(c.stdout))
	}
	return command
}

func listed(r *rules.Rule, enabled bool) listedRule {
	return listedRule{
		Name: r.Name, Priority: r.Priority.String(), Source: r.Source.String(), Enabled: enabled, Tags: append([]string{}, r.Tags...),
		Events: names(r.Condition.Types), Description: strings.TrimSpace(r.Desc), File: r.Where.File, Line: r.Where.Line,
		NotSupplied: append([]string{}, r.NotSupplied...),
	}
}

func names(types event.Set) []string {
	all := []string{}
	for t := range types.All() {
		all = append(all, t.String())
	}
	return all
}

// manyEvents are more than a table has room for.
const manyEvents = 100

func eventNames(events []string) string {
	if len(events) > manyEvents {
		return "nearly all"
	}
	return strings.Join(events, ",")
}

// listedField is a field as it is written for programs.
type listedField struct {
	Name       string `json:"name"`
	Type       string `json:"type"`
	Argument   string `json:"argument,omitempty"`
	Several    string `json:"several,omitempty"`
	Source     string `json:"source,omitempty"` // the only source of rules that has it; any if missing
	Deprecated bool   `json:"deprecated,omitempty"`
	Never      string `json:"never,omitempty"` // why the probe never gives a value
	Meaning    string `json:"meaning"`
}

func (c *cli) rulesFieldsCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "fields [TEXT...]",
		Short: "List the fields that conditions and outputs may name",
		Long: `List the fields that conditions and outputs may name: all, or those whose name
has one of the texts in it.`,
	}
	source := sourceFlag(command, "list the fields for rules of this source only")
	f := formatFlag(command, formatTable, formatJSON, formatJSONL, formatYAML)
	command.RunE = func(_ *cobra.Command, args []string) error {
		list := []listedField{}
		for one := range field.All() {
			if without(source.value, one) || !hasOne(one.Name, args) {
				continue
			}
			l := listedField{
				Name: one.Name, Type: one.Type.String(), Argument: one.ArgumentForms(), Several: one.Multi.String(),
				Deprecated: one.Deprecated, Never: falcoevent.NotSupplied(one.ID), Meaning: strings.ReplaceAll(one.Doc, "`", ""),
			}
			if one.Terminal {
				l.Source = event.Terminal.String()
			}
			list = append(list, l)
		}
		if f.isData() {
			return writeAll(c, f, list)
		}
		t := c.newTable("FIELD", "TYPE", "ARGUMENT", "SEVERAL", "MEANING")
		for _, l := range list {
			meaning := l.Meaning
			if l.Deprecated {
				meaning += " (deprecated)"
			}
			if l.Never != "" {
				meaning += " (never set: " + l.Never + ")"
			}
			t.add(texts(l.Name, l.Type, l.Argument, l.Several, meaning)...)
		}
		return t.writeTo(c.stdout, c.coloured(c.stdout))
	}
	return command
}

// listedEvent is a type of events as it is written for programs.
type listedEvent struct {
	Name       string      `json:"name"`
	Source     string      `json:"source"`
	Parameters []parameter `json:"parameters"`
}

type parameter struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

func (c *cli) rulesEventsCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "events [TEXT...]",
		Short: "List the events that evt.type may name, with their parameters",
		Long: `List the events that evt.type may name, with the parameters that evt.arg.NAME
stands for: all, or those whose name has one of the texts in it.`,
	}
	source := sourceFlag(command, "list the events of this source only")
	f := formatFlag(command, formatTable, formatJSON, formatJSONL, formatYAML)
	command.RunE = func(_ *cobra.Command, args []string) error {
		list := []listedEvent{}
		for _, from := range []event.Source{event.Syscall, event.Terminal} {
			for t := range event.All(from) {
				if source.value != "" && source.value != from.String() || !hasOne(t.String(), args) {
					continue
				}
				l := listedEvent{Name: t.String(), Source: from.String(), Parameters: []parameter{}}
				for name, kind := range t.Params() {
					l.Parameters = append(l.Parameters, parameter{name, kind})
				}
				list = append(list, l)
			}
		}
		slices.SortStableFunc(list, func(a, b listedEvent) int { return cmp.Compare(a.Name, b.Name) })
		if f.isData() {
			return writeAll(c, f, list)
		}
		t := c.newTable("EVENT", "SOURCE", "PARAMETERS")
		for _, l := range list {
			var parameters []string
			for _, p := range l.Parameters {
				parameters = append(parameters, p.Name)
			}
			t.add(texts(l.Name, l.Source, strings.Join(parameters, " "))...)
		}
		return t.writeTo(c.stdout, c.coloured(c.stdout))
	}
	return command
}

// hasOne reports whether name has one of the parts in it, or there are none.
func hasOne(name string, parts []string) bool {
	return len(parts) == 0 || slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(name, part) })
}

// sourceFlag gives a command the flag --source.
func sourceFlag(command *cobra.Command, about string) *choice {
	return choiceFlag(command, "source", "SOURCE", about, event.Syscall.String(), event.Terminal.String())
}

// without reports whether a field has no meaning for a source. At terminals there are no calls, so their arguments and
// files have no values.
func without(source string, f field.Field) bool {
	switch source {
	case event.Syscall.String():
		return f.Terminal
	case event.Terminal.String():
		return !slices.Contains([]string{"evt", "proc", "user", "group", "container", "shell"}, f.Class)
	}
	return false
}
