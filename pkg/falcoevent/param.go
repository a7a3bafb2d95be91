package falcoevent

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/probe"
)

// param is a parameter of an event as Falco shows it.
type param struct {
	text    string      // as it is: "3"
	meaning string      // what that means, where there is more to say: "<f>/etc/passwd"
	raw     field.Value // as evt.rawarg gives it
}

// short is the text that evt.arg gives: the meaning where there is one.
func (p param) short() string {
	if p.meaning != "" {
		return p.meaning
	}
	return p.text
}

// argument finds the parameter that evt.arg or evt.rawarg asks for, by name or number.
func (e *Event) argument(arg field.Arg) (param, bool) {
	i := 0
	for name, kind := range e.typ.Params() {
		if arg.Index == i || arg.Index < 0 && arg.Key == name {
			return e.param(name, kind)
		}
		i++
	}
	return param{}, false
}

// args is every parameter that is known, as name=text(meaning).
func (e *Event) args() field.Value {
	if e.have&haveArgs != 0 {
		return field.Text(e.allArgs)
	}
	var all []byte // made for alerts only
	for name, kind := range e.typ.Params() {
		p, ok := e.param(name, kind)
		if !ok {
			continue
		}
		if len(all) > 0 {
			all = append(all, ' ')
		}
		all = append(append(append(all, name...), '='), p.text...)
		if p.meaning != "" {
			all = append(append(append(all, '('), p.meaning...), ')')
		}
	}
	e.have |= haveArgs
	e.allArgs = string(all)
	return field.Text(e.allArgs)
}

// param gives a parameter of the event. ok is false for what the probe does not know.
func (e *Event) param(name, kind string) (param, bool) {
	switch {
	case e.exec != nil:
		return e.execParam(name)
	case e.sys != nil:
		return e.callParam(name, kind)
	}
	return param{}, false
}

// callParam gives a parameter of a system call.
func (e *Event) callParam(name, kind string) (param, bool) {
	s := e.sys
	switch name {
	case "res":
		return e.result(kind), true
	case "fd":
		if fdUse(s.ID) == makesFD {
			return e.descriptorParam(s.Ret, &s.FD), true
		}
		if s.ID == probe.SysFcntl {
			return e.descriptorParam(int64(s.FD2.Num), e.orFD2()), true
		}
		return e.descriptorParam(int64(s.FD.Num), &s.FD), true
	case "oldfd":
		return e.descriptorParam(int64(s.FD2.Num), e.orFD2()), true
	case "newfd":
		return e.descriptorParam(int64(int32(uint32(s.Args[1]))), &s.FD), true //nolint:gosec // a descriptor has 32 bits
	case "mountfd":
		return e.descriptorParam(int64(s.FD2.Num), &s.FD2), true
	case "dirfd", "linkdirfd", "olddir", "olddirfd":
		return e.directoryParam(s.Path.Dir, s.Path.Base), true
	case "newdir", "newdirfd":
		return e.directoryParam(s.Path2.Dir, s.Path2.Base), true
	case "target":
		return plain(s.Text), true
	case "name", "path", "filename", "pathname", "dir", "oldpath", "linkpath":
		return e.pathParam(name)
	case "newpath":
		return e.path(&s.Path2), true
	case "flags", "creat_flags":
		return e.flags()
	case "mode":
		return e.mode(kind), true
	case "resolve":
		return e.flagged(resolveFlags(s.Resolve), resolveWords), true
	case "dev":
		if s.ID == probe.SysMount {
			return plain(s.Text), true
		}
		return e.unsigned(device(s.FD.Dev), 16), true
	case "ino":
		return e.unsigned(s.FD.Ino, 10), true
	case "tuple":
		return e.tuple()
	case "addr":
		return e.address()
	case "domain":
		return e.named(s.Domain, familyWords), true
	case "proto":
		return e.unsigned(uint64(s.Protocol), 10), true
	case "type":
		if s.ID == probe.SysMount {
			return plain(s.Text2), true
		}
		return e.unsigned(uint64(s.Type), 10), true
	case "size", "length":
		return e.unsigned(s.Size, 10), true
	case "data":
		if len(s.Data) == 0 {
			return param{}, false
		}
		data := field.Bytes(s.Data)
		start := len(e.buf)
		e.buf = data.AppendText(e.buf)
		return param{text: e.text(start), raw: data}, true
	case "uargs":
		return plain(s.Text), true
	case "request":
		return e.named(ptraceRequest(uint64(s.Command)), ptraceWords), true
	case "cmd":
		if s.ID == probe.SysBpf {
			return e.named(s.Command, bpfWords), true
		}
	case "pid":
		switch s.ID {
		case probe.SysClone, probe.SysClone3, probe.SysFork, probe.SysVfork:
			return e.process(int64(e.probe.Task.PID)), true
		}
		return e.process(int64(s.PID)), true
	case "tid":
		return e.process(int64(e.probe.Task.TID)), true
	case "ptid":
		return e.process(int64(e.probe.Task.Parent.PID)), true
	case "comm":
		return plain(e.probe.Task.Comm), true
	case "nstype":
		return e.flagged(cloneFlags(s.Flags), cloneWords), true
	case "backlog":
		return e.number(int64(int32(uint32(s.Flags)))), true //nolint:gosec // an int
	case "uid", "gid", "ruid", "euid", "suid", "rgid", "egid", "sgid":
		return e.owner(name)
	case "sig":
		if s.ID == probe.SysKill || s.ID == probe.SysTkill {
			return e.unsigned(s.Args[1]&0xff, 10), true
		}
		return e.unsigned(s.Args[2]&0xff, 10), true
	}
	return param{}, false
}

