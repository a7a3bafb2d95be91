package runtimes

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Docker is a Docker engine of the test's own, with a containerd of its own below it.
type Docker struct {
	// Socket is the path of its socket.
	Socket string
}

// NewDocker starts the engine, without networks, and loads the image. It skips the test where it cannot run.
func NewDocker(t testing.TB) *Docker {
	t.Helper()
	Require(t, "dockerd", "docker", "containerd", "ctr", "runc", "busybox")
	below := startContainerd(t)
	dir := folder(t)
	d := &Docker{Socket: filepath.Join(dir, "docker.sock")}
	// The machine's own settings are not the test's.
	config := filepath.Join(dir, "daemon.json")
	if err := os.WriteFile(config, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = exec.Command("umount", "--lazy", filepath.Join(dir, "exec/netns/default")).Run()
		removeCgroup("/docker")
	})
	daemon(t, d.Socket, "dockerd", "--host", "unix://"+d.Socket, "--containerd", below.Socket,
		"--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"), "--pidfile", filepath.Join(dir, "pid"),
		"--config-file", config,
		"--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false", "--storage-driver=vfs")
	must(t, d.Command(t.Context(), "load", "--input", Archive(t)))
	return d
}

// Command is the Docker command for this engine.
func (d *Docker) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "docker", append([]string{"--host", "unix://" + d.Socket}, args...)...)
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// Start starts a container with `docker run --detach`.
func (d *Docker) Start(t testing.TB, spec Spec) *Container {
	t.Helper()
	name, args := d.args(t, &spec)
	id := strings.TrimSpace(must(t, d.Command(t.Context(), append([]string{"run", "--detach"}, args...)...)))
	d.removeAfter(t, id)
	return &Container{ID: id, Name: name, exec: func(ctx context.Context, tty bool, args []string) *exec.Cmd {
		command := []string{"exec"}
		if tty {
			command = append(command, "--interactive", "--tty")
		}
		return d.Command(ctx, append(append(command, id), args...)...)
	}}
}

// Run runs a container to its end. It is removed at the end of the test.
func (d *Docker) Run(t testing.TB, spec Spec) (id, output string) {
	t.Helper()
	_, args := d.args(t, &spec)
	id = strings.TrimSpace(must(t, d.Command(t.Context(), append([]string{"create"}, args...)...)))
	d.removeAfter(t, id)
	return id, must(t, d.Command(t.Context(), "start", "--attach", id))
}

// Create makes a container that is not started, with more arguments of `docker create`.
func (d *Docker) Create(t testing.TB, spec Spec, more ...string) *Container {
	t.Helper()
	name, args := d.args(t, &spec)
	id := strings.TrimSpace(must(t, d.Command(t.Context(), append(append([]string{"create"}, more...), args...)...)))
	d.removeAfter(t, id)
	return &Container{ID: id, Name: name}
}

func (d *Docker) removeAfter(t testing.TB, id string) {
	t.Helper()
	t.Cleanup(func() { _ = d.Command(context.WithoutCancel(t.Context()), "rm", "--force", "--volumes", id).Run() })
}

func (d *Docker) args(t testing.TB, spec *Spec) (name string, args []string) {
	t.Helper()
	name = spec.Name
	if name == "" {
		name = Name(t)
	}
	args = []string{"--name", name, "--network", "host"}
	for key, value := range spec.Labels {
		args = append(args, "--label", key+"="+value)
	}
	for destination, source := range spec.Mounts {
		args = append(args, "--volume", source+":"+destination)
	}
	program := spec.Args
	if program == nil {
		program = forever
	}
	return name, append(append(args, Image), program...)
}
