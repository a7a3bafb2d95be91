//go:build !linux

package grpcsource

import (
	"context"
	"net"
	"strings"
)

// dialer connects to what gRPC resolved: the path of a socket, or host:port.
func dialer(ctx context.Context, address string) (net.Conn, error) {
	if path, ok := strings.CutPrefix(address, "unix://"); ok {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}
