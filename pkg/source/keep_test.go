package source_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tiercel/tiercel/pkg/source"
)

type run func(ctx context.Context) error

func (r run) Run(ctx context.Context, _ source.Put) error { return r(ctx) }

// A place that is away for a day is tried at least every 36 seconds, and the log holds one line for it, not thousands.
func TestKeepTriesForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		health := source.NewHealth(slog.New(slog.NewTextHandler(&log, nil)))
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour+time.Minute)
		defer cancel()
		begin, last, longest := time.Now(), time.Now(), time.Duration(0)
		tries := 0
		source.Keep(ctx, health, run(func(ctx context.Context) error {
			tries++
			longest = max(longest, time.Since(last))
			last = time.Now()
			if time.Since(begin) < 24*time.Hour {
				return errors.New("no such socket")
			}
			health.Up()
			<-ctx.Done()
			return nil
		}), nil)
		if longest > 36*time.Second || longest < 24*time.Second {
			t.Errorf("the longest pause was %s, expected about 30 s", longest)
		}
		if tries < 24*60*60/36 {
			t.Errorf("only %d tries in a day", tries)
		}
		if state := health.State(); state.Err != nil {
			t.Errorf("the source is up, but its state is %v", state.Err)
		}
		if lines := strings.Count(log.String(), "\n"); lines != 2 || !strings.Contains(log.String(), "down=24h0m") {
			t.Errorf("expected one line at the begin and one at the end, got\n%s", &log)
		}
	})
}

// After a run that lasted, the next try comes soon.
func TestKeepBeginsAnewAfterARunThatLasted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		health := source.NewHealth(slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var ended time.Time
		tries := 0
		source.Keep(ctx, health, run(func(context.Context) error {
			switch tries++; {
			case tries < 10:
				return errors.New("away")
			case tries == 10:
				health.Up()
				time.Sleep(2 * time.Minute)
				ended = time.Now()
				return errors.New("the connection broke")
			}
			if pause := time.Since(ended); pause > 1200*time.Millisecond {
				t.Errorf("tried again only after %s", pause)
			}
			if state := health.State(); state.Err == nil || state.Err.Error() != "the connection broke" || !state.Since.Equal(ended) {
				t.Errorf("the state is %+v", state)
			}
			cancel()
			return nil
		}), nil)
	})
}

// A source that says nothing yet is not up.
func TestHealthBegins(t *testing.T) {
	if state := source.NewHealth(slog.New(slog.DiscardHandler)).State(); state.Err == nil || state.Since.IsZero() {
		t.Errorf("a source that has not run is shown as up: %+v", state)
	}
}
