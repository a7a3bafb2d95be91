package probesource

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/rules/ruleset"
	"github.com/tiercel/tiercel/pkg/source"
	"github.com/tiercel/tiercel/probe"
)

// script is a kernel that does what it is told.
type script struct {
	events  chan *probe.Event
	fail    chan error
	options probe.Options

	mu    sync.Mutex
	calls [][]string
}

func newScript() *script {
	return &script{events: make(chan *probe.Event), fail: make(chan error)}
}

func (k *script) Run(ctx context.Context, handle func(*probe.Event)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-k.fail:
			return err
		case ev := <-k.events:
			handle(ev)
		}
	}
}

func (*script) SetTTY(probe.TTYOptions) error { return nil }

func (k *script) SetSyscalls(names []string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calls = append(k.calls, slices.Clone(names))
	return nil
}

func (*script) Stats() probe.Stats { return probe.Stats{} }
func (*script) Close() error       { return nil }

const testRules = `
- rule: Shell
  desc: d
  condition: evt.type=execve and proc.name=sh
  output: shell %proc.cmdline by %user.name
  priority: WARNING
  tags: [shell]
- rule: Secret
  desc: d
  condition: evt.type in (open, openat) and fd.name=/etc/shadow
  output: read %fd.name
  priority: NOTICE
`

// desk takes alerts, or refuses them.
type desk struct {
	mu     sync.Mutex
	alerts []*alert.Alert
	err    error
	puts   int
}

func (d *desk) put(_ context.Context, alerts []*alert.Alert) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.puts++
	if d.err != nil {
		return d.err
	}
	d.alerts = append(d.alerts, alerts...)
	return nil
}

func (d *desk) rules() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	names := make([]string, len(d.alerts))
	for i, a := range d.alerts {
		names[i] = a.Rule
	}
	return names
}

func (d *desk) last(rule string) *alert.Alert {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range slices.Backward(d.alerts) {
		if a.Rule == rule {
			return a
		}
	}
	return nil
}

func newSource(t *testing.T, k *script, cfg Config, rulesCfg ruleset.Config) *Source {
	t.Helper()
	cfg.Hostname = "node-1"
	s, err := New(cfg, rulesCfg, Deps{
		Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Health: source.NewHealth(slog.New(slog.DiscardHandler)),
		Builtin: fstest.MapFS{"rules.yaml": {Data: []byte(testRules)}},
		Open:    func(o probe.Options) (Kernel, error) { k.options = o; return k, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var seq uint64

func execEvent(comm string, args ...string) *probe.Event {
	seq++
	return &probe.Event{
		Kind: probe.KindExec, Seq: seq, Boot: seq * 1000, Wall: time.Now().UnixNano(),
		Task: probe.Task{Key: probe.Key{PID: 100, Start: 1}, TID: 100, VPID: 100, VTID: 100, Comm: comm},
		Proc: &probe.Process{Exe: "/bin/" + comm, CWD: "/", Args: []byte(strings.Join(append([]string{comm}, args...), "\x00") + "\x00"), LoginUID: probe.NoID},
	}
}

func openEvent(asked, found string) *probe.Event {
	ev := execEvent("cat")
	ev.Kind, ev.Proc = probe.KindSyscall, nil
	ev.Syscall = &probe.Syscall{ID: probe.SysOpenat, Ret: 3, Path: probe.Path{Raw: asked}, FD: probe.FD{Num: 3, Type: probe.FDFile, Path: found}}
	return ev
}

// running runs a source until stop is called.
func running(t *testing.T, s *Source, d *desk) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, d.put) }()
	synctest.Wait()
	return func() error { cancel(); return <-done }
}

func TestAnAlertIsWhatFalcoWouldSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, d := newScript(), &desk{}
		s := newSource(t, k, Defaults(), ruleset.Defaults())
		if got := strings.Join(k.options.Syscalls, " "); got != "execve open openat" {
			t.Errorf("traced are %q, the rules ask for files, and for programs that do not start", got)
		}
		stop := running(t, s, d)
		k.events <- execEvent("ls")
		k.events <- execEvent("sh", "-c", "echo 안녕 🦅")
		k.events <- openEvent("/tmp/innocent", "/etc/shadow")
		synctest.Wait()
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		want := []string{ruleStarted, "Shell", "Secret", ruleStopped}
		if got := d.rules(); !slices.Equal(got, want) {
			t.Fatalf("alerts of %q, want %q", got, want)
		}
		a := d.last("Shell")
		if a.Source != "syscall" || a.Hostname != "node-1" || a.Priority != alert.Warning || !slices.Equal(a.Tags, []string{"shell"}) {
			t.Errorf("the alert is %+v", a)
		}
		if want := "Warning shell sh -c echo 안녕 🦅 by root container_id=host container_name=host"; !strings.Contains(a.Output, want) {
			t.Errorf("the output is %q, want %q in it", a.Output, want)
		}
		if a.Raw() == "" || a.ID == (alert.ID{}) {
			t.Error("the alert did not come through the decoder")
		}
		if v, _ := d.last("Secret").Fields.Get("fd.name"); string(v) != `"/etc/shadow"` {
			t.Errorf("a file behind a link is called %s", v)
		}
	})
}

func TestLostEventsAreSaidWithTheirBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, d := newScript(), &desk{}
		s := newSource(t, k, Defaults(), ruleset.Defaults())
		stop := running(t, s, d)
		boot := time.Now().Add(-time.Hour)
		for range 3 {
			now := time.Now()
			k.events <- &probe.Event{Kind: probe.KindLost, Boot: uint64(now.Sub(boot)), Wall: now.UnixNano(), Lost: &probe.Lost{
				Kind: probe.KindSyscall, Cause: probe.CauseFull, Count: 7, First: uint64(now.Sub(boot)) - 1_000_000, Last: uint64(now.Sub(boot)),
			}}
			time.Sleep(50 * time.Millisecond)
		}
		time.Sleep(lossEvery)
		synctest.Wait()
		_ = stop()
		total := 0
		for _, a := range d.alerts {
			if a.Rule != ruleLost {
				continue
			}
			n, err := strconv.Atoi(a.Fields.Text("lost"))
			if err != nil {
				t.Error(err)
			}
			total += n
			if !strings.HasSuffix(a.Fields.Text("first"), "Z") || !strings.HasSuffix(a.Fields.Text("last"), "Z") || a.Source != "internal" {
				t.Errorf("a gap without a begin: %+v", a)
			}
		}
		if total != 21 {
			t.Errorf("%d lost events were said, 21 were lost", total)
		}
	})
}

// A journal that takes nothing must not hold up the kernel: alerts wait in the queue, and what does not fit is counted.
func TestAFullQueueLosesAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, d := newScript(), &desk{err: errors.New("the disk is full")}
		cfg := Defaults()
		cfg.Queue = 10
		s := newSource(t, k, cfg, ruleset.Defaults())
		stop := running(t, s, d)
		for range 1000 {
			k.events <- execEvent("sh")
		}
		d.mu.Lock()
		d.err = nil
		d.mu.Unlock()
		time.Sleep(longestPause + 2*lossEvery)
		synctest.Wait()
		_ = stop()
		a := d.last(ruleOverload)
		if a == nil {
			t.Fatalf("nobody says that alerts were lost: %q", d.rules())
		}
		lost := a.Fields.Text("lost")
		kept := 0
		for _, rule := range d.rules() {
			if rule == "Shell" {
				kept++
			}
		}
		if kept == 0 || lost == "0" || kept >= 1000 {
			t.Errorf("%d alerts arrived and %s were said to be lost, of 1000", kept, lost)
		}
	})
}

func TestAReadThatFailsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, d := newScript(), &desk{}
		s := newSource(t, k, Defaults(), ruleset.Defaults())
		done := make(chan error, 1)
		go func() { done <- s.Run(t.Context(), d.put) }()
		k.fail <- errors.New("the ring is gone")
		if err := <-done; err == nil {
			t.Fatal("a failed read is no error")
		}
		stop := running(t, s, d)
		k.events <- execEvent("sh")
		synctest.Wait()
		_ = stop()
		if d.last("Shell") == nil {
			t.Errorf("no alert after the probe was opened again: %q", d.rules())
		}
		if a := d.last(ruleStopped); a == nil {
			t.Error("nobody said that the probe stopped")
		}
	})
}

func TestRulesAreLoadedAgain(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "rules.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(testRules)
	synctest.Test(t, func(t *testing.T) {
		k, d := newScript(), &desk{}
		cfg := ruleset.Defaults()
		cfg.Files = []string{dir}
		s := newSource(t, k, Defaults(), cfg)
		stop := running(t, s, d)
		settle := func() { time.Sleep(3 * cfg.Watch); synctest.Wait() }

		write("- rule: broken\n  condition: (evt.type\n")
		settle()
		if state := s.State(); state.Error == "" || state.Rules != 2 {
			t.Errorf("a bad file: %+v", state)
		}
		k.events <- execEvent("sh")
		synctest.Wait()
		if d.last("Shell") == nil || d.last(ruleRefused) == nil {
			t.Errorf("the old rules do not go on, or nobody says why: %q", d.rules())
		}
		write(strings.ReplaceAll(testRules, "open, openat", "connect") + "\n# more\n")
		settle()
		if state := s.State(); state.Error != "" || state.Rules != 2 || d.last(ruleReloaded) == nil {
			t.Errorf("after a good file: %+v, %q", state, d.rules())
		}
		if len(k.calls) < 2 {
			t.Fatalf("traced calls were set %d times", len(k.calls))
		}
		if both := strings.Join(k.calls[0], " "); both != "connect execve open openat" {
			t.Errorf("while the rules change, %q is traced", both)
		}
		if last := strings.Join(k.calls[len(k.calls)-1], " "); last != "connect execve" {
			t.Errorf("at last %q is traced", last)
		}
		_ = stop()
	})
}

func TestBadRulesStopTheStart(t *testing.T) {
	cfg := ruleset.Defaults()
	cfg.Files = []string{filepath.Join(t.TempDir(), "none.yaml")}
	_, err := New(Defaults(), cfg, Deps{Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
	if err == nil || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("the error is %v", err)
	}
	var missing *NoProbe
	_, err = New(Defaults(), ruleset.Defaults(), Deps{
		Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Builtin: fstest.MapFS{},
		Open: func(probe.Options) (Kernel, error) { return nil, probe.ErrUnsupported },
	})
	if !errors.As(err, &missing) || !errors.Is(err, probe.ErrUnsupported) {
		t.Errorf("a machine without a probe: %v", err)
	}
}
