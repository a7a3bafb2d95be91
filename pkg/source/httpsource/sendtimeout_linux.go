package httpsource

import (
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// sendTimeout makes the kernel cut connections whose other side leaves what we sent unread for so long. One option on
// the listening socket, which its connections inherit, spares a deadline on every answer.
func sendTimeout(limit time.Duration) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(limit.Milliseconds()))
		})
		if err == nil {
			err = failed
		}
		if err != nil {
			return fmt.Errorf("bound the time for sending: %w", err)
		}
		return nil
	}
}
