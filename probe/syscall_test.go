//go:build linux && (amd64 || arm64)

package probe_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tiercel/tiercel/probe"
)

// call is a real system call of a child process, and what its event must say.
type call struct {
	name string // of the event
	what string // tells calls of one name apart
	do   func(dir string) error
	is   func(s *probe.Syscall) bool // among several of one name
	want func(s *probe.Syscall, dir string) string
}

// callRole makes the call that is named, in a directory.
func callRole(args []string) error {
	runtime.LockOSThread()
	for _, c := range calls() {
		if c.name+" "+c.what == args[0] {
			return c.do(args[1])
		}
	}
	return fmt.Errorf("there is no call %q", args[0])
}

// ignore is for calls that are meant to fail.
func ignore(...any) error { return nil }

func cstr(s string) uintptr {
	b := append([]byte(s), 0)
	return uintptr(unsafe.Pointer(&b[0]))
}

// raw makes a system call by its number.
func raw(number uintptr, args ...uintptr) (uintptr, error) {
	var a [6]uintptr
	copy(a[:], args)
	r, _, errno := unix.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
	if errno != 0 {
		return r, errno
	}
	return r, nil
}

func touch(path string) error { return os.WriteFile(path, []byte("x"), 0o644) }

// all joins conditions: each is a name and whether it holds.
func all(s *probe.Syscall, conditions ...any) string {
	var bad []string
	for i := 0; i+1 < len(conditions); i += 2 {
		if holds, _ := conditions[i+1].(bool); !holds {
			bad = append(bad, fmt.Sprint(conditions[i]))
		}
	}
	if len(bad) == 0 {
		return ""
	}
	return fmt.Sprintf("wrong: %s in %+v", strings.Join(bad, ", "), *s)
}

func rel(p probe.Path, dir, raw string) bool {
	return p.Raw == raw && p.Base == dir && !p.Cut
}

