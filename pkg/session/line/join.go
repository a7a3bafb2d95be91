package line

import "strings"

// maxParts is the most lines of one command.
const maxParts = 4096

// runsAfter is how long a command that looks unfinished may go without a prompt before it counts as running: 1 second.
const runsAfter = 1_000_000_000

// A Joiner makes one line of a command that was typed as several: a loop, an open quote, a here-document. It stands between
// a Tracker and its Sink.
type Joiner struct {
	sink Sink
	held *Line  // unfinished
	at   int64  // of its last Enter
	seen bool   // a prompt came since
	pid  uint32 // of the last command
	last string // its prompt
}

// NewJoiner gives one that hands on to sink.
func NewJoiner(sink Sink) *Joiner { return &Joiner{sink: sink} }

// Line takes the tracker's next line.
func (j *Joiner) Line(l Line) {
	if l.Kind != Command {
		j.sink.Line(l)
		return
	}
	if j.held != nil && j.held.PID != l.PID {
		j.Flush()
	}
	if j.held == nil {
		if l.Text == "" {
			return
		}
		if j.pid == l.PID && second(l.Prompt) && !second(j.last) && l.Program != "fish" {
			l.Kind = Continuation
			j.sink.Line(l)
			return
		}
		j.pid, j.last = l.PID, l.Prompt
		if l.Program == "fish" || !incomplete(l.Text) {
			j.sink.Line(l)
			return
		}
		l.Parts = 1
		j.held, j.at, j.seen = &l, l.Entered, false
		return
	}
	h := j.held
	if len(h.Text)+1+len(l.Text) > MaxCommand || h.Parts >= maxParts {
		h.Truncated, h.Reason = true, ReasonTruncated
	} else {
		h.Text += "\n" + l.Text
	}
	h.Parts++
	h.Entered = l.Entered
	h.Truncated = h.Truncated || l.Truncated
	if l.Confidence > h.Confidence {
		h.Confidence, h.Reason = l.Confidence, l.Reason
	}
	if h.Entry == Typed {
		h.Entry = l.Entry
	}
	j.at, j.seen = l.Entered, false
	if h.Truncated || !incomplete(h.Text) {
		j.Flush()
	}
}

// second says whether a prompt looks like one for the rest of a command: "> ", "quote> ", "for while> ".
func second(prompt string) bool {
	p := strings.TrimSpace(prompt)
	if !strings.HasSuffix(p, ">") {
		return false
	}
	for _, c := range p[:len(p)-1] {
		if (c < 'a' || c > 'z') && c != ' ' {
			return false
		}
	}
	return true
}

// Prompt passes a prompt on. The first prompt in place of the second one says that the command is over.
func (j *Joiner) Prompt(pid uint32, at int64, text string) {
	if h := j.held; h != nil && h.PID == pid {
		j.seen = true
		if p := strings.TrimSpace(h.Prompt); p != "" && !second(p) && p == strings.TrimSpace(text) {
			j.Flush()
		}
	}
	if j.held == nil {
		j.sink.Prompt(pid, at, text)
	}
}

// Dropped passes on that a line was thrown away, and with it what it was to finish.
func (j *Joiner) Dropped(pid uint32, at int64) {
	if j.held != nil && j.held.PID == pid {
		j.Flush()
	}
	j.sink.Dropped(pid, at)
}

// Tick gives away what has been running for a while, though it looks unfinished.
func (j *Joiner) Tick(now int64) {
	if j.held != nil && !j.seen && now-j.at > runsAfter {
		j.Flush()
	}
}

// Flush gives away what is unfinished.
func (j *Joiner) Flush() {
	if h := j.held; h != nil {
		j.held = nil
		j.sink.Line(*h)
	}
}
