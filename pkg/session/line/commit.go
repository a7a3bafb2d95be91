package line

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Marks within a text that was read from the screen, which is why no program can write them there.
const (
	breakRow    = '\n' // a new row that somebody asked for
	maybeRow    = '\v' // a new row behind a full one: the margin, or asked for
	maybePad    = '\f' // a blank at the margin, where a wide character did not fit
	nearFull    = 2    // a row that lacks fewer columns than that counts as full
	tailRunes   = 20   // how much of the end must agree where the begin cannot
	tailResized = 8    // the same, in a window that has changed
)

// A shot is the line as the screen showed it.
type shot struct {
	text   []rune
	prompt string
	rows   int
	whole  []rune // with the prompt, where the window changed
}

func (t *Tracker) freeze() { t.keep = t.capture() }

// capture reads the line from the screen.
func (t *Tracker) capture() shot {
	s := t.screen
	at, prompt := t.begin, ""
	if t.anchored {
		at, prompt = t.findAnchor(), t.prompt
	}
	var whole []rune
	if t.resized {
		whole, _ = t.region(place{max(t.begin.y, s.base), 0})
	}
	text, rows := t.region(at)
	return shot{text: text, prompt: prompt, rows: rows, whole: whole}
}

// region reads the screen from a place to the end of the row in which Enter came, and what that was wrapped into.
func (t *Tracker) region(at place) ([]rune, int) {
	s := t.screen
	last := t.enter.y
	// What the line was wrapped into belongs to it; lists below do not.
	for r := s.at(last); r != nil && r.soft && s.at(last+1) != nil; r = s.at(last) {
		last++
	}
	var out []rune
	for y := at.y; y <= last; y++ {
		r := s.at(y)
		if r == nil {
			continue
		}
		from, to := 0, len(r.cells)
		if y == at.y {
			from = at.x
			to = t.withoutRight(r)
		} else if t.program == "fish" && !s.at(y-1).wraps() {
			from = min(at.x, leadingBlanks(r))
		}
		text := []rune(r.text(from, to))
		if y < last {
			next := s.at(y + 1)
			wide := next != nil && len(next.cells) > 1 && next.cells[1].char == tail
			full := r.end() > s.width-nearFull
			switch {
			case r.soft && wide && len(text) > 0 && text[len(text)-1] == ' ':
				text[len(text)-1] = maybePad
			case r.soft:
				// Blanks that were jumped over rather than written are part of the line.
				for n := len(r.cells); n > 0 && n == s.width && r.cells[n-1].char == 0 && !wide; n-- {
					text = append(text, ' ')
				}
			case full:
				text = append(text, maybeRow)
			default:
				text = append(text, breakRow)
			}
		}
		out = append(out, text...)
	}
	return trimRight(out), last - at.y + 1
}

// end is the column behind the last that was written.
func (r *row) end() int {
	n := len(r.cells)
	for n > 0 && r.cells[n-1].char == 0 {
		n--
	}
	return n
}

func (r *row) wraps() bool { return r != nil && r.soft }

func leadingBlanks(r *row) int {
	n := 0
	for n < len(r.cells) && (r.cells[n].char == 0 || r.cells[n].char == ' ') {
		n++
	}
	return n
}

// withoutRight is where the line ends in its first row, if a prompt stands at its right.
func (t *Tracker) withoutRight(r *row) int {
	n := len(r.cells)
	if t.right == "" || n != t.rightX {
		return n
	}
	w := 0
	for _, c := range strings.TrimLeft(t.right, " ") {
		w += columns(c)
	}
	from := n - w
	if from > t.anchor.x && strings.TrimRight(r.text(from, n), " ") == strings.TrimLeft(t.right, " ") {
		return from
	}
	return n
}

// findAnchor finds where the line begins: lists of completions, a cleared screen, a search draw the prompt elsewhere.
func (t *Tracker) findAnchor() place {
	s := t.screen
	if strings.TrimSpace(t.prompt) == "" {
		return t.anchor
	}
	for y := t.enter.y; y >= s.base; y-- {
		r := s.at(y)
		if r == nil || s.at(y-1).wraps() {
			continue
		}
		if padded(r, t.anchor.x) == t.prompt {
			return place{y, t.anchor.x}
		}
	}
	return t.anchor
}

