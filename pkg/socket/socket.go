// Package socket makes Unix sockets: with a mode, and in the place of one that a killed process left behind.
package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"
)

// Mode reads the octal mode of a socket, 0660 for example.
func Mode(text string) (fs.FileMode, error) {
	mode, err := strconv.ParseUint(text, 8, 9)
	if err != nil {
		return 0, fmt.Errorf("expected an octal mode, 0660 for example, got %q", text)
	}
	return fs.FileMode(mode), nil
}

// Listen makes a socket for streams. It is removed when the listener is closed.
func Listen(ctx context.Context, path string, mode fs.FileMode) (net.Listener, error) {
	if err := free(ctx, "unix", path); err != nil {
		return nil, err
	}
	listener, err := config(mode).Listen(ctx, "unix", path)
	if err != nil {
		return nil, explain(path, err)
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

// ListenPacket makes a socket for datagrams. Who closes it removes its name.
func ListenPacket(ctx context.Context, path string, mode fs.FileMode) (net.PacketConn, error) {
	if err := free(ctx, "unixgram", path); err != nil {
		return nil, err
	}
	conn, err := config(mode).ListenPacket(ctx, "unixgram", path)
	if err != nil {
		return nil, explain(path, err)
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// config sets the mode before the socket has a name, so that nobody gets in meanwhile who may not. The umask may take
// bits away from it, so it is set again after.
func config(mode fs.FileMode) *net.ListenConfig {
	return &net.ListenConfig{Control: func(_, _ string, conn syscall.RawConn) error {
		var failed error
		err := conn.Control(func(fd uintptr) { failed = syscall.Fchmod(int(fd), uint32(mode)) })
		return errors.Join(err, failed)
	}}
}

// free removes a socket that an earlier process left behind. One that somebody has open stays, and so does any file.
func free(ctx context.Context, network, path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return nil // it is not there, or listening on it says what is wrong
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is there and no socket: choose another path", path)
	}
	trying, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(trying, network, path)
	if err == nil {
		_ = conn.Close()
	}
	if err == nil || errors.Is(err, syscall.EPROTOTYPE) {
		return fmt.Errorf("another program has %s open: stop it, or choose another path", path)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("replace the socket that an earlier process left behind: %w", err)
	}
	return nil
}

func explain(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no folder for the socket %s: make it, or choose another path: %w", path, err)
	}
	return fmt.Errorf("make the socket %s: %w", path, err)
}
