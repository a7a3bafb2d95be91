package proctree

import "math/bits"

// Caps is a set of capabilities, one bit each, as the kernel numbers them.
type Caps uint64

// capNames are the names of capabilities by number; linux/capability.h has them.
var capNames = [...]string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
	"CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
	"CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
	"CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
	"CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
}

// AllCaps are the capabilities that have a name.
const AllCaps Caps = 1<<len(capNames) - 1

// AppendTo appends the names, joined by blanks, in the order of their numbers. Bits without a name are left out: a
// kernel newer than this program.
func (c Caps) AppendTo(dst []byte) []byte {
	first := true
	for set := uint64(c & AllCaps); set != 0; set &= set - 1 {
		if !first {
			dst = append(dst, ' ')
		}
		first = false
		dst = append(dst, capNames[bits.TrailingZeros64(set)]...)
	}
	return dst
}

// allCapNames is what root has, the set that is asked for most.
var allCapNames = string(AllCaps.AppendTo(nil))

// String gives the names, joined by blanks.
func (c Caps) String() string {
	switch c & AllCaps {
	case 0:
		return ""
	case AllCaps:
		return allCapNames
	}
	return string(c.AppendTo(nil))
}
