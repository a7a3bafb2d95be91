package falcoevent_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/tiercel/tiercel/pkg/falcoevent"
	"github.com/tiercel/tiercel/pkg/rules"
	"github.com/tiercel/tiercel/pkg/rules/load"
	"github.com/tiercel/tiercel/probe"
)

// shared reads a file of test data that lies beside the project.
func shared(t testing.TB, parts ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{"..", "..", "..", "shared", "data"}, parts...)...))
	if err != nil {
		t.Skipf("the test data is not here: %v", err)
	}
	return string(data)
}

func stable(t testing.TB) *rules.Set {
	t.Helper()
	l := load.New(load.Options{Supply: falcoevent.Supply(falcoevent.Limits{})})
	r := l.Load("falco_rules.yaml", shared(t, "rules", "falco_rules.yaml"))
	if !r.OK() {
		t.Fatal(r)
	}
	for _, w := range r.Warnings {
		if w.Code == load.WarnNotSupplied {
			t.Errorf("a stable rule asks for what the probe does not give: %s", w.String())
		}
	}
	return rules.Compile(l.Rules(), rules.Options{})
}

// busy are events of a busy node that match nothing.
func busy(m *machine) map[string]func() *probe.Event {
	shells(m)
	gmake := m.exec(process{pid: 30, parent: 20, args: []string{"make", "-j2", "all"}}).Task
	here, there := netip.MustParseAddrPort("10.0.0.5:40000"), netip.MustParseAddrPort("192.0.2.80:443")
	socket := probe.FD{Num: 3, Type: probe.FDSocket, Socket: probe.Socket{Family: 2, Type: 1, Local: here, Remote: there, Connected: true}}
	cc := &probe.Process{
		Filename: "/usr/bin/cc", Exe: "/usr/bin/cc", CWD: "/src", Args: []byte("cc\x00-O2\x00-c\x00-o\x00main.o\x00main.c\x00"), ArgsTotal: 30,
		LoginUID: 1000, SID: 10, PGID: 30, VSID: 10, VPGID: 30, TTY: 34816, CgroupV2: "/user.slice", PIDNS: 1,
	}
	call := func(s *probe.Syscall) func() *probe.Event {
		ev := &probe.Event{Kind: probe.KindSyscall, Task: gmake, Syscall: s}
		return func() *probe.Event { return ev }
	}
	return map[string]func() *probe.Event{
		"exec": func() *probe.Event { return &probe.Event{Kind: probe.KindExec, Task: gmake, Proc: cc} },
		"open": call(&probe.Syscall{
			ID: probe.SysOpenat, Ret: 3, Flags: 0o2000000, Path: probe.Path{Dir: probe.AtFDCWD, Raw: "/lib/x86_64-linux-gnu/libc.so.6"},
			FD: probe.FD{Num: 3, Type: probe.FDFile, Path: "/usr/lib/x86_64-linux-gnu/libc.so.6", Dev: 0x801, Ino: 7},
		}),
		"open relative": call(&probe.Syscall{
			ID: probe.SysOpenat, Ret: 3, Flags: 0o2000000, Path: probe.Path{Dir: probe.AtFDCWD, Raw: "../include/x.h", Base: "/home/sujin/src"},
			FD: probe.FD{Num: 3, Type: probe.FDFile, Path: "/home/sujin/include/x.h"},
		}),
		"write": call(&probe.Syscall{
			ID: probe.SysOpenat, Ret: 3, Flags: 0o1101, Mode: 0o666, Path: probe.Path{Dir: probe.AtFDCWD, Raw: "/tmp/cc1234.s"},
			FD: probe.FD{Num: 3, Type: probe.FDFile, Path: "/tmp/cc1234.s", Created: true},
		}),
		"no such file": call(&probe.Syscall{
			ID: probe.SysOpenat, Ret: -2, Flags: 0o2000000, Path: probe.Path{Dir: probe.AtFDCWD, Raw: "/usr/local/include/stdio.h"}, FD: probe.FD{Num: -1},
		}),
		"connect": call(&probe.Syscall{ID: probe.SysConnect, FD: socket, Addr: probe.Address{Family: 2, IP: there}}),
	}
}

// test tests rules with an event as the source does.
func test(set *rules.Set, ev *falcoevent.Event, dst []*rules.Rule) []*rules.Rule {
	if dst = set.Match(dst[:0], ev); len(dst) == 0 && ev.Elsewhere() {
		ev.Resolve()
		dst = set.Match(dst, ev)
	}
	return dst
}

func TestWhatMatchesNothingAllocatesNothing(t *testing.T) {
	set := stable(t)
	m := newMachine(t)
	dst := make([]*rules.Rule, 0, 4)
	for name, event := range busy(m) {
		ev := m.apply(event())
		process := m.event.Process()
		if n := testing.AllocsPerRun(100, func() {
			m.event.Set(ev, process)
			if dst = test(set, m.event, dst); len(dst) != 0 {
				t.Fatalf("%s: %s matches", name, dst[0].Name)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkStableRules(b *testing.B) {
	set := stable(b)
	m := newMachine(b)
	dst := make([]*rules.Rule, 0, 4)
	for name, event := range busy(m) {
		b.Run(name, func(b *testing.B) {
			ev := m.apply(event())
			process := m.event.Process()
			b.ReportAllocs()
			for b.Loop() {
				m.event.Set(ev, process)
				dst = test(set, m.event, dst)
			}
		})
	}
}
