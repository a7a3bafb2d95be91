// Package proctree keeps the processes of this machine as the probe's events describe them, and answers for each event
// which process did it, with its ancestors and its container.
//
// A [Tree] is pure: it reads no clock and no file. Time is that of the events. It is used by one goroutine.
package proctree

import (
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/probe"
)

// Options are the bounds of a Tree. The zero value of each is the default.
type Options struct {
	// Max is the number of processes that are kept, those that have ended included; 65,536 by default. Beyond it
	// those that ended first go first, then those that did nothing for the longest time. Each takes about 1 KiB, and
	// what its arguments are long.
	Max int
	// MaxArgs is how many bytes of arguments and environments are kept for all processes together; 64 MiB by default.
	// Beyond it a new command line is cut to 256 bytes.
	MaxArgs int
	// Linger is how long a process is kept after its end, for events that come late; 2 s by default. One that others
	// descend from is kept as long as they.
	Linger time.Duration
	// Metrics takes the counters of the tree. Nil: nobody counts.
	Metrics prometheus.Registerer
}

const (
	defaultMax     = 65_536
	defaultMaxArgs = 64 << 20
	defaultLinger  = 2 * time.Second
)

// Tree is the table of processes.
type Tree struct {
	max     int
	maxArgs int
	linger  uint64
	metrics metrics

	// The last process that had a pid. A pid is used again only after its process has ended and nothing refers to it
	// as a session or a group, so a pid that stands for one of those finds its leader here.
	byPID map[int32]*Process
	count int // processes in byPID, the older ones included

	// Every process of the table is in one of these: those that live, those that ended a moment ago, and those that ended
	// and are kept for their children.
	living, ended, parents list
	argBytes               int

	cgroups    map[cgroupKey]*cgroup
	byCgroupID map[uint64]*cgroup
	inits      map[uint32]*Process // pid 1 of each pid namespace
	texts      interned
	buf        []byte // for putting command lines together
}

// New makes a tree that knows no process. Register metrics once per registry: an error says that it was not so.
func New(o Options) (*Tree, error) {
	t := &Tree{
		max:        o.Max,
		maxArgs:    o.MaxArgs,
		byPID:      make(map[int32]*Process),
		cgroups:    make(map[cgroupKey]*cgroup),
		byCgroupID: make(map[uint64]*cgroup),
		inits:      make(map[uint32]*Process),
		texts:      make(interned),
	}
	if t.max <= 0 {
		t.max = defaultMax
	}
	if t.maxArgs <= 0 {
		t.maxArgs = defaultMaxArgs
	}
	linger := o.Linger
	if linger <= 0 {
		linger = defaultLinger
	}
	t.linger = uint64(linger)
	t.metrics = newMetrics()
	if o.Metrics != nil {
		if err := t.metrics.register(o.Metrics); err != nil {
			return nil, fmt.Errorf("registering the metrics of the process table: %w", err)
		}
	}
	return t, nil
}

// Apply takes in what an event says and gives the process that did it: for a fork the one that forked. It gives nil for
// an event that no process did. The event may be reused after the call.
//
// Events may come somewhat out of order: a process whose exec comes before its fork, or whose exit comes before its last
// system call, is one process.
func (t *Tree) Apply(e *probe.Event) *Process {
	t.makeRoom()
	if e.Kind == probe.KindReady {
		t.ready()
	}
	if e.Task.PID <= 0 {
		return nil // ready, lost, or what the kernel's idle task did
	}
	p := t.acting(e)
	switch e.Kind {
	case probe.KindExec:
		if e.Proc != nil {
			t.exec(p, e, false)
		}
	case probe.KindSnapshot:
		if e.Proc != nil {
			t.exec(p, e, true)
		}
	case probe.KindFork:
		if e.Fork != nil {
			t.fork(p, e)
		}
	case probe.KindExit:
		if e.Exit != nil {
			t.exit(p, Exit{Boot: e.Boot, Code: e.Exit.Code, Signal: e.Exit.Signal})
		}
	case probe.KindSyscall:
		if e.Syscall != nil {
			t.syscall(p, e.Syscall)
		}
	default:
	}
	t.expire(e.Boot)
	t.metrics.set(t)
	return p
}

// Find gives a process of the table, nil when it is not there.
func (t *Tree) Find(key probe.Key) *Process {
	p := t.byPID[key.PID]
	for p != nil && p.Start != key.Start {
		p = p.older
	}
	return p
}

// FindPID gives the last process that had a pid, as the host sees it; nil when none is known.
func (t *Tree) FindPID(pid int32) *Process { return t.byPID[pid] }

// Len is the number of processes in the table, those that have ended included.
func (t *Tree) Len() int { return t.count }

