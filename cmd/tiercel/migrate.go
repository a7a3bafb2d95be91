package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tiercel/tiercel/pkg/config"
)

func (c *cli) migrateCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "migrate [FILE]",
		Short: "Write falcosidekick's config in Tiercel's words, with what improves and what changes",
		Long: `Read falcosidekick's config and write the same for Tiercel: what is set and is
not the default, with notes above it about what improves, what changes and what
is not supported.

FILE is falcosidekick's config file, or the values of its Helm chart or of
Falco's; - is standard input. Variables are read with --env: from a file with
NAME=value lines, or with - from the environment of this command. They win over
FILE, as they do in falcosidekick.

Tiercel reads falcosidekick's file and variables as they are, too. This is for
those who want to leave them behind.`,
		Args: cobra.MaximumNArgs(1),
	}
	variables := command.Flags().String("env", "", "`FILE` with NAME=value lines; - is the environment of this command")
	secrets := command.Flags().Bool("with-secrets", false, "write secrets into the config, instead of ${env:NAME}")
	command.RunE = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 && *variables == "" {
			return usage(errors.New("expected a file, or --env"))
		}
		m := config.Migration{Specs: c.specs, Secrets: *secrets}
		var err error
		if len(args) > 0 {
			m.Name = args[0]
			if m.Text, err = c.readAll(args[0]); err != nil {
				return err
			}
		}
		switch *variables {
		case "":
		case "-":
			m.Environ = c.environ
		default:
			text, err := c.readAll(*variables)
			if err != nil {
				return err
			}
			m.Environ = dotenv(string(text))
		}
		migrated, err := config.Migrate(m)
		if err != nil {
			return err
		}
		return migrated.Write(c.stdout)
	}
	return command
}

// readAll reads a file, or standard input for -.
func (c *cli) readAll(file string) ([]byte, error) {
	const most = 16 << 20
	from := c.stdin
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("read the config: %w", err)
		}
		defer opened.Close()
		from = opened
	}
	text, err := io.ReadAll(io.LimitReader(from, most+1))
	if err != nil {
		return nil, fmt.Errorf("read the config: %w", err)
	}
	if len(text) > most {
		return nil, fmt.Errorf("read the config: %s is larger than 16MiB", file)
	}
	return text, nil
}

// dotenv reads lines of NAME=value. Comments, empty lines, an export in front and quotes around a value are taken.
func dotenv(text string) []string {
	var environ []string
	for line := range strings.Lines(text) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "export ")
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		if n := len(value); n > 1 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		environ = append(environ, strings.TrimSpace(name)+"="+value)
	}
	return environ
}
