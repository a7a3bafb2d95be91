package falcoevent_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/container"
	"github.com/tiercel/tiercel/pkg/falcoevent"
	"github.com/tiercel/tiercel/pkg/proctree"
	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/probe"
)

// boot is when the machine of the tests was started, and at when things happen, in nanoseconds since 1970.
const (
	boot = int64(1_700_000_000_000_000_000)
	at   = boot + 3600_000_000_000
)

// containerID is that of the container of the tests.
const containerID = "3ad7b26ded6d8e7b23da7d48fe889434573036c27ae5a74837233de441c3601e"

// machine is a process tree with an event on top.
type machine struct {
	t     testing.TB
	tree  *proctree.Tree
	node  *falcoevent.Node
	event *falcoevent.Event
	seq   uint64
	now   int64
}

func newMachine(t testing.TB) *machine {
	t.Helper()
	tree, err := proctree.New(proctree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	node := &falcoevent.Node{
		Hostname: "node-1", Started: at - 1_000_000_000, Tree: tree, Users: names{}, Containers: runtime{},
		HostName: func(a netip.Addr) string {
			if a == netip.MustParseAddr("192.0.2.80") {
				return "web.example"
			}
			return ""
		},
	}
	return &machine{t: t, tree: tree, node: node, event: falcoevent.New(node), now: at}
}

type names struct{}

func (names) User(in container.Ref, uid uint32) (falcoevent.User, bool) {
	switch {
	case !in.IsHost() && uid == 1000:
		return falcoevent.User{Name: "app", Home: "/app", Shell: "/bin/false"}, true
	case in.IsHost() && uid == 1000:
		return falcoevent.User{Name: "수진", Home: "/home/수진", Shell: "/bin/zsh"}, true
	}
	return falcoevent.User{}, false
}

func (names) Group(_ container.Ref, gid uint32) (string, bool) { return "staff", gid == 50 }

type runtime struct{}

func (runtime) Get(container.Ref) (*container.Info, bool) { return info(), true }

// process describes a program that somebody runs.
type process struct {
	pid, parent int32
	args        []string
	change      func(*probe.Process, *probe.Task)
}

// exec runs a program and gives the event of it.
func (m *machine) exec(p process) *probe.Event {
	comm := p.args[0][strings.LastIndexByte(p.args[0], '/')+1:]
	x := &probe.Process{
		Filename: p.args[0], Exe: "/usr/bin/" + comm, CWD: "/root", Args: []byte(strings.Join(p.args, "\x00") + "\x00"),
		LoginUID: 1000, AuditSession: 3, CapEffective: 1<<21 | 1, CapPermitted: 1, CapInheritable: 1 << 1,
		PIDNS: 1, MntNS: 2, SID: 10, PGID: p.pid, VSID: 10, VPGID: p.pid, TTY: 34816, TTYName: "pts/0",
		CgroupV2: "/user.slice", CgroupV1: "/user.slice", ExeFlags: probe.ExeWritable | probe.ExeLowerLayer,
		ExeIno: 4711, ExeCtime: at - 50_000_000_000, ExeMtime: at - 60_000_000_000,
		Env: []byte("HOME=/root\x00LANG=ko_KR.UTF-8\x00"),
	}
	x.ArgsTotal = uint32(len(x.Args))
	task := m.task(p.pid, p.parent, comm)
	if p.change != nil {
		p.change(x, &task)
	}
	return m.apply(&probe.Event{Kind: probe.KindExec, Task: task, Proc: x})
}

// started is when a process was forked, in nanoseconds since boot.
func started(pid int32) uint64 { return uint64(at-boot) - 1_000_000_000*uint64(1000-min(pid, 999)) }

func (m *machine) task(pid, parent int32, comm string) probe.Task {
	return probe.Task{
		Key: probe.Key{PID: pid, Start: started(pid)}, TID: pid, VPID: pid, VTID: pid, Parent: probe.Key{PID: parent, Start: started(parent)},
		Comm: comm[:min(len(comm), 15)], TTY: 34816, PIDNS: 1, MntNS: 2, Cgroup: 7,
		CapEffective: 1<<21 | 1,
	}
}

// call lets a process make a system call.
func (m *machine) call(task probe.Task, s *probe.Syscall) *probe.Event {
	return m.apply(&probe.Event{Kind: probe.KindSyscall, Task: task, Syscall: s})
}

// apply gives an event to the tree and to what rules see.
func (m *machine) apply(ev *probe.Event) *probe.Event {
	m.t.Helper()
	m.seq++
	m.now += 1_000_000
	ev.Seq, ev.Wall, ev.Boot, ev.CPU = m.seq, m.now, uint64(m.now-boot), 1
	p := m.tree.Apply(ev)
	if !m.event.Set(ev, p) {
		m.t.Fatalf("nothing can be asked about a %s", ev.Kind)
	}
	return ev
}

// get gives a field's value as a rule would name it.
func (m *machine) get(name string) field.Value {
	m.t.Helper()
	ref, n, err := field.Prefix(event.Syscall, name)
	if err != nil || n != len(name) {
		m.t.Fatalf("no field %s: %v", name, err)
	}
	return m.event.Field(ref.ID, ref.Arg)
}

// want compares fields with what they should read; "-" is a missing value.
func (m *machine) want(all map[string]string) {
	m.t.Helper()
	for name, want := range all {
		v := m.get(name)
		got := v.String()
		if !v.Exists() {
			got = "-"
		}
		if got != want {
			m.t.Errorf("%s: %s is %q, want %q", m.event.Type(), name, got, want)
		}
	}
}
