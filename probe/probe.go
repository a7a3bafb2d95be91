package probe

import (
	"context"
	"errors"
)

// ErrUnsupported is wrapped by the error of Open where this machine cannot run the probe at all.
var ErrUnsupported = errors.New("the probe cannot run on this machine")

// Probe is the programs in the kernel and the reader of what they write.
type Probe struct{}

// Open loads the programs and attaches them: from here on events are kept until Run takes them. Close must be called.
func Open(opts Options) (*Probe, error) { return nil, ErrUnsupported }

// Run hands over events, one after the other, until ctx ends (then it returns nil) or reading fails. An Event is valid
// only during the call. Run may be called once.
func (p *Probe) Run(ctx context.Context, handle func(*Event)) error { return nil }

// SetSyscalls replaces the set of system calls that are traced. An empty set detaches the hook.
func (p *Probe) SetSyscalls(names []string) error { return nil }

// Stats counts what happened since Open.
func (p *Probe) Stats() Stats { return Stats{} }

// Close detaches and unloads everything. It may be called more than once.
func (p *Probe) Close() error { return nil }

// Stats counts what happened since Open.
type Stats struct {
	// Sent are the events that the kernel wrote, Received those that Run handed over, by kind.
	Sent, Received [kindCount]uint64
	// Lost are those that did not get through, by kind and cause.
	Lost [kindCount][causeCount]uint64
	// Filtered are the system calls that Options.Filter left out.
	Filtered uint64
}
