package syslogsource_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/certs"
	"github.com/tiercel/tiercel/pkg/certs/certstest"
	"github.com/tiercel/tiercel/pkg/source"
	"github.com/tiercel/tiercel/pkg/source/syslogsource"
)

type taker struct {
	*syslogsource.Source

	t    *testing.T
	stop func()

	mu      sync.Mutex
	alerts  []*alert.Alert
	refused []source.Refused
}

// listen runs a source on some addresses until the test ends.
func listen(t *testing.T, change func(*syslogsource.Config), addresses ...string) *taker {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	cfg := syslogsource.Defaults()
	cfg.Listen = addresses
	if change != nil {
		change(&cfg)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	k := &taker{t: t}
	log := slog.New(slog.DiscardHandler)
	door := source.NewDoor("syslog", log, source.NewMetrics(prometheus.NewRegistry()), func(r source.Refused) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.refused = append(k.refused, r)
	})
	var err error
	if k.Source, err = syslogsource.New(t.Context(), cfg, log, door); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- k.Run(ctx, func(_ context.Context, alerts []*alert.Alert) error {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.alerts = append(k.alerts, alerts...)
			return nil
		})
	}()
	k.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the source ended with %v", err)
		}
	})
	t.Cleanup(k.stop)
	return k
}

func (k *taker) took() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var rules []string
	for _, a := range k.alerts {
		rules = append(rules, a.Rule)
	}
	return rules
}

func (k *taker) expect(rules ...string) {
	k.t.Helper()
	k.eventually(fmt.Sprint("taken: ", rules), func() bool { return slices.Equal(k.took(), rules) })
}

func (k *taker) eventually(what string, ok func() bool) {
	k.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			k.t.Fatalf("did not happen: %s; taken %v, refused %+v", what, k.took(), k.refused)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func body(rule string) string {
	return `{"rule":"` + rule + `","priority":"Notice","time":"2026-01-02T03:04:05Z","output":"안녕 🐚: \"x\" <y>"}`
}

func dial(t *testing.T, network, address string) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func send(t *testing.T, to io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(to, text); err != nil {
		t.Fatal(err)
	}
}

// The forms that are on the wires: RFC 5424 with and without more, RFC 3164 as daemons send it and as syslog(3) writes it
// to /dev/log, without a host.
func TestForms(t *testing.T) {
	path := filepath.Join(t.TempDir(), "syslog.sock")
	k := listen(t, nil, "unix://"+path, "udp://127.0.0.1:0")
	var want []string
	for _, to := range []net.Conn{dial(t, "unixgram", path), dial(t, "udp", k.Addrs()[1].String())} {
		for _, head := range []string{
			"<13>1 2026-07-31T09:57:57.881781+09:00 node-1 falco 12 - - ",
			"<13>1 - - - - - - \uFEFF",
			`<13>1 2026-07-31T09:57:57Z node-1 falco 12 ID47 [a@32473 x="1\]" y="\"안녕\""][b@1] `,
			"<13>Jul 31 09:57:57 node-1 falco[12]: ",
			"<13>Jul  1 09:57:57 falco[12]: ",
			"<13>Jul 31 09:57:57 node-1 falco: ",
			"<13>2026-07-31T09:57:57.881781+09:00 node-1 falco[12]: ",
		} {
			rule := fmt.Sprint("r", len(want))
			send(t, to, head+body(rule)+"\n")
			want = append(want, rule)
			k.expect(want...)
		}
	}
	for i, a := range k.alerts {
		wantHost := "node-1"
		if i%7 == 1 || i%7 == 4 {
			wantHost = ""
		}
		if a.Hostname != wantHost || a.Output != `안녕 🐚: "x" <y>` {
			t.Errorf("message %d became %+v", i, a)
		}
	}
}

// A text alert keeps what the header says of its host.
func TestText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "syslog.sock")
	k := listen(t, nil, "unix://"+path)
	send(t, dial(t, "unixgram", path), "<12>Jul 31 09:57:57 node-1 falco[12]: 16:17:57.881781397: Warning A shell (user=root) 🐚")
	k.expect(source.TextRule)
	if a := k.alerts[0]; a.Hostname != "node-1" || a.Priority != alert.Warning || a.Output != "16:17:57.881781397: Warning A shell (user=root) 🐚" {
		t.Errorf("it became %+v", a)
	}
}

