package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tiercel/tiercel/pkg/config"
	"github.com/tiercel/tiercel/pkg/journal"
	"github.com/tiercel/tiercel/pkg/telemetry"
)

// withJournal calls do with the journal of the config: that of the Tiercel that runs, or the one that it left.
func (c *cli) withJournal(ctx context.Context, do func(*config.Config, *journal.Journal) error) error {
	cfg, err := c.loadWarning()
	if err != nil {
		return err
	}
	j, err := journal.Attach(ctx, cfg.Journal, journal.Options{Log: c.quietLog(cfg), Metrics: telemetry.NewRegistry(c.version)})
	if err != nil {
		return err
	}
	return errors.Join(do(cfg, j), j.Close())
}

// confirm asks the person at the terminal. Where nobody can be asked, --yes must have been given.
func (c *cli) confirm(yes bool, question string) error {
	if yes {
		return nil
	}
	if !isTerminal(c.stdin) {
		return usage(errors.New("there is no terminal to ask on: add --yes"))
	}
	fmt.Fprintf(c.stderr, "%s [y/N] ", question)
	answer, err := readLine(c.stdin)
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was done")
}

// readLine reads up to the end of a line, and not a byte further.
func readLine(r io.Reader) (string, error) {
	var line []byte
	for one := make([]byte, 1); ; {
		n, err := r.Read(one)
		if n == 1 && one[0] == '\n' || errors.Is(err, io.EOF) {
			return string(line), nil
		}
		if err != nil {
			return "", err
		}
		line = append(line, one[:n]...)
	}
}
