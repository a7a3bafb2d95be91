package falcoevent

import (
	"bytes"
	"strings"
	"unsafe"

	"github.com/tiercel/tiercel/pkg/proctree"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/probe"
)

func (e *Event) procField(id field.ID, arg field.Arg) field.Value {
	if v, ok := e.taskField(id); ok {
		return v
	}
	p := e.proc
	if p == nil {
		return field.Value{}
	}
	switch id {
	case field.ProcExe:
		return field.Text(p.Exe)
	case field.ProcExepath:
		return field.Text(p.ExePath)
	case field.ProcArgs:
		return field.Text(p.Args)
	case field.ProcCmdline:
		return field.Text(e.commandLine())
	case field.ProcExeline:
		return field.Text(e.joined(p.Exe))
	case field.ProcCmdnargs:
		return field.Uint(uint64(max(p.ArgsCount, 0)))
	case field.ProcCmdlenargs:
		return field.Uint(uint64(max(p.ArgsLen, 0)))
	case field.ProcEnv:
		return e.env(p, arg)
	case field.ProcCWD:
		return field.Text(p.CWD)
	case field.ProcFilename:
		return field.Text(p.Filename)
	case field.ProcThreadCount:
		return field.Uint(1)
	case field.ProcLoginshellid:
		return loginShell(p)
	case field.ProcDuration:
		return e.since(p)
	case field.ProcPIDTs:
		return field.Int(p.StartWall)
	case field.ProcIsExeWritable:
		return field.Bool(p.ExeFlags&probe.ExeWritable != 0)
	case field.ProcIsExeUpperLayer:
		return field.Bool(p.ExeFlags&probe.ExeUpperLayer != 0)
	case field.ProcIsExeLowerLayer:
		return field.Bool(p.ExeFlags&probe.ExeLowerLayer != 0)
	case field.ProcIsExeFromMemfd:
		return field.Bool(p.ExeFlags&probe.ExeFromMemfd != 0)
	case field.ProcExeIno, field.ProcExeInoCtime, field.ProcExeInoMtime, field.ProcExeInoCtimeDurationProcStart,
		field.ProcExeInoCtimeDurationPidnsStart, field.ProcPidnsInitStartTs:
		return e.inode(id, p)
	case field.ThreadCapPermitted:
		return e.caps(p.CapPermitted)
	case field.ThreadCapInheritable:
		return e.caps(p.CapInheritable)
	case field.ThreadCgroups, field.ThreadCgroup:
		return e.cgroup(id, arg)
	case field.ProcAexe, field.ProcAexepath, field.ProcAname, field.ProcAargs, field.ProcAcmdline, field.ProcAPID, field.ProcAenv:
		return e.ancestorField(id, arg)
	case field.ProcPexe, field.ProcPexepath, field.ProcPname, field.ProcPcmdline, field.ProcPPID, field.ProcPVPID, field.ProcPPIDDuration,
		field.ProcPPIDTs:
		return e.parentField(id)
	}
	return e.groupField(id)
}

// taskField gives what the event itself says of its thread, which is newer than what is known of the process.
func (e *Event) taskField(id field.ID) (field.Value, bool) {
	if e.probe == nil {
		if e.proc == nil {
			return field.Value{}, false
		}
		switch id {
		case field.ProcName:
			return field.Text(e.proc.Comm), true
		case field.ProcPID, field.ThreadTID:
			return field.Int(int64(e.proc.PID)), true
		case field.ProcVPID, field.ThreadVTID:
			return field.Int(int64(e.proc.VPID)), true
		case field.ProcTTY:
			return field.Uint(device(uint64(e.proc.TTY))), true
		case field.ThreadIsmain:
			return field.Bool(true), true
		case field.ThreadCapEffective:
			return e.caps(e.proc.CapEffective), true
		}
		return field.Value{}, false
	}
	task := &e.probe.Task
	switch id {
	case field.ProcName:
		return field.Text(task.Comm), true
	case field.ProcPID:
		return field.Int(int64(task.PID)), true
	case field.ProcVPID:
		return field.Int(int64(task.VPID)), true
	case field.ThreadTID:
		return field.Int(int64(task.TID)), true
	case field.ThreadVTID:
		return field.Int(int64(task.VTID)), true
	case field.ThreadIsmain:
		return field.Bool(task.TID == task.PID), true
	case field.ProcTTY:
		return field.Uint(device(uint64(task.TTY))), true
	case field.ThreadCapEffective:
		return e.caps(proctree.Caps(task.CapEffective)), true
	case field.ThreadNametid:
		start := len(e.buf)
		e.buf = appendInt(append(e.buf, task.Comm...), int64(task.TID))
		return field.Text(e.text(start)), true
	}
	return field.Value{}, false
}

