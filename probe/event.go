package probe

import (
	"iter"
	"net/netip"
	"time"
	"unsafe"
)

// Kind is what an Event is about, and so which of its payloads is there.
type Kind uint8

// The kinds of events. They are also labels of metrics (String) and part of the record format: new ones go to the end.
const (
	// KindNone is no event.
	KindNone Kind = iota
	// KindExec is a process that now runs another program. Event.Proc describes it.
	KindExec
	// KindFork is a new process. Event.Fork names parent and child.
	KindFork
	// KindExit is the end of a process: of its last thread. Event.Exit has its status.
	KindExit
	// KindSyscall is the return of a selected system call. Event.Syscall has it, decoded.
	KindSyscall
	// KindTTY is something that happened at a terminal. Event.TTY has it.
	KindTTY
	// KindSnapshot is a process that was there before the probe. Event.Proc describes it. These events come after
	// tracing has started and before the first other event.
	KindSnapshot
	// KindReady comes once, after the last KindSnapshot.
	KindReady
	// KindLost says that events are missing. Event.Lost says which, how many, and between which times.
	KindLost
	kindCount
)

// String is the kind's name: exec, fork, exit, syscall, tty, snapshot, ready, lost.
func (k Kind) String() string {
	names := [kindCount]string{"none", "exec", "fork", "exit", "syscall", "tty", "snapshot", "ready", "lost"}
	if k >= kindCount {
		return "unknown"
	}
	return names[k]
}

// Event is one thing that happened. It and everything that it points to, each string included, is valid only during
// the call that it is handed to: strings.Clone what must stay.
type Event struct {
	Kind Kind
	// CPU that it happened on.
	CPU uint32
	// Seq counts the events of a Run from 1.
	Seq uint64
	// Boot is when it happened, in nanoseconds since the machine was started, with the time that it was suspended
	// (CLOCK_BOOTTIME). Events come in this order but for those of two CPUs within some microseconds.
	Boot uint64
	// Wall is the same moment in nanoseconds since 1970.
	Wall int64
	// Task is the thread that did it. For KindLost and KindReady it is zero.
	Task Task

	// One of these is set, by Kind.
	Proc    *Process // KindExec, KindSnapshot
	Fork    *Fork
	Exit    *Exit
	Syscall *Syscall
	TTY     *TTY
	Lost    *Lost
}

// Time is when it happened.
func (e *Event) Time() time.Time { return time.Unix(0, e.Wall) }

// Key tells processes apart, also those that were given the same pid one after the other.
type Key struct {
	// PID as the host sees it (the kernel's tgid).
	PID int32
	// Start is when the process was forked, in nanoseconds since boot. An exec does not change it.
	Start uint64
}

// Task is a thread and what can be said about it at no cost, at the moment of the event: before a KindExec's program
// has run its first instruction, after a system call has returned.
type Task struct {
	Key
	// TID is the thread; the first thread of a process has its PID.
	TID int32
	// VPID and VTID are PID and TID as the innermost pid namespace of the task sees them.
	VPID, VTID int32
	// Parent is the process that gets this one's status: who forked it, or who adopted it.
	Parent Key
	// Comm is the thread's name, at most 15 bytes.
	Comm string
	// Effective and real ids, as the host's user namespace sees them.
	UID, GID, EUID, EGID uint32
	// CapEffective are the capabilities that are in force, one bit each.
	CapEffective uint64
	// Cgroup is the id (the inode) of the cgroup in the unified hierarchy; on a machine that has only version 1, of
	// the one in the memory hierarchy.
	Cgroup uint64
	// TTY is the controlling terminal's device number as stat(2) gives it (pts/0 is 34816), 0 without one.
	TTY uint32
	// PIDNS and MntNS are the inodes of the namespaces.
	PIDNS, MntNS uint32
}

