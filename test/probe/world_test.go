//go:build linux

// Package probe_test runs the real program on the real kernel, does what rules look for, and reads what arrives.
package probe_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tiercel/tiercel/test/runtimes"
)

// built makes the program and the helper that does things, once for all tests.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "tiercel-probe-")
	if err != nil {
		return "", err
	}
	for _, name := range []string{"cmd/tiercel", "test/probe/act"} {
		build := exec.Command("go", "build", "-tags", "nomsgpack,grpcnotrace", "-o", filepath.Join(dir, filepath.Base(name)), "github.com/tiercel/tiercel/"+name)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return dir, fmt.Errorf("%w: %s", err, out)
		}
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, _ := built(); dir != "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// programs gives the folder of the built programs. It skips where the kernel may not be watched.
func programs(t *testing.T) string {
	t.Helper()
	runtimes.Require(t)
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// tiercel is the program while it runs, and what its webhook got.
type tiercel struct {
	t      *testing.T
	dir    string
	cmd    *exec.Cmd
	log    bytes.Buffer
	ended  chan struct{} // closed when the program has ended
	err    error         // how, once it has
	server *httptest.Server

	mu     sync.Mutex
	bodies []string
	alerts []alert
}

// alert is an alert as it arrives.
type alert struct {
	Rule     string                     `json:"rule"`
	Priority string                     `json:"priority"`
	Source   string                     `json:"source"`
	Hostname string                     `json:"hostname"`
	Output   string                     `json:"output"`
	Time     string                     `json:"time"`
	Tags     []string                   `json:"tags"`
	Fields   map[string]json.RawMessage `json:"output_fields"`
}

// text gives a field as a text; numbers and null as they stand in the JSON.
func (a *alert) text(name string) string {
	raw := string(a.Fields[name])
	var text string
	if strings.HasPrefix(raw, `"`) && json.Unmarshal([]byte(raw), &text) == nil {
		return text
	}
	return raw
}

// start starts the program with a webhook and more settings, and waits until it watches.
func start(t *testing.T, settings string) *tiercel {
	t.Helper()
	programs := programs(t)
	x := &tiercel{t: t, dir: t.TempDir(), ended: make(chan struct{})}
	x.server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var a alert
		if err := json.Unmarshal(body, &a); err != nil {
			t.Errorf("the webhook got %q: %v", body, err)
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		x.bodies, x.alerts = append(x.bodies, string(body)), append(x.alerts, a)
	}))
	t.Cleanup(x.server.Close)
	config := fmt.Sprintf("listenaddress: 127.0.0.1\nlistenport: 0\njournal: {dir: %q, storage: memory, reserve: 0}\nwebhook: {address: %q}\n%s", filepath.Join(x.dir, "journal"), x.server.URL, settings)
	file := filepath.Join(x.dir, "config.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	// A name of the tests' own stands for an address of this machine.
	hosts := filepath.Join(x.dir, "hosts")
	if err := os.WriteFile(hosts, []byte("127.0.0.1 localhost\n127.0.0.9 kubernetes.default.svc.cluster.local\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	x.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), "unshare", "--mount", "sh", "-c", `mount --bind "$1" /etc/hosts && shift && exec "$@"`, "sh", hosts,
		filepath.Join(programs, "tiercel"), "run", "-c", file)
	x.cmd.Env = append(os.Environ(), "PROBE_ENABLED=true")
	x.cmd.Stdout, x.cmd.Stderr = io.Discard, &x.log
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		x.err = x.cmd.Wait()
		close(x.ended)
	}()
	t.Cleanup(x.stop)
	x.wait("Tiercel internal: probe started", nil)
	x.settle()
	return x
}

// settle waits until the processes that were there are known and calls are traced: until an exec is seen.
func (x *tiercel) settle() {
	x.t.Helper()
	x.t.Log("watching")
	time.Sleep(time.Second) // what is there is listed first; no alert tells of its end
}

// stop ends the program.
func (x *tiercel) stop() {
	_ = x.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-x.ended:
	case <-time.After(20 * time.Second):
		_ = x.cmd.Process.Kill()
		<-x.ended
		x.t.Error("tiercel did not stop")
	}
	if x.t.Failed() {
		x.t.Logf("tiercel:\n%s", x.log.String())
	}
}

// wait gives the first alert of a rule that fits, and its body.
func (x *tiercel) wait(rule string, fits func(*alert) bool) (*alert, string) {
	x.t.Helper()
	const patience = 15 * time.Second
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		x.mu.Lock()
		for i := range x.alerts {
			if a := x.alerts[i]; a.Rule == rule && (fits == nil || fits(&a)) {
				body := x.bodies[i]
				x.mu.Unlock()
				return &a, body
			}
		}
		rules := x.rules()
		x.mu.Unlock()
		select {
		case <-x.ended:
			x.t.Fatalf("tiercel ended: %v\n%s", x.err, x.log.String())
		default:
		}
		if time.Now().After(deadline) {
			x.t.Errorf("no alert of %q after %s; there are %q", rule, patience, rules)
			return nil, ""
		}
	}
}

// rules are the rules that fired. The caller holds mu.
func (x *tiercel) rules() []string {
	var names []string
	for _, a := range x.alerts {
		if !slices.Contains(names, a.Rule) {
			names = append(names, a.Rule)
		}
	}
	return names
}

// run runs a program to its end; whether it succeeds does not matter.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, args...)
	if out, err := command.CombinedOutput(); err != nil {
		t.Logf("%s %s: %v %s", name, strings.Join(args, " "), err, out)
	}
}

// containerID makes the id of a container that no engine knows.
func containerID() string {
	var random [32]byte
	_, _ = rand.Read(random[:])
	return hex.EncodeToString(random[:])
}

// cgroup makes the cgroup of a container as the Docker engine does, in every hierarchy, and gives what runs programs in
// it, with all that root may do.
func cgroup(t *testing.T, id string) (enter func(name string, args ...string)) {
	t.Helper()
	var procs []string
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/memory"} {
		if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err != nil {
			continue
		}
		dir := filepath.Join(root, "docker", id)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			for range 50 {
				if syscall.Rmdir(dir) == nil {
					break
				}
				time.Sleep(20 * time.Millisecond)
			}
			_ = syscall.Rmdir(filepath.Dir(dir))
		})
		procs = append(procs, filepath.Join(dir, "cgroup.procs"))
	}
	return func(name string, args ...string) {
		t.Helper()
		script := ""
		for _, file := range procs {
			script += "echo $$ > " + file + "; "
		}
		run(t, "sh", append([]string{"-c", script + `exec "$@"`, "sh", name}, args...)...)
	}
}

// copyOf copies a program under another name, which is what the kernel calls it then.
func copyOf(t *testing.T, program, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
