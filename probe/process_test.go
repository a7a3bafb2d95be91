//go:build linux && (amd64 || arm64)

package probe_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tiercel/tiercel/probe"
)

func processes(e *probe.Event) bool {
	switch e.Kind {
	case probe.KindExec, probe.KindFork, probe.KindExit, probe.KindLost:
		return true
	}
	return false
}

func TestExecForkExit(t *testing.T) {
	w := watch(t, probe.Options{}, processes)
	dir := t.TempDir()
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	cmd := exec.Command("/bin/sh", "-c", "exit 3", "한글 🦅", "")
	cmd.Dir = dir
	pid, _ := run(t, cmd)

	fork := w.wait("fork of the shell", func(e *probe.Event) bool { return e.Kind == probe.KindFork && e.Fork.Child.PID == pid })
	execed := w.wait("exec of the shell", func(e *probe.Event) bool { return e.Kind == probe.KindExec && e.Task.PID == pid })
	exit := w.wait("exit of the shell", func(e *probe.Event) bool { return e.Kind == probe.KindExit && e.Task.PID == pid })

	if fork.Task.PID != int32(os.Getpid()) || fork.Fork.Child.Parent.PID != int32(os.Getpid()) || fork.Fork.Thread {
		t.Errorf("fork: by %+v of %+v", fork.Task, *fork.Fork)
	}
	if fork.Fork.Child.Key != execed.Task.Key || exit.Task.Key != execed.Task.Key || execed.Task.Start == 0 {
		t.Errorf("keys differ: fork %v, exec %v, exit %v", fork.Fork.Child.Key, execed.Task.Key, exit.Task.Key)
	}
	if fork.Seq >= execed.Seq || execed.Seq >= exit.Seq || fork.Boot > execed.Boot || execed.Boot > exit.Boot {
		t.Errorf("the order: fork %d, exec %d, exit %d", fork.Seq, execed.Seq, exit.Seq)
	}
	if at := execed.Time(); at.Before(began.Add(-time.Second)) || at.After(time.Now().Add(time.Second)) {
		t.Errorf("the time of the exec is %v, it began at %v", at, began)
	}

	shell, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	p := execed.Proc
	if p.Exe != shell || p.Filename != "/bin/sh" || p.CWD != dir {
		t.Errorf("exe %q, filename %q, cwd %q", p.Exe, p.Filename, p.CWD)
	}
	if got, want := slices.Collect(p.Argv()), []string{"/bin/sh", "-c", "exit 3", "한글 🦅", ""}; !slices.Equal(got, want) || p.ArgsCut() {
		t.Errorf("arguments %q, want %q", got, want)
	}
	if execed.Task.Comm != "sh" || execed.Task.Parent.PID != int32(os.Getpid()) {
		t.Errorf("task %+v", execed.Task)
	}
	var st syscall.Stat_t
	if err := syscall.Stat(shell, &st); err != nil {
		t.Fatal(err)
	}
	if p.ExeDev != st.Dev || p.ExeIno != st.Ino || p.ExeMode != st.Mode || p.ExeMtime != st.Mtim.Nano() || p.ExeCtime != st.Ctim.Nano() {
		t.Errorf("the file: dev %d ino %d mode %o mtime %d ctime %d, stat says %+v", p.ExeDev, p.ExeIno, p.ExeMode, p.ExeMtime, p.ExeCtime, st)
	}
	if p.ExeFlags&(probe.ExeFromMemfd|probe.ExeDeleted) != 0 {
		t.Errorf("flags %b", p.ExeFlags)
	}
	if sid, _ := getsid(); p.SID != sid || p.VSID != sid || p.PGID != int32(syscall.Getpgrp()) {
		t.Errorf("session %d, group %d; ours are %d, %d", p.SID, p.PGID, sid, syscall.Getpgrp())
	}
	for name, inode := range map[string]uint32{
		"pid": p.PIDNS, "mnt": p.MntNS, "user": p.UserNS, "net": p.NetNS, "uts": p.UTSNS, "ipc": p.IPCNS, "cgroup": p.CgroupNS,
	} {
		if want, err := os.Readlink("/proc/self/ns/" + name); err != nil || want != fmt.Sprintf("%s:[%d]", name, inode) {
			t.Errorf("namespace %s is %d, want %s", name, inode, want)
		}
	}
	checkCgroups(t, p)
	if len(p.Ancestors) == 0 || p.Ancestors[0].Key != execed.Task.Parent || p.Ancestors[0].Key != fork.Task.Key {
		t.Errorf("ancestors %+v", p.Ancestors)
	}
	if last := p.Ancestors[len(p.Ancestors)-1]; last.PID != 1 && len(p.Ancestors) < probe.MaxAncestors {
		t.Errorf("the ancestors end with %+v", last)
	}
	if exit.Exit.Code != 3 || exit.Exit.Signal != 0 || exit.Exit.Core || exit.Exit.Duration <= 0 || exit.Exit.Duration > time.Minute {
		t.Errorf("exit %+v", *exit.Exit)
	}
}

func getsid() (int32, error) {
	sid, _, errno := syscall.Syscall(syscall.SYS_GETSID, 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int32(sid), nil
}

// checkCgroups compares with what /proc says of this process, whose groups a child shares.
func checkCgroups(t *testing.T, p *probe.Process) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	v1, v2 := "", ""
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case parts[0] == "0":
			v2 = parts[2]
		case slices.Contains(strings.Split(parts[1], ","), "memory"):
			v1 = parts[2]
		}
	}
	if p.CgroupV2 != v2 || p.CgroupV1 != v1 {
		t.Errorf("cgroups %q and %q, want %q and %q", p.CgroupV2, p.CgroupV1, v2, v1)
	}
}

