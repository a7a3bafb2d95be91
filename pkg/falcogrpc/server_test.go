package falcogrpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/certs"
	"github.com/tiercel/tiercel/pkg/certs/certstest"
	"github.com/tiercel/tiercel/pkg/falcogrpc"
	"github.com/tiercel/tiercel/pkg/falcogrpc/outputspb"
	"github.com/tiercel/tiercel/pkg/falcogrpc/versionpb"
	"github.com/tiercel/tiercel/pkg/size"
)

// served is a server that runs until the test ends.
type served struct {
	*falcogrpc.Server

	t      testing.TB
	socket string
	reg    *prometheus.Registry
	log    *strings.Builder
	stop   func()
}

// serve starts a server on a socket in a folder of its own.
func serve(t testing.TB, change func(*falcogrpc.Config, *falcogrpc.Deps)) *served {
	t.Helper()
	s := &served{t: t, socket: filepath.Join(t.TempDir(), "falco.sock"), reg: prometheus.NewRegistry(), log: &strings.Builder{}}
	cfg := falcogrpc.Defaults()
	cfg.Listen = []string{"unix://" + s.socket}
	deps := falcogrpc.Deps{
		Log: slog.New(slog.NewTextHandler(&lockedWriter{w: s.log}, nil)), Metrics: s.reg, Version: "v1.2.3-rc.1+abc", Engine: "0.62.0",
		Place: func(context.Context, string) (falcogrpc.Place, error) { return nil, errors.New("no journal here") },
	}
	if change != nil {
		change(&cfg, &deps)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.Server, err = falcogrpc.New(t.Context(), cfg, deps); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	t.Cleanup(s.stop)
	return s
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// dial connects with the client that is generated from the .proto files.
func dial(t testing.TB, target string, secure credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(secure))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (s *served) dial() *grpc.ClientConn {
	return dial(s.t, "unix://"+s.socket, insecure.NewCredentials())
}

// dialRaw connects with a client that can take messages as their bytes.
func (s *served) dialRaw() *grpc.ClientConn {
	s.t.Helper()
	conn, err := grpc.NewClient("unix://"+s.socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(falcogrpc.Codec())))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// stream is a subscriber that is connected.
type stream = grpc.BidiStreamingClient[outputspb.Request, outputspb.Response]

// subscribe begins as falco-exporter does: with one empty request. It returns once the server has answered.
func subscribe(t testing.TB, conn *grpc.ClientConn, pairs ...string) stream {
	t.Helper()
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(t.Context(), pairs...))
	t.Cleanup(cancel)
	sub, err := outputspb.NewServiceClient(conn).Sub(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.Send(&outputspb.Request{}); err != nil {
		t.Fatal(err)
	}
	if _, err := sub.Header(); err != nil {
		t.Fatal(err)
	}
	return sub
}

func numbered(n int) *alert.Alert {
	return &alert.Alert{
		ID: alert.NewID(), Rule: fmt.Sprintf("rule %d", n), Priority: alert.Warning, Source: "syscall", Time: time.Unix(1785491877, int64(n)),
		Output: "A shell 🐚 was spawned", Fields: alert.FieldsOf(alert.Field{Name: "proc.pid", Value: "12"}),
	}
}

// receive reads alerts numbered from begin to end, and expects them to be whole and in order.
func receive(t testing.TB, sub interface {
	Recv() (*outputspb.Response, error)
}, begin, end int,
) {
	t.Helper()
	for n := begin; n < end; n++ {
		got, err := sub.Recv()
		if err != nil {
			t.Fatalf("alert %d: %v", n, err)
		}
		if got.GetRule() != fmt.Sprintf("rule %d", n) || got.GetOutputFields()["proc.pid"] != "12" {
			t.Fatalf("expected alert %d, got %v", n, got)
		}
	}
}

func noLeaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

func TestEverySubscriberGetsEveryAlert(t *testing.T) {
	noLeaks(t)
	s := serve(t, nil)
	const n = 1000
	var subs []stream
	for range 3 {
		subs = append(subs, subscribe(t, s.dial()))
	}
	for i := range n {
		s.Publish(numbered(i))
	}
	for _, sub := range subs {
		receive(t, sub, 0, n)
	}
	late := subscribe(t, s.dial()) // gets what comes from now on
	s.Publish(numbered(n))
	receive(t, late, n, n+1)
	if got := testutil.ToFloat64(gathered(t, s.reg, "tiercel_grpc_sent_alerts_total")); got != 3*n+1 && got != 3*n+4 {
		t.Errorf("%v alerts are counted as sent", got)
	}
}

// gathered finds a metric without labels.
func gathered(t *testing.T, reg *prometheus.Registry, name string) prometheus.Collector {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "x", Help: "x"})
			g.Set(f.GetMetric()[0].GetCounter().GetValue() + f.GetMetric()[0].GetGauge().GetValue())
			return g
		}
	}
	t.Fatalf("there is no metric %s", name)
	return nil
}