func calls() []call {
	const name = "말똥가리 🦅"
	list := []call{
		{"openat", "relative", func(dir string) error {
			if err := os.Mkdir(dir+"/d", 0o755); err != nil {
				return err
			}
			_, err := unix.Openat(unix.AT_FDCWD, "d/../d//"+name, unix.O_CREAT|unix.O_RDWR|unix.O_EXCL, 0o640)
			return err
		}, func(s *probe.Syscall) bool { return strings.HasSuffix(s.Path.Raw, name) }, func(s *probe.Syscall, dir string) string {
			return all(s, "fd", s.FD.Num >= 0 && int64(s.FD.Num) == s.Ret, "path", s.FD.Path == dir+"/d/"+name, "raw", s.Path.Raw == "d/../d//"+name,
				"flags", s.Flags&^unix.O_LARGEFILE == unix.O_CREAT|unix.O_RDWR|unix.O_EXCL, "mode", s.Mode == 0o640, "created", s.FD.Created, "type", s.FD.Type == probe.FDFile,
				"inode", s.FD.Ino != 0 && s.FD.Dev != 0, "file mode", s.FD.Mode&0o170000 == 0o100000, "dir", s.Path.Dir == probe.AtFDCWD, "errno", s.Errno() == 0)
		}},
		{"openat", "directory descriptor", func(dir string) error {
			fd, err := unix.Open(dir, unix.O_DIRECTORY, 0)
			if err != nil {
				return err
			}
			if err := unix.Dup2(fd, 77); err != nil && runtime.GOARCH != "arm64" {
				return err
			}
			_, err = unix.Openat(77, "missing", unix.O_RDONLY, 0)
			return ignore(err)
		}, func(s *probe.Syscall) bool { return s.Path.Raw == "missing" }, func(s *probe.Syscall, dir string) string {
			return all(s, "failed", s.Failed() && s.Errno() == int(unix.ENOENT), "no descriptor", s.FD.Num == -1 && s.FD.Path == "", "path", rel(s.Path, dir, "missing"), "dir", s.Path.Dir == 77)
		}},
		{"openat", "of a file that was removed", func(dir string) error {
			if err := touch(dir + "/gone"); err != nil {
				return err
			}
			f, err := os.Open(dir + "/gone")
			if err != nil {
				return err
			}
			if err := os.Remove(dir + "/gone"); err != nil {
				return err
			}
			_, err = unix.Open(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), unix.O_RDONLY, 0)
			return err
		}, func(s *probe.Syscall) bool { return strings.HasPrefix(s.Path.Raw, "/proc/self/fd/") }, func(s *probe.Syscall, dir string) string {
			return all(s, "deleted", s.FD.Deleted, "path", s.FD.Path == dir+"/gone")
		}},
		{"openat", "device", func(string) error {
			_, err := unix.Open("/dev/null", unix.O_WRONLY, 0)
			return err
		}, func(s *probe.Syscall) bool { return s.Path.Raw == "/dev/null" && s.Flags&3 == 1 }, func(s *probe.Syscall, _ string) string {
			return all(s, "type", s.FD.Type == probe.FDCharDevice, "path", s.FD.Path == "/dev/null", "base", s.Path.Base == "")
		}},
		{"openat2", "", func(dir string) error {
			_, err := unix.Openat2(unix.AT_FDCWD, "new", &unix.OpenHow{Flags: unix.O_CREAT | unix.O_WRONLY | unix.O_TRUNC, Mode: 0o600, Resolve: unix.RESOLVE_NO_SYMLINKS})
			return err
		}, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "path", s.FD.Path == dir+"/new", "flags", s.Flags == unix.O_CREAT|unix.O_WRONLY|unix.O_TRUNC, "mode", s.Mode == 0o600, "resolve", s.Resolve == unix.RESOLVE_NO_SYMLINKS)
		}},
		{"open_by_handle_at", "", func(dir string) error {
			if err := touch(dir + "/h"); err != nil {
				return err
			}
			handle, _, err := unix.NameToHandleAt(unix.AT_FDCWD, dir+"/h", 0)
			if err != nil {
				return err
			}
			mount, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
			if err != nil {
				return err
			}
			_, err = unix.OpenByHandleAt(mount, handle, unix.O_RDONLY)
			return err
		}, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "path", strings.HasSuffix(s.FD.Path, "/h"), "mount", s.FD2.Num >= 0)
		}},
		{"mkdirat", "", func(string) error { return unix.Mkdirat(unix.AT_FDCWD, name, 0o711) }, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "path", rel(s.Path, dir, name), "mode", s.Mode == 0o711, "ret", s.Ret == 0)
		}},
		{"mkdirat", "fails", func(string) error { return ignore(unix.Mkdirat(unix.AT_FDCWD, "/", 0o711)) }, nil, func(s *probe.Syscall, _ string) string {
			return all(s, "path", s.Path.Raw == "/" && s.Path.Base == "", "errno", s.Errno() == int(unix.EEXIST))
		}},
		{"mknodat", "", func(string) error { return unix.Mknodat(unix.AT_FDCWD, "fifo", unix.S_IFIFO|0o600, 0) }, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "path", rel(s.Path, dir, "fifo"), "mode", s.Mode == unix.S_IFIFO|0o600)
		}},
		{"unlinkat", "", func(dir string) error {
			if err := touch(dir + "/u"); err != nil {
				return err
			}
			return unix.Unlinkat(unix.AT_FDCWD, "u", 0)
		}, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "path", rel(s.Path, dir, "u"), "flags", s.Flags == 0)
		}},
		{"unlinkat", "directory", func(dir string) error {
			if err := os.Mkdir(dir+"/r", 0o755); err != nil {
				return err
			}
			return unix.Unlinkat(unix.AT_FDCWD, dir+"/r", unix.AT_REMOVEDIR)
		}, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "path", rel(s.Path, "", dir+"/r"), "flags", s.Flags == unix.AT_REMOVEDIR)
		}},
		{"renameat", "", func(dir string) error {
			if err := touch(dir + "/a"); err != nil {
				return err
			}
			return unix.Renameat(unix.AT_FDCWD, "a", unix.AT_FDCWD, dir+"/b")
		}, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "old", rel(s.Path, dir, "a"), "new", rel(s.Path2, "", dir+"/b"))
		}},
		{"renameat2", "", func(dir string) error {
			if err := touch(dir + "/a"); err != nil {
				return err
			}
			return unix.Renameat2(unix.AT_FDCWD, "a", unix.AT_FDCWD, name, unix.RENAME_NOREPLACE)
		}, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "old", rel(s.Path, dir, "a"), "new", rel(s.Path2, dir, name), "flags", s.Flags == unix.RENAME_NOREPLACE)
		}},
		{"linkat", "", func(dir string) error {
			if err := touch(dir + "/a"); err != nil {
				return err
			}
			return unix.Linkat(unix.AT_FDCWD, "a", unix.AT_FDCWD, "hard", 0)
		}, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "old", rel(s.Path, dir, "a"), "new", rel(s.Path2, dir, "hard"))
		}},
		{"symlinkat", "", func(string) error { return unix.Symlinkat("/etc/shadow", unix.AT_FDCWD, "soft") }, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "target", s.Text == "/etc/shadow", "link", rel(s.Path, dir, "soft"))
		}},
		{"fchmodat", "", func(dir string) error {
			if err := touch(dir + "/m"); err != nil {
				return err
			}
			return unix.Fchmodat(unix.AT_FDCWD, "m", 0o4755, 0)
		}, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "path", rel(s.Path, dir, "m"), "mode", s.Mode == 0o4755)
		}},
		{"fchmod", "", func(dir string) error {
			f, err := os.Create(dir + "/m")
			if err != nil {
				return err
			}
			return unix.Fchmod(int(f.Fd()), 0o2755)
		}, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "path", s.FD.Path == dir+"/m", "mode", s.Mode == 0o2755, "fd", s.FD.Num >= 0)
		}},
		{"fchownat", "", func(dir string) error {
			if err := touch(dir + "/o"); err != nil {
				return err
			}
			return unix.Fchownat(unix.AT_FDCWD, "o", os.Getuid(), os.Getgid(), unix.AT_SYMLINK_NOFOLLOW)
		}, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "path", rel(s.Path, dir, "o"), "ids", int(s.UID) == os.Getuid() && int(s.GID) == os.Getgid(), "flags", s.Flags == unix.AT_SYMLINK_NOFOLLOW)
		}},
		{"fchown", "", func(dir string) error {
			f, err := os.Create(dir + "/o")
			if err != nil {
				return err
			}
			return unix.Fchown(int(f.Fd()), os.Getuid(), -1)
		}, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "path", s.FD.Path == dir+"/o", "gid", s.GID == probe.NoID)
		}},
		{"chdir", "", func(dir string) error {
			if err := os.Mkdir(dir+"/"+name, 0o755); err != nil {
				return err
			}
			return unix.Chdir(name)
		}, func(s *probe.Syscall) bool { return s.Path.Raw == name }, func(s *probe.Syscall, dir string) string {
			return all(s, "path", s.Path.Raw == name, "new", s.FD.Path == dir+"/"+name, "type", s.FD.Type == probe.FDDirectory, "num", s.FD.Num == -1)
		}},
		{"fchdir", "", func(dir string) error {
			fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
			if err != nil {
				return err
			}
			return unix.Fchdir(fd)
		}, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "new", s.FD.Path == dir, "type", s.FD.Type == probe.FDDirectory)
		}},
		{"chroot", "", unix.Chroot, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "path", rel(s.Path, "", dir), "ret", s.Ret == 0)
		}},
		{"dup", "", func(string) error {
			_, err := unix.Dup(2)
			return err
		}, nil, func(s *probe.Syscall, _ string) string {
			return all(s, "old", s.FD2.Num == 2, "new", s.FD.Num > 2 && int64(s.FD.Num) == s.Ret)
		}},
		{"dup3", "socket", func(string) error {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			return unix.Dup3(fd, 99, unix.O_CLOEXEC)
		}, func(s *probe.Syscall) bool { return s.FD.Num == 99 }, func(s *probe.Syscall, _ string) string {
			return all(s, "type", s.FD.Type == probe.FDSocket, "family", s.FD.Socket.Family == unix.AF_INET, "flags", s.Flags == unix.O_CLOEXEC)
		}},
		{"fcntl", "", func(string) error {
			_, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 50)
			return err
		}, func(s *probe.Syscall) bool { return s.Flags == 50 }, func(s *probe.Syscall, _ string) string {
			return all(s, "new", s.FD.Num >= 50, "old", s.FD2.Num == 2, "command", s.Command == unix.F_DUPFD_CLOEXEC)
		}},
		{"ptrace", "", func(string) error {
			_, err := raw(unix.SYS_PTRACE, unix.PTRACE_TRACEME)
			return err
		}, nil, func(s *probe.Syscall, _ string) string {
			return all(s, "request", s.Command == unix.PTRACE_TRACEME, "ret", s.Ret == 0)
		}},
		{"ptrace", "attach", func(string) error { return ignore(unix.PtraceAttach(1 << 29)) }, nil, func(s *probe.Syscall, _ string) string {
			return all(s, "request", s.Command == unix.PTRACE_ATTACH, "pid", s.PID == 1<<29, "errno", s.Errno() == int(unix.ESRCH))
		}},
		{"setns", "", func(string) error {
			fd, err := unix.Open("/proc/self/ns/net", unix.O_RDONLY, 0)
			if err != nil {
				return err
			}
			return unix.Setns(fd, unix.CLONE_NEWNET)
		}, nil, func(s *probe.Syscall, _ string) string {
			return all(s, "type", s.FD.Type == probe.FDNamespace, "flags", s.Flags == unix.CLONE_NEWNET, "inode", s.FD.Ino > 4026531000)
		}},
		{"unshare", "", func(string) error { return unix.Unshare(unix.CLONE_NEWUTS) }, nil, func(s *probe.Syscall, _ string) string {
			return all(s, "flags", s.Flags == unix.CLONE_NEWUTS, "ret", s.Ret == 0)
		}},
		{"mount", "", func(dir string) error {
			if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
				return err
			}
			if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
				return err
			}
			return unix.Mount("mouse", dir, "tmpfs", unix.MS_NOSUID, "")
		}, func(s *probe.Syscall) bool { return s.Text == "mouse" }, func(s *probe.Syscall, dir string) string {
			return all(s, "dir", rel(s.Path, "", dir), "type", s.Text2 == "tmpfs", "flags", s.Flags == unix.MS_NOSUID, "ret", s.Ret == 0)
		}},
		{"umount2", "", func(dir string) error { return ignore(unix.Unmount(dir, unix.MNT_DETACH)) }, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "dir", rel(s.Path, "", dir), "flags", s.Flags == unix.MNT_DETACH, "errno", s.Errno() == int(unix.EINVAL))
		}},
		{"pivot_root", "", func(dir string) error { return ignore(unix.PivotRoot(dir+"/x", dir+"/y")) }, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "new", rel(s.Path, "", dir+"/x"), "old", rel(s.Path2, "", dir+"/y"), "failed", s.Failed())
		}},
		{"init_module", "", func(string) error { return ignore(unix.InitModule([]byte("no module"), "debug=1")) }, nil, func(s *probe.Syscall, _ string) string {
			return all(s, "parameters", s.Text == "debug=1", "size", s.Size == 9, "failed", s.Failed())
		}},
		{"finit_module", "", func(dir string) error {
			if err := touch(dir + "/mouse.ko"); err != nil {
				return err
			}
			f, err := os.Open(dir + "/mouse.ko")
			if err != nil {
				return err
			}
			return ignore(unix.FinitModule(int(f.Fd()), "a=b", 1))
		}, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "file", s.FD.Path == dir+"/mouse.ko", "parameters", s.Text == "a=b", "flags", s.Flags == 1)
		}},
		{"delete_module", "", func(string) error { return ignore(unix.DeleteModule("mouse", unix.O_NONBLOCK)) }, nil, func(s *probe.Syscall, _ string) string {
			return all(s, "name", s.Text == "mouse", "flags", s.Flags == unix.O_NONBLOCK)
		}},
		{"bpf", "", func(string) error {
			_, err := raw(unix.SYS_BPF, 9999)
			return ignore(err)
		}, func(s *probe.Syscall) bool { return s.Command > 100 }, func(s *probe.Syscall, _ string) string {
			return all(s, "command", s.Command == 9999, "failed", s.Failed())
		}},
		{"memfd_create", "", func(string) error {
			_, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
			return err
		}, nil, func(s *probe.Syscall, _ string) string {
			return all(s, "name", s.Text == name, "flags", s.Flags == unix.MFD_CLOEXEC, "type", s.FD.Type == probe.FDMemfd, "path", s.FD.Path == "memfd:"+name)
		}},
		{"userfaultfd", "", func(string) error {
			_, err := raw(unix.SYS_USERFAULTFD, unix.O_CLOEXEC)
			return ignore(err)
		}, nil, func(s *probe.Syscall, _ string) string {
			return all(s, "flags", s.Flags == unix.O_CLOEXEC, "type", s.Failed() || s.FD.Type == probe.FDUserfault)
		}},
		{"socket", "", func(string) error {
			_, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0x300)
			return err
		}, nil, func(s *probe.Syscall, _ string) string {
			return all(s, "domain", s.Domain == unix.AF_PACKET, "type", s.Type == unix.SOCK_RAW|unix.SOCK_CLOEXEC, "protocol", s.Protocol == 0x300,
				"fd", s.FD.Type == probe.FDSocket && int64(s.FD.Num) == s.Ret, "family", s.FD.Socket.Family == unix.AF_PACKET)
		}},
		{"socketpair", "", func(string) error {
			_, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
			return err
		}, nil, func(s *probe.Syscall, _ string) string {
			return all(s, "fds", s.FD.Num > 2 && s.FD2.Num > 2 && s.FD.Num != s.FD2.Num, "domain", s.Domain == unix.AF_UNIX, "family", s.FD.Socket.Family == unix.AF_UNIX)
		}},
		{"setuid", "", func(string) error { return unix.Setuid(12345) }, nil, func(s *probe.Syscall, _ string) string {
			return all(s, "uid", s.UID == 12345, "ret", s.Ret == 0)
		}},
		{"setgid", "", func(string) error { return unix.Setgid(12345) }, nil, func(s *probe.Syscall, _ string) string {
			return all(s, "gid", s.GID == 12345)
		}},
		{"setreuid", "", func(string) error { return unix.Setreuid(-1, 12345) }, nil, func(s *probe.Syscall, _ string) string {
			return all(s, "uid", s.UID == 12345 && s.Args[0]&0xffffffff == uint64(probe.NoID))
		}},
		{"setregid", "", func(string) error { return unix.Setregid(-1, 12345) }, nil, func(s *probe.Syscall, _ string) string {
			return all(s, "gid", s.GID == 12345)
		}},
		{"setresuid", "", func(string) error { return unix.Setresuid(1, 2, 3) }, nil, func(s *probe.Syscall, _ string) string {
			return all(s, "uid", s.UID == 2 && s.Args[0] == 1 && s.Args[2] == 3)
		}},
		{"setresgid", "", func(string) error { return unix.Setresgid(1, 2, 3) }, nil, func(s *probe.Syscall, _ string) string {
			return all(s, "gid", s.GID == 2 && s.Args[0] == 1 && s.Args[2] == 3)
		}},
		{"capset", "", func(string) error {
			_, err := raw(unix.SYS_CAPSET)
			return ignore(err)
		}, nil, func(s *probe.Syscall, _ string) string { return all(s, "failed", s.Failed()) }},
		{"setsid", "", func(string) error {
			_, err := unix.Setsid()
			return err
		}, nil, func(s *probe.Syscall, _ string) string { return all(s, "ret", s.Ret > 0) }},
		{"setpgid", "", func(string) error { return unix.Setpgid(0, 0) }, nil, func(s *probe.Syscall, _ string) string { return all(s, "pid", s.PID == 0, "ret", s.Ret == 0) }},
		{"prctl", "", func(string) error { return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }, func(s *probe.Syscall) bool { return s.Command == unix.PR_SET_DUMPABLE }, func(s *probe.Syscall, _ string) string {
			return all(s, "ret", s.Ret == 0)
		}},
		{"kill", "", func(string) error { return unix.Kill(os.Getpid(), 0) }, nil, func(s *probe.Syscall, _ string) string { return all(s, "signal", s.Command == 0, "pid", s.PID > 1) }},
		{"tgkill", "", func(string) error { return unix.Tgkill(os.Getpid(), unix.Gettid(), 0) }, func(s *probe.Syscall) bool { return s.Command == 0 }, func(s *probe.Syscall, _ string) string {
			return all(s, "pid", s.PID > 1, "ret", s.Ret == 0)
		}},
		{"tkill", "", func(string) error {
			_, err := raw(unix.SYS_TKILL, uintptr(unix.Gettid()), 0)
			return err
		}, nil, func(s *probe.Syscall, _ string) string { return all(s, "pid", s.PID > 1, "ret", s.Ret == 0) }},
		{"keyctl", "", func(string) error {
			_, err := raw(unix.SYS_KEYCTL, 9999)
			return ignore(err)
		}, nil, func(s *probe.Syscall, _ string) string { return all(s, "command", s.Command == 9999) }},
		{"seccomp", "", func(string) error {
			_, err := raw(unix.SYS_SECCOMP, 9999)
			return ignore(err)
		}, nil, func(s *probe.Syscall, _ string) string { return all(s, "command", s.Command == 9999) }},
		{"process_vm_readv", "", func(string) error {
			_, err := raw(unix.SYS_PROCESS_VM_READV, uintptr(os.Getpid()))
			return ignore(err)
		}, nil, func(s *probe.Syscall, _ string) string { return all(s, "pid", s.PID > 1) }},
		{"process_vm_writev", "", func(string) error {
			_, err := raw(unix.SYS_PROCESS_VM_WRITEV, uintptr(os.Getpid()))
			return ignore(err)
		}, nil, func(s *probe.Syscall, _ string) string { return all(s, "pid", s.PID > 1) }},
		{"pidfd_open", "", func(string) error {
			_, err := unix.PidfdOpen(os.Getppid(), unix.PIDFD_NONBLOCK)
			return err
		}, func(s *probe.Syscall) bool { return int(s.PID) == os.Getpid() }, func(s *probe.Syscall, _ string) string {
			return all(s, "type", s.FD.Type == probe.FDPidfd, "flags", s.Flags == unix.PIDFD_NONBLOCK)
		}},
		{"pidfd_getfd", "", func(string) error {
			fd, err := unix.PidfdOpen(os.Getpid(), 0)
			if err != nil {
				return err
			}
			_, err = unix.PidfdGetfd(fd, 2, 0)
			return err
		}, nil, func(s *probe.Syscall, _ string) string { return all(s, "fds", s.FD.Num > 2 && s.FD2.Num > 2) }},
		{"io_uring_setup", "", func(string) error {
			_, err := raw(unix.SYS_IO_URING_SETUP, 4, 0)
			return ignore(err)
		}, nil, func(s *probe.Syscall, _ string) string { return all(s, "entries", s.Size == 4, "failed", s.Failed()) }},
		{"clone", "", func(string) error { return ignore(raw(unix.SYS_CLONE, unix.CLONE_FS|unix.CLONE_NEWNS)) }, func(s *probe.Syscall) bool { return s.Failed() }, func(s *probe.Syscall, _ string) string {
			return all(s, "failed", s.Errno() == int(unix.EINVAL), "flags", s.Flags == unix.CLONE_FS|unix.CLONE_NEWNS)
		}},
		{"clone3", "", func(string) error { return ignore(raw(unix.SYS_CLONE3, 0, 0)) }, func(s *probe.Syscall) bool { return s.Failed() }, func(s *probe.Syscall, _ string) string { return all(s, "failed", s.Failed()) }},
		{"execve", "fails", func(string) error { return ignore(unix.Exec("missing/"+name, []string{"argv0", "two words", ""}, nil)) }, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "path", rel(s.Path, dir, "missing/"+name), "arguments", s.Text == "argv0\x00two words\x00\x00", "errno", s.Errno() == int(unix.ENOENT))
		}},
		{"execveat", "fails", func(string) error {
			argv := [2]uintptr{cstr("zero")}
			_, err := raw(unix.SYS_EXECVEAT, 77, cstr("x"), uintptr(unsafe.Pointer(&argv[0])), 0, unix.AT_EMPTY_PATH)
			return ignore(err)
		}, nil, func(s *probe.Syscall, _ string) string {
			return all(s, "path", s.Path.Raw == "x", "dir", s.Path.Dir == 77, "flags", s.Flags == unix.AT_EMPTY_PATH, "errno", s.Errno() == int(unix.EBADF))
		}},
	}
	list = append(list, oldCalls()...)
	list = append(list, netCalls()...)
	return list
}

