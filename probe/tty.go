package probe

import "bytes"

// TTYKind is what happened at a terminal. The numbers are those of enum tty_kind in the C.
type TTYKind uint8

// The kinds of a TTY.
const (
	// TTYRead: the program read from the terminal.
	TTYRead TTYKind = iota + 1
	// TTYWrite: the program wrote to it.
	TTYWrite
	// TTYTermios: the program set the terminal's mode.
	TTYTermios
	// TTYSecret: the program read what was typed without echo. There are no data, and nothing says how much it was.
	TTYSecret
	// TTYPipe: a shell read its standard input, which is no terminal.
	TTYPipe
)

// TTY is something that happened at a terminal, or what a shell read from a pipe or a file. The kernel decides what is
// copied: of what is typed without echo nothing is, and of what is read key by key only what line editors read.
type TTY struct {
	Kind TTYKind
	// Terminal tells terminals apart while they are open. For TTYPipe it is 0.
	Terminal uint64
	// Number counts the events of the terminal; a gap means that some were lost.
	Number uint64
	// Dev is the terminal's device number as stat(2) gives it, also when the program opened /dev/tty.
	Dev uint32
	// SID is the session of the program, Foreground the terminal's process group, as the host sees them.
	SID, Foreground int32
	FD              int32
	// Shell is set for known shells, Editor for programs that edit lines under a name that is not known,
	// Interpreter for those that edit lines which are no commands of a shell. At most one is set.
	Shell, Editor, Interpreter bool
	// Canonical, Echo and Process are the terminal's modes ICANON, ECHO and OPOST at the call.
	Canonical, Echo, Process bool
	// Rows and Cols of the window, 0 where it has no size.
	Rows, Cols uint16
	// Requested is how many bytes the call asked for, of a vector the number of its pieces.
	Requested uint32
	// Data is what was read or written. More: the next event of the program goes on with it. Cut: bytes were left out,
	// before Data where a shell printed in canonical mode, else behind it.
	Data      []byte
	More, Cut bool

	// For TTYPipe: the file that was read, where the next read begins, and whether it has ended.
	Ino uint64
	Pos uint64
	End bool
}

// TTYOptions say what is traced at terminals. The zero value traces nothing.
type TTYOptions struct {
	// Lines traces what is needed to find the lines that people type into shells.
	Lines bool
	// Child also copies the lines that other programs read, python for example, as long as they are echoed.
	Child bool
	// Piped copies what shells read from a standard input that is no terminal.
	Piped bool
	// Output copies everything that any program writes to a terminal, for recordings.
	Output bool
	// Names of programs, at most 15 bytes each and 512 in all. Shells are shells, Multi those when they are called so
	// (busybox), Interpreters edit lines that are no commands of a shell (python), Never are programs that set the
	// terminal likewise and edit no lines. Nil stands for DefaultShells and so on.
	Shells, Multi, Interpreters, Never []string
}

// Any says whether anything is to be traced.
func (o *TTYOptions) Any() bool { return o.Lines || o.Child || o.Piped || o.Output }

// DefaultShells are the shells that are known by name.
func DefaultShells() []string {
	return []string{
		"sh", "bash", "rbash", "dash", "ash", "zsh", "rzsh", "fish", "ksh", "rksh", "ksh93", "rksh93", "mksh", "lksh", "oksh", "loksh", "yash",
		"tcsh", "csh", "elvish", "nu", "xonsh", "osh", "hush", "posh",
	}
}

// DefaultMulti are programs that hold many others, a shell among them.
func DefaultMulti() []string { return []string{"busybox", "toybox"} }

// DefaultNever are programs that set the terminal as line editors do, and are no shells: what is typed into them stays
// theirs.
func DefaultNever() []string {
	return []string{
		"vi", "vim", "nvim", "vim.basic", "vim.tiny", "nano", "emacs", "pico", "ed", "joe", "mcedit", "mc", "less", "more", "most", "man", "top",
		"htop", "watch", "ssh", "sudo", "su", "doas", "login", "passwd", "tmux: client", "tmux: server", "tmux", "screen", "script", "docker",
		"kubectl", "runc", "crun", "ctr", "crictl", "nsenter", "podman", "nerdctl", "telnet", "mosh-client", "gpg", "pinentry", "dialog",
		"whiptail", "fzf", "ftp", "sftp", "lftp",
	}
}

// DefaultInterpreters are programs that edit lines which are no commands of a shell.
func DefaultInterpreters() []string {
	return []string{
		"python", "python3", "python3.11", "python3.12", "python3.13", "python3.14", "ipython", "ipython3", "bpython", "node", "deno", "irb", "ruby", "perl", "php", "lua",
		"R", "julia", "ghci", "iex", "erl", "mysql", "mariadb", "psql", "sqlite3", "redis-cli", "valkey-cli", "mongo", "mongosh", "clickhouse",
		"sqlplus", "cqlsh", "gdb", "lldb", "bc", "gnuplot", "octave", "maxima",
	}
}

// clone copies what happened with its data.
func (t *TTY) clone() *TTY {
	c := *t
	c.Data = bytes.Clone(t.Data)
	return &c
}
