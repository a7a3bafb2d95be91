package session

import (
	"path"
	"slices"
	"strings"

	"github.com/tiercel/tiercel/pkg/proctree"
	"github.com/tiercel/tiercel/pkg/session/line"
)

// Line takes what the tracker of a terminal has found.
func (t *terminal) Line(l line.Line) {
	s, sess := t.owner, t.session
	if sess == nil || sess.excepted {
		return
	}
	wall := l.Entered + s.offset
	switch l.Kind {
	case line.Withheld:
		s.metrics.secrets.Inc()
		if cur := sess.current; cur != nil && cur.Ended == 0 {
			cur.Withheld = true
		}
		return
	case line.Input, line.Child:
		if !s.cfg.Input {
			return
		}
	}
	sh := sess.shells[int32(l.PID)] //nolint:gosec // a pid
	if sh == nil {
		return
	}
	kind := KindLine
	if l.Kind == line.Input || l.Kind == line.Child {
		kind = KindInput
	}
	out := s.newLine(sess, kind, l.Text, wall)
	out.Program, out.PID = l.Program, int32(l.PID) //nolint:gosec // a pid
	out.Entry, out.Confidence, out.Reason, out.Truncated = l.Entry.String(), l.Confidence.String(), l.Reason, l.Truncated
	out.shell = sh
	out.CWD = sh.cwd
	if !sh.asked || out.CWD == "" {
		out.CWD = s.cwd(sh.process)
	}
	sh.asked = false
	if kind == KindLine {
		if sh.line != nil {
			s.finish(sh.line, wall)
		}
		sh.line, sess.current = out, out
	}
	if l.Reason == line.ReasonLost {
		s.metrics.lost.Inc()
	}
	s.metrics.lines.WithLabelValues(out.Confidence).Inc()
	s.hold(out)
	if kind == KindInput {
		s.finish(out, wall)
	}
}

// Prompt takes that a shell waits for a line: the one before has ended.
func (t *terminal) Prompt(pid uint32, at int64, _ string) {
	s, sess := t.owner, t.session
	if sess == nil {
		return
	}
	sh := sess.shells[int32(pid)] //nolint:gosec // a pid
	if sh == nil {
		return
	}
	if sh.line != nil {
		s.finish(sh.line, at+s.offset)
	}
	if !sh.asked {
		sh.cwd, sh.asked = s.cwd(sh.process), true
	}
}

// Dropped takes that a line was thrown away: nothing was run.
func (t *terminal) Dropped(uint32, int64) {}

// newLine makes a line of a session, redacted.
func (s *Sessions) newLine(sess *Session, kind, text string, wall int64) *Line {
	sess.seq++
	hidden, n := s.redact.Text(text)
	s.metrics.redacted.Add(float64(n))
	l := &Line{Session: sess, Seq: sess.seq, Kind: kind, Text: hidden, Redactions: n, Entered: wall}
	if kind != KindInput {
		l.single = lastCommand(text)
	}
	return l
}

// hold keeps a line back for a moment, so that it is told with what it did.
func (s *Sessions) hold(l *Line) {
	l.due = s.now + int64(s.cfg.Settle)
	s.waiting = append(s.waiting, l)
	if len(s.waiting) > 4*s.cfg.MaxSessions {
		s.tell(s.waiting[0])
	}
}

// finish ends a line.
func (s *Sessions) finish(l *Line, wall int64) {
	if l.Ended != 0 {
		return
	}
	l.Ended = max(wall, l.Entered)
	if p := l.lastChild(); l.From == "" && p != nil && p.ended && (p.Name == cutName(l.single) || path.Base(p.ExePath) == l.single) {
		l.Exit, l.From = p.Exit, "process"
	}
	if sh := l.shell; sh != nil && sh.line == l {
		sh.line = nil
	}
	s.tell(l)
	if !s.excepted(l) {
		s.emit(l, false)
	}
}

// lastChild is the process whose status is that of the line, nil where that cannot be told.
func (l *Line) lastChild() *Process {
	if l.single == "" || l.more > 0 {
		return nil
	}
	for _, p := range slices.Backward(l.Processes) {
		if p.child {
			return p
		}
	}
	return nil
}

// cutName is a name as the kernel keeps it.
func cutName(name string) string { return name[:min(len(name), maxComm)] }

// tell gives a line away, once.
func (s *Sessions) tell(l *Line) {
	if l.told {
		return
	}
	l.told = true
	if i := slices.Index(s.waiting, l); i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
	}
	// The lines of a session are told in their order.
	for _, w := range slices.Clone(s.waiting) {
		if w.Session == l.Session && w.Seq < l.Seq {
			s.tell(w)
		}
	}
	if s.excepted(l) {
		s.metrics.excepted.Inc()
		return
	}
	l.Session.Lines++
	s.emit(l, true)
}

func (s *Sessions) emit(l *Line, begins bool) {
	var p *proctree.Process
	if l.shell != nil {
		p = l.shell.process
	}
	wall, kind := l.Ended, s.types.commandEnd
	if begins {
		wall, kind = l.Entered, s.types.command
	}
	s.deps.Emit(&happening{kind: kind, base: s.base(p, wall), s: l.Session, l: l}, p)
}

// excepted says whether the config keeps this line out of the records.
func (s *Sessions) excepted(l *Line) bool {
	if l.Session.excepted {
		return true
	}
	if len(s.cfg.Except.Commands) == 0 {
		return false
	}
	first, _, _ := strings.Cut(strings.TrimSpace(l.Text), " ")
	for _, pattern := range s.cfg.Except.Commands {
		if ok, _ := path.Match(pattern, first); ok {
			return true
		}
	}
	return false
}

// tellDue gives away the lines that have waited long enough.
func (s *Sessions) tellDue() {
	for len(s.waiting) > 0 && s.waiting[0].due <= s.now {
		s.tell(s.waiting[0])
	}
}
