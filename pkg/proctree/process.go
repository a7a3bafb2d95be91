package proctree

import (
	"iter"
	"time"

	"github.com/tiercel/tiercel/pkg/container"
	"github.com/tiercel/tiercel/probe"
)

// Process is what is known of a process, as of the last event that was applied. Later events change it; nothing in it
// points into an event. It is read on the goroutine that applies events.
type Process struct {
	probe.Key
	state
	links

	// Exited is set once the process has ended; Exit says how.
	Exited bool
	Exit   Exit
}

// Exit is the end of a process.
type Exit struct {
	// Boot is when it ended, in nanoseconds since boot.
	Boot uint64
	// Code is the exit status, Signal what ended it, or 0.
	Code, Signal int32
	// Missed is set when the end itself was not seen: the pid was given to another process, or a sweep found nothing.
	Missed bool
}

// state is what a child has from its parent until it changes it.
type state struct {
	Program

	// Known is set when the program was seen: by its exec, in the snapshot, or through the parent that it came from. A
	// process that is not known has the ids and names that events carried, and no program.
	Known bool

	// VPID is the pid within the innermost pid namespace.
	VPID int32
	// Comm is the name of the first thread, at most 15 bytes.
	Comm string
	// CWD is the working directory with a slash at its end; empty when it is not known.
	CWD string

	// Effective and real ids, as the host's user namespace sees them.
	UID, EUID, GID, EGID uint32
	// LoginUID and AuditSession are probe.NoID when they were never set, or are not known.
	LoginUID, AuditSession uint32
	// What the process may do, as of its exec; CapEffective as of the last event, of whichever thread.
	CapEffective, CapPermitted, CapInheritable Caps

	// Inodes of the namespaces; 0 where they are not known.
	PIDNS, MntNS, UserNS, NetNS uint32

	// Session and process group, as the host and as the innermost pid namespace see them; 0 where they are not known.
	SID, PGID, VSID, VPGID int32
	// TTY is the controlling terminal's device number (pts/0 is 34816), TTYName its name without /dev/.
	TTY     uint32
	TTYName string

	cgroup   *cgroup
	cgroupID uint64 // of the last event; that of cgroup unless the process was moved
	claims   *claims

	argsOwner bool // the texts of Program are this process's own, not its parent's
}

// Program is what a process executes.
type Program struct {
	// ExecBoot is when it was executed, in nanoseconds since boot; 0 for one that ran before the probe.
	ExecBoot uint64
	// Filename is what execve was given, ExePath the path of the file that was found: the interpreter of a script.
	Filename, ExePath string
	// Exe is argv[0].
	Exe string
	// Args are the arguments after argv[0], joined by blanks. Cmdline has the name of the process (comm) and a blank in
	// front of them.
	Args, Cmdline string
	// ArgsCount is the number of arguments after argv[0], ArgsLen their length together, without what joins them.
	ArgsCount, ArgsLen int
	// ArgsCut is set when the process was started with more than is kept.
	ArgsCut bool
	// Env is the environment, each variable ended by a NUL; empty unless the probe reads it.
	Env string

	// The program's file.
	ExeFlags           probe.ExeFlags
	ExeMode, ExeUID    uint32
	ExeDev, ExeIno     uint64
	ExeCtime, ExeMtime int64 // nanoseconds since 1970
}

// links tie a process to others. A child has none of its parent's.
type links struct {
	// StartWall is when the process was forked, in nanoseconds since 1970.
	StartWall int64

	parent   *Process
	children int      // processes in the table whose parent this is
	older    *Process // another one in the table that had the same pid before

	prev, next *Process // in the list of the living or of the ended
	list       *list
	touched    bool // since the hand last went by
	evicted    bool // no longer in the table
}

// Parent gives the parent, nil when it is not known. It may have exited.
func (p *Process) Parent() *Process { return p.parent }

// Ancestor gives the process itself for 0, its parent for 1 and so on; nil when it is not known, and beyond MaxDepth.
func (p *Process) Ancestor(n int) *Process {
	if n < 0 || n > MaxDepth {
		return nil
	}
	for ; n > 0 && p != nil; n-- {
		p = p.parent
	}
	return p
}

// MaxDepth bounds how many ancestors are looked at. A process can be put below as many as its user may start.
const MaxDepth = 1024

// Ancestors yields the parent, its parent and so on, at most MaxDepth.
func (p *Process) Ancestors() iter.Seq[*Process] {
	return func(yield func(*Process) bool) {
		a := p.parent
		for n := 0; a != nil && n < MaxDepth; n++ {
			if !yield(a) {
				return
			}
			a = a.parent
		}
	}
}

// Container names the container that the process runs in. The zero Ref is the host.
func (p *Process) Container() container.Ref {
	if p.cgroup == nil {
		return container.Ref{}
	}
	return p.cgroup.ref
}

// Cgroups gives the paths of the process's cgroup in the unified hierarchy and in version 1's memory hierarchy, each
// empty where there is none or it is not known.
func (p *Process) Cgroups() (v2, v1 string) {
	if p.cgroup == nil {
		return "", ""
	}
	return p.cgroup.v2, p.cgroup.v1
}

// Duration is how long the process has run at a moment given in nanoseconds since boot, 0 when that was before.
func (p *Process) Duration(boot uint64) time.Duration {
	if boot < p.Start {
		return 0
	}
	return time.Duration(min(boot-p.Start, 1<<63-1))
}

// IsSessionLeader reports whether the process leads its session.
func (p *Process) IsSessionLeader() bool { return p.SID != 0 && p.SID == p.PID }

// IsGroupLeader reports whether the process leads its process group.
func (p *Process) IsGroupLeader() bool { return p.PGID != 0 && p.PGID == p.PID }

// IsVGroupLeader is the same by the numbers of the innermost pid namespace.
func (p *Process) IsVGroupLeader() bool { return p.VPGID != 0 && p.VPGID == p.VPID }
