package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/tiercel/tiercel/pkg/journal"
)

// selection says which dead letters a command is about.
type selection struct {
	ids    []uint64
	all    bool
	output string
	yes    bool
}

// selectionFlags gives a command the flags of a selection.
func selectionFlags(command *cobra.Command) *selection {
	s := &selection{}
	command.Flags().BoolVar(&s.all, "all", false, "all of them, instead of IDs")
	command.Flags().StringVar(&s.output, "output", "", "with --all: only those of this output")
	command.Flags().BoolVarP(&s.yes, "yes", "y", false, "do not ask")
	return s
}

// take reads the IDs on the command line.
func (s *selection) take(args []string) (err error) {
	switch {
	case s.all && len(args) > 0:
		return usage(errors.New("expected IDs or --all, not both"))
	case !s.all && len(args) == 0:
		return usage(errors.New("expected IDs of dead letters, or --all"))
	case s.output != "" && !s.all:
		return usage(errors.New("--output goes with --all"))
	}
	s.ids, err = numbers(args)
	return err
}

// find lists those that --all means now.
func (s *selection) find(ctx context.Context, j *journal.Journal) error {
	if !s.all {
		return nil
	}
	return j.DeadLetters(ctx, s.output, func(d journal.DeadLetter) bool {
		s.ids = append(s.ids, d.ID)
		return true
	})
}

// numbers reads the IDs of dead letters.
func numbers(args []string) ([]uint64, error) {
	ids := make([]uint64, len(args))
	for i, arg := range args {
		id, err := strconv.ParseUint(arg, 10, 64)
		if err != nil {
			return nil, usage(fmt.Errorf("expected the ID of a dead letter, a number, got %q", arg))
		}
		ids[i] = id
	}
	return ids, nil
}