func trimRight(s []rune) []rune {
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == breakRow || s[len(s)-1] == maybeRow || s[len(s)-1] == maybePad) {
		s = s[:len(s)-1]
	}
	return s
}

// disagrees says whether the screen does not show yet what the keys say.
func (t *Tracker) disagrees() bool {
	return len(t.keys.text) > 0 && !match(t.keys.text, t.capture().text)
}

// commit gives the line away that was accepted.
func (t *Tracker) commit(int64) {
	seen := t.keep
	if !t.shown {
		seen = t.capture()
	}
	t.keep = shot{}
	t.phase = cooked
	l := Line{
		Kind: t.kind, PID: t.pid, Program: t.program, Prompt: seen.prompt,
		Prompted: t.prompted, Entered: t.entered, Entry: t.entry(),
	}
	if t.keys.paste {
		t.keys.paste = false
	}
	ok := t.choose(&l, seen)
	if t.lost {
		l.Reason = ReasonLost
		if l.Confidence == Exact && t.midway {
			l.Confidence = Screen
		}
		t.lost = false
	}
	t.after = slices.Clone(t.after)
	t.forget()
	if ok {
		t.give(l)
	}
}

// choose decides what the line was. Keys are never taken alone: what the screen does not show stays unknown.
func (t *Tracker) choose(l *Line, shot shot) bool {
	typed := trimRight(slices.Clone(t.keys.text))
	shown := shot.text
	if t.resized && len(typed) > 0 {
		// The prompt may be anywhere, and what the window lost may be gone.
		if _, ok := matchTail(typed, shot.whole); ok {
			l.Text = string(typed)
			return true
		}
	}
	if len(trimRight(slices.Clone(shown))) == 0 {
		// An empty line, or one that was typed blind.
		return len(typed) == 0
	}
	if !t.anchored || t.midway || t.blind {
		if n, ok := matchTail(typed, shown); ok && len(typed) > 0 {
			l.Text = string(typed)
			if !t.anchored {
				l.Prompt = plainText(shown[:n], l.Program)
			}
			if n > 0 && t.midway && t.anchored {
				l.Confidence, l.Reason = Keys, ReasonMidway
			}
			return true
		}
		if !t.anchored {
			return false
		}
	}
	if len(typed) > 0 && match(typed, shown) {
		l.Text = string(typed)
		return true
	}
	if masked(shown) && len(typed) > 0 {
		// A program showed a mark for each key of a secret.
		l.Kind = Withheld
		t.sink.Line(Line{Kind: Withheld, PID: l.PID, Program: l.Program, Entered: l.Entered})
		return false
	}
	if text, ok := t.recall(shown); ok {
		l.Text = text
		if l.Entry == Typed {
			l.Entry = Recalled
		}
		return true
	}
	if t.keys.plain && len(typed) > 0 {
		if reason := t.partly(typed, shot); reason != "" {
			l.Text, l.Confidence, l.Reason = string(typed), Keys, reason
			return true
		}
	}
	l.Text, l.Confidence, l.Reason = plainText(shown, l.Program), Screen, ReasonDiffers
	if !t.keys.plain {
		l.Reason = ReasonEdited
	}
	if t.midway {
		l.Reason = ReasonMidway
	}
	return true
}

