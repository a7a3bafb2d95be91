package line

import "unicode/utf8"

type parserState uint8

const (
	ground parserState = iota
	escape
	control  // CSI
	str      // OSC, DCS, APC, PM, SOS: skipped up to BEL or ST
	strEsc   // an ESC within such a string
	charset  // the one byte after ESC ( and the like
	maxParam = 16
)

// A parser takes a terminal's control sequences apart, byte by byte, as ECMA-48 and xterm have them. A sequence may be cut
// anywhere between two writes.
type parser struct {
	state   parserState
	private byte
	inter   byte
	params  [maxParam]int
	n       int
	char    [4]byte // a character that is not complete yet
	have    int
	want    int
}

func (p *parser) param(i, missing int) int {
	if i >= p.n || p.params[i] == 0 {
		return missing
	}
	return p.params[i]
}

func (p *parser) feed(s *screen, b byte, see func(signal)) {
	switch p.state {
	case ground:
		p.ground(s, b)
	case escape:
		p.escape(s, b)
	case control:
		p.control(s, b, see)
	case str:
		switch b {
		case 0x07, 0x18, 0x1a:
			p.state = ground
		case 0x1b:
			p.state = strEsc
		}
	case strEsc:
		if b == '\\' {
			p.state = ground
			return
		}
		p.state = escape
		p.escape(s, b)
	case charset:
		p.state = ground
	}
}

func (p *parser) ground(s *screen, b byte) {
	if p.have > 0 {
		if b&0xc0 == 0x80 {
			p.char[p.have] = b
			p.have++
			if p.have == p.want {
				r, _ := utf8.DecodeRune(p.char[:p.have])
				p.have = 0
				s.put(r)
			}
			return
		}
		// One mark for each byte that belongs to no character.
		for range p.have {
			s.put(utf8.RuneError)
		}
		p.have = 0
	}
	switch {
	case b == '\r':
		s.column(0)
	case b == '\b':
		if s.x > 0 {
			s.column(s.x - 1)
		} else {
			s.pend = false
		}
	case b == '\t':
		s.column((s.x/8 + 1) * 8)
	case b == '\n', b == 0x0b, b == 0x0c:
		if !s.alt {
			s.lineFeed()
		}
	case b == 0x1b:
		p.state = escape
	case b < 0x20 || b == 0x7f:
	case b < utf8.RuneSelf:
		s.put(rune(b))
	default:
		if p.want = utf8Bytes(b); p.want == 0 {
			s.put(utf8.RuneError)
			return
		}
		p.char[0], p.have = b, 1
	}
}

func (p *parser) escape(s *screen, b byte) {
	p.state = ground
	switch b {
	case '[':
		p.state = control
		p.private, p.inter, p.n = 0, 0, 0
		p.params = [maxParam]int{}
	case ']', 'P', '_', '^', 'X', 'k':
		p.state = str
	case '(', ')', '*', '+', '-', '.', '/', '#', '%', ' ':
		p.state = charset
	case '7':
		s.savedY, s.savedX = s.y, s.x
	case '8':
		s.y = max(s.savedY, s.base)
		s.column(s.savedX)
	case 'D':
		s.lineFeed()
	case 'E':
		s.lineFeed()
		s.x = 0
	case 'M':
		s.up(1)
	case 'c':
		s.clearRows(s.top(), s.bottom)
		s.y, s.x, s.pend, s.alt, s.insert, s.nowrap = s.top(), 0, false, false, false, false
	case 0x1b:
		p.state = escape
	}
}

func (p *parser) control(s *screen, b byte, see func(signal)) {
	switch {
	case b >= '0' && b <= '9':
		if p.n == 0 {
			p.n = 1
		}
		if v := &p.params[p.n-1]; *v < 100_000 {
			*v = *v*10 + int(b-'0')
		}
	case b == ';' || b == ':':
		if p.n == 0 {
			p.n = 1
		}
		if p.n < maxParam {
			p.n++
		}
	case b >= '<' && b <= '?':
		p.private = b
	case b >= 0x20 && b <= 0x2f:
		p.inter = b
	case b >= 0x40 && b <= 0x7e:
		p.state = ground
		p.dispatch(s, b, see)
	case b == 0x1b:
		p.state = escape
	case b == 0x18 || b == 0x1a:
		p.state = ground
	case b < 0x20:
		// A control character within a sequence is executed, and the sequence goes on.
		p.state = ground
		p.ground(s, b)
		if p.state == ground {
			p.state = control
		}
	}
}

func (p *parser) dispatch(s *screen, b byte, see func(signal)) {
	if p.private != 0 {
		if p.private == '?' && (b == 'h' || b == 'l') {
			p.modes(s, b == 'h', see)
		}
		return
	}
	if p.inter != 0 || (s.alt && b != 'h' && b != 'l') {
		return
	}
	// No count can do more than the largest window allows.
	n := min(p.param(0, 1), 4096)
	switch b {
	case 'A', 'k':
		s.up(n)
	case 'B', 'e':
		s.down(n)
	case 'C', 'a':
		s.column(s.x + n)
	case 'D', 'j':
		s.column(s.x - n)
	case 'E':
		s.down(n)
		s.x = 0
	case 'F':
		s.up(n)
		s.x = 0
	case 'G', '`':
		s.column(n - 1)
	case 'H', 'f':
		s.y = s.top() + min(n, s.height) - 1
		s.column(min(p.param(1, 1), 4096) - 1)
		s.here()
	case 'd':
		s.y = s.top() + min(n, s.height) - 1
		s.pend = false
		s.here()
	case 'I':
		s.column((s.x/8 + n) * 8)
	case 'Z':
		s.column((s.x+7)/8*8 - n*8)
	case 'J':
		p.erase(s, see)
	case 'K':
		r := s.here()
		switch p.param(0, 0) {
		case 0:
			s.blank(r, s.x, s.width)
		case 1:
			s.blank(r, 0, s.x+1)
		case 2:
			s.blank(r, 0, s.width)
		}
	case 'L':
		s.insertRows(n)
	case 'M':
		s.insertRows(-n)
	case 'P':
		s.remove(s.here(), s.x, n)
	case 'X':
		s.blank(s.here(), s.x, min(s.x+n, s.width))
	case '@':
		s.open(s.here(), s.x, n)
	case 'b':
		if s.last != 0 {
			for range n {
				s.put(s.last)
			}
		}
	case 'h', 'l':
		for i := range p.n {
			if p.params[i] == 4 {
				s.insert = b == 'h'
			}
		}
	case 's':
		s.savedY, s.savedX = s.y, s.x
	case 'u':
		s.y = max(s.savedY, s.base)
		s.column(s.savedX)
	}
}

func (p *parser) erase(s *screen, see func(signal)) {
	r := s.here()
	switch p.param(0, 0) {
	case 0:
		s.blank(r, s.x, s.width)
		s.clearRows(s.y+1, s.bottom)
	case 1:
		s.blank(r, 0, s.x+1)
		s.clearRows(s.top(), s.y-1)
	case 2:
		s.clearRows(s.top(), s.bottom)
		see(cleared)
	}
}

func (p *parser) modes(s *screen, on bool, see func(signal)) {
	for i := range p.n {
		switch p.params[i] {
		case 7:
			s.nowrap = !on
		case 47, 1047, 1049:
			s.alt = on
		case 2004:
			s.bracketed = on
			if on {
				see(pasteOn)
			} else {
				see(pasteOff)
			}
		}
	}
}
