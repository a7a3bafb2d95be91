package session

import (
	"cmp"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/pkg/proctree"
	"github.com/tiercel/tiercel/pkg/rules/eval"
	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/pkg/session/line"
	"github.com/tiercel/tiercel/pkg/session/redact"
	"github.com/tiercel/tiercel/probe"
)

// Deps are what Sessions use.
type Deps struct {
	// Base gives the fields of a process at a moment in nanoseconds since 1970: proc.*, user.*, container.*, k8s.*, evt.*.
	// Nil: there are none.
	Base func(p *proctree.Process, wall int64) eval.Event
	// Emit takes what happened to a process. It is valid during the call.
	Emit func(ev eval.Event, p *proctree.Process)
	// Arm switches the tracing of terminals on and off. Nil: it is always on.
	Arm func(on bool) error
	// Proc is the folder of processes, "/proc" when it is empty.
	Proc string

	Registerer prometheus.Registerer // nil registers nothing
	Log        *slog.Logger          // nil discards
}

// Bounds of what is remembered.
const (
	maxMembers = 65536
	maxPiped   = 1024
	// textMax is how much of what a shell read from a pipe is one record.
	textMax = 64 << 10
	// rest is how long nobody may be at a terminal before its tracing is switched off.
	rest = 10 * int64(time.Second)
)

// Sessions follow everybody at the machine's terminals. Its methods are for one goroutine.
type Sessions struct {
	cfg     Config
	deps    Deps
	log     *slog.Logger
	metrics *metrics
	redact  *redact.Redactor
	boot    string // id of this boot of the machine

	types struct{ start, command, commandEnd, end event.Type }

	terminals map[terminalKey]*terminal
	sessions  map[string]*Session
	members   map[probe.Key]member
	piped     map[probe.Key]*pipe
	waiting   []*Line // told later, the oldest first

	onTTY     map[probe.Key]struct{} // processes that have a terminal, of those that may take lines
	armed     bool
	idleSince int64 // boot time since when nobody has one
	now       int64 // boot time of the last event
	offset    int64 // from boot time to nanoseconds since 1970
	refused   bool  // was logged
}

// A member is a process that belongs to a session, and the line that started it.
type member struct {
	session *Session
	line    *Line
	process *Process // what line has of it, nil before its exec
	direct  bool     // a child of the shell
}