// orFD2 is the descriptor that the event is about, or what is known of the second of the call.
func (e *Event) orFD2() *probe.FD {
	if e.fd.fd != nil {
		return e.fd.fd
	}
	return &e.sys.FD2
}

// result is the return value: a descriptor, a process, or a number that may be an error.
func (e *Event) result(kind string) param {
	s := e.sys
	switch {
	case kind == "fd" && s.Ret >= 0:
		return e.descriptorParam(s.Ret, &s.FD)
	case kind == "pid" && s.Ret > 0:
		return e.process(s.Ret)
	}
	p := e.number(s.Ret)
	if s.Failed() {
		p.meaning = errnoName(int64(s.Errno()))
	}
	return p
}

// descriptorParam is a descriptor with its type and name.
func (e *Event) descriptorParam(number int64, fd *probe.FD) param {
	p := e.number(number)
	switch {
	case number == probe.AtFDCWD:
		p.meaning = "AT_FDCWD"
	case number < 0:
		p.meaning = errnoName(-number)
	case fd.Num < 0 || fd.Type == probe.FDUnknown && fd.Path == "":
	case fd == e.fd.fd:
		name := e.fdName().Str()
		start := len(e.buf)
		e.buf = append(append(e.buf, '<'), e.fd.typ.letter...)
		if e.fd.proto != "" && e.fd.isIP() {
			e.buf = append(e.buf, e.fd.proto[0])
		}
		e.buf = append(append(e.buf, '>'), name...)
		p.meaning = e.text(start)
	default:
		start := len(e.buf)
		e.buf = append(append(append(append(e.buf, '<'), typeOf(fd, false).letter...), '>'), fd.Path...)
		p.meaning = e.text(start)
	}
	return p
}

func (e *Event) directoryParam(dir int32, base string) param {
	p := e.number(int64(dir))
	switch {
	case dir == probe.AtFDCWD:
		p.meaning = "AT_FDCWD"
	case dir < 0:
		p.meaning = errnoName(-int64(dir))
	case base != "":
		start := len(e.buf)
		e.buf = append(append(e.buf, "<d>"...), base...)
		p.meaning = e.text(start)
	}
	return p
}

// pathParam is the path that a parameter's name stands for, which depends on the call.
func (e *Event) pathParam(name string) (param, bool) {
	s := e.sys
	switch s.ID {
	case probe.SysMemfdCreate, probe.SysDeleteModule:
		return plain(s.Text), true
	case probe.SysOpenByHandleAt:
		return plain(s.FD.Path), true
	case probe.SysSymlink, probe.SysSymlinkat:
		if name == "linkpath" && s.Path.Raw == "" && s.Path2.Raw != "" {
			return e.path(&s.Path2), true
		}
	}
	return e.path(&s.Path), true
}

// path is a path as it was passed, and absolute.
func (e *Event) path(p *probe.Path) param {
	return param{text: p.Raw, meaning: e.absolute(p), raw: field.Text(p.Raw)}
}

// absolute joins a path with the directory that it starts from and takes out what is not needed, as Falco does: links
// are not followed.
func (e *Event) absolute(p *probe.Path) string {
	if p.Raw == "" {
		return ""
	}
	if p.Raw[0] == '/' && isClean(p.Raw) {
		return p.Raw
	}
	start := len(e.buf)
	if p.Raw[0] != '/' {
		e.buf = appendClean(e.buf, start, p.Base)
	}
	e.buf = appendClean(e.buf, start, p.Raw)
	if len(e.buf) == start {
		e.buf = append(e.buf, '/')
	}
	return e.text(start)
}

// isClean reports whether an absolute path has no empty part, no "." and no "..".
func isClean(path string) bool {
	return len(path) == 1 || path[len(path)-1] != '/' && !strings.Contains(path, "//") && !strings.Contains(path, "/./") &&
		!strings.Contains(path, "/../") && !strings.HasSuffix(path, "/.") && !strings.HasSuffix(path, "/..")
}

