package app_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/app"
	"github.com/tiercel/tiercel/pkg/config"
	"github.com/tiercel/tiercel/pkg/journal"
	"github.com/tiercel/tiercel/pkg/secret"
	"github.com/tiercel/tiercel/pkg/telemetry"
)

// place is an output that does as it is told, and remembers.
type place struct {
	send func(ctx context.Context, batch []*alert.Alert) error // nil takes everything
	shut func() error                                          // on Close
	fail error                                                 // why it cannot be made

	mu     sync.Mutex
	rules  []string // of the alerts it took
	closed int
}

type placeConfig struct {
	On    bool          `config:"enabled"`
	Token secret.String `config:"token"`
}

func (c *placeConfig) Enabled() bool   { return c.On }
func (c *placeConfig) Validate() error { return nil }

// spec makes a kind of output of the place.
func (p *place) spec(name string) outputs.Spec {
	return outputs.Define(outputs.Spec{Name: name, Title: name, Category: "test", Batch: outputs.Batch{Max: 16}},
		func() placeConfig { return placeConfig{} },
		func(outputs.Env, placeConfig) (outputs.Output, error) {
			if p.fail != nil {
				return nil, p.fail
			}
			return p, nil
		})
}

func (p *place) Send(ctx context.Context, batch []*alert.Alert) error {
	if p.send != nil {
		if err := p.send(ctx, batch); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range batch {
		p.rules = append(p.rules, a.Rule)
	}
	return nil
}

func (p *place) Close() error {
	p.mu.Lock()
	p.closed++
	p.mu.Unlock()
	if p.shut != nil {
		return p.shut()
	}
	return nil
}

func (p *place) took() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.rules)
}

func (p *place) closes() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// load makes a config with a journal in dir, on a free port, and these lines.
func load(t *testing.T, dir string, specs []outputs.Spec, lines ...string) *config.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	text := "listenaddress: 127.0.0.1\nlistenport: 0\njournal: {dir: " + dir + ", sync: none, reserve: 0}\n" + strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.Load(config.Options{File: file, Environ: []string{"PROBE_ENABLED=false"}, Specs: specs})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func deps(log io.Writer) app.Deps {
	return app.Deps{Version: "test", Log: slog.New(slog.NewTextHandler(log, nil)), Stdout: io.Discard}
}

// running is an app that runs until it is stopped.
type running struct {
	*app.App

	t      *testing.T
	cancel context.CancelFunc
	ended  chan error
	log    *lockedBuffer
}

func start(t *testing.T, cfg *config.Config) *running {
	t.Helper()
	log := &lockedBuffer{}
	a, err := app.New(t.Context(), cfg, deps(log))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{App: a, t: t, cancel: cancel, ended: make(chan error, 1), log: log}
	go func() { r.ended <- a.Run(ctx) }()
	t.Cleanup(cancel)
	return r
}

// end stops it and waits.
func (r *running) end() {
	r.t.Helper()
	r.cancel()
	if err := <-r.ended; err != nil {
		r.t.Errorf("the app ended with %v", err)
	}
}

// client keeps no connections, so that none is open when goroutines are counted.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// post sends an alert of each rule in one request.
func (r *running) post(rules ...string) {
	r.t.Helper()
	var body strings.Builder
	for _, rule := range rules {
		body.WriteString(`{"rule":"` + rule + `","priority":"Warning","time":"2026-01-02T03:04:05Z","output":"o"}`)
	}
	r.send(body.String())
}

// send posts a body.
func (r *running) send(body string) {
	r.t.Helper()
	if status, answer := request(r.t, http.MethodPost, r.url(""), body); status != http.StatusOK {
		r.t.Fatalf("posting was answered %d: %s", status, answer)
	}
}

func (r *running) url(path string) string { return "http://" + r.Addrs()[0].String() + "/" + path }

func request(t *testing.T, method, url, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got.StatusCode, string(text)
}

// eventually waits until something is true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("did not happen: %s", what)
		}
	}
}

// deadLetters gives lane and rule of each dead letter in a journal that nobody runs on.
func deadLetters(t *testing.T, cfg *config.Config) []string {
	t.Helper()
	j, err := journal.Open(t.Context(), cfg.Journal, journalOptions())
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	err = j.DeadLetters(t.Context(), "", func(d journal.DeadLetter) bool {
		found = append(found, d.Lane+": "+d.Alert.Rule+": "+string(d.Reason))
		return true
	})
	if err := errors.Join(err, j.Close()); err != nil {
		t.Fatal(err)
	}
	return found
}

// lanes gives the names of the lanes that have a place in the journal of the app that runs.
func lanes(t *testing.T, cfg *config.Config) []string {
	t.Helper()
	j, err := journal.Attach(t.Context(), cfg.Journal, journalOptions())
	if err != nil {
		t.Fatal(err)
	}
	names, err := j.Lanes(t.Context())
	if err := errors.Join(err, j.Close()); err != nil {
		t.Fatal(err)
	}
	return names
}

func journalOptions() journal.Options {
	return journal.Options{Log: slog.New(slog.DiscardHandler), Metrics: telemetry.NewRegistry("test")}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
