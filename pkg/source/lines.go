package source

import (
	"bytes"
	"errors"
	"io"
)

// ErrTooLong says that a line is longer than is read.
var ErrTooLong = errors.New("the line is too long")

// Lines reads lines of at most so many bytes from what may grow: after io.EOF it can be asked again.
type Lines struct {
	from io.Reader
	most int

	buf     []byte // read and not given out
	scanned int    // bytes of buf in which there is no line break
	skipped int64  // bytes of the line that is too long, of which buf holds no longer the begin
	begin   []byte // of that line
}

// NewLines makes a reader of lines of at most most bytes without their break.
func NewLines(from io.Reader, most int) *Lines { return &Lines{from: from, most: most} }

// readSize is how much is read at once, at least, in bytes.
const readSize = 64 << 10

// Next gives the next line without its break (\n or \r\n), and how many bytes it took with it. The line is valid until
// the next call. With ErrTooLong it is the begin of the line, and the next call gives what follows the whole of it. With
// another error there is no line; [Lines.Rest] is what came after the last one.
func (l *Lines) Next() (line []byte, size int64, err error) {
	for {
		if at := bytes.IndexByte(l.buf[l.scanned:], '\n'); at >= 0 {
			end := l.scanned + at
			line, size = l.buf[:end], l.skipped+int64(end)+1
			l.buf, l.scanned = l.buf[end+1:], 0
			if l.skipped > 0 || len(line) > l.most {
				if l.skipped > 0 {
					line = l.begin
				}
				l.skipped, l.begin = 0, nil
				return line[:min(len(line), l.most)], size, ErrTooLong
			}
			return bytes.TrimSuffix(line, []byte("\r")), size, nil
		}
		l.scanned = len(l.buf)
		if len(l.buf) > l.most {
			if l.skipped == 0 {
				l.begin = bytes.Clone(l.buf[:min(l.most, keptOfRefused)])
			}
			l.skipped += int64(len(l.buf))
			l.buf, l.scanned = l.buf[:0], 0
		}
		if err := l.fill(); err != nil {
			return nil, 0, err
		}
	}
}

// fill reads more.
func (l *Lines) fill() error {
	if cap(l.buf)-len(l.buf) < readSize/2 {
		grown := make([]byte, len(l.buf), max(2*len(l.buf), readSize))
		copy(grown, l.buf)
		l.buf = grown
	}
	n, err := l.from.Read(l.buf[len(l.buf):cap(l.buf)])
	l.buf = l.buf[:len(l.buf)+n]
	if n > 0 {
		return nil // an error comes again
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// Rest gives the line that has no break yet, and how many bytes it has so far.
func (l *Lines) Rest() (line []byte, size int64) {
	if l.skipped > 0 {
		return l.begin, l.skipped + int64(len(l.buf))
	}
	return l.buf, int64(len(l.buf))
}

// Reset forgets what was read and not given out, to go on somewhere else.
func (l *Lines) Reset(from io.Reader) { *l = Lines{from: from, most: l.most} }
