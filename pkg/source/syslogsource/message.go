package syslogsource

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/source"
)

var errNotSyslog = errors.New("expected a syslog message, <priority> first, then as RFC 5424 or RFC 3164 have it")

// byteOrderMark may begin a message of RFC 5424 that is UTF-8.
var byteOrderMark = []byte("\uFEFF")

// alertsOf gives the alerts that a message carries. The sender's host is that of the header, where the alert names none.
func alertsOf(message []byte, received time.Time) (_ []*alert.Alert, reason string, err error) {
	text, host, ok := open(bytes.TrimRight(message, "\r\n\x00"))
	if !ok {
		return nil, source.NotSyslog, errNotSyslog
	}
	found, err := source.DecodeLine(bytes.TrimPrefix(text, byteOrderMark), received)
	if err != nil {
		return nil, source.NotText, err
	}
	for _, a := range found {
		if a.Hostname == "" {
			a.Hostname = host
		}
	}
	return found, "", nil
}

// framer reads the messages of a connection: each with its length before it, or each ended by a line break (RFC 6587).
type framer struct {
	from *bufio.Reader
	most int
}

var (
	errFrame = errors.New("expected the length of a message and a blank (RFC 6587), or < as the begin of one that a line break ends")
	errLong  = errors.New("the message is too long")
)

// next gives the next message. After errFrame nothing more can be read; after errLong, with the begin of the message, it
// can.
func (f *framer) next() ([]byte, error) {
	first, err := f.skipBreaks()
	if err != nil {
		return nil, err
	}
	if first >= '1' && first <= '9' {
		return f.counted()
	}
	if first != '<' {
		begin, _ := f.from.Peek(min(f.from.Buffered(), 1024))
		return begin, errFrame
	}
	return f.line()
}

// skipBreaks passes over what some senders put between messages, and gives the byte after it without taking it.
func (f *framer) skipBreaks() (byte, error) {
	for {
		first, err := f.from.ReadByte()
		if err != nil {
			return 0, err
		}
		if first != '\n' && first != '\r' && first != 0 {
			return first, f.from.UnreadByte()
		}
	}
}

// counted reads a message that has its length before it.
func (f *framer) counted() ([]byte, error) {
	var digits []byte
	for {
		c, err := f.from.ReadByte()
		if err != nil {
			return nil, err
		}
		if c == ' ' {
			break
		}
		if digits = append(digits, c); c < '0' || c > '9' || len(digits) > 9 {
			return digits, errFrame
		}
	}
	length, err := strconv.Atoi(string(digits))
	if err != nil {
		return digits, errFrame
	}
	message := make([]byte, min(length, f.most))
	if n, err := io.ReadFull(f.from, message); err != nil {
		return message[:n], fmt.Errorf("the connection broke off in a message of %d bytes: %w", length, io.ErrUnexpectedEOF)
	}
	if length > f.most {
		if _, err := io.CopyN(io.Discard, f.from, int64(length-f.most)); err != nil {
			return message, err
		}
		return message, errLong
	}
	return message, nil
}

// line reads a message that a line break ends, or the connection.
func (f *framer) line() ([]byte, error) {
	var message []byte
	long := false
	for {
		part, err := f.from.ReadSlice('\n')
		room := f.most - len(message)
		message = append(message, part[:min(len(part), room)]...)
		long = long || len(part) > room
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return message, err
		case long:
			return message, errLong
		}
		return message, nil
	}
}