// partly explains why the screen holds only a part of what was typed; "" if it does not.
func (t *Tracker) partly(typed []rune, s shot) string {
	shown := s.text
	marked := len(shown) > 0 && strings.ContainsRune("<>*+", shown[len(shown)-1]) && t.anchor.x+len(shown) >= t.screen.width-2
	if s.rows == 1 && (marked || t.anchor.x+len(typed) >= t.screen.width-1) {
		core := slices.Clone(shown)
		for len(core) > 0 && strings.ContainsRune("<>*+", core[len(core)-1]) {
			core = trimRight(core[:len(core)-1])
		}
		for len(core) > 0 && strings.ContainsRune("<>*+.", core[0]) {
			core = core[1:]
		}
		if len(core) > 2 && strings.Contains(printed(typed), string(core)) {
			return ReasonScrolled
		}
	}
	end := min(tailRunes, len(typed), len(shown))
	if t.resized {
		end = min(end, tailResized)
	}
	if end < 1 {
		return ""
	}
	tails := match(typed[len(typed)-end:], shown[len(shown)-end:])
	switch {
	case tails && t.resized:
		return ReasonResized
	case tails && s.rows*2 > t.screen.height && len(typed) > len(shown):
		return ReasonScrolled
	case tails && s.rows*2 > t.screen.height:
		return ReasonScrolled
	case t.prompt != "" && strings.Contains(string(shown), strings.TrimSpace(t.prompt)):
		if _, ok := matchTail(typed, shown); ok {
			return ReasonDiffers
		}
	}
	return ""
}

// printed is what an editor shows of a text: ^X for control characters.
func printed(text []rune) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\t':
			b.WriteByte(' ')
		case r < 0x20:
			b.WriteByte('^')
			b.WriteRune(r + 0x40)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// masked says that only marks stand there, as for a password.
func masked(shown []rune) bool {
	for _, r := range shown {
		if r != '*' && r != '•' && r != '●' && r != maybeRow {
			return false
		}
	}
	return len(shown) > 0
}

// recall finds the line among those of before: the keys cannot know it, but the screen shows it.
func (t *Tracker) recall(shown []rune) (string, bool) {
	for i := 1; i <= min(t.nRecent, maxRecent); i++ {
		text := t.recent[(t.nRecent-i)%maxRecent]
		if match([]rune(text), shown) {
			return text, true
		}
	}
	return "", false
}

func (t *Tracker) entry() Entry {
	k := &t.keys
	switch {
	case k.how&recalledKey != 0:
		return Recalled
	case k.how&completedKey != 0:
		return Completed
	case k.how&pastedKey != 0, t.fastKeys >= 8 && t.fastKeys*2 > len(k.text):
		return Pasted
	}
	return Typed
}

// plainText is the screen's text without our marks.
func plainText(shown []rune, program string) string {
	var b strings.Builder
	for i, r := range shown {
		switch r {
		case maybeRow:
			if program == "fish" || program == "zsh" {
				continue
			}
		case maybePad:
		default:
			_ = i
			b.WriteRune(r)
		}
	}
	return unescape(b.String())
}

// unescape undoes what editors do to UTF-8 that they cannot show: they write the bytes in octal, mksh in hexadecimal. Text in
// which this gives no UTF-8 is left as it is.
func unescape(s string) string {
	if !strings.Contains(s, `\2`) && !strings.Contains(s, `\3`) && !strings.Contains(s, `\x`) {
		return s
	}
	var out []byte
	changed := false
	for i := 0; i < len(s); {
		if b, ok := escaped(s[i:]); ok {
			out = append(out, b)
			changed = true
			i += 4
			continue
		}
		out = append(out, s[i])
		i++
	}
	if !changed || !utf8.Valid(out) {
		return s
	}
	return string(out)
}

// escaped reads \ooo or \xHH, of a byte that is no ASCII.
func escaped(s string) (byte, bool) {
	if len(s) < 4 || s[0] != '\\' {
		return 0, false
	}
	if s[1] == 'x' {
		high, low := strings.IndexByte(upperHex, s[2]), strings.IndexByte(upperHex, s[3])
		return byte(high<<4 | low&15), high >= 8 && low >= 0 //nolint:gosec // two digits
	}
	if s[1] < '2' || s[1] > '3' || s[2] < '0' || s[2] > '7' || s[3] < '0' || s[3] > '7' {
		return 0, false
	}
	return (s[1]-'0')<<6 | (s[2]-'0')<<3 | s[3] - '0', true
}

const upperHex = "0123456789ABCDEF"
