// Package stdinsource takes alerts from standard input, a line each: falco | tiercel run.
package stdinsource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/size"
	"github.com/tiercel/tiercel/pkg/source"
)

// Config is whether standard input is read.
type Config struct {
	// Take alerts from standard input, a line each. Tiercel ends once the input does and everything is delivered, or draintimeout is over.
	Enabled bool `config:"enabled"`
	// Longest line that is read.
	MaxLine size.Bytes `config:"maxline"`
}

// Defaults gives what is not set.
func Defaults() Config { return Config{MaxLine: 4 * size.MiB} }

// Validate returns every problem, joined.
func (c *Config) Validate() error {
	if c.MaxLine < size.KiB || c.MaxLine > 64*size.MiB {
		return problem.At("maxline", "expected 1KiB to 64MiB, got %s", c.MaxLine)
	}
	return nil
}

const (
	queued = 512 // alerts on their way to the journal
	// quiet is how long the input must be silent, after ctx has ended, to count as empty; most is how long that may
	// take. Who stops a pipe stops its writer at the same time, who may have said something still.
	quiet = 200 * time.Millisecond
	most  = 5 * time.Second
	// lingering is how long the journal has to take what was read.
	lingering = 10 * time.Second
)

// Source reads standard input.
type Source struct {
	from io.Reader
	cfg  Config
	door *source.Door
}

// New makes the source. cfg must be valid.
func New(cfg Config, from io.Reader, door *source.Door) *Source {
	return &Source{from: from, cfg: cfg, door: door}
}

// Run takes alerts until the input ends, or ctx and what was written by then. Whoever waits in a read of standard
// input cannot be called back: the goroutine that does it stays until the process ends.
func (s *Source) Run(ctx context.Context, put source.Put) error {
	late, cancel := source.Linger(ctx, lingering)
	defer cancel()
	alerts := make(chan *alert.Alert, queued)
	ended := make(chan error, 1)
	moved := make(chan struct{}, 1)
	given := make(chan struct{}) // closed when nobody takes any more
	defer close(given)
	go func() { ended <- s.read(alerts, moved, given) }()
	passed := make(chan *alert.Alert)
	var failed error
	go func() {
		defer close(passed)
		failed = pass(ctx, alerts, passed, moved, ended, given)
	}()
	if err := s.door.Pump(late, put, passed, func(int) {}); err != nil {
		return err
	}
	return failed
}

// pass hands alerts on until the input has ended, or is silent after ctx has.
func pass(ctx context.Context, from <-chan *alert.Alert, to chan<- *alert.Alert, moved <-chan struct{}, ended <-chan error, given <-chan struct{}) error {
	var silent, late <-chan time.Time
	stopped := ctx.Done()
	for {
		select {
		case a, ok := <-from:
			if !ok {
				return <-ended
			}
			select {
			case to <- a:
			case <-given:
				return nil
			}
		case <-stopped:
			stopped = nil
			silent, late = time.After(quiet), time.After(most)
		case <-moved:
			if silent != nil {
				silent = time.After(quiet)
			}
		case <-silent:
			return nil
		case <-late:
			return nil
		}
	}
}

// read reads the input to its end.
func (s *Source) read(alerts chan<- *alert.Alert, moved chan<- struct{}, given <-chan struct{}) error {
	defer close(alerts)
	lines := source.NewLines(s.from, int(s.cfg.MaxLine))
	for number := 1; ; number++ {
		line, _, err := lines.Next()
		switch {
		case errors.Is(err, source.ErrTooLong):
			s.refuse(number, line, source.TooLarge, fmt.Errorf("%w: expected at most %s (inputs.stdin.maxline)", err, s.cfg.MaxLine))
			continue
		case errors.Is(err, io.EOF):
			line, _ = lines.Rest()
			s.take(number, line, alerts, given)
			return nil
		case err != nil:
			return fmt.Errorf("reading standard input: %w", err)
		}
		select {
		case moved <- struct{}{}:
		default:
		}
		if !s.take(number, line, alerts, given) {
			return nil
		}
	}
}

// take hands over the alerts of a line, unless nobody takes any more.
func (s *Source) take(number int, line []byte, alerts chan<- *alert.Alert, given <-chan struct{}) bool {
	if len(line) == 0 {
		return true
	}
	found, err := source.DecodeLine(line, time.Now())
	if err != nil {
		s.refuse(number, line, source.NotText, err)
		return true
	}
	for _, a := range found {
		select {
		case alerts <- a:
		case <-given:
			return false
		}
	}
	return true
}

func (s *Source) refuse(number int, line []byte, reason string, err error) {
	s.door.Refuse(fmt.Sprintf("standard input, line %d", number), line, reason, err)
}
