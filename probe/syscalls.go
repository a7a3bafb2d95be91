package probe

import "slices"

// SyscallID is a system call that the probe can decode. It is the same on every architecture and no part of any file
// format but the probe's own records.
type SyscallID uint8

// The system calls. The order is that of enum syscall_id in bpf/event.h.
const (
	SysNone SyscallID = iota
	SysOpen
	SysOpenat
	SysOpenat2
	SysCreat
	SysOpenByHandleAt
	SysMkdir
	SysMkdirat
	SysRmdir
	SysUnlink
	SysUnlinkat
	SysMknod
	SysMknodat
	SysChmod
	SysFchmodat
	SysChown
	SysLchown
	SysFchownat
	SysRename
	SysRenameat
	SysRenameat2
	SysLink
	SysLinkat
	SysSymlink
	SysSymlinkat
	SysUmount
	SysUmount2
	SysMount
	SysChdir
	SysChroot
	SysPivotRoot
	SysFchmod
	SysFchown
	SysFchdir
	SysSetns
	SysFinitModule
	SysDup
	SysDup2
	SysDup3
	SysFcntl
	SysMemfdCreate
	SysUserfaultfd
	SysBpf
	SysSocket
	SysSocketpair
	SysConnect
	SysBind
	SysListen
	SysAccept
	SysAccept4
	SysSendto
	SysSendmsg
	SysSendmmsg
	SysRecvfrom
	SysRecvmsg
	SysRecvmmsg
	SysShutdown
	SysPtrace
	SysUnshare
	SysInitModule
	SysDeleteModule
	SysSetuid
	SysSetgid
	SysSetreuid
	SysSetregid
	SysSetresuid
	SysSetresgid
	SysCapset
	SysSetsid
	SysSetpgid
	SysPrctl
	SysKill
	SysTgkill
	SysTkill
	SysKeyctl
	SysSeccomp
	SysProcessVMReadv
	SysProcessVMWritev
	SysPidfdOpen
	SysPidfdGetfd
	SysIOURingSetup
	SysFork
	SysVfork
	SysClone
	SysClone3
	SysExecve
	SysExecveat
	sysCount
)

// The ids of calls that are no events of their own: what happens at terminals, and x86's one call for all of sockets.
const (
	sysRead SyscallID = 240 + iota
	sysReadv
	sysWrite
	sysWritev
	sysIoctl
	sysSocketcall
)

var syscallNames = [sysCount]string{
	"", "open", "openat", "openat2", "creat", "open_by_handle_at", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat",
	"mknod", "mknodat", "chmod", "fchmodat", "chown", "lchown", "fchownat", "rename", "renameat", "renameat2", "link",
	"linkat", "symlink", "symlinkat", "umount", "umount2", "mount", "chdir", "chroot", "pivot_root", "fchmod", "fchown",
	"fchdir", "setns", "finit_module", "dup", "dup2", "dup3", "fcntl", "memfd_create", "userfaultfd", "bpf", "socket",
	"socketpair", "connect", "bind", "listen", "accept", "accept4", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg",
	"recvmmsg", "shutdown", "ptrace", "unshare", "init_module", "delete_module", "setuid", "setgid", "setreuid",
	"setregid", "setresuid", "setresgid", "capset", "setsid", "setpgid", "prctl", "kill", "tgkill", "tkill", "keyctl",
	"seccomp", "process_vm_readv", "process_vm_writev", "pidfd_open", "pidfd_getfd", "io_uring_setup", "fork", "vfork",
	"clone", "clone3", "execve", "execveat",
}

// String is the name that Falco has for the event, which is that of the system call.
func (id SyscallID) String() string {
	if id >= sysCount {
		return ""
	}
	return syscallNames[id]
}

// ParseSyscall finds a system call by its name.
func ParseSyscall(name string) (SyscallID, bool) {
	i := slices.Index(syscallNames[1:], name)
	return SyscallID(i + 1), i >= 0
}

// Syscalls are the names of all system calls that the probe can decode.
func Syscalls() []string { return slices.Clone(syscallNames[1:]) }
