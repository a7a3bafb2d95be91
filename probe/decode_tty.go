//go:build linux && (amd64 || arm64)

package probe

func (d *decoder) decodeTTY(record []byte) error {
	if _, err := view[bpfHead](record); err != nil {
		return err
	}
	d.tty = TTY{}
	d.event.TTY = &d.tty
	return nil
}
