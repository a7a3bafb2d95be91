package proctree_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/pkg/container"
	"github.com/tiercel/tiercel/pkg/proctree"
	"github.com/tiercel/tiercel/probe"
)

func TestProgram(t *testing.T) {
	m := newMachine(t, proctree.Options{})
	m.fork(1, 10)
	p := m.exec(10, "/usr/bin/bash", "-bash", "-c", "echo '한 글'", "")
	for name, got := range map[string][2]string{
		"comm":     {p.Comm, "bash"},
		"exe":      {p.Exe, "-bash"},
		"exepath":  {p.ExePath, "/usr/bin/bash"},
		"filename": {p.Filename, "/usr/bin/bash"},
		"args":     {p.Args, "-c echo '한 글' "},
		"cmdline":  {p.Cmdline, "bash -c echo '한 글' "},
		"cwd":      {p.CWD, "/root/"},
		"caps":     {p.CapEffective.String(), "CAP_DAC_OVERRIDE"},
		"chain":    {names(p), "bash<systemd"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s is %q, want %q", name, got[0], got[1])
		}
	}
	if p.ArgsCount != 3 || p.ArgsLen != len("-c")+len("echo '한 글'") {
		t.Errorf("%d arguments of %d bytes", p.ArgsCount, p.ArgsLen)
	}
	if got, want := p.StartWall, int64(started+p.Start); got != want {
		t.Errorf("started at %d, want %d", got, want)
	}
	if got := p.Duration(p.Start + 5*second); got != 5*time.Second {
		t.Errorf("has run for %v, want 5s", got)
	}
	if got := p.Duration(p.Start - 1); got != 0 {
		t.Errorf("had run for %v before its start", got)
	}
}

func TestArgumentsOfAllShapes(t *testing.T) {
	m := newMachine(t, proctree.Options{})
	for i, test := range []struct {
		args          []string
		exe, cmdline  string
		count, length int
	}{
		{nil, "", "x", 0, 0},
		{[]string{""}, "", "x", 0, 0},
		{[]string{"x"}, "x", "x", 0, 0},
		{[]string{"x", ""}, "x", "x ", 1, 0},
		{[]string{"x", "", ""}, "x", "x  ", 2, 0},
		{[]string{"", "a b", "c"}, "", "x a b c", 2, 4},
	} {
		pid := int32(10 + i)
		m.fork(1, pid)
		p := m.exec(pid, "/bin/x", test.args...)
		if p.Exe != test.exe || p.Cmdline != test.cmdline || p.ArgsCount != test.count || p.ArgsLen != test.length {
			t.Errorf("%q: exe %q, cmdline %q, %d of %d bytes; want %q, %q, %d of %d", test.args, p.Exe, p.Cmdline, p.ArgsCount, p.ArgsLen, test.exe, test.cmdline, test.count, test.length)
		}
		if want := strings.TrimPrefix(strings.TrimPrefix(test.cmdline, "x"), " "); p.Args != want {
			t.Errorf("%q: args %q, want %q", test.args, p.Args, want)
		}
	}
}

func TestChildHasWhatItsParentHas(t *testing.T) {
	m := newMachine(t, proctree.Options{})
	m.fork(1, 10)
	m.exec(10, "/bin/sh", "sh", "-i")
	m.fork(10, 11)
	p := m.open(11)
	if p.PID != 11 || !p.Known || p.Cmdline != "sh -i" || p.CWD != "/root/" || p.SID != 10 || names(p) != "sh<sh<systemd" {
		t.Errorf("%d: %q in %q, session %d, %s", p.PID, p.Cmdline, p.CWD, p.SID, names(p))
	}
	if p.IsSessionLeader() || p.IsVGroupLeader() || !p.Parent().IsSessionLeader() || !p.Parent().IsVGroupLeader() {
		t.Error("the child leads, or the parent does not")
	}
	// What the child becomes is not the parent's.
	m.exec(11, "/bin/ls", "ls")
	if parent := p.Parent(); parent.Cmdline != "sh -i" || p.Cmdline != "ls" {
		t.Errorf("parent %q, child %q", parent.Cmdline, p.Cmdline)
	}
}