// netCalls are those on sockets. The parent's part is played by the child itself.
func netCalls() []call {
	loopback := netip.MustParseAddr("127.0.0.1")
	listen := func() (int, *unix.SockaddrInet4, error) {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return 0, nil, err
		}
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: loopback.As4()}); err != nil {
			return 0, nil, err
		}
		if err := unix.Listen(fd, 7); err != nil {
			return 0, nil, err
		}
		name, err := unix.Getsockname(fd)
		if err != nil {
			return 0, nil, err
		}
		return fd, name.(*unix.SockaddrInet4), nil
	}
	dial := func(to *unix.SockaddrInet4) (int, error) {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return 0, err
		}
		return fd, unix.Connect(fd, to)
	}
	pair := func() (client, server int, err error) {
		l, to, err := listen()
		if err != nil {
			return 0, 0, err
		}
		if client, err = dial(to); err != nil {
			return 0, 0, err
		}
		server, _, err = unix.Accept(l)
		return client, server, err
	}
	inet := func(s *probe.Syscall) bool { return s.FD.Socket.Family == unix.AF_INET }
	tcp := func(s *probe.Syscall, role probe.Role) bool {
		k := s.FD.Socket
		return s.FD.Type == probe.FDSocket && k.Family == unix.AF_INET && k.Protocol == unix.IPPROTO_TCP && k.Type == unix.SOCK_STREAM && k.Role == role &&
			k.Local.Addr() == loopback && k.Remote.Addr() == loopback && k.Local.Port() != 0 && k.Remote.Port() != 0 && k.Connected && k.State == 1
	}
	return []call{
		{"connect", "tcp", func(string) error { _, _, err := pair(); return err }, inet, func(s *probe.Syscall, _ string) string {
			return all(s, "tuple", tcp(s, probe.RoleClient), "address", s.Addr.IP == s.FD.Socket.Remote && s.Addr.Family == unix.AF_INET, "ret", s.Ret == 0)
		}},
		{"connect", "under way", func(string) error {
			_, to, err := listen()
			if err != nil {
				return err
			}
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
			if err != nil {
				return err
			}
			return ignore(unix.Connect(fd, to))
		}, inet, func(s *probe.Syscall, _ string) string {
			return all(s, "errno", s.Errno() == int(unix.EINPROGRESS), "remote", s.FD.Socket.Remote == s.Addr.IP, "role", s.FD.Socket.Role == probe.RoleClient)
		}},
		{"connect", "refused", func(string) error {
			fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			return ignore(unix.Connect(fd, &unix.SockaddrInet6{Addr: netip.IPv6Loopback().As16(), Port: 1}))
		}, func(s *probe.Syscall) bool { return s.FD.Socket.Family == unix.AF_INET6 }, func(s *probe.Syscall, _ string) string {
			return all(s, "failed", s.Failed(), "address", s.Addr.IP == netip.AddrPortFrom(netip.IPv6Loopback(), 1))
		}},
		{"connect", "udp", func(string) error {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
			if err != nil {
				return err
			}
			return unix.Connect(fd, &unix.SockaddrInet4{Addr: loopback.As4(), Port: 53})
		}, inet, func(s *probe.Syscall, _ string) string {
			k := s.FD.Socket
			return all(s, "remote", k.Remote == netip.AddrPortFrom(loopback, 53), "protocol", k.Protocol == unix.IPPROTO_UDP, "role", k.Role == probe.RoleClient, "local", k.Local.Port() != 0 && k.Local.Addr() == loopback)
		}},
		{"connect", "unix", func(dir string) error {
			l, err := net.Listen("unix", dir+"/s")
			if err != nil {
				return err
			}
			defer l.Close()
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			return unix.Connect(fd, &unix.SockaddrUnix{Name: dir + "/s"})
		}, nil, func(s *probe.Syscall, dir string) string {
			return all(s, "address", s.Addr.Path == dir+"/s", "remote", s.FD.Socket.RemotePath == dir+"/s", "family", s.FD.Socket.Family == unix.AF_UNIX, "role", s.FD.Socket.Role == probe.RoleClient)
		}},
		{"connect", "abstract", func(string) error {
			l, err := net.Listen("unix", "@한글-tiercel")
			if err != nil {
				return err
			}
			defer l.Close()
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			return unix.Connect(fd, &unix.SockaddrUnix{Name: "@한글-tiercel"})
		}, nil, func(s *probe.Syscall, _ string) string {
			return all(s, "address", s.Addr.Path == "@한글-tiercel", "remote", s.FD.Socket.RemotePath == "@한글-tiercel")
		}},
		{"bind", "", func(string) error { _, _, err := listen(); return err }, inet, func(s *probe.Syscall, _ string) string {
			return all(s, "address", s.Addr.IP == netip.AddrPortFrom(loopback, 0), "local", s.FD.Socket.Local.Addr() == loopback && s.FD.Socket.Local.Port() != 0)
		}},
		{"listen", "", func(string) error { _, _, err := listen(); return err }, inet, func(s *probe.Syscall, _ string) string {
			return all(s, "backlog", s.Flags == 7, "state", s.FD.Socket.State == 10, "local", s.FD.Socket.Local.Port() != 0)
		}},
		{"accept4", "tcp", func(string) error {
			l, to, err := listen()
			if err != nil {
				return err
			}
			if _, err := dial(to); err != nil {
				return err
			}
			_, _, err = unix.Accept4(l, unix.SOCK_CLOEXEC)
			return err
		}, inet, func(s *probe.Syscall, _ string) string {
			return all(s, "tuple", tcp(s, probe.RoleServer), "listener", s.FD2.Num > 2 && s.FD2.Num != s.FD.Num, "flags", s.Flags == unix.SOCK_CLOEXEC)
		}},
		{"sendto", "tcp server", func(string) error {
			_, server, err := pair()
			if err != nil {
				return err
			}
			_, err = unix.Write(server, nil)
			if err != nil {
				return err
			}
			return unix.Sendto(server, []byte("안녕 hello"), unix.MSG_NOSIGNAL, nil)
		}, inet, func(s *probe.Syscall, _ string) string {
			return all(s, "tuple", tcp(s, probe.RoleServer), "data", string(s.Data) == "안녕 hello", "flags", s.Flags == unix.MSG_NOSIGNAL, "size", s.Size == 12, "ret", s.Ret == 12)
		}},
		{"sendto", "udp", func(string) error {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
			if err != nil {
				return err
			}
			return unix.Sendto(fd, []byte("x"), 0, &unix.SockaddrInet4{Addr: loopback.As4(), Port: 9})
		}, inet, func(s *probe.Syscall, _ string) string {
			return all(s, "address", s.Addr.IP == netip.AddrPortFrom(loopback, 9), "not connected", !s.FD.Socket.Connected, "role", s.FD.Socket.Role == probe.RoleClient)
		}},
		{"recvfrom", "udp server", func(string) error {
			free, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			port := free.LocalAddr().(*net.UDPAddr).Port
			free.Close()
			server, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
			if err != nil {
				return err
			}
			if err := unix.Bind(server, &unix.SockaddrInet4{Addr: loopback.As4(), Port: port}); err != nil {
				return err
			}
			name, err := unix.Getsockname(server)
			if err != nil {
				return err
			}
			c, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", name.(*unix.SockaddrInet4).Port))
			if err != nil {
				return err
			}
			if _, err := c.Write([]byte("ping")); err != nil {
				return err
			}
			buffer := make([]byte, 100)
			_, _, err = unix.Recvfrom(server, buffer, 0)
			return err
		}, inet, func(s *probe.Syscall, _ string) string {
			return all(s, "address", s.Addr.IP.Addr() == loopback && s.Addr.IP.Port() != 0, "data", string(s.Data) == "ping", "size", s.Size == 100, "role", s.FD.Socket.Role == probe.RoleServer, "bound", s.FD.Socket.Bound)
		}},
		{"recvfrom", "tcp client", func(string) error {
			client, server, err := pair()
			if err != nil {
				return err
			}
			if _, err := unix.Write(server, bytes.Repeat([]byte("ab"), 500)); err != nil {
				return err
			}
			_, _, err = unix.Recvfrom(client, make([]byte, 2000), 0)
			return err
		}, inet, func(s *probe.Syscall, _ string) string {
			return all(s, "tuple", tcp(s, probe.RoleClient), "data", len(s.Data) == 256 && bytes.HasPrefix(s.Data, []byte("abab")), "ret", s.Ret == 1000)
		}},
		{"sendmsg", "udp", func(string) error {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
			if err != nil {
				return err
			}
			return unix.Sendmsg(fd, []byte("message"), nil, &unix.SockaddrInet4{Addr: loopback.As4(), Port: 9}, unix.MSG_DONTWAIT)
		}, inet, func(s *probe.Syscall, _ string) string {
			return all(s, "address", s.Addr.IP == netip.AddrPortFrom(loopback, 9), "data", string(s.Data) == "message", "flags", s.Flags == unix.MSG_DONTWAIT, "size", s.Size == 7)
		}},
		{"recvmsg", "tcp", func(string) error {
			client, server, err := pair()
			if err != nil {
				return err
			}
			if _, err := unix.Write(client, []byte("to the server")); err != nil {
				return err
			}
			_, _, _, _, err = unix.Recvmsg(server, make([]byte, 64), nil, 0)
			return err
		}, inet, func(s *probe.Syscall, _ string) string {
			return all(s, "tuple", tcp(s, probe.RoleServer), "data", string(s.Data) == "to the server", "size", s.Size == 64)
		}},
		{"sendmmsg", "", func(string) error {
			client, _, err := pair()
			if err != nil {
				return err
			}
			return mmsg(unix.SYS_SENDMMSG, client)
		}, inet, func(s *probe.Syscall, _ string) string {
			return all(s, "tuple", tcp(s, probe.RoleClient), "data", string(s.Data) == "many", "ret", s.Ret == 1)
		}},
		{"recvmmsg", "", func(string) error {
			client, server, err := pair()
			if err != nil {
				return err
			}
			if _, err := unix.Write(client, []byte("four")); err != nil {
				return err
			}
			return mmsg(unix.SYS_RECVMMSG, server)
		}, inet, func(s *probe.Syscall, _ string) string {
			return all(s, "tuple", tcp(s, probe.RoleServer), "data", string(s.Data) == "four", "ret", s.Ret == 1)
		}},
		{"shutdown", "", func(string) error {
			client, _, err := pair()
			if err != nil {
				return err
			}
			return unix.Shutdown(client, unix.SHUT_WR)
		}, inet, func(s *probe.Syscall, _ string) string {
			return all(s, "how", s.Flags == unix.SHUT_WR, "role", s.FD.Socket.Role == probe.RoleClient)
		}},
	}
}

