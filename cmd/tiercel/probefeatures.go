package main

import (
	"github.com/spf13/cobra"

	"github.com/tiercel/tiercel/probe"
)

// feature is what is said about one of the things that the probe needs of a machine.
type feature struct {
	Name     string `json:"name"`
	OK       bool   `json:"ok"`
	Required bool   `json:"required"`
	Detail   string `json:"detail"`
	Costs    string `json:"costs,omitempty"` // what is lost without it
}

func (c *cli) probeFeaturesCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "features",
		Short: "Show what the probe needs of this machine, and what is there",
		Long: `Show what the probe needs of this machine, and what is there.
It changes nothing.
If something is missing without which there is no probe,
the exit code is 1.`,
		Args: cobra.NoArgs,
	}
	f := formatFlag(command, formatTable, formatJSON, formatYAML)
	command.RunE = func(*cobra.Command, []string) error {
		features, lacking := []feature{}, false
		for _, one := range probe.CheckFeatures() {
			shown := feature{Name: one.Name, OK: one.OK, Required: one.Required, Detail: one.Detail}
			if !one.OK {
				shown.Costs = one.Costs
				lacking = lacking || one.Required
			}
			features = append(features, shown)
		}
		if err := c.showFeatures(f, features); err != nil {
			return err
		}
		if lacking {
			return exitError{code: exitFailure}
		}
		return nil
	}
	return command
}

func (c *cli) showFeatures(f *format, features []feature) error {
	if f.isData() {
		return c.write(f, features)
	}
	t := c.newTable("FEATURE", "STATE", "FOUND", "WITHOUT IT")
	for _, one := range features {
		state, shade := "ok", green
		switch {
		case !one.OK && one.Required:
			state, shade = "missing", red
		case !one.OK:
			state, shade = "less", yellow
		}
		row := texts(one.Name, state, one.Detail, one.Costs)
		row[1].colour = shade
		t.add(row...)
	}
	return t.writeTo(c.stdout, c.coloured(c.stdout))
}
