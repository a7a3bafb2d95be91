//go:build linux

package probe_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/test/runtimes"
)

// data gives a file of test data that lies beside the project.
func data(t *testing.T, parts ...string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(append([]string{"..", "..", "..", "shared", "data"}, parts...)...))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the test data is not here: %v", err)
	}
	return path
}

// action makes a rule fire by what it does on this machine.
type action struct {
	rule string
	do   func(w *world)
	want map[string]string // fields of the alert
	skip string            // why it cannot be done here
}

// world is what actions have.
type world struct {
	*testing.T
	dir, act string
	box      *runtimes.Container // runc, with the folder of act at /act
	enter    func(name string, args ...string)
}

// inside runs something in the container without a terminal.
func (w *world) inside(args ...string) {
	out, err := w.box.Exec(w.Context(), false, args...).CombinedOutput()
	if err != nil {
		w.Logf("%q: %v %s", args, err, out)
	}
}

func stableActions() []action {
	return []action{
		{
			rule: "Search Private Keys or Passwords", do: func(w *world) { run(w.T, "find", w.dir, "-name", "id_rsa") },
			want: map[string]string{"proc.name": "find", "container.id": "host"},
		},
		{rule: "Remove Bulk Data from Disk", do: func(w *world) { run(w.T, "shred", "--version") }},
		{rule: "Find AWS Credentials", do: func(w *world) { run(w.T, "grep", "aws_secret_access_key", "/dev/null") }},
		{rule: "Execution from /dev/shm", do: func(w *world) {
			path := copyOf(w.T, w.act, "/dev/shm", "tiercel-test-act")
			defer os.Remove(path)
			run(w.T, path, "true")
		}, want: map[string]string{"proc.exepath": "/dev/shm/tiercel-test-act"}},
		{
			rule: "Fileless execution via memfd_create", do: func(w *world) { run(w.T, w.act, "memfd") },
			want: map[string]string{"proc.exepath": "memfd:payload", "evt.arg.flags": "EXE_WRITABLE|EXE_FROM_MEMFD"},
		},
		{rule: "System user interactive", do: func(w *world) {
			run(w.T, copyOf(w.T, w.act, w.dir, "sshd"), "as", "1", "/bin/true")
		}, want: map[string]string{"user.name": "daemon", "user.uid": "1", "proc.pname": "sshd"}},
		{rule: "Run shell untrusted", do: func(w *world) {
			run(w.T, copyOf(w.T, w.act, w.dir, "httpd"), "run", "/bin/bash", "-c", "ls > /dev/null")
		}, want: map[string]string{"proc.pname": "httpd", "proc.name": "bash", "proc.cmdline": "bash -c ls > /dev/null"}},
		{
			rule: "Terminal shell in container", do: func(w *world) { terminal(w.T, w.box.Exec(w.Context(), true, "sh", "-c", "exit 0")) },
			want: map[string]string{"proc.name": "sh", "proc.cmdline": "sh -c exit 0"},
		},
		{
			rule: "Netcat Remote Code Execution in Container", do: func(w *world) { w.inside("nc", "-e", "/bin/sh", "127.0.0.1", "1") },
			want: map[string]string{"proc.name": "nc"},
		},
		{rule: "Drop and execute new binary in container", do: func(w *world) {
			upper := overlay(w.T)
			w.enter(copyOf(w.T, w.act, upper, "dropped"), "true")
		}, want: map[string]string{"evt.arg.flags": "EXE_WRITABLE|EXE_UPPER_LAYER", "proc.name": "dropped"}},
		{rule: "Debugfs Launched in Privileged Container", skip: "whether a container is privileged is known from its engine: TestPrivilegedContainer"},
		{
			rule: "Read sensitive file untrusted", do: func(w *world) { run(w.T, "cat", "/etc/shadow") },
			want: map[string]string{"fd.name": "/etc/shadow", "proc.name": "cat", "evt.type": "openat"},
		},
		{rule: "Read sensitive file trusted after startup", do: func(w *world) {
			run(w.T, copyOf(w.T, w.act, w.dir, "httpd"), "later", "5.2s", "/etc/shadow")
		}, want: map[string]string{"proc.name": "httpd", "fd.name": "/etc/shadow"}},
		{
			rule: "Directory traversal monitored file read", do: func(w *world) { run(w.T, w.act, "open", "/tmp/../usr/../etc/passwd") },
			want: map[string]string{"fd.name": "/etc/passwd", "fd.nameraw": "/tmp/../usr/../etc/passwd"},
		},
		{rule: "Clear Log Activities", do: func(w *world) { run(w.T, w.act, "write", filepath.Join(w.dir, "auth.log")) }},
		{rule: "Detect release_agent File Container Escapes", do: func(w *world) { w.enter(w.act, "write", filepath.Join(w.dir, "release_agent")) }},
		{
			rule: "Create Symlink Over Sensitive Files", do: func(w *world) { run(w.T, "ln", "-s", "/etc/shadow", filepath.Join(w.dir, "soft")) },
			want: map[string]string{"evt.arg.target": "/etc/shadow"},
		},
		{
			rule: "Create Hardlink Over Sensitive Files", do: func(w *world) { run(w.T, "ln", "/etc/shadow", filepath.Join(w.dir, "hard")) },
			want: map[string]string{"evt.arg.oldpath": "/etc/shadow"},
		},
		{rule: "PTRACE attached to process", do: func(w *world) { run(w.T, w.act, "attach") }},
		{rule: "PTRACE anti-debug attempt", do: func(w *world) { run(w.T, w.act, "traceme") }},
		{
			rule: "Packet socket created in container", do: func(w *world) { w.inside("/act/act", "packet") },
			want: map[string]string{"proc.name": "act"},
		},
		{
			rule: "Linux Kernel Module Injection Detected", do: func(w *world) { w.enter(w.act, "module") },
			want: map[string]string{"evt.type": "finit_module"},
		},
		{rule: "Contact K8S API Server From Container", do: func(w *world) { w.enter(w.act, "connect", "127.0.0.9:9") }},
		{rule: "Redirect STDOUT/STDIN to Network Connection in Container", do: func(w *world) { w.inside("/act/act", "redirect") }},
		{rule: "Disallowed SSH Connection Non Standard Port", do: func(w *world) {
			run(w.T, copyOf(w.T, w.act, w.dir, "ssh"), "outside", "203.0.113.7", "443")
		}, want: map[string]string{"fd.l4proto": "tcp", "fd.rport": "443"}},
	}
}

