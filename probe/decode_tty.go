//go:build linux && (amd64 || arm64)

package probe

func (d *decoder) decodeTTY(_ []byte) error {
	d.tty = TTY{}
	d.event.TTY = &d.tty
	return nil
}