// comm is the name of the event's thread, which is what Falco calls the process.
func (e *Event) comm() string {
	if e.probe != nil {
		return e.probe.Task.Comm
	}
	return e.proc.Comm
}

// commandLine is the name of the event's thread and the arguments of its process.
func (e *Event) commandLine() string {
	if e.comm() == e.proc.Comm {
		return e.proc.Cmdline
	}
	if e.have&haveCmdline == 0 {
		e.have |= haveCmdline
		e.cmdline = e.joined(e.comm())
	}
	return e.cmdline
}

// joined is a name and the arguments of the event's process.
func (e *Event) joined(name string) string {
	if e.proc.ArgsCount == 0 {
		return name
	}
	start := len(e.buf)
	e.buf = append(append(append(e.buf, name...), ' '), e.proc.Args...)
	return e.text(start)
}

// env is the environment, or one variable of it. Falco gives a blank text for one that is not set.
func (e *Event) env(p *proctree.Process, arg field.Arg) field.Value {
	if p.Env == "" {
		return field.Value{}
	}
	if arg.Key == "" {
		start := len(e.buf)
		e.buf = appendArgs(e.buf, p.Env)
		return field.Text(e.text(start))
	}
	return field.Text(variable(p.Env, arg.Key))
}

// variable is the value of a variable in a list of which each is ended by a NUL.
func variable(env, name string) string {
	for one := range strings.SplitSeq(env, "\x00") {
		if value, ok := strings.CutPrefix(one, name); ok && strings.HasPrefix(value, "=") {
			return value[1:]
		}
	}
	return ""
}

// appendArgs adds a list of texts, each ended by a NUL, with a blank between two.
func appendArgs(dst []byte, list string) []byte {
	start := len(dst)
	dst = append(dst, strings.TrimSuffix(list, "\x00")...)
	for i, c := range dst[start:] {
		if c == 0 {
			dst[start+i] = ' '
		}
	}
	return dst
}

// view is b as a string, without a copy. What a process was started with never changes.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) } //nolint:gosec // see above

func (e *Event) caps(set proctree.Caps) field.Value {
	start := len(e.buf)
	e.buf = set.AppendTo(e.buf)
	return field.Text(e.text(start))
}

// since is how long ago a process was forked.
func (e *Event) since(p *proctree.Process) field.Value {
	if p.StartWall == 0 {
		return field.Value{}
	}
	return field.Int(e.wall - p.StartWall)
}

// inode gives what is known of the program's file. A time that is not known is missing.
func (e *Event) inode(id field.ID, p *proctree.Process) field.Value {
	var n int64
	pidns := e.namespaceStart()
	switch id {
	case field.ProcExeIno:
		n = int64(p.ExeIno) //nolint:gosec // shown as Falco shows it
	case field.ProcExeInoCtime:
		n = p.ExeCtime
	case field.ProcExeInoMtime:
		n = p.ExeMtime
	case field.ProcPidnsInitStartTs:
		n = pidns
	case field.ProcExeInoCtimeDurationProcStart:
		if p.ExeCtime != 0 && p.StartWall != 0 {
			n = p.StartWall - p.ExeCtime
		}
	case field.ProcExeInoCtimeDurationPidnsStart:
		if pidns != 0 && p.ExeCtime > pidns {
			n = p.ExeCtime - pidns
		}
	}
	if n == 0 {
		return field.Value{}
	}
	return field.Int(n)
}

