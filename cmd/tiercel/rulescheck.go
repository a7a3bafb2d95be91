package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tiercel/tiercel/pkg/rules/load"
)

func (c *cli) rulesCheckCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "check [FILE...]",
		Short: "Check rule files, as falco -V does",
		Long: `Check rule files, as "falco -V" does: the files are loaded one after the other,
so a later one may change what an earlier one defines. Standard output says for
each whether it is valid, with each error and its place; warnings go to standard
error. The exit code is 1 if a file is not valid.

With -o json it is Falco's falco_load_results.`,
		ValidArgsFunction: ruleFileNames,
	}
	f := formatFlag(command, formatText, formatJSON)
	command.RunE = func(_ *cobra.Command, args []string) error {
		cfg, err := c.loadWarning()
		if err != nil {
			return err
		}
		loader := ruleLoader()
		results := []*load.Result{}
		ok := true
		for _, file := range c.ruleFiles(args, cfg) {
			result := file.Result(loader)
			results = append(results, result)
			ok = ok && result.OK()
		}
		if err := c.showResults(f, results); err != nil {
			return err
		}
		if !ok {
			return exitError{code: exitFailure}
		}
		return loader.CheckPlugins()
	}
	return command
}

func (c *cli) showResults(f *format, results []*load.Result) error {
	if f.isData() {
		text, err := toJSON(map[string]any{"falco_load_results": results}, "")
		if err != nil {
			return err
		}
		return writeSafely(c.stdout, text)
	}
	for _, result := range results {
		text := result.String()
		if result.OK() && len(result.Warnings) > 0 {
			verdict, warnings, _ := strings.Cut(text, "\n")
			text = verdict
			c.complain("%s\n%s", result.Name, warnings)
		}
		if err := writeSafely(c.stdout, []byte(strings.TrimRight(text, "\n")+"\n")); err != nil {
			return err
		}
		for _, warning := range result.SchemaWarnings {
			c.complain("%s: schema: %s", result.Name, warning)
		}
	}
	if len(results) == 0 {
		_, err := fmt.Fprintln(c.stderr, "There is no rule file.")
		return err
	}
	return nil
}

// ruleFileNames completes the names of rule files.
func ruleFileNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
}
