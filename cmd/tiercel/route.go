package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tiercel/tiercel/pkg/app"
)

func (c *cli) routeCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "route",
		Short: "Which outputs would get an alert, and why",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	command.AddCommand(c.routeExplainCommand())
	return command
}

func (c *cli) routeExplainCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "explain FILE",
		Short: "Tell for each output whether it would get the alert in FILE, and show what would be sent",
		Long: `Tell for each configured output whether it would get an alert and why, and show
the request that it would make. Nothing is sent, and nothing need be reachable.

FILE has an alert as Falco writes it, JSON; - is standard input. It is
normalized first, as the config says: custom fields, tags and the like.`,
		Args: cobra.ExactArgs(1),
	}
	f := formatFlag(command, formatTable, formatJSON, formatYAML)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := c.loadWarning()
		if err != nil {
			return err
		}
		alerts, err := c.alerts(cfg, args[0])
		if err != nil {
			return err
		}
		if len(alerts) != 1 {
			return usage(errors.New("expected one alert"))
		}
		explained, err := app.Explain(cmd.Context(), cfg, c.deps(cfg), alerts[0])
		if err != nil {
			return err
		}
		if f.isData() {
			return c.write(f, explained)
		}
		return c.explainedText(explained)
	}
	return command
}

// explainedText writes each request as curl -v does, and a table of all outputs at the end.
func (c *cli) explainedText(explained []app.Explained) error {
	t := c.newTable("OUTPUT", "WOULD GET IT", "WHY")
	var b strings.Builder
	for _, e := range explained {
		row := texts(e.Output, "yes", e.Why)
		row[1].colour = green
		if !e.Sent {
			row[1] = cell{"no", red}
			t.add(row...)
			continue
		}
		t.add(row...)
		b.WriteString(oneLine(e.Output) + "\n")
		for _, r := range e.Requests {
			fmt.Fprintf(&b, "> %s %s\n", r.Method, r.URL)
			for _, h := range r.Headers {
				fmt.Fprintf(&b, "> %s: %s\n", h.Name, h.Value)
			}
			if r.Body != "" {
				b.WriteString(">\n")
				quoteLines(&b, "> ", r.Body)
			}
		}
		if e.Written != "" {
			quoteLines(&b, "| ", e.Written)
		}
		if e.NotShown != "" {
			b.WriteString("  " + oneLine(e.NotShown) + "\n")
		}
		b.WriteString("\n")
	}
	if err := writeSafely(c.stdout, []byte(b.String())); err != nil {
		return err
	}
	return t.writeTo(c.stdout, c.coloured(c.stdout))
}