// namespaceStart is when the first process of the process's pid namespace was started, in nanoseconds since 1970; 0 when
// that is not known.
func (e *Event) namespaceStart() int64 {
	if e.node.Tree == nil {
		return 0
	}
	if init := e.node.Tree.Init(e.proc); init != nil {
		return init.StartWall
	}
	return 0
}

// cgroup gives the cgroup of the memory hierarchy; on a machine with version 2 only, that is the one of all.
func (e *Event) cgroup(id field.ID, arg field.Arg) field.Value {
	v2, path := e.proc.Cgroups()
	if path == "" {
		path = v2
	}
	switch {
	case path == "":
		return field.Value{}
	case id == field.ThreadCgroup:
		if arg.Key != "memory" {
			return field.Value{}
		}
		return field.Text(path)
	}
	start := len(e.buf)
	e.buf = append(append(e.buf, "memory="...), path...)
	return field.Text(e.text(start))
}

func (e *Event) ancestorField(id field.ID, arg field.Arg) field.Value {
	n := arg.Index
	if id == field.ProcAenv && n < 0 {
		return e.ancestorVariable(arg)
	}
	p := e.proc.Ancestor(max(n, 0))
	if p == nil {
		return field.Value{}
	}
	switch id {
	case field.ProcAname:
		return field.Text(p.Comm)
	case field.ProcAexe:
		return field.Text(p.Exe)
	case field.ProcAexepath:
		return field.Text(p.ExePath)
	case field.ProcAargs:
		return field.Text(p.Args)
	case field.ProcAcmdline:
		return field.Text(p.Cmdline)
	case field.ProcAPID:
		return field.Int(int64(p.PID))
	}
	return e.env(p, field.NoArgument)
}

// ancestorVariable is a variable of the nearest ancestor that has it.
func (e *Event) ancestorVariable(arg field.Arg) field.Value {
	if arg.Key == "" || arg.At > 0 {
		return field.Value{}
	}
	for p := range e.proc.Ancestors() {
		if value := variable(p.Env, arg.Key); value != "" {
			return field.Text(value)
		}
	}
	return field.Value{}
}

func (e *Event) parentField(id field.ID) field.Value {
	p := e.proc.Parent()
	if p == nil {
		if id == field.ProcPPID && e.probe != nil && e.probe.Task.Parent.PID != 0 {
			return field.Int(int64(e.probe.Task.Parent.PID))
		}
		return field.Value{}
	}
	switch id {
	case field.ProcPname:
		return field.Text(p.Comm)
	case field.ProcPexe:
		return field.Text(p.Exe)
	case field.ProcPexepath:
		return field.Text(p.ExePath)
	case field.ProcPcmdline:
		return field.Text(p.Cmdline)
	case field.ProcPPID:
		return field.Int(int64(p.PID))
	case field.ProcPVPID:
		return field.Int(int64(p.VPID))
	case field.ProcPPIDDuration:
		return e.since(p)
	}
	return field.Int(p.StartWall)
}

// loginShell is the outermost ancestor whose name ends as those of shells do.
func loginShell(p *proctree.Process) field.Value {
	var v field.Value
	for ; p != nil; p = p.Parent() {
		if strings.HasSuffix(p.Comm, "sh") {
			v = field.Int(int64(p.PID))
		}
	}
	return v
}

