package probe

import (
	"bytes"
	"slices"
	"strings"
)

// Clone copies an event with everything that it points to, so that it can be kept.
func (e *Event) Clone() *Event {
	c := *e
	c.Task = c.Task.clone()
	if e.Proc != nil {
		c.Proc = e.Proc.Clone()
	}
	if e.Fork != nil {
		c.Fork = &Fork{Child: e.Fork.Child.clone(), Thread: e.Fork.Thread}
	}
	c.Exit = shallow(e.Exit)
	c.Lost = shallow(e.Lost)
	if e.Syscall != nil {
		s := *e.Syscall
		for _, fd := range []*FD{&s.FD, &s.FD2} {
			fd.Path = strings.Clone(fd.Path)
			fd.Socket.LocalPath, fd.Socket.RemotePath = strings.Clone(fd.Socket.LocalPath), strings.Clone(fd.Socket.RemotePath)
		}
		for _, p := range []*Path{&s.Path, &s.Path2} {
			p.Raw, p.Base = strings.Clone(p.Raw), strings.Clone(p.Base)
		}
		s.Addr.Path = strings.Clone(s.Addr.Path)
		s.Data = bytes.Clone(s.Data)
		s.Text, s.Text2 = strings.Clone(s.Text), strings.Clone(s.Text2)
		c.Syscall = &s
	}
	if e.TTY != nil {
		c.TTY = e.TTY.clone()
	}
	return &c
}

// Clone copies a process with everything that it points to.
func (p *Process) Clone() *Process {
	c := *p
	c.Filename, c.Exe, c.CWD = strings.Clone(p.Filename), strings.Clone(p.Exe), strings.Clone(p.CWD)
	c.Args, c.Env = bytes.Clone(p.Args), bytes.Clone(p.Env)
	c.TTYName = strings.Clone(p.TTYName)
	c.CgroupV2, c.CgroupV1 = strings.Clone(p.CgroupV2), strings.Clone(p.CgroupV1)
	c.Ancestors = slices.Clone(p.Ancestors)
	for i := range c.Ancestors {
		c.Ancestors[i].Comm = strings.Clone(c.Ancestors[i].Comm)
	}
	return &c
}

func (t Task) clone() Task {
	t.Comm = strings.Clone(t.Comm)
	return t
}

func shallow[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}
