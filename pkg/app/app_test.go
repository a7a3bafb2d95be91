package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/app"
	"github.com/tiercel/tiercel/pkg/config"
	"github.com/tiercel/tiercel/pkg/journal"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// noLeaks fails the test when it leaves goroutines behind.
func noLeaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

func TestAlertsReachEveryOutputInOrder(t *testing.T) {
	noLeaks(t)
	one, two := &place{}, &place{}
	specs := []outputs.Spec{one.spec("one"), two.spec("two")}
	r := start(t, load(t, t.TempDir(), specs, "one: {enabled: true}", "two: {enabled: true, when: 'rule == \"B\"'}"))
	r.post("A", "B")
	r.post("C")
	eventually(t, "all alerts are delivered", func() bool { return len(one.took()) == 3 && len(two.took()) == 1 })
	r.end()
	if got := one.took(); !slices.Equal(got, []string{"A", "B", "C"}) {
		t.Errorf("the first output got %v", got)
	}
	if got := two.took(); !slices.Equal(got, []string{"B"}) {
		t.Errorf("the second output got %v", got)
	}
}

// What is built last ends first: the receiver, then the outputs, then the journal.
func TestEndsInReverseOrder(t *testing.T) {
	noLeaks(t)
	dir := t.TempDir()
	p := &place{}
	cfg := load(t, dir, []outputs.Spec{p.spec("one")}, "one: {enabled: true}")
	r := start(t, cfg)
	p.shut = func() error {
		if conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", r.Addrs()[0].String()); err == nil {
			_ = conn.Close()
			t.Error("the receiver still listens while the outputs close")
		}
		if _, err := journal.Open(t.Context(), cfg.Journal, journalOptions()); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("the journal is closed before the outputs: opening it gives %v", err)
		}
		return nil
	}
	r.post("A")
	r.end()
	if n := p.closes(); n != 1 {
		t.Errorf("the output was closed %d times", n)
	}
	deadLetters(t, cfg) // opens the journal: nobody has it any more
}

func TestFailingBuildClosesWhatWasOpened(t *testing.T) {
	broken := errors.New("no such place")
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, c := range map[string]struct {
		second *place
		change func(*config.Config)
		want   string
	}{
		"an output": {&place{fail: broken}, func(*config.Config) {}, "output two: no such place"},
		"a port": {&place{}, func(cfg *config.Config) {
			cfg.HTTP.ListenPort = taken.Addr().(*net.TCPAddr).Port
		}, "is in use: stop the program that listens there"},
		"a template": {&place{}, func(cfg *config.Config) {
			cfg.Normalize.TemplatedFields = map[string]string{"x": "{{"}
		}, "templatedfields.x"},
	} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			first := &place{}
			cfg := load(t, t.TempDir(), []outputs.Spec{first.spec("one"), c.second.spec("two")}, "one: {enabled: true}", "two: {enabled: true}")
			c.change(cfg)
			a, err := app.New(t.Context(), cfg, deps(t.Output()))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, %v", a, err)
			}
			if name != "a template" && first.closes() != 1 {
				t.Errorf("the first output was closed %d times", first.closes())
			}
			deadLetters(t, cfg) // opens the journal: nobody has it any more
		})
	}
}

// An app that is built and never run can be closed; twice does no harm.
func TestCloseWithoutRun(t *testing.T) {
	noLeaks(t)
	p := &place{shut: func() error { return errors.New("it sticks") }}
	cfg := load(t, t.TempDir(), []outputs.Spec{p.spec("one")}, "one: {enabled: true}")
	a, err := app.New(t.Context(), cfg, deps(t.Output()))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err == nil || err.Error() != "stopping the outputs: output one: it sticks" {
		t.Errorf("closing gave %v", err)
	}
	if err := a.Close(); err != nil || p.closes() != 1 {
		t.Errorf("closing again gave %v; the output was closed %d times", err, p.closes())
	}
	deadLetters(t, cfg)
}

func TestReadinessReport(t *testing.T) {
	noLeaks(t)
	up := &place{}
	down := &place{send: func(context.Context, []*alert.Alert) error { return errors.New("nobody home") }}
	r := start(t, load(t, t.TempDir(), []outputs.Spec{up.spec("up"), down.spec("down")},
		"up: {enabled: true}", "down: {enabled: true, retry: {initial: 1ms, max: 1ms}}", "draintimeout: 1ms"))
	r.post("A")
	eventually(t, "both outputs have tried", func() bool {
		_, text := request(t, http.MethodGet, r.url("readyz"), "")
		return strings.Contains(text, "nobody home") && strings.Contains(text, "last_success")
	})
	status, text := request(t, http.MethodGet, r.url("readyz"), "")
	if status != http.StatusOK {
		t.Errorf("an output that is down makes nothing unready, got %d", status)
	}
	var report map[string]any
	if err := json.Unmarshal([]byte(text), &report); err != nil {
		t.Fatal(err)
	}
	lanes, _ := report["outputs"].([]any)
	inputs, _ := report["inputs"].([]any)
	if report["ready"] != true || report["journal"] != "ok" || len(lanes) != 2 || len(inputs) != 1 {
		t.Fatalf("the report is %s", text)
	}
	if in, _ := inputs[0].(map[string]any); in["input"] != "http" || in["up"] != true {
		t.Errorf("the receiver is shown as %v", in)
	}
	for i, want := range []map[string]any{
		{"output": "up", "lag_alerts": 0.0},
		{"output": "down", "lag_alerts": 1.0, "last_error": "nobody home"},
	} {
		lane, _ := lanes[i].(map[string]any)
		for key, value := range want {
			if lane[key] != value {
				t.Errorf("lane %d has %s %v, expected %v", i, key, lane[key], value)
			}
		}
	}
	r.end()
	if text := r.log.String(); !strings.Contains(text, `msg="not delivered yet, kept for the next start" output=down alerts=1 error="nobody home"`) {
		t.Errorf("the log does not say what was not delivered:\n%s", text)
	}
}

