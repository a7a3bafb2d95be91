package line

import (
	"testing"
	"unicode/utf8"
)

type check struct{ t *testing.T }

func (c check) Line(l Line) {
	if !utf8.ValidString(l.Text) {
		c.t.Errorf("the text is not UTF-8: %q", l.Text)
	}
	if len(l.Text) > MaxLine {
		c.t.Errorf("a line of %d bytes", len(l.Text))
	}
	if l.Kind == Withheld && l.Text != "" {
		c.t.Errorf("a withheld line has text: %q", l.Text)
	}
}
func (check) Prompt(uint32, int64, string) {}
func (check) Dropped(uint32, int64)        {}

// FuzzTracker feeds events made of any bytes: no panic, bounded memory, valid text.
func FuzzTracker(f *testing.F) {
	f.Add([]byte("\x03\x01\x00$ \x02\x01\x01$ \x01\x01\x02l\x02\x01\x01l\x01\x01\x02\r\x02\x01\x01\r\n\x03\x01\x07"))
	f.Add([]byte("\x02\x01\x01\x1b[9999A\x1b[9999L\x1b[?1049h\x1b[4h\xed\x95\x9c\xcc\x81"))
	f.Fuzz(func(t *testing.T, data []byte) {
		tr := New(check{t})
		var n uint64
		for len(data) >= 4 {
			kind, who, mode, size := data[0], data[1], data[2], int(data[3])
			data = data[4:]
			size = min(size, len(data))
			n++
			e := Event{
				Kind: EventKind(kind%4 + 1), Time: int64(n), Seq: n + uint64(kind/128), PID: uint32(who % 3), Program: []string{"bash", "zsh", "fish", "x"}[who/8%4],
				Shell: who&128 == 0, Editor: who&64 != 0, Canonical: mode&1 != 0, Echo: mode&2 != 0, Process: mode&4 == 0,
				Rows: int(mode / 16), Cols: int(mode/8) * 3, Requested: size, Data: data[:size], Cut: kind&64 != 0, More: kind&32 != 0,
			}
			data = data[size:]
			tr.Feed(&e)
			if len(tr.screen.rows) > maxRows+1 || tr.screen.cells > maxCells+2*4096 || len(tr.keys.text) > maxKeys {
				t.Fatalf("it grew: %d rows, %d cells, %d keys", len(tr.screen.rows), tr.screen.cells, len(tr.keys.text))
			}
			cells := 0
			for _, r := range tr.screen.rows {
				cells += len(r.cells)
			}
			if cells != tr.screen.cells {
				t.Fatalf("%d cells are counted, %d are there", tr.screen.cells, cells)
			}
		}
		tr.Close(int64(n))
	})
}

// FuzzScreen draws any bytes in windows of any size.
func FuzzScreen(f *testing.F) {
	f.Add([]byte("\x1b[2;3Hx\x1b[5L\x1b[2M\x1b[3P\x1b[4@\x1b[7X\x1b[J\x1b[1J\x1b[2K한글\r\n"), uint16(3), uint16(10))
	f.Fuzz(func(_ *testing.T, data []byte, rows, cols uint16) {
		s := newScreen()
		s.size(int(rows), int(cols))
		s.write(data, true, false, nothing)
		for y := s.base; y < s.base+len(s.rows); y++ {
			s.at(y).text(0, s.width)
		}
	})
}
