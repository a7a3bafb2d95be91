package line

import (
	"strings"
	"unicode/utf8"
)

type phase uint8

const (
	cooked   phase = iota // no line editor at work
	waiting               // raw, nothing read yet: the prompt is being drawn
	editing               // keys were read
	accepted              // Enter was read, the line is not yet taken from the screen
	paused                // canonical in the middle of a line: dropped, or only a signal
)

// A reader is a program that reads the terminal.
type reader struct {
	pid    uint32
	editor bool   // it was seen to edit lines itself
	line   []byte // canonical input up to now
	cut    bool
	skip   bool // the rest of a line that was cut
}

const maxReaders = 16

// A place on the screen.
type place struct{ y, x int }

// A Tracker follows one terminal. It is not safe for use by several goroutines at once.
type Tracker struct {
	sink    Sink
	screen  *screen
	keys    keys
	phase   phase
	readers []reader // the last in use is the last
	seq     uint64
	started bool

	// The line that is being edited.
	pid      uint32
	program  string
	kind     Kind
	edge     bool // the switch to raw was seen
	prompted int64
	begin    place // where the editor began to draw
	anchor   place // where the line begins
	anchored bool
	prompt   string
	right    string // what stood right of the line at its begin, and where
	rightX   int
	midway   bool
	lost     bool
	resized  bool
	drew     uint64 // characters on the screen at the begin
	pausedAt uint64
	blind    bool // the keys came before the prompt was drawn

	enter   place
	entered int64
	shown   bool   // the line feed after Enter was seen: the screen is as it was at Enter
	after   []byte // keys behind Enter
	early   bool   // canonical came before anything was written
	keep    shot

	recent  [maxRecent]string // lines of before, for recalled ones
	nRecent int

	fastKeys int // how many keys came faster than anybody types
	lastKey  int64
}

const maxRecent = 64

// New gives the tracker of one terminal.
func New(sink Sink) *Tracker {
	t := &Tracker{sink: sink, screen: newScreen()}
	t.keys.reset()
	return t
}

// Lost tells that events are missing, of which nobody knows how many.
func (t *Tracker) Lost() { t.lost = true }

// Close flushes what an ended shell has left.
func (t *Tracker) Close(at int64) {
	if t.phase == accepted {
		t.commit(at)
	}
	t.phase = cooked
}

// Exit tells that a program has ended or became another one.
func (t *Tracker) Exit(pid uint32, at int64) {
	if pid == t.pid {
		if t.phase == accepted {
			t.commit(at)
		}
		t.phase = cooked
	}
	for i := range t.readers {
		if t.readers[i].pid == pid {
			t.readers = append(t.readers[:i], t.readers[i+1:]...)
			break
		}
	}
}

func (t *Tracker) reader(pid uint32) *reader {
	for i := range t.readers {
		if t.readers[i].pid == pid {
			return &t.readers[i]
		}
	}
	if len(t.readers) >= maxReaders {
		t.readers = append(t.readers[:0], t.readers[1:]...)
	}
	t.readers = append(t.readers, reader{pid: pid})
	return &t.readers[len(t.readers)-1]
}

// Feed takes the terminal's next event.
func (t *Tracker) Feed(e *Event) {
	if t.started && e.Seq != t.seq+1 && e.Seq != 0 {
		t.lost = true
	}
	t.started, t.seq = true, e.Seq
	if t.screen.size(e.Rows, e.Cols) && t.anchored {
		t.resized = true
	}
	switch e.Kind {
	case Termios:
		t.termios(e)
	case Write:
		t.write(e)
	case Read:
		if e.Canonical {
			t.canonical(e)
		} else {
			t.raw(e)
		}
	case Secret:
		t.sink.Line(Line{Kind: Withheld, PID: e.PID, Program: e.Program, Entered: e.Time})
	}
}

