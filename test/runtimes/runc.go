package runtimes

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Runc is runc without an engine above it.
type Runc struct {
	root  string
	state string
}

// NewRunc makes a root file system for the containers of a test. It skips the test where runc cannot run.
func NewRunc(t testing.TB) *Runc {
	t.Helper()
	Require(t, "runc", "busybox")
	return &Runc{root: Rootfs(t), state: folder(t)}
}

// Start starts a container with `runc run --detach`.
func (r *Runc) Start(t testing.TB, spec Spec) *Container {
	t.Helper()
	name, bundle := r.bundle(t, &spec)
	// Its output goes nowhere: a pipe would be held open for as long as the container runs.
	cmd := r.command(t.Context(), "run", "--detach", "--bundle", bundle, name)
	if err := cmd.Run(); err != nil {
		t.Fatal("runc run: ", err)
	}
	t.Cleanup(func() {
		_ = r.command(context.WithoutCancel(t.Context()), "delete", "--force", name).Run()
	})
	return &Container{ID: name, Name: name, exec: func(ctx context.Context, tty bool, args []string) *exec.Cmd {
		command := []string{"exec"}
		if tty {
			command = append(command, "--tty")
		}
		return r.command(ctx, append(append(command, name), args...)...)
	}}
}

// Run runs a container to its end with `runc run`.
func (r *Runc) Run(t testing.TB, spec Spec) (id, output string) {
	t.Helper()
	name, bundle := r.bundle(t, &spec)
	return name, must(t, r.command(t.Context(), "run", "--bundle", bundle, name))
}

func (r *Runc) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "runc", append([]string{"--root", r.state}, args...)...)
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// bundle writes the container's specification. Its cgroup is named after it, at the root of the hierarchy: a kubelet
// would delete what it does not know below its own.
func (r *Runc) bundle(t testing.TB, spec *Spec) (name, dir string) {
	t.Helper()
	name = spec.Name
	if name == "" {
		name = Name(t)
	}
	args := spec.Args
	if args == nil {
		args = forever
	}
	capabilities := []string{"CAP_KILL", "CAP_SETUID", "CAP_SETGID", "CAP_NET_BIND_SERVICE"}
	mounts := []any{
		map[string]any{"destination": "/proc", "type": "proc", "source": "proc"},
		map[string]any{"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": []string{"nosuid", "mode=755", "size=65536k"}},
		map[string]any{"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}},
		map[string]any{"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": []string{"nosuid", "nodev", "mode=1777"}},
	}
	for destination, source := range spec.Mounts {
		mounts = append(mounts, map[string]any{"destination": destination, "type": "bind", "source": source, "options": []string{"rbind"}})
	}
	config := marshal(t, map[string]any{
		"ociVersion": "1.0.2",
		"process": map[string]any{
			"user": map[string]any{"uid": 0, "gid": 0}, "args": args, "env": []string{"PATH=/bin", "TERM=xterm"}, "cwd": "/",
			"capabilities": map[string]any{"bounding": capabilities, "effective": capabilities, "permitted": capabilities},
		},
		"root":        map[string]any{"path": r.root},
		"hostname":    "box",
		"mounts":      mounts,
		"annotations": spec.Labels,
		"linux": map[string]any{
			"cgroupsPath": "/" + name,
			"namespaces": []any{
				map[string]any{"type": "pid"},
				map[string]any{"type": "mount"},
				map[string]any{"type": "ipc"},
				map[string]any{"type": "uts"},
				map[string]any{"type": "network"},
			},
		},
	})
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	return name, dir
}
