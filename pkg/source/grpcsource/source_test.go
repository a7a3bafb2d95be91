package grpcsource_test

import (
	"bytes"
	"context"
	"errors"
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
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/certs"
	"github.com/tiercel/tiercel/pkg/certs/certstest"
	"github.com/tiercel/tiercel/pkg/falcogrpc"
	"github.com/tiercel/tiercel/pkg/falcogrpc/outputspb"
	"github.com/tiercel/tiercel/pkg/falcogrpc/schemapb"
	"github.com/tiercel/tiercel/pkg/source"
	"github.com/tiercel/tiercel/pkg/source/grpcsource"
)

// falco is a server that behaves as Falco's does: all streams share one queue, and each request drains it.
type falco struct {
	outputspb.UnimplementedServiceServer

	mu       sync.Mutex
	queue    []*outputspb.Response
	requests int
	cut      bool // end each stream after the alerts of one request
	server   *grpc.Server
}

func (f *falco) put(n ...int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range n {
		f.queue = append(f.queue, numbered(n))
	}
}

func (f *falco) take() []*outputspb.Response {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	all := f.queue
	f.queue = nil
	return all
}

func (f *falco) Sub(stream grpc.BidiStreamingServer[outputspb.Request, outputspb.Response]) error {
	for {
		if _, err := stream.Recv(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		all := f.take()
		for _, one := range all {
			if err := stream.Send(one); err != nil {
				return err
			}
		}
		f.mu.Lock()
		cut := f.cut && len(all) > 0
		f.mu.Unlock()
		if cut {
			return errors.New("cut")
		}
	}
}

func numbered(n int) *outputspb.Response {
	return &outputspb.Response{
		Time: timestamppb.New(time.Unix(1785491877, int64(n))), Priority: schemapb.Priority_NOTICE, Rule: fmt.Sprint(n), Output: "한글 🐚",
		OutputFields: map[string]string{"proc.pid": "12", "evt.time": "1785491877881781397"}, Hostname: "node-1", Source: "syscall",
	}
}

// listen serves at a socket or a port.
func (f *falco) listen(t *testing.T, network, address string, options ...grpc.ServerOption) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(options...)
	outputspb.RegisterServiceServer(server, f)
	f.mu.Lock()
	f.server = server
	f.mu.Unlock()
	ended := make(chan struct{})
	go func() { _ = server.Serve(l); close(ended) }()
	t.Cleanup(func() { server.Stop(); <-ended })
	return l.Addr().String()
}

// taker is what stands behind a source: a journal, and the list of what was refused.
type taker struct {
	t      *testing.T
	health *source.Health
	reg    *prometheus.Registry
	log    *lockedBuffer
	stop   func()

	mu      sync.Mutex
	alerts  []*alert.Alert
	refused []source.Refused
	fail    error // of put
}

func (k *taker) put(_ context.Context, alerts []*alert.Alert) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fail != nil {
		return k.fail
	}
	k.alerts = append(k.alerts, alerts...)
	return nil
}

func (k *taker) rules() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var rules []string
	for _, a := range k.alerts {
		rules = append(rules, a.Rule)
	}
	return rules
}