func (t *Tracker) termios(e *Event) {
	if !e.edits() {
		return
	}
	if e.Canonical {
		t.toCanonical(e)
		return
	}
	if e.Echo {
		return
	}
	t.reader(e.PID).editor = true
	same := e.PID == t.pid
	switch {
	case t.phase == accepted:
		t.commit(e.Time)
	case t.phase == paused && same && t.screen.count == t.pausedAt && t.screen.y == t.enter.y && t.screen.x == t.enter.x:
		t.phase = editing
		return
	case t.phase == paused:
		t.drop(e.Time)
	case same && t.phase != cooked:
		// A signal, a list of completions or a paste made the editor set the terminal again: the line goes on. If
		// it does not, the prompt stands there anew, with nothing behind it.
		return
	}
	t.open(e, true)
}

func (t *Tracker) toCanonical(e *Event) {
	switch {
	case t.phase == accepted && e.PID == t.pid:
		if !t.shown && !t.early && t.disagrees() {
			// The line's last characters and its line feed are still to be written.
			t.early = true
			return
		}
		t.commit(e.Time)
	case t.phase != cooked && e.PID == t.pid:
		switch t.phase {
		case paused:
		case editing:
			t.phase, t.pausedAt = paused, t.screen.count
			t.enterPlace()
		default:
			if t.drawn() {
				t.sink.Dropped(e.PID, e.Time)
			}
			t.phase = cooked
		}
	}
}

// drop ends a line that nobody accepted.
func (t *Tracker) drop(at int64) {
	t.phase = cooked
	t.sink.Dropped(t.pid, at)
}

// open begins a line: the editor has the terminal and draws its prompt next.
func (t *Tracker) open(e *Event, edge bool) {
	t.phase = waiting
	t.pid, t.program, t.kind = e.PID, e.Program, Command
	if e.Interpreter {
		t.kind = Child
	}
	t.edge, t.prompted = edge, 0
	if edge {
		t.prompted = e.Time
	}
	if edge && t.screen.x != 0 && believesInColumnZero(e.Program) {
		t.screen.lineFeed()
		t.screen.x = 0
	}
	t.screen.trim()
	t.begin = place{t.screen.y, t.screen.x}
	t.forget()
	t.midway = !edge
	if edge && t.screen.x > 0 {
		// The prompt came before the switch (ksh93).
		t.sink.Prompt(t.pid, e.Time, t.screen.at(t.screen.y).text(0, t.screen.x))
	}
	carry := t.after
	t.after = nil
	if len(carry) > 0 && t.screen.x > 0 {
		t.setAnchor() // the prompt came before the switch (ksh93)
	}
	for i, b := range carry {
		if t.key(b, e) {
			t.after = append(t.after, carry[i+1:]...)
			break
		}
	}
}

// forget makes the line empty.
func (t *Tracker) forget() {
	t.keys.reset()
	t.drew = t.screen.count
	t.anchored, t.resized, t.shown, t.early, t.blind = false, false, false, false, false
	t.prompt, t.right, t.rightX = "", "", 0
	t.fastKeys, t.lastKey = 0, 0
}

// believesInColumnZero says whether an editor starts to draw without asking where the cursor is. Then what others left in
// the row is of no interest to it, as to us.
func believesInColumnZero(program string) bool {
	switch program {
	case "zsh", "fish", "ash", "busybox", "ksh93", "ksh", "yash":
		return false
	}
	return true
}

func (t *Tracker) write(e *Event) {
	if !e.edits() {
		return
	}
	if t.phase == paused {
		// Whoever writes now makes it clear that the line is gone; a resumed editor would write in raw mode.
		if e.PID == t.pid && len(e.Data) > 0 {
			t.drop(e.Time)
		}
	}
	if t.phase != cooked && e.PID != t.pid {
		return // a job in the background: the editor does not know of it
	}
	data := e.Data
	if t.phase == cooked {
		if e.Cut {
			t.screen.lineFeed()
			t.screen.x = 0
			t.screen.trim()
		}
		t.screen.write(data, e.Process, false, nothing)
		if t.screen.y-t.screen.base > 512 {
			t.screen.trim()
		}
		if n := len(data); n > 0 && data[n-1] != '\n' && !e.More && !t.reader(e.PID).editor {
			t.sink.Prompt(e.PID, e.Time, t.screen.at(t.screen.y).text(0, t.screen.x))
		}
		return
	}
	for len(data) > 0 {
		stop := t.phase == accepted && !t.shown
		committed := false
		before := t.screen.y
		rest := t.screen.write(data, e.Process, stop, func(s signal) {
			if s == pasteOff && t.phase == accepted {
				committed = true
			}
		})
		if stop && (rest != nil || data[len(data)-1] == '\n') && t.screen.y > before {
			t.shown = true
			t.freeze()
			if t.early {
				committed = true
			}
		}
		data = rest
		if committed {
			t.commit(e.Time)
			t.phase = cooked
			if !e.Canonical {
				// The editor stays in raw mode and prompts again.
				t.open(e, true)
			}
		}
	}
	if t.phase == waiting && !e.More && t.drawn() {
		t.sink.Prompt(t.pid, e.Time, t.screen.at(t.screen.y).text(0, t.screen.x))
	}
}

