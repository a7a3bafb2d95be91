package falcoevent

import (
	"runtime"
	"strconv"
)

// word is the name of a flag, or of one of several choices.
type word struct {
	name  string
	value uint32
}

// words are the names for the values of a parameter, in the order in which Falco prints them. Falco has numbers of its
// own for the flags of calls, the same on every machine; tables that differ from Linux have a function that translates.
type words []word

// append adds the names of the flags in v, with a bar between them, and tells whether there was any. A flag takes its
// bits away, so that what is part of a larger one is not named twice; 0 has a name only if the table gives it one.
func (w words) append(dst []byte, v uint32) ([]byte, bool) {
	found, rest := false, v
	for _, each := range w {
		if each.value == 0 && v != 0 || each.value != 0 && (rest == 0 || rest&each.value != each.value) {
			continue
		}
		if found {
			dst = append(dst, '|')
		}
		dst = append(dst, each.name...)
		found = true
		rest &^= each.value
		if v == 0 {
			break
		}
	}
	return dst, found
}

// name gives the name of one of several choices, or "".
func (w words) name(v uint32) string {
	for _, each := range w {
		if each.value == v {
			return each.name
		}
	}
	return ""
}

// Falco's numbers for the flags of the open family.
const (
	openRead uint32 = 1 << iota
	openWrite
	openCreate
	openAppend
	openDsync
	openExcl
	openNonblock
	openSync
	openTrunc
	openDirect
	openDirectory
	openLargefile
	openCloexec
	openTmpfile
	openCreated // the call has made the file
	openUpper   // the file is in the upper layer of an overlay
	openLower   // … in a lower one
)

var openWords = words{
	{"O_LARGEFILE", openLargefile},
	{"O_DIRECTORY", openDirectory},
	{"O_DIRECT", openDirect},
	{"O_TRUNC", openTrunc},
	{"O_SYNC", openSync},
	{"O_NONBLOCK", openNonblock},
	{"O_EXCL", openExcl},
	{"O_DSYNC", openDsync},
	{"O_APPEND", openAppend},
	{"O_CREAT", openCreate},
	{"O_RDWR", openRead | openWrite},
	{"O_WRONLY", openWrite},
	{"O_RDONLY", openRead},
	{"O_CLOEXEC", openCloexec},
	{"O_NONE", 0},
	{"O_TMPFILE", openTmpfile},
	{"O_F_CREATED", openCreated},
	{"FD_UPPER_LAYER", openUpper},
	{"FD_LOWER_LAYER", openLower},
}

// openFlags translates the flags of the open family from Linux.
func openFlags(linux uint64) uint32 {
	const ( // asm-generic/fcntl.h
		accmode  = 0o3
		wronly   = 0o1
		rdwr     = 0o2
		creat    = 0o100
		excl     = 0o200
		trunc    = 0o1000
		appendTo = 0o2000
		nonblock = 0o4000
		dsync    = 0o10000
		cloexec  = 0o2000000
		sync     = 0o4010000
		tmpfile  = 0o20000000
	)
	direct, largefile, directory := uint64(0o40000), uint64(0o100000), uint64(0o200000)
	if runtime.GOARCH == "arm64" {
		directory, direct, largefile = 0o40000, 0o200000, 0o400000
	}
	var flags uint32
	switch linux & accmode {
	case wronly:
		flags = openWrite
	case rdwr:
		flags = openRead | openWrite
	default:
		flags = openRead
	}
	for _, each := range [...]struct {
		linux uint64
		flag  uint32
	}{
		{creat, openCreate},
		{excl, openExcl},
		{trunc, openTrunc},
		{appendTo, openAppend},
		{nonblock, openNonblock},
		{dsync, openDsync},
		{cloexec, openCloexec},
		{sync, openSync},
		{tmpfile, openTmpfile},
		{direct, openDirect},
		{largefile, openLargefile},
		{directory, openDirectory},
	} {
		if linux&each.linux == each.linux {
			flags |= each.flag
		}
	}
	return flags
}

// Falco's numbers for the flags of execve.
const (
	exeWritable uint32 = 1 << iota
	exeUpper
	exeMemfd
	exeLower
)

var exeWords = words{
	{"EXE_WRITABLE", exeWritable},
	{"EXE_UPPER_LAYER", exeUpper},
	{"EXE_FROM_MEMFD", exeMemfd},
	{"EXE_LOWER_LAYER", exeLower},
}

