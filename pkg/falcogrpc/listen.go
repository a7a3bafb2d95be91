package falcogrpc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/tiercel/tiercel/pkg/socket"
)

// listen opens one address. secure is for tcp.
func (s *Server) listen(ctx context.Context, text string, secure *tls.Config) (net.Listener, error) {
	network, address, err := parseAddress(text)
	if err != nil {
		return nil, fmt.Errorf("grpc.listen: %s: %w", text, err)
	}
	if network == "unix" {
		mode, err := socket.Mode(s.cfg.SocketMode)
		if err != nil {
			return nil, fmt.Errorf("grpc.socketmode: %w", err)
		}
		listener, err := socket.Listen(ctx, address, mode)
		if err != nil {
			return nil, fmt.Errorf("grpc.listen: %w", err)
		}
		return listener, nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, network, address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is in use: stop the program that listens there, or set grpc.listen to another port: %w", address, err)
	case err != nil:
		return nil, fmt.Errorf("listen on %s (grpc.listen): %w", address, err)
	}
	return tls.NewListener(listener, secure), nil
}
