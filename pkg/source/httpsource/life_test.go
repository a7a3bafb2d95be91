package httpsource

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func newRegistry() *prometheus.Registry { return prometheus.NewRegistry() }

// TestRequestsUnderWayFinish stops the source while an alert is being written to the journal.
func TestRequestsUnderWayFinish(t *testing.T) {
	r := start(t, loopback(), func(r *running, _ *Deps) {
		r.journal.hold, r.journal.asked = make(chan struct{}), make(chan struct{}, 1)
	})
	address := r.Addrs()[0].String()
	idle := r.dial(t) // a Falco that is connected and has nothing to say
	if _, err := io.WriteString(idle, "GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answered := make(chan reply, 1)
	go func() { answered <- r.post(t, falcoAlert) }()
	<-r.journal.asked
	ended := make(chan error, 1)
	go func() { ended <- r.stop() }()
	for { // no new connections, long before the request is answered
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		if err != nil {
			break
		}
		_ = conn.Close()
	}
	select {
	case err := <-ended:
		t.Fatalf("Run ended before the request: %v", err)
	default:
	}
	close(r.journal.hold)
	if got := <-answered; got.status != 200 {
		t.Errorf("the request under way got %d %s", got.status, got.body)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if got := r.journal.rules(); got != "Terminal shell in container" {
		t.Errorf("journal: %s", got)
	}
	if got := readAll(t, idle); !strings.HasSuffix(got, "pong\n") {
		t.Errorf("the idle connection got %q", got)
	}
}

// TestRequestsThatDoNotFinishAreCut has a journal that never answers.
func TestRequestsThatDoNotFinishAreCut(t *testing.T) {
	r := start(t, loopback(), func(r *running, _ *Deps) {
		r.journal.hold, r.journal.asked = make(chan struct{}), make(chan struct{}, 1)
	})
	r.drain = 20 * time.Millisecond
	conn := r.dial(t)
	if _, err := io.WriteString(conn, asPost("1.1", falcoAlert, length(falcoAlert))); err != nil {
		t.Fatal(err)
	}
	<-r.journal.asked
	if err := r.stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
	if got := readAll(t, conn); strings.Contains(got, "200 OK") {
		t.Errorf("an alert that is not in the journal was answered %q", got)
	}
	if !strings.Contains(r.log.String(), "did not end in time") {
		t.Errorf("log: %s", r.log)
	}
}

// TestSenderThatGoesAwayDoesNotUndoItsAlert closes the connection while the alert is being written.
func TestSenderThatGoesAwayDoesNotUndoItsAlert(t *testing.T) {
	r := start(t, loopback(), func(r *running, _ *Deps) {
		r.journal.hold, r.journal.asked = make(chan struct{}), make(chan struct{}, 1)
	})
	conn := r.dial(t)
	if _, err := io.WriteString(conn, asPost("1.1", falcoAlert, length(falcoAlert))); err != nil {
		t.Fatal(err)
	}
	<-r.journal.asked
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	close(r.journal.hold)
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if got := r.journal.rules(); got != "Terminal shell in container" {
		t.Errorf("journal: %q", got)
	}
}

func TestPortInUse(t *testing.T) {
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	files := newPKI(t)
	second := files.serverConfig(false)
	second.TLSServer.NoTLSPaths = []string{"/ping"}
	second.TLSServer.NoTLSPort = port
	first := loopback()
	first.ListenPort = port
	elsewhere := loopback()
	elsewhere.ListenAddress = "192.0.2.1"
	for name, c := range map[string]struct {
		cfg  Config
		want string
	}{
		"the port":             {first, fmt.Sprintf("port %d is in use: stop the program that listens there, or set listenport", port)},
		"the port without TLS": {second, fmt.Sprintf("port %d is in use: stop the program that listens there, or set tlsserver.notlsport", port)},
		"another machine's":    {elsewhere, "192.0.2.1 is no address of this machine: set listenaddress"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &running{journal: &journal{}, log: &safeBuffer{}, reg: newRegistry()}
			s, err := New(t.Context(), c.cfg, testDeps(r))
			if err == nil || s != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestTwoSourcesInOneRegistry(t *testing.T) {
	r := start(t, loopback())
	if _, err := New(t.Context(), loopback(), testDeps(r)); err == nil {
		t.Error("no error")
	}
}

func TestCloseWithoutRun(t *testing.T) {
	r := &running{journal: &journal{}, log: &safeBuffer{}, reg: newRegistry()}
	s, err := New(t.Context(), loopback(), testDeps(r))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addrs()[0].String()); err == nil {
		_ = conn.Close()
		t.Error("it still listens")
	}
}

func TestListenerThatFailsEndsRun(t *testing.T) {
	r := &running{journal: &journal{}, log: &safeBuffer{}, reg: newRegistry()}
	s, err := New(t.Context(), loopback(), testDeps(r))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.doors[0].listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context(), r.journal.put); err == nil || !strings.Contains(err.Error(), "receive on 127.0.0.1:") {
		t.Errorf("Run: %v", err)
	}
}

// TestConnectionsBeforeRunWait connects before anybody answers.
func TestConnectionsBeforeRunWait(t *testing.T) {
	r := &running{journal: &journal{}, log: &safeBuffer{}, reg: newRegistry()}
	s, err := New(t.Context(), loopback(), testDeps(r))
	if err != nil {
		t.Fatal(err)
	}
	r.Source = s
	conn := r.dial(t)
	if _, err := io.WriteString(conn, asPost("1.1", falcoAlert, length(falcoAlert), "Connection: close")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, r.journal.put) }()
	if got := readAll(t, conn); !strings.HasPrefix(got, "HTTP/1.1 200 OK") {
		t.Errorf("answer %q", got)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestManyStartsLeaveNothing(t *testing.T) { // goleak looks at the end
	for range 5 {
		r := start(t, loopback())
		if got := send(t, client(t, &http.Transport{}), http.MethodPost, r.url("/"), strings.NewReader(falcoAlert)); got.status != 200 {
			t.Fatal(got.status)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	}
}
