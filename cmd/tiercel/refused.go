package main

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/tiercel/tiercel/pkg/config"
	"github.com/tiercel/tiercel/pkg/journal"
)

// refused is a refused body as it is written for programs.
type refused struct {
	Time     time.Time `json:"time"`
	Remote   string    `json:"remote"`
	Reason   string    `json:"reason"`
	Error    string    `json:"error"`
	Received           // the body, at most its first 64 KiB
}

func (c *cli) refusedCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "refused",
		Short: "List the last bodies that senders posted and that were no alerts",
		Long: `List the last bodies that senders posted and that were no alerts, the newest at
the end. A hundred are kept, each with its first 64 KiB. It works beside a
Tiercel that runs, and where none runs.`,
		Args: cobra.NoArgs,
	}
	command.AddCommand(c.refusedListCommand())
	c.listRefused(command) // without a word behind it
	return command
}

func (c *cli) refusedListCommand() *cobra.Command {
	command := &cobra.Command{Use: "list", Short: "The same", Args: cobra.NoArgs}
	c.listRefused(command)
	return command
}

// listRefused makes a command one that lists refused bodies.
func (c *cli) listRefused(command *cobra.Command) {
	limit := command.Flags().Int("limit", limitDefault, "how many; 0 is all")
	f := formatFlag(command, formatTable, formatJSON, formatJSONL, formatYAML)
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.withJournal(cmd.Context(), func(_ *config.Config, j *journal.Journal) error {
			most := *limit
			if most <= 0 {
				most = int(^uint(0) >> 1)
			}
			newest, err := j.LastRefused(cmd.Context(), most)
			if err != nil {
				return err
			}
			bodies := make([]refused, len(newest))
			for i, r := range newest {
				bodies[len(newest)-1-i] = refused{r.Time.UTC(), r.Remote, r.Reason, r.Error, received(string(r.Body))}
			}
			if f.isData() {
				return writeAll(c, f, bodies)
			}
			if len(bodies) == 0 {
				c.complain("No body was refused.")
				return nil
			}
			return c.refusedTable(bodies)
		})
	}
}

func (c *cli) refusedTable(bodies []refused) error {
	const short = 80 // columns
	t := c.newTable("TIME", "SENDER", "REASON", "BYTES", "ERROR", "BODY")
	for _, r := range bodies {
		body := r.Text + string(r.Base64)
		row := texts(timeText(r.Time), r.Remote, r.Reason, strconv.Itoa(len(body)), r.Error, body)
		row[4].text = shorten(row[4].text, short)
		row[5].text = shorten(row[5].text, short)
		t.add(row...)
	}
	return t.writeTo(c.stdout, c.coloured(c.stdout))
}