func TestProcessesFromBeforeTheProbe(t *testing.T) {
	m := newMachine(t, proctree.Options{})
	for pid, path := range []string{20: "/usr/sbin/sshd", 21: "/bin/bash", 22: "/usr/bin/vim"} {
		if path == "" {
			continue
		}
		task := probe.Task{Key: probe.Key{PID: int32(pid), Start: uint64(pid) * second}, TID: int32(pid), VPID: int32(pid), PIDNS: pidns, Cgroup: 1, Parent: m.tasks[1].Key}
		if pid > 20 {
			task.Parent = m.tasks[int32(pid-1)].Key
		}
		m.tasks[int32(pid)] = &task
		m.cgroups[int32(pid)] = [2]string{"/system.slice/ssh.service", ""}
	}
	// Children may come first.
	for pid, path := range map[int32]string{20: "/usr/sbin/sshd", 21: "/bin/bash", 22: "/usr/bin/vim"} {
		m.tasks[pid].Comm = path[strings.LastIndexByte(path, '/')+1:]
	}
	for _, pid := range []int32{22, 21, 20} {
		path := map[int32]string{20: "/usr/sbin/sshd", 21: "/bin/bash", 22: "/usr/bin/vim"}[pid]
		m.snapshot(pid, path, path)
	}
	m.apply(&probe.Event{Kind: probe.KindReady})
	p := m.open(22)
	if names(p) != "vim<bash<sshd<systemd" || p.Ancestor(2).ExePath != "/usr/sbin/sshd" || p.ExecBoot != 0 {
		t.Errorf("%s, %q", names(p), p.Ancestor(2).ExePath)
	}
	if holes := m.counter("_unannounced_total"); holes != 0 {
		t.Errorf("%d processes are said to be unannounced", holes)
	}
	// The exec that happened while the snapshot was taken comes again.
	m.exec(22, "/usr/bin/vim", "vim", "f")
	m.snapshot(22, "/usr/bin/other", "other")
	if p.Args != "f" || p.ExePath != "/usr/bin/vim" {
		t.Errorf("an old snapshot wins over an exec: %q", p.Cmdline)
	}
}

func TestPIDsAreUsedAgain(t *testing.T) {
	m := newMachine(t, proctree.Options{})
	m.fork(1, 10)
	m.exec(10, "/bin/first", "first")
	late := m.task(10)
	m.fork(10, 11)
	m.exec(11, "/bin/child", "child")
	m.exit(10)
	m.fork(1, 10)
	m.exec(10, "/bin/second", "second")

	if p := m.open(10); p.Cmdline != "second" || names(p) != "second<systemd" {
		t.Errorf("got %q, %s", p.Cmdline, names(p))
	}
	// A late event of the first is the first's.
	p := m.apply(&probe.Event{Kind: probe.KindSyscall, Task: late, Syscall: &probe.Syscall{ID: probe.SysOpenat}})
	if p.Cmdline != "first" || !p.Exited || p.Exit.Code != 3 {
		t.Errorf("the late event is of %q, exited %v with %d", p.Cmdline, p.Exited, p.Exit.Code)
	}
	if missed := m.counter("_missed_exits_total"); missed != 0 {
		t.Errorf("%d ends were missed", missed)
	}
	// One whose end was lost has ended when its pid is given away.
	m.fork(1, 12)
	gone := m.exec(12, "/bin/gone", "gone")
	m.fork(1, 12)
	if !gone.Exited || !gone.Exit.Missed || m.counter("_missed_exits_total") != 1 {
		t.Errorf("exited %v, missed %v, counted %d", gone.Exited, gone.Exit.Missed, m.counter("_missed_exits_total"))
	}
}