// cloneWords have the numbers that Falco gives to the flags of clone, unshare and setns.
var cloneWords = words{
	{"CLONE_FILES", 1 << 0},
	{"CLONE_FS", 1 << 1},
	{"CLONE_IO", 1 << 2},
	{"CLONE_NEWIPC", 1 << 3},
	{"CLONE_NEWNET", 1 << 4},
	{"CLONE_NEWNS", 1 << 5},
	{"CLONE_NEWPID", 1 << 6},
	{"CLONE_NEWUTS", 1 << 7},
	{"CLONE_PARENT", 1 << 8},
	{"CLONE_PARENT_SETTID", 1 << 9},
	{"CLONE_PTRACE", 1 << 10},
	{"CLONE_SIGHAND", 1 << 11},
	{"CLONE_SYSVSEM", 1 << 12},
	{"CLONE_THREAD", 1 << 13},
	{"CLONE_UNTRACED", 1 << 14},
	{"CLONE_VM", 1 << 15},
	{"CLONE_NEWUSER", 1 << 20},
	{"CLONE_CHILD_CLEARTID", 1 << 23},
	{"CLONE_CHILD_SETTID", 1 << 24},
	{"CLONE_SETTLS", 1 << 25},
	{"CLONE_STOPPED", 1 << 26},
	{"CLONE_VFORK", 1 << 27},
	{"CLONE_NEWCGROUP", 1 << 28},
}

// cloneFlags translates the flags of clone from Linux (uapi/linux/sched.h).
func cloneFlags(linux uint64) uint32 {
	var flags uint32
	for _, each := range [...]struct {
		linux uint64
		bit   uint8
	}{
		{0x00000100, 15}, // VM
		{0x00000200, 1},  // FS
		{0x00000400, 0},  // FILES
		{0x00000800, 11}, // SIGHAND
		{0x00002000, 10}, // PTRACE
		{0x00004000, 27}, // VFORK
		{0x00008000, 8},  // PARENT
		{0x00010000, 13}, // THREAD
		{0x00020000, 5},  // NEWNS
		{0x00040000, 12}, // SYSVSEM
		{0x00080000, 25}, // SETTLS
		{0x00100000, 9},  // PARENT_SETTID
		{0x00200000, 23}, // CHILD_CLEARTID
		{0x00800000, 14}, // UNTRACED
		{0x01000000, 24}, // CHILD_SETTID
		{0x02000000, 28}, // NEWCGROUP
		{0x04000000, 7},  // NEWUTS
		{0x08000000, 3},  // NEWIPC
		{0x10000000, 20}, // NEWUSER
		{0x20000000, 6},  // NEWPID
		{0x40000000, 4},  // NEWNET
		{0x80000000, 2},  // IO
	} {
		if linux&each.linux != 0 {
			flags |= 1 << each.bit
		}
	}
	return flags
}

// familyWords are the socket families, with Linux's numbers.
var familyWords = words{
	{"AF_NFC", 39},
	{"AF_ALG", 38},
	{"AF_CAIF", 37},
	{"AF_IEEE802154", 36},
	{"AF_PHONET", 35},
	{"AF_ISDN", 34},
	{"AF_RXRPC", 33},
	{"AF_IUCV", 32},
	{"AF_BLUETOOTH", 31},
	{"AF_TIPC", 30},
	{"AF_CAN", 29},
	{"AF_LLC", 26},
	{"AF_WANPIPE", 25},
	{"AF_PPPOX", 24},
	{"AF_IRDA", 23},
	{"AF_SNA", 22},
	{"AF_RDS", 21},
	{"AF_ATMSVC", 20},
	{"AF_ECONET", 19},
	{"AF_ASH", 18},
	{"AF_PACKET", 17},
	{"AF_ROUTE", 16},
	{"AF_KEY", 15},
	{"AF_SECURITY", 14},
	{"AF_NETBEUI", 13},
	{"AF_DECnet", 12},
	{"AF_ROSE", 11},
	{"AF_INET6", 10},
	{"AF_X25", 9},
	{"AF_ATMPVC", 8},
	{"AF_BRIDGE", 7},
	{"AF_NETROM", 6},
	{"AF_APPLETALK", 5},
	{"AF_IPX", 4},
	{"AF_AX25", 3},
	{"AF_INET", 2},
	{"AF_LOCAL", 1},
	{"AF_UNSPEC", 0},
}

