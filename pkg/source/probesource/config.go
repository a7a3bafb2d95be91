package probesource

import (
	"errors"
	"strings"
	"time"

	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/size"
	"github.com/tiercel/tiercel/probe"
)

// Config is what the probe traces, and how much memory that may take.
type Config struct {
	// Watch this machine's kernel with eBPF: auto does where Linux and the capabilities allow it and says once why not elsewhere; true makes that an error; false takes alerts from elsewhere only.
	Enabled string `config:"enabled" enum:"auto,true,false"`
	// Name of this machine in alerts. Empty takes the host name.
	Hostname string `config:"hostname"`
	// System calls to trace besides those that the rules ask for.
	Syscalls []string `config:"syscalls"`
	// Ring for processes and terminals, shared with the kernel.
	ProcessRing size.Bytes `config:"processring"`
	// Ring for everything else.
	BulkRing size.Bytes `config:"bulkring"`
	// How much waits in a ring before its reader is woken. Less is sooner, more is cheaper.
	WakeBytes size.Bytes `config:"wakebytes"`
	// How long an event waits at most.
	Latency time.Duration `config:"latency"`
	// Arguments of a process that are kept, at most 1MiB.
	MaxArgs size.Bytes `config:"maxargs"`
	// Environment of a process that is kept, at most 1MiB. 0 reads 4KiB where a rule asks for it, and none elsewhere.
	MaxEnv size.Bytes `config:"maxenv"`
	// What is sent and received that is kept, at most 4KiB. 0 reads 80 bytes where a rule asks for it, and none elsewhere.
	MaxData size.Bytes `config:"maxdata"`
	// Most processes that are remembered at a time.
	MaxProcesses int `config:"maxprocesses"`
	// Alerts that wait for the journal. Beyond it they are lost, which is counted and said.
	Queue int `config:"queue"`
	// How long the first events of a container wait for what its runtime says of it.
	ContainerWait time.Duration `config:"containerwait"`
	// Tell of the probe itself, as alerts of the source internal: start, stop, lost events, new rules.
	Internal bool `config:"internal"`
	// What is not worth an event.
	Exclude Exclude `config:"exclude"`
}

// Exclude says what is not worth an event. Starts and ends of processes are always seen.
type Exclude struct {
	// Names of threads, at most 15 bytes each, whose system calls are left out, in the kernel.
	Comms []string `config:"comms"`
	// Cgroups whose system calls are left out, in the kernel: paths below /sys/fs/cgroup. They must be there when the probe starts.
	Cgroups []string `config:"cgroups"`
	// Containers that rules do not see: begins of ids, names, or images, with * for any text.
	Containers []string `config:"containers"`
	// Leave out all opens that only read, in the kernel.
	AllReads bool `config:"allreads"`
	// Leave out opens that fail, in the kernel.
	FailedOpens bool `config:"failedopens"`
}

// Values of Config.Enabled.
const (
	EnabledAuto = "auto"
	EnabledYes  = "true"
	EnabledNo   = "false"
)

// Defaults watches where it can.
func Defaults() Config {
	return Config{
		Enabled:       EnabledAuto,
		ProcessRing:   8 * size.MiB,
		BulkRing:      8 * size.MiB,
		WakeBytes:     64 * size.KiB,
		Latency:       50 * time.Millisecond,
		MaxArgs:       32 * size.KiB,
		MaxProcesses:  65536,
		Queue:         4096,
		ContainerWait: 500 * time.Millisecond,
		Internal:      true,
	}
}

// Bounds of the settings.
const (
	minRing      = 64 * size.KiB
	maxRing      = 1 * size.GiB
	maxArgs      = 1 * size.MiB
	maxData      = 4 * size.KiB
	maxComm      = 15
	maxComms     = 256
	maxCgroups   = 4096
	minProcesses = 1024
	maxProcesses = 1 << 22
	maxQueue     = 1 << 20
)

// Validate returns every problem, joined.
func (c *Config) Validate() error {
	var errs []error
	for _, ring := range []struct {
		key  string
		size size.Bytes
	}{{"processring", c.ProcessRing}, {"bulkring", c.BulkRing}} {
		if ring.size < minRing || ring.size > maxRing {
			errs = append(errs, problem.At(ring.key, "expected %s to %s, got %s", minRing, maxRing, ring.size))
		}
	}
	for _, limit := range []struct {
		key       string
		size, max size.Bytes
	}{{"maxargs", c.MaxArgs, maxArgs}, {"maxenv", c.MaxEnv, maxArgs}, {"maxdata", c.MaxData, maxData}, {"wakebytes", c.WakeBytes, c.BulkRing / 2}} {
		if limit.size < 0 || limit.size > limit.max {
			errs = append(errs, problem.At(limit.key, "expected 0 to %s, got %s", limit.max, limit.size))
		}
	}
	for _, name := range c.Syscalls {
		if _, ok := probe.ParseSyscall(name); !ok {
			errs = append(errs, problem.At("syscalls", "the probe does not know %q: it traces %s", name, strings.Join(probe.Syscalls(), ", ")))
		}
	}
	if c.Latency <= 0 || c.Latency > time.Minute {
		errs = append(errs, problem.At("latency", "expected more than 0 and at most 1m, got %s", c.Latency))
	}
	if c.ContainerWait < 0 || c.ContainerWait > time.Minute {
		errs = append(errs, problem.At("containerwait", "expected 0 to 1m, got %s", c.ContainerWait))
	}
	if c.MaxProcesses < minProcesses || c.MaxProcesses > maxProcesses {
		errs = append(errs, problem.At("maxprocesses", "expected %d to %d, got %d", minProcesses, maxProcesses, c.MaxProcesses))
	}
	if c.Queue < 1 || c.Queue > maxQueue {
		errs = append(errs, problem.At("queue", "expected 1 to %d, got %d", maxQueue, c.Queue))
	}
	return errors.Join(append(errs, c.Exclude.validate())...)
}

func (x *Exclude) validate() error {
	var errs []error
	for _, comm := range x.Comms {
		if len(comm) > maxComm {
			errs = append(errs, problem.At("exclude.comms", "expected at most %d bytes, as the kernel keeps no more of a name, got %q", maxComm, comm))
		}
	}
	for _, path := range x.Cgroups {
		if !strings.HasPrefix(path, "/") {
			errs = append(errs, problem.At("exclude.cgroups", "expected a path that begins with a slash, got %q", path))
		}
	}
	for _, count := range []struct {
		key      string
		got, max int
	}{{"comms", len(x.Comms), maxComms}, {"cgroups", len(x.Cgroups), maxCgroups}} {
		if count.got > count.max {
			errs = append(errs, problem.At("exclude."+count.key, "expected at most %d, got %d", count.max, count.got))
		}
	}
	return errors.Join(errs...)
}
