package session

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"

	"github.com/tiercel/tiercel/pkg/proctree"
	"github.com/tiercel/tiercel/pkg/session/line"
	"github.com/tiercel/tiercel/probe"
)

// A Session is a person at a terminal, from the first prompt to the end of the shell that it belongs to. What is su, sudo
// or a shell within a shell is the same session; a pane of tmux is one of its own, with this one as its parent.
type Session struct {
	// ID is the same for as long as the session lives, also for a Tiercel that is started again meanwhile.
	ID     string
	Parent string
	Origin string
	// Interactive is false for commands that a shell read from a pipe, or was started with.
	Interactive bool
	TTY         string // "pts/0"
	Shell       string // name of the first shell
	PID         int32  // of the first shell
	Person      string
	Remote      netip.AddrPort
	// Start and End are nanoseconds since 1970, End 0 while it is open.
	Start, End int64
	Lines      uint64
	Bytes      uint64

	countsBytes bool
	opened      bool // its begin was told
	excepted    bool
	leader      probe.Key
	shells      map[int32]*shell
	opener      *proctree.Process // what the session began with; its end is told of it when all shells are gone
	current     *Line             // the last that has not ended
	seq         uint64
	terminals   map[terminalKey]*terminal
}

// A shell is a program of a session that takes lines.
type shell struct {
	process *proctree.Process
	line    *Line // that it works on
	cwd     string
	asked   bool // cwd is that of the prompt which is shown
}

type terminalKey struct {
	terminal uint64
	sid      int32
}

// A terminal of a session, or one that no session belongs to yet.
type terminal struct {
	key     terminalKey
	session *Session
	tracker *line.Tracker
	joiner  *line.Joiner
	owner   *Sessions
	event   line.Event
	used    int64
}

// id makes a session's id of what stays the same while it lives.
func id(boot string, leader probe.Key, dev uint32) string {
	h := sha256.New()
	h.Write([]byte(boot))
	var b [16]byte
	binary.LittleEndian.PutUint32(b[:], uint32(leader.PID)) //nolint:gosec // only its bits matter
	// Start times may be known in clock ticks only.
	binary.LittleEndian.PutUint64(b[4:], leader.Start/10_000_000)
	binary.LittleEndian.PutUint32(b[12:], dev)
	h.Write(b[:])
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// ttyName is the name of a terminal's device, without /dev/. Numbers: Documentation/admin-guide/devices.txt of the kernel.
func ttyName(dev uint32) string {
	major, minor := dev>>8&0xfff, dev&0xff|dev>>12&0xfff00
	number := func(prefix string, n uint32) string { return prefix + strconv.FormatUint(uint64(n), 10) }
	switch {
	case major >= 136 && major <= 143:
		return number("pts/", (major-136)<<20+minor)
	case major == 4 && minor < 64:
		return number("tty", minor)
	case major == 4:
		return number("ttyS", minor-64)
	case major == 204:
		return number("ttyAMA", minor-64)
	case major == 229:
		return number("hvc", minor)
	}
	return number("tty", dev)
}
