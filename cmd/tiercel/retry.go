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
		Long: `Give dead letters to their output again, or with --to to another one. They are dead letters no longer then; one that
fails again becomes a new one. Where no Tiercel runs, they are sent after the next start.`,
	}
	to := command.Flags().String("to", "", "the output to give them to, instead of their own")
	s := selectionFlags(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		return c.change(cmd.Context(), s, args, "Retry", "given to its output again", "given to their output again",
			func(ctx context.Context, j *journal.Journal, id uint64) error { return j.Retry(ctx, id, *to) })
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
		return c.change(cmd.Context(), s, args, "Drop", "dropped", "dropped",
			func(ctx context.Context, j *journal.Journal, id uint64) error { return j.Drop(ctx, id) })
	}
	return command
}

// change does something to each dead letter of a selection. One that fails does not keep the others from it.
func (c *cli) change(ctx context.Context, s *selection, args []string, verb, one, many string,
	do func(context.Context, *journal.Journal, uint64) error,
) error {
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
			if err := c.confirm(s.yes, fmt.Sprintf("%s %s?", verb, deadLetters(len(s.ids)))); err != nil {
				return err
			}
		}
		var errs []error
		for _, id := range s.ids {
			if err := do(ctx, j, id); err != nil {
				errs = append(errs, err)
				if ctx.Err() != nil {
					break
				}
			}
		}
		done := len(s.ids) - len(errs)
		what := many
		if done == 1 {
			what = one
		}
		_, err := fmt.Fprintf(c.stdout, "%s %s\n", deadLetters(done), what)
		return errors.Join(append(errs, err)...)
	})
}

func deadLetters(n int) string {
	if n == 1 {
		return "1 dead letter"
	}
	return fmt.Sprintf("%d dead letters", n)
}
