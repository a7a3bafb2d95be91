//go:build linux && (amd64 || arm64)

package probe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strconv"
	"unsafe"
)

var errCall = errors.New("there is no such system call")

func (d *decoder) decodeSyscall(record []byte) error {
	e, err := view[bpfSyscall](record)
	if err != nil {
		return err
	}
	if e.Id == 0 || e.Id >= uint16(sysCount) {
		return errCall
	}
	s := &d.syscall
	*s = Syscall{ID: SyscallID(e.Id), Ret: e.Ret, Args: e.Args, Compat: e.Compat != 0}
	d.event.Syscall = s
	if err := d.fd(record, &e.Fd[0], &s.FD); err != nil {
		return err
	}
	if err := d.fd(record, &e.Fd[1], &s.FD2); err != nil {
		return err
	}
	for i, p := range [...]*Path{&s.Path, &s.Path2} {
		if e.Path[i].Off == 0 {
			continue
		}
		if p.Raw, err = d.textAt(record, e.Path[i]); err != nil {
			return err
		}
		if p.Base, err = d.path(record, &e.Base[i]); err != nil {
			return err
		}
		p.Dir = AtFDCWD
		p.Cut = e.Cut>>i&1 != 0
	}
	if s.Text, err = d.textAt(record, e.Text[0]); err != nil {
		return err
	}
	if s.Text2, err = d.textAt(record, e.Text[1]); err != nil {
		return err
	}
	if s.Data, err = slice(record, e.Data.Off, e.Data.Len); err != nil {
		return err
	}
	if e.Addr.Off != 0 {
		raw, err := slice(record, e.Addr.Off, e.Addr.Len)
		if err != nil {
			return err
		}
		s.Addr = d.address(raw)
	}
	s.arguments(e.Size)
	return nil
}

// arguments names the arguments of each call.
func (s *Syscall) arguments(size uint32) {
	a := &s.Args
	low := func(i int) uint32 { return uint32(a[i]) }
	dir := func(i int) int32 { return int32(low(i)) }
	switch s.ID {
	case SysOpen:
		s.Flags, s.Mode = uint64(low(1)), low(2)
	case SysOpenat:
		s.Path.Dir, s.Flags, s.Mode = dir(0), uint64(low(2)), low(3)
	case SysOpenat2:
		s.Path.Dir, s.Flags, s.Mode, s.Resolve = dir(0), a[2], low(3), a[4]
	case SysCreat:
		s.Flags, s.Mode = 0o1101, low(1) // O_CREAT, O_TRUNC, O_WRONLY
	case SysOpenByHandleAt:
		s.Flags = uint64(low(2))
	case SysMkdir, SysMknod, SysChmod:
		s.Mode = low(1)
	case SysMkdirat, SysMknodat:
		s.Path.Dir, s.Mode = dir(0), low(2)
	case SysFchmodat:
		s.Path.Dir, s.Mode = dir(0), low(2)
	case SysFchmod:
		s.Mode = low(1)
	case SysUnlinkat:
		s.Path.Dir, s.Flags = dir(0), uint64(low(2))
	case SysChown, SysLchown, SysFchown:
		s.UID, s.GID = low(1), low(2)
	case SysFchownat:
		s.Path.Dir, s.UID, s.GID, s.Flags = dir(0), low(2), low(3), uint64(low(4))
	case SysRenameat, SysRenameat2, SysLinkat:
		s.Path.Dir, s.Path2.Dir = dir(0), dir(2)
		if s.ID != SysRenameat {
			s.Flags = uint64(low(4))
		}
	case SysSymlinkat:
		s.Path.Dir = dir(1)
	case SysUmount2:
		s.Flags = uint64(low(1))
	case SysMount:
		s.Flags = a[3]
	case SysSetns, SysListen, SysShutdown, SysMemfdCreate, SysDeleteModule:
		s.Flags = uint64(low(1))
	case SysFinitModule, SysDup3, SysPidfdGetfd:
		s.Flags = uint64(low(2))
	case SysDup, SysDup2:
	case SysFcntl:
		s.Command, s.Flags = low(1), a[2]
	case SysUserfaultfd:
		s.Flags = uint64(low(0))
	case SysUnshare, SysClone, SysVfork, SysFork:
		s.Flags = a[0]
	case SysBpf, SysPrctl, SysKeyctl, SysSeccomp:
		s.Command = low(0)
	case SysSocket, SysSocketpair:
		s.Domain, s.Type, s.Protocol = low(0), low(1), low(2)
		s.Flags = uint64(low(1) &^ 0xf) // SOCK_NONBLOCK, SOCK_CLOEXEC
	case SysAccept4:
		s.Flags = uint64(low(3))
	case SysSendto, SysRecvfrom:
		s.Size, s.Flags = a[2], uint64(low(3))
	case SysSendmsg, SysRecvmsg:
		s.Size, s.Flags = uint64(size), uint64(low(2))
	case SysSendmmsg, SysRecvmmsg:
		s.Size, s.Flags = uint64(size), uint64(low(3))
	case SysPtrace:
		s.Command, s.PID = low(0), dir(1)
	case SysInitModule:
		s.Size = a[1]
	case SysSetuid:
		s.UID = low(0)
	case SysSetgid:
		s.GID = low(0)
	case SysSetreuid, SysSetresuid:
		s.UID = low(1)
	case SysSetregid, SysSetresgid:
		s.GID = low(1)
	case SysKill, SysTkill:
		s.PID, s.Command = dir(0), low(1)
	case SysTgkill:
		s.PID, s.Command = dir(0), low(2)
	case SysSetpgid, SysProcessVMReadv, SysProcessVMWritev:
		s.PID = dir(0)
	case SysPidfdOpen:
		s.PID, s.Flags = dir(0), uint64(low(1))
	case SysIOURingSetup:
		s.Size = uint64(low(0))
	case SysExecveat:
		s.Path.Dir, s.Flags = dir(0), uint64(low(4))
	}
}