// One that reads nothing is cut and counted; the memory that it holds is bounded, and the others notice nothing.
func TestSlowSubscriberIsCut(t *testing.T) {
	noLeaks(t)
	s := serve(t, func(c *falcogrpc.Config, _ *falcogrpc.Deps) { c.Buffer = 64 * size.KiB })
	quick, slow := subscribe(t, s.dial()), subscribe(t, s.dial())
	const n = 5000
	for i := range n {
		s.Publish(numbered(i))
		receive(t, quick, i, i+1)
	}
	var last error
	got := 0
	for ; last == nil; got++ {
		_, last = slow.Recv()
	}
	if status.Code(last) != codes.ResourceExhausted || !strings.Contains(last.Error(), "read faster") {
		t.Errorf("the slow one ended with %v", last)
	}
	if got >= n {
		t.Errorf("the slow one got all %d alerts: it was not slow", got)
	}
	if cut := testutil.ToFloat64(gathered(t, s.reg, "tiercel_grpc_cut_total")); cut != 1 {
		t.Errorf("%v subscribers are counted as cut", cut)
	}
	if !strings.Contains(s.log.String(), "a subscriber is too slow and cut") {
		t.Errorf("the log says nothing: %s", s.log)
	}
}

// A get takes what no get had before, and ends, as with Falco.
func TestGet(t *testing.T) {
	noLeaks(t)
	s := serve(t, nil)
	client := outputspb.NewServiceClient(s.dial())
	get := func(begin, end int) {
		t.Helper()
		all, err := client.Get(t.Context(), &outputspb.Request{})
		if err != nil {
			t.Fatal(err)
		}
		receive(t, all, begin, end)
		if _, err := all.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("it did not end but gave %v", err)
		}
	}
	get(0, 0)
	for i := range 10 {
		s.Publish(numbered(i))
	}
	get(0, 10)
	get(0, 0)
	s.Publish(numbered(10))
	get(10, 11)
}

// A subscriber that closes its side gets what was published until then, and a clean end.
func TestSubscriberSaysGoodbye(t *testing.T) {
	noLeaks(t)
	s := serve(t, nil)
	sub := subscribe(t, s.dial())
	for i := range 100 {
		s.Publish(numbered(i))
	}
	if err := sub.CloseSend(); err != nil {
		t.Fatal(err)
	}
	receive(t, sub, 0, 100)
	if _, err := sub.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the stream ended with %v", err)
	}
}

