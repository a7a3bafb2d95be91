//go:build linux

// Package terminals lets tests type into real programs on real pseudo terminals, and waits for what they show. It is for
// tests alone.
package terminals

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
	"golang.org/x/text/width"
)

// A Terminal is the master side of a pseudo terminal with a program on the other one. It answers what programs ask
// terminals for.
type Terminal struct {
	Process *os.Process

	master *os.File
	cmd    *exec.Cmd
	done   chan struct{}

	mu    sync.Mutex
	shown []byte // the last MiB
	count int
	row   []byte // since the last line break
	last  time.Time
	app   bool // cursor keys send ESC O
}

// Start runs cmd on a new terminal, as the leader of a session that has it. The terminal is closed and the program killed
// with the test.
func Start(t testing.TB, cmd *exec.Cmd, cols, rows int) *Terminal {
	t.Helper()
	term, err := start(cmd, cols, rows)
	if err != nil {
		t.Fatalf("a terminal for %s: %v", cmd, err)
	}
	t.Cleanup(term.Close)
	return term
}

func start(cmd *exec.Cmd, cols, rows int) (*Terminal, error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("opening /dev/ptmx: %w", err)
	}
	term := &Terminal{master: os.NewFile(uintptr(fd), "/dev/ptmx"), cmd: cmd, done: make(chan struct{})}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = term.Resize(cols, rows)
	}
	if err == nil {
		var mode *unix.Termios
		if mode, err = unix.IoctlGetTermios(fd, unix.TCGETS); err == nil {
			mode.Iflag |= unix.IUTF8
			err = unix.IoctlSetTermios(fd, unix.TCSETS, mode)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("setting up a terminal: %w", err), term.master.Close())
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, errors.Join(err, term.master.Close())
	}
	defer func() { _ = slave.Close() }()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, term.master.Close())
	}
	term.Process = cmd.Process
	go term.read()
	return term, nil
}

// Close hangs up.
func (t *Terminal) Close() {
	_ = t.master.Close()
	_ = t.cmd.Process.Kill()
	_ = t.cmd.Wait()
	<-t.done
}

// Resize sets the window's size.
func (t *Terminal) Resize(cols, rows int) error {
	raw, err := t.master.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = raw.Control(func(fd uintptr) {
		inner = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(rows), Col: uint16(cols)})
	})
	return errors.Join(err, inner)
}

// Shown is what the terminal has shown, control sequences and all; the last MiB of it.
func (t *Terminal) Shown() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.shown)
}

var sequences = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\x1b.`)

func (t *Terminal) read() {
	defer close(t.done)
	buf := make([]byte, 64<<10)
	for {
		n, err := t.master.Read(buf)
		if n > 0 {
			t.take(buf[:n])
		}
		if err != nil {
			return
		}
	}
}

func (t *Terminal) take(b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shown = append(t.shown, b...)
	if len(t.shown) > 1<<20 {
		t.shown = append([]byte(nil), t.shown[len(t.shown)-1<<19:]...)
	}
	t.count, t.last = t.count+len(b), time.Now()
	if on, off := bytes.LastIndex(b, []byte("\x1b[?1h")), bytes.LastIndex(b, []byte("\x1b[?1l")); on != off {
		t.app = on > off
	}
	t.row = append(t.row, b...)
	if i := bytes.LastIndexAny(t.row, "\r\n"); i >= 0 {
		t.row = append([]byte(nil), t.row[i+1:]...)
	}
	for range bytes.Count(b, []byte("\x1b[6n")) {
		_, _ = fmt.Fprintf(t.master, "\x1b[5;%dR", columns(sequences.ReplaceAll(t.row, nil))+1)
	}
	for range bytes.Count(b, []byte("\x1b[c")) {
		_, _ = io.WriteString(t.master, "\x1b[?62c")
	}
}

func columns(b []byte) int {
	n := 0
	for _, r := range string(b) {
		switch width.LookupRune(r).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			n++
		}
		if r >= ' ' {
			n++
		}
	}
	return n
}

// Quiet waits until nothing was shown for idle, at most for limit.
func (t *Terminal) Quiet(idle, limit time.Duration) {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(idle / 4) {
		t.mu.Lock()
		since := time.Since(t.last)
		t.mu.Unlock()
		if since >= idle {
			return
		}
	}
}

// Wait waits until text was shown, at most for limit, and reports whether it was.
func (t *Terminal) Wait(text string, limit time.Duration) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if strings.Contains(t.Shown(), text) {
			return true
		}
	}
	return false
}

// Ready waits for a program's first prompt.
func (t *Terminal) Ready() {
	t.moved(0, 3*time.Second)
	time.Sleep(100 * time.Millisecond)
	t.Quiet(80*time.Millisecond, 2*time.Second)
}

func (t *Terminal) moved(from int, limit time.Duration) {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(time.Millisecond) {
		t.mu.Lock()
		n := t.count
		t.mu.Unlock()
		if n != from {
			return
		}
	}
}

// Write sends text in one piece, as a paste or a fast machine does.
func (t *Terminal) Write(text string) {
	for len(text) > 0 {
		// More than the kernel takes at once would be cut.
		n := min(len(text), 2000)
		if _, err := io.WriteString(t.master, text[:n]); err != nil {
			return
		}
		if text = text[n:]; text != "" {
			time.Sleep(20 * time.Millisecond)
		}
	}
	t.Quiet(20*time.Millisecond, 500*time.Millisecond)
}

// Type sends text key by key, and waits after each until the terminal is quiet. After Enter it waits somewhat longer.
func (t *Terminal) Type(text string) {
	for _, key := range Keys(text) {
		t.mu.Lock()
		before, app := t.count, t.app
		t.mu.Unlock()
		if app && len(key) == 3 && key[0] == 0x1b && key[1] == '[' && strings.ContainsAny(key[2:], "ABCDHF") {
			key = "\x1bO" + key[2:]
		}
		if _, err := io.WriteString(t.master, key); err != nil {
			return
		}
		t.moved(before, 30*time.Millisecond)
		t.Quiet(6*time.Millisecond, 500*time.Millisecond)
	}
	if strings.HasSuffix(text, "\r") {
		time.Sleep(40 * time.Millisecond)
		t.Quiet(25*time.Millisecond, 400*time.Millisecond)
	}
}

// Keys takes text apart into what single keys send.
func Keys(text string) []string {
	var keys []string
	for len(text) > 0 {
		var n int
		switch {
		case text[0] == 0x1b && len(text) > 1 && (text[1] == '[' || text[1] == 'O'):
			for n = 2; n < len(text) && (text[n] < 0x40 || text[n] > 0x7e); n++ {
			}
			n = min(n+1, len(text))
		case text[0] == 0x1b:
			n = min(2, len(text))
		default:
			_, n = utf8.DecodeRuneInString(text)
		}
		keys, text = append(keys, text[:n]), text[n:]
	}
	return keys
}
