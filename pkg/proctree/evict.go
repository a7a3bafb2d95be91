package proctree

import (
	"unsafe"

	"github.com/tiercel/tiercel/probe"
)

// expire forgets processes that ended long enough ago. Those that others descend from stay.
func (t *Tree) expire(boot uint64) {
	// Two at a time: more than one process can end with an event, so the list shrinks as fast as it grows.
	for range 2 {
		p := t.ended.first
		if p == nil || boot < p.Exit.Boot || boot-p.Exit.Boot < t.linger {
			return
		}
		if p.children > 0 {
			// Its last child takes it along, see release.
			t.ended.remove(p)
			t.parents.push(p)
			continue
		}
		t.drop(p)
	}
}

// release is called when a process is no longer the child of another.
func (t *Tree) release(parent *Process) {
	for parent != nil {
		parent.children--
		if parent.children > 0 || parent.list != &t.parents {
			return
		}
		next := parent.parent
		parent.parent = nil
		t.remove(parent)
		parent = next
	}
}

// mostPerEvent is how many processes an event can bring: the one that did it, its child, and the ancestors of each.
const mostPerEvent = probe.MaxAncestors + 4

// makeRoom keeps the table within its bounds before an event is applied, so that nothing goes while it is worked on. Those
// that ended go first, then those that are kept for their children, then those that did nothing for the longest time.
func (t *Tree) makeRoom() {
	for t.count > max(t.max-mostPerEvent, 0) || t.argBytes > t.maxArgs*3/4 && t.ended.first != nil {
		switch {
		case t.ended.first != nil:
			t.evict(t.ended.first)
		case t.parents.first != nil:
			t.evict(t.parents.first)
		default:
			t.evict(t.idle())
		}
	}
}

// idle finds a living process that did nothing since it was last looked at, and that nobody descends from.
func (t *Tree) idle() *Process {
	const looks = 64 // then anyone: the bound comes first
	for range looks {
		p := t.living.first
		if !p.touched && p.children == 0 {
			return p
		}
		p.touched = false
		t.living.remove(p)
		t.living.push(p)
	}
	return t.living.first
}

func (t *Tree) evict(p *Process) {
	t.metrics.evicted.Inc()
	t.drop(p)
}

// drop removes a process from the table. Children that it has keep it as their parent, without a parent of its own, so
// that a chain of them cannot keep more than one alive.
func (t *Tree) drop(p *Process) {
	parent := p.parent
	p.parent = nil
	t.remove(p)
	t.release(parent)
}

// remove takes a process out of everything but its parent's count of children.
func (t *Tree) remove(p *Process) {
	if p.evicted {
		return
	}
	p.evicted = true
	if p.list != nil {
		p.list.remove(p)
	}
	if last := t.byPID[p.PID]; last == p {
		if p.older != nil {
			t.byPID[p.PID] = p.older
		} else {
			delete(t.byPID, p.PID)
		}
	} else {
		for at := last; at != nil; at = at.older {
			if at.older == p {
				at.older = p.older
				break
			}
		}
	}
	p.older = nil
	t.count--
	if t.inits[p.PIDNS] == p {
		delete(t.inits, p.PIDNS)
	}
	t.dropArguments(p)
	t.leave(p.cgroup)
	p.cgroup = nil
}

// argSize is what a process's own texts take.
func (p *Process) argSize() int { return len(p.Exe) + len(p.Cmdline) + len(p.Env) }

// dropArguments no longer counts a process's texts, if they are its own.
func (t *Tree) dropArguments(p *Process) {
	if p.argsOwner {
		t.argBytes -= p.argSize()
		p.argsOwner = false
	}
}

// cut shortens a process's command line to what is common: all of them together take too much.
func (t *Tree) cut(p *Process) {
	const most = 256
	t.dropArguments(p)
	p.Exe = cloned(p.Exe, most)
	p.Cmdline = cloned(p.Cmdline, most)
	p.Args = p.Cmdline[min(len(p.Comm)+1, len(p.Cmdline)):]
	p.Env = ""
	p.ArgsCut = true
	p.argsOwner = true
	t.argBytes += p.argSize()
	t.metrics.cut.Inc()
}

func cloned(s string, most int) string { return string([]byte(s[:min(len(s), most)])) }

// unsafeText is b as a text, without a copy: for a look-up, or to be copied.
func unsafeText(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) } //nolint:gosec // read only