// mmsg sends or receives one message by a call that is for many.
func mmsg(number uintptr, fd int) error {
	data := []byte("many")
	iov := unix.Iovec{Base: &data[0]}
	iov.SetLen(4)
	type mmsghdr struct {
		hdr unix.Msghdr
		len uint32
		_   uint32
	}
	m := mmsghdr{hdr: unix.Msghdr{Iov: &iov}}
	m.hdr.SetIovlen(1)
	_, err := raw(number, uintptr(fd), uintptr(unsafe.Pointer(&m)), 1, 0, 0)
	runtime.KeepAlive(data)
	return err
}

func TestSystemCalls(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("some calls need root")
	}
	list := calls()
	names := map[string]bool{}
	for _, c := range list {
		names[c.name] = true
	}
	for _, name := range probe.Syscalls() {
		if !names[name] && !elsewhere(name) {
			t.Errorf("no test makes the call %s", name)
		}
	}
	w := watch(t, probe.Options{Syscalls: probe.Syscalls(), MaxData: 256, BulkRing: 32 << 20}, func(e *probe.Event) bool {
		return e.Kind == probe.KindSyscall || e.Kind == probe.KindLost
	})
	for _, c := range list {
		t.Run(c.name+" "+c.what, func(t *testing.T) {
			dir, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			cmd := child(t, "call", c.name+" "+c.what, dir)
			cmd.Dir = dir
			var problems bytes.Buffer
			cmd.Stderr = &problems
			if err := cmd.Run(); err != nil {
				if strings.Contains(problems.String(), unix.EPERM.Error()) || strings.Contains(problems.String(), unix.EOPNOTSUPP.Error()) {
					t.Skipf("the call is not allowed here: %s", &problems)
				}
				t.Fatalf("%v: %s", err, &problems)
			}
			pid := int32(cmd.Process.Pid)
			id, _ := probe.ParseSyscall(c.name)
			w.t = t
			e := w.wait(c.name, func(e *probe.Event) bool {
				return e.Kind == probe.KindSyscall && e.Task.PID == pid && e.Syscall.ID == id && (c.is == nil || c.is(e.Syscall))
			})
			if problem := c.want(e.Syscall, dir); problem != "" {
				t.Error(problem)
			}
			if e.Task.Start == 0 || e.Task.Parent.PID != int32(os.Getpid()) || e.Task.Comm == "" || e.Boot == 0 {
				t.Errorf("task %+v", e.Task)
			}
			w.forget()
		})
	}
	for _, e := range w.all() {
		if e.Kind == probe.KindLost {
			t.Errorf("lost: %+v", *e.Lost)
		}
	}
}

