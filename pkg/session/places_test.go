//go:build linux

package session_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/pkg/session"
	"github.com/tiercel/tiercel/test/runtimes"
	"github.com/tiercel/tiercel/test/terminals"
)

// TestContainer types into busybox's shell in a container, through runc's terminal.
func TestContainer(t *testing.T) {
	m := watch(t, session.Defaults())
	c := runtimes.NewRunc(t).Start(t, runtimes.Spec{})
	term := terminals.Start(t, c.Exec(t.Context(), true, "sh"), 80, 24)
	term.Ready()
	term.Type("echo \"hello world\" > /tmp/example.txt\r")
	term.Type("cat /tmp/exa\t\r")
	term.Type("\x1b[A\x1b[A\r")
	term.Type("stty -echo; read X; stty echo\r")
	term.Type("unseen-pw\r")
	term.Type("exit\r")
	first := m.settled("command", typed(`echo "hello world" > /tmp/example.txt`))
	for name, want := range map[string]string{
		"shell.origin": "container_exec", "shell.confidence": "exact", "shell.name": "ash", "shell.interactive": "true", "shell.cwd": "/",
	} {
		if first.fields[name] != want {
			t.Errorf("%s is %q, not %q", name, first.fields[name], want)
		}
	}
	id := first.fields["shell.session"]
	m.settled("session_end", func(e told) bool { return e.fields["shell.session"] == id })
	var got []string
	for _, e := range m.lines(id) {
		got = append(got, e.fields["shell.line"])
	}
	want := []string{`echo "hello world" > /tmp/example.txt`, "cat /tmp/example.txt", `echo "hello world" > /tmp/example.txt`, "stty -echo; read X; stty echo", "exit"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("recorded %q\nnot      %q", got, want)
	}
	m.forbid(t, []string{"unseen-pw"})

	// Without a terminal: the text that a shell is given.
	if out, err := c.Exec(t.Context(), false, "sh", "-c", "echo given > /dev/null").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	given := m.settled("command", typed("echo given > /dev/null"))
	if given.fields["shell.kind"] != "argument" || given.fields["shell.interactive"] != "false" {
		t.Errorf("%v", given.fields)
	}
	piped := c.Exec(t.Context(), false, "sh")
	piped.Stdin = strings.NewReader("echo through a pipe\n")
	if out, err := piped.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if e := m.settled("command", typed("echo through a pipe")); e.fields["shell.kind"] != "stdin" {
		t.Errorf("%v", e.fields)
	}
}

// TestTmux opens a pane from a shell: its session names the one that it was opened in.
func TestTmux(t *testing.T) {
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip(err)
	}
	m := watch(t, session.Defaults())
	term := bash(t)
	name := fmt.Sprintf("tiercel-test-%d", term.Process.Pid)
	t.Cleanup(func() { _ = exec.Command("tmux", "-L", name, "kill-server").Run() })
	term.Type("tmux -L " + name + " -f /dev/null new-session 'bash --norc --noprofile'\r")
	time.Sleep(500 * time.Millisecond)
	term.Type("echo 창 안에서 > /dev/null\r")
	term.Type("echo one\r")
	term.Type("\x1b[A\x7f\x7f\x7ftwo\r")
	for _, line := range []string{"echo 창 안에서 > /dev/null", "echo one", "echo two"} {
		e := m.settled("command", typed(line))
		if e.fields["shell.origin"] != "tmux" || e.fields["shell.parent_session"] != m.session(term.Process.Pid) || e.fields["shell.session"] == m.session(term.Process.Pid) {
			t.Errorf("%q: %v", line, e.fields)
		}
	}
}

// TestShellBeforeTheProbe: a shell that waits at its prompt when the probe begins. Its lines are recorded.
func TestShellBeforeTheProbe(t *testing.T) {
	term := bash(t)
	m := watch(t, session.Defaults())
	term.Type("echo early bird\r")
	term.Type("echo second\r")
	m.settled("command", typed("echo early bird"))
	if e := m.settled("command", typed("echo second")); e.fields["shell.confidence"] != "exact" {
		t.Errorf("the second line: %v", e.fields)
	}
}

// TestExcept keeps lines out by their first word.
func TestExcept(t *testing.T) {
	cfg := session.Defaults()
	cfg.Except.Commands = []string{"tru*"}
	m := watch(t, cfg)
	term := bash(t)
	term.Type("true and nothing else\r")
	term.Type("echo shown\r")
	m.settled("command", typed("echo shown"))
	m.forbid(t, []string{"nothing else"})
}
