// Package accounts names the users and groups of the machine and of its containers, as their password files do.
//
// Whoever asks never waits: files are read in the background, by [Accounts.Run], and what is not known yet has no name.
// Names that only a directory on the network knows are not known here.
package accounts

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tiercel/tiercel/pkg/container"
	"github.com/tiercel/tiercel/probe"
)

// User is what a password file says about somebody.
type User struct{ Name, Home, Shell string }

// Accounts knows names. It may be used by any number of goroutines.
type Accounts struct {
	open  func(pid int32) (*os.Root, error) // the root folder of a process; of the machine for 0
	alive func(probe.Key) bool              // whether the pid is still that process's

	mu      sync.RWMutex
	books   map[container.Ref]*book
	learned map[container.Ref]time.Time // when each was asked for last
	wanted  chan lesson
}

// book is what the files of a machine or a container say. It never changes.
type book struct {
	users  map[uint32]User
	groups map[uint32]string
}

// lesson is a container to learn about, by a process in it.
type lesson struct {
	in      container.Ref
	process probe.Key
}

const (
	// maxBooks bounds how many containers are known; the one that was asked for longest ago goes first.
	maxBooks = 4096
	// maxFile bounds how much of a file is read: it belongs to strangers.
	maxFile = 4 << 20
	// maxEntries bounds the entries of one file.
	maxEntries = 65536
	// refresh is how often the machine's own files are read again.
	refresh = 10 * time.Second
)

// New reads the files of the machine.
func New() *Accounts {
	a := &Accounts{
		open: func(pid int32) (*os.Root, error) {
			if pid == 0 {
				return os.OpenRoot("/")
			}
			return os.OpenRoot(fmt.Sprintf("/proc/%d/root", pid))
		},
		alive: probe.Key.Alive,
		books: make(map[container.Ref]*book), learned: make(map[container.Ref]time.Time), wanted: make(chan lesson, 64),
	}
	a.learn(lesson{})
	return a
}

// User gives the user of a machine or a container that has an id.
func (a *Accounts) User(in container.Ref, uid uint32) (User, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	b := a.books[in]
	if b == nil {
		return User{}, false
	}
	u, ok := b.users[uid]
	return u, ok
}

// Group gives the name of a group.
func (a *Accounts) Group(in container.Ref, gid uint32) (string, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	b := a.books[in]
	if b == nil {
		return "", false
	}
	name, ok := b.groups[gid]
	return name, ok
}

// Settled reports whether the files of a container were looked at: asking again gives no more, for now.
func (a *Accounts) Settled(in container.Ref) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.books[in] != nil
}

// Learn asks for the files of a container to be read, through a process in it. It never waits; a container that is
// known, or being read, is not read again.
func (a *Accounts) Learn(in container.Ref, process probe.Key) {
	if in.IsHost() || process.PID <= 0 {
		return
	}
	a.mu.RLock()
	_, known := a.learned[in]
	a.mu.RUnlock()
	if known {
		return
	}
	select {
	case a.wanted <- lesson{in, process}:
		a.mu.Lock()
		a.learned[in] = time.Now()
		a.mu.Unlock()
	default: // the next event of the container asks again
	}
}

// Run reads files until ctx ends.
func (a *Accounts) Run(ctx context.Context) {
	again := time.NewTicker(refresh)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case l := <-a.wanted:
			// A file system of the container's own making may never answer. Then this reading waits, and no other.
			done := make(chan struct{})
			go func() {
				a.learn(l)
				close(done)
			}()
			select {
			case <-done:
			case <-time.After(time.Second):
			case <-ctx.Done():
				return
			}
		case <-again.C:
			a.learn(lesson{})
		}
	}
}

// learn reads the files of the machine or a container. What cannot be read now leaves what was known.
func (a *Accounts) learn(l lesson) {
	root, err := a.open(l.process.PID)
	if err != nil {
		a.forget(l.in)
		return
	}
	defer func() { _ = root.Close() }() // it was only read
	if l.process.PID != 0 && !a.alive(l.process) {
		a.forget(l.in) // the folder may be another container's; the next event of this one asks again
		return
	}
	b := &book{users: make(map[uint32]User), groups: make(map[uint32]string)}
	errUsers := entries(root, "etc/passwd", 7, func(f []string) {
		if uid, err := strconv.ParseUint(f[2], 10, 32); err == nil {
			if _, there := b.users[uint32(uid)]; !there { // the first entry counts
				b.users[uint32(uid)] = User{f[0], f[5], f[6]}
			}
		}
	})
	errGroups := entries(root, "etc/group", 4, func(f []string) {
		if gid, err := strconv.ParseUint(f[2], 10, 32); err == nil {
			if _, there := b.groups[uint32(gid)]; !there {
				b.groups[uint32(gid)] = f[0]
			}
		}
	})
	if errUsers != nil && errGroups != nil {
		a.forget(l.in)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.books[l.in] = b
	if len(a.books) > maxBooks {
		a.evict()
	}
}

// forget lets a container that could not be read be asked for again, by its next process. Until then nobody in it has
// a name.
func (a *Accounts) forget(in container.Ref) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.learned, in)
	if a.books[in] == nil && len(a.books) < maxBooks {
		a.books[in] = &book{}
	}
}

// evict forgets the container that was learned first. The caller holds mu.
func (a *Accounts) evict() {
	var oldest container.Ref
	var at time.Time
	for in, when := range a.learned {
		if at.IsZero() || when.Before(at) {
			oldest, at = in, when
		}
	}
	delete(a.books, oldest)
	delete(a.learned, oldest)
}

var errFile = errors.New("it is no regular file")

// entries reads a file of lines with colons between their fields. The file belongs to strangers: it is opened without
// leaving its root and without waiting, and no more of it is read than such a file may have.
func entries(root *os.Root, name string, least int, take func(fields []string)) error {
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeType != 0 {
		return errFile
	}
	lines := bufio.NewScanner(io.LimitReader(file, maxFile))
	for n := 0; lines.Scan() && n < maxEntries; {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if fields := strings.Split(strings.ToValidUTF8(string(line), "\uFFFD"), ":"); len(fields) >= least && fields[0] != "" {
			take(fields)
			n++
		}
	}
	return lines.Err()
}
