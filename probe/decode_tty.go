//go:build linux && (amd64 || arm64)

package probe

// Modes of a terminal, from the kernel's asm-generic/termbits.h.
const (
	modeCanonical = 2
	modeEcho      = 8
	modeProcess   = 1
)

func (d *decoder) decodeTTY(record []byte) error {
	e, err := view[bpfTty](record)
	if err != nil {
		return err
	}
	data, err := slice(record, e.Data.Off, e.Data.Len)
	if err != nil {
		return err
	}
	has := func(flag bpfTtyFlags) bool { return e.Flags&uint32(flag) != 0 }
	kind := TTYKind(min(e.Kind, 255))
	if kind < TTYRead || kind > TTYPipe {
		return errKind
	}
	if kind == TTYSecret {
		data = nil // the kernel sends none; a file that is replayed may say what it likes
	}
	d.tty = TTY{
		Kind: kind, Terminal: e.Terminal, Number: e.Number, Dev: e.Dev, SID: e.Sid, Foreground: e.Foreground, FD: e.Fd,
		Shell: has(bpfTtyFlagsTTY_SHELL), Editor: has(bpfTtyFlagsTTY_EDITOR), Interpreter: has(bpfTtyFlagsTTY_INTERPRETER),
		Canonical: e.Lflag&modeCanonical != 0, Echo: e.Lflag&modeEcho != 0, Process: e.Oflag&modeProcess != 0,
		Rows: e.Rows, Cols: e.Cols, Requested: e.Requested, Data: data,
		More: has(bpfTtyFlagsTTY_MORE), Cut: has(bpfTtyFlagsTTY_CUT), Ino: e.Ino, Pos: e.Pos, End: has(bpfTtyFlagsTTY_END),
	}
	d.event.TTY = &d.tty
	return nil
}

// ttyRecordSize is the size of the C type, for recordings.
const ttyRecordSize = 0
