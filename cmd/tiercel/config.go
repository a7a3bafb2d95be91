package main

import (
	"github.com/spf13/cobra"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/config"
)

func (c *cli) configCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "config",
		Short: "Show the config that is in force, or what can be set",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	command.AddCommand(
		c.configShowCommand(),
		c.generated("reference", "Write a config file with every setting, its default and its meaning", config.Reference),
		c.generated("docs", "Write the documentation of every setting, as Markdown", config.Docs),
		c.generated("schema", "Write the JSON Schema of the config file, for editors", config.Schema),
	)
	return command
}

func (c *cli) configShowCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "show",
		Short: "Show every setting in force and where it comes from; secrets are masked",
		Args:  cobra.NoArgs,
	}
	f := formatFlag(command, formatYAML, formatJSON)
	command.RunE = func(*cobra.Command, []string) error {
		cfg, err := c.loadWarning()
		if err != nil {
			return err
		}
		return cfg.Show(c.stdout, f.value)
	}
	return command
}

// generated is a command that writes what is generated from the settings' definitions.
func (c *cli) generated(name, short string, generate func([]outputs.Spec) ([]byte, error)) *cobra.Command {
	return &cobra.Command{
		Use:   name,
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			text, err := generate(c.specs)
			if err != nil {
				return err
			}
			_, err = c.stdout.Write(text)
			return err
		},
	}
}