func (k *taker) has(rules ...string) func() bool {
	return func() bool { return slices.Equal(k.rules(), rules) }
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

// take runs a source until the test ends.
func take(t *testing.T, address string, change func(*grpcsource.Config)) *taker {
	t.Helper()
	cfg := grpcsource.Defaults()
	cfg.Addresses, cfg.Interval = []string{address}, 10*time.Millisecond
	if change != nil {
		change(&cfg)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	k := &taker{t: t, reg: prometheus.NewRegistry(), log: &lockedBuffer{}}
	log := slog.New(slog.NewTextHandler(k.log, nil))
	k.health = source.NewHealth(log)
	door := source.NewDoor("grpc "+address, log, source.NewMetrics(k.reg), func(r source.Refused) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.refused = append(k.refused, r)
	})
	s := grpcsource.New(cfg, address, door, k.health)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		source.Keep(ctx, k.health, s, k.put)
		close(ended)
	}()
	k.stop = func() { cancel(); <-ended }
	t.Cleanup(k.stop)
	return k
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func noLeaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

func TestSubscribesToFalco(t *testing.T) {
	noLeaks(t)
	f := &falco{}
	socket := filepath.Join(t.TempDir(), "falco.sock")
	f.listen(t, "unix", socket)
	f.put(1, 2) // waits for whoever comes
	k := take(t, "unix://"+socket, nil)
	eventually(t, "what waited is taken", k.has("1", "2"))
	f.put(3)
	eventually(t, "what comes later, too", k.has("1", "2", "3"))
	a := k.alerts[0]
	if a.Fields.JSON() != `{"evt.time":"1785491877881781397","proc.pid":"12"}` || a.Output != "한글 🐚" || a.Priority != alert.Notice || a.Hostname != "node-1" {
		t.Errorf("the alert is %+v", a)
	}
	if state := k.health.State(); state.Err != nil {
		t.Errorf("the source is shown as down: %v", state.Err)
	}
}

// A source that is stopped still takes what Falco has sent: Falco has it no more.
func TestStopTakesWhatWasSent(t *testing.T) {
	noLeaks(t)
	f := &falco{}
	socket := filepath.Join(t.TempDir(), "falco.sock")
	f.listen(t, "unix", socket)
	k := take(t, "unix://"+socket, nil)
	want := make([]string, 2000)
	numbers := make([]int, len(want))
	for i := range want {
		numbers[i], want[i] = i, fmt.Sprint(i)
	}
	f.put(numbers...)
	eventually(t, "some are taken", func() bool { return len(k.rules()) > 0 })
	k.stop()
	if got := k.rules(); !slices.Equal(got, want) {
		t.Errorf("%d of %d alerts were taken", len(got), len(want))
	}
	if len(f.take()) > 0 {
		t.Error("some were not even sent")
	}
}

// Falco is restarted: each alert is taken once, and nobody has to do anything.
func TestReconnects(t *testing.T) {
	noLeaks(t)
	f := &falco{cut: true}
	socket := filepath.Join(t.TempDir(), "falco.sock")
	f.listen(t, "unix", socket)
	f.put(1, 2)
	k := take(t, "unix://"+socket, nil)
	eventually(t, "the first are taken", k.has("1", "2"))
	eventually(t, "the source is down", func() bool { return k.health.State().Err != nil })
	f.put(3)
	eventually(t, "after the break the next is taken, and none twice", k.has("1", "2", "3"))
}

// A server that gives alerts anew after a break, as one that keeps a place does: none is taken twice.
func TestNoneTwice(t *testing.T) {
	noLeaks(t)
	f := &falco{cut: true}
	socket := filepath.Join(t.TempDir(), "falco.sock")
	f.listen(t, "unix", socket)
	f.put(1, 2, 2) // twice in one connection is meant twice
	k := take(t, "unix://"+socket, nil)
	eventually(t, "the first are taken", k.has("1", "2", "2"))
	f.put(1, 2, 3)
	eventually(t, "only the new one is taken", k.has("1", "2", "2", "3"))
}

// While the journal takes nothing, the stream waits; nothing is lost.
func TestWaitsForTheJournal(t *testing.T) {
	noLeaks(t)
	f := &falco{}
	socket := filepath.Join(t.TempDir(), "falco.sock")
	f.listen(t, "unix", socket)
	k := take(t, "unix://"+socket, nil)
	k.mu.Lock()
	k.fail = errors.New("the journal is full")
	k.mu.Unlock()
	f.put(1, 2)
	eventually(t, "the log says so", func() bool { return strings.Contains(k.log.String(), "the journal takes no alerts, the input waits") })
	k.mu.Lock()
	k.fail = nil
	k.mu.Unlock()
	eventually(t, "they are taken in the end", k.has("1", "2"))
}

// What is no alert is counted and shown, and the stream goes on. A text with bytes that are no UTF-8 is mended.
func TestRefuses(t *testing.T) {
	noLeaks(t)
	f := &falco{}
	socket := filepath.Join(t.TempDir(), "falco.sock")
	f.listen(t, "unix", socket, grpc.ForceServerCodecV2(mangler{falcogrpc.Codec()}))
	f.mu.Lock()
	bad := numbered(2)
	bad.Rule = ""
	broken := numbered(3)
	broken.Rule = "broken"
	f.queue = []*outputspb.Response{numbered(1), bad, broken, numbered(4)}
	f.mu.Unlock()
	k := take(t, "unix://"+socket, nil)
	eventually(t, "the others are taken", k.has("1", "br\uFFFDken", "4"))
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.refused) != 1 || k.refused[0].Reason != string(alert.MissingMember) || k.refused[0].Remote != "unix://"+socket || len(k.refused[0].Body) == 0 {
		t.Errorf("refused: %+v", k.refused)
	}
}

// mangler puts a byte that is no UTF-8 into a message, as C++ can and Go cannot.
type mangler struct{ codec }

type codec = interface {
	Name() string
	Marshal(v any) (mem.BufferSlice, error)
	Unmarshal(data mem.BufferSlice, v any) error
}

func (m mangler) Marshal(v any) (mem.BufferSlice, error) {
	data, err := m.codec.Marshal(v)
	for _, buffer := range data {
		message := buffer.ReadOnlyData()
		if at := bytes.Index(message, []byte("broken")); at >= 0 {
			message[at+2] = 0xff
		}
	}
	return data, err
}