// ptraceWords have Falco's numbers for the requests of ptrace.
var ptraceWords = words{
	{"PTRACE_SINGLEBLOCK", 38},
	{"PTRACE_SYSEMU_SINGLESTEP", 37},
	{"PTRACE_SYSEMU", 36},
	{"PTRACE_ARCH_PRCTL", 35},
	{"PTRACE_SET_THREAD_AREA", 34},
	{"PTRACE_GET_THREAD_AREA", 33},
	{"PTRACE_OLDSETOPTIONS", 32},
	{"PTRACE_SETFPXREGS", 31},
	{"PTRACE_GETFPXREGS", 30},
	{"PTRACE_SETFPREGS", 29},
	{"PTRACE_GETFPREGS", 28},
	{"PTRACE_SETREGS", 27},
	{"PTRACE_GETREGS", 26},
	{"PTRACE_SETSIGMASK", 25},
	{"PTRACE_GETSIGMASK", 24},
	{"PTRACE_PEEKSIGINFO", 23},
	{"PTRACE_LISTEN", 22},
	{"PTRACE_INTERRUPT", 21},
	{"PTRACE_SEIZE", 20},
	{"PTRACE_SETREGSET", 19},
	{"PTRACE_GETREGSET", 18},
	{"PTRACE_SETSIGINFO", 17},
	{"PTRACE_GETSIGINFO", 16},
	{"PTRACE_GETEVENTMSG", 15},
	{"PTRACE_SETOPTIONS", 14},
	{"PTRACE_SYSCALL", 13},
	{"PTRACE_DETACH", 12},
	{"PTRACE_ATTACH", 11},
	{"PTRACE_SINGLESTEP", 10},
	{"PTRACE_KILL", 9},
	{"PTRACE_CONT", 8},
	{"PTRACE_POKEUSR", 7},
	{"PTRACE_POKEDATA", 6},
	{"PTRACE_POKETEXT", 5},
	{"PTRACE_PEEKUSR", 4},
	{"PTRACE_PEEKDATA", 3},
	{"PTRACE_PEEKTEXT", 2},
	{"PTRACE_TRACEME", 1},
	{"PTRACE_UNKNOWN", 0},
}

// ptraceRequest translates a request of ptrace from Linux (uapi/linux/ptrace.h and x86's ptrace-abi.h).
func ptraceRequest(linux uint64) uint32 {
	switch linux {
	case 0, 1, 2, 3, 4, 5, 6, 7, 8, 9: // TRACEME to SINGLESTEP
		return uint32(linux) + 1
	case 16, 17:
		return uint32(linux) - 5 // ATTACH, DETACH
	case 24:
		return 13
	}
	if 0x4200 <= linux && linux <= 0x420b { // SETOPTIONS to SETSIGMASK
		return uint32(linux-0x4200) + 14
	}
	if runtime.GOARCH != "amd64" {
		return 0
	}
	switch linux {
	case 12, 13, 14, 15: // GETREGS to SETFPREGS
		return uint32(linux) + 14
	case 18, 19: // GETFPXREGS, SETFPXREGS
		return uint32(linux) + 12
	case 21: // OLDSETOPTIONS
		return 32
	case 25, 26: // GET_THREAD_AREA, SET_THREAD_AREA
		return uint32(linux) + 8
	case 30: // ARCH_PRCTL
		return 35
	case 31, 32, 33: // SYSEMU to SINGLEBLOCK
		return uint32(linux) + 5
	}
	return 0
}

// modeWords are permission bits, with Linux's numbers.
var modeWords = words{
	{"S_IXOTH", 0o1},
	{"S_IWOTH", 0o2},
	{"S_IROTH", 0o4},
	{"S_IXGRP", 0o10},
	{"S_IWGRP", 0o20},
	{"S_IRGRP", 0o40},
	{"S_IXUSR", 0o100},
	{"S_IWUSR", 0o200},
	{"S_IRUSR", 0o400},
	{"S_ISVTX", 0o1000},
	{"S_ISGID", 0o2000},
	{"S_ISUID", 0o4000},
}

