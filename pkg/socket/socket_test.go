package socket_test

import (
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tiercel/tiercel/pkg/socket"
)

// Both kinds of sockets, as one that can be closed.
func kinds(t *testing.T) map[string]func(path string, mode fs.FileMode) (io.Closer, error) {
	return map[string]func(string, fs.FileMode) (io.Closer, error){
		"stream": func(path string, mode fs.FileMode) (io.Closer, error) { return socket.Listen(t.Context(), path, mode) },
		"datagram": func(path string, mode fs.FileMode) (io.Closer, error) {
			return socket.ListenPacket(t.Context(), path, mode)
		},
	}
}

func TestModeWhateverTheUmask(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	for kind, open := range kinds(t) {
		path := filepath.Join(t.TempDir(), "s")
		s, err := open(path, 0o666)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o666 {
			t.Errorf("%s: mode %v, %v", kind, info.Mode(), err)
		}
		_ = s.Close()
	}
}

// One that a killed process left is replaced; one that is open, and a file, are not.
func TestWhatIsThereAlready(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for kind, open := range kinds(t) {
		for other, leave := range kinds(t) {
			path := filepath.Join(dir, kind+other)
			first, err := leave(path, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := open(path, 0o600); err == nil || !strings.Contains(err.Error(), "another program has") {
				t.Errorf("%s over an open %s: %v", kind, other, err)
			}
			if l, ok := first.(*net.UnixListener); ok {
				l.SetUnlinkOnClose(false)
			}
			_ = first.Close()
			second, err := open(path, 0o600)
			if err != nil {
				t.Errorf("%s over a left %s: %v", kind, other, err)
				continue
			}
			_ = second.Close()
			_ = os.Remove(path)
		}
		if _, err := open(file, 0o600); err == nil || !strings.Contains(err.Error(), "no socket") {
			t.Errorf("%s over a file: %v", kind, err)
		}
		if _, err := open(filepath.Join(dir, "no", "folder"), 0o600); err == nil || !strings.Contains(err.Error(), "there is no folder") {
			t.Errorf("%s without a folder: %v", kind, err)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "precious" {
		t.Errorf("the file is gone: %q, %v", text, err)
	}
}