// New makes Sessions. The error says which pattern is broken.
func New(cfg Config, deps Deps) (*Sessions, error) {
	r, err := redact.New(cfg.Redact.Builtin, cfg.Redact.Patterns)
	if err != nil {
		return nil, err
	}
	if deps.Proc == "" {
		deps.Proc = "/proc"
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	s := &Sessions{
		cfg: cfg, deps: deps, log: deps.Log, metrics: newMetrics(deps.Registerer), redact: r,
		terminals: make(map[terminalKey]*terminal), sessions: make(map[string]*Session), members: make(map[probe.Key]member),
		piped: make(map[probe.Key]*pipe), onTTY: make(map[probe.Key]struct{}),
	}
	for name, t := range map[string]*event.Type{
		"session_start": &s.types.start, "command": &s.types.command, "command_end": &s.types.commandEnd, "session_end": &s.types.end,
	} {
		var ok bool
		if *t, ok = event.Lookup(name); !ok {
			return nil, errors.New("there is no event " + name)
		}
	}
	if b, err := os.ReadFile(path.Join(deps.Proc, "sys/kernel/random/boot_id")); err == nil {
		s.boot = strings.TrimSpace(string(b))
	}
	return s, nil
}

// Options are what the probe must trace for this config.
func (c *Config) Options() probe.TTYOptions {
	if c.Record == RecordOff {
		return probe.TTYOptions{}
	}
	return probe.TTYOptions{
		Lines: true, Child: c.Input, Piped: c.Piped,
		Shells: slices.Concat(probe.DefaultShells(), c.Shells),
	}
}

// Event takes the probe's next event, after the tree of processes has it. p is the process of the event.
func (s *Sessions) Event(e *probe.Event, p *proctree.Process) {
	if s.cfg.Record == RecordOff {
		return
	}
	if e.Boot != 0 {
		s.now = int64(e.Boot) //nolint:gosec // nanoseconds since boot
		if e.Wall != 0 {
			s.offset = e.Wall - s.now
		}
	}
	switch e.Kind {
	case probe.KindExec, probe.KindSnapshot:
		s.exec(e, p)
	case probe.KindFork:
		s.fork(e, p)
	case probe.KindExit:
		s.exit(e)
	case probe.KindTTY:
		if e.TTY.Kind == probe.TTYPipe {
			s.pipe(e, p)
		} else {
			s.tty(e, p)
		}
	case probe.KindLost:
		for _, t := range s.terminals {
			t.tracker.Lost()
		}
	}
}

// Tick tells the time: to be called several times a second.
func (s *Sessions) Tick(now time.Time) {
	if s.cfg.Record == RecordOff {
		return
	}
	if s.offset != 0 {
		s.now = max(s.now, now.UnixNano()-s.offset)
	}
	for _, t := range s.terminals {
		t.joiner.Tick(s.now)
	}
	for _, p := range s.piped {
		s.flushPipe(p, false)
	}
	s.tellDue()
	s.arm()
}

// Close ends all sessions that are open, without telling so: they go on when Tiercel is started again.
func (s *Sessions) Close() {
	for _, t := range s.terminals {
		t.joiner.Flush()
	}
	for _, p := range s.piped {
		s.flushPipe(p, true)
	}
	for _, l := range s.waiting {
		s.tell(l)
	}
	s.waiting = nil
}

// Open are the sessions that are open.
func (s *Sessions) Open() int { return len(s.sessions) }

// arm switches the tracing of terminals on while anybody has one, and off some time after the last has gone.
func (s *Sessions) arm() {
	if s.deps.Arm == nil {
		return
	}
	want := s.armed
	if s.cfg.Piped || len(s.onTTY) > 0 {
		// What is piped into a shell can begin at any time.
		want, s.idleSince = true, 0
	} else {
		if s.idleSince == 0 {
			s.idleSince = s.now
		}
		if s.now-s.idleSince > rest {
			want = false
		}
	}
	if want == s.armed {
		return
	}
	if err := s.deps.Arm(want); err != nil {
		s.log.Error("the tracing of terminals cannot be switched", "on", want, "error", err)
		return
	}
	s.armed = want
}

// waitsForLogin are programs that sit at every console of an idle machine.
func waitsForLogin(comm string) bool {
	return comm == "agetty" || comm == "getty" || comm == "mingetty" || comm == "login"
}

// exec notes a program that begins, or was there before us.
func (s *Sessions) exec(e *probe.Event, p *proctree.Process) {
	key := e.Task.Key
	if e.Task.TTY != 0 && !waitsForLogin(e.Task.Comm) {
		if len(s.onTTY) < maxMembers {
			s.onTTY[key] = struct{}{}
		}
	} else {
		delete(s.onTTY, key)
	}
	s.arm()
	if e.Kind == probe.KindSnapshot || p == nil {
		return
	}
	s.ended(key.PID, int64(e.Boot)) //nolint:gosec // nanoseconds since boot
	m, ok := s.members[key]
	if !ok {
		if parent := p.Parent(); parent != nil {
			if m, ok = s.members[parent.Key]; ok {
				m.process = nil
				m.direct = m.line != nil && m.line.PID == parent.PID
				s.enter(key, m)
			}
		}
	}
	if ok && m.line != nil {
		s.started(key, m, p)
	}
	s.given(e, p)
}

func (s *Sessions) enter(key probe.Key, m member) {
	if len(s.members) < maxMembers {
		s.members[key] = m
	}
}

// fork makes the child a member of its parent's session.
func (s *Sessions) fork(e *probe.Event, _ *proctree.Process) {
	if e.Fork == nil || e.Fork.Thread {
		return
	}
	if _, ok := s.onTTY[e.Task.Key]; ok && len(s.onTTY) < maxMembers {
		s.onTTY[e.Fork.Child.Key] = struct{}{}
	}
	m, ok := s.members[e.Task.Key]
	if !ok {
		return
	}
	m.process, m.direct = nil, false
	if sh := m.session.shells[e.Task.PID]; sh != nil {
		m.line, m.direct = sh.line, true
	}
	s.enter(e.Fork.Child.Key, m)
}

// started notes a program that a line has started.
func (s *Sessions) started(key probe.Key, m member, p *proctree.Process) {
	l := m.line
	text, _ := s.redact.Text(p.Cmdline)
	proc := Process{
		PID: key.PID, Name: p.Comm, ExePath: p.ExePath, Cmdline: strings.ToValidUTF8(text, "\uFFFD"), Exit: -1, start: key.Start, child: m.direct,
	}
	if m.process != nil {
		// The same process runs another program now: a script's interpreter, sudo's command.
		*m.process = proc
		return
	}
	if len(l.Processes) >= maxProcesses {
		l.more++
		return
	}
	m.process = &proc
	at, _ := slices.BinarySearchFunc(l.Processes, proc.start, func(p *Process, start uint64) int { return cmp.Compare(p.start, start) })
	l.Processes = slices.Insert(l.Processes, at, m.process)
	s.members[key] = m
}

// exit notes the end of a process.
func (s *Sessions) exit(e *probe.Event) {
	key := e.Task.Key
	delete(s.onTTY, key)
	at := int64(e.Boot) //nolint:gosec // nanoseconds since boot
	status := int32(0)
	if e.Exit != nil {
		status = e.Exit.Code
		if e.Exit.Signal != 0 {
			status = 128 + e.Exit.Signal
		}
	}
	if m, ok := s.members[key]; ok {
		if m.process != nil {
			m.process.Exit, m.process.ended = status, true
		}
		delete(s.members, key)
	}
	if p := s.piped[key]; p != nil {
		s.flushPipe(p, true)
		s.endPipe(p, status, at)
	}
	s.ended(key.PID, at)
	for _, session := range s.sessions {
		if sh := session.shells[key.PID]; sh != nil && sh.process.Key == key {
			if l := sh.line; l != nil {
				// The shell itself ended: by exit, or because somebody hung up.
				l.Exit, l.From = status, "shell"
				s.finish(l, at+s.offset)
			}
			delete(session.shells, key.PID)
		}
		if session.leader == key || len(session.shells) == 0 {
			s.end(session, at+s.offset)
		}
	}
}

// ended tells the trackers that a program is no more.
func (s *Sessions) ended(pid int32, at int64) {
	for _, t := range s.terminals {
		if t.session != nil && t.session.shells[pid] != nil || t.session == nil {
			t.tracker.Exit(uint32(pid), at) //nolint:gosec // a pid
		}
	}
}

// tty feeds a terminal's tracker.
func (s *Sessions) tty(e *probe.Event, p *proctree.Process) {
	v := e.TTY
	key := terminalKey{v.Terminal, v.SID}
	t := s.terminals[key]
	if t == nil {
		if !v.Shell && !v.Editor && !v.Interpreter {
			return
		}
		if len(s.terminals) >= 2*s.cfg.MaxSessions {
			s.forget()
		}
		t = &terminal{key: key, owner: s}
		t.joiner = line.NewJoiner(t)
		t.tracker = line.New(t.joiner)
		s.terminals[key] = t
	}
	t.used = s.now
	if t.session == nil && p != nil && opens(v) {
		t.session = s.sessionOf(e, p, t)
	}
	kinds := [...]line.EventKind{probe.TTYRead: line.Read, probe.TTYWrite: line.Write, probe.TTYTermios: line.Termios, probe.TTYSecret: line.Secret}
	if v.Kind < probe.TTYRead || int(v.Kind) >= len(kinds) {
		return
	}
	if sess := t.session; sess != nil && p != nil && (v.Shell || v.Editor || v.Interpreter) {
		s.note(sess, p)
	}
	t.event = line.Event{
		Kind: kinds[v.Kind], Time: int64(e.Boot), Seq: v.Number, PID: uint32(e.Task.PID), Program: e.Task.Comm, //nolint:gosec // the kernel's own types
		Shell: v.Shell, Editor: v.Editor, Interpreter: v.Interpreter, Canonical: v.Canonical, Echo: v.Echo, Process: v.Process,
		Rows: int(v.Rows), Cols: int(v.Cols), Requested: int(v.Requested), Data: v.Data, Cut: v.Cut, More: v.More,
	}
	if p != nil && v.Shell {
		t.event.Program = shellName(p, e.Task.Comm)
	} else {
		t.event.Program = strings.Clone(e.Task.Comm)
	}
	t.tracker.Feed(&t.event)
	t.event.Data = nil
}

// opens says whether an event shows that a program takes lines from its terminal: it set it to raw, or reads it.
func opens(v *probe.TTY) bool {
	switch v.Kind {
	case probe.TTYTermios:
		return !v.Canonical && !v.Echo
	case probe.TTYRead:
		return v.Shell || v.Editor
	}
	return false
}

// forget makes room: the terminal that was used longest ago and has no session goes.
func (s *Sessions) forget() {
	var oldest *terminal
	for _, t := range s.terminals {
		if t.session == nil && (oldest == nil || t.used < oldest.used) {
			oldest = t
		}
	}
	if oldest != nil {
		delete(s.terminals, oldest.key)
	}
}

// sessionOf finds the session that a terminal belongs to, or opens one.
func (s *Sessions) sessionOf(e *probe.Event, p *proctree.Process, t *terminal) *Session {
	o, opener, direct := origin(p)
	m, inside := s.members[p.Key]
	if !inside {
		for a := range p.Ancestors() {
			if m, inside = s.members[a.Key]; inside {
				break
			}
		}
	}
	if inside && m.session.Interactive && (o == OriginSu || o == OriginSudo) {
		// With a terminal of its own, but the same person's session.
		m.session.terminals[t.key] = t
		return m.session
	}
	if len(s.sessions) >= s.cfg.MaxSessions {
		s.metrics.refused.Inc()
		if !s.refused {
			s.refused = true
			s.log.Warn("too many terminal sessions: further ones are not followed", "limit", s.cfg.MaxSessions)
		}
		return nil
	}
	leader := probe.Key{PID: e.TTY.SID}
	for a := p; a != nil; a = a.Parent() {
		if a.PID == e.TTY.SID {
			leader = a.Key
			break
		}
	}
	sess := &Session{
		ID: id(s.boot, leader, e.TTY.Dev), Origin: o, Interactive: true, TTY: ttyName(e.TTY.Dev), Shell: shellName(p, e.Task.Comm), PID: e.Task.PID,
		Start: e.Wall, leader: leader, shells: make(map[int32]*shell), terminals: map[terminalKey]*terminal{t.key: t},
	}
	if inside && m.session.Interactive {
		sess.Parent = m.session.ID
	}
	if o == OriginSSH && opener != nil {
		sess.Remote = s.peer(p, opener, direct)
	}
	s.sessions[sess.ID] = sess
	s.note(sess, p)
	s.enter(p.Key, member{session: sess})
	s.begin(sess, p)
	return sess
}

// begin tells that a session has begun.
func (s *Sessions) begin(sess *Session, p *proctree.Process) {
	base := s.base(p, sess.Start)
	sess.Person = person(base)
	sess.excepted = s.excepts(base)
	sess.opened, sess.opener = true, p
	s.metrics.open.Set(float64(len(s.sessions)))
	s.metrics.sessions.WithLabelValues(sess.Origin).Inc()
	if !sess.excepted {
		s.deps.Emit(&happening{kind: s.types.start, base: base, s: sess}, p)
	}
}

// end closes a session.
func (s *Sessions) end(sess *Session, wall int64) {
	var first *shell
	for key, t := range sess.terminals {
		t.tracker.Close(wall - s.offset)
		t.joiner.Flush()
		delete(s.terminals, key)
	}
	for _, sh := range sess.shells {
		if first == nil || sh.process.PID == sess.PID {
			first = sh
		}
		if sh.line != nil {
			s.finish(sh.line, wall)
		}
	}
	delete(s.sessions, sess.ID)
	sess.End = wall
	s.metrics.open.Set(float64(len(s.sessions)))
	for key, m := range s.members {
		if m.session == sess && m.line == nil {
			delete(s.members, key)
		}
	}
	if sess.opened && !sess.excepted && sess.Interactive {
		p := sess.opener
		if first != nil {
			p = first.process
		}
		s.deps.Emit(&happening{kind: s.types.end, base: s.base(p, wall), s: sess}, p)
	}
}

func (s *Sessions) base(p *proctree.Process, wall int64) eval.Event {
	if s.deps.Base == nil {
		return nil
	}
	return s.deps.Base(p, wall)
}

// note remembers a program that takes lines in a session.
func (s *Sessions) note(sess *Session, p *proctree.Process) {
	sh := sess.shells[p.PID]
	if sh == nil || sh.process.Key != p.Key {
		sh = &shell{process: p}
		sess.shells[p.PID] = sh
		if _, ok := s.members[p.Key]; !ok {
			s.enter(p.Key, member{session: sess})
		}
	}
}

// peer finds where an ssh connection comes from.
func (s *Sessions) peer(p, sshd *proctree.Process, direct bool) (addr netip.AddrPort) {
	for a := p; a != nil && a != sshd; a = a.Parent() {
		if a.Parent() != sshd && !direct {
			continue
		}
		// Only what sshd itself has set is believed: the environment of the program that it started.
		if a.Env != "" {
			return peer([]byte(a.Env))
		}
		f, err := os.Open(path.Join(s.deps.Proc, strconv.Itoa(int(a.PID)), "environ"))
		if err != nil {
			return addr
		}
		b, _ := io.ReadAll(io.LimitReader(f, 256<<10))
		_ = f.Close()
		return peer(b)
	}
	return addr
}

// cwd reads a process's working directory, as it is now.
func (s *Sessions) cwd(p *proctree.Process) string {
	dir, err := os.Readlink(path.Join(s.deps.Proc, strconv.Itoa(int(p.PID)), "cwd"))
	if err != nil || dir == "" {
		return p.CWD
	}
	dir = strings.TrimSuffix(dir, " (deleted)")
	if !strings.HasSuffix(dir, "/") {
		dir += "/"
	}
	return strings.ToValidUTF8(dir, "\uFFFD")
}

func person(base eval.Event) string {
	if base == nil {
		return ""
	}
	for _, id := range []field.ID{field.UserLoginname} {
		if v := base.Field(id, field.Arg{Index: -1}); v.Exists() && v.Str() != "" && v.Str() != "<NA>" {
			return v.Str()
		}
	}
	return ""
}

// excepts says whether the config keeps this person or place out of the records.
func (s *Sessions) excepts(base eval.Event) bool {
	if base == nil {
		return false
	}
	matches := func(patterns []string, ids ...field.ID) bool {
		for _, id := range ids {
			if len(patterns) == 0 {
				return false
			}
			v := base.Field(id, field.Arg{Index: -1})
			for _, pattern := range patterns {
				if ok, _ := path.Match(pattern, v.Str()); ok && v.Exists() {
					return true
				}
			}
		}
		return false
	}
	return matches(s.cfg.Except.Users, field.UserName, field.UserLoginname) || matches(s.cfg.Except.Namespaces, field.K8sNSName)
}

// shellName is the kind of a shell: by the name of its file where the name that it runs under says nothing.
func shellName(p *proctree.Process, comm string) string {
	name := strings.TrimPrefix(comm, "-")
	if file := path.Base(p.ExePath); file != "." && file != "/" && file != name {
		switch {
		case file == "busybox" || file == "toybox":
			name = "ash"
		case slices.Contains(probe.DefaultShells(), file):
			name = file
		}
	}
	switch name {
	case "ksh", "ksh93u+m", "rksh93", "rksh":
		return "ksh93"
	case "rbash":
		return "bash"
	}
	return strings.Clone(name)
}