var mountWords = words{
	{"RDONLY", 1 << 0},
	{"NOSUID", 1 << 1},
	{"NODEV", 1 << 2},
	{"NOEXEC", 1 << 3},
	{"SYNCHRONOUS", 1 << 4},
	{"REMOUNT", 1 << 5},
	{"MANDLOCK", 1 << 6},
	{"DIRSYNC", 1 << 7},
	{"NOATIME", 1 << 10},
	{"NODIRATIME", 1 << 11},
	{"BIND", 1 << 12},
	{"MOVE", 1 << 13},
	{"REC", 1 << 14},
	{"SILENT", 1 << 15},
	{"POSIXACL", 1 << 16},
	{"UNBINDABLE", 1 << 17},
	{"PRIVATE", 1 << 18},
	{"SLAVE", 1 << 19},
	{"SHARED", 1 << 20},
	{"RELATIME", 1 << 21},
	{"KERNMOUNT", 1 << 22},
	{"I_VERSION", 1 << 23},
	{"STRICTATIME", 1 << 24},
	{"LAZYTIME", 1 << 25},
	{"NOSEC", 1 << 28},
	{"BORN", 1 << 29},
	{"ACTIVE", 1 << 30},
	{"NOUSER", 1 << 31},
}

var (
	umountWords  = words{{"FORCE", 1}, {"DETACH", 2}, {"EXPIRE", 4}, {"NOFOLLOW", 8}}
	unlinkWords  = words{{"AT_REMOVEDIR", 0x200}}
	linkWords    = words{{"AT_SYMLINK_FOLLOW", 0x400}, {"AT_EMPTY_PATH", 0x1000}}
	chownWords   = words{{"AT_SYMLINK_NOFOLLOW", 0x100}, {"AT_EMPTY_PATH", 0x1000}}
	renameWords  = words{{"RENAME_NOREPLACE", 1}, {"RENAME_EXCHANGE", 2}, {"RENAME_WHITEOUT", 4}}
	memfdWords   = words{{"MFD_CLOEXEC", 1}, {"MFD_ALLOW_SEALING", 2}, {"MFD_HUGETLB", 4}}
	moduleWords  = words{{"MODULE_INIT_IGNORE_MODVERSIONS", 1}, {"MODULE_INIT_IGNORE_VERMAGIC", 2}, {"MODULE_INIT_COMPRESSED_FILE", 4}}
	resolveWords = words{
		{"RESOLVE_BENEATH", 1 << 0},
		{"RESOLVE_IN_ROOT", 1 << 1},
		{"RESOLVE_NO_MAGICLINKS", 1 << 2},
		{"RESOLVE_NO_SYMLINKS", 1 << 3},
		{"RESOLVE_NO_XDEV", 1 << 4},
		{"RESOLVE_CACHED", 1 << 5},
	}
)

// resolveFlags translates the resolve flags of openat2 from Linux (uapi/linux/openat2.h).
func resolveFlags(linux uint64) uint32 {
	var flags uint32
	for i, bit := range [...]uint64{0x08, 0x10, 0x02, 0x04, 0x01, 0x20} {
		if linux&bit != 0 {
			flags |= 1 << i
		}
	}
	return flags
}

// bpfWords are the commands of bpf(2), with Linux's numbers.
var bpfWords = words{
	{"BPF_MAP_CREATE", 0},
	{"BPF_MAP_LOOKUP_ELEM", 1},
	{"BPF_MAP_UPDATE_ELEM", 2},
	{"BPF_MAP_DELETE_ELEM", 3},
	{"BPF_MAP_GET_NEXT_KEY", 4},
	{"BPF_PROG_LOAD", 5},
	{"BPF_OBJ_PIN", 6},
	{"BPF_OBJ_GET", 7},
	{"BPF_PROG_ATTACH", 8},
	{"BPF_PROG_DETACH", 9},
	{"BPF_PROG_TEST_RUN", 10},
	{"BPF_PROG_GET_NEXT_ID", 11},
	{"BPF_MAP_GET_NEXT_ID", 12},
	{"BPF_PROG_GET_FD_BY_ID", 13},
	{"BPF_MAP_GET_FD_BY_ID", 14},
	{"BPF_OBJ_GET_INFO_BY_FD", 15},
	{"BPF_PROG_QUERY", 16},
	{"BPF_RAW_TRACEPOINT_OPEN", 17},
	{"BPF_BTF_LOAD", 18},
	{"BPF_BTF_GET_FD_BY_ID", 19},
	{"BPF_TASK_FD_QUERY", 20},
	{"BPF_MAP_LOOKUP_AND_DELETE_ELEM", 21},
	{"BPF_MAP_FREEZE", 22},
	{"BPF_BTF_GET_NEXT_ID", 23},
	{"BPF_MAP_LOOKUP_BATCH", 24},
	{"BPF_MAP_LOOKUP_AND_DELETE_BATCH", 25},
	{"BPF_MAP_UPDATE_BATCH", 26},
	{"BPF_MAP_DELETE_BATCH", 27},
	{"BPF_LINK_CREATE", 28},
	{"BPF_LINK_UPDATE", 29},
	{"BPF_LINK_GET_FD_BY_ID", 30},
	{"BPF_LINK_GET_NEXT_ID", 31},
	{"BPF_ENABLE_STATS", 32},
	{"BPF_ITER_CREATE", 33},
	{"BPF_LINK_DETACH", 34},
	{"BPF_PROG_BIND_MAP", 35},
	{"BPF_TOKEN_CREATE", 36},
}

