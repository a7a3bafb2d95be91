package proctree

import (
	"strings"

	"github.com/tiercel/tiercel/pkg/container"
	"github.com/tiercel/tiercel/probe"
)

// cgroup is shared by the processes in it, and forgotten with the last of them.
type cgroup struct {
	cgroupKey
	id    uint64
	ref   container.Ref
	users int
}

// cgroupKey is a cgroup by its paths. Only both together tell cgroups apart on a hybrid machine, where one of them may
// be the root for all.
type cgroupKey struct{ v2, v1 string }

// claims are those of the runtimes that a process descends from, the nearest first. They are handed on to children, so
// that they stay when a runtime has exited and the process was adopted.
type claims struct {
	own   *container.Claim
	by    probe.Key // the runtime
	at    *cgroup   // where the runtime itself is: no container of its own
	outer *claims
	depth int
}

// maxClaims bounds the chain: runtimes within containers within containers.
const maxClaims = 8

// place finds the cgroup of a process by its paths, which may point into an event.
func (t *Tree) place(p *Process, id uint64, v2, v1 string) {
	if v2 == "" && v1 == "" {
		t.move(p, id)
		return
	}
	key := cgroupKey{v2, v1}
	c := t.cgroups[key]
	if c == nil {
		key = cgroupKey{strings.Clone(v2), strings.Clone(v1)}
		c = &cgroup{cgroupKey: key, id: id}
		c.ref, _ = container.Resolve(key.v2, key.v1)
		t.cgroups[key] = c
		if isOwn(key) {
			t.byCgroupID[id] = c
		}
	}
	t.claim(c, p)
	t.enter(p, id, c)
}

// isOwn reports whether the id that events carry says which cgroup it is. On a hybrid machine it need not: containers of
// version 1 may all be at the root of the unified hierarchy, or where their engine is.
func isOwn(key cgroupKey) bool { return key.v1 == "" || key.v2 == "" || key.v1 == key.v2 }

// claim asks the runtimes above a process whether a cgroup without a known id is one of their containers.
func (t *Tree) claim(c *cgroup, p *Process) {
	if !c.ref.IsHost() && c.ref.Runtime != container.Runc {
		return
	}
	for chain := p.claims; chain != nil; chain = chain.outer {
		// What runc says is less than what the shim above it does: that knows the namespace.
		if chain.at == c || chain.by == p.Key || !c.ref.IsHost() && chain.own.Runtime == container.Runc {
			continue
		}
		ref, ok := chain.own.Ref(c.v2)
		if !ok {
			ref, ok = chain.own.Ref(c.v1)
		}
		if ok {
			c.ref = ref
			if ref.Runtime != container.Runc {
				return
			}
		}
	}
}

// move follows a process to a cgroup of which only the id is known.
func (t *Tree) move(p *Process, id uint64) {
	if id == 0 || id == p.cgroupID {
		return
	}
	if c := t.byCgroupID[id]; c != nil {
		t.enter(p, id, c)
		return
	}
	// Its path comes with the next exec. Until then the process belongs where it was: it is a runtime that sets up a
	// container, or a service manager that moves a service.
	p.cgroupID = id
}

func (t *Tree) enter(p *Process, id uint64, c *cgroup) {
	p.cgroupID = id
	if p.cgroup == c {
		return
	}
	if c != nil {
		c.users++
	}
	t.leave(p.cgroup)
	p.cgroup = c
}

// leave forgets a cgroup with its last process.
func (t *Tree) leave(c *cgroup) {
	if c == nil {
		return
	}
	if c.users--; c.users > 0 {
		return
	}
	delete(t.cgroups, c.cgroupKey)
	if t.byCgroupID[c.id] == c {
		delete(t.byCgroupID, c.id)
	}
}

// claimed adds what a process claims to what it has from its parent.
func (t *Tree) claimed(p *Process, proc *probe.Process) {
	if !mayClaim(proc.Args) {
		return
	}
	args := make([]string, 0, 16)
	for arg := range proc.Argv() {
		if args = append(args, arg); len(args) == cap(args)*4 {
			break
		}
	}
	own, ok := container.Claimed(args)
	if !ok {
		return
	}
	chain := p.claims
	if chain != nil && chain.depth >= maxClaims {
		chain = nil // the nearest count
	}
	next := &claims{own: own, by: p.Key, at: p.cgroup, outer: chain, depth: 1}
	if chain != nil {
		next.depth = chain.depth + 1
	}
	p.claims = next
}

// mayClaim is a first look at the name of the program, for the many that start no containers.
func mayClaim(args []byte) bool {
	end := 0
	slash := -1
	for end < len(args) && args[end] != 0 {
		if args[end] == '/' {
			slash = end
		}
		end++
	}
	switch name := string(args[slash+1 : end]); name { // the compiler makes no copy of it
	case "runc", "crun", "youki", "runsc":
		return true
	default:
		return strings.HasPrefix(name, "containerd-shim")
	}
}