func TestEventsInWrongOrder(t *testing.T) {
	t.Run("exec before fork", func(t *testing.T) {
		m := newMachine(t, proctree.Options{})
		fork := m.forkEvent(1, 10)
		p := m.exec(10, "/bin/ls", "ls", "-l")
		m.apply(fork)
		if p.Cmdline != "ls -l" || names(p) != "ls<systemd" || m.open(10) != p {
			t.Errorf("%q, %s", p.Cmdline, names(p))
		}
		if m.tree.Len() != 2 || m.counter("_unannounced_total") != 0 {
			t.Errorf("%d processes, %d unannounced", m.tree.Len(), m.counter("_unannounced_total"))
		}
	})
	t.Run("exit before fork", func(t *testing.T) {
		m := newMachine(t, proctree.Options{})
		fork := m.forkEvent(1, 10)
		p := m.exit(10)
		m.apply(fork)
		if !p.Exited || m.tree.Find(fork.Fork.Child.Key) != p || p.Comm != "systemd" {
			t.Errorf("exited %v, %s", p.Exited, names(p))
		}
	})
	t.Run("exit before the last call", func(t *testing.T) {
		m := newMachine(t, proctree.Options{})
		m.fork(1, 10)
		m.exec(10, "/bin/ls", "ls")
		task := m.task(10)
		m.exit(10)
		p := m.apply(&probe.Event{Kind: probe.KindSyscall, Task: task, Syscall: &probe.Syscall{ID: probe.SysOpenat}})
		if p.Cmdline != "ls" || names(p) != "ls<systemd" {
			t.Errorf("%q, %s", p.Cmdline, names(p))
		}
	})
	t.Run("grandchild before its parent's fork", func(t *testing.T) {
		m := newMachine(t, proctree.Options{})
		first, second := m.forkEvent(1, 10), m.forkEvent(10, 11)
		m.apply(second)
		m.apply(first)
		if p := m.open(11); names(p) != "systemd<systemd<systemd" || !p.Known {
			t.Errorf("%s, known %v", names(p), p.Known)
		}
	})
}

func TestParentsStayWithTheirChildren(t *testing.T) {
	m := newMachine(t, proctree.Options{Linger: time.Second})
	m.fork(1, 10)
	m.exec(10, "/bin/sh", "sh", "-c", "(sleep 9 &)")
	m.fork(10, 11)
	m.exec(11, "/bin/dash", "dash")
	m.fork(11, 12)
	child := m.exec(12, "/bin/sleep", "sleep", "9")
	// Both end, and the kernel has told nothing of the adoption yet: no event of 12 came.
	keys := []probe.Key{m.tasks[10].Key, m.tasks[11].Key}
	m.exit(11)
	m.exit(10)
	m.now += 10 * second
	m.open(1)
	m.open(1)
	if names(child) != "sleep<dash<sh<systemd" {
		t.Errorf("before the adoption is known: %s", names(child))
	}
	for _, key := range keys {
		if p := m.tree.Find(key); p == nil || !p.Exited {
			t.Errorf("%v is gone", key)
		}
	}
	// Now it did something, and its parent is another.
	if p := m.open(12); names(p) != "sleep<systemd" {
		t.Errorf("after it: %s", names(p))
	}
	m.open(1)
	if n := m.tree.Len(); n != 2 {
		t.Errorf("%d processes are left, want systemd and sleep", n)
	}
	for _, key := range keys {
		if m.tree.Find(key) != nil {
			t.Errorf("%v is kept for nobody", key)
		}
	}
}

// What kernels tell with an exec, the whole line of ancestors, is believed.
func TestAncestryIsTheKernels(t *testing.T) {
	m := newMachine(t, proctree.Options{})
	m.fork(1, 10)
	m.exec(10, "/bin/a", "a")
	m.fork(10, 11)
	m.exec(11, "/bin/b", "b")
	m.fork(11, 12)
	m.exec(12, "/bin/c", "c")
	m.exit(10) // 11 goes to systemd; it does nothing that would say so
	if p := m.exec(12, "/bin/d", "d"); names(p) != "d<b<systemd" {
		t.Error(names(p))
	}
}

func TestLostForks(t *testing.T) {
	m := newMachine(t, proctree.Options{})
	m.fork(1, 10)
	m.exec(10, "/bin/sh", "sh", "-i")
	// The fork of a child that did not exec: it has its parent's program.
	m.forkEvent(10, 11)
	if p := m.open(11); !p.Known || p.Cmdline != "sh -i" || names(p) != "sh<sh<systemd" {
		t.Errorf("%q, %s", p.Cmdline, names(p))
	}
	// Fork and exec are lost: the name is known, and the program is not guessed.
	m.forkEvent(10, 12)
	m.execEvent(12, "/bin/ls", "ls")
	if p := m.open(12); p.Known || p.Cmdline != "" || names(p) != "ls<sh<systemd" {
		t.Errorf("%q, %s", p.Cmdline, names(p))
	}
	// Its next exec tells everything.
	if p := m.exec(12, "/bin/cat", "cat", "f"); !p.Known || p.Cmdline != "cat f" {
		t.Errorf("%q", p.Cmdline)
	}
	if n := m.counter("_unannounced_total"); n != 2 {
		t.Errorf("%d were counted, want 2", n)
	}
}

