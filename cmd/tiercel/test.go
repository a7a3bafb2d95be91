package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/app"
	"github.com/tiercel/tiercel/pkg/config"
	"github.com/tiercel/tiercel/pkg/normalize"
)

func (c *cli) testCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "test [OUTPUT…]",
		Short: "Send a test alert through the outputs and show request and answer",
		Long: `Send a test alert, or those in a file, through each configured output, or
through those that are named.

It goes straight there, once, without the journal and whatever minimumpriority
and when say. What an output sends by HTTP and what comes back is shown, without
secrets. When an output does not take the alert, the exit code is 4.`,
		ValidArgsFunction: c.outputNames,
	}
	file := command.Flags().StringP("alert", "a", "", "file with the alerts to send, JSON as Falco sends it; - is standard input")
	f := formatFlag(command, formatTable, formatJSON, formatYAML)
	command.RunE = func(cmd *cobra.Command, names []string) error {
		cfg, err := c.loadWarning()
		if err != nil {
			return err
		}
		chosen, err := choose(cfg, names)
		if err != nil {
			return err
		}
		alerts, err := c.alerts(cfg, *file)
		if err != nil {
			return err
		}
		trials, err := c.try(cmd.Context(), cfg, chosen, alerts)
		if err != nil {
			return err
		}
		return c.showTrials(f, trials)
	}
	return command
}

// choose finds configured outputs by their names; no names are all of them.
func choose(cfg *config.Config, names []string) ([]config.Output, error) {
	if len(names) == 0 {
		return cfg.Outputs, nil
	}
	var chosen []config.Output
	for _, name := range names {
		at := slices.IndexFunc(cfg.Outputs, func(out config.Output) bool { return out.Name == name })
		if at < 0 {
			var there []string
			for _, out := range cfg.Outputs {
				there = append(there, out.Name)
			}
			return nil, usage(fmt.Errorf("no output %q is configured: there is %s", name, strings.Join(there, ", ")))
		}
		chosen = append(chosen, cfg.Outputs[at])
	}
	return chosen, nil
}

// alerts gives those in a file, or the test alert, normalized.
func (c *cli) alerts(cfg *config.Config, file string) ([]*alert.Alert, error) {
	normalizer, err := normalize.New(cfg.Normalize, nil)
	if err != nil {
		return nil, err
	}
	alerts := []*alert.Alert{normalize.TestAlert(time.Now(), "")}
	if file != "" {
		if alerts, err = c.readAlerts(file, cfg); err != nil {
			return nil, err
		}
	}
	for _, a := range alerts {
		normalizer.Apply(a)
	}
	return alerts, nil
}

func (c *cli) readAlerts(file string, cfg *config.Config) ([]*alert.Alert, error) {
	from := c.stdin
	if file == "-" {
		file = "standard input"
	} else {
		opened, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("read the alert: %w", err)
		}
		defer opened.Close()
		from = opened
	}
	most := int64(cfg.HTTP.Receiver.MaxBody)
	text, err := io.ReadAll(io.LimitReader(from, most+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the alert: %w", err)
	case int64(len(text)) > most:
		return nil, fmt.Errorf("read the alert: %s is larger than receiver.maxbody, %s", file, cfg.HTTP.Receiver.MaxBody)
	}
	alerts, err := alert.Decode(text, time.Now(), cfg.HTTP.Receiver.MaxDepth)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return alerts, nil
}

// try sends through one output after the other.
func (c *cli) try(ctx context.Context, cfg *config.Config, chosen []config.Output, alerts []*alert.Alert) ([]app.Trial, error) {
	trials := make([]app.Trial, 0, len(chosen))
	for _, out := range chosen {
		trials = append(trials, app.Try(ctx, cfg, out, c.deps(cfg), alerts))
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return trials, nil
}

func (c *cli) showTrials(f *format, trials []app.Trial) error {
	var err error
	if f.isData() {
		err = c.write(f, trials)
	} else {
		err = c.trialsText(trials)
	}
	if err == nil && slices.ContainsFunc(trials, func(t app.Trial) bool { return !t.Delivered }) {
		err = exitError{code: exitTest}
	}
	return err
}

// trialsText writes each exchange as curl -v does, and a table of the results at the end.
func (c *cli) trialsText(trials []app.Trial) error {
	results := c.newTable("OUTPUT", "RESULT", "REASON", "ERROR")
	var b strings.Builder
	for _, t := range trials {
		b.WriteString(oneLine(t.Output) + "\n")
		for _, x := range t.Exchanges {
			writeExchange(&b, x)
		}
		if t.Written != "" {
			quoteLines(&b, "| ", t.Written)
		}
		b.WriteString("\n")
		row := texts(t.Output, "delivered", string(t.Reason), t.Error)
		row[1].colour = green
		if !t.Delivered {
			row[1] = cell{"failed", red}
		}
		results.add(row...)
	}
	if err := writeSafely(c.stdout, []byte(b.String())); err != nil {
		return err
	}
	return results.writeTo(c.stdout, c.coloured(c.stdout))
}

func writeExchange(b *strings.Builder, x app.Exchange) {
	fmt.Fprintf(b, "> %s %s\n", x.Request.Method, x.Request.URL)
	for _, h := range x.Request.Headers {
		fmt.Fprintf(b, "> %s: %s\n", h.Name, h.Value)
	}
	if x.Request.Body != "" {
		b.WriteString(">\n")
		quoteLines(b, "> ", x.Request.Body)
	}
	if x.Answer == nil {
		fmt.Fprintf(b, "< no answer after %d ms: %s\n", x.Milliseconds, x.Error)
		return
	}
	fmt.Fprintf(b, "< %s (after %d ms)\n", x.Answer.Status, x.Milliseconds)
	if x.Answer.Body != "" {
		b.WriteString("<\n")
		quoteLines(b, "< ", x.Answer.Body)
	}
}

func quoteLines(b *strings.Builder, mark, text string) {
	for line := range strings.SplitSeq(strings.TrimRight(text, "\r\n"), "\n") {
		b.WriteString(mark + strings.TrimRight(line, "\r") + "\n")
	}
}