// elsewhere names calls that this architecture does not have.
func elsewhere(name string) bool {
	if runtime.GOARCH != "amd64" {
		return slices.Contains([]string{
			"open", "creat", "mkdir", "rmdir", "unlink", "mknod", "chmod", "chown", "lchown", "rename", "link", "symlink", "dup2", "fork", "vfork", "accept",
		}, name)
	}
	return name == "umount" /* 32 bit only */ || name == "vfork" /* os/exec makes them by clone: see TestVfork */
}

// The set of calls changes while the probe runs; with an empty one nothing comes and nothing is attached.
func TestSetSyscalls(t *testing.T) {
	w := watch(t, probe.Options{}, func(e *probe.Event) bool { return e.Kind == probe.KindSyscall })
	dir := t.TempDir()
	open := func(name string) int32 {
		t.Helper()
		cmd := child(t, "open", name)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return int32(cmd.Process.Pid)
	}
	open(dir + "/one")
	if err := w.probe.SetSyscalls([]string{"openat", "mkdirat"}); err != nil {
		t.Fatal(err)
	}
	pid := open(dir + "/two")
	w.wait("the second open", func(e *probe.Event) bool { return e.Task.PID == pid && e.Syscall.FD.Path == dir+"/two" })
	if err := w.probe.SetSyscalls(nil); err != nil {
		t.Fatal(err)
	}
	before := w.probe.Stats()
	open(dir + "/three")
	time.Sleep(200 * time.Millisecond)
	for _, e := range w.all() {
		if e.Syscall.FD.Path == dir+"/one" || e.Syscall.FD.Path == dir+"/three" {
			t.Errorf("%s was traced", e.Syscall.FD.Path)
		}
	}
	if after := w.probe.Stats(); after.Sent[probe.KindSyscall] != before.Sent[probe.KindSyscall] {
		t.Errorf("%d calls were traced by an empty set", after.Sent[probe.KindSyscall]-before.Sent[probe.KindSyscall])
	}
	if err := w.probe.SetSyscalls([]string{"no_such_call"}); err == nil {
		t.Error("a call that does not exist is taken")
	}
}

