//go:build linux && (amd64 || arm64)

package probe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

// Probe is the programs in the kernel and the reader of what they write.
type Probe struct {
	opts    Options
	log     *slog.Logger
	objects bpfObjects
	links   []link.Link // of the programs that are always attached
	rings   [2]*ring
	control []byte // the map of that name, as memory

	// mu guards what SetSyscalls and Close change.
	mu      sync.Mutex
	closed  bool
	ready   bool       // the snapshot is over: the dispatcher may be attached
	calls   []string   // what was asked for last
	tty     TTYOptions // likewise
	sysExit link.Link  // nil while nothing asks for it

	running  atomic.Bool
	received [kindCount]atomic.Uint64
	bad      [kindCount]atomic.Uint64

	decoder decoder
	seq     uint64
	// what was lost when it was last looked at, see loss.go
	losses losses
}

// Open loads the programs and attaches those that follow processes: from here on their events are kept until Run takes
// them. Close must be called. An error that wraps ErrUnsupported says what this machine lacks.
func Open(opts Options) (*Probe, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Probe{opts: opts, log: opts.Log}
	if _, err := wantedSlots(opts.Syscalls, false); err != nil {
		return nil, err
	}
	p.calls, p.tty = slices.Clone(opts.Syscalls), opts.TTY
	if err := p.open(); err != nil {
		_ = p.Close()
		return nil, explain(err)
	}
	if opts.Registerer != nil {
		if err := opts.Registerer.Register(NewCollector(p.Stats)); err != nil {
			_ = p.Close()
			return nil, fmt.Errorf("registering the probe's metrics: %w", err)
		}
	}
	return p, nil
}

func (p *Probe) open() error {
	// Before 5.11 maps and programs count as locked memory. Later kernels need nothing, and the call does nothing.
	if err := rlimit.RemoveMemlock(); err != nil {
		p.log.Warn("the limit of locked memory cannot be raised", "error", err)
	}
	spec, err := loadBpf()
	if err != nil {
		return fmt.Errorf("reading the programs: %w", err)
	}
	if err := p.configure(spec); err != nil {
		return err
	}
	if err := spec.LoadAndAssign(&p.objects, nil); err != nil {
		return fmt.Errorf("loading the programs: %w", err)
	}
	p.control, err = unix.Mmap(p.objects.Control.FD(), 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("mapping the settings: %w", err)
	}
	c := p.controls()
	c.WakeBytes = uint32(p.opts.WakeBytes)
	c.DataMax = uint32(p.opts.MaxData)
	c.Epoch = 1
	for i, m := range []*ebpf.Map{p.objects.ProcessRing, p.objects.BulkRing} {
		if p.rings[i], err = openRing(m.FD(), int(m.MaxEntries())); err != nil {
			return err
		}
	}
	for class, program := range map[bpfClass]*ebpf.Program{
		bpfClassCLASS_OPEN: p.objects.ClassOpen,
		bpfClassCLASS_FILE: p.objects.ClassFile,
		bpfClassCLASS_NET:  p.objects.ClassNet,
		bpfClassCLASS_EXEC: p.objects.ClassExec,
		bpfClassCLASS_TTY:  p.objects.ClassTty,
	} {
		if err := p.objects.Classes.Put(uint32(class), program); err != nil {
			return fmt.Errorf("putting %s behind the dispatcher: %w", program, err)
		}
	}
	if err := p.setFilter(); err != nil {
		return err
	}
	if err := p.configureTTY(p.opts.TTY); err != nil {
		return err
	}
	for _, program := range []*ebpf.Program{p.objects.OnExec, p.objects.OnFork, p.objects.OnExit} {
		l, err := link.AttachTracing(link.TracingOptions{Program: program})
		if err != nil {
			return fmt.Errorf("attaching %s: %w", program, err)
		}
		p.links = append(p.links, l)
	}
	return nil
}

// setFilter tells the kernel what is not worth an event.
func (p *Probe) setFilter() error {
	f := &p.opts.Filter
	var flags bpfFilter
	for _, comm := range f.Comms {
		var key [16]byte
		copy(key[:15], comm)
		if err := p.objects.QuietComms.Put(key, uint8(1)); err != nil {
			return fmt.Errorf("leaving out the calls of %q: %w", comm, err)
		}
		flags |= bpfFilterFILTER_COMM
	}
	for _, id := range f.Cgroups {
		if err := p.objects.QuietCgroups.Put(id, uint8(1)); err != nil {
			return fmt.Errorf("leaving out the calls of cgroup %d: %w", id, err)
		}
		flags |= bpfFilterFILTER_CGROUP
	}
	if f.OpenWriteOnly {
		flags |= bpfFilterFILTER_READ_ONLY
	}
	if f.NoFailedOpens {
		flags |= bpfFilterFILTER_FAILED
	}
	p.controls().Filters = uint32(flags)
	return nil
}

// configure sets what the programs take for constants, and the sizes of maps.
func (p *Probe) configure(spec *ebpf.CollectionSpec) error {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return fmt.Errorf("counting the CPUs: %w", err)
	}
	maxArgs, maxEnv := uint32(p.opts.MaxArgs), uint32(max(p.opts.MaxEnv, 0))
	for name, value := range map[string]any{
		"cpus":         uint32(cpus),
		"self":         hostPID(),
		"args_max":     maxArgs,
		"env_max":      maxEnv,
		"with_threads": p.opts.Threads,
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
	}
	spec.Maps["call_scratch"].MaxEntries = uint32(cpus)
	spec.Maps["whole_scratch"].MaxEntries = uint32(cpus) + 1
	spec.Maps["whole_scratch"].ValueSize += maxArgs + maxEnv
	spec.Maps["process_ring"].MaxEntries = uint32(p.opts.ProcessRing)
	spec.Maps["bulk_ring"].MaxEntries = uint32(p.opts.BulkRing)
	return nil
}

