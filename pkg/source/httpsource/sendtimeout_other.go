//go:build !linux

package httpsource

import (
	"syscall"
	"time"
)

// sendTimeout does nothing: only Linux has this option.
func sendTimeout(time.Duration) func(network, address string, c syscall.RawConn) error { return nil }
