package httpsource

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/goleak"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/source"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// falcoAlert is what Falco sends for a shell in a container, with 20 output_fields.
const falcoAlert = `{"hostname":"node-03","output":"09:47:21.123456789: Warning Shell & <redirect> in container (user=root cmd=bash -c \"id\" container=web)","output_fields":{"container.id":"3ad7b26ded6d","container.image.repository":"docker.io/library/nginx","container.image.tag":"1.27","container.name":"web","evt.time":1787132841123456789,"evt.type":"execve","fd.name":null,"k8s.ns.name":"shop","k8s.pod.name":"web-7d4b9-abcde","proc.aname[2]":"containerd-shim","proc.cmdline":"bash -c \"id\" and a text longer than thirty-six characters","proc.exepath":"/usr/bin/bash","proc.name":"bash","proc.pid":18446744073709551615,"proc.pname":"containerd-shim","proc.tty":34816,"thread.cap_permitted":true,"user.loginuid":-1,"user.name":"root","user.uid":0},"priority":"Warning","rule":"Terminal shell in container","source":"syscall","tags":["T1059","container","mitre_execution","shell"],"time":"2026-08-17T09:47:21.123456789Z","message":"Shell"}` + "\n"

// journal stands in for the real one: it keeps what was put, or fails.
type journal struct {
	mu     sync.Mutex
	alerts []*alert.Alert
	err    error
	hold   chan struct{} // when set, put waits until it is closed
	asked  chan struct{} // gets one value for each put that begins, when set
}

func (j *journal) put(ctx context.Context, alerts []*alert.Alert) error {
	if j.asked != nil {
		j.asked <- struct{}{}
	}
	if j.hold != nil {
		select {
		case <-j.hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	j.alerts = append(j.alerts, alerts...)
	return nil
}

func (j *journal) rules() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	rules := make([]string, len(j.alerts))
	for i, a := range j.alerts {
		rules[i] = a.Rule
	}
	return strings.Join(rules, " ")
}

// running is a source that answers on loopback.
type running struct {
	*Source
	journal *journal
	reg     *prometheus.Registry
	log     *safeBuffer
	stop    func() error // ends it and gives what Run returned

	mu      sync.Mutex
	refused []Refused
}

type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// loopback is the default config on a free port of loopback.
func loopback() Config {
	cfg := Defaults()
	cfg.ListenAddress = "127.0.0.1"
	cfg.ListenPort = 0
	cfg.TLSServer.NoTLSPort = 0
	return cfg
}

func testDeps(r *running) Deps {
	return Deps{
		Log:            slog.New(slog.NewTextHandler(r.log, nil)),
		Metrics:        r.reg,
		MetricsHandler: promhttp.HandlerFor(r.reg, promhttp.HandlerOpts{}),
		Ready:          func() (bool, any) { return true, map[string]string{"journal": "ok"} },
		Test: func() *alert.Alert {
			return &alert.Alert{ID: alert.NewID(), Rule: alert.TestRule, Time: time.Now(), Received: time.Now()}
		},
		Refused: func(what Refused) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.refused = append(r.refused, what)
		},
		Now: time.Now,
	}
}

// start runs a source until the test ends.
func start(t testing.TB, cfg Config, change ...func(*running, *Deps)) *running {
	t.Helper()
	r := &running{journal: &journal{}, reg: prometheus.NewRegistry(), log: &safeBuffer{}}
	deps := testDeps(r)
	for _, c := range change {
		c(r, &deps)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	r.Source = s
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, r.journal.put) }()
	r.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return r
}

func (r *running) url(path string) string { return "http://" + r.Addrs()[0].String() + path }

// reply is what a sender sees.
type reply struct {
	status int
	header http.Header
	body   string
	proto  string
}

// client is one that leaves nothing behind when the test ends.
func client(t testing.TB, transport *http.Transport) *http.Client {
	t.Helper()
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func send(t testing.TB, c *http.Client, method, url string, body io.Reader, header ...string) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Add(header[i], header[i+1])
	}
	response, err := c.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, string(text), response.Proto}
}

// post sends a body to / on a connection of its own.
func (r *running) post(t testing.TB, body string, header ...string) reply {
	t.Helper()
	return send(t, client(t, &http.Transport{DisableKeepAlives: true, DisableCompression: true}), http.MethodPost, r.url("/"), strings.NewReader(body), header...)
}

// raw sends bytes as they are and gives everything that comes back until the other side closes.
func (r *running) raw(t testing.TB, request string) string {
	t.Helper()
	conn := r.dial(t)
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	return readAll(t, conn)
}

func (r *running) dial(t testing.TB) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", r.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// readAll reads until the other side closes; a reset, which follows when it left some of ours unread, is an end too.
func readAll(t testing.TB, conn net.Conn) string {
	t.Helper()
	answer, err := io.ReadAll(conn)
	var network *net.OpError
	if err != nil && !errors.As(err, &network) {
		t.Fatal(err)
	}
	return string(answer)
}

// counted gives the value of a counter or gauge, or -1 when there is no such series.
func (r *running) counted(t testing.TB, name string, labels ...string) float64 {
	t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
	series:
		for _, m := range family.GetMetric() {
			for i := 0; i+1 < len(labels); i += 2 {
				found := false
				for _, l := range m.GetLabel() {
					found = found || l.GetName() == labels[i] && l.GetValue() == labels[i+1]
				}
				if !found {
					continue series
				}
			}
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return -1
}

func (r *running) lastRefused() (Refused, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.refused) == 0 {
		return Refused{}, 0
	}
	return r.refused[len(r.refused)-1], len(r.refused)
}

func simple(rule string) string {
	return `{"rule":"` + rule + `","priority":"Notice","time":"2026-08-17T09:47:21Z","output_fields":{"a":1}}`
}

var _ source.Source = (*Source)(nil)
