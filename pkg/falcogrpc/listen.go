package falcogrpc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// listen opens one address. secure is for tcp.
func (s *Server) listen(ctx context.Context, text string, secure *tls.Config) (net.Listener, error) {
	network, address, err := parseAddress(text)
	if err != nil {
		return nil, fmt.Errorf("grpc.listen: %s: %w", text, err)
	}
	if network == "unix" {
		return s.listenUnix(ctx, address)
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

// listenUnix makes a socket. One that an earlier process left behind is replaced; one that somebody answers on is not.
func (s *Server) listenUnix(ctx context.Context, path string) (net.Listener, error) {
	mode, err := s.cfg.socketMode()
	if err != nil {
		return nil, fmt.Errorf("grpc.socketmode: %w", err)
	}
	if info, err := os.Lstat(path); err == nil {
		if info.Mode().Type() != fs.ModeSocket {
			return nil, fmt.Errorf("%s is there and no socket: set grpc.listen to another path", path)
		}
		trying, cancel := context.WithTimeout(ctx, time.Second)
		conn, err := new(net.Dialer).DialContext(trying, "unix", path)
		cancel()
		if err == nil {
			_ = conn.Close()
			return nil, fmt.Errorf("somebody answers on %s already, Falco itself perhaps: set grpc.listen to another path", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("replace the socket that an earlier process left behind: %w", err)
		}
	}
	// The mode is set before the socket has a name, so that nobody gets in meanwhile who may not; the umask may have
	// taken bits away, so it is set again after.
	listen := net.ListenConfig{Control: func(_, _ string, conn syscall.RawConn) error {
		var failed error
		err := conn.Control(func(fd uintptr) { failed = unix.Fchmod(int(fd), uint32(mode)) })
		return errors.Join(err, failed)
	}}
	listener, err := listen.Listen(ctx, "unix", path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no folder for %s: make it, or set grpc.listen to another path: %w", path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s (grpc.listen): %w", path, err)
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}
