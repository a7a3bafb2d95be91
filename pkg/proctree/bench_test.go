package proctree_test

import (
	"bytes"
	"testing"

	"github.com/tiercel/tiercel/pkg/proctree"
	"github.com/tiercel/tiercel/probe"
)

// Events of a machine with a thousand processes, each up to four below the first.
func grown(b *testing.B) (*machine, []int32) {
	b.Helper()
	m := newMachine(b, proctree.Options{})
	pids := make([]int32, 0, 1000)
	for i := range int32(1000) {
		pid, parent := 10+i, i-240
		if parent < 10 {
			parent = 1
		}
		m.fork(parent, pid)
		m.exec(pid, "/usr/bin/program", "program", "--with", "some arguments")
		pids = append(pids, pid)
	}
	return m, pids
}

// A system call: the process and its chain of ancestors are found.
func BenchmarkSyscall(b *testing.B) {
	m, pids := grown(b)
	events := make([]probe.Event, len(pids))
	for i, pid := range pids {
		events[i] = probe.Event{Kind: probe.KindSyscall, Boot: m.now, Task: m.task(pid), Syscall: &probe.Syscall{ID: probe.SysOpenat}}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		p := m.tree.Apply(&events[i%len(events)])
		if p.Ancestor(1) == nil {
			b.Fatal("no parent")
		}
		i++
	}
}

// A process comes and goes: three events.
func BenchmarkForkExecExit(b *testing.B) {
	m, pids := grown(b)
	parent := m.task(pids[len(pids)-1])
	m.fork(parent.PID, 30_000)
	exec := m.execEvent(30_000, "/usr/bin/ls", "ls", "-la", "--color=auto", "/usr/share/doc")
	fork := &probe.Event{Kind: probe.KindFork, Task: parent, Fork: &probe.Fork{Child: m.task(30_000)}}
	fork.Fork.Child.Comm = parent.Comm
	exit := &probe.Event{Kind: probe.KindExit, Task: exec.Task, Exit: &probe.Exit{}}
	boot := m.now
	b.ReportAllocs()
	i := int32(0)
	for b.Loop() {
		key := probe.Key{PID: 40_000 + i%20_000, Start: boot}
		fork.Fork.Child.Key, exec.Task.Key, exit.Task.Key = key, key, key
		fork.Fork.Child.TID, exec.Task.TID, exit.Task.TID = key.PID, key.PID, key.PID
		boot += 70_000
		fork.Boot, exec.Boot, exit.Boot = boot, boot+1, boot+2
		m.tree.Apply(fork)
		if p := m.tree.Apply(exec); p.Ancestor(2) == nil {
			b.Fatal("no ancestors")
		}
		m.tree.Apply(exit)
		boot += 70_000 // some 7,000 a second
		i++
	}
}

// A long command line is one allocation, whatever its length.
func BenchmarkExecWithLongArguments(b *testing.B) {
	m, _ := grown(b)
	e := m.execEvent(10, "/usr/bin/xargs", "xargs")
	e.Proc.Args = append([]byte("xargs\x00"), bytes.Repeat([]byte("file-name\x00"), 3200)...)
	b.ReportAllocs()
	for b.Loop() {
		m.tree.Apply(e)
	}
}