func TestLeaders(t *testing.T) {
	m := newMachine(t, proctree.Options{})
	m.fork(1, 10)
	m.exec(10, "/bin/bash", "bash")
	m.fork(10, 11)
	e := m.execEvent(11, "/bin/ls", "ls")
	e.Proc.SID, e.Proc.PGID = 10, 11
	m.apply(e)
	p := m.open(11)
	if s, g := m.tree.SessionLeader(p), m.tree.GroupLeader(p); s == nil || s.PID != 10 || g != p {
		t.Errorf("session %v, group %v", s, g)
	}
	// The leader has ended; the session goes on.
	m.exit(10)
	if s := m.tree.SessionLeader(m.open(11)); s == nil || s.Comm != "bash" {
		t.Errorf("session %v", s)
	}
	// A leader that is not known: the highest ancestor that is in the session.
	m.fork(1, 20)
	for pid, parent := range map[int32]int32{21: 20} {
		m.fork(parent, pid)
	}
	for _, pid := range []int32{20, 21} {
		e := m.execEvent(pid, "/bin/x"+fmt.Sprint(pid), "x")
		e.Proc.SID, e.Proc.PGID = 5, 6
		m.apply(e)
	}
	p = m.open(21)
	if s, g := m.tree.SessionLeader(p), m.tree.GroupLeader(p); s == nil || s.PID != 20 || g == nil || g.PID != 20 {
		t.Errorf("session %v, group %v", s, g)
	}
	if s := m.tree.SessionLeader(&proctree.Process{}); s != nil {
		t.Errorf("a process without a session has the leader %v", s)
	}
}

func TestCallsThatChangeAProcess(t *testing.T) {
	m := newMachine(t, proctree.Options{})
	m.fork(1, 10)
	m.exec(10, "/bin/sh", "sh")
	m.fork(10, 11)
	for _, step := range []struct {
		name string
		call probe.Syscall
		cwd  string
	}{
		{"absolute", probe.Syscall{ID: probe.SysChdir, Path: probe.Path{Raw: "/tmp/../var//log"}}, "/var/log/"},
		{"relative", probe.Syscall{ID: probe.SysChdir, Path: probe.Path{Raw: "../lib", Base: "/var/log"}}, "/var/lib/"},
		{"relative to what is known", probe.Syscall{ID: probe.SysChdir, Path: probe.Path{Raw: "x"}}, "/var/lib/x/"},
		{"as the kernel has it", probe.Syscall{ID: probe.SysChdir, FD: probe.FD{Path: "/real"}, Path: probe.Path{Raw: "link"}}, "/real/"},
		{"failed", probe.Syscall{ID: probe.SysChdir, Ret: -2, Path: probe.Path{Raw: "/none"}}, "/real/"},
		{"by descriptor", probe.Syscall{ID: probe.SysFchdir, FD: probe.FD{Path: "/"}}, "/"},
		{"cut", probe.Syscall{ID: probe.SysChdir, Path: probe.Path{Raw: "/long", Cut: true}}, ""},
	} {
		if p := m.call(11, step.call); p.CWD != step.cwd {
			t.Errorf("%s: in %q, want %q", step.name, p.CWD, step.cwd)
		}
	}
	if cwd := m.open(10).CWD; cwd != "/root/" {
		t.Errorf("the parent went along to %q", cwd)
	}
	p := m.call(11, probe.Syscall{ID: probe.SysSetpgid})
	if p.PGID != 11 || p.VPGID != 11 || p.SID != 10 {
		t.Errorf("own group: %d %d, session %d", p.PGID, p.VPGID, p.SID)
	}
	p = m.call(11, probe.Syscall{ID: probe.SysSetpgid, Args: [6]uint64{11, 10}})
	if p.PGID != 10 || p.VPGID != 10 {
		t.Errorf("the parent's group: %d %d", p.PGID, p.VPGID)
	}
	p = m.call(11, probe.Syscall{ID: probe.SysSetsid, Ret: 11})
	if p.SID != 11 || p.PGID != 11 || p.VSID != 11 || !p.IsSessionLeader() {
		t.Errorf("session %d, group %d", p.SID, p.PGID)
	}
	// prctl(PR_SET_NAME) is in the task of the next event; the name of another thread is not the process's.
	m.tasks[11].Comm = "worker"
	if p := m.open(11); p.Comm != "worker" || p.Cmdline != "worker" || p.Exe != "sh" {
		t.Errorf("%q, %q, %q", p.Comm, p.Cmdline, p.Exe)
	}
	m.tasks[11].TID, m.tasks[11].Comm, m.tasks[11].UID = 99, "thread", 33
	if p := m.open(11); p.Comm != "worker" || p.UID != 0 {
		t.Errorf("%q, uid %d", p.Comm, p.UID)
	}
}

