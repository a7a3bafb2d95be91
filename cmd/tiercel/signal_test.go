package main

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// hanging is a destination that takes requests and never answers. asked gets a value for each.
func hanging(t *testing.T) (url string, asked <-chan struct{}) {
	t.Helper()
	seen := make(chan struct{}, 64)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		seen <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	return server.URL, seen
}

// tiercel prepares the binary with a journal of its own, on a free port.
func tiercel(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(t.Context(), "tiercel", args...)
	command.Env = append(command.Environ(), "STATE_DIRECTORY="+t.TempDir(), "LISTENADDRESS=127.0.0.1", "LISTENPORT=0", "JOURNAL_RESERVE=0", "PROBE_ENABLED=false")
	return command
}

func exitCodeOf(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("expected an exit code, got %v", err)
	}
	return exit.ExitCode()
}

// A command that is interrupted before it is done says so by its exit code.
func TestInterruptedCommand(t *testing.T) {
	for name, c := range map[string]struct {
		signal syscall.Signal
		code   int
	}{"SIGINT": {syscall.SIGINT, 130}, "SIGTERM": {syscall.SIGTERM, 143}} {
		t.Run(name, func(t *testing.T) {
			url, asked := hanging(t)
			command := tiercel(t, "test")
			command.Env = append(command.Env, "WEBHOOK_ADDRESS="+url)
			var stderr strings.Builder
			command.Stderr = &stderr
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			<-asked
			if err := command.Process.Signal(c.signal); err != nil {
				t.Fatal(err)
			}
			if code := exitCodeOf(t, command.Wait()); code != c.code || stderr.String() != "tiercel: interrupted\n" {
				t.Errorf("exit code %d, standard error %q", code, stderr.String())
			}
		})
	}
}

// The first signal lets the outputs deliver for as long as draintimeout; the second ends the process at once.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	url, asked := hanging(t)
	command := tiercel(t, "run")
	command.Env = append(command.Env, "WEBHOOK_ADDRESS="+url, "DRAINTIMEOUT=1h", "WEBHOOK_TIMEOUT=1h")
	stderr, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	await := func(text string) string {
		for lines.Scan() {
			if strings.Contains(lines.Text(), text) {
				return lines.Text()
			}
		}
		t.Fatalf("standard error ended before %q: %v", text, lines.Err())
		return ""
	}
	_, rest, _ := strings.Cut(await(`"msg":"taking alerts"`), `"addresses":["`)
	address, _, _ := strings.Cut(rest, `"`)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/test", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	<-asked
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await(`"msg":"stopping"`)
	if err := command.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := exitCodeOf(t, command.Wait()); code != 130 {
		t.Errorf("exit code %d", code)
	}
}
