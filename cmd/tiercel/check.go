package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tiercel/tiercel/pkg/app"
	"github.com/tiercel/tiercel/pkg/config"
)

// checked is what there is to say about a config.
type checked struct {
	Valid    bool             `json:"valid"`
	Problems []config.Finding `json:"problems"`
	Warnings []config.Finding `json:"warnings"`
	Outputs  []string         `json:"outputs"`
	Connect  []app.Checked    `json:"connect,omitempty"`
}

func (c *cli) checkCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "check",
		Short: "Check the config; with --connect also whether each output can be reached",
		Long: `Check the config and the rule files that it names. Each problem is a line on
standard error, with file and line, and the exit code is 3.

With --connect each output is asked whether it would take alerts. Nothing is
sent that a person would see; for that there is "tiercel test". Outputs that
have no way to be asked say so, which is no failure.`,
		Args: cobra.NoArgs,
	}
	connect := command.Flags().Bool("connect", false, "try to reach each output")
	f := formatFlag(command, formatTable, formatJSON, formatYAML)
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, warnings, err := c.load()
		if err == nil {
			var more []config.Warning
			more, err = checkRules(cfg)
			warnings = append(warnings, more...)
		}
		var invalid *config.Invalid
		if err != nil && !errors.As(err, &invalid) {
			return err
		}
		result := checked{
			Valid: err == nil, Problems: []config.Finding{}, Warnings: append([]config.Finding{}, warnings...), Outputs: []string{},
		}
		if err != nil {
			result.Problems = invalid.Problems
		} else {
			for _, out := range cfg.Outputs {
				result.Outputs = append(result.Outputs, out.Name)
			}
			if *connect {
				result.Connect = app.Check(cmd.Context(), cfg, c.deps(cfg))
			}
		}
		if cmd.Context().Err() != nil {
			return cmd.Context().Err()
		}
		if err := c.showChecked(f, result, err); err != nil {
			return err
		}
		for _, one := range result.Connect {
			if one.Result == app.CheckFailed {
				return exitError{code: exitFailure}
			}
		}
		return nil
	}
	return command
}

// checkRules reads the rule files that the config names. Files that a start would refuse are a problem of the config;
// rules that can never be met are a warning each.
func checkRules(cfg *config.Config) ([]config.Warning, error) {
	if len(cfg.Rules.Files) == 0 {
		return nil, nil // the rules that are built in
	}
	const key = "rules.files"
	set, err := app.LoadRules(cfg)
	if err != nil {
		return nil, &config.Invalid{Problems: []config.Finding{{Key: key, Text: err.Error()}}}
	}
	var warnings []config.Warning
	for _, r := range set.Unmet {
		warnings = append(warnings, config.Warning{
			Key: key, Text: fmt.Sprintf("rule %q asks for what no event has: %s", r.Name, strings.Join(r.NotSupplied, ", ")),
		})
	}
	return warnings, nil
}

// showChecked writes the result; invalid is the error of a config that is not valid.
func (c *cli) showChecked(f *format, result checked, invalid error) error {
	if f.isData() {
		if err := c.write(f, result); err != nil || invalid == nil {
			return err
		}
		return exitError{code: exitInvalid}
	}
	for _, w := range result.Warnings {
		c.complain("warning: %s", w)
	}
	if invalid != nil {
		return invalid
	}
	if result.Connect != nil {
		return c.connectTable(result.Connect)
	}
	name := c.file
	if name == "" {
		name = "The config"
	}
	_, err := fmt.Fprintf(c.stdout, "%s is valid. Outputs: %s\n", oneLine(name), strings.Join(result.Outputs, ", "))
	return err
}

func (c *cli) connectTable(all []app.Checked) error {
	t := c.newTable("OUTPUT", "RESULT", "REASON", "ERROR")
	colours := map[string]colour{app.CheckOK: green, app.CheckFailed: red}
	for _, one := range all {
		row := texts(one.Output, one.Result, string(one.Reason), one.Error)
		row[1].colour = colours[one.Result]
		t.add(row...)
	}
	return t.writeTo(c.stdout, c.coloured(c.stdout))
}