// hostPID is this process as the kernel numbers it outside of all namespaces. In a container without the host's pid
// namespace it cannot be known from inside; then our own system calls are events like others.
func hostPID() uint32 {
	const initNS = "pid:[4026531836]"
	if ns, err := os.Readlink("/proc/self/ns/pid"); err != nil || ns != initNS {
		return 0
	}
	return uint32(os.Getpid())
}

func (p *Probe) controls() *bpfControls {
	return (*bpfControls)(unsafe.Pointer(unsafe.SliceData(p.control)))
}

// Run hands over events, one after the other, until ctx ends (then it returns nil) or reading fails. First come the
// processes that are there (KindSnapshot), then KindReady; from then on system calls are traced. An Event is valid only
// during the call. Run may be called once.
func (p *Probe) Run(ctx context.Context, handle func(*Event)) error {
	if p.running.Swap(true) {
		return errors.New("the probe is running already")
	}
	r, err := newReader(p, handle)
	if err != nil {
		return err
	}
	defer r.close()
	stop := context.AfterFunc(ctx, r.stop)
	defer stop()

	if !p.opts.NoSnapshot {
		if err := p.snapshot(ctx, r.record); err != nil {
			return fmt.Errorf("listing the processes that are there: %w", err)
		}
	}
	r.say(&Event{Kind: KindReady, Boot: bootNow()})
	if err := p.goLive(); err != nil {
		return err
	}
	return r.run(ctx)
}

// goLive attaches the dispatcher of system calls if one is asked for.
func (p *Probe) goLive() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ready = true
	return p.arm()
}

// Live reports whether the snapshot is over and system calls are traced.
func (p *Probe) Live() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ready
}

// SetSyscalls replaces the set of system calls that are traced, by Falco's names. With an empty set nothing is attached
// to them, and they cost nothing.
func (p *Probe) SetSyscalls(names []string) error {
	if _, err := wantedSlots(names, false); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = slices.Clone(names)
	return p.arm()
}

// SetTTY replaces what is traced at terminals. With nothing to trace, and no system calls, nothing is attached.
func (p *Probe) SetTTY(opts TTYOptions) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errors.New("the probe is closed")
	}
	if err := p.configureTTY(opts); err != nil {
		return err
	}
	p.tty = opts
	return p.arm()
}

// arm brings the dispatcher to what is wanted, once the snapshot is over. The caller holds mu.
func (p *Probe) arm() error {
	if !p.ready || p.closed {
		return nil
	}
	want, err := wantedSlots(p.calls, p.tty.Any())
	if err != nil {
		return err
	}
	if err := p.objects.Slots.Set(want.by[:]); err != nil {
		return fmt.Errorf("telling the kernel which system calls to trace: %w", err)
	}
	if err := p.objects.Wanted.Set(want.wanted[:]); err != nil {
		return fmt.Errorf("telling the kernel which system calls to trace: %w", err)
	}
	switch {
	case want.any && p.sysExit == nil:
		p.sysExit, err = link.AttachTracing(link.TracingOptions{Program: p.objects.OnSysExit})
		if err != nil {
			p.sysExit = nil
			return fmt.Errorf("attaching the dispatcher of system calls: %w", err)
		}
		p.log.Debug("system calls are traced", "count", len(p.calls))
	case !want.any && p.sysExit != nil:
		err := p.sysExit.Close()
		p.sysExit = nil
		if err != nil {
			return fmt.Errorf("detaching the dispatcher of system calls: %w", err)
		}
		p.log.Debug("no system call is traced")
	}
	return nil
}

// Stats counts what happened since Open.
func (p *Probe) Stats() Stats {
	var s Stats
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return s
	}
	for i := range p.received {
		s.Received[i] = p.received[i].Load()
		s.Lost[i][CauseBad] = p.bad[i].Load()
	}
	for i, r := range p.rings {
		if r != nil {
			s.Waiting[i] = r.end() - atomic.LoadUint64(word(r.consumer))
		}
	}
	p.addTallies(&s)
	return s
}

// Close detaches and unloads everything. It may be called more than once, but not while Run runs.
func (p *Probe) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	var errs []error
	if p.sysExit != nil {
		errs = append(errs, p.sysExit.Close())
	}
	for _, l := range p.links {
		errs = append(errs, l.Close())
	}
	for _, r := range p.rings {
		if r != nil {
			r.close()
		}
	}
	if p.control != nil {
		errs = append(errs, unix.Munmap(p.control))
	}
	errs = append(errs, p.objects.Close())
	return errors.Join(errs...)
}

// bootNow is the time since the machine was started.
func bootNow() uint64 { return clock(unix.CLOCK_BOOTTIME) }

func clock(id int32) uint64 {
	var t unix.Timespec
	if err := unix.ClockGettime(id, &t); err != nil {
		return 0 // both clocks that are asked for are on every Linux
	}
	return uint64(t.Nano())
}

// wallOffset is what makes a time since boot one since 1970.
func wallOffset() int64 {
	return int64(clock(unix.CLOCK_REALTIME) - bootNow())
}
