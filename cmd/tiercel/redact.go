package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/session"
	"github.com/tiercel/tiercel/pkg/session/redact"
)

// maxRedactInput is the most that "redact test" reads from standard input: 1 MiB.
const maxRedactInput = 1 << 20

func (c *cli) redactCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "redact",
		Short: "Show what is hidden of the lines that people type",
		Args:  cobra.NoArgs,
		RunE:  func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	test := &cobra.Command{
		Use:   "test [LINE...]",
		Short: "Show what a line becomes before it is recorded",
		Long: `Show what a line becomes before it is recorded, and on standard error how many
places were hidden. Without LINE, lines are read from standard input. With a
config file its sessions.redact is used, else the patterns that Tiercel has.`,
		Example: `  tiercel redact test 'curl -H "Authorization: Bearer abc" https://example.com'`,
		RunE: func(_ *cobra.Command, args []string) error {
			settings := session.Defaults().Redact
			if c.file != "" {
				cfg, err := c.loadWarning()
				if err != nil {
					return err
				}
				settings = cfg.Sessions.Redact
			}
			r, err := redact.New(settings.Builtin, settings.Patterns)
			if err != nil {
				return err
			}
			text := strings.Join(args, " ")
			if len(args) == 0 {
				all, err := io.ReadAll(io.LimitReader(c.stdin, maxRedactInput))
				if err != nil {
					return fmt.Errorf("reading lines: %w", err)
				}
				text = strings.TrimRight(string(all), "\n")
			}
			hidden, n := r.Text(text)
			for line := range strings.SplitSeq(hidden, "\n") {
				if _, err := fmt.Fprintln(c.stdout, alert.Printable(line)); err != nil {
					return fmt.Errorf("writing: %w", err)
				}
			}
			c.complain("%d hidden", n)
			return nil
		},
	}
	command.AddCommand(test)
	return command
}