func nothing(signal) {}

func (t *Tracker) raw(e *Event) {
	if !e.edits() || len(e.Data) == 0 {
		return
	}
	if t.phase == paused {
		t.drop(e.Time)
	}
	if t.phase == cooked || e.PID != t.pid {
		if t.phase == accepted {
			t.commit(e.Time)
		}
		t.open(e, false)
		t.reader(e.PID).editor = true
	}
	if t.phase == accepted {
		if t.drewPrompt() {
			t.commit(e.Time)
			t.open(e, true)
		} else {
			// The editor took Enter as a line break.
			t.keys.insert('\n')
			t.phase, t.shown = editing, false
		}
	}
	if t.phase == waiting && !t.drawn() {
		t.sink.Prompt(t.pid, e.Time, "") // it has no text
	}
	t.rhythm(e)
	switch {
	case !t.anchored:
		t.setAnchor()
	case t.freshPrompt():
		// What was in the line is gone, by Ctrl-C.
		if len(t.keys.text) > 0 {
			t.sink.Dropped(e.PID, e.Time)
			t.keys.reset()
		}
		t.setAnchor()
	}
	for i, b := range e.Data {
		if t.key(b, e) {
			t.after = append(t.after[:0], e.Data[i+1:]...)
			if len(t.after) > MaxLine {
				t.after = t.after[:MaxLine]
			}
			break
		}
	}
	t.enterPlace()
}

func (t *Tracker) enterPlace() {
	if t.phase == editing || t.phase == paused {
		t.enter = place{t.screen.y, t.screen.x}
	}
}

// drewPrompt says, after Enter without a switch of the mode, whether the editor began a line of its own: there is text
// left of the cursor, in a new row.
func (t *Tracker) drewPrompt() bool {
	if !t.shown || t.screen.y <= t.enter.y {
		return false
	}
	return strings.TrimSpace(t.screen.at(t.screen.y).text(0, t.screen.x)) != ""
}

// key takes one byte of input. It says whether that was Enter.
func (t *Tracker) key(b byte, e *Event) bool {
	if t.phase == waiting {
		t.phase = editing
	}
	switch t.keys.feed(b) {
	case report:
		if t.keys.column > 0 {
			t.trueColumn(t.keys.column - 1)
			t.keys.column = 0
		}
	case aborted:
		t.keys.reset()
		t.anchored = false
	case entered:
		t.phase, t.entered, t.shown, t.early = accepted, e.Time, false, false
		t.enter = place{t.screen.y, t.screen.x}
		return true
	}
	return false
}

// drawn says whether anything was drawn since the editor took the terminal.
func (t *Tracker) drawn() bool { return t.screen.count != t.drew }

// freshPrompt says whether the cursor stands behind a prompt that was drawn anew, below the old one, and nothing behind it.
func (t *Tracker) freshPrompt() bool {
	if t.screen.y <= t.anchor.y || strings.TrimSpace(t.prompt) == "" || t.screen.x != t.anchor.x || t.keys.pending() {
		return false
	}
	r := t.screen.at(t.screen.y)
	return !t.screen.at(t.screen.y-1).wraps() && padded(r, t.screen.x) == t.prompt && strings.TrimSpace(r.text(t.screen.x, len(r.cells))) == strings.TrimSpace(t.right)
}

