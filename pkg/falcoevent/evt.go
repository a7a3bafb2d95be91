package falcoevent

import (
	"time"

	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/pkg/rules/format"
	"github.com/tiercel/tiercel/probe"
)

// snaplen is how much of a buffer Falco shows, bytes.
const snaplen = 80

func (e *Event) evtField(id field.ID, arg field.Arg) field.Value {
	switch id {
	case field.EvtNum:
		return field.Uint(e.num)
	case field.EvtRawtime:
		return field.Uint(uint64(e.wall)) //nolint:gosec // since 1970
	case field.EvtRawtimeS:
		return field.Uint(uint64(e.wall / 1e9)) //nolint:gosec // since 1970
	case field.EvtRawtimeNS:
		return field.Uint(uint64(e.wall % 1e9)) //nolint:gosec // since 1970
	case field.EvtReltime:
		return field.Int(e.wall - e.node.Started)
	case field.EvtReltimeS:
		return field.Int((e.wall - e.node.Started) / 1e9)
	case field.EvtReltimeNS:
		return field.Int((e.wall - e.node.Started) % 1e9)
	case field.EvtDeltatime, field.EvtDeltatimeS, field.EvtDeltatimeNS:
		return e.delta(id)
	case field.EvtTime, field.EvtOutputtime:
		return e.clock(format.LayoutTime, false)
	case field.EvtTimeS:
		return e.clock("15:04:05", false)
	case field.EvtTimeISO8601:
		return e.clock(format.LayoutISO, true)
	case field.EvtDatetime:
		return e.clock("2006-01-02 15:04:05.000000000", false)
	case field.EvtDatetimeS:
		return e.clock("2006-01-02 15:04:05", false)
	case field.EvtHostname:
		return field.Text(e.node.Hostname)
	case field.EvtIsAsync:
		return field.Bool(false)
	}
	if e.typ == 0 {
		return field.Value{}
	}
	switch id {
	case field.SyscallType:
		if e.typ != types.procexit {
			return field.Text(e.typ.String())
		}
	case field.EvtCategory:
		return field.Text(e.category())
	case field.EvtCPU:
		return field.Int(int64(e.probe.CPU))
	case field.EvtArgs, field.EvtInfo:
		return e.args()
	case field.EvtArg:
		if p, ok := e.argument(arg); ok {
			return field.Text(p.short())
		}
	case field.EvtRawarg:
		if p, ok := e.argument(arg); ok {
			return p.raw
		}
	case field.EvtRes:
		if ret, ok := e.ret(); ok {
			if ret < 0 {
				return field.Text(errnoName(-ret))
			}
			return field.Text("SUCCESS")
		}
	case field.EvtRawres:
		if ret, ok := e.ret(); ok {
			return field.Int(ret)
		}
	case field.EvtFailed:
		if ret, ok := e.ret(); ok {
			return field.Bool(ret < 0)
		}
	case field.EvtCountExit:
		return field.Uint(1)
	case field.EvtCountProcinfo, field.EvtCountThreadinfo:
		return field.Uint(0)
	case field.EvtCountError, field.EvtCountErrorFile, field.EvtCountErrorNet, field.EvtCountErrorMemory, field.EvtCountErrorOther:
		return e.countError(id)
	case field.EvtIsWait:
		return field.Bool(false)
	case field.EvtIsIO:
		return field.Bool(e.reads() || e.writes())
	case field.EvtIsIORead:
		return field.Bool(e.reads())
	case field.EvtIsIOWrite:
		return field.Bool(e.writes())
	case field.EvtIODir:
		switch {
		case e.writes():
			return field.Text("write")
		case e.reads():
			return field.Text("read")
		}
	case field.EvtIsSyslog:
		return field.Bool(e.writes() && isSyslog(e.fd.unixPath))
	case field.EvtBuffer:
		if e.sys != nil && len(e.sys.Data) > 0 {
			return field.Bytes(e.sys.Data[:min(len(e.sys.Data), snaplen)])
		}
	case field.EvtBuflen, field.EvtBuflenIn, field.EvtBuflenOut, field.EvtBuflenNet, field.EvtBuflenNetIn, field.EvtBuflenNetOut:
		return e.buffer(id)
	case field.EvtIsOpenRead, field.EvtIsOpenWrite, field.EvtIsOpenExec, field.EvtIsOpenCreate:
		return field.Bool(e.sys != nil && e.isOpen(id))
	case field.EvtAbspath:
		return e.abspath(arg.Key)
	}
	return field.Value{}
}