// Over a connection a length goes before each message, or a line break ends it; both may be mixed, and cut anywhere.
func TestFraming(t *testing.T) {
	k := listen(t, nil, "tcp://127.0.0.1:0")
	message := func(rule string) string { return "<13>1 2026-07-31T09:57:57Z node-1 falco - - - " + body(rule) }
	counted := func(rule string) string { return fmt.Sprintf("%d %s", len(message(rule)), message(rule)) }
	conn := dial(t, "tcp", k.Addrs()[0].String())
	send(t, conn, counted("A")+counted("B")+message("C")+"\n"+message("D")+"\r\n\n"+counted("E")+"\n"+message("F")+"\n")
	k.expect("A", "B", "C", "D", "E", "F")
	for _, c := range []byte(counted("G") + message("H")) {
		send(t, conn, string([]byte{c}))
	}
	_ = conn.Close() // the last one without a break
	k.expect("A", "B", "C", "D", "E", "F", "G", "H")
}

// What is wrong is refused by its reason, and what follows is taken as far as one can tell where it begins.
func TestRefuses(t *testing.T) {
	k := listen(t, func(c *syslogsource.Config) { c.MaxMessage = 1024 }, "tcp://127.0.0.1:0")
	long := "<13>1 - - - - - - " + strings.Repeat("x", 5000)
	conn := dial(t, "tcp", k.Addrs()[0].String())
	send(t, conn, fmt.Sprintf("%d %s", len(long), long)+long+"\n")
	send(t, conn, "<13>hello\n<999>1 - - - - - - x\n<13>1 - - - - - - just a log line\n<13>1 - - - - - - {\"a\":1}\n<13>1 - - - - - - "+body("A")+"\n")
	k.expect("A")
	send(t, conn, "what is this")
	k.eventually("the connection is ended", func() bool {
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		_, err := conn.Read(make([]byte, 1))
		return err == io.EOF //nolint:errorlint // as Read has it
	})
	k.mu.Lock()
	defer k.mu.Unlock()
	var reasons []string
	for _, r := range k.refused {
		reasons = append(reasons, r.Reason)
		if r.Remote != conn.LocalAddr().String() {
			t.Errorf("it is said to come from %s", r.Remote)
		}
	}
	want := []string{
		source.TooLarge, source.TooLarge, source.NotText, source.NotSyslog, source.NotText, string(alert.MissingMember), source.BadFrame,
	}
	if !slices.Equal(reasons, want) && !slices.Equal(reasons[:2], want[:2]) {
		t.Errorf("refused: %v, expected %v", reasons, want)
	}
	if got := reasons[len(reasons)-1]; got != source.BadFrame || len(k.refused[0].Body) != 1024 {
		t.Errorf("the last is %s, the first has %d bytes", got, len(k.refused[0].Body))
	}
}

func TestTLS(t *testing.T) {
	ours, theirs := certstest.New(t), certstest.New(t)
	k := listen(t, func(c *syslogsource.Config) {
		c.CertFile, c.KeyFile = ours.Sign("server")
		c.CACertFile, c.MutualTLS = ours.File(), true
	}, "tls://127.0.0.1:0")
	try := func(from *certstest.Authority, rule string) error {
		files := certs.Client{CACertFile: ours.File()}
		files.CertFile, files.KeyFile = from.Sign("client")
		config, err := files.Config()
		if err != nil {
			t.Fatal(err)
		}
		conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", k.Addrs()[0].String())
		if err != nil {
			return err
		}
		defer conn.Close()
		send(t, conn, "<13>1 - - - - - - "+body(rule)+"\n")
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		_, err = conn.Read(make([]byte, 1))
		return err
	}
	_ = try(theirs, "of a stranger")
	_ = try(ours, "A")
	k.expect("A")
}

// What was sent before the stop is taken.
func TestStop(t *testing.T) {
	path := filepath.Join(t.TempDir(), "syslog.sock")
	k := listen(t, nil, "unix://"+path, "tcp://127.0.0.1:0")
	conn := dial(t, "tcp", k.Addrs()[1].String())
	send(t, conn, "<13>1 - - - - - - "+body("A")+"\n")
	k.expect("A")
	send(t, dial(t, "unixgram", path), "<13>1 - - - - - - "+body("B"))
	send(t, conn, "<13>1 - - - - - - "+body("C")+"\n")
	k.stop()
	got := k.took()
	slices.Sort(got)
	if !slices.Equal(got, []string{"A", "B", "C"}) {
		t.Errorf("taken: %v", got)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestAddressInUse(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg := syslogsource.Defaults()
	cfg.Listen = []string{"tcp://" + l.Addr().String()}
	if _, err := syslogsource.New(t.Context(), cfg, slog.New(slog.DiscardHandler), nil); err == nil || !strings.Contains(err.Error(), "is in use") {
		t.Errorf("got %v", err)
	}
}