// Process is a program in execution, whole.
type Process struct {
	// Filename is what execve was given, for KindSnapshot empty.
	Filename string
	// Exe is the path of the program's file within its mount namespace: "memfd:name" for a file in memory. The kernel
	// follows links and the #! line, so this is the interpreter of a script.
	Exe string
	// CWD is the working directory.
	CWD string
	// Args are the arguments, each ended by a NUL, the name of the program first.
	Args []byte
	// ArgsTotal is how many bytes of arguments the process has; more than len(Args) when they were cut.
	ArgsTotal uint32
	// Env is the environment as Args are, when Options.MaxEnv asks for it.
	Env []byte
	// EnvTotal is how many bytes of environment the process has.
	EnvTotal uint32

	// Ids, as the host's user namespace sees them.
	UID, EUID, SUID, FSUID uint32
	GID, EGID, SGID, FSGID uint32
	// LoginUID is the id that the person logged in with; NoID when nobody did.
	LoginUID uint32
	// AuditSession is the number of that login; NoID without one.
	AuditSession uint32
	// Capabilities, one bit each.
	CapEffective, CapPermitted, CapInheritable, CapBounding, CapAmbient uint64

	// Inodes of the namespaces.
	PIDNS, MntNS, UserNS, NetNS, UTSNS, IPCNS, CgroupNS uint32

	// Session and process group, as the host and as the process's own pid namespace see them.
	SID, PGID, VSID, VPGID int32
	// TTY is the controlling terminal (see Task.TTY), TTYName its name without /dev/: pts/0, tty1.
	TTY     uint32
	TTYName string

	// CgroupV2 and CgroupV1 (of the memory hierarchy) are paths from the root of the hierarchy, empty where there is no
	// such hierarchy.
	CgroupV2, CgroupV1 string

	// ExeFlags say what file the program came from.
	ExeFlags ExeFlags
	// The program's file.
	ExeDev   uint64 // as stat(2) gives it
	ExeIno   uint64
	ExeMode  uint32
	ExeUID   uint32
	ExeGID   uint32
	ExeCtime int64 // change of the inode, nanoseconds since 1970
	ExeMtime int64 // change of the content, nanoseconds since 1970

	// Ancestors are the parent, its parent and so on, at most MaxAncestors.
	Ancestors []Ancestor
}

// MaxAncestors is how many ancestors a Process names.
const MaxAncestors = 8

// NoID is a login uid or an audit session that was never set.
const NoID = ^uint32(0)

// ArgsCut reports whether Args are less than the process was started with.
func (p *Process) ArgsCut() bool { return uint64(p.ArgsTotal) > uint64(len(p.Args)) }

// Argv yields the arguments, the name of the program first. The last one may be cut (ArgsCut).
func (p *Process) Argv() iter.Seq[string] { return split(p.Args) }

// Environ yields the environment, NAME=value.
func (p *Process) Environ() iter.Seq[string] { return split(p.Env) }

// split yields the texts of a list in which each is ended by a NUL. The last one may lack it.
func split(list []byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		for len(list) > 0 {
			end := 0
			for end < len(list) && list[end] != 0 {
				end++
			}
			if !yield(text(list[:end])) {
				return
			}
			list = list[min(end+1, len(list)):]
		}
	}
}

// text is b as a string, without a copy: it lives as long as b is not written to.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Ancestor is a process above another.
type Ancestor struct {
	Key
	Comm string
}

// ExeFlags say what file a program came from.
type ExeFlags uint32

// The flags of a program's file.
const (
	// ExeWritable: the process may write to it.
	ExeWritable ExeFlags = 1 << iota
	// ExeUpperLayer: it is in the upper layer of an overlay file system: not from the image of the container.
	ExeUpperLayer
	// ExeFromMemfd: it is in memory only.
	ExeFromMemfd
	// ExeLowerLayer: it is in the lower layer of an overlay file system.
	ExeLowerLayer
	// ExeDeleted: its name is gone.
	ExeDeleted
)

// Fork is a new process, or with Options.Threads a new thread. Event.Task is who made it.
type Fork struct {
	// Child is the new task. Its program, arguments, ids and the rest are those of Event.Task until it changes them.
	Child Task
	// Thread is set when Child is a thread of an existing process.
	Thread bool
}

// Exit is the end of a process.
type Exit struct {
	// Code is the exit status, 0 to 255.
	Code int32
	// Signal ended it, or 0.
	Signal int32
	// Core was dumped.
	Core bool
	// Duration of the process, from its fork.
	Duration time.Duration
}

// Cause is why events were lost.
type Cause uint8

