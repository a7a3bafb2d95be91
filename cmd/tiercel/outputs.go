package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/config"
	"github.com/tiercel/tiercel/pkg/size"
)

// outputKind is an output that there is, with its configured instances.
type outputKind struct {
	Name       string       `json:"name"`
	Title      string       `json:"title"`
	Category   string       `json:"category"`
	About      string       `json:"about"`
	Switches   []string     `json:"switches"` // keys each of which switches it on
	Batch      batch        `json:"batch"`
	Configured []configured `json:"configured"`
}

// batch is how many alerts one request holds at most.
type batch struct {
	Alerts int        `json:"alerts"`
	Bytes  size.Bytes `json:"bytes,omitempty"`
}

// configured is one output in use.
type configured struct {
	Name            string `json:"name"`
	MinimumPriority string `json:"minimumpriority"`
	When            string `json:"when,omitempty"`
}

func (c *cli) outputsCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "outputs",
		Short: "List the outputs there are, and those that are configured",
		Args:  cobra.NoArgs,
	}
	f := formatFlag(command, formatTable, formatJSON, formatJSONL, formatYAML)
	command.RunE = func(*cobra.Command, []string) error {
		cfg, err := c.loadWarning()
		if err != nil {
			return err
		}
		kinds := outputKinds(c.specs, cfg)
		if f.isData() {
			return writeAll(c, f, kinds)
		}
		return c.outputsTables(kinds)
	}
	return command
}

func outputKinds(specs []outputs.Spec, cfg *config.Config) []outputKind {
	kinds := make([]outputKind, len(specs))
	for i, spec := range specs {
		k := outputKind{
			Name: spec.Name, Title: spec.Title, Category: spec.Category, About: spec.About,
			Switches:   append([]string{}, config.Switches(spec)...),
			Batch:      batch{Alerts: max(spec.Batch.Max, 1), Bytes: spec.Batch.Bytes},
			Configured: []configured{},
		}
		if spec.Batch.OneByOne {
			k.Batch = batch{Alerts: 1}
		}
		for _, out := range cfg.Outputs {
			if out.Spec.Name == spec.Name {
				k.Configured = append(k.Configured, configured{out.Name, out.Lane.MinimumPriority.String(), out.Lane.When})
			}
		}
		kinds[i] = k
	}
	return kinds
}

func (c *cli) outputsTables(kinds []outputKind) error {
	all := c.newTable("NAME", "TITLE", "CATEGORY", "BATCH", "CONFIGURED", "SWITCHED ON BY")
	inUse := c.newTable("OUTPUT", "MINIMUM PRIORITY", "WHEN")
	for _, k := range kinds {
		isOn := cell{text: "no"}
		if len(k.Configured) > 0 {
			isOn = cell{"yes", green}
		}
		row := texts(k.Name, k.Title, k.Category, strconv.Itoa(k.Batch.Alerts), "", strings.Join(k.Switches, " or "))
		row[4] = isOn
		all.add(row...)
		for _, out := range k.Configured {
			when := out.When
			if when == "" {
				when = "always"
			}
			inUse.add(texts(out.Name, out.MinimumPriority, when)...)
		}
	}
	if err := all.writeTo(c.stdout, c.coloured(c.stdout)); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(c.stdout); err != nil {
		return err
	}
	return inUse.writeTo(c.stdout, c.coloured(c.stdout))
}

// outputNames completes the names of configured outputs.
func (c *cli) outputNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	cfg, _, err := c.load()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	names := make([]string, len(cfg.Outputs))
	for i, out := range cfg.Outputs {
		names[i] = out.Name
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
