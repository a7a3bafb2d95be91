package line

// EventKind says what happened at the terminal.
type EventKind uint8

// The kinds of events.
const (
	// Read: a program read Data from the terminal, in canonical mode or key by key.
	Read EventKind = iota + 1
	// Write: a program wrote Data to it.
	Write
	// Termios: a program has set the terminal's mode.
	Termios
	// Secret: a program read what was typed without echo. There are no data.
	Secret
)

// An Event is one system call on a terminal. Data are only valid during the call.
type Event struct {
	Kind EventKind
	// Time in nanoseconds, of any clock that does not go back.
	Time int64
	// Seq counts the events of this terminal; a gap means that some were lost.
	Seq uint64
	PID uint32
	// Program is the name of the program, "bash".
	Program string
	// Shell: a known shell. Editor: a program that edits lines and whose name is not known. Interpreter: one whose lines are
	// no commands of a shell, python for example. At most one of them.
	Shell, Editor, Interpreter bool
	// Canonical, Echo, Process are the terminal's modes (ICANON, ECHO, OPOST) at the call.
	Canonical, Echo, Process bool
	Rows, Cols               int
	// Requested is how many bytes a Read asked for.
	Requested int
	Data      []byte
	// Cut: bytes before Data were left out. More: the next event goes on with this one.
	Cut, More bool
}

// Kind says what a line was to the one who read it.
type Kind uint8

// The kinds of lines.
const (
	// Command is a line that a shell accepted.
	Command Kind = iota + 1
	// Continuation is a line at a shell's second prompt that could not be joined to the command that it belongs to.
	Continuation
	// Input is what a shell's built-in read, such as read.
	Input
	// Child is what another program read.
	Child
	// Withheld stands for something that was typed without echo: there is no text, and no length.
	Withheld
)

// String gives the name that records use.
func (k Kind) String() string {
	switch k {
	case Command:
		return "command"
	case Continuation:
		return "continuation"
	case Input:
		return "input"
	case Child:
		return "child_input"
	case Withheld:
		return "secret"
	}
	return ""
}

// Confidence says how sure the text is.
type Confidence uint8

// From the surest on.
const (
	// Exact: the kernel handed the whole line over, or the keys and the screen agree.
	Exact Confidence = iota
	// Screen: as the screen showed it at Enter. Control characters and tabs show as blanks or ^X.
	Screen
	// Keys: as it was typed; the screen held only a part of it.
	Keys
)

// String gives the name that records use.
func (c Confidence) String() string {
	switch c {
	case Exact:
		return "exact"
	case Screen:
		return "screen"
	case Keys:
		return "keys"
	}
	return ""
}

// Entry says how the text came into the line.
type Entry uint8

// The ways of entering a line.
const (
	Typed Entry = iota
	Recalled
	Completed
	Pasted
)

// String gives the name that records use.
func (e Entry) String() string {
	switch e {
	case Typed:
		return "typed"
	case Recalled:
		return "recalled"
	case Completed:
		return "completed"
	case Pasted:
		return "pasted"
	}
	return ""
}

// Why a text is not exact.
const (
	ReasonEdited    = "edited"    // history, completion or unknown keys: only the screen knows
	ReasonScrolled  = "scrolled"  // the editor showed a part of the line
	ReasonResized   = "resized"   // the window changed while the line was on it
	ReasonDiffers   = "differs"   // the keys say something else
	ReasonLost      = "lost"      // events are missing
	ReasonMidway    = "midway"    // the line had begun before the tracker did
	ReasonTruncated = "truncated" // longer than what is kept
)

// edits says whether the program may be an editor of lines.
func (e *Event) edits() bool { return e.Shell || e.Editor || e.Interpreter }

// A Line is one line that somebody gave to a program.
type Line struct {
	Kind    Kind
	PID     uint32
	Program string
	// Text is valid UTF-8 without the line's end. A line that was edited over several rows, and a command that was typed as
	// several lines, has line feeds in it.
	Text string
	// Parts is how many lines were joined to this one; 0 and 1 are the same.
	Parts int
	// Prompt is what stood left of the line.
	Prompt     string
	Confidence Confidence
	Reason     string
	Entry      Entry
	// Prompted and Entered are times of the events: of the prompt, 0 where it was not seen, and of Enter.
	Prompted, Entered int64
	// Truncated: the text was longer than MaxLine bytes and is cut.
	Truncated bool
}

// MaxLine is the most bytes of a line that are kept. A command of several lines has MaxCommand.
const (
	MaxLine    = 16 << 10
	MaxCommand = 64 << 10
)

// A Sink takes what a Tracker finds.
type Sink interface {
	// Line is called for each line, as soon as it was accepted. A Tracker also gives empty lines, which a Joiner keeps back:
	// within a here-document they count.
	Line(Line)
	// Prompt is called when a shell has drawn (more of) a prompt and waits for a line.
	Prompt(pid uint32, at int64, text string)
	// Dropped is called when a line was thrown away, by Ctrl-C for example.
	Dropped(pid uint32, at int64)
}
