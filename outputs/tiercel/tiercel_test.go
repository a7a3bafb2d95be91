package tiercel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/outputs/outputtest"
	"github.com/tiercel/tiercel/outputs/tiercel"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/secret"
	"github.com/tiercel/tiercel/pkg/size"
	"github.com/tiercel/tiercel/pkg/source/httpsource"
	"github.com/tiercel/tiercel/pkg/verdict"
)

func TestContract(t *testing.T) {
	outputtest.Run(t, tiercel.Spec, func(server string) outputs.Config {
		c := tiercel.Defaults()
		c.Address, c.Token = server+"/hub", secret.New("hush-token")
		return &c
	})
}

// hub is the receiver of a Tiercel with a journal that is a list.
type hub struct {
	url string

	mu    sync.Mutex
	taken []*alert.Alert
	full  error // what the journal says
}

func (h *hub) put(_ context.Context, alerts []*alert.Alert) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.full == nil {
		h.taken = append(h.taken, alerts...)
	}
	return h.full
}

func (h *hub) set(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.full = err
}

func newHub(t testing.TB, change func(*httpsource.Config)) *hub {
	t.Helper()
	h := &hub{}
	c := httpsource.Defaults()
	c.ListenAddress, c.ListenPort = "127.0.0.1", 0
	c.Receiver.Token = secret.New("hush-token")
	if change != nil {
		change(&c)
	}
	s, err := httpsource.New(t.Context(), c, httpsource.Deps{
		Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Now: time.Now,
		Ready: func() (bool, any) { return true, nil }, Refused: func(httpsource.Refused) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, h.put) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	h.url = "http://" + s.Addrs()[0].String()
	return h
}

func open(t testing.TB, address string) outputs.Output {
	t.Helper()
	c := tiercel.Defaults()
	c.Address, c.Token = address, secret.New("hush-token")
	o, err := tiercel.New(outputs.Env{Name: "tiercel", Version: "1.2.3", HTTP: httpx.Defaults()}, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.(io.Closer).Close() })
	return o
}

func deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func numbered(t testing.TB, n int) []*alert.Alert {
	t.Helper()
	var batch []*alert.Alert
	for i := range n {
		a, err := alert.DecodeOne(fmt.Appendf(nil, `{"rule":"%d","priority":"debug","time":"2026-01-31T12:00:00Z","hostname":"h","output_fields":{"n":%d}}`, i, i), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		batch = append(batch, a)
	}
	return batch
}

// What another Tiercel takes is what was sent, to the last member.
func TestTheHubHasTheSame(t *testing.T) {
	h := newHub(t, nil)
	var batch []*alert.Alert
	for _, sample := range outputtest.Alerts() {
		batch = append(batch, sample.Alert)
	}
	o := open(t, h.url)
	if err := o.Send(deadline(t), batch); err != nil {
		t.Fatal(err)
	}
	if len(h.taken) != len(batch) {
		t.Fatalf("the hub has %d of %d", len(h.taken), len(batch))
	}
	for i, a := range batch {
		if got, want := string(h.taken[i].AppendJSON(nil)), string(a.AppendJSON(nil)); got != want {
			t.Errorf("got\n%.300s\nwant\n%.300s", got, want)
		}
	}
	if err := o.(outputs.Checker).Check(deadline(t)); err != nil {
		t.Errorf("check: %v", err)
	}
}

// A hub that is full asks for time, and has all in their order afterwards.
func TestAFullHub(t *testing.T) {
	h := newHub(t, nil)
	h.set(errors.New("the disk is full"))
	o, batch := open(t, h.url), numbered(t, 200)
	for range 3 {
		err := o.Send(deadline(t), batch)
		if pause, ok := verdict.Pause(err); err == nil || verdict.IsPermanent(err) || !ok || pause <= 0 {
			t.Fatalf("got %v, a pause of %v", err, pause)
		}
	}
	h.set(nil)
	if err := o.Send(deadline(t), batch); err != nil {
		t.Fatal(err)
	}
	if len(h.taken) != 200 {
		t.Errorf("the hub has %d of 200", len(h.taken))
	}
	for i, a := range h.taken {
		if a.Rule != fmt.Sprint(i) {
			t.Fatalf("%s came at place %d", a.Rule, i)
		}
	}
}

// A batch that is too large for the hub goes in parts; what it refuses is found.
func TestSmallHub(t *testing.T) {
	h := newHub(t, func(c *httpsource.Config) { c.Receiver.MaxBody = size.KiB; c.Receiver.MaxDepth = 5 })
	batch := numbered(t, 100)
	deep, err := alert.DecodeOne([]byte(`{"rule":"deep","priority":"debug","time":"2026-01-31T12:00:00Z","output_fields":{"a":[[[[[[[1]]]]]]]}}`), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	batch = slices.Insert(batch, 50, deep)
	var partial verdict.Partial
	if err := open(t, h.url).Send(deadline(t), batch); !errors.As(err, &partial) || len(partial) != 1 || !verdict.IsPermanent(partial[50]) {
		t.Errorf("got %v", err)
	}
	for i, a := range h.taken {
		if a.Rule != fmt.Sprint(i) {
			t.Fatalf("%s came at place %d", a.Rule, i)
		}
	}
	if len(h.taken) != 100 {
		t.Errorf("the hub has %d", len(h.taken))
	}
}

func TestAWrongTokenIsTriedAgain(t *testing.T) {
	h := newHub(t, func(c *httpsource.Config) { c.Receiver.Token = secret.New("another") })
	err := open(t, h.url).Send(deadline(t), numbered(t, 2))
	if verdict.ReasonOf(err) != verdict.Auth || verdict.IsPermanent(err) || strings.Contains(err.Error(), "hush") {
		t.Errorf("got %v", err)
	}
}

func TestConfigRefuses(t *testing.T) {
	c := tiercel.Defaults()
	c.Address = "hub:2801"
	if got := problem.Each(c.Validate()); len(got) != 1 || !strings.HasPrefix(got[0].Error(), "address: ") {
		t.Errorf("got %v", got)
	}
}

func BenchmarkSend(b *testing.B) {
	h := newHub(b, nil)
	h.mu.Lock()
	h.full = nil
	h.mu.Unlock()
	o := open(b, h.url)
	var batch []*alert.Alert
	for range 1000 {
		batch = append(batch, outputtest.Alerts()[1].Alert)
	}
	ctx := deadline(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := o.Send(ctx, batch); err != nil {
			b.Fatal(err)
		}
		h.mu.Lock()
		h.taken = h.taken[:0]
		h.mu.Unlock()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(batch)), "ns/alert")
}
