package grpcsource

import (
	"context"
	"net"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// silence is how long the other side's machine may leave what we send unanswered. Pings of HTTP/2 would do it too, but
// Falco's server ends connections that ping.
const silence = 30 * time.Second

// dialer connects to what gRPC resolved: the path of a socket, or host:port.
func dialer(ctx context.Context, address string) (net.Conn, error) {
	if path, ok := strings.CutPrefix(address, "unix://"); ok {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	d := net.Dialer{Control: func(_, _ string, conn syscall.RawConn) error {
		var failed error
		err := conn.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(silence/time.Millisecond))
		})
		if err != nil {
			return err
		}
		return failed
	}}
	return d.DialContext(ctx, "tcp", address)
}