// File systems, by the numbers of linux/magic.h.
const (
	magicPipe   = 0x50495045
	magicAnon   = 0x09041934
	magicNS     = 0x6e736673
	magicBPF    = 0xcafe4a11
	magicPidfd  = 0x50494446
	magicTmp    = 0x01021994
	magicSocket = 0x534f434b
)

// fd fills in an open file.
func (d *decoder) fd(record []byte, e *bpfFdInfo, fd *FD) error {
	fd.Num = e.Num
	if e.Flags&uint32(bpfFdFlagsFD_PRESENT) == 0 {
		return nil
	}
	fd.Mode, fd.Ino, fd.Dev = e.Mode, e.Ino, device(e.Dev)
	fd.UpperLayer = e.Flags&uint32(bpfFdFlagsFD_UPPER) != 0
	fd.LowerLayer = e.Flags&uint32(bpfFdFlagsFD_LOWER) != 0
	fd.Created = e.Flags&uint32(bpfFdFlagsFD_CREATED) != 0
	fd.Deleted = e.Path.Flags&uint32(bpfPathFlagsPATH_DELETED) != 0
	if e.SockOff != 0 {
		fd.Type = FDSocket
		return d.socket(record, e.SockOff, &fd.Socket)
	}
	var err error
	if fd.Path, err = d.path(record, &e.Path); err != nil {
		return err
	}
	fd.Type = fdType(e, fd.Path)
	if fd.Path == "" && (fd.Type == FDPipe || fd.Type == FDNamespace) || fd.Type == FDNamespace {
		begin := len(d.paths)
		name := "pipe:["
		if fd.Type == FDNamespace {
			name = "ns:["
		}
		d.paths = append(strconv.AppendUint(append(d.paths, name...), e.Ino, 10), ']')
		fd.Path = text(d.paths[begin:])
	}
	return nil
}