// appendClean adds the parts of a path to the absolute one that begins at start, "/" before each. ".." takes one away.
func appendClean(dst []byte, start int, path string) []byte {
	for part := range strings.SplitSeq(path, "/") {
		switch part {
		case "", ".":
		case "..":
			dst = dst[:start+max(0, bytes.LastIndexByte(dst[start:], '/'))]
		default:
			dst = append(append(dst, '/'), part...)
		}
	}
	return dst
}

// flags are the flags of the call, in the words of its own.
func (e *Event) flags() (param, bool) {
	s := e.sys
	switch s.ID {
	case probe.SysOpen, probe.SysOpenat, probe.SysOpenat2, probe.SysOpenByHandleAt, probe.SysCreat:
		return e.flagged(e.openFlags(), openWords), true
	case probe.SysUserfaultfd, probe.SysDup3:
		return e.flagged(openFlags(s.Flags)&^openRead, openWords), true
	case probe.SysUnshare:
		return e.flagged(cloneFlags(s.Flags), cloneWords), true
	case probe.SysClone, probe.SysClone3, probe.SysFork, probe.SysVfork:
		return e.flagged(cloneFlags(s.Flags), cloneWords), true
	case probe.SysUnlinkat:
		return e.flagged(uint32(s.Flags), unlinkWords), true //nolint:gosec // flags have 32 bits
	case probe.SysLinkat:
		return e.flagged(uint32(s.Flags), linkWords), true //nolint:gosec // flags have 32 bits
	case probe.SysFchownat:
		return e.flagged(uint32(s.Flags), chownWords), true //nolint:gosec // flags have 32 bits
	case probe.SysRenameat2:
		return e.flagged(uint32(s.Flags), renameWords), true //nolint:gosec // flags have 32 bits
	case probe.SysMount:
		const magic, mask = 0xC0ED0000, 0xFFFF0000 // of old programs
		flags := uint32(s.Flags)                   //nolint:gosec // flags have 32 bits
		if flags&mask == magic {
			flags &^= mask
		}
		return e.flagged(flags, mountWords), true
	case probe.SysUmount2:
		return e.flagged(uint32(s.Flags), umountWords), true //nolint:gosec // flags have 32 bits
	case probe.SysMemfdCreate:
		return e.flagged(uint32(s.Flags), memfdWords), true //nolint:gosec // flags have 32 bits
	case probe.SysFinitModule:
		return e.flagged(uint32(s.Flags), moduleWords), true //nolint:gosec // flags have 32 bits
	case probe.SysAccept4, probe.SysSocket:
		return e.number(int64(uint32(s.Flags))), true //nolint:gosec // flags have 32 bits
	case probe.SysExecve, probe.SysExecveat:
		return e.flagged(e.exeFlags(), exeWords), true
	}
	return param{}, false
}

// openFlags are the flags of an open with what came of it.
func (e *Event) openFlags() uint32 {
	s := e.sys
	flags := s.Flags
	if s.ID == probe.SysCreat {
		flags = 0o1101 // O_WRONLY | O_CREAT | O_TRUNC
	}
	words := openFlags(flags)
	if s.FD.Num < 0 {
		return words
	}
	if s.FD.Created {
		words |= openCreated
	}
	if s.FD.UpperLayer {
		words |= openUpper
	}
	if s.FD.LowerLayer {
		words |= openLower
	}
	return words
}

func (e *Event) mode(kind string) param {
	s := e.sys
	switch kind {
	case "mode":
		const permissions = 0o7777
		p := e.flagged(s.Mode&permissions, modeWords)
		p.text = e.unsigned(uint64(s.Mode&permissions), 8).text
		return p
	case "uint32":
		if s.ID == probe.SysMkdir || s.ID == probe.SysMkdirat {
			return e.unsigned(uint64(s.Mode), 16)
		}
	}
	return e.unsigned(uint64(s.Mode), 8)
}

func (e *Event) tuple() (param, bool) {
	d := &e.fd
	var text string
	switch {
	case e.sys.ID == probe.SysConnect && e.sys.Addr.IP.IsValid():
		text = e.addressName()
	case d.isIP():
		text = e.socketName()
	default:
		text = firstText(e.sys.Addr.Path, d.unixPath)
	}
	return plain(text), text != ""
}

func (e *Event) address() (param, bool) {
	a := &e.sys.Addr
	switch {
	case a.IP.IsValid():
		start := len(e.buf)
		e.buf = appendAddress(e.buf, a.IP)
		return plain(e.text(start)), true
	case a.Path != "":
		return plain(a.Path), true
	case a.Family != 0:
		start := len(e.buf)
		e.buf = appendInt(append(e.buf, "family "...), int64(a.Family))
		return plain(e.text(start)), true
	}
	return param{}, false
}

