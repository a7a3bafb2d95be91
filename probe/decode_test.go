//go:build linux && (amd64 || arm64)

package probe

import (
	"bytes"
	"slices"
	"testing"
	"unsafe"
)

// put copies one of the C types behind a record.
func put[T any](record []byte, v *T) []byte {
	return append(record, unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))...)
}

// aligned copies a record to where one may stand.
func aligned(record []byte) []byte {
	words := make([]uint64, (len(record)+7)/8+1)
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(words)*8)
	return b[:copy(b, record):len(record)]
}

func anExec() []byte {
	e := bpfProcess{Head: bpfHead{Boot: 5, Start: 3, Kind: uint16(KindExec), Pid: 10, Tid: 10}, ArgsTotal: 9, AncestorCount: 1}
	copy(e.Head.Comm[:], "sh\x00rubbish")
	at := uint16(unsafe.Sizeof(e))
	names := "dash/bin/usr/"
	e.Exe = bpfPathText{Off: at, Len: uint16(len(names))}
	e.Cwd = bpfPathText{Off: at, Len: 0}
	e.ArgsOff, e.ArgsLen = uint32(at)+uint32(len(names)), 9
	return aligned(append(put(nil, &e), names+"sh\x00-c\x00:\x00\x00"...))
}

func aCall() []byte {
	e := bpfSyscall{Head: bpfHead{Boot: 6, Kind: uint16(KindSyscall)}, Id: uint16(SysOpenat), Ret: 3, Args: [6]uint64{0xffffff9c, 0, 0o100, 0o644}}
	at := uint16(unsafe.Sizeof(e))
	e.Path[0] = bpfText{Off: at, Len: 5}
	e.Fd[0] = bpfFdInfo{Num: 3, Flags: 1, Mode: 0o100644, Path: bpfPathText{Off: at + 5, Len: 8}}
	e.Fd[1].Num = -1
	return aligned(append(put(nil, &e), "../x한x/tmp/.."[:5]+"한x/tmp/"...))
}

func aConnect() []byte {
	e := bpfSyscall{Head: bpfHead{Boot: 7, Kind: uint16(KindSyscall)}, Id: uint16(SysConnect)}
	e.Fd[0] = bpfFdInfo{Num: 3, Flags: 1, Mode: 0o140777, SockOff: uint32((unsafe.Sizeof(e) + 7) &^ 7)}
	s := bpfSockInfo{Family: afInet6, RemotePort: 443}
	copy(s.Remote[10:], []byte{0xff, 0xff, 10, 0, 0, 1})
	return aligned(put(put(nil, &e), &s))
}

// Recording makes a small one, for fuzzing.
func Recording(testing.TB) []byte {
	var b bytes.Buffer
	r := newRecorder(&b)
	for _, record := range [][]byte{anExec(), aCall(), aConnect()} {
		r.record(record, 100)
	}
	r.event(&Event{Kind: KindReady, Boot: 1}, 100)
	r.event(&Event{Kind: KindLost, Boot: 1, Lost: &Lost{Kind: KindExec, Count: 2}}, 100)
	_ = r.flush()
	return b.Bytes()
}

func TestDecode(t *testing.T) {
	d := decoder{}
	e, err := d.decode(anExec())
	if err != nil {
		t.Fatal(err)
	}
	if e.Kind != KindExec || e.Task.Comm != "sh" || e.Proc.Exe != "/usr/bin/dash" || e.Proc.CWD != "/" || !slices.Equal(slices.Collect(e.Proc.Argv()), []string{"sh", "-c", ":", ""}) {
		t.Errorf("exec: %+v of %+v", *e.Proc, e.Task)
	}
	e, err = d.decode(aCall())
	if err != nil {
		t.Fatal(err)
	}
	if s := e.Syscall; s.FD.Path != "/tmp/한x" || s.Path.Raw != "../x?"[:4]+s.Path.Raw[4:] || s.Path.Dir != AtFDCWD || s.Flags != 0o100 || s.Mode != 0o644 || s.FD.Type != FDFile || s.FD2.Num != -1 {
		t.Errorf("openat: %+v", *s)
	}
	e, err = d.decode(aConnect())
	if err != nil {
		t.Fatal(err)
	}
	if s := e.Syscall.FD.Socket; s.Remote.String() != "10.0.0.1:443" || !s.Connected {
		t.Errorf("connect: %+v", s)
	}
}

