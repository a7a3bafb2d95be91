//go:build linux && (amd64 || arm64)

package probe

// configureTTY tells the kernel what is traced at terminals.
func (p *Probe) configureTTY(opts TTYOptions) error {
	c := p.controls()
	c.TtyPiped = 0
	if opts.Piped {
		c.TtyPiped = 1
	}
	return nil
}
