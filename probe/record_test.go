//go:build linux && (amd64 || arm64)

package probe_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/probe"
)

// A replayed recording gives the events of the run that made it, member by member.
func TestRecordAndReplay(t *testing.T) {
	var tape bytes.Buffer
	var live []*probe.Event
	p := open(t, probe.Options{Record: &tape, Syscalls: []string{"openat", "connect", "unlinkat"}, MaxEnv: 4096})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var pid int32
	err := p.Run(ctx, func(e *probe.Event) {
		live = append(live, e.Clone())
		if e.Kind == probe.KindReady {
			go func() {
				for !p.Live() {
					time.Sleep(time.Millisecond)
				}
				cmd := exec.Command("/bin/sh", "-c", "ls / >/dev/null; exit 7")
				_ = cmd.Run()
				time.Sleep(200 * time.Millisecond)
				cancel()
			}()
		}
		if e.Kind == probe.KindExit && e.Exit.Code == 7 {
			pid = e.Task.PID
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if pid == 0 {
		t.Fatal("the shell's end did not come")
	}
	recording := tape.Bytes()
	i := 0
	err = probe.Replay(t.Context(), bytes.NewReader(recording), func(e *probe.Event) {
		if i >= len(live) {
			t.Fatalf("more than %d events", len(live))
		}
		want := live[i]
		if d := e.Wall - want.Wall; d > 2e6 || d < -2e6 {
			t.Errorf("event %d is off by %d ns", i, d)
		}
		got := e.Clone()
		got.Wall = want.Wall
		if !reflect.DeepEqual(got, want) {
			t.Errorf("event %d: %+v, want %+v", i, got, want)
		}
		i++
	})
	if err != nil || i != len(live) {
		t.Errorf("%d of %d events: %v", i, len(live), err)
	}

	// One that was cut anywhere gives what is whole, and an error.
	for _, size := range []int{0, 7, 20, 60, len(recording) / 2, len(recording) - 1} {
		n := 0
		err := probe.Replay(t.Context(), bytes.NewReader(recording[:size]), func(*probe.Event) { n++ })
		if err == nil || n >= len(live) {
			t.Errorf("cut to %d bytes: %d events, %v", size, n, err)
		}
	}
	other := bytes.Clone(recording)
	other[16]++
	if err := probe.Replay(t.Context(), bytes.NewReader(other), func(*probe.Event) {}); err == nil || !strings.Contains(err.Error(), "another version") {
		t.Errorf("a recording with other types: %v", err)
	}
}

type fullDisk struct{ room int }

func (f *fullDisk) Write(b []byte) (int, error) {
	if f.room -= len(b); f.room < 0 {
		return 0, errors.New("no space left")
	}
	return len(b), nil
}

func TestRecordingThatCannotBeWritten(t *testing.T) {
	p := open(t, probe.Options{Record: &fullDisk{}})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := p.Run(ctx, func(*probe.Event) {}); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("running: %v", err)
	}
}

func FuzzReplay(f *testing.F) {
	f.Add([]byte("TIERCEL\x00"))
	f.Add(probe.Recording(f))
	f.Fuzz(func(t *testing.T, tape []byte) {
		err := probe.Replay(t.Context(), bytes.NewReader(tape), func(e *probe.Event) { touchAll(e) })
		if errors.Is(err, io.EOF) {
			t.Errorf("the end is an error: %v", err)
		}
	})
}

// touchAll reads everything that an event points to.
func touchAll(e *probe.Event) {
	c := e.Clone()
	if c.Proc != nil {
		for range c.Proc.Argv() {
		}
		for range c.Proc.Environ() {
		}
	}
}
