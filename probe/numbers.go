package probe

// number is a system call's number on each architecture; -1 where it has none. They are part of Linux's interface to
// programs and never change.
type number struct {
	id                      SyscallID
	amd64, i386, arm64, arm int16
}

// numbers are those of all system calls that the probe can decode. Several are the same call under an older or a newer
// name, or with other sizes of numbers.
var numbers = [...]number{
	{SysOpen, 2, 5, -1, 5},
	{SysOpenat, 257, 295, 56, 322},
	{SysOpenat2, 437, 437, 437, 437},
	{SysCreat, 85, 8, -1, 8},
	{SysOpenByHandleAt, 304, 342, 265, 371},
	{SysMkdir, 83, 39, -1, 39},
	{SysMkdirat, 258, 296, 34, 323},
	{SysRmdir, 84, 40, -1, 40},
	{SysUnlink, 87, 10, -1, 10},
	{SysUnlinkat, 263, 301, 35, 328},
	{SysMknod, 133, 14, -1, 14},
	{SysMknodat, 259, 297, 33, 324},
	{SysChmod, 90, 15, -1, 15},
	{SysFchmodat, 268, 306, 53, 333},
	{SysFchmodat, 452, 452, 452, 452}, // fchmodat2
	{SysChown, 92, 182, -1, 182},
	{SysChown, -1, 212, -1, 212}, // chown32
	{SysLchown, 94, 16, -1, 16},
	{SysLchown, -1, 198, -1, 198}, // lchown32
	{SysFchownat, 260, 298, 54, 325},
	{SysRename, 82, 38, -1, 38},
	{SysRenameat, 264, 302, 38, 329},
	{SysRenameat2, 316, 353, 276, 382},
	{SysLink, 86, 9, -1, 9},
	{SysLinkat, 265, 303, 37, 330},
	{SysSymlink, 88, 83, -1, 83},
	{SysSymlinkat, 266, 304, 36, 331},
	{SysUmount, -1, 22, -1, -1},
	{SysUmount2, 166, 52, 39, 52},
	{SysMount, 165, 21, 40, 21},
	{SysChdir, 80, 12, 49, 12},
	{SysChroot, 161, 61, 51, 61},
	{SysPivotRoot, 155, 217, 41, 218},
	{SysFchmod, 91, 94, 52, 94},
	{SysFchown, 93, 95, 55, 95},
	{SysFchown, -1, 207, -1, 207}, // fchown32
	{SysFchdir, 81, 133, 50, 133},
	{SysSetns, 308, 346, 268, 375},
	{SysFinitModule, 313, 350, 273, 379},
	{SysDup, 32, 41, 23, 41},
	{SysDup2, 33, 63, -1, 63},
	{SysDup3, 292, 330, 24, 358},
	{SysFcntl, 72, 55, 25, 55},
	{SysFcntl, -1, 221, -1, 221}, // fcntl64
	{SysMemfdCreate, 319, 356, 279, 385},
	{SysUserfaultfd, 323, 374, 282, 388},
	{SysBpf, 321, 357, 280, 386},
	{SysSocket, 41, 359, 198, 281},
	{SysSocketpair, 53, 360, 199, 288},
	{SysConnect, 42, 362, 203, 283},
	{SysBind, 49, 361, 200, 282},
	{SysListen, 50, 363, 201, 284},
	{SysAccept, 43, -1, 202, 285},
	{SysAccept4, 288, 364, 242, 366},
	{SysSendto, 44, 369, 206, 290},
	{SysSendto, -1, -1, -1, 289}, // send
	{SysSendmsg, 46, 370, 211, 296},
	{SysSendmsg, 518, -1, -1, -1}, // x32
	{SysSendmmsg, 307, 345, 269, 374},
	{SysSendmmsg, 538, -1, -1, -1}, // x32
	{SysRecvfrom, 45, 371, 207, 292},
	{SysRecvfrom, -1, -1, -1, 291}, // recv
	{SysRecvfrom, 517, -1, -1, -1}, // x32
	{SysRecvmsg, 47, 372, 212, 297},
	{SysRecvmsg, 519, -1, -1, -1}, // x32
	{SysRecvmmsg, 299, 337, 243, 365},
	{SysRecvmmsg, -1, 417, -1, 417}, // recvmmsg_time64
	{SysRecvmmsg, 537, -1, -1, -1},  // x32
	{SysShutdown, 48, 373, 210, 293},
	{SysPtrace, 101, 26, 117, 26},
	{SysPtrace, 521, -1, -1, -1}, // x32
	{SysUnshare, 272, 310, 97, 337},
	{SysInitModule, 175, 128, 105, 128},
	{SysDeleteModule, 176, 129, 106, 129},
	{SysSetuid, 105, 23, 146, 23},
	{SysSetuid, -1, 213, -1, 213}, // setuid32
	{SysSetgid, 106, 46, 144, 46},
	{SysSetgid, -1, 214, -1, 214}, // setgid32
	{SysSetreuid, 113, 70, 145, 70},
	{SysSetreuid, -1, 203, -1, 203}, // setreuid32
	{SysSetregid, 114, 71, 143, 71},
	{SysSetregid, -1, 204, -1, 204}, // setregid32
	{SysSetresuid, 117, 164, 147, 164},
	{SysSetresuid, -1, 208, -1, 208}, // setresuid32
	{SysSetresgid, 119, 170, 149, 170},
	{SysSetresgid, -1, 210, -1, 210}, // setresgid32
	{SysCapset, 126, 185, 91, 185},
	{SysSetsid, 112, 66, 157, 66},
	{SysSetpgid, 109, 57, 154, 57},
	{SysPrctl, 157, 172, 167, 172},
	{SysKill, 62, 37, 129, 37},
	{SysTgkill, 234, 270, 131, 268},
	{SysTkill, 200, 238, 130, 238},
	{SysKeyctl, 250, 288, 219, 311},
	{SysSeccomp, 317, 354, 277, 383},
	{SysProcessVMReadv, 310, 347, 270, 376},
	{SysProcessVMReadv, 539, -1, -1, -1}, // x32
	{SysProcessVMWritev, 311, 348, 271, 377},
	{SysProcessVMWritev, 540, -1, -1, -1}, // x32
	{SysPidfdOpen, 434, 434, 434, 434},
	{SysPidfdGetfd, 438, 438, 438, 438},
	{SysIOURingSetup, 425, 425, 425, 425},
	{SysFork, 57, 2, -1, 2},
	{SysVfork, 58, 190, -1, 190},
	{SysClone, 56, 120, 220, 120},
	{SysClone3, 435, 435, 435, 435},
	{SysExecve, 59, 11, 221, 11},
	{SysExecve, 520, -1, -1, -1}, // x32
	{SysExecveat, 322, 358, 281, 387},
	{SysExecveat, 545, -1, -1, -1}, // x32
}

// ttyNumbers are those of what happens at terminals.
var ttyNumbers = [...]number{
	{sysRead, 0, 3, 63, 3},
	{sysReadv, 19, 145, 65, 145},
	{sysWrite, 1, 4, 64, 4},
	{sysWritev, 20, 146, 66, 146},
	{sysIoctl, 16, 54, 29, 54},
	{sysIoctl, 514, -1, -1, -1},  // x32
	{sysReadv, 515, -1, -1, -1},  // x32
	{sysWritev, 516, -1, -1, -1}, // x32
}

// socketcall is the number of the one call that 32 bit programs on x86 may use for all of sockets.
const socketcall = 102
