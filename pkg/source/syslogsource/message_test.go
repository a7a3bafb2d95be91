package syslogsource

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// Whatever is in a message or on a connection, it is taken or refused with a reason, and reading comes to an end.
func FuzzMessages(f *testing.F) {
	for _, text := range []string{
		"<13>1 2026-07-31T09:57:57Z node-1 falco - - - {}", "<13>Jul 31 09:57:57 node-1 falco[12]: x", "<1>", "<13>1 ", "5 <13>x\n", "<0>1 - - - - - [",
		"999999999 x", "<13>1 - - - - - - 16:17:57.881781397: Warning x",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if found, reason, err := alertsOf([]byte(text), time.Now()); (err == nil) != (reason == "") || err == nil && len(found) == 0 {
			t.Errorf("%q gave %v, %q, %v", text, found, reason, err)
		}
		frames := &framer{from: bufio.NewReaderSize(strings.NewReader(text), 16), most: 64}
		for range len(text) + 1 {
			message, err := frames.next()
			if len(message) > 1024 {
				t.Errorf("a message of %d bytes", len(message))
			}
			if err != nil && !errors.Is(err, errLong) {
				return
			}
		}
		if _, err := frames.next(); !errors.Is(err, io.EOF) {
			t.Errorf("%q holds more messages than bytes", text)
		}
	})
}
