package proctree

import (
	"path"
	"strings"

	"github.com/tiercel/tiercel/probe"
)

// syscall takes over what a system call changed, as far as events do not carry it.
func (t *Tree) syscall(p *Process, s *probe.Syscall) {
	if s.Failed() {
		return
	}
	switch s.ID {
	case probe.SysChdir:
		switch {
		case s.FD.Path != "":
			p.CWD = t.folder(s.FD.Path)
		case s.Path.Cut || s.Path.Raw == "":
			p.CWD = ""
		case strings.HasPrefix(s.Path.Raw, "/"):
			p.CWD = t.folder(path.Clean(s.Path.Raw))
		case s.Path.Base != "":
			p.CWD = t.folder(path.Join(s.Path.Base, s.Path.Raw))
		case p.CWD != "":
			p.CWD = t.folder(path.Join(p.CWD, s.Path.Raw))
		}
	case probe.SysFchdir:
		p.CWD = t.folder(s.FD.Path)
	case probe.SysChroot, probe.SysPivotRoot:
		p.CWD = "" // the same folder has another path now
	case probe.SysSetsid:
		p.SID, p.PGID, p.VSID, p.VPGID = p.PID, p.PID, p.VPID, p.VPID
		p.TTY, p.TTYName = 0, ""
	case probe.SysSetpgid:
		t.setpgid(p, int32(s.Args[0]), int32(s.Args[1])) //nolint:gosec // the kernel looks at the lower half only
	default:
	}
}

// setpgid follows a process into a group. A shell also puts its children into theirs; they do it themselves too, and
// their exec says what came out.
func (t *Tree) setpgid(p *Process, pid, group int32) {
	if pid != 0 && pid != p.VPID {
		return
	}
	if group == 0 || group == p.VPID {
		p.PGID, p.VPGID = p.PID, p.VPID
		return
	}
	p.VPGID = group
	p.PGID = 0
	if parent := p.parent; parent != nil && parent.PIDNS == p.PIDNS {
		switch group {
		case parent.VPGID:
			p.PGID = parent.PGID
		case parent.VPID:
			p.PGID = parent.PID
		}
	}
}
