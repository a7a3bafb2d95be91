package runtimes

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Containerd is a containerd of the test's own, driven by ctr.
type Containerd struct {
	// Socket is the path of its socket; it speaks the native API and CRI v1.
	Socket string
	// Namespace is containerd's namespace of the containers that are started here.
	Namespace string
}

// NewContainerd starts containerd with the image in its namespace "default" and, for pods, in "k8s.io". It skips the
// test where containerd cannot run.
func NewContainerd(t testing.TB) *Containerd {
	t.Helper()
	Require(t, "containerd", "ctr", "runc", "busybox")
	c := startContainerd(t)
	c.load(t, Archive(t))
	return c
}

func startContainerd(t testing.TB) *Containerd {
	t.Helper()
	dir := folder(t)
	c := &Containerd{Socket: filepath.Join(dir, "containerd.sock"), Namespace: "default"}
	// No snapshotter but the plain one: overlay on overlay is not allowed everywhere.
	config := fmt.Sprintf(`version = 2
root = "%[1]s/root"
state = "%[1]s/state"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp",
]
[grpc]
  address = "%[2]s"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %[3]q
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "%[1]s/none"
    conf_dir = "%[1]s/none"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
`, dir, c.Socket, pauseImage)
	path := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeCgroup("/default") })
	daemon(t, c.Socket, "containerd", "--config", path)
	return c
}

// load puts an image into the namespaces that tests use.
func (c *Containerd) load(t testing.TB, archive string) {
	t.Helper()
	for _, namespace := range []string{"default", "k8s.io"} {
		must(t, c.ctr(t.Context(), "--namespace", namespace, "images", "import", "--snapshotter", "native", archive))
	}
}

// Start starts a container with `ctr run --detach`.
func (c *Containerd) Start(t testing.TB, spec Spec) *Container {
	t.Helper()
	name, args := c.args(t, &spec)
	must(t, c.ctr(t.Context(), append([]string{"--namespace", c.Namespace, "run", "--detach"}, args...)...))
	t.Cleanup(func() { c.remove(context.WithoutCancel(t.Context()), name) })
	return c.container(name, name)
}

// Run runs a container to its end with `ctr run --rm`.
func (c *Containerd) Run(t testing.TB, spec Spec) (id, output string) {
	t.Helper()
	name, args := c.args(t, &spec)
	return name, must(t, c.ctr(t.Context(), append([]string{"--namespace", c.Namespace, "run", "--rm"}, args...)...))
}

// container gives `ctr task exec` for a container of this containerd.
func (c *Containerd) container(id, name string) *Container {
	return &Container{ID: id, Name: name, exec: func(ctx context.Context, tty bool, args []string) *exec.Cmd {
		command := []string{"--namespace", c.Namespace, "task", "exec", "--exec-id", fmt.Sprintf("x%d", time.Now().UnixNano())}
		if tty {
			command = append(command, "--tty")
		}
		return c.ctr(ctx, append(append(command, id), args...)...)
	}}
}

func (c *Containerd) args(t testing.TB, spec *Spec) (name string, args []string) {
	t.Helper()
	name = spec.Name
	if name == "" {
		name = Name(t)
	}
	args = []string{"--snapshotter", "native"}
	for key, value := range spec.Labels {
		args = append(args, "--label", key+"="+value)
	}
	for destination, source := range spec.Mounts {
		args = append(args, "--mount", "type=bind,src="+source+",dst="+destination+",options=rbind:rw")
	}
	program := spec.Args
	if program == nil {
		program = forever
	}
	return name, append(append(args, Image, name), program...)
}

// remove ends a container's task and then the container.
func (c *Containerd) remove(ctx context.Context, name string) {
	_ = c.ctr(ctx, "--namespace", c.Namespace, "task", "kill", "--signal", "SIGKILL", name).Run()
	for range 100 {
		out, err := c.ctr(ctx, "--namespace", c.Namespace, "task", "rm", "--force", name).CombinedOutput()
		if err == nil || strings.Contains(string(out), "not found") {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	_ = c.ctr(ctx, "--namespace", c.Namespace, "container", "rm", name).Run()
}

func (c *Containerd) ctr(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "ctr", append([]string{"--address", c.Socket}, args...)...)
	cmd.WaitDelay = 5 * time.Second
	return cmd
}
