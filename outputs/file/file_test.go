package file_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/outputs/file"
	"github.com/tiercel/tiercel/outputs/outputtest"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/size"
	"github.com/tiercel/tiercel/pkg/verdict"
)

func TestContract(t *testing.T) {
	dir, path, n := t.TempDir(), "", 0
	outputtest.Run(t, file.Spec, func(string) outputs.Config {
		n++
		path = filepath.Join(dir, fmt.Sprint(n), "alerts.json")
		c := file.Defaults()
		c.Path = path
		return &c
	}, outputtest.Local(func(string) string { return read(t, path) }),
		// Lumberjack's goroutine for old files waits for ever; there is one per output, and no way to end it.
		outputtest.Leaves("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"))
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// open makes the output and closes it with the test.
func open(t testing.TB, path string, change func(*file.Config)) outputs.Output {
	t.Helper()
	c := file.Defaults()
	c.Path = path
	if change != nil {
		change(&c)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	output, err := file.New(outputs.Env{}, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = output.(io.Closer).Close() })
	return output
}

// numbered makes alerts with the rules first, first+1 and so on, each about as long as length, in bytes.
func numbered(t testing.TB, first, n, length int) []*alert.Alert {
	t.Helper()
	var batch []*alert.Alert
	for i := range n {
		text := fmt.Sprintf(`{"rule":"%d","priority":"debug","time":"2026-01-31T12:00:00Z","output":%q}`, first+i, strings.Repeat("x", length))
		a, err := alert.DecodeOne([]byte(text), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		batch = append(batch, a)
	}
	return batch
}

func send(t testing.TB, output outputs.Output, batch []*alert.Alert) {
	t.Helper()
	if err := output.Send(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
}

// rules lists the rules of the lines of the given texts; each line must be an alert.
func rules(t testing.TB, texts ...string) []string {
	t.Helper()
	var all []string
	for _, text := range texts {
		for line := range strings.Lines(text) {
			var a struct{ Rule string }
			if err := json.Unmarshal([]byte(line), &a); err != nil || !strings.HasSuffix(line, "\n") {
				t.Fatalf("no whole line: %.80q (%v)", line, err)
			}
			all = append(all, a.Rule)
		}
	}
	return all
}

// count makes the rules of numbered.
func count(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprint(i))
	}
	return all
}

func TestLinesAreAppended(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "folder", "alerts.json")
	output := open(t, path, nil)
	send(t, output, numbered(t, 0, 2, 10))
	send(t, output, numbered(t, 2, 1, 10))
	if err := output.(io.Closer).Close(); err != nil {
		t.Fatal(err)
	}
	send(t, open(t, path, nil), numbered(t, 3, 1, 10)) // after a restart
	if got := rules(t, read(t, path)); !slices.Equal(got, count(4)) {
		t.Errorf("%v", got)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v (%v): alerts are for their owner alone", info.Mode(), err)
	}
}

func TestRotationLosesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		length, batch, batches int
	}{
		"small alerts":             {1000, 100, 50},
		"each alert begins a file": {700_000, 1, 25},
		"batch larger than a file": {100_000, 35, 2},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			output := open(t, filepath.Join(dir, "alerts.json"), func(c *file.Config) {
				c.Fsync = false // faster, so that names of old files come closer to each other
				c.Rotate = file.Rotate{MaxSize: size.MiB}
			})
			for i := range c.batches {
				send(t, output, numbered(t, i*c.batch, c.batch, c.length))
			}
			files, err := filepath.Glob(filepath.Join(dir, "*")) // old files first: their names sort before
			if err != nil || len(files) < 2 {
				t.Fatalf("%v (%v)", files, err)
			}
			var texts []string
			for _, path := range files {
				text := read(t, path)
				if len(text) > 1<<20 {
					t.Errorf("%s has %d bytes", path, len(text))
				}
				texts = append(texts, text)
			}
			if got, want := rules(t, texts...), count(c.batch*c.batches); !slices.Equal(got, want) {
				t.Errorf("%d alerts in %d files, want %d in order", len(got), len(files), len(want))
			}
		})
	}
}

func TestAnAlertLargerThanAFileIsRefusedAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.json")
	output := open(t, path, func(c *file.Config) { c.Rotate.MaxSize = size.MiB })
	batch := slices.Concat(numbered(t, 0, 1, 10), numbered(t, 99, 1, 1<<20), numbered(t, 1, 1, 10))
	err := output.Send(t.Context(), batch)
	var partial verdict.Partial
	if !errors.As(err, &partial) || len(partial) != 1 || !verdict.IsPermanent(partial[1]) || verdict.ReasonOf(partial[1]) != verdict.TooLarge {
		t.Fatalf("got %v", err)
	}
	if got := rules(t, read(t, path)); !slices.Equal(got, count(2)) {
		t.Errorf("%v", got)
	}
	send(t, output, numbered(t, 2, 1, 1<<20-300)) // one that just fits
}

