//go:build linux && (amd64 || arm64)

package probe_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tiercel/tiercel/probe"
)

// TestFigures prints what the probe costs: each load runs in turn with and without what is measured, and the medians
// are compared. It asserts nothing but that nothing is lost. make bench-probe runs it.
func TestFigures(t *testing.T) {
	if os.Getenv("PROBE_BENCH") == "" {
		t.Skip("figures are taken with PROBE_BENCH=1: make bench-probe")
	}
	p := open(t, probe.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	var calls atomic.Uint64
	done := make(chan error, 1)
	go func() {
		done <- p.Run(ctx, func(e *probe.Event) {
			if e.Kind == probe.KindSyscall {
				calls.Add(1)
			}
		})
	}()
	for !p.Live() {
		time.Sleep(time.Millisecond)
	}
	opens := []string{"open", "openat", "openat2", "creat"}
	for _, load := range []struct {
		name, role string
		count      int
		with       []string
	}{
		{"getppid, hook attached for another call", "bench-getppid", 3_000_000, []string{"delete_module"}},
		{"open+close, opens traced", "bench-opens", 300_000, opens},
	} {
		var off, on []float64
		for range 9 {
			set(t, p, nil)
			off = append(off, ask(t, load.role, load.count))
			set(t, p, load.with)
			on = append(on, ask(t, load.role, load.count))
		}
		t.Logf("%-42s without %7.0f ns, with %7.0f ns, added %6.0f ns", load.name, median(off), median(on), median(on)-median(off))
	}
	set(t, p, opens)
	began, before := time.Now(), calls.Load()
	ask(t, "bench-opens", 1_000_000)
	took := time.Since(began)
	time.Sleep(200 * time.Millisecond)
	t.Logf("%-42s %.0f opens a second through to Go", "one process that opens and closes", float64(calls.Load()-before)/took.Seconds())
	set(t, p, nil)

	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	s := p.Stats()
	if s.LostTotal() != 0 {
		t.Errorf("lost: %v", s.Lost)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}

	var off, on []float64
	for range 9 {
		off = append(off, ask(t, "bench-execs", 1000))
		func() {
			p := open(t, probe.Options{NoSnapshot: true})
			defer p.Close()
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- p.Run(ctx, func(*probe.Event) {}) }()
			on = append(on, ask(t, "bench-execs", 1000))
			cancel()
			<-done
		}()
	}
	t.Logf("%-42s without %7.0f ns, with %7.0f ns, added %6.0f ns", "fork+exec+wait", median(off), median(on), median(on)-median(off))
}

func set(t *testing.T, p *probe.Probe, names []string) {
	t.Helper()
	if err := p.SetSyscalls(names); err != nil {
		t.Fatal(err)
	}
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

// ask runs a load in a child, which says how many nanoseconds each turn took.
func ask(t *testing.T, role string, count int) float64 {
	t.Helper()
	out, err := child(t, role, strconv.Itoa(count)).Output()
	if err != nil {
		t.Fatal(err)
	}
	ns, err := strconv.ParseFloat(string(out), 64)
	if err != nil {
		t.Fatal(err)
	}
	return ns
}

// bench is a role that does something many times.
func bench(do func() error) func([]string) error {
	return func(args []string) error {
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		began := time.Now()
		for range n {
			if err := do(); err != nil {
				return err
			}
		}
		fmt.Fprint(os.Stdout, float64(time.Since(began).Nanoseconds())/float64(n))
		return nil
	}
}

func openClose() error {
	fd, err := unix.Open("/usr/lib/os-release", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func getppid() error {
	unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0)
	return nil
}

func execTrue() error { return exec.Command("/bin/true").Run() }