func TestFilters(t *testing.T) {
	w := watch(t, probe.Options{Syscalls: []string{"open", "openat", "openat2", "creat"}, Filter: probe.Filter{Comms: []string{"quiet-as-a-mouse"[:15]}, OpenWriteOnly: true, NoFailedOpens: true}},
		func(e *probe.Event) bool { return e.Kind == probe.KindSyscall })
	dir := t.TempDir()
	cmd := child(t, "filters", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	pid := int32(cmd.Process.Pid)
	w.wait("the last open", func(e *probe.Event) bool { return e.Task.PID == pid && e.Syscall.FD.Path == dir+"/last" })
	for _, e := range w.all() {
		if e.Task.PID == int32(os.Getpid()) {
			t.Errorf("a call of our own was traced: %+v", *e.Syscall)
		}
		if e.Task.PID != pid {
			continue
		}
		switch e.Syscall.FD.Path {
		case dir + "/written", dir + "/last":
		case dir + "/quiet":
			t.Error("a quiet thread was traced")
		default:
			t.Errorf("traced: %+v", *e.Syscall)
		}
	}
	if w.probe.Stats().Filtered == 0 {
		t.Error("nothing was counted as filtered")
	}
}

func filtersRole(args []string) error {
	dir := args[0]
	runtime.LockOSThread()
	if err := touch(dir + "/written"); err != nil {
		return err
	}
	if _, err := os.ReadFile(dir + "/written"); err != nil {
		return err
	}
	if err := touch(dir + "/missing/x"); err == nil {
		return errors.New("the open should have failed")
	}
	if err := unix.Prctl(unix.PR_SET_NAME, cstr("quiet-as-a-mouse"), 0, 0, 0); err != nil {
		return err
	}
	if err := touch(dir + "/quiet"); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NAME, cstr("loud"), 0, 0, 0); err != nil {
		return err
	}
	return touch(dir + "/last")
}