func (e *Event) delta(id field.ID) field.Value {
	d := e.wall - e.last
	switch {
	case e.last == 0:
		return field.Value{}
	case id == field.EvtDeltatimeS:
		d /= 1e9
	case id == field.EvtDeltatimeNS:
		d %= 1e9
	}
	return field.Int(d)
}

func (e *Event) clock(layout string, utc bool) field.Value {
	at := time.Unix(0, e.wall)
	if utc {
		at = at.UTC()
	}
	start := len(e.buf)
	e.buf = at.AppendFormat(e.buf, layout)
	return field.Text(e.text(start))
}

// ret is what the call returned. An exec that is told of has succeeded; the end of a process returns nothing.
func (e *Event) ret() (int64, bool) {
	switch {
	case e.exec != nil:
		return 0, true
	case e.sys != nil:
		return e.sys.Ret, true
	}
	return 0, false
}

func (e *Event) reads() bool {
	if e.sys == nil {
		return false
	}
	switch e.sys.ID {
	case probe.SysRecvfrom, probe.SysRecvmsg, probe.SysRecvmmsg, probe.SysFinitModule:
		return true
	}
	return false
}

func (e *Event) writes() bool {
	if e.sys == nil {
		return false
	}
	switch e.sys.ID {
	case probe.SysSendto, probe.SysSendmsg, probe.SysSendmmsg:
		return true
	}
	return false
}

func isSyslog(path string) bool {
	return path == "/dev/log" || path == "/run/systemd/journal/dev-log" || path == "/run/systemd/journal/syslog"
}

func (e *Event) buffer(id field.ID) field.Value {
	in, out := e.reads(), e.writes()
	if !in && !out || e.fd.fd == nil || e.sys.Ret < 0 {
		return field.Value{}
	}
	ok := true
	switch id {
	case field.EvtBuflenIn:
		ok = in
	case field.EvtBuflenOut:
		ok = out
	case field.EvtBuflenNet:
		ok = e.fd.isIP()
	case field.EvtBuflenNetIn:
		ok = in && e.fd.isIP()
	case field.EvtBuflenNetOut:
		ok = out && e.fd.isIP()
	}
	if !ok {
		return field.Value{}
	}
	return field.Uint(uint64(e.sys.Ret))
}

// isOpen answers the questions about what a file is opened for.
func (e *Event) isOpen(id field.ID) bool {
	const anyExec = 0o111
	s := e.sys
	switch s.ID {
	case probe.SysOpen, probe.SysOpenat, probe.SysOpenat2, probe.SysOpenByHandleAt:
	case probe.SysCreat:
		return id == field.EvtIsOpenExec && s.Mode&anyExec != 0
	default:
		return false
	}
	flags := e.openFlags()
	switch id {
	case field.EvtIsOpenRead:
		return flags&openRead != 0
	case field.EvtIsOpenWrite:
		return flags&openWrite != 0
	case field.EvtIsOpenCreate:
		return flags&openCreated != 0 || flags&openTmpfile != 0 && s.Ret >= 0
	}
	return s.ID != probe.SysOpenByHandleAt && flags&(openTmpfile|openCreate) != 0 && s.Mode&anyExec != 0
}

// countError is 1 for a call that failed, by what it works on.
func (e *Event) countError(id field.ID) field.Value {
	ret, ok := e.ret()
	if !ok || ret >= 0 {
		return field.Value{}
	}
	category := e.category()
	switch id {
	case field.EvtCountErrorFile:
		ok = category == "file"
	case field.EvtCountErrorNet:
		ok = category == "net"
	case field.EvtCountErrorMemory:
		ok = category == "memory"
	case field.EvtCountErrorOther:
		ok = category != "file" && category != "net" && category != "memory"
	}
	if !ok {
		return field.Value{}
	}
	return field.Uint(1)
}

