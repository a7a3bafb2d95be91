package probe

import (
	"log/slog"
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
	// OpenSkip are paths of folders that are of no interest: "/proc/", "/usr/lib/". A successful open of a file below
	// one of them that only reads makes no event. At most 32, each at most 32 bytes, with the slash at its end.
	OpenSkip []string
}
