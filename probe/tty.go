package probe

// TTY is something that happened at a terminal.
type TTY struct{}

// TTYOptions say what is traced at terminals.
type TTYOptions struct{}
