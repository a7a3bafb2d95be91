//go:build linux && (amd64 || arm64)

package probe

import (
	"bytes"
	"errors"
	"fmt"
	"time"
	"unsafe"
)

// Records of the kernel become events here and nowhere else. A record comes from our own programs, or from a file that
// somebody gives to be replayed: nothing in it is believed before it was checked.

var (
	errShort = errors.New("the record is shorter than its kind")
	errText  = errors.New("a text of the record lies outside of it")
	errKind  = errors.New("there is no such kind of record")
)

// decoder holds what an Event points to. It is used again for each.
type decoder struct {
	event   Event
	process Process
	fork    Fork
	exit    Exit
	syscall Syscall
	tty     TTY
	lost    Lost

	ancestors [MaxAncestors]Ancestor
	// paths are those of the event, turned round. Texts of the event lie in it, so it only grows while an event is made.
	paths []byte
	// tick is what start times are rounded down to: 1, or a clock tick where some of them come from /proc.
	tick uint64
	// exits are the last processes that ended, see doubleExit.
	exits    [16]Key
	nextExit int
}

// view is the record as one of the types made from the C. The kernel aligns records to 8 bytes; the reader of files
// does so, too.
func view[T any](record []byte) (*T, error) {
	var zero T
	if uintptr(len(record)) < unsafe.Sizeof(zero) {
		return nil, errShort
	}
	p := unsafe.Pointer(unsafe.SliceData(record))
	if uintptr(p)%8 != 0 {
		return nil, errors.New("the record is not aligned")
	}
	return (*T)(p), nil
}

// decode makes the event of a record. It is valid until the next call, and as long as the record is.
func (d *decoder) decode(record []byte) (*Event, error) {
	head, err := view[bpfHead](record)
	if err != nil {
		return nil, err
	}
	d.paths = d.paths[:0]
	d.event = Event{Kind: Kind(min(head.Kind, 255)), CPU: uint32(head.Cpu), Boot: head.Boot}
	d.task(&d.event.Task, head)
	switch d.event.Kind {
	case KindExec, KindSnapshot:
		err = d.decodeProcess(record)
	case KindFork:
		err = d.decodeFork(record)
	case KindExit:
		err = d.decodeExit(record)
	case KindSyscall:
		err = d.decodeSyscall(record)
	case KindTTY:
		err = d.decodeTTY(record)
	default:
		err = fmt.Errorf("%w: %d", errKind, head.Kind)
	}
	if err != nil {
		return nil, err
	}
	return &d.event, nil
}

// start rounds a start time as the whole run does.
func (d *decoder) start(at uint64) uint64 {
	if d.tick > 1 {
		return at - at%d.tick
	}
	return at
}

func (d *decoder) task(t *Task, h *bpfHead) {
	t.Key = Key{PID: int32(h.Pid), Start: d.start(h.Start)}
	t.TID, t.VPID, t.VTID = int32(h.Tid), int32(h.Vpid), int32(h.Vtid)
	t.Parent = Key{PID: int32(h.Ppid), Start: d.start(h.ParentStart)}
	t.Comm = cstring(h.Comm[:])
	t.UID, t.GID, t.EUID, t.EGID = h.Uid, h.Gid, h.Euid, h.Egid
	t.CapEffective = h.CapEffective
	t.Cgroup = h.Cgroup
	t.TTY = h.Tty
	t.PIDNS, t.MntNS = h.PidNs, h.MntNs
}

// cstring is the text up to the first NUL. What is behind it can be the rest of a longer name.
func cstring(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return text(b)
}

func slice[N uint16 | uint32](record []byte, off, length N) ([]byte, error) {
	begin, end := uint64(off), uint64(off)+uint64(length)
	if end > uint64(len(record)) {
		return nil, errText
	}
	return record[begin:end:end], nil
}

func (d *decoder) textAt(record []byte, t bpfText) (string, error) {
	b, err := slice(record, t.Off, t.Len)
	return text(b), err
}

// path turns the names of a path round: they were written leaf first, each followed by a slash.
func (d *decoder) path(record []byte, p *bpfPathText) (string, error) {
	if p.Off == 0 {
		return "", nil // it was never written: a thread of the kernel has no program
	}
	names, err := slice(record, p.Off, p.Len)
	if err != nil {
		return "", err
	}
	begin := len(d.paths)
	if p.Flags&uint32(bpfPathFlagsPATH_PSEUDO) != 0 {
		names = bytes.TrimSuffix(names, []byte("/"))
		// Not in the tree of mounts. A name of a detached tree can have a way in front of it.
		d.turn(names, false)
		return text(d.paths[begin:]), nil
	}
	if p.Flags&uint32(bpfPathFlagsPATH_CUT) != 0 {
		d.paths = append(d.paths, "..."...) // the begin is missing
	}
	if len(names) == 0 {
		d.paths = append(d.paths, '/')
		return text(d.paths[begin:]), nil
	}
	d.turn(bytes.TrimSuffix(names, []byte("/")), true)
	return text(d.paths[begin:]), nil
}

// turn appends names in the other direction, each after a slash, the first only when rooted.
func (d *decoder) turn(names []byte, rooted bool) {
	for {
		i := bytes.LastIndexByte(names, '/')
		if rooted {
			d.paths = append(d.paths, '/')
		}
		d.paths = append(d.paths, names[i+1:]...)
		if i < 0 {
			return
		}
		rooted = true
		names = names[:i]
	}
}

