//go:build linux && (amd64 || arm64)

package probe

import (
	"errors"
	"fmt"
)

// The numbers of enum tty_name in the C.
const (
	nameShell = iota + 1
	nameMulti
	nameNever
	nameInterpreter
)

// configureTTY tells the kernel what is traced at terminals, and which programs are shells. Names are only ever added.
func (p *Probe) configureTTY(opts TTYOptions) error {
	var wants uint32
	for _, w := range []struct {
		on   bool
		what bpfTtyWant
	}{
		{opts.Lines, bpfTtyWantWANT_LINES}, {opts.Child, bpfTtyWantWANT_CHILD}, {opts.Piped, bpfTtyWantWANT_PIPED}, {opts.Output, bpfTtyWantWANT_OUTPUT},
	} {
		if w.on {
			wants |= uint32(w.what)
		}
	}
	c := p.controls()
	c.TtyPiped = 0
	if opts.Piped {
		c.TtyPiped = 1
	}
	if err := p.objects.TtyWants.Set(wants); err != nil {
		return fmt.Errorf("telling the kernel what to trace at terminals: %w", err)
	}
	if !opts.Any() {
		return nil
	}
	// The last one wins where a name is in several.
	return errors.Join(
		p.putNames(opts.Never, DefaultNever, nameNever), p.putNames(opts.Interpreters, DefaultInterpreters, nameInterpreter),
		p.putNames(opts.Multi, DefaultMulti, nameMulti), p.putNames(opts.Shells, DefaultShells, nameShell),
	)
}

func (p *Probe) putNames(list []string, otherwise func() []string, what uint32) error {
	if list == nil {
		list = otherwise()
	}
	for _, name := range list {
		if name == "" || len(name) > 15 {
			return fmt.Errorf("the name of a program %q: expected 1 to 15 bytes", name)
		}
		var key [16]byte
		copy(key[:], name)
		if err := p.objects.TtyNames.Put(key, what); err != nil {
			return fmt.Errorf("noting the program %s: %w", name, err)
		}
	}
	return nil
}
