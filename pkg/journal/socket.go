package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// lockFolder makes sure that one process at a time has the journal's folder. The kernel lets go of the lock when
// the process ends, however it ends.
func lockFolder(dir string) (*os.File, error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the journal's lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(path)
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("the journal in %s is in use by process %s: stop it, or set journal.dir to another folder", dir, strings.TrimSpace(string(holder)))
		}
		return nil, fmt.Errorf("locking the journal in %s: %w", dir, err)
	}
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return f, nil
}

// longestSocket is what fits into a Unix socket's address (108 bytes on Linux).
const longestSocket = 100

// socketPath is where the socket of the journal in dir is. A folder with a long name has it in the temporary folder.
func socketPath(dir string) string {
	if path := filepath.Join(dir, "journal.sock"); len(path) <= longestSocket {
		return path
	}
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(os.TempDir(), "tiercel-"+hex.EncodeToString(sum[:8])+".sock")
}

// runningSocket returns the socket of a Tiercel that runs on dir.
func runningSocket(dir string) (string, bool) {
	path := socketPath(dir)
	conn, err := net.Dial("unix", path) //nolint:noctx // a Unix socket answers at once, or not at all
	if err != nil {
		return "", false
	}
	_ = conn.Close()
	return path, true
}

// socket lets commands beside the daemon speak to the embedded server. Only the daemon's own user may connect.
type socket struct {
	listener net.Listener
	mu       sync.Mutex
	dial     func() (net.Conn, error) // to the server that runs now
	conns    map[net.Conn]bool
	serving  bool
	done     sync.WaitGroup
}

func listenSocket(dir string) (*socket, error) {
	path := socketPath(dir)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("removing the socket of an earlier run: %w", err)
	}
	listener, err := net.Listen("unix", path) //nolint:noctx // it looks up no names
	if err != nil {
		return nil, fmt.Errorf("listening on the journal's socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("protecting the journal's socket: %w", err), listener.Close())
	}
	return &socket{listener: listener, conns: map[net.Conn]bool{}}, nil
}

// serve hands further connections to dial.
func (s *socket) serve(dial func() (net.Conn, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dial = dial
	if !s.serving {
		s.serving = true
		s.done.Go(s.accept)
	}
}

func (s *socket) accept() {
	for {
		outer, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		s.mu.Lock()
		inner, err := s.dial()
		if err != nil {
			s.mu.Unlock()
			_ = outer.Close()
			continue
		}
		s.conns[outer], s.conns[inner] = true, true
		s.mu.Unlock()
		s.done.Go(func() { s.join(outer, inner) })
	}
}

// join copies both ways until one side ends.
func (s *socket) join(outer, inner net.Conn) {
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(inner, outer); _ = inner.Close() })
	both.Go(func() { _, _ = io.Copy(outer, inner); _ = outer.Close() })
	both.Wait()
	s.mu.Lock()
	delete(s.conns, outer)
	delete(s.conns, inner)
	s.mu.Unlock()
}

func (s *socket) close() error {
	err := s.listener.Close()
	s.mu.Lock()
	for conn := range s.conns {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.done.Wait()
	return err
}

// redactURL cuts user and password from NATS addresses for an error or a log line.
func redactURL(urls string) string {
	parts := strings.Split(urls, ",")
	for i, part := range parts {
		scheme, rest, found := strings.Cut(part, "://")
		if !found {
			scheme, rest = "", part
		} else {
			scheme += "://"
		}
		if at := strings.LastIndexByte(rest, '@'); at >= 0 {
			rest = rest[at+1:]
		}
		parts[i] = scheme + rest
	}
	return strings.Join(parts, ",")
}