// SessionLeader gives the process that leads p's session. Where that one is not known it gives the highest known ancestor
// in the same session, as Falco does; nil when p's session is not known.
func (t *Tree) SessionLeader(p *Process) *Process {
	return t.leader(p, p.SID, func(p *Process) int32 { return p.SID })
}

// GroupLeader gives the process that leads p's process group, or the highest known ancestor in it.
func (t *Tree) GroupLeader(p *Process) *Process {
	return t.leader(p, p.PGID, func(p *Process) int32 { return p.PGID })
}

func (t *Tree) leader(p *Process, id int32, of func(*Process) int32) *Process {
	if id <= 0 {
		return nil
	}
	if leader := t.byPID[id]; leader != nil && (of(leader) == id || leader.Start <= p.Start) {
		return leader
	}
	leader := p
	for a := range p.Ancestors() {
		if of(a) != id {
			break
		}
		leader = a
	}
	return leader
}

// Init gives the first process of p's pid namespace: that of its container, or of the machine. Nil when it is not known.
func (t *Tree) Init(p *Process) *Process { return t.inits[p.PIDNS] }

// Sweep asks for every living process whether it is still there, and ends those that are not. It is for the time after
// events were lost, when ends may be among them. It gives the number of processes that it ended. boot is the time now, in
// nanoseconds since boot.
func (t *Tree) Sweep(boot uint64, alive func(pid int32) bool) int {
	swept := 0
	for p := t.living.first; p != nil; {
		next := p.next
		if p.Start < boot && !alive(p.PID) {
			t.exit(p, Exit{Boot: boot, Missed: true})
			t.metrics.missedExits.Inc()
			swept++
		}
		p = next
	}
	t.metrics.set(t)
	return swept
}

// acting finds or makes the process of an event's task and takes over what the task says.
func (t *Tree) acting(e *probe.Event) *Process {
	p := t.Find(e.Task.Key)
	if p == nil {
		p = t.stranger(&e.Task, e)
	}
	p.touched = true
	t.update(p, &e.Task, e)
	return p
}

// update takes over what comes with every event.
func (t *Tree) update(p *Process, task *probe.Task, e *probe.Event) {
	if p.parent == nil || p.parent.Key != task.Parent {
		t.adopt(p, task.Parent, "", e)
	}
	if task.TID == task.PID {
		// Another thread may have another name, and ids of its own. An exec brings its name with its arguments.
		if p.Comm != task.Comm && e.Kind != probe.KindExec && e.Kind != probe.KindSnapshot {
			t.rename(p, task.Comm)
		}
		p.UID, p.EUID, p.GID, p.EGID = task.UID, task.EUID, task.GID, task.EGID
	}
	p.TTY = task.TTY
	if p.TTY == 0 {
		p.TTYName = ""
	}
	p.CapEffective = Caps(task.CapEffective)
	p.VPID = task.VPID
	if task.MntNS != 0 {
		p.MntNS = task.MntNS
	}
	t.setPIDNS(p, task.PIDNS)
	if task.Cgroup != p.cgroupID {
		t.move(p, task.Cgroup)
	}
}

// setPIDNS puts a process into its pid namespace, whose first process has the number 1 there.
func (t *Tree) setPIDNS(p *Process, ns uint32) {
	if ns == 0 || p.PIDNS == ns && p.VPID != 1 {
		return
	}
	if p.PIDNS != ns && t.inits[p.PIDNS] == p {
		delete(t.inits, p.PIDNS)
	}
	p.PIDNS = ns
	if p.VPID == 1 && !p.Exited && !p.evicted {
		t.inits[ns] = p
	}
}

// ready counts what the snapshot did not have.
func (t *Tree) ready() {
	for p := t.living.first; p != nil; p = p.next {
		if !p.Known {
			t.metrics.holes.Inc()
		}
	}
}

// stranger makes a process that was not announced: its exec or exit came before its fork, or its fork was lost. Then it
// has its parent's program, if it has its parent's name; otherwise its program is not known until its next exec.
func (t *Tree) stranger(task *probe.Task, e *probe.Event) *Process {
	p := t.add(task.Key, e)
	t.adopt(p, task.Parent, "", e)
	p.LoginUID, p.AuditSession = probe.NoID, probe.NoID
	if e.Kind == probe.KindExec || e.Kind == probe.KindSnapshot {
		if p.parent != nil {
			p.claims = p.parent.claims
		}
		return p
	}
	t.metrics.holes.Inc()
	if p.parent != nil && p.parent.Known {
		known := p.parent.Comm == task.Comm
		t.inherit(p, p.parent, task)
		if !known {
			t.forgetProgram(p)
		}
	}
	return p
}

