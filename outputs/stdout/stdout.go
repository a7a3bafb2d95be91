// Package stdout writes alerts to the process's standard output: for people on a terminal, as JSON lines elsewhere.
package stdout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/size"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// Spec is the output.
var Spec = outputs.Define(outputs.Spec{
	Name:     "stdout",
	Title:    "Standard output",
	Category: "local",
	About:    "Shows alerts on the terminal, or writes them as JSON lines where there is none.",
	Batch:    outputs.Batch{Max: 256, Bytes: 1 * size.MiB},
	Fallback: true,
}, Defaults, New)

// Stdout is the standard output.
type Stdout struct {
	to      io.Writer
	append  func(dst []byte, a *alert.Alert) []byte
	lines   []byte       // what was written last, to use its memory again
	torn    bool         // the last write ended within a line
	pending chan written // a write that outlived its context
}

type written struct {
	bytes int
	err   error
}

// New makes the output. In colour it is on a terminal only, and not when the environment has NO_COLOR
// (no-color.org) or TERM=dumb.
func New(env outputs.Env, c Config) (outputs.Output, error) {
	if env.Stdout == nil {
		return nil, errors.New("there is no standard output")
	}
	s := &Stdout{to: env.Stdout, append: outputs.AppendLine}
	terminal := isTerminal(env.Stdout)
	if c.Format == Pretty || c.Format != JSON && terminal {
		p := pretty{colour: terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
		s.append = p.append
	}
	return s, nil
}

// Send writes the batch at once.
func (s *Stdout) Send(ctx context.Context, batch []*alert.Alert) error {
	if err := s.settle(ctx); err != nil {
		return err
	}
	lines := s.lines[:0]
	if s.torn {
		lines = append(lines, '\n')
	}
	for _, a := range batch {
		lines = s.append(lines, a)
	}
	done := make(chan written, 1)
	// A pipe that nobody reads, or a terminal that was stopped with Ctrl-S, holds the write for as long as it likes.
	go func() {
		n, err := s.to.Write(lines)
		done <- written{n, err}
	}()
	select {
	case w := <-done:
		if cap(lines) <= keep {
			s.lines = lines
		}
		return s.judge(w, lines)
	case <-ctx.Done():
		s.pending, s.lines = done, nil // the write still reads lines
		return stuck(ctx)
	}
}

// keep bounds the memory that is kept for the next batch, in bytes.
const keep = 1 << 20

// settle waits for a write that outlived its context. Its alerts were reported as failed, so they come again: twice,
// rather than never.
func (s *Stdout) settle(ctx context.Context) error {
	if s.pending == nil {
		return nil
	}
	select {
	case w := <-s.pending:
		s.pending = nil
		s.torn = w.err != nil
		return nil
	case <-ctx.Done():
		return stuck(ctx)
	}
}

func (s *Stdout) judge(w written, lines []byte) error {
	if w.err == nil && w.bytes < len(lines) {
		w.err = io.ErrShortWrite
	}
	if w.bytes > 0 {
		s.torn = lines[min(w.bytes, len(lines))-1] != '\n'
	}
	if w.err != nil {
		return verdict.Because(verdict.Storage, fmt.Errorf("write to the standard output: %w", w.err))
	}
	return nil
}

func stuck(ctx context.Context) error {
	return fmt.Errorf("the standard output takes nothing: %w", ctx.Err())
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(file.Fd()))
}