// errnoName names an error by its number, as errno(3) does; the number itself if it is not known.
func errnoName(n int64) string {
	if n > 0 && n < int64(len(errnos)) && errnos[n] != "" {
		return errnos[n]
	}
	return strconv.FormatInt(n, 10)
}

// errnos are Linux's error names by their number (asm-generic/errno.h).
var errnos = [...]string{
	"", "EPERM", "ENOENT", "ESRCH", "EINTR", "EIO", "ENXIO", "E2BIG", "ENOEXEC", "EBADF", "ECHILD", "EAGAIN", "ENOMEM", "EACCES", "EFAULT",
	"ENOTBLK", "EBUSY", "EEXIST", "EXDEV", "ENODEV", "ENOTDIR", "EISDIR", "EINVAL", "ENFILE", "EMFILE", "ENOTTY", "ETXTBSY", "EFBIG", "ENOSPC",
	"ESPIPE", "EROFS", "EMLINK", "EPIPE", "EDOM", "ERANGE", "EDEADLK", "ENAMETOOLONG", "ENOLCK", "ENOSYS", "ENOTEMPTY", "ELOOP", "", "ENOMSG",
	"EIDRM", "ECHRNG", "EL2NSYNC", "EL3HLT", "EL3RST", "ELNRNG", "EUNATCH", "ENOCSI", "EL2HLT", "EBADE", "EBADR", "EXFULL", "ENOANO", "EBADRQC",
	"EBADSLT", "", "EBFONT", "ENOSTR", "ENODATA", "ETIME", "ENOSR", "ENONET", "ENOPKG", "EREMOTE", "ENOLINK", "EADV", "ESRMNT", "ECOMM", "EPROTO",
	"EMULTIHOP", "EDOTDOT", "EBADMSG", "EOVERFLOW", "ENOTUNIQ", "EBADFD", "EREMCHG", "ELIBACC", "ELIBBAD", "ELIBSCN", "ELIBMAX", "ELIBEXEC",
	"EILSEQ", "ERESTART", "ESTRPIPE", "EUSERS", "ENOTSOCK", "EDESTADDRREQ", "EMSGSIZE", "EPROTOTYPE", "ENOPROTOOPT", "EPROTONOSUPPORT",
	"ESOCKTNOSUPPORT", "EOPNOTSUPP", "EPFNOSUPPORT", "EAFNOSUPPORT", "EADDRINUSE", "EADDRNOTAVAIL", "ENETDOWN", "ENETUNREACH", "ENETRESET",
	"ECONNABORTED", "ECONNRESET", "ENOBUFS", "EISCONN", "ENOTCONN", "ESHUTDOWN", "ETOOMANYREFS", "ETIMEDOUT", "ECONNREFUSED", "EHOSTDOWN",
	"EHOSTUNREACH", "EALREADY", "EINPROGRESS", "ESTALE", "EUCLEAN", "ENOTNAM", "ENAVAIL", "EISNAM", "EREMOTEIO", "EDQUOT", "ENOMEDIUM",
	"EMEDIUMTYPE", "ECANCELED", "ENOKEY", "EKEYEXPIRED", "EKEYREVOKED", "EKEYREJECTED", "EOWNERDEAD", "ENOTRECOVERABLE", "ERFKILL", "EHWPOISON",
	512: "ERESTARTSYS", 513: "ERESTARTNOINTR", 514: "ERESTARTNOHAND", 516: "ERESTART_RESTARTBLOCK",
}