// TestStableRules lets each of Falco's stable rules fire by something that really happens.
func TestStableRules(t *testing.T) {
	path := data(t, "rules", "falco_rules.yaml")
	x := start(t, "rules: {files: ["+path+"], match: all}\n")
	w := newWorld(t)
	listen(t, "127.0.0.9:9")
	fired := 0
	for _, one := range stableActions() {
		t.Run(one.rule, func(t *testing.T) {
			if one.skip != "" {
				t.Skip(one.skip)
			}
			here := *w
			here.T = t
			one.do(&here)
			var best *alert
			a, body := x.wait(one.rule, func(a *alert) bool {
				best = a
				for name, want := range one.want {
					if a.text(name) != want {
						return false
					}
				}
				return true
			})
			switch {
			case a == nil && best != nil:
				t.Errorf("it fired, but with other fields than %v: %v", one.want, best)
			case a == nil:
			case a.Source != "syscall" || a.Hostname == "" || !strings.HasSuffix(a.Time, "Z") || a.Fields["container.name"] == nil:
				t.Errorf("that is no alert as Falco sends it: %s", body)
			default:
				fired++
			}
		})
	}
	t.Logf("%d of %d rules fired", fired, len(stableActions()))
}

func newWorld(t *testing.T) *world {
	t.Helper()
	act := filepath.Join(programs(t), "act")
	w := &world{T: t, dir: t.TempDir(), act: act}
	w.box = runtimes.NewRunc(t).Start(t, runtimes.Spec{Mounts: map[string]string{"/act": filepath.Dir(act)}})
	w.enter = cgroup(t, containerID())
	return w
}

// TestSeedRules lets the rules that this project began with fire.
func TestSeedRules(t *testing.T) {
	path := data(t, "seed_rules_reconstructed.yaml")
	x := start(t, "rules: {files: ["+path+"], match: all}\n")
	w := newWorld(t)
	for _, one := range []action{
		{rule: "Terminal shell in container", do: func(w *world) { terminal(w.T, w.box.Exec(w.Context(), true, "sh", "-c", "exit 0")) }},
		{rule: "shell_in_container", do: func(w *world) { w.inside("sh", "-c", "/bin/ls /bin; true") }, want: map[string]string{"proc.cmdline": "ls /bin", "proc.pname": "sh"}},
		{rule: "shell_in host", do: func(w *world) { run(w.T, "sh", "-c", "/bin/ls /bin; true") }, want: map[string]string{"proc.cmdline": "ls /bin"}},
		{rule: "shell_in_container (mkdir variant)", do: func(w *world) { w.inside("sh", "-c", "/bin/mkdir /tmp/new; true") }, want: map[string]string{"proc.cmdline": "mkdir /tmp/new"}},
		{
			rule: "shell_in_container (openat variant)", do: func(w *world) { w.inside("sh", "-c", `echo "hello world" > example.txt`) },
			want: map[string]string{"fd.name": "/example.txt", "proc.name": "sh"},
		},
		{rule: "Inbound SSH Connection", skip: needsPort22(t), do: func(w *world) {
			listen(w.T, "127.0.0.10:22")
			run(w.T, w.act, "connect", "127.0.0.10:22")
		}, want: map[string]string{"fd.sip": "127.0.0.10"}},
	} {
		t.Run(one.rule, func(t *testing.T) {
			if one.skip != "" {
				t.Skip(one.skip)
			}
			here := *w
			here.T = t
			one.do(&here)
			x.wait(one.rule, func(a *alert) bool {
				for name, want := range one.want {
					if a.text(name) != want {
						return false
					}
				}
				return true
			})
		})
	}
}

