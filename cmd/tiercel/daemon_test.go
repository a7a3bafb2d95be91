package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// daemon is a tiercel in the background.
type daemon struct {
	command *exec.Cmd
	ended   chan struct{} // closed when the process is gone
	err     error         // then: how it ended
	errLog  string
	files   []*os.File
}

func start(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	if neg || w.daemon != nil {
		ts.Fatalf("usage: start [NAME=VALUE…] [ARG…], once at a time")
	}
	variables, args := environ(ts, args)
	out, err := os.Create(ts.MkAbs("out.log"))
	ts.Check(err)
	errs, err := os.Create(ts.MkAbs("err.log"))
	ts.Check(err)
	command := exec.Command(program(ts, "tiercel"), args...)
	command.Dir = ts.MkAbs(".")
	command.Env = variables
	command.Stdout, command.Stderr = out, errs
	ts.Check(command.Start())
	d := &daemon{command: command, ended: make(chan struct{}), errLog: errs.Name(), files: []*os.File{out, errs}}
	w.daemon = d
	go func() {
		d.err = command.Wait()
		close(d.ended)
	}()
	until(ts, "tiercel takes alerts", func() bool {
		address := d.address()
		if address != "" {
			ts.Setenv("url", "http://"+address+"/")
			ts.Setenv("port", address[strings.LastIndexByte(address, ':')+1:])
			return true
		}
		select {
		case <-d.ended:
			text, _ := os.ReadFile(d.errLog)
			ts.Fatalf("tiercel ended: %v\n%s", d.err, text)
		default:
		}
		return false
	})
}

// program finds a program as the script's shell would.
func program(ts *testscript.TestScript, name string) string {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path
		}
	}
	ts.Fatalf("there is no %s in PATH", name)
	return ""
}

// address finds in the log where alerts are taken, once it is there.
func (d *daemon) address() string {
	text, err := os.ReadFile(d.errLog)
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(text) {
		var entry struct {
			Msg       string   `json:"msg"`
			Addresses []string `json:"addresses"`
		}
		if json.Unmarshal(line, &entry) == nil && entry.Msg == "taking alerts" && len(entry.Addresses) > 0 {
			return entry.Addresses[0]
		}
	}
	return ""
}

// hangup sends it SIGHUP.
func hangup(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	if neg || w.daemon == nil || len(args) > 0 {
		ts.Fatalf("usage: hangup, after start")
	}
	ts.Check(w.daemon.command.Process.Signal(syscall.SIGHUP))
}

func stop(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	if w.daemon == nil || len(args) > 1 {
		ts.Fatalf("usage: stop [SIGNAL], after start")
	}
	signal := syscall.SIGTERM
	if len(args) == 1 {
		signal = map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL}[args[0]]
	}
	d := w.daemon
	w.daemon = nil
	defer d.kill()
	ts.Check(d.command.Process.Signal(signal))
	until(ts, "tiercel ends", func() bool {
		select {
		case <-d.ended:
			return true
		default:
			return false
		}
	})
	if failed := d.err != nil; failed != neg {
		text, _ := os.ReadFile(d.errLog)
		ts.Fatalf("tiercel ended with %v\n%s", d.err, text)
	}
}

// kill ends the process, if it still runs, and waits.
func (d *daemon) kill() {
	_ = d.command.Process.Kill()
	<-d.ended
	for _, f := range d.files {
		_ = f.Close()
	}
}

func post(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 || len(args) > 2 {
		ts.Fatalf("usage: post FILE [STATUS]")
	}
	want := http.StatusOK
	if len(args) == 2 {
		var err error
		want, err = strconv.Atoi(args[1])
		ts.Check(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, ts.Getenv("url"), strings.NewReader(ts.ReadFile(args[0])))
	ts.Check(err)
	req.Close = true
	got, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	ts.Check(err)
	if got.StatusCode != want {
		ts.Fatalf("expected the answer %d, got %s: %s", want, got.Status, body)
	}
	_, err = ts.Stdout().Write(body)
	ts.Check(err)
}

func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually PATTERN COMMAND…")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	variables, _ := environ(ts, nil)
	var out []byte
	until(ts, fmt.Sprintf("%s in what %s writes", args[0], strings.Join(args[1:], " ")), func() bool {
		if args[1] == "get" {
			out = get(ts, args[2])
			return pattern.Match(out)
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		command := exec.CommandContext(ctx, program(ts, args[1]), args[2:]...)
		command.Dir = ts.MkAbs(".")
		command.Env = variables
		out, err = command.Output()
		return pattern.Match(out)
	})
	_, err = ts.Stdout().Write(out)
	ts.Check(err)
}

// get gives what the background process answers at a path.
func get(ts *testscript.TestScript, path string) []byte {
	answer, err := http.Get(ts.Getenv("url") + path)
	ts.Check(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	ts.Check(err)
	return text
}
