package flow

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/journal"
)

// sharing is one Tiercel of several on a cluster.
type sharing struct {
	*Flow

	journal *journal.Journal
	stop    func()
}

func share(t *testing.T, url string, names ...string) *sharing {
	t.Helper()
	cfg := journal.Defaults()
	cfg.URL = url
	j, err := journal.Open(t.Context(), cfg, journal.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var configured []Output
	for _, name := range names {
		configured = append(configured, Output{Name: name, Batch: outputs.Batch{Max: 10}, Settings: Defaults(), Output: down{}})
	}
	f, err := New(t.Context(), Deps{
		Log: slog.New(slog.DiscardHandler), Journal: j, Metrics: prometheus.NewRegistry(),
		Normalize: func(*alert.Alert) {}, Accepted: func(*alert.Alert) {},
	}, configured)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { f.Run(ctx, 0) })
	s := &sharing{Flow: f, journal: j, stop: sync.OnceFunc(func() {
		cancel()
		running.Wait()
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})}
	t.Cleanup(s.stop)
	return s
}

// down is an output that takes nothing.
type down struct{}

func (down) Send(context.Context, []*alert.Alert) error { return errors.New("down") }

// TestOutputsOfAnotherTiercelAreLeftAlone: only what nobody has served for a while is wound up.
func TestOutputsOfAnotherTiercelAreLeftAlone(t *testing.T) {
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	go srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(time.Minute) {
		t.Fatal("the NATS server does not start")
	}
	old := share(t, srv.ClientURL(), "loki", "slack")
	updated := share(t, srv.ClientURL(), "loki")
	if err := updated.Put(t.Context(), []*alert.Alert{named("a")}); err != nil {
		t.Fatal(err)
	}
	eventually := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("waited 30 s: " + what)
			}
		}
	}
	served := func() bool {
		yes, err := updated.journal.Served(t.Context(), "slack")
		return err == nil && yes
	}
	eventually("slack is not served", served)
	if yes, err := updated.journal.Served(t.Context(), "webhook"); err != nil || yes {
		t.Errorf("who is not there is served: %v, %v", yes, err)
	}

	now := time.Now()
	since := map[string]time.Time{}
	later := func(after time.Duration) []string { return updated.unserved(t.Context(), since, now.Add(after)) }
	if names := slices.Concat(later(0), later(unservedFor), later(2*unservedFor)); len(names) > 0 {
		t.Errorf("%v are to be wound up while another Tiercel serves them", names)
	}
	old.stop()
	eventually("slack is still served", func() bool { return !served() })
	if names := slices.Concat(later(3*unservedFor), later(4*unservedFor-time.Second)); len(names) > 0 {
		t.Errorf("%v are to be wound up at once", names)
	}
	if names := later(4 * unservedFor); !slices.Equal(names, []string{"slack"}) {
		t.Fatalf("%v are to be wound up, want slack", names)
	}
	if err := updated.windUp(t.Context(), "slack"); err != nil {
		t.Fatal(err)
	}
	eventually("what was left for slack is no dead letter", func() bool {
		letters := 0
		err := updated.journal.DeadLetters(t.Context(), "slack", func(journal.DeadLetter) bool { letters++; return true })
		return err == nil && letters == 1
	})
	if names := later(5 * unservedFor); len(names) > 0 {
		t.Errorf("%v are to be wound up twice", names)
	}
}