const (
	id      = "3f4a1b2c5d6e7f8090a1b2c3d4e5f60718293a4b5c6d7e8f9012a3b4c5d6e7f8"
	another = "ffffa1b2c5d6e7f8090a1b2c3d4e5f60718293a4b5c6d7e8f9012a3b4c5d6eff"
)

func TestContainers(t *testing.T) {
	m := newMachine(t, proctree.Options{})
	m.fork(1, 10)
	m.exec(10, "/usr/bin/containerd-shim-runc-v2", "/usr/bin/containerd-shim-runc-v2", "-namespace", "moby", "-id", id)
	m.fork(10, 11)
	m.move(11, 77, "/system.slice/docker-"+id+".scope", "")
	if p := m.open(11); !p.Container().IsHost() {
		t.Errorf("a path that nobody has told is known: %+v", p.Container())
	}
	p := m.exec(11, "/bin/sh", "sh")
	if p.Container().ID != id || p.Container().Runtime != container.Docker || p.Parent().Container() != (container.Ref{}) {
		t.Errorf("%+v, parent %+v", p.Container(), p.Parent().Container())
	}
	m.fork(11, 12)
	if p := m.open(12); p.Container().ID != id {
		t.Errorf("the child is in %+v", p.Container())
	}
	// A process that is put into a known cgroup without an exec (docker exec does so).
	m.fork(10, 13)
	m.tasks[13].Cgroup = 77
	if p := m.open(13); p.Container().ID != id {
		t.Errorf("the newcomer is in %+v", p.Container())
	}
	if v2, _ := m.open(13).Cgroups(); v2 != "/system.slice/docker-"+id+".scope" {
		t.Errorf("in cgroup %q", v2)
	}
	// The last one out.
	for _, pid := range []int32{11, 12, 13} {
		m.exit(pid)
	}
	m.now += 10 * second
	for range 5 {
		m.open(1)
	}
	if n := m.counter("_cgroups"); n != 1 {
		t.Errorf("%d cgroups are left, want systemd's", n)
	}
}

// On a hybrid machine the id of an event may be that of the root, for all containers.
func TestContainersOfVersion1(t *testing.T) {
	m := newMachine(t, proctree.Options{})
	for i, container := range []string{id, another} {
		pid := int32(10 + i)
		m.fork(1, pid)
		m.move(pid, 1, "/", "/docker/"+container)
		m.exec(pid, "/bin/sh", "sh")
		m.fork(pid, pid+10)
	}
	for i, container := range []string{id, another} {
		for _, pid := range []int32{int32(10 + i), int32(20 + i)} {
			if got := m.open(pid).Container().ID; got != container {
				t.Errorf("process %d is in %q, want %q", pid, got, container)
			}
		}
	}
}

