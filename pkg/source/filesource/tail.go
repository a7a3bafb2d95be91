package filesource

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/source"
)

// tail is one file that is read to its end, again and again.
type tail struct {
	path  string
	file  *os.File
	info  os.FileInfo // as it was opened
	lines *source.Lines
	most  int // bytes of a line
	door  *source.Door

	head    head  // of what the file began with when it was looked at last
	size    int64 // then
	changed time.Time
	read    int64 // where the next line begins
	parts   map[string]*parts
	behind  bool      // there is more than was read
	grown   time.Time // when there was something to read last
}

// parts is a line that a container's runtime writes in several records.
type parts struct {
	begin int64 // of the first record in the file
	text  []byte
	long  bool // there was more than is read
}

// openTail opens a file to read it from an offset on.
func openTail(path string, offset int64, most int, door *source.Door) (*tail, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	t := &tail{path: path, file: f, most: most, door: door, lines: source.NewLines(f, most), parts: map[string]*parts{}, grown: time.Now()}
	if t.info, err = f.Stat(); err == nil && !t.info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", path)
	}
	if err == nil {
		err = t.seek(offset)
	}
	if err == nil {
		t.head, err = headOf(f, int(min(t.info.Size(), headSize)))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return t, nil
}

// seek goes on elsewhere; what was not finished there is forgotten.
func (t *tail) seek(offset int64) error {
	if _, err := t.file.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	t.lines.Reset(t.file)
	t.read = offset
	clear(t.parts)
	return nil
}

// check looks whether the file was emptied, and perhaps written again, since it was read last; then it is read from its
// begin. It reports whether there is something to read.
func (t *tail) check() (more, truncated bool, err error) {
	info, err := t.file.Stat()
	if err != nil {
		return false, false, err
	}
	now, changed := info.Size(), info.ModTime()
	if now == t.size && changed.Equal(t.changed) {
		return false, false, nil
	}
	at, err := t.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return false, false, err
	}
	fresh, err := headOf(t.file, t.head.Size)
	if err != nil {
		return false, false, err
	}
	if truncated = now < at || fresh != t.head; truncated {
		if err := t.seek(0); err != nil {
			return false, true, err
		}
		t.head = head{}
	}
	if t.head.Size < headSize {
		if t.head, err = headOf(t.file, int(min(now, headSize))); err != nil {
			return false, truncated, err
		}
	}
	t.size, t.changed = now, changed
	t.grown = time.Now()
	return true, truncated, nil
}

// batch reads the alerts of what is there, at most about limit bytes of them. It reports whether that was all.
func (t *tail) batch(alerts []*alert.Alert, limit int) (_ []*alert.Alert, all bool, err error) {
	for limit > 0 && len(alerts) < maxBatch {
		line, size, err := t.lines.Next()
		if errors.Is(err, io.EOF) {
			return alerts, true, nil
		}
		begin := t.read
		t.read += size
		limit -= len(line)
		switch {
		case errors.Is(err, source.ErrTooLong):
			t.refuse(begin, line, source.TooLarge, fmt.Errorf("a line of %d bytes: expected at most %d (inputs.file.maxline)", size, t.most))
		case err != nil:
			return alerts, false, err
		default:
			alerts = t.line(alerts, begin, line)
		}
	}
	return alerts, false, nil
}

// line takes the alerts of a line of the file.
func (t *tail) line(alerts []*alert.Alert, begin int64, line []byte) []*alert.Alert {
	r, ok := unwrap(line)
	if !ok {
		return t.text(alerts, begin, line)
	}
	if r.stream == "stderr" {
		return alerts // Falco's own log: its alerts are on standard output
	}
	p := t.parts[r.stream]
	if !r.partial && p == nil {
		return t.text(alerts, begin, r.text)
	}
	if p == nil {
		p = &parts{begin: begin}
		t.parts[r.stream] = p
	}
	room := t.most - len(p.text)
	p.text = append(p.text, r.text[:min(len(r.text), room)]...)
	p.long = p.long || len(r.text) > room
	if r.partial {
		return alerts
	}
	delete(t.parts, r.stream)
	if p.long {
		t.refuse(p.begin, p.text, source.TooLarge, fmt.Errorf("a line in parts of more than %d bytes (inputs.file.maxline)", t.most))
		return alerts
	}
	return t.text(alerts, p.begin, p.text)
}

// text takes the alerts of what Falco wrote as one line.
func (t *tail) text(alerts []*alert.Alert, begin int64, line []byte) []*alert.Alert {
	if len(line) == 0 {
		return alerts
	}
	found, err := source.DecodeLine(line, time.Now())
	if err != nil {
		t.refuse(begin, line, source.NotText, err)
		return alerts
	}
	return append(alerts, found...)
}

func (t *tail) refuse(begin int64, line []byte, reason string, err error) {
	t.door.Refuse(fmt.Sprintf("%s, byte %d", t.path, begin), line, reason, err)
}

// mark is how far the file was read: to where the first line begins that is not whole.
func (t *tail) mark() mark {
	m := mark{Offset: t.read, Head: t.head}
	m.Device, m.Number = identify(t.info)
	for _, p := range t.parts {
		m.Offset = min(m.Offset, p.begin)
	}
	return m
}

// rest takes what stands behind the last line break of a file to which nothing more is written.
func (t *tail) rest(alerts []*alert.Alert) []*alert.Alert {
	line, size := t.lines.Rest()
	begin := t.read
	t.read += size
	return t.line(alerts, begin, line)
}

func (t *tail) close() { _ = t.file.Close() }