func TestAHalfLineOfACrashStaysByItself(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.json")
	if err := os.WriteFile(path, []byte("{\"rule\":\"a\"}\n{\"rule\":\"b"), 0o600); err != nil {
		t.Fatal(err)
	}
	output := open(t, path, nil)
	for i := range 2 {
		send(t, output, numbered(t, i, 1, 10))
	}
	begin, rest, ok := strings.Cut(read(t, path), "\"b\n")
	if !ok || begin != "{\"rule\":\"a\"}\n{\"rule\":" || !slices.Equal(rules(t, rest), count(2)) {
		t.Errorf("%q", read(t, path))
	}
}

// TestOtherProgramsMayRotate does what logrotate does, both ways, and what people do.
func TestOtherProgramsMayRotate(t *testing.T) {
	for name, disturb := range map[string]func(path string) error{
		"moved":     func(path string) error { return os.Rename(path, path+".1") },
		"removed":   os.Remove,
		"truncated": func(path string) error { return os.Truncate(path, 0) },
	} {
		for _, fsync := range []bool{true, false} {
			path := filepath.Join(t.TempDir(), "alerts.json")
			output := open(t, path, func(c *file.Config) { c.Fsync = fsync })
			send(t, output, numbered(t, 100, 3, 10))
			if err := disturb(path); err != nil {
				t.Fatal(err)
			}
			send(t, output, numbered(t, 0, 1, 10))
			send(t, output, numbered(t, 1, 1, 10))
			if got := rules(t, read(t, path)); !slices.Equal(got, count(2)) {
				t.Errorf("%s: %v", name, got)
			}
		}
	}
}

func TestACanceledSendWritesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.json")
	output := open(t, path, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := output.Send(ctx, numbered(t, 0, 2, 10))
	var partial verdict.Partial
	if !errors.Is(err, context.Canceled) || !errors.As(err, &partial) || len(partial) != 2 || verdict.IsPermanent(err) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a file: %v", err)
	}
}

func TestOnlyFilesAreTaken(t *testing.T) {
	dir := t.TempDir()
	c := file.Defaults()
	for _, path := range []string{dir, "/dev/null"} {
		c.Path = path
		if _, err := file.New(outputs.Env{}, c); err == nil {
			t.Errorf("%s was taken; rotation would rename it", path)
		}
	}
	// It may become one later.
	path := filepath.Join(dir, "alerts.json")
	output := open(t, path, nil)
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := output.Send(t.Context(), numbered(t, 0, 1, 10)); err == nil || verdict.ReasonOf(err) != verdict.Storage || verdict.IsPermanent(err) {
		t.Errorf("got %v", err)
	}
}

func TestCheckLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	check := func(path string) error { return open(t, path, nil).(outputs.Checker).Check(t.Context()) }
	for _, path := range []string{filepath.Join(dir, "alerts.json"), filepath.Join(dir, "new", "folder", "alerts.json")} {
		if err := check(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
	existing := filepath.Join(dir, "existing.json")
	if err := os.WriteFile(existing, []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := check(existing); err != nil || read(t, existing) != "x\n" {
		t.Errorf("%v, %q", err, read(t, existing))
	}
	if err := check(filepath.Join(existing, "below", "a.file")); err == nil {
		t.Error("a path below a file was found to be writable")
	}
}

func TestConfigRefuses(t *testing.T) {
	for key, change := range map[string]func(*file.Config){
		"path":              func(c *file.Config) { c.Path = "/var/log/" },
		"rotate.maxsize":    func(c *file.Config) { c.Rotate.MaxSize = size.MiB - 1 },
		"rotate.maxage":     func(c *file.Config) { c.Rotate.MaxAge = time.Hour },
		"rotate.maxbackups": func(c *file.Config) { c.Rotate.MaxBackups = -1 },
	} {
		c := file.Defaults()
		c.Path = "alerts.json"
		change(&c)
		var p *problem.Problem
		if err := c.Validate(); !errors.As(err, &p) || p.Key != key {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func BenchmarkSend(b *testing.B) {
	for _, fsync := range []bool{false, true} {
		b.Run(fmt.Sprintf("fsync=%t", fsync), func(b *testing.B) {
			output := open(b, filepath.Join(b.TempDir(), "alerts.json"), func(c *file.Config) { c.Fsync = fsync })
			batch := slices.Repeat([]*alert.Alert{outputtest.Alerts()[1].Alert}, 100)
			b.ReportAllocs()
			for b.Loop() {
				send(b, output, batch)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(batch)), "ns/alert")
		})
	}
}