func (d *decoder) decodeProcess(record []byte) error {
	e, err := view[bpfProcess](record)
	if err != nil {
		return err
	}
	p := &d.process
	*p = Process{
		UID: e.Head.Uid, EUID: e.Head.Euid, SUID: e.Suid, FSUID: e.Fsuid,
		GID: e.Head.Gid, EGID: e.Head.Egid, SGID: e.Sgid, FSGID: e.Fsgid,
		LoginUID: e.Loginuid, AuditSession: e.AuditSession,
		CapEffective: e.Head.CapEffective, CapPermitted: e.CapPermitted, CapInheritable: e.CapInheritable,
		CapBounding: e.CapBounding, CapAmbient: e.CapAmbient,
		PIDNS: e.Head.PidNs, MntNS: e.Head.MntNs, UserNS: e.UserNs, NetNS: e.NetNs, UTSNS: e.UtsNs, IPCNS: e.IpcNs, CgroupNS: e.CgroupNs,
		SID: e.Sid, PGID: e.Pgid, VSID: e.Vsid, VPGID: e.Vpgid,
		TTY:    e.Head.Tty,
		ExeDev: device(e.ExeDev), ExeIno: e.ExeIno, ExeMode: e.ExeMode, ExeUID: e.ExeUid, ExeGID: e.ExeGid,
		ExeCtime: e.ExeCtime, ExeMtime: e.ExeMtime,
		ArgsTotal: e.ArgsTotal, EnvTotal: e.EnvTotal,
	}
	d.event.Proc = p
	if p.TTY != 0 {
		p.TTYName = d.ttyName(p.TTY, cstring(e.TtyName[:]))
	}
	if p.Args, err = slice(record, e.ArgsOff, e.ArgsLen); err != nil {
		return err
	}
	if p.Env, err = slice(record, e.EnvOff, e.EnvLen); err != nil {
		return err
	}
	if p.Filename, err = d.textAt(record, e.Filename); err != nil {
		return err
	}
	if p.Exe, err = d.path(record, &e.Exe); err != nil {
		return err
	}
	if p.CWD, err = d.path(record, &e.Cwd); err != nil {
		return err
	}
	if p.CgroupV2, err = d.path(record, &e.Cgroup2); err != nil {
		return err
	}
	if p.CgroupV1, err = d.path(record, &e.Cgroup1); err != nil {
		return err
	}
	p.ExeFlags = exeFlags(p, e)
	if e.AncestorCount > MaxAncestors {
		return errors.New("the record has more ancestors than it has room for")
	}
	for i := range e.AncestorCount {
		a := &e.Ancestors[i]
		d.ancestors[i] = Ancestor{Key: Key{PID: int32(a.Pid), Start: d.start(a.Start)}, Comm: cstring(a.Comm[:])}
	}
	p.Ancestors = d.ancestors[:e.AncestorCount]
	return nil
}

// exeFlags judges the program's file.
func exeFlags(p *Process, e *bpfProcess) ExeFlags {
	flags := ExeFlags(e.ExeFlags) & (ExeUpperLayer | ExeLowerLayer)
	if e.Exe.Flags&uint32(bpfPathFlagsPATH_DELETED) != 0 {
		flags |= ExeDeleted
	}
	if e.Exe.Flags&uint32(bpfPathFlagsPATH_PSEUDO) != 0 && len(p.Exe) >= 6 && p.Exe[:6] == "memfd:" {
		flags |= ExeFromMemfd
	}
	if p.Exe == "" {
		return 0
	}
	const dacOverride = 1 << 1 // CAP_DAC_OVERRIDE
	mode := e.ExeMode
	switch {
	case e.Head.CapEffective&dacOverride != 0,
		e.Fsuid == e.ExeUid && mode&0o200 != 0,
		(e.Fsgid == e.ExeGid || e.ExeFlags&uint32(bpfExeFlagsEXE_IN_GROUP) != 0) && e.Fsuid != e.ExeUid && mode&0o020 != 0,
		mode&0o002 != 0:
		flags |= ExeWritable
	}
	return flags
}

// device turns a device number of the kernel's (12 bits major, 20 bits minor) into that of stat(2).
func device(dev uint32) uint64 {
	major, minor := uint64(dev>>20), uint64(dev&0xfffff)
	return minor&0xff | major<<8 | (minor&^0xff)<<12
}

// ttyName is the name of a terminal as in /dev: the kernel's own name of pts/0 is pts0.
func (d *decoder) ttyName(dev uint32, name string) string {
	if major := dev >> 8 & 0xfff; major >= 136 && major <= 143 && len(name) > 3 && name[:3] == "pts" && name[3] != '/' {
		begin := len(d.paths)
		d.paths = append(append(d.paths, "pts/"...), name[3:]...)
		return text(d.paths[begin:])
	}
	return name
}

func (d *decoder) decodeFork(record []byte) error {
	e, err := view[bpfFork](record)
	if err != nil {
		return err
	}
	d.fork = Fork{Thread: e.Child.Pid != e.Child.Tid}
	d.task(&d.fork.Child, &e.Child)
	d.event.Fork = &d.fork
	return nil
}

func (d *decoder) decodeExit(record []byte) error {
	e, err := view[bpfExit](record)
	if err != nil {
		return err
	}
	status := uint32(e.Code)
	d.exit = Exit{
		Code:   int32(status >> 8 & 0xff),
		Signal: int32(status & 0x7f),
		Core:   status&0x80 != 0,
	}
	if e.Head.Boot > e.Head.Start {
		d.exit.Duration = time.Duration(e.Head.Boot - e.Head.Start)
	}
	d.event.Exit = &d.exit
	return nil
}

// doubleExit reports whether the end of this process was already told. When the last two threads of a process end at
// the same time, each can see that no other is left.
func (d *decoder) doubleExit(key Key) bool {
	for i := range d.exits {
		if d.exits[i] == key {
			return true
		}
	}
	d.exits[d.nextExit] = key
	d.nextExit = (d.nextExit + 1) % len(d.exits)
	return false
}
