package main

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tiercel/tiercel/outputs/all"
)

// docs/cli.md is written by hand; it must know every command, every flag and every exit code.
func TestDocsKnowEveryCommand(t *testing.T) {
	text, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	docs := string(text)
	if !strings.Contains(docs, exitCodes) {
		t.Errorf("docs/cli.md has other exit codes than the program:\n%s", exitCodes)
	}
	c := &cli{specs: all.Specs()}
	var visit func(*cobra.Command)
	visit = func(command *cobra.Command) {
		path := command.CommandPath()
		// "deadletters list" is told below its heading by its last word, too.
		if !strings.Contains(docs, path) && !strings.Contains(docs, "`"+command.Name()+"`") {
			t.Errorf("docs/cli.md does not know %q", path)
		}
		command.LocalNonPersistentFlags().VisitAll(func(flag *pflag.Flag) {
			if flag.Name != "help" && !strings.Contains(docs, "--"+flag.Name) {
				t.Errorf("docs/cli.md does not know %s --%s", path, flag.Name)
			}
		})
		for _, sub := range command.Commands() {
			visit(sub)
		}
	}
	visit(c.root())
}

// The help must fit into a terminal.
func TestHelpFitsIntoATerminal(t *testing.T) {
	c := &cli{specs: all.Specs()}
	var visit func(*cobra.Command)
	visit = func(command *cobra.Command) {
		for line := range strings.SplitSeq(command.Long, "\n") {
			if n := columns(line); n > 80 {
				t.Errorf("%s: a line of the help is %d columns wide: %s", command.CommandPath(), n, line)
			}
		}
		for _, sub := range command.Commands() {
			visit(sub)
		}
	}
	visit(c.root())
}