// category is the kind of call, as Falco sorts them.
func (e *Event) category() string {
	if e.sys == nil {
		return "process"
	}
	switch e.sys.ID {
	case probe.SysSocket, probe.SysSocketpair, probe.SysConnect, probe.SysBind, probe.SysListen, probe.SysAccept, probe.SysAccept4,
		probe.SysSendto, probe.SysSendmsg, probe.SysSendmmsg, probe.SysRecvfrom, probe.SysRecvmsg, probe.SysRecvmmsg, probe.SysShutdown:
		return "net"
	case probe.SysDup, probe.SysDup2, probe.SysDup3, probe.SysFcntl:
		if e.fd.isIP() {
			return "net"
		}
		return "file"
	case probe.SysSetuid, probe.SysSetgid, probe.SysSetreuid, probe.SysSetregid, probe.SysSetresuid, probe.SysSetresgid:
		return "user"
	case probe.SysKill, probe.SysTkill, probe.SysTgkill:
		return "signal"
	case probe.SysMemfdCreate:
		return "memory"
	case probe.SysFork, probe.SysVfork, probe.SysClone, probe.SysClone3, probe.SysExecve, probe.SysExecveat, probe.SysPtrace, probe.SysSetns,
		probe.SysUnshare, probe.SysPrctl, probe.SysSetsid, probe.SysSetpgid, probe.SysCapset, probe.SysPidfdOpen, probe.SysPidfdGetfd:
		return "process"
	case probe.SysInitModule, probe.SysFinitModule, probe.SysDeleteModule, probe.SysBpf, probe.SysKeyctl, probe.SysSeccomp,
		probe.SysProcessVMReadv, probe.SysProcessVMWritev, probe.SysIOURingSetup:
		return "other"
	}
	return "file"
}

// paths are the paths in the arguments of a call: the one that it works on, or the two.
func (e *Event) paths() (one, source, target *probe.Path) {
	if e.sys == nil {
		return nil, nil, nil
	}
	s := e.sys
	switch s.ID {
	case probe.SysOpen, probe.SysOpenat, probe.SysOpenat2, probe.SysCreat, probe.SysMkdir, probe.SysMkdirat, probe.SysRmdir, probe.SysUnlink,
		probe.SysUnlinkat, probe.SysMknod, probe.SysMknodat, probe.SysChmod, probe.SysFchmodat, probe.SysChown, probe.SysLchown,
		probe.SysFchownat, probe.SysUmount, probe.SysUmount2, probe.SysChdir, probe.SysChroot:
		return &s.Path, nil, nil
	case probe.SysRename, probe.SysRenameat, probe.SysRenameat2:
		return nil, &s.Path, &s.Path2
	case probe.SysLink, probe.SysLinkat: // the new name is what the call makes, and so the source
		return nil, &s.Path2, &s.Path
	case probe.SysSymlink, probe.SysSymlinkat, probe.SysMount:
		return nil, &s.Path, nil
	}
	return nil, nil, nil
}

func (e *Event) abspath(which string) field.Value {
	one, source, target := e.paths()
	p := one
	switch {
	case which == "dst":
		p = target
	case p == nil || which == "src":
		p = source
	}
	if p == nil || p.Raw == "" {
		return field.Value{}
	}
	return field.Text(e.absolute(p))
}

// pathField gives the paths in the arguments.
func (e *Event) pathField(id field.ID) field.Value {
	one, source, target := e.paths()
	p, raw := one, false
	switch id {
	case field.FsPathNameraw:
		raw = true
	case field.FsPathSource:
		p = source
	case field.FsPathSourceraw:
		p, raw = source, true
	case field.FsPathTarget:
		p = target
	case field.FsPathTargetraw:
		p, raw = target, true
	}
	if p == nil {
		return e.textPath(id)
	}
	switch {
	case p.Raw == "":
		return field.Value{}
	case raw:
		return field.Text(p.Raw)
	}
	return field.Text(e.absolute(p))
}

// textPath gives the paths that a call takes as plain texts: what a symbolic link points to, the device of a mount.
func (e *Event) textPath(id field.ID) field.Value {
	if e.sys == nil || id != field.FsPathTarget && id != field.FsPathTargetraw {
		return field.Value{}
	}
	s := e.sys
	if s.ID != probe.SysSymlink && s.ID != probe.SysSymlinkat || s.Text == "" {
		return field.Value{}
	}
	return field.Text(s.Text)
}
