package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tiercel/tiercel/pkg/rules"
	"github.com/tiercel/tiercel/pkg/rules/load"
	"github.com/tiercel/tiercel/pkg/rules/rulefile"
	defaults "github.com/tiercel/tiercel/rules"
)

func (c *cli) rulesCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "rules",
		Short: "Check, list, explain and test rule files",
		Long: `Check, list, explain and test rule files. They are Falco's, unchanged.

Where FILE is left out, the rules are those that Tiercel carries; a folder
stands for its .yaml and .yml files, in the order of their names, and "-" for
standard input.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.AddCommand(
		c.rulesCheckCommand(), c.rulesListCommand(), c.rulesFieldsCommand(), c.rulesEventsCommand(),
		c.rulesExplainCommand(), c.rulesTestCommand(),
	)
	return command
}

// ruleFiles reads the files that arguments name, or the default ones.
func (c *cli) ruleFiles(args []string) []rulefile.File {
	if len(args) == 0 {
		return rulefile.FromFS(defaults.Default())
	}
	var files []rulefile.File
	for _, arg := range args {
		if arg == "-" {
			files = append(files, rulefile.ReadAll(c.stdin, arg))
		} else {
			files = append(files, rulefile.Read([]string{arg})...)
		}
	}
	return files
}

// ruleLoader makes a loader for outputs as the files have them: what is added to them is a matter of the config.
func ruleLoader() *load.Loader { return load.New(load.Options{}) }

// loadRules reads files that must be without errors. Warnings are not for this: "rules check" has them.
func (c *cli) loadRules(args []string) ([]*rules.Rule, error) {
	loader := ruleLoader()
	failed := false
	for _, file := range c.ruleFiles(args) {
		if result := file.Result(loader); !result.OK() {
			failed = true
			c.complain("%s", result)
		}
	}
	if failed {
		return nil, exitError{code: exitFailure}
	}
	return loader.Rules(), nil
}

// ruleSelection are the flags that switch rules on and off.
type ruleSelection struct{ enable, disable []string }

func (s *ruleSelection) flags(command *cobra.Command) {
	command.Flags().StringSliceVar(&s.enable, "enable", nil, "switch rules on by `NAME`, in which * is any text, or by tag:NAME")
	command.Flags().StringSliceVar(&s.disable, "disable", nil, "switch rules off in the same way, after --enable")
}

// options give what the flags say.
func (s *ruleSelection) options() (rules.Options, error) {
	var o rules.Options
	for _, part := range []struct {
		patterns []string
		enable   bool
	}{{s.enable, true}, {s.disable, false}} {
		for _, pattern := range part.patterns {
			if pattern == "" || pattern == "tag:" {
				return o, usage(errors.New("--enable and --disable need a name or tag:NAME"))
			}
			selection := rules.Selection{Enable: part.enable, Rule: pattern}
			if tag, ok := strings.CutPrefix(pattern, "tag:"); ok {
				selection.Rule, selection.Tag = "", tag
			}
			o.Select = append(o.Select, selection)
		}
	}
	return o, nil
}

func yesNo(yes bool) cell {
	if yes {
		return cell{"yes", green}
	}
	return cell{text: "no"}
}
