package line

import (
	"bytes"
	"testing"
)

type nowhere struct{}

func (nowhere) Line(Line)                    {}
func (nowhere) Prompt(uint32, int64, string) {}
func (nowhere) Dropped(uint32, int64)        {}

// BenchmarkLine is a line of 32 keys from prompt to prompt: 68 events.
func BenchmarkLine(b *testing.B) {
	b.ReportAllocs()
	t := New(nowhere{})
	n := uint64(0)
	feed := func(e Event) {
		n++
		e.Time, e.Seq, e.PID, e.Program, e.Shell, e.Process, e.Rows, e.Cols = int64(n)*1e7, n, 7, "bash", true, true, 24, 80
		t.Feed(&e)
	}
	text := []byte(`echo "hello world" > example.txt`)
	for b.Loop() {
		feed(Event{Kind: Termios})
		feed(Event{Kind: Write, Data: []byte("\x1b[?2004h$ ")})
		for i := range text {
			feed(Event{Kind: Read, Requested: 1, Data: text[i : i+1]})
			feed(Event{Kind: Write, Data: text[i : i+1]})
		}
		feed(Event{Kind: Read, Requested: 1, Data: []byte("\r")})
		feed(Event{Kind: Write, Data: []byte("\r\n\x1b[?2004l\r")})
		feed(Event{Kind: Termios, Canonical: true, Echo: true})
	}
}

// BenchmarkOutput is what a shell's built-in prints in canonical mode: 1 KiB at a time.
func BenchmarkOutput(b *testing.B) {
	b.ReportAllocs()
	t := New(nowhere{})
	data := bytes.Repeat([]byte("0123456789abcde\n"), 64)
	b.SetBytes(int64(len(data)))
	n := uint64(0)
	for b.Loop() {
		n++
		t.Feed(&Event{
			Kind: Write, Time: int64(n), Seq: n, PID: 7, Program: "bash", Shell: true, Canonical: true, Echo: true, Process: true, Rows: 24, Cols: 80, Data: data,
		})
	}
}
