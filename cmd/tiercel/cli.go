package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/outputs/all"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/app"
	"github.com/tiercel/tiercel/pkg/config"
	"github.com/tiercel/tiercel/pkg/telemetry"
)

// cli is what all commands share.
type cli struct {
	environ        []string
	stdin          io.Reader
	stdout, stderr io.Writer
	version        string
	specs          []outputs.Spec
	file           string // -c
	started        bool   // a command was found and its command line is right
}

const about = `Tiercel takes Falco's alerts in, adds those of a probe of its own, keeps them in
a journal on disk, and gets each one to every output: Loki, Slack and others.
falcosidekick's config file and environment variables work as they are.

Without a command it runs: "tiercel -c FILE" is "tiercel run -c FILE".`

// run runs the command that args name and returns the exit code.
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := &cli{
		environ: environ, stdin: stdin, stdout: stdout, stderr: stderr,
		version: telemetry.Version(version), specs: all.Specs(),
	}
	root := c.root()
	root.SetArgs(append([]string{}, args...)) // never nil, which cobra takes for os.Args
	command, err := root.ExecuteContextC(ctx)
	if err != nil && !c.started {
		err = usage(err)
	}
	code := exitCode(ctx, err)
	c.report(command, code, err)
	return code
}

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:               "tiercel",
		Short:             "Takes Falco's alerts in and gets each one to every place that asked for it",
		Long:              about,
		Version:           c.version,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRun:  func(*cobra.Command, []string) { c.started = true },
		RunE:              c.serve,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	root.SetIn(c.stdin)
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	root.SetVersionTemplate(c.versionLine())
	flags := root.PersistentFlags()
	flags.StringVarP(&c.file, "config", "c", c.variable("TIERCEL_CONFIG"), "config file, YAML or JSON (environment: TIERCEL_CONFIG)")
	flags.StringVar(&c.file, "config-file", c.file, "the same, as falcosidekick calls it")
	_ = flags.MarkHidden("config-file") // it was just made
	root.AddCommand(
		c.runCommand(), c.checkCommand(), c.testCommand(), c.outputsCommand(), c.routeCommand(), c.migrateCommand(),
		c.deadLettersCommand(), c.refusedCommand(), c.rulesCommand(), c.redactCommand(), c.probeCommand(), c.configCommand(), c.versionCommand(), exitCodesTopic(),
	)
	return root
}

// report says on standard error why a command failed.
func (c *cli) report(command *cobra.Command, code int, err error) {
	var (
		own     exitError
		invalid *config.Invalid
	)
	switch {
	case err == nil, errors.As(err, &own) && own.err == nil:
	case errors.As(err, &invalid):
		for _, p := range invalid.Problems {
			c.complain("%s", p)
		}
	case code > exitSignal:
		c.complain("tiercel: interrupted")
	default:
		c.complain("tiercel: %v", err)
		if code == exitUsage {
			c.complain("See '%s --help'.", command.CommandPath())
		}
	}
}

// complain writes a line to standard error. Nothing in it reaches a terminal's control.
func (c *cli) complain(format string, args ...any) {
	for line := range strings.SplitSeq(strings.TrimRight(fmt.Sprintf(format, args...), "\n"), "\n") {
		fmt.Fprintln(c.stderr, alert.Printable(line))
	}
}

// variable gives an environment variable, or nothing.
func (c *cli) variable(name string) string {
	for _, entry := range c.environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

// load reads the config.
func (c *cli) load() (*config.Config, []config.Warning, error) {
	return config.Load(config.Options{File: c.file, Environ: c.environ, Specs: c.specs})
}

// loadWarning reads the config and writes warnings to standard error.
func (c *cli) loadWarning() (*config.Config, error) {
	cfg, warnings, err := c.load()
	for _, w := range warnings {
		c.complain("warning: %s", w)
	}
	return cfg, err
}

// deps are what outputs are given in a command that only tries them: they log what goes wrong.
func (c *cli) deps(cfg *config.Config) app.Deps {
	return app.Deps{Version: c.version, Log: c.quietLog(cfg), Stdout: c.stdout}
}

// quietLog is the logger of commands that do one thing and end.
func (c *cli) quietLog(cfg *config.Config) *slog.Logger {
	quiet := telemetry.LogConfig{Level: "warn", Format: cfg.Log.Format}
	return telemetry.NewLogger(quiet, cfg.Debug, c.stderr, isTerminal(c.stderr))
}

// isTerminal reports whether w, or a reader, is a terminal.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// terminalWidth gives the columns of standard output, or 0 when it is no terminal.
func (c *cli) terminalWidth() int {
	file, ok := c.stdout.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0 // no terminal
	}
	return width
}

// coloured reports whether what is written to w may have colours: https://no-color.org.
func (c *cli) coloured(w io.Writer) bool {
	return isTerminal(w) && c.variable("NO_COLOR") == "" && c.variable("TERM") != "dumb"
}
