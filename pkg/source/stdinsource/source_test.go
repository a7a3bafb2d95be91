package stdinsource_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/source"
	"github.com/tiercel/tiercel/pkg/source/stdinsource"
)

type taker struct {
	mu      sync.Mutex
	rules   []string
	refused []source.Refused
}

func (k *taker) put(_ context.Context, alerts []*alert.Alert) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, a := range alerts {
		k.rules = append(k.rules, a.Rule)
	}
	return nil
}

func (k *taker) took() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.rules)
}

func (k *taker) source(from io.Reader) *stdinsource.Source {
	door := source.NewDoor("stdin", slog.New(slog.DiscardHandler), source.NewMetrics(prometheus.NewRegistry()), func(r source.Refused) {
		k.refused = append(k.refused, r)
	})
	cfg := stdinsource.Defaults()
	cfg.MaxLine = 1024
	return stdinsource.New(cfg, from, door)
}

func line(rule string) string {
	return `{"rule":"` + rule + `","priority":"Notice","time":"2026-01-02T03:04:05Z","output":"안녕"}`
}

// The input's end is the source's, without an error; a last line without a break counts.
func TestTakesLinesUntilTheEnd(t *testing.T) {
	defer goleak.VerifyNone(t)
	text := line("A") + "\n\n2026-07-31: Loading rules\n" + strings.Repeat("x", 2000) + "\n16:17:57.881781397: Warning as text\r\n" + line("B")
	for _, from := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text))} {
		k := &taker{}
		if err := k.source(from).Run(t.Context(), k.put); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(k.rules, []string{"A", source.TextRule, "B"}) {
			t.Errorf("taken: %v", k.rules)
		}
		if len(k.refused) != 2 || k.refused[0].Remote != "standard input, line 3" || k.refused[0].Reason != source.NotText || k.refused[1].Reason != source.TooLarge {
			t.Errorf("refused: %+v", k.refused)
		}
	}
}

// When Tiercel is stopped it still takes what the other end of the pipe says then.
func TestStopTakesWhatIsInThePipe(t *testing.T) {
	defer goleak.VerifyNone(t)
	from, to := io.Pipe()
	k := &taker{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- k.source(from).Run(ctx, k.put) }()
	_, _ = io.WriteString(to, line("A")+"\n")
	for len(k.took()) < 1 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	_, _ = io.WriteString(to, line("B")+"\n")
	_ = to.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := k.took(); !slices.Equal(got, []string{"A", "B"}) {
		t.Errorf("taken: %v", got)
	}
}

// A pipe whose other end says nothing holds the stop up for a moment only.
func TestStopWithAPipeThatIsOpen(t *testing.T) {
	from, to := io.Pipe()
	defer to.Close()
	k := &taker{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := k.source(from).Run(ctx, k.put); err != nil {
		t.Error(err)
	}
}

func TestBrokenInput(t *testing.T) {
	defer goleak.VerifyNone(t)
	broken := errors.New("input/output error")
	k := &taker{}
	err := k.source(io.MultiReader(strings.NewReader(line("A")+"\n"), iotest.ErrReader(broken))).Run(t.Context(), k.put)
	if !errors.Is(err, broken) || len(k.rules) != 1 {
		t.Errorf("%v after %v", err, k.rules)
	}
}