// What is wrong is said with what to do about it, and tried again.
func TestSaysWhatIsWrong(t *testing.T) {
	noLeaks(t)
	dir := t.TempDir()
	ours, theirs := certstest.New(t), certstest.New(t)
	serverCert, serverKey := ours.Sign("server")
	secure, err := certs.Server{CertFile: serverCert, KeyFile: serverKey, Mutual: true, CACertFile: ours.File()}.Config(slog.New(slog.DiscardHandler), "h2")
	if err != nil {
		t.Fatal(err)
	}
	f := &falco{}
	port := f.listen(t, "tcp", "127.0.0.1:0", grpc.Creds(credentials.NewTLS(secure)))
	plain := (&falco{}).listen(t, "tcp", "127.0.0.1:0")
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dead := filepath.Join(dir, "dead")
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", dead)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = l.Close()
	other := filepath.Join(dir, "other")
	l, err = new(net.ListenConfig).Listen(t.Context(), "unix", other)
	if err != nil {
		t.Fatal(err)
	}
	nothing := grpc.NewServer()
	ended := make(chan struct{})
	go func() { _ = nothing.Serve(l); close(ended) }()
	t.Cleanup(func() { nothing.Stop(); <-ended })
	files := func(own, trusted *certstest.Authority) func(*grpcsource.Config) {
		return func(c *grpcsource.Config) {
			c.CertFile, c.KeyFile = own.Sign("client")
			c.CACertFile = trusted.File()
		}
	}
	for name, c := range map[string]struct {
		address string
		change  func(*grpcsource.Config)
		want    string
	}{
		"no socket":               {"unix:///nowhere/falco.sock", nil, "there is no socket /nowhere/falco.sock: is Falco (up to 0.43) running"},
		"a file":                  {"unix://" + file, nil, "is no socket"},
		"nobody behind":           {"unix://" + dead, nil, "connection refused"},
		"another service":         {"unix://" + other, nil, "knows no gRPC output"},
		"a certificate of ours":   {port, files(theirs, ours), "inputs.grpc.certfile"},
		"a certificate of its":    {port, files(ours, theirs), "is not trusted, check inputs.grpc.cacertfile"},
		"a server without TLS":    {plain, files(ours, ours), "speaks no TLS"},
		"nobody at all on a port": {"127.0.0.1:1", files(ours, ours), "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			k := take(t, c.address, c.change)
			eventually(t, c.want, func() bool {
				state := k.health.State()
				if state.Err == nil || strings.Contains(state.Err.Error(), "starting") {
					return false
				}
				if !strings.Contains(state.Err.Error(), c.want) {
					t.Fatalf("it says %q, expected %q", state.Err, c.want)
				}
				return true
			})
		})
	}
	k := take(t, port, files(ours, ours))
	f.put(1)
	eventually(t, "with the right certificates it works", k.has("1"))
}

// The socket comes later: the source finds it.
func TestWaitsForTheSocket(t *testing.T) {
	noLeaks(t)
	socket := filepath.Join(t.TempDir(), "falco.sock")
	k := take(t, "unix://"+socket, nil)
	eventually(t, "it says that there is none", func() bool {
		state := k.health.State()
		return state.Err != nil && strings.Contains(state.Err.Error(), "there is no socket")
	})
	f := &falco{}
	f.listen(t, "unix", socket)
	f.put(1)
	eventually(t, "it is taken", k.has("1"))
	if !strings.Contains(k.log.String(), "the input works again") {
		t.Errorf("the log does not say that it works: %s", k.log)
	}
}

// With a name, a Tiercel keeps a place for us: it is told the name, and what is in the journal.
func TestSubscriberCounts(t *testing.T) {
	noLeaks(t)
	c := &counting{}
	socket := filepath.Join(t.TempDir(), "tiercel.sock")
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	outputspb.RegisterServiceServer(server, c)
	ended := make(chan struct{})
	go func() { _ = server.Serve(l); close(ended) }()
	t.Cleanup(func() { server.Stop(); <-ended })
	k := take(t, "unix://"+socket, func(c *grpcsource.Config) { c.Subscriber = "hub-1" })
	eventually(t, "three are taken", k.has("0", "1", "2"))
	eventually(t, "and counted", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.taken == 3 && c.name == "hub-1"
	})
}

type counting struct {
	outputspb.UnimplementedServiceServer

	mu    sync.Mutex
	taken uint64
	name  string
}

func (c *counting) Sub(stream grpc.BidiStreamingServer[outputspb.Request, outputspb.Response]) error {
	given, _ := metadata.FromIncomingContext(stream.Context())
	for i := range 3 {
		if err := stream.Send(numbered(i)); err != nil {
			return err
		}
	}
	for {
		request, err := stream.Recv()
		if err != nil {
			return nil //nolint:nilerr // it has said what it had to
		}
		c.mu.Lock()
		c.taken = request.GetTaken()
		c.name = strings.Join(given.Get(falcogrpc.SubscriberKey), ",")
		c.mu.Unlock()
	}
}
