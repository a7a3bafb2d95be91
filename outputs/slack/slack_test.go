package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/secret"
)

var received = time.Date(2026, 8, 17, 9, 47, 22, 0, time.UTC)

// hook is the path of the tests' webhook; its last part is the secret one.
const hook = "/services/T0TEAM/B0HOOK/sEcReTsEcReTsEcReT"

// post is a request that Slack got.
type post struct {
	at     time.Time
	method string
	path   string
	header http.Header
	body   string
}

// message reads the body.
func (p post) message(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(p.body), &m); err != nil {
		t.Fatalf("%v in %q", err, p.body)
	}
	return m
}

// attachment gives the only one.
func (p post) attachment(t testing.TB) map[string]any {
	t.Helper()
	all, _ := p.message(t)["attachments"].([]any)
	if len(all) != 1 {
		t.Fatalf("attachments of %s", p.body)
	}
	return all[0].(map[string]any)
}

// text gives the attachment's text.
func (p post) text(t testing.TB) string {
	t.Helper()
	text, _ := p.attachment(t)["text"].(string)
	return text
}

// field gives an attachment's field.
func (p post) field(t testing.TB, title string) (value string, short bool) {
	t.Helper()
	all, _ := p.attachment(t)["fields"].([]any)
	for _, f := range all {
		if f := f.(map[string]any); f["title"] == title {
			return f["value"].(string), f["short"].(bool)
		}
	}
	t.Fatalf("no field %q in %s", title, p.body)
	return "", false
}

// fakeSlack takes posts and answers as told.
type fakeSlack struct {
	mu     sync.Mutex
	posts  []post
	answer func(n int, w http.ResponseWriter) // of the n-th post, from 0; nil is ok
}

func (f *fakeSlack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	n := len(f.posts)
	f.posts = append(f.posts, post{time.Now(), r.Method, r.URL.Path, r.Header.Clone(), string(body)})
	f.mu.Unlock()
	if f.answer == nil {
		_, _ = io.WriteString(w, "ok")
		return
	}
	f.answer(n, w)
}

func (f *fakeSlack) all() []post {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.posts)
}

// refuse answers with a status and Slack's word for it.
func refuse(w http.ResponseWriter, status int, word string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, word)
}

// config is that of an output without pace, so that tests need no clock.
func config() Config {
	c := Defaults()
	c.Digest.Pace = 0
	c.Digest.Age = 0
	return c
}

// falcosidekick is a config whose messages must be falcosidekick's.
func falcosidekick() Config {
	c := config()
	c.Username = "Falcosidekick"
	c.Icon = "https://raw.githubusercontent.com/falcosecurity/falcosidekick/master/imgs/falcosidekick_color.png"
	c.Footer = "https://github.com/falcosecurity/falcosidekick"
	return c
}

type setup struct {
	*Slack
	metrics *prometheus.Registry
	log     *bytes.Buffer
}

// output makes an output that posts to address.
func output(t testing.TB, address string, c Config) setup {
	t.Helper()
	c.WebhookURL = secret.New(address + hook)
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	s := setup{metrics: prometheus.NewPedanticRegistry(), log: new(bytes.Buffer)}
	out, err := New(outputs.Env{
		Name: "slack", Version: "1.2.3", Metrics: s.metrics, Log: slog.New(slog.NewTextHandler(s.log, nil)), HTTP: httpx.Defaults(),
	}, c)
	if err != nil {
		t.Fatal(err)
	}
	s.Slack = out.(*Slack)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// serve starts a Slack on loopback and an output that posts to it.
func serve(t testing.TB, c Config) (setup, *fakeSlack) {
	t.Helper()
	f := &fakeSlack{}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return output(t, server.URL, c), f
}

// serveInMemory starts a Slack that needs no network, so that a fake clock can run.
func serveInMemory(t testing.TB, c Config) (setup, *fakeSlack) {
	t.Helper()
	f := &fakeSlack{}
	l := &memory{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: f, ReadHeaderTimeout: time.Hour}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	s := output(t, "http://slack.test", c)
	s.client = &http.Client{Transport: &http.Transport{DialContext: l.dial}}
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		_ = server.Close()
		<-done
	})
	return s, f
}

// memory is a listener whose connections are pipes.
type memory struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (m *memory) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case m.conns <- there:
		return here, nil
	case <-m.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

func (m *memory) Addr() net.Addr { return &net.TCPAddr{} }

func decode(t testing.TB, body string) *alert.Alert {
	t.Helper()
	a, err := alert.DecodeOne([]byte(body), received)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// wire gives the body of a recorded request of falcosidekick.
func wire(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "wire", name))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("the recorded requests are not here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	_, body, ok := strings.Cut(string(text), "\n\n")
	if !ok {
		t.Fatalf("%s: no body", name)
	}
	return body
}

// send sends alerts with a deadline as the lane gives one.
func (s setup) send(t testing.TB, batch ...*alert.Alert) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return s.Send(ctx, batch)
}

// one makes an alert.
func one(rule string, p alert.Priority, host string, at time.Time) *alert.Alert {
	return &alert.Alert{
		ID: alert.NewID(), Received: at, Time: at, Priority: p, Rule: rule, Source: "syscall", Hostname: host,
		Output: "09:47:21.123456789: " + p.String() + " something happened (user=root)",
	}
}
