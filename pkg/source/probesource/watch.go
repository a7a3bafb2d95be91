package probesource

import (
	"context"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/tiercel/tiercel/pkg/accounts"
	"github.com/tiercel/tiercel/pkg/falcoevent"
	"github.com/tiercel/tiercel/pkg/proctree"
	"github.com/tiercel/tiercel/probe"
)

// View is somebody who looks at events as rules would see them, without any rules.
type View struct {
	Log        *slog.Logger
	Containers falcoevent.Containers // may be nil
	Accounts   *accounts.Accounts    // may be nil
	// Syscalls are traced, besides the starts and ends of processes.
	Syscalls []string
	// MaxEnv and MaxData are how many bytes of environments, and of what is sent and received, are read.
	MaxEnv, MaxData int
	// Handle is given each event: of the probe, and as rules see it, which is nil for those that rules do not see. Both
	// are valid during the call only.
	Handle func(ev *probe.Event, seen *falcoevent.Event)
	// Record gets what the kernel writes, for a replay. It may be nil.
	Record io.Writer
	// Replay has such a recording: then its events are shown instead of those of this machine. It may be nil.
	Replay io.Reader
	// Open opens the probe; [probe.Open] if nil.
	Open func(probe.Options) (Kernel, error)
}

// Watch shows events until ctx ends.
func (v View) Watch(ctx context.Context, cfg Config) error {
	cgroups, err := cgroupIDs(cfg.Exclude.Cgroups)
	if err != nil {
		return err
	}
	tree, err := proctree.New(proctree.Options{Max: cfg.MaxProcesses})
	if err != nil {
		return err
	}
	switch {
	case v.Replay != nil:
		v.Open = func(probe.Options) (Kernel, error) { return recording{v.Replay}, nil }
	case v.Open == nil:
		v.Open = func(o probe.Options) (Kernel, error) { return probe.Open(o) }
	}
	kernel, err := v.Open(probe.Options{
		Log: v.Log, Syscalls: v.Syscalls, ProcessRing: int(cfg.ProcessRing), BulkRing: int(cfg.BulkRing), WakeBytes: int(cfg.WakeBytes),
		Latency: cfg.Latency, MaxArgs: int(cfg.MaxArgs), MaxEnv: v.MaxEnv, MaxData: v.MaxData, Record: v.Record,
		Filter: probe.Filter{Comms: cfg.Exclude.Comms, Cgroups: cgroups, OpenWriteOnly: cfg.Exclude.AllReads, NoFailedOpens: cfg.Exclude.FailedOpens},
	})
	if err != nil {
		return &NoProbe{err}
	}
	defer func() { _ = kernel.Close() }()
	if cfg.Hostname == "" {
		cfg.Hostname, _ = os.Hostname()
	}
	node := &falcoevent.Node{
		Hostname: cfg.Hostname, Started: time.Now().UnixNano(), Tree: tree, Containers: v.Containers,
	}
	if v.Accounts != nil {
		node.Users = v.Accounts
	}
	seen := falcoevent.New(node)
	return kernel.Run(ctx, func(ev *probe.Event) {
		process := tree.Apply(ev)
		if v.Accounts != nil && process != nil {
			v.Accounts.Learn(process.Container(), ev.Task.Key)
		}
		if seen.Set(ev, process) {
			v.Handle(ev, seen)
			return
		}
		v.Handle(ev, nil)
	})
}

// recording is a probe that tells what another one has seen.
type recording struct{ from io.Reader }

func (r recording) Run(ctx context.Context, handle func(*probe.Event)) error {
	return probe.Replay(ctx, r.from, handle)
}
func (recording) SetTTY(probe.TTYOptions) error { return nil }
func (recording) SetSyscalls([]string) error    { return nil }
func (recording) Stats() probe.Stats            { return probe.Stats{} }
func (recording) Close() error                  { return nil }
