//go:build linux && (amd64 || arm64)

package probe_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/tiercel/tiercel/probe"
)

func TestFeatures(t *testing.T) {
	names := map[string]bool{}
	for _, f := range probe.CheckFeatures() {
		if f.Name == "" || f.Detail == "" || f.Costs == "" || names[f.Name] {
			t.Errorf("feature %+v", f)
		}
		names[f.Name] = true
	}
}

// Without capabilities Open says which, in words.
func TestWithoutCapabilities(t *testing.T) {
	out, err := child(t, "open-bare").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "CAP_BPF") || !strings.Contains(string(out), "cannot run on this machine") {
		t.Errorf("%v: %s", err, out)
	}
}

// openBareRole gives all capabilities up and opens a probe. Those that are in force belong to a thread.
func openBareRole([]string) error {
	runtime.LockOSThread()
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&head, &none[0]); err != nil {
		return err
	}
	_, err := probe.Open(probe.Options{})
	return err
}

// Three capabilities are enough, also for what is attached later.
func TestThreeCapabilities(t *testing.T) {
	open(t, probe.Options{}).Close() // whether it can run here at all
	if out, err := child(t, "open-three").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func openThreeRole([]string) error {
	runtime.LockOSThread()
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	caps := uint64(1<<unix.CAP_BPF | 1<<unix.CAP_PERFMON | 1<<unix.CAP_SYS_PTRACE)
	var some [2]unix.CapUserData
	some[0] = unix.CapUserData{Effective: uint32(caps), Permitted: uint32(caps)}
	some[1] = unix.CapUserData{Effective: uint32(caps >> 32), Permitted: uint32(caps >> 32)}
	if err := unix.Capset(&head, &some[0]); err != nil {
		return err
	}
	p, err := probe.Open(probe.Options{Syscalls: []string{"openat"}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	seen := 0
	err = p.Run(ctx, func(*probe.Event) { seen++ })
	if err == nil && (seen < 2 || !p.Live()) {
		err = errors.New("no snapshot came")
	}
	return errors.Join(err, p.Close())
}

// openProbeRole opens a probe, says so, and waits to be killed.
func openProbeRole([]string) error {
	p, err := probe.Open(probe.Options{Syscalls: []string{"openat"}})
	if err != nil {
		return err
	}
	os.Stdout.WriteString("open\n")
	time.Sleep(time.Minute)
	return errors.Join(p.Close(), errors.New("nobody came"))
}

// programsOf are the programs that a process holds.
func programsOf(t *testing.T, pid int) []ebpf.ProgramID {
	t.Helper()
	infos, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	var ids []ebpf.ProgramID
	for _, info := range infos {
		text, err := os.ReadFile(info)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "prog_id:"); ok {
				id, err := strconv.ParseUint(strings.TrimSpace(rest), 10, 32)
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, ebpf.ProgramID(id))
			}
		}
	}
	return ids
}

// A probe that is killed leaves nothing in the kernel: no program is pinned, so they go with the process.
func TestKilled(t *testing.T) {
	open(t, probe.Options{}).Close() // whether it can run here at all
	cmd := child(t, "open-probe")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "open\n" {
		t.Fatalf("the child said %q: %v", line, err)
	}
	ids := programsOf(t, cmd.Process.Pid)
	if len(ids) < 5 {
		t.Fatalf("the child holds %d programs", len(ids))
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	// The kernel frees them a moment later.
	deadline := time.Now().Add(10 * time.Second)
	for _, id := range ids {
		for {
			program, err := ebpf.NewProgramFromID(id)
			if errors.Is(err, os.ErrNotExist) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			program.Close()
			if time.Now().After(deadline) {
				t.Fatalf("program %d is left", id)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// Two probes side by side see the same, and neither loses anything by the other's end.
func TestSideBySide(t *testing.T) {
	a := watch(t, probe.Options{}, processes)
	t.Run("second", func(t *testing.T) {
		b := watch(t, probe.Options{}, processes)
		pid, _ := run(t, exec.Command("/bin/true"))
		for _, w := range []*watcher{a, b} {
			w.wait("exec", func(e *probe.Event) bool { return e.Kind == probe.KindExec && e.Task.PID == pid })
		}
	})
	pid, _ := run(t, exec.Command("/bin/true"))
	a.wait("exec after the other's end", func(e *probe.Event) bool { return e.Kind == probe.KindExec && e.Task.PID == pid })
}

// A reader that is too slow loses events, and all of them are told: what the kernel wrote and what it could not write
// is what came and what was reported.
func TestLossIsTold(t *testing.T) {
	var lost uint64
	slow := true
	w := watch(t, probe.Options{Syscalls: []string{"openat"}, BulkRing: 4096}, func(e *probe.Event) bool {
		if e.Kind == probe.KindSyscall && slow {
			slow = false
			time.Sleep(300 * time.Millisecond)
		}
		if e.Kind == probe.KindLost && e.Lost.Kind == probe.KindSyscall {
			if e.Lost.Cause != probe.CauseFull || e.Lost.First == 0 || e.Lost.Last < e.Lost.First || e.Lost.Last > e.Boot {
				t.Errorf("lost: %+v at %d", *e.Lost, e.Boot)
			}
			lost += e.Lost.Count
			return true
		}
		return false
	})
	dir := t.TempDir()
	run(t, child(t, "many-opens", dir))
	w.wait("loss", func(e *probe.Event) bool { return e.Kind == probe.KindLost })
	if err := w.probe.SetSyscalls(nil); err != nil {
		t.Fatal(err)
	}
	// Everything is told within two looks at the counters once events come again.
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		s := w.probe.Stats()
		var told uint64
		for _, e := range w.all() {
			told += e.Lost.Count
		}
		if told == s.Lost[probe.KindSyscall][probe.CauseFull] && s.Received[probe.KindSyscall] == s.Sent[probe.KindSyscall] {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d told, %+v", told, s)
		}
	}
}

func manyOpensRole(args []string) error {
	for range 2000 {
		f, err := os.Open(args[0])
		if err != nil {
			return err
		}
		f.Close()
	}
	return nil
}
