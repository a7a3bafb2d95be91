package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes this test binary the program itself, when the scripts call it by its name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tiercel": main})
}

// TestScripts runs the whole binary from end to end, as testdata/script has it. Beside testscript's own commands the
// scripts have:
//
//	listen NAME [STATUS[:BODY]…]   a destination at $NAME that answers so, the last answer for ever (200 if not said)
//	answers NAME STATUS[:BODY]…    what it answers from now on
//	requests NAME N                waits until it has had N requests, and writes them to standard output
//	expand FILE…                   puts variables into files: $NAME
//	start [NAME=VALUE…] [ARG…]     tiercel in the background, on a free port; $url, $port are where it takes alerts
//	stop [SIGNAL]                  ends it, by SIGTERM if not said, and waits; its exit code must be 0, ! stop: not 0
//	hangup                         sends it SIGHUP
//	post FILE [STATUS]             posts a file to it; the answer's body is on standard output, its status 200 if not said
//	eventually PATTERN COMMAND…    runs a command until its standard output matches, for at most 20 s; the command
//	                               get PATH asks the background process
//
// What the background process writes is in the files out.log and err.log.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup:               setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"listen":     listen,
			"answers":    answers,
			"requests":   requests,
			"expand":     expand,
			"start":      start,
			"stop":       stop,
			"hangup":     hangup,
			"post":       post,
			"eventually": eventually,
		},
	})
}

// world is what one script has running.
type world struct {
	destinations map[string]*destination
	daemon       *daemon
}

type worldKey struct{}

func setup(env *testscript.Env) error {
	w := &world{destinations: make(map[string]*destination)}
	env.Values[worldKey{}] = w
	env.Defer(func() {
		if w.daemon != nil {
			w.daemon.kill()
		}
		for _, d := range w.destinations {
			d.Close()
		}
	})
	env.Setenv("STATE_DIRECTORY", filepath.Join(env.WorkDir, "state"))
	env.Setenv("LISTENADDRESS", "127.0.0.1")
	env.Setenv("LISTENPORT", "0")
	env.Setenv("JOURNAL_RESERVE", "0")
	env.Setenv("TZ", "UTC")
	env.Setenv("PROBE_ENABLED", "false") // what else happens on this machine is no part of a script
	return nil
}

func worldOf(ts *testscript.TestScript) *world {
	w, ok := ts.Value(worldKey{}).(*world)
	if !ok {
		ts.Fatalf("the script has no world")
	}
	return w
}

// expand puts variables into files.
func expand(ts *testscript.TestScript, neg bool, files []string) {
	if neg || len(files) == 0 {
		ts.Fatalf("usage: expand FILE…")
	}
	for _, file := range files {
		text := os.Expand(ts.ReadFile(file), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o600))
	}
}

// patience is how long scripts wait for what must happen.
const patience = 20 * time.Second

// until asks often whether something has happened.
func until(ts *testscript.TestScript, what string, happened func() bool) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			ts.Fatalf("did not happen within %s: %s", patience, what)
		}
	}
}

// environ gives the variables that the program gets: those of the setup, and those given as NAME=VALUE before its
// arguments, which come without them.
func environ(ts *testscript.TestScript, args []string) (all, rest []string) {
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "STATE_DIRECTORY", "LISTENADDRESS", "LISTENPORT", "JOURNAL_RESERVE", "TZ", "PROBE_ENABLED"} {
		all = append(all, name+"="+ts.Getenv(name))
	}
	for len(args) > 0 && strings.Contains(args[0], "=") && !strings.HasPrefix(args[0], "-") {
		all = append(all, args[0])
		args = args[1:]
	}
	return all, args
}
