package container

import (
	"path"
	"strings"
)

// Claim is what the command line of a runtime says about the containers that it starts: a shim of containerd, or runc
// and its kin. It finds containers whose ids [Parse] cannot tell from the names of other folders: containerd alone puts
// a container that its user called c1 at /default/c1, runc at …/c1.
//
// A claim is only half of the proof. The other half is that the process is below that runtime and in a cgroup of the
// claimed name; see [Claim.Ref].
type Claim struct {
	// Runtime is Containerd for a shim, Runc for the programs that start processes.
	Runtime string
	// Namespace is containerd's namespace, "" where it is not known.
	Namespace string

	names []string // one for a shim; for runc all arguments that may be the id
}

// maxNames bounds the arguments of runc that are looked at: the id stands before the command that is executed.
const maxNames = 16

// Claimed reads a claim from the arguments of a process, program first. ok is false for a program that starts no
// containers.
func Claimed(args []string) (c *Claim, ok bool) {
	if len(args) < 3 { // every form has at least a verb and an id
		return nil, false
	}
	program := path.Base(args[0])
	switch {
	case strings.HasPrefix(program, "containerd-shim"):
		return shim(args[1:])
	case program == "runc", program == "crun", program == "youki", program == "runsc":
		return runc(args[1:])
	}
	return nil, false
}

// shim reads `containerd-shim-runc-v2 -namespace default -id c1 …`. Version 1 had the id in its working folder only.
func shim(args []string) (*Claim, bool) {
	c := &Claim{Runtime: Containerd}
	var id, folder string
	for i := 0; i < len(args); i++ {
		name, value, joined := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		if !strings.HasPrefix(args[i], "-") {
			continue
		}
		if !joined && i+1 < len(args) {
			value = args[i+1]
		}
		switch name {
		case "namespace":
			c.Namespace = value
		case "id":
			id = value
		case "workdir":
			folder = value
		default:
			continue
		}
		if !joined {
			i++
		}
	}
	if id == "" && folder != "" {
		id = path.Base(folder)
	}
	if !isName(id) {
		return nil, false
	}
	c.names = []string{strings.Clone(id)}
	c.Namespace = strings.Clone(c.Namespace)
	if c.Namespace == "moby" {
		c.Runtime = Docker
	}
	return c, true
}

// runc reads `runc [options] run|create|restore|exec [options] ID …`. Which options take a value differs between the
// programs and their versions, so all words after the verb are possible ids: one of them must be the cgroup's name.
func runc(args []string) (*Claim, bool) {
	verb := -1
	for i, arg := range args {
		if arg == "run" || arg == "create" || arg == "restore" || arg == "exec" || arg == "boot" {
			verb = i
			break
		}
	}
	if verb < 0 {
		return nil, false
	}
	c := &Claim{Runtime: Runc}
	for _, arg := range args[verb+1:] {
		if strings.HasPrefix(arg, "-") || !isName(arg) {
			continue
		}
		c.names = append(c.names, strings.Clone(arg))
		if len(c.names) == maxNames {
			break
		}
	}
	return c, len(c.names) > 0
}

// maxName is the longest id that containerd accepts.
const maxName = 76

// isName reports whether s can be the id of a container: what containerd and runc accept.
func isName(s string) bool {
	if s == "" || len(s) > maxName || s == "." || s == ".." {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '-', c == '_', c == '.', c == '+':
		default:
			return false
		}
	}
	return true
}

// Ref gives the claimed container when the path of a process's cgroup bears its name: as a folder, or as the last part
// of a scope (`prefix-NAME.scope`). cgroup must be one that the runtime itself is not in.
func (c *Claim) Ref(cgroup string) (Ref, bool) {
	for rest := cgroup; rest != ""; {
		at := strings.LastIndexByte(rest, '/')
		segment := rest[at+1:]
		rest = rest[:max(at, 0)]
		scope, isScope := strings.CutSuffix(segment, ".scope")
		for _, name := range c.names {
			if segment != name && (!isScope || !strings.HasSuffix(scope, name) || !endsWord(scope[:len(scope)-len(name)])) {
				continue
			}
			ref := Ref{ID: name, Runtime: c.Runtime, Namespace: c.Namespace, PodUID: podUID(rest, segment)}
			return ref, true
		}
	}
	return Ref{}, false
}

// endsWord reports whether what stands before a name in a scope ends where the name begins.
func endsWord(prefix string) bool {
	return prefix == "" || strings.HasSuffix(prefix, "-") || strings.HasSuffix(prefix, ":")
}
