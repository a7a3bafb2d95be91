package main

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/pkg/falcoevent"
	"github.com/tiercel/tiercel/pkg/proctree"
	"github.com/tiercel/tiercel/pkg/rules/recorded"
	"github.com/tiercel/tiercel/probe"
)

func shownExec(t *testing.T) (*probe.Event, *falcoevent.Event) {
	t.Helper()
	tree, err := proctree.New(proctree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ev := &probe.Event{
		Kind: probe.KindExec, Seq: 1, Boot: 1, Wall: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC).UnixNano(),
		Task: probe.Task{Key: probe.Key{PID: 7, Start: 1}, TID: 7, Comm: "echo"},
		Proc: &probe.Process{Exe: "/bin/echo", CWD: "/", Args: []byte("echo\x00안녕\x1b[31m\x00" + strings.Repeat("가", 100) + "\x00"), LoginUID: probe.NoID},
	}
	seen := falcoevent.New(&falcoevent.Node{Hostname: "node-1", Tree: tree})
	if !seen.Set(ev, tree.Apply(ev)) {
		t.Fatal("an exec is no event")
	}
	return ev, seen
}

// A line fits into the terminal, and what strangers put into it does not control the terminal.
func TestEventsForPeople(t *testing.T) {
	ev, seen := shownExec(t)
	var out bytes.Buffer
	p := &eventPrinter{w: &out, width: 100}
	p.line(ev, seen)
	line := strings.TrimSuffix(out.String(), "\n")
	if columns(line) > 100 || strings.Contains(line, "\x1b") || !strings.Contains(line, "echo 안녕") || !strings.HasSuffix(line, "…") {
		t.Errorf("%d columns: %q", columns(line), line)
	}
}

// What programs get can be read by what tests rules.
func TestEventsForPrograms(t *testing.T) {
	ev, seen := shownExec(t)
	var out bytes.Buffer
	p := &eventPrinter{w: &out, refs: shownFields()}
	if err := p.json(ev, seen); err != nil {
		t.Fatal(err)
	}
	read, err := recorded.Decode(bytes.TrimSpace(out.Bytes()))
	if err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	if read.Type().String() != "execve" {
		t.Errorf("it was read as %s", read.Type())
	}
}

func TestWhatIsWatched(t *testing.T) {
	for _, one := range []struct {
		condition, calls, want string
	}{
		{"evt.type in (openat, connect) and proc.name=x", "", "connect openat"},
		{"evt.type=openat", "mkdir", "mkdir"},
		{"proc.nme=x", "", "nonexistent field proc.nme"},
		{"", "opn", `does not trace "opn"`},
	} {
		w := watched{}
		if one.calls != "" {
			w.syscalls = strings.Split(one.calls, ",")
		}
		err := w.prepare([]string{one.condition}, nil)
		got := strings.Join(w.syscalls, " ")
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, one.want) {
			t.Errorf("%q %q: %q, want %q", one.condition, one.calls, got, one.want)
		}
	}
}

// What the machine has is for programs, too; the exit code says whether a probe can run at all.
func TestProbeFeatures(t *testing.T) {
	var out bytes.Buffer
	c := &cli{stdout: &out, stderr: io.Discard}
	command := c.probeFeaturesCommand()
	command.SetArgs([]string{"-o", "json"})
	failed := command.Execute()
	var features []feature
	if err := json.Unmarshal(out.Bytes(), &features); err != nil || len(features) == 0 {
		t.Fatalf("%v: %s", err, out.Bytes())
	}
	lacking := slices.ContainsFunc(features, func(f feature) bool { return f.Required && !f.OK })
	if (failed != nil) != lacking {
		t.Errorf("lacking %v, but the error is %v", lacking, failed)
	}
}
