package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tiercel/tiercel/pkg/config"
	"github.com/tiercel/tiercel/pkg/journal"
)

func (c *cli) retryCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "retry [ID…]",
		Short: "Give dead letters to their output again, or to another one",
		Long: `Give dead letters to their output again, or with --to to another one. They are
dead letters no longer then; one that fails again becomes a new one. Where no
Tiercel runs, they are sent after the next start.`,
	}
	to := command.Flags().String("to", "", "the output to give them to, instead of their own")
	s := selectionFlags(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		retry := change{
			verb: "Retry", one: "given to its output again", many: "given to their output again",
			do: func(j *journal.Journal, id uint64) error { return j.Retry(cmd.Context(), id, *to) },
		}
		if *to != "" {
			retry.one = "given to " + *to
			retry.many = retry.one
		}
		return c.change(cmd.Context(), s, args, retry)
	}
	return command
}

func (c *cli) dropCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "drop [ID…]",
		Short: "Remove dead letters for good",
	}
	s := selectionFlags(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		return c.change(cmd.Context(), s, args, change{
			verb: "Drop", one: "dropped", many: "dropped",
			do: func(j *journal.Journal, id uint64) error { return j.Drop(cmd.Context(), id) },
		})
	}
	return command
}

// change is something that is done to dead letters.
type change struct {
	verb      string // in the question
	one, many string // what happened to one of them, or to several
	do        func(j *journal.Journal, id uint64) error
}

// change does something to each dead letter of a selection. One that fails does not keep the others from it.
func (c *cli) change(ctx context.Context, s *selection, args []string, what change) error {
	if err := s.take(args); err != nil {
		return err
	}
	return c.withJournal(ctx, func(_ *config.Config, j *journal.Journal) error {
		if err := s.find(ctx, j); err != nil {
			return err
		}
		if len(s.ids) == 0 {
			c.complain("There are no dead letters.")
			return nil
		}
		if s.all {
			if err := c.confirm(s.yes, fmt.Sprintf("%s %s?", what.verb, deadLetters(len(s.ids)))); err != nil {
				return err
			}
		}
		done, err := what.each(ctx, j, s.ids)
		if done > 0 {
			happened := what.many
			if done == 1 {
				happened = what.one
			}
			if _, e := fmt.Fprintf(c.stdout, "%s %s\n", deadLetters(done), happened); e != nil {
				err = errors.Join(err, e)
			}
		}
		return err
	})
}

// each does it to every one, and counts those that it was done to. The error names the first that failed.
func (w change) each(ctx context.Context, j *journal.Journal, ids []uint64) (done int, err error) {
	const most = 10 // a thousand errors are hardly a thousand reasons
	var errs []error
	failed := 0
	for _, id := range ids {
		if ctx.Err() != nil {
			return done, errors.Join(append(errs, ctx.Err())...)
		}
		if err := w.do(j, id); err != nil {
			if failed++; failed <= most {
				errs = append(errs, err)
			}
			continue
		}
		done++
	}
	if failed > most {
		errs = append(errs, fmt.Errorf("%d more failed", failed-most))
	}
	return done, errors.Join(errs...)
}

func deadLetters(n int) string {
	if n == 1 {
		return "1 dead letter"
	}
	return fmt.Sprintf("%d dead letters", n)
}
