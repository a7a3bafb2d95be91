package session

import (
	"bytes"
	"slices"
	"strings"

	"github.com/tiercel/tiercel/pkg/proctree"
	"github.com/tiercel/tiercel/probe"
)

// A pipe is a shell that reads its commands from a pipe or a file.
type pipe struct {
	key     probe.Key
	process *proctree.Process
	session *Session
	ino     uint64
	high    uint64 // of a file: what is before was seen. Some shells read ahead, go back and read again
	text    []byte
	since   int64 // boot time of the first byte that is not told
	cut     bool
	skip    bool // its commands do not come from there
	line    *Line
	shell   *shell
}

// pipe takes what a shell has read from its standard input.
func (s *Sessions) pipe(e *probe.Event, p *proctree.Process) {
	if !s.cfg.Piped || p == nil {
		return
	}
	v := e.TTY
	in := s.piped[p.Key]
	if in == nil {
		if len(v.Data) == 0 || len(s.piped) >= maxPiped {
			return
		}
		in = &pipe{key: p.Key, process: p, ino: v.Ino, shell: &shell{process: p}}
		in.skip = !s.takesStdin(p)
		if !in.skip {
			in.session = s.nearest(e, p)
			in.skip = in.session.excepted
		}
		s.piped[p.Key] = in
	}
	if in.skip || v.Ino != in.ino {
		return // redirected by the shell itself: data, not commands
	}
	data := v.Data
	if v.Dev == modeRegular {
		// Pos is where the next read begins, behind all pieces of this one.
		begin := v.Pos - min(v.Pos, uint64(len(data)))
		if v.More || v.Pos < uint64(len(data)) {
			begin = in.high
		}
		if begin < in.high {
			data = data[min(in.high-begin, uint64(len(data))):]
		}
		in.high = max(in.high, begin+uint64(len(v.Data)))
	}
	if len(data) > 0 && in.since == 0 {
		in.since = s.now
	}
	if room := textMax - len(in.text); len(data) > room {
		data, in.cut = data[:max(room, 0)], true
	}
	in.text = append(in.text, data...)
	in.cut = in.cut || v.Cut
	if v.End || len(in.text) >= textMax {
		s.flushPipe(in, true)
	}
}

// modeRegular is the type of a regular file in a mode.
const modeRegular = 0o100000

// takesStdin says whether a shell's commands come from its standard input. The kernel has looked at the first words of its
// arguments only.
func (s *Sessions) takesStdin(p *proctree.Process) bool {
	argv := append([]string{p.Exe}, strings.Fields(p.Args)...)
	if len(argv) > 1 && (p.Comm == "busybox" || p.Comm == "toybox") {
		argv = argv[1:]
	}
	stdin, _, _ := reads(argv)
	return stdin
}

// nearest is the session that a process without a terminal of its own belongs to, or one for it alone.
func (s *Sessions) nearest(e *probe.Event, p *proctree.Process) *Session {
	if m, ok := s.members[p.Key]; ok {
		return m.session
	}
	for a := range p.Ancestors() {
		if m, ok := s.members[a.Key]; ok {
			return m.session
		}
	}
	o, opener, direct := origin(p)
	sess := &Session{
		ID: id(s.boot, p.Key, 0), Origin: o, Shell: shellName(p, p.Comm), PID: p.PID, Start: e.Wall, leader: p.Key,
		shells: map[int32]*shell{},
	}
	if o == OriginSSH && opener != nil {
		sess.Remote = s.peer(p, opener, direct)
	}
	base := s.base(p, e.Wall)
	sess.Person = person(base)
	sess.excepted = s.excepts(base)
	return sess
}

// flushPipe tells what was read, in whole lines: at once when all is set, else when it has waited long enough.
func (s *Sessions) flushPipe(in *pipe, all bool) {
	if len(in.text) == 0 || !all && s.now-in.since < int64(s.cfg.Settle) {
		return
	}
	end := len(in.text)
	if !all {
		if end = bytes.LastIndexByte(in.text, '\n') + 1; end == 0 {
			return
		}
	}
	text := strings.TrimRight(strings.ToValidUTF8(string(in.text[:end]), "\uFFFD"), " \t\r\n")
	in.text = slices.Delete(in.text, 0, end)
	cut := in.cut
	in.since, in.cut = 0, false
	if len(in.text) > 0 {
		in.since = s.now
	}
	if strings.TrimSpace(text) == "" {
		return
	}
	if in.line != nil {
		s.finish(in.line, s.now+s.offset)
	}
	l := s.newLine(in.session, KindStdin, text, s.now+s.offset)
	l.Program, l.PID, l.CWD, l.shell, l.Truncated = in.session.Shell, in.key.PID, s.cwd(in.process), in.shell, cut
	l.Program = shellName(in.process, in.process.Comm)
	l.Confidence = "exact"
	in.line = l
	s.hold(l)
}

// endPipe ends the last line that a shell was given.
func (s *Sessions) endPipe(in *pipe, status int32, at int64) {
	delete(s.piped, in.key)
	if in.line != nil {
		in.line.Exit, in.line.From = status, "shell"
		s.finish(in.line, at+s.offset)
	}
}

// given records the text behind -c of a shell that somebody from outside has started: by ssh, or in a container.
func (s *Sessions) given(e *probe.Event, p *proctree.Process) {
	if !s.cfg.Piped || e.Proc == nil || !slices.Contains(shellNames, strings.TrimPrefix(e.Task.Comm, "-")) {
		return
	}
	if _, inside := s.members[p.Key]; inside {
		return // the line of a session has it
	}
	o, _, direct := origin(p)
	if !direct || o == OriginUnknown || p.VPID == 1 {
		return
	}
	switch o {
	case OriginSSH, OriginKubectl, OriginContainer, OriginNsenter:
	default:
		return
	}
	parent := p.Parent()
	if parent != nil && !p.Container().IsHost() && parent.Container() == p.Container() {
		return // started by a program of the container
	}
	argv := slices.Collect(e.Proc.Argv())
	if len(argv) > 1 && (e.Task.Comm == "busybox" || e.Task.Comm == "toybox") {
		argv = argv[1:]
	}
	_, text, ok := reads(argv)
	if !ok || strings.TrimSpace(text) == "" {
		return
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	cut := len(text) > textMax
	if cut {
		text = strings.ToValidUTF8(text[:textMax], "")
	}
	sess := s.nearest(e, p)
	if sess.excepted {
		return
	}
	sh := &shell{process: p}
	l := s.newLine(sess, KindArgument, text, e.Wall)
	l.Program, l.PID, l.CWD, l.shell, l.Confidence = sess.Shell, p.PID, p.CWD, sh, "exact"
	l.Truncated = cut || e.Proc.ArgsCut()
	sh.line, sess.current = l, l
	sess.shells[p.PID] = sh
	s.enter(p.Key, member{session: sess, line: l})
	s.piped[p.Key] = &pipe{key: p.Key, process: p, session: sess, skip: true, line: l, shell: sh}
	s.hold(l)
}

var shellNames = append(probe.DefaultShells(), probe.DefaultMulti()...)