// Every record that is cut, and every one with a place outside of it, is refused.
func TestDecodeRefuses(t *testing.T) {
	d := decoder{}
	for _, record := range [][]byte{anExec(), aCall(), aConnect()} {
		for n := range record {
			if _, err := d.decode(record[:n:n]); err == nil && n < len(record)-16 {
				t.Errorf("%d of %d bytes were taken", n, len(record))
			}
		}
	}
	for _, kind := range []uint16{0, 7, 8, 9, 255, 256, 65535} {
		record := aligned(put(nil, &bpfHead{Kind: kind}))
		if _, err := d.decode(record); err == nil {
			t.Errorf("kind %d was taken", kind)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, record := range [][]byte{anExec(), aCall(), aConnect()} {
		f.Add(record)
	}
	f.Add(aligned(put(nil, &bpfFork{Head: bpfHead{Kind: uint16(KindFork)}})))
	f.Add(aligned(put(nil, &bpfExit{Head: bpfHead{Kind: uint16(KindExit)}, Code: 0x8b})))
	f.Fuzz(func(t *testing.T, record []byte) {
		d := decoder{}
		e, err := d.decode(aligned(record))
		if (e == nil) != (err != nil) {
			t.Errorf("event %v with error %v", e, err)
		}
		if e != nil {
			e.Clone()
		}
	})
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("12 (a) b) S 1 2 3 34816 0 0 0 0 0 0 0 0 0 0 0 0 0 0 4711 0"))
	f.Fuzz(func(t *testing.T, line []byte) {
		if s, err := parseStat(line); err == nil && s.start%clockTick != 0 {
			t.Errorf("start %d", s.start)
		}
	})
}

func TestParseStat(t *testing.T) {
	s, err := parseStat([]byte("12 (a) (b c) S 1 2 3 34816 0 0 0 0 0 0 0 0 0 0 0 0 0 0 4711 0 0"))
	if err != nil || s != (procStat{comm: "a) (b c", ppid: 1, pgid: 2, sid: 3, tty: 34816, start: 4711 * clockTick}) {
		t.Errorf("%+v, %v", s, err)
	}
}

// Go's ids and C's are the same.
func TestSyscallIDs(t *testing.T) {
	for id, c := range map[SyscallID]bpfSyscallId{
		SysOpen: bpfSyscallIdSYS_OPEN, SysRename: bpfSyscallIdSYS_RENAME, SysFchmod: bpfSyscallIdSYS_FCHMOD, SysDup3: bpfSyscallIdSYS_DUP3,
		SysSocket: bpfSyscallIdSYS_SOCKET, SysRecvmmsg: bpfSyscallIdSYS_RECVMMSG, SysTkill: bpfSyscallIdSYS_TKILL,
		SysExecveat: bpfSyscallIdSYS_EXECVEAT, sysCount: bpfSyscallIdSYS_COUNT,
		sysRead: bpfSyscallIdSYS_READ, sysIoctl: bpfSyscallIdSYS_IOCTL, sysSocketcall: bpfSyscallIdSYS_SOCKETCALL,
	} {
		if int(id) != int(c) {
			t.Errorf("%s is %d in Go and %d in C", id, id, c)
		}
	}
	if KindSnapshot != Kind(bpfKindKIND_SNAPSHOT) || kindCount != Kind(bpfKindKIND_COUNT) {
		t.Error("the kinds differ")
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, record := range map[string][]byte{"exec": anExec(), "openat": aCall(), "connect": aConnect()} {
		b.Run(name, func(b *testing.B) {
			d := decoder{}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.decode(record); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
