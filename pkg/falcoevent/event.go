// Package falcoevent shows what the probe saw as Falco would show it: an [Event] gives rules the value of each field
// that they name, with Falco's names, texts and exceptions.
//
// A field is made when a rule asks for it, and most are a part of what is there already. What must be put together is
// put into memory that the next event uses again, so an event that matches no rule costs no allocation.
package falcoevent

import (
	"unsafe"

	"github.com/tiercel/tiercel/pkg/proctree"
	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/probe"
)

// Event is one event of the probe. It is made once, filled for each event with [Event.Set] or [Event.SetProcess], and
// used by one goroutine. The values that it gives are valid until it is filled again.
type Event struct {
	node  *Node
	peers peers

	typ   event.Type
	num   uint64
	wall  int64
	last  int64 // wall of the event before
	probe *probe.Event
	exec  *probe.Process // of an exec
	sys   *probe.Syscall // of a call
	proc  *proctree.Process

	fd       descriptor
	resolved bool

	buf     []byte // what was put together for this event
	have    have
	name    string // fd.name
	cmdline string
	allArgs string // evt.args
}

// have marks what was put together already.
type have uint8

const (
	haveName have = 1 << iota
	haveCmdline
	haveArgs
)

// New makes an event of a machine.
func New(node *Node) *Event { return &Event{node: node, buf: make([]byte, 0, 4096)} }

// Set fills the event from one of the probe and the process that it is about, which may be nil. It reports whether
// rules can be asked about it: the beginning of a process and what happens at a terminal are for others.
func (e *Event) Set(from *probe.Event, process *proctree.Process) bool {
	e.reset(process)
	e.probe, e.num, e.last, e.wall = from, from.Seq, e.wall, from.Wall
	switch from.Kind {
	case probe.KindExec:
		e.exec, e.typ = from.Proc, types.execve
	case probe.KindExit:
		e.typ = types.procexit
	case probe.KindSyscall:
		if int(from.Syscall.ID) >= len(types.syscalls) {
			return false
		}
		e.sys, e.typ = from.Syscall, types.syscalls[from.Syscall.ID]
		e.setDescriptor(from.Syscall)
	default:
		return false
	}
	return e.typ != 0
}

// SetProcess fills the event for something that the process did and that is no event of the probe itself, at a time in
// nanoseconds since 1970. It has the fields of the process, its user, its container and the time.
func (e *Event) SetProcess(process *proctree.Process, num uint64, wall int64) {
	e.reset(process)
	e.num, e.last, e.wall = num, e.wall, wall
}

func (e *Event) reset(process *proctree.Process) {
	e.typ, e.probe, e.exec, e.sys, e.proc = 0, nil, nil, nil, process
	e.fd, e.resolved = descriptor{number: -1}, false
	e.buf, e.have = e.buf[:0], 0
}

// Type is the event's type.
func (e *Event) Type() event.Type { return e.typ }

// Wall is when it happened, in nanoseconds since 1970.
func (e *Event) Wall() int64 { return e.wall }

// Process is the process that did it, nil if it is not known.
func (e *Event) Process() *proctree.Process { return e.proc }

// Field gives a field's value.
func (e *Event) Field(id field.ID, arg field.Arg) field.Value {
	switch {
	case id < field.ProcExe:
		return e.evtField(id, arg)
	case id < field.UserUID:
		return e.procField(id, arg)
	case id < field.ContainerID:
		return e.userField(id)
	case id < field.FdNum:
		return e.ownContainer(id, arg)
	case id < field.FsPathName:
		if e.sys == nil {
			return field.Value{}
		}
		return e.fdField(id, arg)
	case id < field.SyslogFacilityStr:
		return e.pathField(id)
	}
	return field.Value{}
}

// text is what was put together since start, without a copy.
func (e *Event) text(start int) string {
	if start >= len(e.buf) {
		return ""
	}
	return unsafe.String(&e.buf[start], len(e.buf)-start) //nolint:gosec // the bytes stay until the event is filled again
}

// types are the event types of what the probe sends, by its own numbers.
var types = makeTypes()

type typeTable struct {
	execve, procexit event.Type
	syscalls         []event.Type
}

func makeTypes() typeTable {
	var t typeTable
	t.execve, _ = event.Lookup("execve")
	t.procexit, _ = event.Lookup("procexit")
	t.syscalls = make([]event.Type, 1, len(probe.Syscalls())+1)
	for _, name := range probe.Syscalls() {
		typ, _ := event.Lookup(name)
		t.syscalls = append(t.syscalls, typ)
	}
	return t
}

// Syscalls are the calls that must be traced so that there are events of the given types.
func Syscalls(wanted event.Set) []string {
	var names []string
	for t := range wanted.All() {
		if _, ok := probe.ParseSyscall(t.String()); ok {
			names = append(names, t.String())
		}
	}
	return names
}
