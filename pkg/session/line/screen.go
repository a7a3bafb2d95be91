package line

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of a screen's memory. A line that needs more is cut and says so.
const (
	maxRows  = 4096
	maxCells = 1 << 17
	maxComb  = 32 // bytes of combining characters in one cell
)

// A cell is one column of a row. A character of two columns has its tail in the next cell.
type cell struct {
	char rune // 0 for a blank that nobody wrote, tail for the second half of a wide character
	comb string
}

const tail rune = -1

type row struct {
	cells []cell
	// soft says that the row went on in the next one by itself, at the margin.
	soft bool
}

// A screen is what a terminal would show, with two differences: it has as many rows as are needed, so that a line that is
// longer than the window stays whole, and it knows which rows were wrapped. It holds what one program drew; the
// output of others is not in it.
type screen struct {
	rows   []row
	base   int // number of the first row that is still kept
	cells  int // all cells kept
	y, x   int // place of the cursor, y counted from the very first row
	pend   bool
	width  int
	height int
	bottom int // the lowest row that was reached

	insert, nowrap, alt bool
	bracketed           bool // the program asked for paste brackets
	savedY, savedX      int
	last                rune   // for REP
	count               uint64 // characters drawn

	parser parser
}

func newScreen() *screen {
	s := &screen{width: 80, height: 24}
	s.rows = append(s.rows, row{})
	return s
}

// size sets the size of the window; 0 stands for what a program assumes that asks a terminal of no size.
func (s *screen) size(rows, cols int) (changed bool) {
	if rows <= 0 {
		rows = 24
	}
	if cols <= 0 {
		cols = 80
	}
	cols, rows = min(cols, 4096), min(rows, 4096)
	changed = cols != s.width
	s.width, s.height = cols, rows
	if s.x >= cols {
		s.x = cols - 1
	}
	if changed {
		s.pend = false
	}
	return changed
}

// at gives a row by its number, nil where it is not kept.
func (s *screen) at(y int) *row {
	i := y - s.base
	if i < 0 || i >= len(s.rows) {
		return nil
	}
	return &s.rows[i]
}

// here gives the cursor's row and makes those that are missing.
func (s *screen) here() *row {
	if s.y < s.base {
		s.y = s.base
	}
	for s.y-s.base >= len(s.rows) {
		s.rows = append(s.rows, row{})
	}
	s.bottom = max(s.bottom, s.y)
	for len(s.rows) > maxRows || (s.cells > maxCells && len(s.rows) > 1) {
		if s.base >= s.y {
			break
		}
		s.cells -= len(s.rows[0].cells)
		s.rows[0] = row{}
		s.rows = s.rows[1:]
		s.base++
	}
	return &s.rows[s.y-s.base]
}

// top is the first row of the window.
func (s *screen) top() int { return max(s.base, s.bottom-s.height+1) }

// trim forgets the rows above the cursor.
func (s *screen) trim() {
	s.here()
	i := s.y - s.base
	for _, r := range s.rows[:i] {
		s.cells -= len(r.cells)
	}
	s.rows = append([]row(nil), s.rows[i:]...)
	s.base = s.y
}

func (s *screen) lineFeed() {
	s.y++
	s.pend = false
	s.here()
}

func (s *screen) up(n int) {
	s.y = max(s.y-n, s.top())
	s.pend = false
}

func (s *screen) down(n int) {
	s.y = min(s.y+n, max(s.bottom, s.top()+s.height-1))
	s.pend = false
	s.here()
}

func (s *screen) column(x int) {
	s.x = min(max(x, 0), s.width-1)
	s.pend = false
}

func (s *screen) grow(r *row, n int) {
	if n > len(r.cells) {
		s.cells += n - len(r.cells)
		r.cells = append(r.cells, make([]cell, n-len(r.cells))...)
	}
}

// cut takes the cells of a row from x to the end away.
func (s *screen) cut(r *row, x int) {
	if x < len(r.cells) {
		s.cells -= len(r.cells) - x
		clear(r.cells[x:])
		r.cells = r.cells[:x]
	}
	r.soft = false
}

// put writes one character at the cursor.
func (s *screen) put(c rune) {
	if s.alt {
		return
	}
	w := columns(c)
	if w == 0 {
		s.combine(c)
		return
	}
	if s.pend || (w == 2 && s.x == s.width-1 && s.width > 1) {
		if !s.nowrap {
			r := s.here()
			r.soft = true
			s.x = 0
			s.lineFeed()
		}
		s.pend = false
	}
	r := s.here()
	if s.insert {
		s.open(r, s.x, w)
	}
	s.grow(r, min(s.x+w, s.width))
	s.heal(r, s.x)
	s.heal(r, s.x+w)
	r.cells[s.x] = cell{char: c}
	if w == 2 && s.x+1 < len(r.cells) {
		r.cells[s.x+1] = cell{char: tail}
	}
	s.last = c
	s.count++
	s.x += w
	if s.x >= s.width {
		s.x = s.width - 1
		s.pend = true
	}
}