// add makes a process without anything but its key.
func (t *Tree) add(key probe.Key, e *probe.Event) *Process {
	p := &Process{Key: key}
	p.StartWall = e.Wall - int64(e.Boot) + int64(key.Start) //nolint:gosec // wrong clocks give wrong times, no more
	if last := t.byPID[key.PID]; last != nil {
		if last.Start > key.Start {
			// A late event of a process whose pid has been given away already.
			at := last
			for at.older != nil && at.older.Start > key.Start {
				at = at.older
			}
			p.older, at.older = at.older, p
		} else {
			p.older = last
			t.byPID[key.PID] = p
			if !last.Exited {
				t.exit(last, Exit{Boot: key.Start, Missed: true})
				t.metrics.missedExits.Inc()
			}
		}
	} else {
		t.byPID[key.PID] = p
	}
	t.count++
	t.living.push(p)
	if t.byPID[key.PID] != p {
		t.exit(p, Exit{Boot: t.byPID[key.PID].Start, Missed: true})
	}
	return p
}

// adopt makes a process the child of another. A parent that is not known yet is taken in with what there is: its key, and
// its name where that came with the event.
func (t *Tree) adopt(p *Process, key probe.Key, comm string, e *probe.Event) {
	if p.evicted {
		return
	}
	var parent *Process
	// A parent is older than its child, whoever adopted it: so nothing can go round in a circle, whatever an event says.
	if key.PID > 0 && older(key, p.Key) {
		if parent = t.Find(key); parent == nil {
			if comm == "" {
				comm = nameOf(key, e)
			}
			parent = t.add(key, e)
			parent.LoginUID, parent.AuditSession = probe.NoID, probe.NoID
			parent.Comm = t.texts.get(comm)
			if e.Kind != probe.KindSnapshot {
				t.metrics.holes.Inc()
			}
		}
	}
	if p.parent == parent {
		return
	}
	old := p.parent
	p.parent = parent
	if parent != nil {
		parent.children++
	}
	t.release(old)
}

// nameOf is the name of an ancestor, where an event has it.
func nameOf(key probe.Key, e *probe.Event) string {
	if e.Proc != nil && len(e.Proc.Ancestors) > 0 && e.Proc.Ancestors[0].Key == key {
		return e.Proc.Ancestors[0].Comm
	}
	return ""
}

// older reports whether a process can be the parent of another.
func older(a, b probe.Key) bool {
	if a.Start != b.Start {
		return a.Start < b.Start
	}
	return a.PID < b.PID
}

// fork makes the child.
func (t *Tree) fork(p *Process, e *probe.Event) {
	task := &e.Fork.Child
	if e.Fork.Thread || task.PID <= 0 || task.Key == p.Key {
		return
	}
	child := t.Find(task.Key)
	if child != nil {
		// Its exec or its exit came first, or the snapshot has it: what is known already is newer.
		if !child.Known && !child.Exited {
			t.inherit(child, p, task)
		}
		if child.parent == nil {
			t.adopt(child, task.Parent, "", e)
		}
		return
	}
	child = t.add(task.Key, e)
	child.touched = true
	t.inherit(child, p, task)
	t.adopt(child, task.Parent, "", e)
	t.update(child, task, e)
}

// inherit gives a child what its parent has.
func (t *Tree) inherit(child, p *Process, task *probe.Task) {
	c, ns := child.cgroup, child.PIDNS
	child.state = p.state
	child.cgroup = c
	if ns != 0 {
		child.PIDNS = ns // an event has told already
	}
	t.enter(child, p.cgroupID, p.cgroup)
	child.VPID = task.VPID
	if task.PIDNS != 0 && task.PIDNS != p.PIDNS {
		child.VSID, child.VPGID = 0, 0 // of a namespace that the child is not in
	}
	child.argsOwner = false
}

// exec takes over a program, from its exec or from the snapshot.
func (t *Tree) exec(p *Process, e *probe.Event, snapshot bool) {
	proc := e.Proc
	if snapshot && p.ExecBoot > 0 {
		return // an exec was seen, so the snapshot is older
	}
	in := t.texts
	p.Known = true
	p.ExecBoot = e.Boot
	if snapshot {
		p.ExecBoot = 0
	}
	p.Comm = in.get(e.Task.Comm)
	p.Filename = in.get(proc.Filename)
	p.ExePath = in.get(proc.Exe)
	p.CWD = t.folder(proc.CWD)
	t.arguments(p, proc)
	p.ExeFlags, p.ExeMode, p.ExeUID = proc.ExeFlags, proc.ExeMode, proc.ExeUID
	p.ExeDev, p.ExeIno, p.ExeCtime, p.ExeMtime = proc.ExeDev, proc.ExeIno, proc.ExeCtime, proc.ExeMtime
	p.UID, p.EUID, p.GID, p.EGID = proc.UID, proc.EUID, proc.GID, proc.EGID
	p.LoginUID, p.AuditSession = proc.LoginUID, proc.AuditSession
	p.CapEffective, p.CapPermitted, p.CapInheritable = Caps(proc.CapEffective), Caps(proc.CapPermitted), Caps(proc.CapInheritable)
	p.MntNS, p.UserNS, p.NetNS = proc.MntNS, proc.UserNS, proc.NetNS
	t.setPIDNS(p, proc.PIDNS)
	p.SID, p.PGID, p.VSID, p.VPGID = proc.SID, proc.PGID, proc.VSID, proc.VPGID
	p.TTY, p.TTYName = proc.TTY, in.get(proc.TTYName)
	t.ancestry(p, e)
	t.place(p, e.Task.Cgroup, proc.CgroupV2, proc.CgroupV1)
	t.claimed(p, proc)
}

