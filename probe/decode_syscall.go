//go:build linux && (amd64 || arm64)

package probe

func (d *decoder) decodeSyscall(record []byte) error {
	e, err := view[bpfSyscall](record)
	if err != nil {
		return err
	}
	d.syscall = Syscall{Ret: e.Ret, Args: e.Args}
	d.event.Syscall = &d.syscall
	return nil
}
