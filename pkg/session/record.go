package session

import (
	"net/netip"
	"path"
	"strings"

	"github.com/tiercel/tiercel/pkg/rules/commandline"
	"github.com/tiercel/tiercel/pkg/rules/eval"
	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
)

// Kinds of lines, as the field shell.kind has them.
const (
	KindLine     = "line"     // given to a shell at a terminal
	KindInput    = "input"    // read by another program there, or by a shell's read
	KindArgument = "argument" // the text behind -c
	KindStdin    = "stdin"    // commands that a shell read from a pipe or a file
)

// maxProcesses is how many processes of a line are named.
const maxProcesses = 64

// A Line is one line with what is known of it.
type Line struct {
	Session *Session
	Seq     uint64
	Kind    string
	Program string // who read it
	PID     int32
	// Text is redacted; Redactions says in how many places.
	Text       string
	Redactions int
	CWD        string // ends in /

	// Entered is the time of Enter, Ended that of the next prompt, 0 before it. Nanoseconds since 1970.
	Entered, Ended int64

	Entry, Confidence, Reason string
	Truncated, Withheld       bool

	// Exit is the status where From says how it is known: process or shell.
	Exit int32
	From string

	// Processes are in the order in which they were forked, at most 64.
	Processes []*Process
	more      int // further ones that are not named

	told   bool  // the command event went out
	due    int64 // when it goes out at the latest, boot time
	shell  *shell
	single string // see lastCommand
}

// A Process is one that a line started.
type Process struct {
	PID     int32
	Name    string
	ExePath string
	Cmdline string
	// Exit is the status, as shells give it (128 and the signal); -1 while it runs.
	Exit  int32
	ended bool
	start uint64
	child bool // of the shell itself
}

// lastCommand is the name of the program whose status the shell gives for a line: the last one, if it runs whatever came
// before. Empty where that cannot be told.
func lastCommand(text string) string {
	if strings.ContainsAny(text, "\n`!") || strings.Contains(text, "&&") || strings.Contains(text, "||") || strings.HasSuffix(text, "&") {
		return ""
	}
	at := 0
	quote := byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != 0:
			if c == '\\' && quote == '"' {
				i++
			} else if c == quote {
				quote = 0
			}
		case c == '\\':
			i++
		case c == '\'' || c == '"':
			quote = c
		case c == '|' || c == ';':
			at = i + 1
		case c == '(' || c == ')' || c == '{' || c == '}':
			return ""
		}
	}
	if quote != 0 {
		return ""
	}
	for word := range strings.FieldsSeq(text[at:]) {
		if strings.ContainsAny(word, `"'$*?[<>&`) {
			return ""
		}
		if name, _, ok := strings.Cut(word, "="); ok && name != "" && !strings.Contains(name, "/") {
			continue
		}
		return path.Base(word)
	}
	return ""
}

// happening is what rules see: a session begins or ends, a line is given, a line has ended. What is not of the terminal is
// answered by the base, the event of the process.
type happening struct {
	kind   event.Type
	base   eval.Event
	s      *Session
	l      *Line // nil for sessions
	parsed *commandline.Line
}

func (h *happening) Type() event.Type { return h.kind }

// Field gives a field of the event.
func (h *happening) Field(id field.ID, arg field.Arg) field.Value {
	if v, ok := h.ofSession(id); ok {
		return v
	}
	if h.l != nil {
		if v, ok := h.ofLine(id, arg); ok {
			return v
		}
	}
	if h.base == nil {
		return field.Value{}
	}
	return h.base.Field(id, arg)
}

