//go:build linux && (amd64 || arm64)

package probe

import (
	"fmt"
	"runtime"
)

// slots is what the dispatcher of system calls is asked for, by the number of the call, and by its id for those that
// are known only by their arguments.
type slots struct {
	by     [bpfSlotCount]bpfSlot
	wanted [256]uint8
	any    bool
}

const bpfSlotCount = 1024

// wantedSlots makes the table for a set of names and for what is traced at terminals.
func wantedSlots(names []string, terminals bool) (*slots, error) {
	s := &slots{}
	for _, name := range names {
		id, ok := ParseSyscall(name)
		if !ok {
			return nil, fmt.Errorf("%q is no system call that the probe can trace", name)
		}
		s.wanted[id] = 1
		s.any = true
		for i := range numbers {
			if numbers[i].id == id {
				s.put(&numbers[i], class(id))
			}
		}
		if class(id) == bpfClassCLASS_NET || id == SysSocket {
			s.put(&number{id: sysSocketcall, amd64: -1, i386: socketcall, arm64: -1, arm: -1}, bpfClassCLASS_NET)
		}
	}
	if terminals {
		s.any = true
		for i := range ttyNumbers {
			s.put(&ttyNumbers[i], bpfClassCLASS_TTY)
		}
	}
	return s, nil
}

func (s *slots) put(n *number, class bpfClass) {
	native, compat := n.amd64, n.i386
	if runtime.GOARCH == "arm64" {
		native, compat = n.arm64, n.arm
	}
	if native >= 0 {
		s.by[native].Id, s.by[native].Class = uint8(n.id), uint8(class)
	}
	if compat >= 0 {
		s.by[compat].CompatId, s.by[compat].CompatClass = uint8(n.id), uint8(class)
	}
}

// class is the program that makes the event of a call.
func class(id SyscallID) bpfClass {
	switch id {
	case SysOpen, SysOpenat, SysOpenat2, SysCreat, SysOpenByHandleAt:
		return bpfClassCLASS_OPEN
	case SysSocketpair, SysConnect, SysBind, SysListen, SysAccept, SysAccept4, SysSendto, SysSendmsg, SysSendmmsg, SysRecvfrom,
		SysRecvmsg, SysRecvmmsg, SysShutdown:
		return bpfClassCLASS_NET
	case SysExecve, SysExecveat:
		return bpfClassCLASS_EXEC
	default:
		return bpfClassCLASS_FILE
	}
}
