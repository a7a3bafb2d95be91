package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tiercel/tiercel/pkg/app"
	"github.com/tiercel/tiercel/pkg/config"
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

Where FILE is left out, the rules are those of the config, or those that Tiercel
carries, for which "default" stands, too; a folder stands for its .yaml and .yml
files, in the order of their names, and "-" for standard input.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.AddCommand(
		c.rulesCheckCommand(), c.rulesListCommand(), c.rulesFieldsCommand(), c.rulesEventsCommand(),
		c.rulesExplainCommand(), c.rulesTestCommand(),
	)
	return command
}

// ruleFiles reads the files that arguments name, or else those of the config, or else the default ones.
func (c *cli) ruleFiles(args []string, cfg *config.Config) []rulefile.File {
	if len(args) == 0 {
		args = cfg.Rules.Files
	}
	if len(args) == 0 {
		return rulefile.Read(nil, defaults.Default())
	}
	var files []rulefile.File
	for _, arg := range args {
		if arg == "-" {
			files = append(files, rulefile.ReadAll(c.stdin, arg))
		} else {
			files = append(files, rulefile.Read([]string{arg}, defaults.Default())...)
		}
	}
	return files
}

// ruleLoader makes a loader that knows what our probe cannot supply. Outputs stay as the files have them: what is added
// to each is always the same.
func ruleLoader() *load.Loader { return load.New(load.Options{Supply: app.RuleSupply()}) }

// loadRules reads files that must be without errors. Warnings are not for this: "rules check" has them.
func (c *cli) loadRules(args []string) ([]*rules.Rule, *config.Config, error) {
	cfg, err := c.loadWarning()
	if err != nil {
		return nil, nil, err
	}
	loader := ruleLoader()
	failed := false
	for _, file := range c.ruleFiles(args, cfg) {
		if result := file.Result(loader); !result.OK() {
			failed = true
			c.complain("%s", result)
		}
	}
	if failed {
		return nil, nil, exitError{code: exitFailure}
	}
	return loader.Rules(), cfg, nil
}

// ruleSelection are the flags that switch rules on and off, after the config.
type ruleSelection struct{ enable, disable []string }

func (s *ruleSelection) flags(command *cobra.Command) {
	command.Flags().StringSliceVar(&s.enable, "enable", nil, "switch rules on by `NAME`, in which * is any text, or by tag:NAME")
	command.Flags().StringSliceVar(&s.disable, "disable", nil, "switch rules off by `NAME` in the same way, after --enable")
}

// options give what the config and the flags say.
func (s *ruleSelection) options(cfg *config.Config) (rules.Options, error) {
	o := cfg.Rules.Options()
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