// ancestry links the ancestors as the kernel names them. It knows of adoptions that no event has told.
func (t *Tree) ancestry(p *Process, e *probe.Event) {
	child := p
	for i := range e.Proc.Ancestors {
		a := &e.Proc.Ancestors[i]
		if a.PID <= 0 {
			return
		}
		if child.parent == nil || child.parent.Key != a.Key {
			t.adopt(child, a.Key, a.Comm, e)
		}
		if child = child.parent; child == nil {
			return
		}
		if !child.Known && a.Comm != "" && child.Comm != a.Comm {
			child.Comm = t.texts.get(a.Comm)
		}
	}
}

// arguments copies a command line: one text holds argv[0], the name and the arguments.
func (t *Tree) arguments(p *Process, proc *probe.Process) {
	t.dropArguments(p)
	args := proc.Args
	end := 0
	for end < len(args) && args[end] != 0 {
		end++
	}
	exe, rest := args[:end], args[min(end+1, len(args)):]
	p.ArgsCut = proc.ArgsCut()
	if n := len(rest); n > 0 && rest[n-1] == 0 {
		rest = rest[:n-1]
	}
	buf := t.buf[:0]
	buf = append(buf, exe...)
	buf = append(buf, p.Comm...)
	p.ArgsCount, p.ArgsLen = 0, 0
	if len(args) > end+1 {
		buf = append(buf, ' ')
		from := len(buf)
		buf = append(buf, rest...)
		p.ArgsCount, p.ArgsLen = 1, len(rest)
		for i := from; i < len(buf); i++ {
			if buf[i] == 0 {
				buf[i] = ' '
				p.ArgsCount++
				p.ArgsLen--
			}
		}
	}
	t.buf = buf
	if cap(t.buf) > maxBuf {
		t.buf = nil
	}
	all := string(buf)
	p.Exe, p.Cmdline = all[:len(exe)], all[len(exe):]
	p.Args = ""
	if p.ArgsCount > 0 {
		p.Args = p.Cmdline[len(p.Comm)+1:]
	}
	p.Env = strings.Clone(unsafeText(proc.Env))
	p.argsOwner = true
	t.argBytes += p.argSize()
	if t.argBytes > t.maxArgs {
		t.cut(p)
	}
}

// maxBuf is the largest buffer that is kept between two events.
const maxBuf = 64 << 10

// rename follows a change of the process's name: prctl(PR_SET_NAME), or what writes to /proc/self/comm.
func (t *Tree) rename(p *Process, comm string) {
	p.Comm = t.texts.get(comm)
	if !p.Known {
		return
	}
	t.dropArguments(p)
	cmdline := p.Comm
	if p.ArgsCount > 0 {
		cmdline += " " + p.Args
		p.Args = cmdline[len(p.Comm)+1:]
	}
	p.Cmdline = cmdline
	p.Exe, p.Env = strings.Clone(p.Exe), strings.Clone(p.Env)
	p.argsOwner = true
	t.argBytes += p.argSize()
}

// forgetProgram leaves a process with what events carry.
func (t *Tree) forgetProgram(p *Process) {
	p.Program = Program{}
	p.Known = false
	p.Comm = ""
}

// folder gives a working directory the slash at its end that Falco's field has.
func (t *Tree) folder(path string) string {
	if path == "" || strings.HasSuffix(path, "/") {
		return t.texts.get(path)
	}
	t.buf = append(append(t.buf[:0], path...), '/')
	return t.texts.get(unsafeText(t.buf))
}

// exit ends a process. It stays for the events that come late, and for its children.
func (t *Tree) exit(p *Process, how Exit) {
	if p.Exited {
		if p.Exit.Missed && !how.Missed {
			p.Exit = how // its end came late
		}
		return
	}
	p.Exited, p.Exit = true, how
	if p.list != nil {
		p.list.remove(p)
	}
	if !p.evicted {
		t.ended.push(p)
	}
}