// heal blanks the other half of a wide character that is cut in two at x.
func (s *screen) heal(r *row, x int) {
	if x > 0 && x < len(r.cells) && r.cells[x].char == tail {
		r.cells[x] = cell{}
		r.cells[x-1] = cell{}
	}
}

func (s *screen) combine(c rune) {
	r := s.here()
	x := s.x - 1
	if s.pend {
		x = s.x
	}
	if x >= 0 && x < len(r.cells) && r.cells[x].char == tail {
		x--
	}
	if x < 0 || x >= len(r.cells) || r.cells[x].char == 0 || len(r.cells[x].comb) > maxComb {
		return
	}
	r.cells[x].comb += string(c)
}

// open makes room for n cells at x.
func (s *screen) open(r *row, x, n int) {
	if x >= len(r.cells) {
		return
	}
	n = min(n, s.width)
	s.heal(r, x)
	before := len(r.cells)
	r.cells = slices.Insert(r.cells, x, make([]cell, n)...)
	if len(r.cells) > s.width {
		clear(r.cells[s.width:])
		r.cells = r.cells[:s.width]
	}
	s.cells += len(r.cells) - before
}

// remove takes n cells at x away and draws the rest nearer.
func (s *screen) remove(r *row, x, n int) {
	if x >= len(r.cells) {
		return
	}
	s.heal(r, x)
	n = min(n, len(r.cells)-x)
	s.heal(r, x+n)
	r.cells = slices.Delete(r.cells, x, x+n)
	s.cells -= n
	r.soft = false
}

// blank erases cells [from, to) of a row.
func (s *screen) blank(r *row, from, to int) {
	if to >= len(r.cells) && to >= s.width {
		s.heal(r, from)
		s.cut(r, from)
		return
	}
	for x := max(from, 0); x < min(to, len(r.cells)); x++ {
		r.cells[x] = cell{}
	}
}

// clearRows forgets what stands in the rows from y to the end.
func (s *screen) clearRows(from, to int) {
	for y := max(from, s.base); y <= to; y++ {
		if r := s.at(y); r != nil {
			s.cut(r, 0)
		}
	}
}

// insertRows moves the rows from the cursor on down, or up where n is negative.
func (s *screen) insertRows(n int) {
	s.here()
	i := s.y - s.base
	if n < 0 {
		n = min(-n, len(s.rows)-i)
		for _, r := range s.rows[i : i+n] {
			s.cells -= len(r.cells)
		}
		s.rows = slices.Delete(s.rows, i, i+n)
	} else {
		n = min(n, s.height)
		s.rows = slices.Insert(s.rows, i, make([]row, n)...)
		// What is moved out of the window is gone.
		if last := s.top() + s.height - s.base; last < len(s.rows) && last > i {
			for _, r := range s.rows[last:] {
				s.cells -= len(r.cells)
			}
			clear(s.rows[last:])
			s.rows = s.rows[:last]
		}
	}
	s.here()
	s.bottom = max(s.base+len(s.rows)-1, s.y)
}

// text gives the characters of a row's cells [from, to). Blanks that nobody wrote at the end are left out.
func (r *row) text(from, to int) string {
	if r == nil {
		return ""
	}
	to = min(to, len(r.cells))
	for to > from && r.cells[to-1].char == 0 {
		to--
	}
	var b strings.Builder
	for x := from; x < to; x++ {
		switch c := r.cells[x]; c.char {
		case tail:
		case 0:
			b.WriteByte(' ')
		default:
			b.WriteRune(c.char)
			b.WriteString(c.comb)
		}
	}
	return b.String()
}

// write draws what a program wrote. It stops after the first line feed when stop is set, and gives what is left. Signals
// that the tracker wants to know are given to see.
func (s *screen) write(data []byte, opost, stop bool, see func(signal)) (rest []byte) {
	for i := range data {
		b := data[i]
		if s.parser.state == ground && b >= 0x20 && b < 0x7f && s.parser.have == 0 {
			s.put(rune(b))
			continue
		}
		if s.parser.state == ground && b == '\n' && s.parser.have == 0 {
			if !s.alt {
				s.lineFeed()
				if opost {
					s.x = 0
				}
			}
			if stop {
				return data[i+1:]
			}
			continue
		}
		s.parser.feed(s, b, see)
	}
	return nil
}

// A signal is what a program tells its terminal that says something about the line.
type signal uint8

const (
	pasteOn signal = iota + 1
	pasteOff
	cleared
)

// utf8Bytes is how many bytes a character has that begins with b; 0 if none does.
func utf8Bytes(b byte) int {
	switch {
	case b < utf8.RuneSelf:
		return 1
	case b >= 0xc2 && b < 0xe0:
		return 2
	case b >= 0xe0 && b < 0xf0:
		return 3
	case b >= 0xf0 && b < 0xf5:
		return 4
	}
	return 0
}