func (h *happening) ofSession(id field.ID) (field.Value, bool) {
	s := h.s
	switch id {
	case field.ShellSession:
		return field.Text(s.ID), true
	case field.ShellParentSession:
		return text(s.Parent), true
	case field.ShellOrigin:
		return field.Text(s.Origin), true
	case field.ShellInteractive:
		return field.Bool(s.Interactive), true
	case field.ShellTTY:
		return text(s.TTY), true
	case field.ShellRemoteIP:
		return address(s.Remote), true
	case field.ShellRemotePort:
		if !s.Remote.IsValid() {
			return field.Value{}, true
		}
		return field.Uint(uint64(s.Remote.Port())), true
	case field.ShellUser:
		return text(s.Person), true
	case field.ShellStart:
		return field.Uint(uint64(max(s.Start, 0))), true
	case field.ShellRecorded:
		return field.Bool(false), true
	case field.ShellName:
		return text(s.Shell), true
	case field.ShellPID:
		if h.l == nil {
			return field.Int(int64(s.PID)), true
		}
	case field.ShellLines:
		if h.l == nil && s.End != 0 {
			return field.Uint(s.Lines), true
		}
		return field.Value{}, true
	case field.ShellBytes:
		if h.l == nil && s.End != 0 && s.countsBytes {
			return field.Uint(s.Bytes), true
		}
		return field.Value{}, true
	case field.ShellDuration:
		if h.l == nil {
			if s.End == 0 {
				return field.Value{}, true
			}
			return field.Uint(uint64(max(s.End-s.Start, 0))), true
		}
	}
	return field.Value{}, false
}

func (h *happening) ofLine(id field.ID, arg field.Arg) (field.Value, bool) {
	l := h.l
	switch id {
	case field.ShellLine:
		return field.Text(l.Text), true
	case field.ShellCommand, field.ShellPipe, field.ShellWrites, field.ShellReads:
		if l.Kind == KindInput {
			return field.Value{}, true
		}
		if h.parsed == nil {
			h.parsed = commandline.Parse(l.Text, l.CWD)
		}
		return h.parsed.Field(id, arg.At), true
	case field.ShellKind:
		return field.Text(l.Kind), true
	case field.ShellProgram:
		return field.Text(l.Program), true
	case field.ShellSeq:
		return field.Uint(l.Seq), true
	case field.ShellPID:
		return field.Int(int64(l.PID)), true
	case field.ShellCwd:
		return text(l.CWD), true
	case field.ShellExitCode:
		if l.From == "" {
			return field.Value{}, true
		}
		return field.Int(int64(l.Exit)), true
	case field.ShellExitFrom:
		return text(l.From), true
	case field.ShellDuration:
		if l.Ended == 0 {
			return field.Value{}, true
		}
		return field.Uint(uint64(max(l.Ended-l.Entered, 0))), true
	case field.ShellEntry:
		return text(l.Entry), true
	case field.ShellConfidence:
		return text(l.Confidence), true
	case field.ShellConfidenceReason:
		return text(l.Reason), true
	case field.ShellTruncated:
		return field.Bool(l.Truncated), true
	case field.ShellSecretWithheld:
		return field.Bool(l.Withheld), true
	case field.ShellRedactions:
		return field.Uint(uint64(max(l.Redactions, 0))), true
	case field.ShellProcessesPID, field.ShellProcessesName, field.ShellProcessesExepath, field.ShellProcessesCmdline, field.ShellProcessesExitCode:
		if arg.At < 0 || arg.At >= len(l.Processes) {
			return field.Value{}, true
		}
		return l.Processes[arg.At].field(id), true
	}
	return field.Value{}, false
}

func (p *Process) field(id field.ID) field.Value {
	switch id {
	case field.ShellProcessesPID:
		return field.Int(int64(p.PID))
	case field.ShellProcessesName:
		return field.Text(p.Name)
	case field.ShellProcessesExepath:
		return field.Text(p.ExePath)
	case field.ShellProcessesCmdline:
		return field.Text(p.Cmdline)
	}
	return field.Int(int64(p.Exit))
}

func text(s string) field.Value {
	if s == "" {
		return field.Value{}
	}
	return field.Text(s)
}

func address(a netip.AddrPort) field.Value {
	if !a.IsValid() {
		return field.Value{}
	}
	return field.Addr(a.Addr())
}