func TestContainersWithFreeNames(t *testing.T) {
	t.Run("containerd", func(t *testing.T) {
		m := newMachine(t, proctree.Options{})
		m.fork(1, 10)
		m.exec(10, "/usr/bin/containerd-shim-runc-v2", "/usr/bin/containerd-shim-runc-v2", "-namespace", "team", "-id", "c1", "-address", "/x")
		m.fork(10, 11)
		m.exec(11, "/usr/sbin/runc", "runc", "--root", "/r", "create", "--bundle", "/b", "c1")
		m.fork(11, 12)
		m.move(12, 88, "/team/c1", "")
		// runc has gone when the program starts.
		m.exit(11)
		p := m.exec(12, "/bin/sh", "sh")
		want := container.Ref{ID: "c1", Runtime: container.Containerd, Namespace: "team"}
		if p.Container() != want {
			t.Errorf("got %+v, want %+v", p.Container(), want)
		}
		// The shim itself is not in it, whatever its cgroup is called.
		m.move(10, 88, "/team/c1", "")
		m.exit(12)
		m.move(10, 99, "/c1", "")
		if p := m.exec(10, "/usr/bin/containerd-shim-runc-v2", "/usr/bin/containerd-shim-runc-v2", "-namespace", "team", "-id", "c1"); !p.Container().IsHost() {
			t.Errorf("the shim is in %+v", p.Container())
		}
	})
	t.Run("runc", func(t *testing.T) {
		m := newMachine(t, proctree.Options{})
		m.fork(1, 10)
		m.exec(10, "/usr/sbin/runc", "runc", "run", "web")
		m.fork(10, 11)
		m.move(11, 88, "/", "/user.slice/web")
		if p := m.exec(11, "/bin/sh", "sh"); p.Container() != (container.Ref{ID: "web", Runtime: container.Runc}) {
			t.Errorf("%+v", p.Container())
		}
		// Not every cgroup is one.
		m.fork(10, 12)
		m.move(12, 89, "/", "/user.slice/other")
		if p := m.exec(12, "/bin/sh", "sh"); !p.Container().IsHost() {
			t.Errorf("%+v", p.Container())
		}
	})
}

func TestFirstProcessOfANamespace(t *testing.T) {
	m := newMachine(t, proctree.Options{})
	m.fork(1, 10)
	e := m.forkEvent(10, 11)
	e.Fork.Child.VPID, e.Fork.Child.PIDNS = 1, 555
	m.tasks[11].VPID, m.tasks[11].PIDNS = 1, 555
	m.apply(e)
	m.exec(11, "/sbin/init", "init")
	e = m.forkEvent(11, 12)
	e.Fork.Child.VPID, m.tasks[12].VPID = 2, 2
	m.apply(e)
	p := m.open(12)
	if init := m.tree.Init(p); init == nil || init.PID != 11 {
		t.Errorf("the first process is %v", init)
	}
	if init := m.tree.Init(m.open(10)); init == nil || init.PID != 1 {
		t.Errorf("the machine's first process is %v", init)
	}
	if p.VPID != 2 || p.VSID != 1 {
		t.Errorf("vpid %d, vsid %d", p.VPID, p.VSID)
	}
}

// Five thousand processes a second, each a millisecond long, leave no hole and no trace.
func TestShortLives(t *testing.T) {
	m := newMachine(t, proctree.Options{Linger: time.Second})
	m.fork(1, 10)
	m.exec(10, "/bin/sh", "sh", "-c", "loop")
	most := 0
	for i := range 50_000 {
		pid := int32(100 + i%30_000)
		m.now += second / 5000
		m.fork(10, pid)
		m.exec(pid, "/bin/true", "true", fmt.Sprint(i))
		if p := m.open(pid); names(p) != "true<sh<systemd" || p.Args != fmt.Sprint(i) {
			t.Fatalf("process %d: %q, %s", i, p.Cmdline, names(p))
		}
		m.exit(pid)
		most = max(most, m.tree.Len())
	}
	if holes, evicted := m.counter("_unannounced_total"), m.counter("_evicted_total"); holes > 0 || evicted > 0 {
		t.Errorf("%d holes, %d evicted", holes, evicted)
	}
	if most > 6000 {
		t.Errorf("%d processes were kept at once", most)
	}
}

