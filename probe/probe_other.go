//go:build !linux || (!amd64 && !arm64)

package probe

import (
	"context"
	"fmt"
	"io"
	"runtime"
)

// Probe cannot be had on this system.
type Probe struct{}

// Open says that there is no probe for this system.
func Open(Options) (*Probe, error) {
	return nil, fmt.Errorf("%w: it needs Linux on amd64 or arm64, this is %s on %s", ErrUnsupported, runtime.GOOS, runtime.GOARCH)
}

// Run never runs.
func (*Probe) Run(context.Context, func(*Event)) error { return ErrUnsupported }

// Live is never so.
func (*Probe) Live() bool { return false }

// SetSyscalls changes nothing.
func (*Probe) SetSyscalls([]string) error { return ErrUnsupported }

// SetTTY changes nothing.
func (*Probe) SetTTY(TTYOptions) error { return ErrUnsupported }

// Stats counts nothing.
func (*Probe) Stats() Stats { return Stats{} }

// Close has nothing to close.
func (*Probe) Close() error { return nil }

// Replay cannot read recordings on this system.
func Replay(context.Context, io.Reader, func(*Event)) error { return ErrUnsupported }

// CheckFeatures says that the system is another.
func CheckFeatures() []Feature {
	return []Feature{{
		Name: "system", Required: true,
		Detail: fmt.Sprintf("the system is %s on %s", runtime.GOOS, runtime.GOARCH), Costs: "the probe needs Linux on amd64 or arm64",
	}}
}

// Alive is never so.
func (Key) Alive() bool { return false }