// The causes of loss. They are labels of metrics (String).
const (
	// CauseFull: the reader was too slow, the ring had no room.
	CauseFull Cause = iota
	// CauseBusy: the program was interrupted by itself on this CPU.
	CauseBusy
	// CauseBad: the bytes were not understood. That is a mistake of ours.
	CauseBad
	causeCount
)

// String is the cause's name: ring_full, busy, undecodable.
func (c Cause) String() string {
	names := [causeCount]string{"ring_full", "busy", "undecodable"}
	if c >= causeCount {
		return "unknown"
	}
	return names[c]
}

// Lost says that events are missing.
type Lost struct {
	// Kind of the events that are missing; KindNone when that is not known.
	Kind Kind
	// Cause of it.
	Cause Cause
	// Count of them.
	Count uint64
	// First and Last are when the first and the last of them happened, in nanoseconds since boot.
	First, Last uint64
}

// FDType is what a file descriptor stands for.
type FDType uint8

// The types of descriptors.
const (
	FDUnknown FDType = iota
	FDFile
	FDDirectory
	FDCharDevice
	FDBlockDevice
	FDPipe // also a named one
	FDSymlink
	FDSocket // its family is in FD.Socket
	FDEvent
	FDSignal
	FDEpoll
	FDInotify
	FDTimer
	FDUserfault
	FDBPF
	FDIOURing
	FDPidfd
	FDMemfd
	FDNamespace
	FDAnon // another file without a name
	fdTypeCount
)

// String is the type's name, with a hyphen between its words.
func (t FDType) String() string {
	names := [fdTypeCount]string{
		"unknown", "file", "directory", "char", "block", "pipe", "symlink", "socket", "event", "signal", "epoll", "inotify",
		"timer", "userfault", "bpf", "io_uring", "pidfd", "memfd", "namespace", "anon",
	}
	if t >= fdTypeCount {
		return "unknown"
	}
	return names[t]
}

// FD is an open file, as it was when the call returned.
type FD struct {
	// Num is the descriptor, -1 for none.
	Num  int32
	Type FDType
	// Path is the file's path as the kernel knows it: no link, no "..", no "//" in it. Empty for sockets. For what has
	// no path it is the kernel's name of it: pipe, memfd:name, eventfd.
	Path string
	// Device and inode as stat(2) gives them, and the mode with the type of file.
	Dev  uint64
	Ino  uint64
	Mode uint32
	// UpperLayer and LowerLayer say where in an overlay file system the file is.
	UpperLayer, LowerLayer bool
	// Created is set when this call made the file.
	Created bool
	// Deleted is set when its name is gone.
	Deleted bool
	// Socket has more when Type is FDSocket.
	Socket Socket
}

// Role is the side of a connection that the process is on.
type Role uint8

// The roles.
const (
	RoleUnknown Role = iota
	RoleClient
	RoleServer
)

// Socket is an end of a conversation.
type Socket struct {
	// Family, type and protocol as socket(2) has them; Type without its flags.
	Family   uint16
	Type     uint16
	Protocol uint16
	// State of a TCP connection as the kernel has it: 1 established, 2 SYN sent, 7 closed, 10 listening.
	State uint8
	// Role of the process: known for TCP connections that were made while the probe ran, and for UDP by who spoke first
	// on a port that the process has bound.
	Role Role
	// Bound is set when the process has chosen the local port.
	Bound bool
	// Connected is set when the socket itself has a peer.
	Connected bool
	// Local and Remote are the socket's own addresses, for IPv4 and IPv6; an IPv4 address in an IPv6 socket is given as
	// IPv4.
	Local, Remote netip.AddrPort
	// LocalPath and RemotePath are those of unix sockets: one that begins with @ is abstract.
	LocalPath, RemotePath string
}

// Address is a socket address that a call was given or gave back.
type Address struct {
	// Family as socket(2) has it, 0 when there was no address.
	Family uint16
	// IP is set for IPv4 and IPv6.
	IP netip.AddrPort
	// Path of a unix socket: one that begins with @ is abstract.
	Path string
	// NetlinkPID is set for AF_NETLINK.
	NetlinkPID uint32
}