// owner is a uid or gid that a call was given.
func (e *Event) owner(name string) (param, bool) {
	s := e.sys
	var id uint32
	switch s.ID {
	case probe.SysChown, probe.SysLchown, probe.SysFchown, probe.SysFchownat, probe.SysSetuid, probe.SysSetgid:
		if name == "uid" {
			return e.user(s.UID), true
		}
		return e.group(s.GID), true
	case probe.SysClone, probe.SysClone3, probe.SysFork, probe.SysVfork, probe.SysExecve, probe.SysExecveat:
		if name == "uid" {
			return e.user(e.probe.Task.EUID), true
		}
		return e.group(e.probe.Task.EGID), true
	case probe.SysSetreuid, probe.SysSetregid, probe.SysSetresuid, probe.SysSetresgid:
		switch name {
		case "ruid", "rgid":
			id = uint32(s.Args[0]) //nolint:gosec // ids have 32 bits
		case "euid", "egid":
			id = uint32(s.Args[1]) //nolint:gosec // ids have 32 bits
		default:
			id = uint32(s.Args[2]) //nolint:gosec // ids have 32 bits
		}
		if strings.HasSuffix(name, "uid") {
			return e.user(id), true
		}
		return e.group(id), true
	}
	return param{}, false
}

func (e *Event) user(id uint32) param {
	p := e.id(id)
	if id != probe.NoID {
		p.meaning = e.node.user(e.users(), id).Name
	}
	return p
}

func (e *Event) group(id uint32) param {
	p := e.id(id)
	if id != probe.NoID {
		p.meaning = e.node.group(e.users(), id)
	}
	return p
}

// id is a uid or gid; the one that stands for none is -1.
func (e *Event) id(id uint32) param {
	if id == probe.NoID {
		p := e.number(-1)
		p.meaning = "<NONE>"
		return p
	}
	return e.number(int64(id))
}

// process is a process id with the name of the process.
func (e *Event) process(pid int64) param {
	p := e.number(pid)
	if other := e.node.byPID(pid); other != nil {
		p.meaning = other.Comm
	}
	return p
}

func plain(text string) param { return param{text: text, raw: field.Text(text)} }

func (e *Event) number(n int64) param {
	start := len(e.buf)
	e.buf = appendInt(e.buf, n)
	return param{text: e.text(start), raw: field.Int(n)}
}

// unsigned is a number to some base; hexadecimal digits are capitals.
func (e *Event) unsigned(n uint64, base int) param {
	start := len(e.buf)
	e.buf = strconv.AppendUint(e.buf, n, base)
	for i, c := range e.buf[start:] {
		if c >= 'a' && c <= 'f' {
			e.buf[start+i] = c - 'a' + 'A'
		}
	}
	return param{text: e.text(start), raw: field.Uint(n)}
}

func (e *Event) flagged(flags uint32, all words) param {
	p := e.unsigned(uint64(flags), 10)
	start := len(e.buf)
	var found bool
	if e.buf, found = all.append(e.buf, flags); found {
		p.meaning = e.text(start)
	}
	return p
}

func (e *Event) named(value uint32, all words) param {
	p := e.unsigned(uint64(value), 10)
	p.meaning = all.name(value)
	return p
}

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }

// params are the parameters that the probe knows, by event type: what [Supply] promises. Those of a type that is not
// here are not known, but for the result.
func supplied(t event.Type, name string) bool {
	unknown := map[string]string{ // what Falco has and the probe has not, by type; "*" is any type
		"*":                 "queuepct queuelen queuemax fdlimit pgft_maj pgft_min vm_size vm_rss vm_swap pidns_init_start_ts msgcontrol img",
		"capset":            "cap_inheritable cap_permitted cap_effective",
		"fcntl":             "cmd arg",
		"prctl":             "option arg2_str arg2_int",
		"seccomp":           "op flags",
		"shutdown":          "how",
		"keyctl":            "operation arg2 arg3 arg4 arg5",
		"ptrace":            "addr data",
		"socketpair":        "fd1 fd2 source peer",
		"pidfd_getfd":       "pid_fd target_fd flags",
		"pidfd_open":        "flags",
		"process_vm_readv":  "data",
		"process_vm_writev": "data",
		"delete_module":     "flags",
		"io_uring_setup":    "entries sq_entries cq_entries flags sq_thread_cpu sq_thread_idle features",
	}
	for _, key := range [...]string{"*", t.String()} {
		for each := range strings.FieldsSeq(unknown[key]) {
			if each == name {
				return false
			}
		}
	}
	return true
}