// When the server stops, subscribers get what was published, and are told to come again.
func TestStop(t *testing.T) {
	noLeaks(t)
	s := serve(t, nil)
	sub := subscribe(t, s.dial())
	for i := range 100 {
		s.Publish(numbered(i))
	}
	s.stop()
	receive(t, sub, 0, 100)
	if _, err := sub.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("the stream ended with %v", err)
	}
	if _, err := os.Stat(s.socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestVersion(t *testing.T) {
	noLeaks(t)
	s := serve(t, nil)
	got, err := versionpb.NewServiceClient(s.dial()).Version(t.Context(), &versionpb.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if got.GetVersion() != "v1.2.3-rc.1+abc" || got.GetMajor() != 1 || got.GetMinor() != 2 || got.GetPatch() != 3 || got.GetPrerelease() != "rc.1" ||
		got.GetBuild() != "abc" || got.GetEngineVersion() != "0.62.0" || got.GetEngineMinor() != 62 {
		t.Errorf("the version is %v", got)
	}
}

// On host:port only those are served whose certificate the authority signed.
func TestMutualTLS(t *testing.T) {
	noLeaks(t)
	ours, theirs := certstest.New(t), certstest.New(t)
	s := serve(t, func(c *falcogrpc.Config, _ *falcogrpc.Deps) {
		c.Listen = []string{"127.0.0.1:0"}
		c.CertFile, c.KeyFile = ours.Sign("server")
		c.CACertFile = ours.File()
	})
	client := func(authority *certstest.Authority, own bool) *grpc.ClientConn {
		files := certs.Client{CACertFile: ours.File()}
		if own {
			files.CertFile, files.KeyFile = authority.Sign("client")
		}
		config, err := files.Config()
		if err != nil {
			t.Fatal(err)
		}
		return dial(t, s.Addrs()[0].String(), credentials.NewTLS(config))
	}
	sub := subscribe(t, client(ours, true))
	s.Publish(numbered(0))
	receive(t, sub, 0, 1)
	for name, conn := range map[string]*grpc.ClientConn{
		"another authority": client(theirs, true),
		"no certificate":    client(ours, false),
		"no TLS":            dial(t, s.Addrs()[0].String(), insecure.NewCredentials()),
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err := versionpb.NewServiceClient(conn).Version(ctx, &versionpb.Request{})
		cancel()
		if status.Code(err) != codes.Unavailable {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestSocketMode(t *testing.T) {
	noLeaks(t)
	s := serve(t, func(c *falcogrpc.Config, _ *falcogrpc.Deps) { c.SocketMode = "0606" })
	info, err := os.Stat(s.socket)
	if err != nil || info.Mode().Perm() != 0o606 {
		t.Errorf("the socket has mode %v, %v", info.Mode(), err)
	}
}

// shelf is a place that outlives its subscriber's connections.
type shelf struct {
	mu     sync.Mutex
	alerts []*alert.Alert // not done
	given  int            // of them, to the connection that has it
	open   int
	more   chan struct{}
}

func (s *shelf) put(a *alert.Alert) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alerts = append(s.alerts, a)
	close(s.more)
	s.more = make(chan struct{})
}

func (s *shelf) place(context.Context, string) (falcogrpc.Place, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.given = 0
	s.open++
	return s, nil
}

func (s *shelf) Next(ctx context.Context) ([]*alert.Alert, error) {
	for {
		s.mu.Lock()
		if there := slices.Clone(s.alerts[s.given:]); len(there) > 0 {
			s.given = len(s.alerts)
			s.mu.Unlock()
			return there, nil
		}
		more := s.more
		s.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *shelf) Done(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alerts = s.alerts[n:]
	s.given -= n
}

func (s *shelf) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
}

func (s *shelf) left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.alerts)
}

// A subscriber that counts what it has taken gets the rest again after its connection broke, and nothing else.
func TestResume(t *testing.T) {
	noLeaks(t)
	waiting := &shelf{more: make(chan struct{})}
	s := serve(t, func(_ *falcogrpc.Config, d *falcogrpc.Deps) { d.Place = waiting.place })
	for i := range 10 {
		waiting.put(numbered(i))
	}
	first := s.dial()
	sub := subscribe(t, first, falcogrpc.SubscriberKey, "hub", falcogrpc.AcknowledgeKey, "true")
	receive(t, sub, 0, 10)
	if err := sub.Send(&outputspb.Request{Taken: 7}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "seven are done", func() bool { return waiting.left() == 3 })
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	waiting.put(numbered(10)) // while it is away
	sub = subscribe(t, s.dial(), falcogrpc.SubscriberKey, "hub", falcogrpc.AcknowledgeKey, "true")
	receive(t, sub, 7, 11)
	if err := sub.Send(&outputspb.Request{Taken: 1 << 40}); err != nil { // what was not sent cannot be taken
		t.Fatal(err)
	}
	eventually(t, "all are done", func() bool { return waiting.left() == 0 })
	waiting.put(numbered(11))
	receive(t, sub, 11, 12)
}

// Without counting, what is on its way is done.
func TestResumeWithoutCounting(t *testing.T) {
	noLeaks(t)
	waiting := &shelf{more: make(chan struct{})}
	s := serve(t, func(_ *falcogrpc.Config, d *falcogrpc.Deps) { d.Place = waiting.place })
	waiting.put(numbered(0))
	sub := subscribe(t, s.dial(), falcogrpc.SubscriberKey, "simple")
	receive(t, sub, 0, 1)
	eventually(t, "it is done", func() bool { return waiting.left() == 0 })
}

// The connection that comes last has the place, also when the earlier one hangs and reads nothing.
func TestResumeTakesOver(t *testing.T) {
	noLeaks(t)
	waiting := &shelf{more: make(chan struct{})}
	s := serve(t, func(_ *falcogrpc.Config, d *falcogrpc.Deps) { d.Place = waiting.place })
	hanging := subscribe(t, s.dial(), falcogrpc.SubscriberKey, "hub", falcogrpc.AcknowledgeKey, "true")
	const n = 5000 // more than fits on the way
	for i := range n {
		waiting.put(numbered(i))
	}
	sub := subscribe(t, s.dial(), falcogrpc.SubscriberKey, "hub", falcogrpc.AcknowledgeKey, "true")
	receive(t, sub, 0, n)
	var err error
	for err == nil {
		_, err = hanging.Recv()
	}
	if status.Code(err) != codes.Aborted {
		t.Errorf("the earlier one ended with %v", err)
	}
}

func TestSubscriberNames(t *testing.T) {
	noLeaks(t)
	s := serve(t, nil)
	for name, code := range map[string]codes.Code{"a/b": codes.InvalidArgument, "": codes.InvalidArgument, "fine": codes.Unavailable} {
		ctx := metadata.AppendToOutgoingContext(t.Context(), falcogrpc.SubscriberKey, name)
		sub, err := outputspb.NewServiceClient(s.dial()).Sub(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sub.Recv(); status.Code(err) != code {
			t.Errorf("%q: %v", name, err)
		}
	}
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
