package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// screen is what a pseudo-terminal shows, and the keyboard before it.
type screen struct {
	t    *testing.T
	keys *os.File
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

// onTerminal starts a command whose standard streams are a pseudo-terminal, 120 columns wide.
func onTerminal(t *testing.T, command *exec.Cmd) *screen {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("there are no pseudo-terminals here: %v", err)
		}
		t.Skipf("there are no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { _ = master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 120}); err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("the pseudo-terminal cannot be opened: %v", err)
		}
		t.Skipf("the pseudo-terminal cannot be opened: %v", err)
	}
	defer tty.Close()
	command.Stdin, command.Stdout, command.Stderr = tty, tty, tty
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	s := &screen{t: t, keys: master, more: make(chan struct{}, 1)}
	go s.read(master)
	return s
}

func (s *screen) read(from io.Reader) {
	part := make([]byte, 4<<10)
	for {
		n, err := from.Read(part)
		s.mu.Lock()
		s.text.Write(part[:n])
		s.mu.Unlock()
		select {
		case s.more <- struct{}{}:
		default:
		}
		if err != nil {
			return // the process is gone
		}
	}
}

// await waits until the screen shows a pattern, and gives its groups.
func (s *screen) await(pattern string) []string {
	s.t.Helper()
	find := regexp.MustCompile(pattern)
	timeout := time.After(patience)
	for {
		s.mu.Lock()
		text := s.text.String()
		s.mu.Unlock()
		if found := find.FindStringSubmatch(text); found != nil {
			return found
		}
		select {
		case <-s.more:
		case <-timeout:
			s.t.Fatalf("the terminal does not show %s, but\n%q", pattern, text)
		}
	}
}

func (s *screen) typed(keys string) {
	s.t.Helper()
	if _, err := s.keys.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// On a terminal, without any config, it is readable at once: where it listens, a line to try, and the alerts in colour.
func TestFirstStartOnATerminal(t *testing.T) {
	command := tiercel(t, "run")
	command.Env = append(command.Env, "TERM=xterm", "NO_COLOR=")
	s := onTerminal(t, command)
	s.await(`Tiercel \S+ takes alerts on http://127\.0\.0\.1:\d+/\r\n`)
	s.await(`outputs  stdout\r\n`)
	line := s.await(`\r\n(curl -d '.*' (http://\S+))\r\n`)

	// What the line would send is taken, and shown.
	_, body, _ := strings.Cut(line[1], "-d '")
	body, _, _ = strings.Cut(body, "' http")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, line[2], strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("the line to try is answered %s", answer.Status)
	}
	s.await("\x1b\\[33mWARNING\x1b\\[0m +.*Terminal shell in container.*A shell was spawned in a container")

	s.typed("\x03") // Ctrl-C
	s.await("msg=stopping")
	if err := command.Wait(); err != nil {
		t.Errorf("Ctrl-C ended it with %v", err)
	}
}

func TestColoursOnATerminal(t *testing.T) {
	for name, c := range map[string]struct{ variable, want string }{
		"colours":  {"NO_COLOR=", "stdout  \x1b\\[32mdelivered\x1b\\[0m\r\n"},
		"NO_COLOR": {"NO_COLOR=1", "stdout  delivered\r\n"},
		"dumb":     {"TERM=dumb", "stdout  delivered\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			command := tiercel(t, "test")
			command.Env = append(command.Env, "TERM=xterm", "NO_COLOR=", c.variable)
			s := onTerminal(t, command)
			s.await(c.want)
			if err := command.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// What removes many things at once asks first.
func TestConfirmationOnATerminal(t *testing.T) {
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }))
	defer refusing.Close()
	daemon := tiercel(t, "run")
	daemon.Env = append(daemon.Env, "WEBHOOK_ADDRESS="+refusing.URL)
	s := onTerminal(t, daemon)
	url := s.await(`takes alerts on (http://\S+/)`)[1]
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"test", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	s.await("alerts became dead letters")

	for _, c := range []struct {
		keys, want string
		fails      bool
	}{
		{"\r", "tiercel: nothing was done", true},
		{"n\r", "tiercel: nothing was done", true},
		{"y\r", "1 dead letter dropped", false},
	} {
		drop := tiercel(t, "deadletters", "drop", "--all")
		drop.Env = daemon.Env // the same journal
		asked := onTerminal(t, drop)
		asked.await(`Drop 1 dead letter\? \[y/N\] $`)
		asked.typed(c.keys)
		asked.await(c.want)
		if err := drop.Wait(); (err != nil) != c.fails {
			t.Errorf("after %q it ended with %v", c.keys, err)
		}
	}
	if err := daemon.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := daemon.Wait(); err != nil {
		t.Error(err)
	}
}
