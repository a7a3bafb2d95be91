//go:build linux

package session_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/pkg/session"
	"github.com/tiercel/tiercel/test/terminals"
)

// bash starts a shell without the settings of whoever runs the tests.
func bash(t testing.TB, args ...string) *terminals.Terminal {
	t.Helper()
	cmd := exec.Command("bash", append([]string{"--norc", "--noprofile"}, args...)...)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"PS1=$ ", "TERM=xterm", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HISTFILE=", "LANG=C.UTF-8", "HOME=" + cmd.Dir}
	term := terminals.Start(t, cmd, 80, 24)
	term.Ready()
	return term
}

// settled waits until an event is there and gives it.
func (m *machine) settled(kind string, is func(told) bool) told {
	m.t.Helper()
	for start := time.Now(); time.Since(start) < 5*time.Second; time.Sleep(5 * time.Millisecond) {
		if all := m.events(kind, is); len(all) > 0 {
			return all[0]
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []string
	for _, e := range m.tolds {
		all = append(all, e.String())
	}
	m.t.Fatalf("no such %s among\n%s", kind, strings.Join(all, "\n"))
	return told{}
}

func typed(line string) func(told) bool {
	return func(e told) bool { return e.fields["shell.line"] == line }
}

// TestSession types into a shell and looks at everything that is told of it.
func TestSession(t *testing.T) {
	m := watch(t, session.Defaults())
	term := bash(t)
	term.Type("ls / | grep -q etc\r")
	term.Type("cd /usr/share\r")
	term.Type("false\r")
	term.Type("echo 안녕 > /dev/null\r")
	term.Type("cat <<EOF\rone\rEOF\r")
	term.Type("export API_TOKEN=hunter2\r")
	term.Type("read -s SECRET\r")
	term.Type("blind-pw\r")
	term.Type("sleep 0.5\r")
	time.Sleep(700 * time.Millisecond)
	term.Type("exit 3\r")

	pid := term.Process.Pid
	end := m.settled("session_end", func(e told) bool { return e.fields["shell.pid"] == fmt.Sprint(pid) })
	id := m.session(pid)
	if id == "" || end.fields["shell.session"] != id {
		t.Errorf("the session has no id, or two: %q, %q", id, end.fields["shell.session"])
	}
	if end.fields["shell.lines"] != "9" {
		t.Errorf("the session has %s lines, not 9", end.fields["shell.lines"])
	}
	for i, want := range []map[string]string{
		{
			"shell.line": "ls / | grep -q etc", "shell.processes.name": "ls\x00grep", "shell.processes.cmdline": "ls /\x00grep -q etc", "shell.exit_code": "0",
			"shell.exit_from": "process", "shell.entry": "typed", "shell.confidence": "exact", "shell.kind": "line", "shell.name": "bash", "shell.interactive": "true",
			"shell.command": "ls /\x00grep -q etc", "shell.seq": "1", "shell.pid": fmt.Sprint(pid),
		},
		{"shell.line": "cd /usr/share", "shell.exit_code": "", "shell.processes.name": ""},
		{"shell.line": "false", "shell.cwd": "/usr/share/", "shell.exit_code": ""},
		{"shell.line": "echo 안녕 > /dev/null", "shell.writes": "/dev/null"},
		{"shell.line": "cat <<EOF\none\nEOF", "shell.processes.name": "cat"},
		{"shell.line": "export API_TOKEN=[REDACTED]", "shell.redactions": "1"},
		{"shell.line": "read -s SECRET"},
		{"shell.line": "sleep 0.5", "shell.exit_code": "", "shell.processes.name": "sleep"},
		{"shell.line": "exit 3"},
	} {
		line := m.settled("command", func(e told) bool {
			return e.fields["shell.session"] == id && e.fields["shell.line"] == want["shell.line"]
		})
		for name, value := range want {
			if line.fields[name] != value {
				t.Errorf("line %d, %q: %s is %q, not %q", i, want["shell.line"], name, line.fields[name], value)
			}
		}
	}
	for line, want := range map[string]map[string]string{
		"read -s SECRET": {"shell.secret_withheld": "true"},
		"sleep 0.5":      {"shell.exit_code": "0", "shell.processes.exit_code": "0"},
		"exit 3":         {"shell.exit_code": "3", "shell.exit_from": "shell"},
	} {
		e := m.settled("command_end", func(e told) bool { return e.fields["shell.session"] == id && e.fields["shell.line"] == line })
		for name, value := range want {
			if e.fields[name] != value {
				t.Errorf("the end of %q: %s is %q, not %q", line, name, e.fields[name], value)
			}
		}
	}
	m.forbid(t, []string{"hunter2", "blind-pw"})
}

// TestLinesAreToldSoon: a line that runs for long is told while it runs.
func TestLinesAreToldSoon(t *testing.T) {
	m := watch(t, session.Defaults())
	term := bash(t)
	term.Type("sleep 30")
	start := time.Now()
	term.Type("\r")
	e := m.settled("command", typed("sleep 30"))
	if took := e.at.Sub(start); took > time.Second {
		t.Errorf("it was told after %s", took)
	}
	if len(m.events("command_end", typed("sleep 30"))) > 0 {
		t.Error("its end was told while it runs")
	}
}

// TestPiped gives shells commands without a terminal.
func TestPiped(t *testing.T) {
	m := watch(t, session.Defaults())
	script := "echo one\nfor i in 1 2; do\n  echo $i\ndone\n"
	for _, shell := range []string{"bash", "dash", "zsh", "mksh"} {
		cmd := exec.Command(shell)
		cmd.Stdin = strings.NewReader("# " + shell + "\n" + script)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v %s", shell, err, out)
		}
		e := m.settled("command", typed("# "+shell+"\n"+strings.TrimSpace(script)))
		for name, value := range map[string]string{"shell.kind": "stdin", "shell.interactive": "false", "shell.name": shell} {
			if e.fields[name] != value {
				t.Errorf("%s: %s is %q, not %q", shell, name, e.fields[name], value)
			}
		}
	}
	// What a script reads is no command.
	cmd := exec.Command("bash", "-c", "while read -r x; do :; done")
	cmd.Stdin = strings.NewReader("data of a script\n")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	m.forbid(t, []string{"data of a script"})
}

// TestNested opens shells within shells: it is one session.
func TestNested(t *testing.T) {
	m := watch(t, session.Defaults())
	term := bash(t)
	term.Type("dash\r")
	term.Type("echo inner\r")
	term.Type("exit\r")
	term.Type("zsh -f\r")
	time.Sleep(300 * time.Millisecond)
	term.Type("echo zed\r")
	term.Type("exit\r")
	term.Type("echo outer\r")
	m.settled("command", typed("echo outer"))
	var got []string
	for _, e := range m.lines(m.session(term.Process.Pid)) {
		got = append(got, e.fields["shell.program"]+": "+e.fields["shell.line"])
	}
	if want := "bash: dash, dash: echo inner, dash: exit, bash: zsh -f, zsh: echo zed, zsh: exit, bash: echo outer"; strings.Join(got, ", ") != want {
		t.Errorf("%s\nnot\n%s", strings.Join(got, ", "), want)
	}
}

// TestRenamedShell runs a shell under a name that nobody knows.
func TestRenamedShell(t *testing.T) {
	m := watch(t, session.Defaults())
	dir := t.TempDir()
	if out, err := exec.Command("cp", "/bin/bash", dir+"/kworker").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	cmd := exec.Command(dir+"/kworker", "--norc", "--noprofile")
	cmd.Env = []string{"PS1=$ ", "TERM=xterm", "HISTFILE="}
	term := terminals.Start(t, cmd, 80, 24)
	term.Ready()
	term.Type("echo hidden > /dev/null\r")
	term.Type("echo again\r")
	e := m.settled("command", typed("echo hidden > /dev/null"))
	if e.fields["shell.program"] != "kworker" {
		t.Errorf("the program is %q", e.fields["shell.program"])
	}
}