// What was accepted before the stop is delivered before the end.
func TestStopDeliversWhatIsLeft(t *testing.T) {
	noLeaks(t)
	entered, open := make(chan struct{}, 16), make(chan struct{})
	p := &place{send: func(ctx context.Context, _ []*alert.Alert) error {
		entered <- struct{}{}
		select {
		case <-open:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	r := start(t, load(t, t.TempDir(), []outputs.Spec{p.spec("one")}, "one: {enabled: true}"))
	r.post("A")
	<-entered // the first is on its way, the others wait behind it
	r.post("B")
	r.post("C")
	r.cancel()
	eventually(t, "the receiver is closed", func() bool {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", r.Addrs()[0].String())
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	close(open)
	r.end()
	if got := p.took(); !slices.Equal(got, []string{"A", "B", "C"}) {
		t.Errorf("delivered before the end: %v", got)
	}
}

// What an output does not take before the end comes after the next start.
func TestRestKeepsUntilTheNextStart(t *testing.T) {
	noLeaks(t)
	dir := t.TempDir()
	tried := make(chan struct{}, 1024)
	down := &place{send: func(context.Context, []*alert.Alert) error {
		select {
		case tried <- struct{}{}:
		default:
		}
		return verdict.Because(verdict.Connection, errors.New("refused"))
	}}
	r := start(t, load(t, dir, []outputs.Spec{down.spec("one")}, "one: {enabled: true}", "draintimeout: 1ms"))
	r.post("A", "B")
	<-tried
	r.end()

	up := &place{}
	r = start(t, load(t, dir, []outputs.Spec{up.spec("one")}, "one: {enabled: true}"))
	eventually(t, "the alerts of the first run are delivered", func() bool { return len(up.took()) == 2 })
	r.end()
	if got := up.took(); !slices.Equal(got, []string{"A", "B"}) {
		t.Errorf("got %v", got)
	}
}

// An output that is no longer configured leaves dead letters of what it wanted and did not get, a renamed one too; what
// comes in later is none of them. A new output begins with what comes next.
func TestOutputsChangeBetweenStarts(t *testing.T) {
	noLeaks(t)
	dir := t.TempDir()
	down := func() *place {
		return &place{send: func(context.Context, []*alert.Alert) error { return errors.New("down") }}
	}
	stays, old, gone := &place{}, down(), down()
	first := load(t, dir, []outputs.Spec{stays.spec("stays"), old.spec("old"), gone.spec("gone")},
		"stays: {enabled: true}", "old/name: {enabled: true}", "gone: {enabled: true, minimumpriority: error}", "draintimeout: 1ms")
	r := start(t, first)
	r.post("A", "B")
	r.send(`{"rule":"serious","priority":"Critical","time":"2026-01-02T03:04:05Z"}`)
	eventually(t, "one output has them", func() bool { return len(stays.took()) == 3 })
	r.end()

	renamed, added := &place{}, &place{}
	second := load(t, dir, []outputs.Spec{stays.spec("stays"), renamed.spec("old"), added.spec("added")},
		"stays: {enabled: true}", "old/other: {enabled: true}", "added: {enabled: true}")
	r = start(t, second)
	// There is no pause in what comes in: neither is it buried for outputs that are gone, nor does it keep their lanes.
	n := 0
	eventually(t, "the lanes of the old ones are gone", func() bool {
		r.post("new")
		n++
		_, report := request(t, http.MethodGet, r.url("readyz"), "")
		return !strings.Contains(report, `"gone"`) && !strings.Contains(report, `"old/name"`)
	})
	if got := lanes(t, second); !slices.Equal(got, []string{"added", "old/other", "stays"}) {
		t.Errorf("the journal knows the lanes %v", got)
	}
	eventually(t, "the new ones have what came after the start", func() bool {
		return len(renamed.took()) >= n && len(added.took()) >= n
	})
	r.end()
	for name, c := range map[string]struct {
		at   *place
		want []string
	}{
		"stays": {stays, []string{"A", "B", "new", "serious"}}, "renamed": {renamed, []string{"new"}}, "added": {added, []string{"new"}},
	} {
		got := c.at.took()
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, c.want) { // a restart may send something twice
			t.Errorf("%s got %v, expected %v", name, got, c.want)
		}
	}
	letters := deadLetters(t, second)
	slices.Sort(letters)
	want := []string{"gone: serious: removed", "old/name: A: removed", "old/name: B: removed", "old/name: serious: removed"}
	if !slices.Equal(letters, want) {
		t.Errorf("dead letters: %.2000v, expected %v", letters, want)
	}
}
