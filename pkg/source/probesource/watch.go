package probesource

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/tiercel/tiercel/pkg/falcoevent"
	"github.com/tiercel/tiercel/pkg/proctree"
	"github.com/tiercel/tiercel/probe"
)

// View is somebody who looks at events as rules would see them, without any rules.
type View struct {
	Log        *slog.Logger
	Containers falcoevent.Containers // may be nil
	Users      falcoevent.Names      // may be nil
	// Syscalls are traced, besides the starts and ends of processes.
	Syscalls []string
	// MaxEnv and MaxData are how many bytes of environments, and of what is sent and received, are read.
	MaxEnv, MaxData int
	// Handle is given each event: of the probe, and as rules see it, which is nil for those that rules do not see. Both
	// are valid during the call only.
	Handle func(ev *probe.Event, seen *falcoevent.Event)
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
	if v.Open == nil {
		v.Open = func(o probe.Options) (Kernel, error) { return probe.Open(o) }
	}
	kernel, err := v.Open(probe.Options{
		Log: v.Log, Syscalls: v.Syscalls, ProcessRing: int(cfg.ProcessRing), BulkRing: int(cfg.BulkRing), WakeBytes: int(cfg.WakeBytes),
		Latency: cfg.Latency, MaxArgs: int(cfg.MaxArgs), MaxEnv: v.MaxEnv, MaxData: v.MaxData,
		Filter: probe.Filter{Comms: cfg.Exclude.Comms, Cgroups: cgroups, OpenWriteOnly: cfg.Exclude.AllReads, NoFailedOpens: cfg.Exclude.FailedOpens},
	})
	if err != nil {
		return &NoProbe{err}
	}
	defer func() { _ = kernel.Close() }()
	if cfg.Hostname == "" {
		cfg.Hostname, _ = os.Hostname()
	}
	seen := falcoevent.New(&falcoevent.Node{
		Hostname: cfg.Hostname, Started: time.Now().UnixNano(), Tree: tree, Containers: v.Containers, Users: v.Users,
	})
	return kernel.Run(ctx, func(ev *probe.Event) {
		if process := tree.Apply(ev); seen.Set(ev, process) {
			v.Handle(ev, seen)
			return
		}
		v.Handle(ev, nil)
	})
}
