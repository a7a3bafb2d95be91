package main

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/config"
	"github.com/tiercel/tiercel/pkg/journal"
)

const aboutDeadLetters = `Alerts that an output could not be given: it refused them, or did not take them
for too long. They are kept in the journal. These commands work beside a Tiercel
that runs, with the same config, and where none runs.`

func (c *cli) deadLettersCommand() *cobra.Command {
	command := &cobra.Command{
		Use:     "deadletters",
		Aliases: []string{"deadletter", "dlq"},
		Short:   "List, show, retry or drop the alerts that could not be delivered",
		Long:    aboutDeadLetters,
		Args:    cobra.NoArgs,
	}
	c.listDeadLetters(command) // without a word behind it
	command.AddCommand(c.deadLettersListCommand(), c.deadLettersShowCommand(), c.retryCommand(), c.dropCommand())
	return command
}

// limitDefault is how many rows a list has, if not told otherwise.
const limitDefault = 100

func (c *cli) deadLettersListCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "list",
		Short: "List the last dead letters, the newest at the end",
		Args:  cobra.NoArgs,
	}
	c.listDeadLetters(command)
	return command
}

// listDeadLetters makes a command one that lists dead letters.
func (c *cli) listDeadLetters(command *cobra.Command) {
	output := command.Flags().String("output", "", "only those of this output")
	limit := command.Flags().Int("limit", limitDefault, "how many; 0 is all")
	f := formatFlag(command, formatTable, formatJSON, formatJSONL, formatYAML)
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.withJournal(cmd.Context(), func(_ *config.Config, j *journal.Journal) error {
			last, left, err := lastDeadLetters(cmd.Context(), j, *output, *limit)
			if err != nil {
				return err
			}
			if left > 0 {
				defer c.complain("%d older ones are not shown; --limit 0 shows all", left)
			}
			if f.isData() {
				letters := make([]letter, len(last))
				for i, d := range last {
					letters[i] = newLetter(d)
				}
				return writeAll(c, f, letters)
			}
			if len(last) == 0 {
				c.complain("There are no dead letters.")
				return nil
			}
			return c.deadLettersTable(last)
		})
	}
}

// lastDeadLetters gives the newest of them, in order, and how many older ones there are.
func lastDeadLetters(ctx context.Context, j *journal.Journal, output string, limit int) (last []journal.DeadLetter, left int, err error) {
	err = j.DeadLetters(ctx, output, func(d journal.DeadLetter) bool {
		if limit > 0 && len(last) == limit {
			last = append(last[:0], last[1:]...)
			left++
		}
		last = append(last, d)
		return true
	})
	return last, left, err
}

func (c *cli) deadLettersTable(letters []journal.DeadLetter) error {
	const short = 100 // columns of an answer, where there is no terminal to say how many
	t := c.newTable("ID", "OUTPUT", "BURIED", "REASON", "ATTEMPTS", "PRIORITY", "RULE", "ANSWER")
	for _, d := range letters {
		row := texts(strconv.FormatUint(d.ID, 10), d.Lane, timeText(d.Buried), string(d.Reason), strconv.Itoa(d.Attempts),
			d.Alert.Priority.String(), d.Alert.Rule, d.Answer)
		row[5].colour = colourOf(d.Alert.Priority)
		row[6].text = shorten(row[6].text, short/2)
		row[7].text = shorten(row[7].text, short)
		t.add(row...)
	}
	return t.writeTo(c.stdout, c.coloured(c.stdout))
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func colourOf(p alert.Priority) colour {
	switch {
	case p >= alert.Error:
		return red
	case p == alert.Warning:
		return yellow
	}
	return plain
}
