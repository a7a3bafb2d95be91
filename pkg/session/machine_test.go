//go:build linux

package session_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tiercel/tiercel/pkg/proctree"
	"github.com/tiercel/tiercel/pkg/rules/eval"
	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/pkg/session"
	"github.com/tiercel/tiercel/probe"
)

// told is an event of a session, as rules see it.
type told struct {
	kind   string
	fields map[string]string
	at     time.Time
}

func (e told) String() string {
	return fmt.Sprintf("%s %q %v", e.kind, e.fields["shell.line"], e.fields)
}

// A machine is the kernel's probe, the tree of processes and the sessions, at work.
type machine struct {
	t     testing.TB
	mu    sync.Mutex
	tolds []told
	raw   []*probe.Event // of terminals, where keep is set
	keep  bool
	seen  map[int32]string // sessions of shells, by pid
}

// watch starts a machine that runs as long as the test. It skips where the kernel cannot, and fails under REQUIRE_BPF=1.
func watch(t testing.TB, cfg session.Config) *machine {
	t.Helper()
	p, err := probe.Open(probe.Options{})
	if errors.Is(err, probe.ErrUnsupported) && os.Getenv("REQUIRE_BPF") != "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("opening the probe: %v", err)
	}
	m := &machine{t: t, seen: make(map[int32]string)}
	tree, err := proctree.New(proctree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := session.New(cfg, session.Deps{Emit: m.emit, Arm: func(on bool) error {
		if on {
			return p.SetTTY(cfg.Options())
		}
		return p.SetTTY(probe.TTYOptions{})
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done, ready := make(chan error, 1), make(chan struct{})
	var lock sync.Mutex
	go func() {
		done <- p.Run(ctx, func(e *probe.Event) {
			lock.Lock()
			defer lock.Unlock()
			if e.Kind == probe.KindLost {
				t.Logf("lost: %+v", e.Lost)
			}
			process := tree.Apply(e)
			s.Event(e, process)
			if m.keep && e.Kind == probe.KindTTY {
				m.mu.Lock()
				m.raw = append(m.raw, e.Clone())
				m.mu.Unlock()
			}
			if e.Kind == probe.KindReady {
				close(ready)
			}
		})
	}()
	ticks := time.NewTicker(100 * time.Millisecond)
	go func() {
		for {
			select {
			case now := <-ticks.C:
				lock.Lock()
				s.Tick(now)
				lock.Unlock()
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the probe: %v", err)
		}
		ticks.Stop()
		if err := p.Close(); err != nil {
			t.Errorf("closing the probe: %v", err)
		}
	})
	<-ready
	for start := time.Now(); !p.Live(); time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatal("the probe does not go live")
		}
	}
	lock.Lock()
	s.Tick(time.Now())
	lock.Unlock()
	return m
}

func (m *machine) emit(ev eval.Event, p *proctree.Process) {
	if p == nil && ev.Type().String() == "session_end" {
		m.t.Error("the end of a session is told of no process, so the alert has no time and no user")
	}
	e := told{kind: ev.Type().String(), fields: make(map[string]string), at: time.Now()}
	for f := range field.All() {
		if !f.Terminal {
			continue
		}
		var values []string
		for at := range 64 {
			v := ev.Field(f.ID, field.Arg{At: at, Index: -1})
			if !v.Exists() || at > 0 && f.Multi == field.Single {
				break
			}
			values = append(values, v.String())
		}
		if len(values) > 0 {
			e.fields[f.Name] = strings.Join(values, "\x00")
		}
	}
	if ev.Type().Source() != event.Terminal {
		m.t.Errorf("%s is no event of a terminal", ev.Type())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tolds = append(m.tolds, e)
}

// events are those of one kind of the session whose leader is pid.
func (m *machine) events(kind string, is func(told) bool) []told {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []told
	for _, e := range m.tolds {
		if e.kind == kind && is(e) {
			out = append(out, e)
		}
	}
	return out
}

// session gives the id of the session that a program's terminal is.
func (m *machine) session(pid int) string {
	for _, e := range m.events("session_start", func(e told) bool { return e.fields["shell.pid"] == fmt.Sprint(pid) }) {
		return e.fields["shell.session"]
	}
	return ""
}

// lines are the lines of a session.
func (m *machine) lines(id string) []told {
	return m.events("command", func(e told) bool { return e.fields["shell.session"] == id && id != "" })
}
