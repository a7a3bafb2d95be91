// Package ruletest gives recorded events to rules and compares what fires with what the events say should.
package ruletest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/tiercel/tiercel/pkg/rules"
	"github.com/tiercel/tiercel/pkg/rules/recorded"
)

// MaxLine bounds a recorded event, bytes.
const MaxLine = 4 << 20

// Outcome is what became of one event.
type Outcome struct {
	recorded.Case

	Line       int           // where it stands, from 1
	Fired      []*rules.Rule // in the order in which they were tested
	Missing    []string      // names of rules that should have fired and did not
	Unexpected []string      // names of those that fired and should not have; only where something is expected
}

// Failed reports whether something else fired than what is expected.
func (o *Outcome) Failed() bool { return len(o.Missing)+len(o.Unexpected) > 0 }

// Names are the names of the rules that fired.
func (o *Outcome) Names() []string {
	names := make([]string, len(o.Fired))
	for i, r := range o.Fired {
		names[i] = r.Name
	}
	return names
}

// Play reads events, a line each, and hands the outcome of each to yield until one of them fails. Empty lines are
// passed over. Errors name the line.
func Play(r io.Reader, set *rules.Set, yield func(*Outcome) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	for n := 1; ; n++ {
		text, err := readLine(in)
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if len(bytes.TrimSpace(text)) > 0 {
			c, err := recorded.DecodeCase(text)
			if err != nil {
				return fmt.Errorf("line %d: %w", n, err)
			}
			o := &Outcome{Case: c, Line: n, Fired: set.Match(nil, c.Event)}
			o.compare()
			if err := yield(o); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
	}
}

// compare finds out what is missing and what is too much.
func (o *Outcome) compare() {
	if o.Expect == nil {
		return
	}
	fired := o.Names()
	for _, name := range o.Expect {
		if !slices.Contains(fired, name) {
			o.Missing = append(o.Missing, name)
		}
	}
	for _, name := range fired {
		if !slices.Contains(o.Expect, name) {
			o.Unexpected = append(o.Unexpected, name)
		}
	}
}

var errLong = fmt.Errorf("an event has more than %d bytes", MaxLine)

// readLine reads a line with its line break. The last may have none; then the error is [io.EOF].
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > MaxLine {
			return nil, errLong
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}