func TestBounds(t *testing.T) {
	const most = 500
	m := newMachine(t, proctree.Options{Max: most})
	m.fork(1, 10)
	busy := m.exec(10, "/bin/busy", "busy")
	for pid := int32(100); pid < 3000; pid++ {
		m.fork(1, pid)
		m.exec(pid, "/bin/daemon", "daemon")
		m.open(10)
		if n := m.tree.Len(); n > most {
			t.Fatalf("%d processes are kept, the bound is %d", n, most)
		}
	}
	if evicted := m.counter("_evicted_total"); evicted < 2000 {
		t.Errorf("%d were counted as evicted", evicted)
	}
	if p := m.open(10); p != busy || names(p) != "busy<systemd" {
		t.Errorf("who is busy was forgotten: %s", names(p))
	}
	// One that was forgotten is back with what its events say.
	if p := m.open(100); p.Comm != "daemon" || p.Known {
		t.Errorf("%q, known %v", p.Comm, p.Known)
	}
}

func TestBoundOfArguments(t *testing.T) {
	m := newMachine(t, proctree.Options{MaxArgs: 1 << 20})
	long := strings.Repeat("긴", 10_000)
	for pid := int32(100); pid < 400; pid++ {
		m.fork(1, pid)
		p := m.exec(pid, "/bin/x", "x", long)
		if bytes := m.counter("_argument_bytes"); bytes > 1<<20+300*256 {
			t.Fatalf("%d bytes of arguments are kept", bytes)
		}
		if pid < 110 && (p.ArgsCut || p.Args != long) {
			t.Fatal("cut without need")
		}
		if p.ArgsCut && (!strings.HasPrefix(p.Cmdline, "x 긴") || len(p.Cmdline) > 256) {
			t.Fatalf("cut to %q", p.Cmdline)
		}
	}
	if cut := m.counter("_cut_arguments_total"); cut < 200 {
		t.Errorf("%d command lines were counted as cut", cut)
	}
	// When they end, there is room again.
	for pid := int32(100); pid < 400; pid++ {
		m.exit(pid)
	}
	m.fork(1, 500)
	if p := m.exec(500, "/bin/x", "x", long); p.ArgsCut {
		t.Error("cut, with room")
	}
}

func TestSweep(t *testing.T) {
	m := newMachine(t, proctree.Options{})
	for pid := int32(10); pid < 20; pid++ {
		m.fork(1, pid)
		m.exec(pid, "/bin/x", "x")
	}
	if n := m.tree.Sweep(m.now+1, func(pid int32) bool { return pid == 1 || pid%2 == 0 }); n != 5 {
		t.Errorf("%d were swept, want 5", n)
	}
	if p := m.tree.FindPID(11); p == nil || !p.Exited || !p.Exit.Missed || m.tree.FindPID(12).Exited {
		t.Error("the wrong ones were swept")
	}
	// The end came after all.
	if p := m.exit(11); p.Exit.Missed || p.Exit.Code != 3 {
		t.Errorf("%+v", p.Exit)
	}
}

func TestDeepTrees(t *testing.T) {
	m := newMachine(t, proctree.Options{})
	parent := int32(1)
	for pid := int32(10); pid < 3000; pid++ {
		m.fork(parent, pid)
		parent = pid
	}
	p := m.open(parent)
	if n := len(slices.Collect(p.Ancestors())); n != proctree.MaxDepth {
		t.Errorf("%d ancestors", n)
	}
	if p.Ancestor(proctree.MaxDepth) == nil || p.Ancestor(proctree.MaxDepth+1) != nil || p.Ancestor(-1) != nil || p.Ancestor(0) != p {
		t.Error("Ancestor does not keep to its bounds")
	}
}

func TestCaps(t *testing.T) {
	for caps, want := range map[proctree.Caps]string{
		0:                       "",
		1:                       "CAP_CHOWN",
		1<<16 | 1<<21:           "CAP_SYS_MODULE CAP_SYS_ADMIN",
		1<<40 | 1<<63:           "CAP_CHECKPOINT_RESTORE",
		proctree.AllCaps &^ 0x1: strings.TrimPrefix(proctree.AllCaps.String(), "CAP_CHOWN "),
	} {
		if got := caps.String(); got != want {
			t.Errorf("%#x: %q, want %q", uint64(caps), got, want)
		}
	}
	if n := len(strings.Fields(proctree.AllCaps.String())); n != 41 {
		t.Errorf("%d capabilities", n)
	}
}
