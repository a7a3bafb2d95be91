package proctree_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tiercel/tiercel/pkg/proctree"
	"github.com/tiercel/tiercel/probe"
)

// machine makes events as the probe would, and hands them to a tree. Like the probe it writes over the memory of an event
// after the call.
type machine struct {
	t       testing.TB
	tree    *proctree.Tree
	metrics *prometheus.Registry
	now     uint64
	tasks   map[int32]*probe.Task
	comms   map[int32]string
	cgroups map[int32][2]string
}

const (
	pidns   = 4026531836
	second  = 1_000_000_000
	started = 1_700_000_000 * second // the wall time when the machine was started
)

func newMachine(t testing.TB, o proctree.Options) *machine {
	t.Helper()
	m := &machine{
		t: t, metrics: prometheus.NewRegistry(), now: 100 * second,
		tasks: make(map[int32]*probe.Task), comms: make(map[int32]string), cgroups: make(map[int32][2]string),
	}
	o.Metrics = m.metrics
	var err error
	if m.tree, err = proctree.New(o); err != nil {
		t.Fatal(err)
	}
	m.tasks[1] = &probe.Task{Key: probe.Key{PID: 1, Start: 1}, TID: 1, VPID: 1, VTID: 1, Comm: "systemd", PIDNS: pidns, MntNS: 1, Cgroup: 1}
	m.cgroups[1] = [2]string{"/init.scope", ""}
	m.snapshot(1, "/usr/lib/systemd/systemd", "/sbin/init")
	m.apply(&probe.Event{Kind: probe.KindReady})
	return m
}

// apply stamps an event and applies it. The texts of the event are gone afterwards.
func (m *machine) apply(e *probe.Event) *proctree.Process {
	m.t.Helper()
	m.now += 1000
	if e.Boot == 0 {
		e.Boot = m.now
	}
	e.Wall = started + int64(e.Boot)
	for _, s := range texts(e) {
		if *s != "" {
			*s = strings.Clone(*s) // of its own, to be spoilt
		}
	}
	p := m.tree.Apply(e)
	for _, s := range texts(e) {
		spoil(*s)
	}
	if e.Proc != nil {
		for i := range e.Proc.Args {
			e.Proc.Args[i] = '#'
		}
	}
	return p
}

func texts(e *probe.Event) []*string {
	all := []*string{&e.Task.Comm}
	if p := e.Proc; p != nil {
		all = append(all, &p.Filename, &p.Exe, &p.CWD, &p.TTYName, &p.CgroupV2, &p.CgroupV1)
		for i := range p.Ancestors {
			all = append(all, &p.Ancestors[i].Comm)
		}
	}
	if f := e.Fork; f != nil {
		all = append(all, &f.Child.Comm)
	}
	return all
}

// task is a copy of what the machine knows of a process now.
func (m *machine) task(pid int32) probe.Task {
	m.t.Helper()
	task := m.tasks[pid]
	if task == nil {
		m.t.Fatalf("the machine has no process %d", pid)
	}
	return *task
}

func (m *machine) fork(pid, child int32) *proctree.Process {
	m.t.Helper()
	return m.apply(m.forkEvent(pid, child))
}

// forkEvent starts a process and gives the event, to be applied at any time.
func (m *machine) forkEvent(pid, child int32) *probe.Event {
	m.t.Helper()
	task := m.task(pid)
	m.now += 1000
	born := task
	born.Key, born.TID, born.VPID, born.VTID = probe.Key{PID: child, Start: m.now}, child, child, child
	born.Parent = task.Key
	m.tasks[child] = &born
	m.cgroups[child] = m.cgroups[pid]
	return &probe.Event{Kind: probe.KindFork, Boot: m.now, Task: task, Fork: &probe.Fork{Child: born}}
}

func (m *machine) exec(pid int32, path string, args ...string) *proctree.Process {
	m.t.Helper()
	return m.apply(m.execEvent(pid, path, args...))
}

func (m *machine) execEvent(pid int32, path string, args ...string) *probe.Event {
	m.t.Helper()
	task := m.tasks[pid]
	task.Comm = path[strings.LastIndexByte(path, '/')+1:]
	task.Comm = task.Comm[:min(len(task.Comm), 15)]
	p := &probe.Process{
		Filename: path, Exe: path, CWD: "/root", LoginUID: probe.NoID, AuditSession: probe.NoID,
		CapEffective: 1 << 1, SID: pid, PGID: pid, VSID: task.VPID, VPGID: task.VPID, PIDNS: task.PIDNS, MntNS: task.MntNS,
		CgroupV2: m.cgroups[pid][0], CgroupV1: m.cgroups[pid][1],
	}
	if len(args) > 0 {
		p.Args = []byte(strings.Join(args, "\x00") + "\x00")
	}
	p.ArgsTotal = uint32(len(p.Args))
	for a := task.Parent; a.PID != 0 && len(p.Ancestors) < probe.MaxAncestors; a = m.tasks[a.PID].Parent {
		p.Ancestors = append(p.Ancestors, probe.Ancestor{Key: a, Comm: m.tasks[a.PID].Comm})
	}
	return &probe.Event{Kind: probe.KindExec, Task: *task, Proc: p}
}

func (m *machine) snapshot(pid int32, path string, args ...string) *proctree.Process {
	m.t.Helper()
	e := m.execEvent(pid, path, args...)
	e.Kind, e.Proc.Filename = probe.KindSnapshot, ""
	return m.apply(e)
}

// exit ends a process; its children go to pid 1.
func (m *machine) exit(pid int32) *proctree.Process {
	m.t.Helper()
	return m.apply(m.exitEvent(pid))
}

func (m *machine) exitEvent(pid int32) *probe.Event {
	m.t.Helper()
	task := m.task(pid)
	delete(m.tasks, pid)
	for _, other := range m.tasks {
		if other.Parent == task.Key {
			other.Parent = m.tasks[1].Key
		}
	}
	m.now += 1000
	return &probe.Event{Kind: probe.KindExit, Boot: m.now, Task: task, Exit: &probe.Exit{Code: 3}}
}

// call is a system call of a process.
func (m *machine) call(pid int32, s probe.Syscall) *proctree.Process {
	m.t.Helper()
	return m.apply(&probe.Event{Kind: probe.KindSyscall, Task: m.task(pid), Syscall: &s})
}

// open is a system call that changes nothing.
func (m *machine) open(pid int32) *proctree.Process {
	m.t.Helper()
	return m.call(pid, probe.Syscall{ID: probe.SysOpenat, Ret: 3})
}

// move puts a process into another cgroup.
func (m *machine) move(pid int32, id uint64, v2, v1 string) {
	m.tasks[pid].Cgroup = id
	m.cgroups[pid] = [2]string{v2, v1}
}

// counter reads a counter of the tree.
func (m *machine) counter(name string) int {
	m.t.Helper()
	families, err := m.metrics.Gather()
	if err != nil {
		m.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "tiercel_processes"+name {
			metric := family.GetMetric()[0]
			return int(metric.GetCounter().GetValue() + metric.GetGauge().GetValue())
		}
	}
	m.t.Fatalf("there is no metric %s", name)
	return 0
}

// names are those of a process and its ancestors.
func names(p *proctree.Process) string {
	all := p.Comm
	for a := range p.Ancestors() {
		all += "<" + a.Comm
	}
	return all
}

func TestMetrics(t *testing.T) {
	m := newMachine(t, proctree.Options{})
	problems, err := testutil.GatherAndLint(m.metrics)
	if err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
	if _, err := proctree.New(proctree.Options{Metrics: m.metrics}); err == nil {
		t.Error("two trees count in one place")
	}
}
