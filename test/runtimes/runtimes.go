// Package runtimes starts real containers for tests: runc by itself, containerd, the Docker engine and pods through
// CRI. Every engine is the test's own, with its own folders and sockets, and ends with the test; nothing is fetched from
// a registry. The one image is busybox.
package runtimes

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Image is the image that the engines here have: busybox, with users root and app (uid 1000, name in /etc/passwd).
const Image = "docker.io/library/tiercel-busybox:1.0"

// pauseImage is the image of the containers that hold pods together.
const pauseImage = "docker.io/library/tiercel-pause:1.0"

// Spec is a container to start. The zero Spec is one that sleeps.
type Spec struct {
	// Name is the name, by default one that no other test has.
	Name string
	// Args are the program and its arguments; by default one that waits until the container is stopped.
	Args []string
	// Labels are the container's labels, where the engine has such.
	Labels map[string]string
	// Mounts are folders of the host, by where they are mounted in the container; where the engine has such.
	Mounts map[string]string
}

// Container is one that runs.
type Container struct {
	// ID is the whole id as the engine has it, Name what it was called.
	ID, Name string

	exec func(ctx context.Context, tty bool, args []string) *exec.Cmd
}

// Exec is the command that runs a program in the container: `runc exec`, `ctr task exec`, `docker exec`. With tty the
// program gets a terminal of its own, and the command must be given one.
func (c *Container) Exec(ctx context.Context, tty bool, args ...string) *exec.Cmd {
	return c.exec(ctx, tty, args)
}

// Must runs a program in the container and gives its output; the test fails when the program does.
func (c *Container) Must(t testing.TB, args ...string) string {
	t.Helper()
	return must(t, c.Exec(t.Context(), false, args...))
}

// Engine starts containers.
type Engine interface {
	// Start starts a container that is stopped and removed at the end of the test.
	Start(t testing.TB, spec Spec) *Container
	// Run runs a container to its end and gives its id and what it printed.
	Run(t testing.TB, spec Spec) (id, output string)
}

// Require skips the test where one of the programs is missing, or the right to start containers; it fails instead
// where they must be there: with REQUIRE_BPF=1 and in CI.
func Require(t testing.TB, programs ...string) {
	t.Helper()
	missing := func(why string) {
		t.Helper()
		if os.Getenv("REQUIRE_BPF") == "1" || os.Getenv("CI") != "" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	if runtime.GOOS != "linux" {
		t.Skip("containers need Linux")
	}
	if os.Geteuid() != 0 {
		missing("starting containers needs root")
	}
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			missing(program + " is not installed")
		}
	}
}

// Name makes a name that no other test has, for containers and their cgroups.
func Name(t testing.TB) string {
	t.Helper()
	var b [6]byte
	_, _ = rand.Read(b[:])
	return "tiercel-test-" + hex.EncodeToString(b[:])
}

// folder makes a folder with a short name: the path of a socket has 108 characters at most.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tiercel-rt-") //nolint:usetesting // t.TempDir has the name of the test in its path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Log("removing an engine's folder:", err)
		}
	})
	return dir
}

// must runs a command and gives what it printed.
func must(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out)
}

// daemon starts an engine's program and waits until its socket answers. It is ended with the test.
func daemon(t testing.TB, socket string, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	// A group of its own, so that a signal from the terminal does not end it before its containers are removed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			<-done
			t.Errorf("%s did not stop", program)
		}
		if t.Failed() {
			t.Logf("%s:\n%s", program, tail(log.String(), 4000))
		}
	})
	for deadline := time.Now().Add(30 * time.Second); ; {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "unix", socket)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case err := <-done:
			done <- err
			t.Fatalf("%s ended: %v\n%s", program, err, tail(log.String(), 4000))
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer: %v", program, err)
		}
	}
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// removeCgroup removes what engines leave behind: the empty folder above their containers, in every hierarchy.
func removeCgroup(path string) {
	hierarchies, _ := filepath.Glob("/sys/fs/cgroup/*" + path)
	for _, dir := range append(hierarchies, "/sys/fs/cgroup"+path) {
		_ = syscall.Rmdir(dir) // full when another test still uses it
	}
}

// forever is a program that waits to be stopped, and stops at once.
var forever = []string{"/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done"}
