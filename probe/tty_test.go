//go:build linux && (amd64 || arm64)

package probe_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/probe"
	"github.com/tiercel/tiercel/test/terminals"
)

// TestTTY types into a shell on a terminal: the line is read and shown, the password is not.
func TestTTY(t *testing.T) {
	type seen struct {
		reads, writes, piped string
		modes                []bool
		secrets              int
	}
	w := watch(t, probe.Options{TTY: probe.TTYOptions{Lines: true, Piped: true}}, func(e *probe.Event) bool { return e.Kind == probe.KindTTY })
	cmd := exec.Command("bash", "--norc", "--noprofile")
	cmd.Env = []string{"PS1=> ", "TERM=xterm", "PATH=/usr/bin:/bin", "HISTFILE="}
	term := terminals.Start(t, cmd, 80, 24)
	term.Ready()
	term.Type("read -s X\r")
	term.Type("s3cr3t\r")
	term.Type("echo done\r")
	dash := exec.Command("dash")
	dash.Stdin = strings.NewReader("echo piped\n") // no file, so that it is a pipe
	if out, err := dash.CombinedOutput(); err != nil || string(out) != "piped\n" {
		t.Fatalf("%s %v", out, err)
	}
	time.Sleep(100 * time.Millisecond)
	if err := w.probe.SetTTY(probe.TTYOptions{}); err != nil {
		t.Fatal(err)
	}
	var s seen
	for _, event := range w.all() {
		e := event.TTY
		switch {
		case e.Kind == probe.TTYPipe && event.Task.PID != int32(dash.Process.Pid):
		case e.Kind == probe.TTYPipe:
			s.piped += string(e.Data)
		case e.SID != int32(term.Process.Pid):
		case e.Kind == probe.TTYRead:
			s.reads += string(e.Data)
		case e.Kind == probe.TTYWrite:
			s.writes += string(e.Data)
		case e.Kind == probe.TTYSecret:
			s.secrets++
		case e.Kind == probe.TTYTermios:
			s.modes = append(s.modes, e.Canonical)
		}
		// Other terminals of the machine are not this test's.
		if e.Kind != probe.TTYPipe && e.SID == int32(term.Process.Pid) && (!e.Shell || e.Editor) {
			t.Errorf("a %d that is not a shell's: %+v", e.Kind, e)
		}
	}
	// What was typed while the shell worked has been through the canonical mode.
	s.reads = strings.ReplaceAll(s.reads, "\n", "\r")
	if want := "read -s X\recho done\r"; s.reads != want {
		t.Errorf("read %q, not %q", s.reads, want)
	}
	if !strings.Contains(s.writes, "> ") {
		t.Errorf("wrote %q", s.writes)
	}
	if strings.Contains(s.reads+s.writes, "s3cr3t") || s.secrets == 0 {
		t.Errorf("the password: %d secrets, read %q, wrote %q", s.secrets, s.reads, s.writes)
	}
	if len(s.modes) < 6 || s.modes[0] || !s.modes[1] {
		t.Errorf("modes %v", s.modes)
	}
	if s.piped != "echo piped\n" {
		t.Errorf("piped %q", s.piped)
	}
}