// groupField gives what is about the session and the process group, and their leaders.
func (e *Event) groupField(id field.ID) field.Value {
	p := e.proc
	switch id {
	case field.ProcSID:
		return field.Int(int64(p.VSID))
	case field.ProcVPGID:
		return field.Int(int64(p.VPGID))
	case field.ProcPGID:
		return field.Int(int64(p.PGID))
	case field.ProcIsSIDLeader:
		return field.Bool(p.IsSessionLeader())
	case field.ProcIsPGIDLeader:
		return field.Bool(p.IsGroupLeader())
	case field.ProcIsVPGIDLeader:
		return field.Bool(p.IsVGroupLeader())
	}
	if e.node.Tree == nil {
		return field.Value{}
	}
	var leader *proctree.Process
	switch id {
	case field.ProcSname, field.ProcSIDExe, field.ProcSIDExepath:
		leader = e.node.Tree.SessionLeader(p)
	case field.ProcVPGIDName, field.ProcVPGIDExe, field.ProcVPGIDExepath, field.ProcPGIDName, field.ProcPGIDExe, field.ProcPGIDExepath:
		leader = e.node.Tree.GroupLeader(p)
	default:
		return field.Value{}
	}
	if leader == nil {
		return field.Value{}
	}
	switch id {
	case field.ProcSname, field.ProcVPGIDName, field.ProcPGIDName:
		return field.Text(leader.Comm)
	case field.ProcSIDExe, field.ProcVPGIDExe, field.ProcPGIDExe:
		return field.Text(leader.Exe)
	}
	return field.Text(leader.ExePath)
}

// execParam gives a parameter of an execve that succeeded.
func (e *Event) execParam(name string) (param, bool) {
	x, task := e.exec, &e.probe.Task
	switch name {
	case "res":
		return e.number(0), true
	case "exe":
		if at := bytes.IndexByte(x.Args, 0); at >= 0 {
			return plain(view(x.Args[:at])), true
		}
		return plain(view(x.Args)), true
	case "args":
		start := len(e.buf)
		if at := bytes.IndexByte(x.Args, 0); at >= 0 {
			for arg := range bytes.SplitSeq(bytes.TrimSuffix(x.Args[at+1:], []byte{0}), []byte{0}) {
				e.buf = append(append(e.buf, arg...), '.')
			}
		}
		return plain(e.text(start)), true
	case "tid":
		return e.process(int64(task.TID)), true
	case "pid":
		return e.process(int64(task.PID)), true
	case "ptid":
		return e.process(int64(task.Parent.PID)), true
	case "cwd":
		return plain(x.CWD), true
	case "comm":
		return plain(task.Comm), true
	case "cgroups":
		if x.CgroupV1 != "" {
			return plain(x.CgroupV1), true
		}
		return plain(x.CgroupV2), true
	case "env":
		if len(x.Env) == 0 {
			return param{}, false
		}
		start := len(e.buf)
		e.buf = appendArgs(e.buf, view(x.Env))
		return plain(e.text(start)), true
	case "tty":
		return e.unsigned(device(uint64(x.TTY)), 10), true
	case "vpgid":
		return e.number(int64(x.VPGID)), true
	case "pgid":
		return e.number(int64(x.PGID)), true
	case "loginuid":
		return e.user(x.LoginUID), true
	case "flags":
		return e.flagged(e.exeFlags(), exeWords), true
	case "cap_inheritable":
		return e.unsigned(x.CapInheritable, 16), true
	case "cap_permitted":
		return e.unsigned(x.CapPermitted, 16), true
	case "cap_effective":
		return e.unsigned(x.CapEffective, 16), true
	case "exe_ino":
		return e.unsigned(x.ExeIno, 10), true
	case "exe_ino_ctime":
		return e.number(x.ExeCtime), true
	case "exe_ino_mtime":
		return e.number(x.ExeMtime), true
	case "uid":
		return e.user(x.EUID), true
	case "gid":
		return e.group(x.EGID), true
	case "trusted_exepath":
		return plain(x.Exe), true
	case "filename":
		return plain(x.Filename), true
	}
	return param{}, false
}

// exeFlags are the flags of the program's file in Falco's numbers.
func (e *Event) exeFlags() uint32 {
	var from probe.ExeFlags
	switch {
	case e.exec != nil:
		from = e.exec.ExeFlags
	case e.proc != nil:
		from = e.proc.ExeFlags
	}
	var flags uint32
	for _, each := range [...]struct {
		from probe.ExeFlags
		to   uint32
	}{
		{probe.ExeWritable, exeWritable},
		{probe.ExeUpperLayer, exeUpper},
		{probe.ExeFromMemfd, exeMemfd},
		{probe.ExeLowerLayer, exeLower},
	} {
		if from&each.from != 0 {
			flags |= each.to
		}
	}
	return flags
}
