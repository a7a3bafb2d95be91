package stdout_test

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tiercel/tiercel/outputs/stdout"
	"github.com/tiercel/tiercel/pkg/alert"
)

// terminal opens a pseudo-terminal: what is written to tty comes out of screen.
func terminal(t *testing.T) (tty, screen *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("there are no pseudo-terminals here: %v", err)
		}
		t.Skipf("there are no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	if err := unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("the pseudo-terminal cannot be opened: %v", err)
		}
		t.Skipf("the pseudo-terminal cannot be opened: %v", err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	return tty, screen
}

func TestWhatATerminalShows(t *testing.T) {
	const plain = "18:47:21.123 WARNING   Terminal shell in container       Shell & <redirect>"
	for name, c := range map[string]struct {
		format string
		env    map[string]string
		begin  string
	}{
		"colour":   {stdout.Auto, map[string]string{"TERM": "xterm"}, "\x1b[2m18:47:21.123\x1b[0m \x1b[33mWARNING\x1b[0m   \x1b[1mTerminal shell in container\x1b[0m       Shell"},
		"NO_COLOR": {stdout.Auto, map[string]string{"TERM": "xterm", "NO_COLOR": "1"}, plain},
		"dumb":     {stdout.Pretty, map[string]string{"TERM": "dumb"}, plain},
		"JSON":     {stdout.JSON, map[string]string{"TERM": "xterm"}, `{"uuid":"00000000-0000-4000-8000-000000000002"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("NO_COLOR", "")
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			tty, screen := terminal(t)
			if err := open(t, tty, c.format).Send(t.Context(), []*alert.Alert{samples()[1]}); err != nil {
				t.Fatal(err)
			}
			got, err := bufio.NewReader(screen).ReadString('\n')
			if err != nil || !strings.HasPrefix(got, c.begin) {
				t.Errorf("%q, want it to begin with %q (%v)", got, c.begin, err)
			}
		})
	}
}

func TestNoAlertCommandsATerminal(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "xterm")
	tty, screen := terminal(t)
	hostile := samples()[2].Clone()
	hostile.Fields = alert.FieldsOf() // a terminal that nobody reads takes a few KB
	if err := open(t, tty, stdout.Auto).Send(t.Context(), []*alert.Alert{hostile}); err != nil {
		t.Fatal(err)
	}
	got, err := bufio.NewReader(screen).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	ours := strings.NewReplacer("\x1b[1;97;41m", "", "\x1b[1m", "", "\x1b[2m", "", "\x1b[0m", "", "\r\n", "")
	if rest := ours.Replace(got); strings.ContainsAny(rest, "\x00\x07\b\r\n\x1b\x7f\u009b\u202e\u2028") || !strings.Contains(rest, `\u001b[31mred`) {
		t.Errorf("%q", rest)
	}
}