func TestExitBySignal(t *testing.T) {
	w := watch(t, probe.Options{}, processes)
	pid, _ := run(t, exec.Command("/bin/sh", "-c", "kill -TERM $$"))
	exit := w.wait("exit of the shell", func(e *probe.Event) bool { return e.Kind == probe.KindExit && e.Task.PID == pid })
	if exit.Exit.Signal != int32(syscall.SIGTERM) || exit.Exit.Code != 0 {
		t.Errorf("exit %+v", *exit.Exit)
	}
}

// Two arguments that are longer than what is kept, and many that are not.
func TestLongArguments(t *testing.T) {
	w := watch(t, probe.Options{MaxArgs: 64 << 10}, processes)
	long := strings.Repeat("0123456789abcdef", 100_000/16)
	args := []string{"/bin/true", long, strings.Repeat("가", 10_000)}
	pid, _ := run(t, exec.Command(args[0], args[1:]...))
	e := w.wait("exec", func(e *probe.Event) bool { return e.Kind == probe.KindExec && e.Task.PID == pid })
	whole := strings.Join(args, "\x00") + "\x00"
	if string(e.Proc.Args) != whole[:64<<10] || int(e.Proc.ArgsTotal) != len(whole) || !e.Proc.ArgsCut() {
		t.Errorf("%d bytes of %d, cut: %v; want %d of %d", len(e.Proc.Args), e.Proc.ArgsTotal, e.Proc.ArgsCut(), 64<<10, len(whole))
	}
}

func TestEnvironment(t *testing.T) {
	w := watch(t, probe.Options{MaxEnv: 4096}, processes)
	cmd := exec.Command("/bin/true")
	cmd.Env = []string{"A=1", "NAME=말똥가리", "EMPTY="}
	pid, _ := run(t, cmd)
	e := w.wait("exec", func(e *probe.Event) bool { return e.Kind == probe.KindExec && e.Task.PID == pid })
	if got := slices.Collect(e.Proc.Environ()); !slices.Equal(got, cmd.Env) {
		t.Errorf("environment %q, want %q", got, cmd.Env)
	}
	if got := slices.Collect(e.Proc.Argv()); !slices.Equal(got, []string{"/bin/true"}) {
		t.Errorf("arguments %q", got)
	}
}

func TestSnapshot(t *testing.T) {
	sleeper := exec.Command("/bin/sh", "-c", "read x", "참매")
	in, err := sleeper.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	defer sleeper.Wait()
	defer in.Close()
	w := watch(t, probe.Options{MaxEnv: 1 << 16}, func(e *probe.Event) bool { return e.Kind == probe.KindSnapshot })
	pid := int32(sleeper.Process.Pid)
	e := w.wait("snapshot of the sleeper", func(e *probe.Event) bool { return e.Task.PID == pid })
	if got := slices.Collect(e.Proc.Argv()); !slices.Equal(got, sleeper.Args) {
		t.Errorf("arguments %q", got)
	}
	if got := len(slices.Collect(e.Proc.Environ())); got != len(os.Environ()) {
		t.Errorf("%d variables of the environment, want %d", got, len(os.Environ()))
	}
	if e.Task.Parent.PID != int32(os.Getpid()) || e.Proc.Exe == "" || e.Proc.CWD == "" {
		t.Errorf("snapshot %+v of %+v", *e.Proc, e.Task)
	}
	if before := (probe.Key{PID: pid, Start: e.Task.Start - uint64(time.Second)}); !e.Task.Key.Alive() || before.Alive() {
		t.Errorf("%v is alive: %v; %v, who had the pid before, is: %v", e.Task.Key, e.Task.Key.Alive(), before, before.Alive())
	}
	for _, e := range w.all() {
		if e.Task.PID == 2 && (e.Proc.Exe != "" || len(e.Proc.Args) != 0) {
			t.Errorf("a thread of the kernel has program %q", e.Proc.Exe)
		}
	}
}

// Many processes that live for a moment: each comes whole, in order, with the same key.
func TestShortLived(t *testing.T) {
	w := watch(t, probe.Options{}, processes)
	const many = 500
	pids := map[int32]int{}
	for range many {
		cmd := exec.Command("/bin/true")
		pid, _ := run(t, cmd)
		pids[pid]++
	}
	for pid := range pids {
		w.wait("exit", func(e *probe.Event) bool { return e.Kind == probe.KindExit && e.Task.PID == pid })
	}
	step := map[probe.Key]int{}
	for _, e := range w.all() {
		switch {
		case e.Kind == probe.KindLost:
			t.Errorf("lost: %+v", *e.Lost)
		case e.Kind == probe.KindFork && pids[e.Fork.Child.PID] > 0:
			if step[e.Fork.Child.Key] != 0 {
				t.Errorf("%v was forked twice", e.Fork.Child.Key)
			}
			step[e.Fork.Child.Key] = 1
		case e.Kind == probe.KindExec && pids[e.Task.PID] > 0:
			if step[e.Task.Key] != 1 {
				t.Errorf("exec of %v in step %d", e.Task.Key, step[e.Task.Key])
			}
			step[e.Task.Key] = 2
		case e.Kind == probe.KindExit && step[e.Task.Key] > 0:
			if s := step[e.Task.Key]; s != 2 && s != 1 {
				t.Errorf("exit of %v in step %d", e.Task.Key, s)
			}
			step[e.Task.Key] += 2
		}
	}
	whole := 0
	for _, s := range step {
		if s == 4 {
			whole++
		}
	}
	if whole != many {
		t.Errorf("%d of %d processes came whole", whole, many)
	}
	if s := w.probe.Stats(); s.LostTotal() != 0 {
		t.Errorf("lost: %+v", s.Lost)
	}
}
