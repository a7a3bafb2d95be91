//go:build linux && (amd64 || arm64)

package probe_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tiercel/tiercel/probe"
)

// What runs here needs the kernel. A machine that cannot skips it with the reason, unless REQUIRE_BPF=1.

// open opens a probe that lives as long as the test.
func open(t testing.TB, opts probe.Options) *probe.Probe {
	t.Helper()
	p, err := probe.Open(opts)
	if errors.Is(err, probe.ErrUnsupported) && os.Getenv("REQUIRE_BPF") != "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("opening the probe: %v", err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("closing the probe: %v", err)
		}
	})
	return p
}

// watcher keeps events that a test asked for.
type watcher struct {
	t      testing.TB
	probe  *probe.Probe
	mu     sync.Mutex
	events []*probe.Event
	more   chan struct{}
}

// watch runs a probe until the test ends, and returns when the snapshot is over. It keeps what keep wants.
func watch(t testing.TB, opts probe.Options, keep func(*probe.Event) bool) *watcher {
	t.Helper()
	w := &watcher{t: t, probe: open(t, opts), more: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	done, ready := make(chan error, 1), make(chan struct{})
	go func() {
		done <- w.probe.Run(ctx, func(e *probe.Event) {
			if e.Kind == probe.KindReady {
				close(ready)
			}
			if !keep(e) {
				return
			}
			w.mu.Lock()
			w.events = append(w.events, e.Clone())
			w.mu.Unlock()
			select {
			case w.more <- struct{}{}:
			default:
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("running the probe: %v", err)
		}
	})
	select {
	case <-ready:
	case err := <-done:
		done <- nil
		t.Fatalf("the probe ended: %v", err)
	case <-time.After(30 * time.Second):
		t.Fatal("no snapshot within 30 s")
	}
	// The dispatcher is attached right behind the handling of KindReady.
	for deadline := time.Now().Add(5 * time.Second); !w.probe.Live() && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	return w
}

// wait waits until an event is there that is asked for.
func (w *watcher) wait(what string, is func(*probe.Event) bool) *probe.Event {
	w.t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		w.mu.Lock()
		for _, e := range w.events {
			if is(e) {
				w.mu.Unlock()
				return e
			}
		}
		w.mu.Unlock()
		select {
		case <-w.more:
		case <-timeout:
			w.t.Fatalf("no event: %s. There were %d others", what, len(w.events))
		}
	}
}

// all are the events so far.
func (w *watcher) all() []*probe.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]*probe.Event(nil), w.events...)
}

// run runs a command to its end and returns its pid and what it printed.
func run(t testing.TB, cmd *exec.Cmd) (pid int32, output string) {
	t.Helper()
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		if _, ok := errors.AsType[*exec.ExitError](err); !ok {
			t.Fatalf("%s: %v", cmd, err)
		}
		if problems.Len() > 0 {
			t.Logf("%s: %v: %s", cmd, err, &problems)
		}
	}
	return int32(cmd.Process.Pid), strings.TrimSpace(out.String())
}

// forget drops the events so far.
func (w *watcher) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = slices.DeleteFunc(w.events, func(e *probe.Event) bool { return e.Kind != probe.KindLost })
}

// child runs this test program again as another process, in the role that is named: see TestMain.
func child(t testing.TB, role string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), "PROBE_TEST_ROLE="+role)
	return cmd
}

// roles are what this program does as a child of its tests.
var roles = map[string]func(args []string) error{
	"call":          callRole,
	"bench-getppid": bench(getppid),
	"bench-opens":   bench(openClose),
	"bench-execs":   bench(execTrue),
	"open-probe":    openProbeRole,
	"open-bare":     openBareRole,
	"open-three":    openThreeRole,
	"many-opens":    manyOpensRole,
	"filters":       filtersRole,
	"open":          func(args []string) error { return touch(args[0]) },
}

func TestMain(m *testing.M) {
	if role := os.Getenv("PROBE_TEST_ROLE"); role != "" {
		act, ok := roles[role]
		if !ok {
			os.Stderr.WriteString("there is no role " + strconv.Quote(role) + "\n")
			os.Exit(2)
		}
		if err := act(os.Args[1:]); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
