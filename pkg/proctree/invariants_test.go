package proctree

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/tiercel/tiercel/probe"
)

// check looks whether everything in a tree fits together.
func (t *Tree) check() error {
	count, args := 0, 0
	users := make(map[*cgroup]int)
	children := make(map[*Process]int)
	for pid, p := range t.byPID {
		for ; p != nil; p = p.older {
			count++
			if p.PID != pid || p.evicted {
				return fmt.Errorf("process %v is at %d, evicted %v", p.Key, pid, p.evicted)
			}
			if p.older != nil && p.older.Start > p.Start {
				return fmt.Errorf("process %v is before %v", p.older.Key, p.Key)
			}
			switch {
			case p.list == nil, p.Exited == (p.list == &t.living):
				return fmt.Errorf("process %v is in the wrong list, exited %v", p.Key, p.Exited)
			}
			if p.cgroup != nil {
				users[p.cgroup]++
			}
			if p.parent != nil {
				children[p.parent]++
				if !older(p.parent.Key, p.Key) {
					return fmt.Errorf("process %v descends from %v", p.Key, p.parent.Key)
				}
			}
			if p.argsOwner {
				args += p.argSize()
			}
		}
	}
	if n := t.living.len + t.ended.len + t.parents.len; count != t.count || n != count {
		return fmt.Errorf("%d processes, %d counted, %d in lists", count, t.count, n)
	}
	if args != t.argBytes {
		return fmt.Errorf("%d bytes of arguments, %d counted", args, t.argBytes)
	}
	for p, n := range children {
		if p.children != n {
			return fmt.Errorf("process %v has %d children, %d counted", p.Key, n, p.children)
		}
	}
	for p := t.parents.first; p != nil; p = p.next {
		if children[p] == 0 {
			return fmt.Errorf("process %v is kept for nobody", p.Key)
		}
	}
	if len(users) != len(t.cgroups) || len(t.byCgroupID) > len(t.cgroups) {
		return fmt.Errorf("%d cgroups are used, %d are kept, %d by id", len(users), len(t.cgroups), len(t.byCgroupID))
	}
	for c, n := range users {
		if c.users != n {
			return fmt.Errorf("cgroup %q has %d users, %d counted", c.v2+c.v1, n, c.users)
		}
	}
	for ns, p := range t.inits {
		if p.evicted || p.PIDNS != ns {
			return fmt.Errorf("the first process of namespace %d is %v of %d", ns, p.Key, p.PIDNS)
		}
	}
	return nil
}

// FuzzTree feeds events that no kernel would make: whatever comes, the tree holds together, stays within its bounds,
// and has no circles.
func FuzzTree(f *testing.F) {
	f.Add([]byte("a fork, an exec, an exit and more of them, in any order: 0123456789 abcdefghijklmnopqrstuvwxyz"))
	f.Add(func() []byte {
		var b []byte
		for i := range 200 {
			b = binary.LittleEndian.AppendUint32(b, uint32(i)*2654435761)
		}
		return b
	}())
	f.Fuzz(func(t *testing.T, script []byte) {
		tree, err := New(Options{Max: 40, MaxArgs: 2000, Linger: 30})
		if err != nil {
			t.Fatal(err)
		}
		s := &stream{script}
		for step := 0; len(s.rest) > 0; step++ {
			e := s.event(uint64(step))
			p := tree.Apply(e)
			if (p == nil) != (e.Task.PID <= 0) {
				t.Fatalf("step %d: %v of %v", step, p, e.Task.Key)
			}
			if p != nil {
				if p.Key != e.Task.Key {
					t.Fatalf("step %d: got %v, want %v", step, p.Key, e.Task.Key)
				}
				depth := 0
				for range p.Ancestors() {
					depth++
				}
				if depth >= MaxDepth {
					t.Fatalf("step %d: a circle", step)
				}
				tree.SessionLeader(p)
				tree.GroupLeader(p)
			}
			if s.byte()%32 == 0 {
				odd := s.byte()
				tree.Sweep(e.Boot, func(pid int32) bool { return pid%2 == int32(odd%2) })
			}
			if tree.count > 40 || tree.argBytes > 2000+40*256 {
				t.Fatalf("step %d: %d processes, %d bytes", step, tree.count, tree.argBytes)
			}
			if err := tree.check(); err != nil {
				t.Fatalf("step %d, %v of %v: %v", step, e.Kind, e.Task.Key, err)
			}
		}
	})
}

// stream makes events of bytes.
type stream struct{ rest []byte }

func (s *stream) byte() byte {
	if len(s.rest) == 0 {
		return 0
	}
	b := s.rest[0]
	s.rest = s.rest[1:]
	return b
}

// key is one of few processes, so that the same ones meet again.
func (s *stream) key() probe.Key {
	b := s.byte()
	return probe.Key{PID: int32(b%24) - 1, Start: uint64(b / 24)}
}

func (s *stream) task() probe.Task {
	key := s.key()
	ns := s.byte()
	return probe.Task{
		Key: key, TID: key.PID + int32(ns&1), VPID: int32(ns >> 1 & 3), PIDNS: uint32(ns >> 3 & 3), Parent: s.key(),
		Comm: s.text(), Cgroup: uint64(s.byte() % 8), TTY: uint32(s.byte() & 1), UID: uint32(s.byte()),
	}
}

func (s *stream) text() string {
	texts := [...]string{"", "sh", "/bin/한글", "/a/b/c/", "containerd-shim-runc-v2", "runc", "/docker/" + hex64, "/x/c1", "\xff\x00"}
	return texts[int(s.byte())%len(texts)]
}

const hex64 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func (s *stream) event(step uint64) *probe.Event {
	e := &probe.Event{Kind: probe.Kind(s.byte() % 11), Boot: step*4 + uint64(s.byte()%16), Task: s.task()}
	switch e.Kind {
	case probe.KindExec, probe.KindSnapshot:
		e.Proc = &probe.Process{
			Exe: s.text(), CWD: s.text(), CgroupV2: s.text(), CgroupV1: s.text(), PIDNS: uint32(s.byte() & 3),
			SID: s.key().PID, PGID: s.key().PID, TTYName: s.text(),
		}
		switch s.byte() % 4 {
		case 0:
			e.Proc.Args = []byte("runc\x00run\x00c1\x00")
		case 1:
			e.Proc.Args = []byte("containerd-shim-runc-v2\x00-id\x00c1\x00")
		case 2:
			n := int(s.byte())
			e.Proc.Args, s.rest = s.rest[:min(n, len(s.rest))], s.rest[min(n, len(s.rest)):]
			e.Proc.ArgsTotal = uint32(s.byte())
		}
		for range s.byte() % 4 {
			e.Proc.Ancestors = append(e.Proc.Ancestors, probe.Ancestor{Key: s.key(), Comm: s.text()})
		}
	case probe.KindFork:
		e.Fork = &probe.Fork{Child: s.task(), Thread: s.byte()%8 == 0}
	case probe.KindExit:
		e.Exit = &probe.Exit{Code: int32(s.byte())}
	case probe.KindSyscall:
		calls := [...]probe.SyscallID{probe.SysChdir, probe.SysFchdir, probe.SysSetsid, probe.SysSetpgid, probe.SysChroot, probe.SysOpenat}
		e.Syscall = &probe.Syscall{
			ID: calls[int(s.byte())%len(calls)], Args: [6]uint64{uint64(s.byte() & 3), uint64(s.byte() & 3)},
			FD: probe.FD{Path: s.text()}, Path: probe.Path{Raw: s.text(), Base: s.text()},
		}
	default:
	}
	return e
}
