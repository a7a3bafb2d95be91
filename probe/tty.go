package probe

// TTY is something that happened at a terminal.
type TTY struct{}

func (t *TTY) clone() *TTY {
	c := *t
	return &c
}

// TTYOptions say what is traced at terminals.
type TTYOptions struct{}