// terminal runs a command on a terminal of its own, which script(1) makes.
func terminal(t *testing.T, command *exec.Cmd) {
	t.Helper()
	quoted := make([]string, len(command.Args))
	for i, arg := range command.Args {
		quoted[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(t, "script", "--quiet", "--return", "--command", strings.Join(quoted, " "), "/dev/null")
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Error("the command on the terminal does not end")
	}
}

// TestShellInAContainerReachesTheWebhook is the way from a shell in a container to the wire, with the rules that are
// built in.
func TestShellInAContainerReachesTheWebhook(t *testing.T) {
	x := start(t, "probe: {hostname: node-1}\nrules: {time: iso8601}\n")
	box := runtimes.NewRunc(t).Start(t, runtimes.Spec{})
	terminal(t, box.Exec(t.Context(), true, "sh", "-c", "exit 0"))
	a, body := x.wait("Shell with a terminal in a container", nil)
	if a == nil {
		return
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &members); err != nil {
		t.Fatal(err)
	}
	delete(members, "uuid") // which every alert gets here, Falco's too
	got := slices.Sorted(maps.Keys(members))
	if want := []string{"hostname", "output", "output_fields", "priority", "rule", "source", "tags", "time"}; !slices.Equal(got, want) {
		t.Errorf("the members are %q, want %q", got, want)
	}
	short := box.ID[:min(len(box.ID), 12)]
	for name, want := range map[string]string{
		"container.id": short, "proc.cmdline": "sh -c exit 0", "user.name": "root", "k8s.ns.name": "null", "k8s.pod.name": "null",
	} {
		if got := a.text(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if tty := a.text("proc.tty"); tty == "0" || tty == "" {
		t.Errorf("the terminal is %q", tty)
	}
	if a.Hostname != "node-1" || a.Source != "syscall" {
		t.Errorf("host %q, source %q", a.Hostname, a.Source)
	}
	// 2016-08-04T16:17:57.881781397+0000: Notice …
	prefix, _, _ := strings.Cut(a.Output, ": ")
	if _, err := time.Parse("2006-01-02T15:04:05.000000000-0700", prefix); err != nil || !strings.HasPrefix(a.Output, prefix+": "+a.Priority+" ") {
		t.Errorf("the output begins otherwise than Falco's: %q", a.Output)
	}
	if _, err := time.Parse(time.RFC3339Nano, a.Time); err != nil {
		t.Error(err)
	}
}

// TestPrivilegedContainer needs what only the engine of a container knows: that it is privileged, and its image.
func TestPrivilegedContainer(t *testing.T) {
	path := data(t, "rules", "falco_rules.yaml")
	programs := programs(t)
	engine := runtimes.NewDocker(t)
	x := start(t, "rules: {files: ["+path+"], match: all}\ncontainers: {sockets: ['docker:"+engine.Socket+"']}\nprobe: {containerwait: 5s}\n")
	// Where not all capabilities are there, the engine cannot start what it made. A program in its cgroup is the same to us.
	box := engine.Create(t, runtimes.Spec{}, "--privileged")
	cgroup(t, box.ID)(copyOf(t, filepath.Join(programs, "act"), t.TempDir(), "debugfs"), "true")
	a, body := x.wait("Debugfs Launched in Privileged Container", nil)
	if a == nil {
		return
	}
	for name, want := range map[string]string{
		"container.id": box.ID[:12], "container.name": box.Name, "container.image.repository": "docker.io/library/tiercel-busybox", "container.image.tag": "1.0",
		"proc.name": "debugfs",
	} {
		if got := a.text(name); got != want {
			t.Errorf("%s is %q, want %q in %s", name, got, want, body)
		}
	}
}
