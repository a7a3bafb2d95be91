package main

import (
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tiercel/tiercel/pkg/app"
	"github.com/tiercel/tiercel/pkg/telemetry"
)

// garbagePercent collects garbage earlier than Go does by default. Much of the heap is what the journal wrote last, which
// is kept for some seconds; letting as much garbage grow beside it would double the memory of an outage, and collecting
// it costs a few percent of the processor at full rate. GOGC in the environment wins.
const garbagePercent = 50

func (c *cli) runCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Take alerts in and deliver them, until SIGTERM or Ctrl-C",
		Long: `Take alerts in and deliver them.

SIGTERM or Ctrl-C stops it: it takes no more alerts, delivers what is left for
at most draintimeout, and ends with 0. What is not delivered then stays in the
journal for the next start. A second signal ends it at once.

SIGHUP reads the config again, and so does a change of its file or of a file of
secrets that it names. A config that is not valid is not used: the one before
stays in force.`,
		Args: cobra.NoArgs,
		RunE: c.serve,
	}
}

func (c *cli) serve(cmd *cobra.Command, _ []string) error {
	cfg, warnings, err := c.load()
	if err != nil {
		for _, w := range warnings {
			c.complain("warning: %s", w)
		}
		return err
	}
	log := telemetry.NewLogger(cfg.Log, cfg.Debug, c.stderr, isTerminal(c.stderr))
	for _, w := range warnings {
		log.Warn("config", "warning", w.String())
	}
	if c.variable("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	a, err := app.New(cmd.Context(), cfg, app.Deps{Version: c.version, Log: log, Stdin: c.stdin, Stdout: c.stdout, Load: c.load, Signals: hangups})
	if err != nil {
		return err
	}
	c.greet(log, cfg, a)
	return a.Run(cmd.Context())
}