// Path is a path that a call was given.
type Path struct {
	// Dir is the descriptor that Raw is relative to; AtFDCWD for the working directory.
	Dir int32
	// Raw is what the call was given. It was read after the call, so another thread can have changed it. It is empty when
	// it could not be read.
	Raw string
	// Cut is set when Raw is longer than what was kept.
	Cut bool
	// Base is the path of the directory that a relative Raw starts from; empty when Raw is absolute, and when FD has the
	// path of the file itself.
	Base string
}

// AtFDCWD is the Path.Dir of a path that is relative to the working directory.
const AtFDCWD = -100

// Syscall is a system call that returned. What a call has not is zero; the Num of an FD that it has not is -1.
//
//	call                             FD              FD2       Path, Path2      Flags       others
//	open openat openat2 creat        the file                  name             flags       Mode, Resolve
//	open_by_handle_at                the file        mount                      flags
//	mkdir mkdirat mknod mknodat                                path                         Mode
//	rmdir unlink unlinkat                                      path             flags
//	rename renameat renameat2                                  old, new         flags
//	link linkat                                                old, new         flags
//	symlink symlinkat                                          link                         Text: target
//	chmod fchmodat                                             filename                     Mode
//	fchmod                           the file                                               Mode
//	chown lchown fchownat                                      path             flags       UID, GID
//	fchown                           the file                                               UID, GID
//	chdir                            the new one               path
//	fchdir                           the directory
//	chroot pivot_root umount umount2                           path(s)          flags
//	mount                                                      dir              flags       Text: device, Text2: type
//	socket                           the socket                                 of the type Domain, Type, Protocol
//	socketpair                       the first       the other                  of the type Domain, Type, Protocol
//	connect bind                     the socket                                             Addr
//	listen                           the socket                                 backlog
//	shutdown                         the socket                                 how
//	accept accept4                   the new socket  listener                   flags
//	sendto sendmsg sendmmsg          the socket                                 flags       Addr, Data, Size
//	recvfrom recvmsg recvmmsg        the socket                                 flags       Addr, Data, Size
//	dup dup2 dup3                    the new one     old one                    flags
//	fcntl (only F_DUPFD…)            the new one     old one                                Command
//	pidfd_open                       the new one                                flags       PID
//	pidfd_getfd                      the new one     pidfd                      flags
//	memfd_create                     the new one                                flags       Text: name
//	userfaultfd io_uring_setup       the new one                                flags       Size: entries
//	bpf                              the new one                                            Command
//	ptrace                                                                                  Command, PID
//	setns                            the namespace                              nstype
//	unshare clone fork vfork                                                    flags
//	init_module                                                                             Text: parameters, Size
//	finit_module                     the module                                 flags       Text: parameters
//	delete_module                                                               flags       Text: name
//	setuid setreuid setresuid                                                               UID: the effective one
//	setgid setregid setresgid                                                               GID: the effective one
//	prctl keyctl seccomp                                                                    Command
//	kill tkill tgkill                                                                       PID, Command: signal
//	setpgid process_vm_readv …writev                                                        PID
//	execve execveat, when it failed                            filename         flags       Text: the arguments, each with its NUL
//
// All have ID, Ret and Args.
type Syscall struct {
	ID  SyscallID
	Ret int64
	// Args are the registers. For openat2 the third and those behind it are the flags, mode and resolve of its struct,
	// for socketcall all are those of the call behind it.
	Args [6]uint64
	// Compat is set for a 32 bit call on a 64 bit kernel. ID is the same; Args are the 32 bit ones.
	Compat bool

	FD, FD2     FD
	Path, Path2 Path
	Flags       uint64
	Mode        uint32
	Resolve     uint64
	UID, GID    uint32
	Addr        Address
	// Data is the begin of what was sent or received, at most Options.MaxData.
	Data []byte
	// Size is what was asked for: of the buffer, of the module's image.
	Size                   uint64
	Domain, Type, Protocol uint32
	Command                uint32
	PID                    int32
	Text, Text2            string
}

// Failed reports whether the call returned an error.
func (s *Syscall) Failed() bool { return s.Ret < 0 && s.Ret >= -4095 }

// Errno is the error that the call returned, 0 for none.
func (s *Syscall) Errno() int {
	if !s.Failed() {
		return 0
	}
	return int(-s.Ret)
}