func (t *Tracker) setAnchor() {
	t.anchor = place{t.screen.y, t.screen.x}
	if t.screen.pend {
		t.anchor = place{t.screen.y + 1, 0}
	}
	t.anchored, t.blind = true, t.edge && !t.drawn() && t.screen.x == 0
	r := t.screen.at(t.screen.y)
	t.prompt, t.right = "", ""
	if r == nil {
		return
	}
	t.prompt = padded(r, t.screen.x)
	if !t.screen.pend {
		t.right = strings.TrimRight(r.text(t.screen.x, len(r.cells)), " ")
		t.rightX = len(r.cells)
	}
}

// padded is the text of a row's first n columns, with the blanks at their end.
func padded(r *row, n int) string {
	s := r.text(0, n)
	have := 0
	for _, c := range s {
		have += columns(c)
	}
	if have < n {
		s += strings.Repeat(" ", n-have)
	}
	return s
}

// trueColumn corrects the cursor after the terminal was asked for it.
func (t *Tracker) trueColumn(x int) {
	if t.screen.x == x || x >= t.screen.width {
		return
	}
	if len(t.keys.text) > 0 || t.phase == accepted {
		return
	}
	// What others wrote before the prompt is not on this screen; move what the editor drew to where it is.
	if r := t.screen.at(t.screen.y); r != nil && x > t.screen.x {
		t.screen.open(r, 0, x-t.screen.x)
	}
	t.screen.column(x)
	t.anchored = false
	t.setAnchor()
}

// rhythm notices what no hand types.
func (t *Tracker) rhythm(e *Event) {
	const gap = 3_000_000
	if len(e.Data) > 8 || t.lastKey != 0 && e.Time-t.lastKey < gap {
		t.fastKeys += len(e.Data)
	}
	t.lastKey = e.Time
}

func (t *Tracker) canonical(e *Event) {
	if !e.Echo {
		return
	}
	r := t.reader(e.PID)
	if len(e.Data) == 0 {
		r.line, r.cut, r.skip = r.line[:0], false, false
		return
	}
	kind := Child
	if e.Shell {
		kind = Command
		if r.editor || e.Requested == 1 && e.Program != "bash" {
			kind = Input
		}
	} else if e.Editor {
		kind = Input
	}
	data := e.Data
	for len(data) > 0 {
		i := 0
		for i < len(data) && data[i] != '\n' {
			i++
		}
		if room := MaxLine - len(r.line); i > room {
			r.line = append(r.line, data[:room]...)
			r.cut = true
		} else {
			r.line = append(r.line, data[:i]...)
		}
		if i == len(data) {
			return
		}
		data = data[i+1:]
		prompt := ""
		if row := t.screen.at(t.screen.y); row != nil {
			prompt = row.text(0, t.screen.x)
		}
		// The kernel echoed the line, and its end.
		t.screen.lineFeed()
		t.screen.x = 0
		t.screen.trim()
		l := Line{Kind: kind, PID: e.PID, Program: e.Program, Text: valid(string(r.line)), Prompt: prompt, Entered: e.Time, Truncated: r.cut}
		if r.cut {
			l.Reason = ReasonTruncated
		}
		if t.lost {
			l.Confidence, l.Reason, t.lost = Keys, ReasonLost, false
		}
		r.line, r.cut = r.line[:0], false
		t.give(l)
	}
}

// give hands a line over, if there is anything in it.
func (t *Tracker) give(l Line) {
	l.Text = strings.TrimRight(l.Text, " \t\r\n")
	if l.Text == "" {
		if l.Kind == Command {
			t.sink.Line(l)
		}
		return
	}
	if len(l.Text) > MaxLine {
		n := MaxLine
		for n > 0 && !utf8.RuneStart(l.Text[n]) {
			n--
		}
		l.Text, l.Truncated = l.Text[:n], true
	}
	if l.Kind == Command {
		t.recent[t.nRecent%maxRecent] = l.Text
		t.nRecent++
	}
	t.sink.Line(l)
}

// valid makes text UTF-8.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