// fdType tells what a descriptor stands for from the file's mode, and where that says nothing, from its file system and
// the name that the kernel gave it.
func fdType(e *bpfFdInfo, path string) FDType {
	pseudo := e.Path.Flags&uint32(bpfPathFlagsPATH_PSEUDO) != 0
	switch e.Magic {
	case magicAnon:
		switch path {
		case "[eventfd]":
			return FDEvent
		case "[eventpoll]":
			return FDEpoll
		case "[signalfd]":
			return FDSignal
		case "[timerfd]":
			return FDTimer
		case "[userfaultfd]":
			return FDUserfault
		case "[io_uring]":
			return FDIOURing
		case "inotify", "anon_inode:inotify":
			return FDInotify
		case "[pidfd]":
			return FDPidfd
		case "bpf-map", "bpf-prog", "bpf_link", "bpf-link", "btf":
			return FDBPF
		}
		return FDAnon
	case magicNS:
		return FDNamespace
	case magicPidfd:
		return FDPidfd
	case magicTmp:
		if pseudo && len(path) >= 6 && path[:6] == "memfd:" {
			return FDMemfd
		}
	}
	switch e.Mode & 0o170000 {
	case 0o100000:
		return FDFile
	case 0o040000:
		return FDDirectory
	case 0o020000:
		return FDCharDevice
	case 0o060000:
		return FDBlockDevice
	case 0o010000:
		return FDPipe
	case 0o120000:
		return FDSymlink
	case 0:
		if e.Path.Off != 0 && e.Magic == 0 {
			return FDDirectory // the working directory that chdir(2) has set
		}
	}
	return FDUnknown
}

// The address families that have a form of their own.
const (
	afUnix    = 1
	afInet    = 2
	afInet6   = 10
	afNetlink = 16
)

// socket fills in a socket's own addresses.
func (d *decoder) socket(record []byte, off uint32, s *Socket) error {
	if uint64(off)+uint64(unsafe.Sizeof(bpfSockInfo{})) > uint64(len(record)) || off%8 != 0 {
		return errText
	}
	e, err := view[bpfSockInfo](record[off:])
	if err != nil {
		return err
	}
	s.Family, s.Type, s.Protocol, s.State = e.Family, e.Type, e.Protocol, e.State
	s.Role = Role(min(e.Role, uint8(RoleServer)))
	s.Bound = e.Bound != 0
	switch e.Family {
	case afInet:
		s.Local = netip.AddrPortFrom(netip.AddrFrom4([4]byte(e.Local[:4])), e.LocalPort)
		s.Remote = netip.AddrPortFrom(netip.AddrFrom4([4]byte(e.Remote[:4])), e.RemotePort)
		s.Connected = e.RemotePort != 0
	case afInet6:
		s.Local = netip.AddrPortFrom(netip.AddrFrom16(e.Local).Unmap(), e.LocalPort)
		s.Remote = netip.AddrPortFrom(netip.AddrFrom16(e.Remote).Unmap(), e.RemotePort)
		s.Connected = e.RemotePort != 0
	case afUnix:
		if s.LocalPath, err = d.unixPath(record, e.LocalPath); err != nil {
			return err
		}
		if s.RemotePath, err = d.unixPath(record, e.RemotePath); err != nil {
			return err
		}
		s.Connected = e.State == 1 // TCP_ESTABLISHED
	}
	return nil
}

func (d *decoder) unixPath(record []byte, t bpfText) (string, error) {
	raw, err := slice(record, t.Off, t.Len)
	if err != nil {
		return "", err
	}
	return d.unixName(raw), nil
}

// unixName is a unix socket's name: that of a file up to the NUL, or one in the abstract namespace, which begins with
// a NUL and has its length.
func (d *decoder) unixName(raw []byte) string {
	if len(raw) > 1 && raw[0] == 0 {
		begin := len(d.paths)
		d.paths = append(append(d.paths, '@'), raw[1:]...)
		return text(d.paths[begin:])
	}
	if i := bytes.IndexByte(raw, 0); i >= 0 {
		raw = raw[:i]
	}
	return text(raw)
}

// address reads a struct sockaddr.
func (d *decoder) address(raw []byte) Address {
	if len(raw) < 2 {
		return Address{}
	}
	a := Address{Family: binary.NativeEndian.Uint16(raw)}
	switch {
	case a.Family == afInet && len(raw) >= 8:
		a.IP = netip.AddrPortFrom(netip.AddrFrom4([4]byte(raw[4:8])), binary.BigEndian.Uint16(raw[2:]))
	case a.Family == afInet6 && len(raw) >= 24:
		a.IP = netip.AddrPortFrom(netip.AddrFrom16([16]byte(raw[8:24])).Unmap(), binary.BigEndian.Uint16(raw[2:]))
	case a.Family == afUnix:
		a.Path = d.unixName(raw[2:])
	case a.Family == afNetlink && len(raw) >= 8:
		a.NetlinkPID = binary.NativeEndian.Uint32(raw[4:])
	}
	return a
}
