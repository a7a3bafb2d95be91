//go:build linux

package probe_test

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/tiercel/tiercel/probe"
)

// oldCalls are those that only older architectures have.
func oldCalls() []call {
	path := func(number uintptr, path string, more ...uintptr) error {
		_, err := raw(number, append([]uintptr{cstr(path)}, more...)...)
		return err
	}
	return []call{
		{"open", "", func(string) error { return path(unix.SYS_OPEN, "o", unix.O_CREAT|unix.O_WRONLY, 0o644) }, func(s *probe.Syscall) bool { return s.Path.Raw == "o" }, func(s *probe.Syscall, dir string) string {
			return all(s, "path", s.FD.Path == dir+"/o", "flags", s.Flags == unix.O_CREAT|unix.O_WRONLY, "mode", s.Mode == 0o644)
		}},
		{"creat", "", func(string) error { return path(unix.SYS_CREAT, "c", 0o600) }, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "path", s.FD.Path == dir+"/c", "flags", s.Flags == unix.O_CREAT|unix.O_WRONLY|unix.O_TRUNC, "mode", s.Mode == 0o600, "created", s.FD.Created)
		}},
		{"mkdir", "", func(string) error { return path(unix.SYS_MKDIR, "m", 0o700) }, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "path", rel(s.Path, dir, "m"), "mode", s.Mode == 0o700)
		}},
		{"rmdir", "", func(dir string) error {
			if err := os.Mkdir(dir+"/r", 0o755); err != nil {
				return err
			}
			return path(unix.SYS_RMDIR, "r")
		}, nil, func(s *probe.Syscall, dir string) string { return all(s, "path", rel(s.Path, dir, "r")) }},
		{"unlink", "", func(dir string) error {
			if err := touch(dir + "/u"); err != nil {
				return err
			}
			return path(unix.SYS_UNLINK, "u")
		}, nil, func(s *probe.Syscall, dir string) string { return all(s, "path", rel(s.Path, dir, "u")) }},
		{"mknod", "", func(string) error { return path(unix.SYS_MKNOD, "n", unix.S_IFIFO|0o600) }, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "path", rel(s.Path, dir, "n"), "mode", s.Mode == unix.S_IFIFO|0o600)
		}},
		{"chmod", "", func(dir string) error { return path(unix.SYS_CHMOD, dir, 0o6755) }, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "path", rel(s.Path, "", dir), "mode", s.Mode == 0o6755)
		}},
		{"chown", "", func(dir string) error { return path(unix.SYS_CHOWN, dir, uintptr(os.Getuid()), uintptr(os.Getgid())) }, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "path", rel(s.Path, "", dir), "uid", int(s.UID) == os.Getuid())
		}},
		{"lchown", "", func(dir string) error { return path(unix.SYS_LCHOWN, dir, uintptr(os.Getuid()), uintptr(os.Getgid())) }, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "path", rel(s.Path, "", dir), "gid", int(s.GID) == os.Getgid())
		}},
		{"rename", "", func(dir string) error {
			if err := touch(dir + "/a"); err != nil {
				return err
			}
			return path(unix.SYS_RENAME, "a", cstr("b"))
		}, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "old", rel(s.Path, dir, "a"), "new", rel(s.Path2, dir, "b"))
		}},
		{"link", "", func(dir string) error {
			if err := touch(dir + "/a"); err != nil {
				return err
			}
			return path(unix.SYS_LINK, "a", cstr("b"))
		}, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "old", rel(s.Path, dir, "a"), "new", rel(s.Path2, dir, "b"))
		}},
		{"symlink", "", func(string) error { return path(unix.SYS_SYMLINK, "/etc", cstr("e")) }, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "target", s.Text == "/etc", "link", rel(s.Path, dir, "e"))
		}},
		{"dup2", "", func(string) error {
			_, err := raw(unix.SYS_DUP2, 2, 88)
			return err
		}, nil, func(s *probe.Syscall, _ string) string { return all(s, "new", s.FD.Num == 88, "old", s.FD2.Num == 2) }},
		{"accept", "", func(string) error {
			_, err := raw(unix.SYS_ACCEPT, 0)
			return ignore(err)
		}, nil, func(s *probe.Syscall, _ string) string {
			return all(s, "failed", s.Failed(), "listener", s.FD2.Num == 0, "fd", s.FD.Num == -1)
		}},
		{"fork", "", func(string) error { return forkAndReap(unix.SYS_FORK) }, func(s *probe.Syscall) bool { return s.Ret > 0 }, func(s *probe.Syscall, _ string) string { return all(s, "pid", s.Ret > 1) }},
	}
}

// forkAndReap makes a child that ends at once. Nothing of Go's runtime runs in it.
//
//go:nosplit
func forkAndReap(number uintptr) error {
	pid, _, errno := unix.RawSyscall(number, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	if pid == 0 {
		unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0)
	}
	_, err := unix.Wait4(int(pid), nil, 0, nil)
	return err
}
