package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// bench is one run of the whole.
type bench struct {
	binary string
	rounds int
	length time.Duration
	out    io.Writer
}

func (b *bench) describe() {
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Fprintf(b.out, "%s, %d cores, Linux %s, load %s", runtime.Version(), runtime.NumCPU(), strings.TrimSpace(string(kernel)), load)
}

// process is a program under test.
type process struct {
	cmd  *exec.Cmd
	addr string
	dir  string
	log  string
}

// startGin starts the bare gin server.
func (b *bench) startGin(ctx context.Context) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-gin")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	return &process{cmd: cmd, addr: strings.TrimSpace(line)}, err
}

// startTiercel starts the binary with a config; PORT and DIR in it are replaced.
func (b *bench) startTiercel(ctx context.Context, config string) (*process, error) {
	dir, err := os.MkdirTemp("", "tiercel-load")
	if err != nil {
		return nil, err
	}
	free, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &process{addr: free.Addr().String(), dir: dir, log: filepath.Join(dir, "log")}
	_ = free.Close()
	// Alerts of the machine itself would be counted too.
	config = "listenaddress: 127.0.0.1\nlistenport: " + port(p.addr) + "\nprobe: {enabled: false}\n" + strings.ReplaceAll(config, "DIR", dir)
	file := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	return p, b.start(ctx, p)
}

// start starts the process again as it was.
func (b *bench) start(ctx context.Context, p *process) error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	p.cmd = exec.CommandContext(ctx, b.binary, "run", "-c", filepath.Join(p.dir, "config.yaml"))
	p.cmd.Env = append(os.Environ(), "PROBE_ENABLED=false")
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		return err
	}
	for range 600 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.addr+"/ping", nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	text, _ := os.ReadFile(p.log)
	return fmt.Errorf("tiercel does not answer:\n%s", text)
}

// stop ends the process and removes what it wrote.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	err := p.cmd.Wait()
	if p.dir != "" {
		err = errors.Join(err, os.RemoveAll(p.dir))
	}
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil
	}
	return err
}

// cpu is the processor time that the process has used so far.
func (p *process) cpu() time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+2:]))
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * (time.Second / 100) // USER_HZ is 100 on Linux
}

// memoryOf gives the resident memory now and at its highest, MB of 10^6 bytes.
func (p *process) memory() (now, peak float64) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, 0
	}
	value := func(name string) float64 {
		_, rest, _ := strings.Cut(string(data), name+":")
		kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
		return kb * 1024 / 1e6
	}
	return value("VmRSS"), value("VmHWM")
}

// goroutines reads the count from the metrics page.
func (p *process) metric(ctx context.Context, name string) (float64, int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.addr+"/metrics", nil)
	if err != nil {
		return 0, 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(page)) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			value, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			return value, len(page), err
		}
	}
	return 0, len(page), nil
}

// drained waits until every output has everything.
func (p *process) drained(ctx context.Context, most time.Duration) error {
	deadline := time.Now().Add(most)
	for {
		all, err := lags(ctx, p.addr)
		if err != nil {
			return err
		}
		left := uint64(0)
		for _, n := range all {
			left += n
		}
		if left == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("still %v undelivered after %s", all, most)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func spread(values []float64, format string) string {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return "-"
	}
	return fmt.Sprintf(format+" ("+format+" to "+format+")", median(values), sorted[0], sorted[len(sorted)-1])
}
