package probe

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/bits"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options are what can be chosen when a Probe is opened. The zero value of each is what DefaultOptions gives.
type Options struct {
	// Log gets what is degraded, once each. Nil discards it.
	Log *slog.Logger
	// Registerer gets the metrics. Nil keeps them to Stats.
	Registerer prometheus.Registerer

	// Syscalls are the names of the system calls to trace, as Falco names their events. Exec, fork and exit are always
	// traced. SetSyscalls changes the set while the probe runs.
	Syscalls []string
	// Threads asks for a KindFork for each new thread, too.
	Threads bool
	// NoSnapshot leaves out the processes that are there already.
	NoSnapshot bool

	// ProcessRing and BulkRing are the sizes of the two rings in bytes, rounded up to a power of two of at least one page.
	// Processes and terminals go to the first, everything else to the second, so that many files cannot push out the
	// start of a process. Defaults 8 MiB and 8 MiB.
	ProcessRing, BulkRing int
	// WakeBytes is how much waits in a ring before its reader is woken, default 64 KiB.
	WakeBytes int
	// Latency is how long an event waits at most, default 50 ms.
	Latency time.Duration

	// MaxArgs and MaxEnv are how many bytes of arguments and environment are kept, rounded up to a power of two, at most
	// 1 MiB. Defaults 32 KiB and none.
	MaxArgs, MaxEnv int
	// MaxData is how much of what is sent and received is kept, at most 4 KiB; default 0.
	MaxData int

	// Filter says what is not worth an event. It is applied in the kernel.
	Filter Filter

	// Record gets everything that the kernel writes, for Replay. When it cannot be written any more, Run ends with the
	// error. Nil records nothing.
	Record io.Writer

	// TTY says what is traced at terminals.
	TTY TTYOptions
}

// Filter says which system calls are not worth an event. Exec, fork and exit are never left out: the tree of processes
// would have holes. The system calls of this process itself are always left out.
type Filter struct {
	// Comms are names of threads (at most 15 bytes) whose system calls are left out; at most 256.
	Comms []string
	// Cgroups are ids of cgroups whose system calls are left out; at most 4096.
	Cgroups []uint64
	// OpenWriteOnly leaves out every open that only reads.
	OpenWriteOnly bool
	// NoFailedOpens leaves out every open that failed.
	NoFailedOpens bool
}

// DefaultOptions are what Options that are zero stand for.
func DefaultOptions() Options {
	return Options{
		ProcessRing: 8 << 20,
		BulkRing:    8 << 20,
		WakeBytes:   64 << 10,
		Latency:     50 * time.Millisecond,
		MaxArgs:     32 << 10,
	}
}

// The limits of Options.
const (
	maxRing    = 1 << 30
	maxStrings = 1 << 20
	maxData    = 4 << 10
	maxComms   = 256
	maxCgroups = 4096
)

// withDefaults fills in what is zero and returns every mistake, joined.
func (o Options) withDefaults() (Options, error) {
	d := DefaultOptions()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.ProcessRing = cmp.Or(o.ProcessRing, d.ProcessRing)
	o.BulkRing = cmp.Or(o.BulkRing, d.BulkRing)
	o.WakeBytes = cmp.Or(o.WakeBytes, d.WakeBytes)
	o.Latency = cmp.Or(o.Latency, d.Latency)
	o.MaxArgs = cmp.Or(o.MaxArgs, d.MaxArgs)
	errs := []error{
		within("the ring of processes", o.ProcessRing, 1, maxRing),
		within("the ring of all else", o.BulkRing, 1, maxRing),
		within("the bytes that wake the reader", o.WakeBytes, 1, maxRing),
		within("the latency in milliseconds", int(o.Latency/time.Millisecond), 1, 60_000),
		within("the bytes of arguments", o.MaxArgs, 1, maxStrings),
		within("the bytes of environment", o.MaxEnv, 0, maxStrings),
		within("the bytes of messages", o.MaxData, 0, maxData),
		within("the number of names to leave out", len(o.Filter.Comms), 0, maxComms),
		within("the number of cgroups to leave out", len(o.Filter.Cgroups), 0, maxCgroups),
	}
	page := os.Getpagesize()
	o.ProcessRing = max(roundUp(o.ProcessRing), page)
	o.BulkRing = max(roundUp(o.BulkRing), page)
	o.MaxArgs = roundUp(o.MaxArgs)
	if o.MaxEnv > 0 {
		o.MaxEnv = roundUp(o.MaxEnv)
	}
	return o, errors.Join(errs...)
}

func within(what string, n, low, high int) error {
	if n < low || n > high {
		return fmt.Errorf("%s: %d is not within %d and %d", what, n, low, high)
	}
	return nil
}

// roundUp gives the next power of two.
func roundUp(n int) int {
	if n <= 1 || n > maxRing {
		return 1
	}
	return 1 << bits.Len(uint(n-1))
}
