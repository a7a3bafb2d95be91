package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/tiercel/tiercel/pkg/config"
	"github.com/tiercel/tiercel/pkg/journal"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// letter is a dead letter as it is written for programs.
type letter struct {
	ID       uint64          `json:"id"`
	Output   string          `json:"output"`
	Buried   time.Time       `json:"buried"`
	Reason   verdict.Reason  `json:"reason"`
	Attempts int             `json:"attempts"`
	Answer   string          `json:"answer"`
	Alert    json.RawMessage `json:"alert"` // as the output would have got it
	Received                 // as it came in
}

// Received is a text of a stranger, byte for byte.
type Received struct {
	Text   string `json:"received,omitempty"`
	Base64 []byte `json:"received_base64,omitempty"` // instead, where it is no valid UTF-8
}

func received(text string) Received {
	if utf8.ValidString(text) {
		return Received{Text: text}
	}
	return Received{Base64: []byte(text)}
}

func newLetter(d journal.DeadLetter) letter {
	return letter{
		ID: d.ID, Output: d.Lane, Buried: d.Buried.UTC(), Reason: d.Reason, Attempts: d.Attempts, Answer: d.Answer,
		Alert: d.Alert.AppendJSON(nil), Received: received(d.Alert.Raw()),
	}
}

func (c *cli) deadLettersShowCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "show ID",
		Short: "Show a dead letter with its alert as it came in",
		Args:  cobra.ExactArgs(1),
	}
	f := formatFlag(command, formatText, formatJSON, formatYAML)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		ids, err := numbers(args)
		if err != nil {
			return err
		}
		return c.withJournal(cmd.Context(), func(_ *config.Config, j *journal.Journal) error {
			d, err := j.DeadLetter(cmd.Context(), ids[0])
			if err != nil {
				return err
			}
			if f.isData() {
				return c.write(f, newLetter(d))
			}
			return c.deadLetterText(d)
		})
	}
	return command
}

func (c *cli) deadLetterText(d journal.DeadLetter) error {
	t := &table{}
	for _, row := range [][2]string{
		{"ID", strconv.FormatUint(d.ID, 10)},
		{"OUTPUT", d.Lane},
		{"BURIED", timeText(d.Buried)},
		{"REASON", string(d.Reason)},
		{"ATTEMPTS", strconv.Itoa(d.Attempts)},
		{"ANSWER", d.Answer},
		{"UUID", d.Alert.ID.String()},
		{"RECEIVED", timeText(d.Alert.Received)},
	} {
		t.add(texts(row[0], row[1])...)
	}
	if err := t.writeTo(c.stdout, false); err != nil {
		return err
	}
	text := d.Alert.Raw()
	if text == "" { // the test alert
		text = string(d.Alert.AppendJSON(nil))
	}
	return writeSafely(c.stdout, []byte("\n"+strings.TrimRight(text, "\r\n")+"\n"))
}
