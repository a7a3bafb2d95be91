// Package container says which container a process runs in, and what the container's runtime knows about it.
//
// The first half is pure: [Parse] reads a container's id from the path of a cgroup, [Claimed] finds it where the path
// alone does not tell. The second half is the [Store]: it asks runtimes (package runtime below) in the background, keeps
// what they say, and never makes an event wait.
package container

import "strings"

// Host is what `container.id` and `container.name` say outside of containers.
const Host = "host"

// ShortLen is the number of characters of an id that people and Falco's fields use.
const ShortLen = 12

// The runtimes, as `container.type` names them. Unknown means that it is a container, but the path does not say whose.
const (
	Unknown    = ""
	Docker     = "docker"
	Containerd = "containerd"
	CRIO       = "cri-o"
	Podman     = "podman"
	Runc       = "runc"
	LXC        = "lxc"
	LibvirtLXC = "libvirt-lxc"
	Nspawn     = "systemd-nspawn"
)

// Ref names a container. The zero Ref is the host. Refs are compared with ==.
type Ref struct {
	// ID is the whole id: 64 hexadecimal digits with most runtimes, any name with containerd alone, LXC and runc.
	ID string
	// Runtime is one of the constants above.
	Runtime string
	// Namespace is containerd's namespace, "" where it is not known. It is no Kubernetes namespace.
	Namespace string
	// PodUID is the UID of the Kubernetes pod in the form of the API, with hyphens; "" outside of pods.
	PodUID string
}

// IsHost reports whether the process is in no container.
func (r Ref) IsHost() bool { return r.ID == "" }

// Short is the id as Falco's `container.id` shows it: the first 12 characters, or "host".
func (r Ref) Short() string {
	if r.ID == "" {
		return Host
	}
	return Short(r.ID)
}

// Short cuts an id to its first 12 characters.
func Short(id string) string {
	if len(id) <= ShortLen {
		return id
	}
	cut := ShortLen
	for cut > 0 && id[cut]&0xC0 == 0x80 { // not in the middle of a letter: names of LXC containers are free
		cut--
	}
	return strings.Clone(id[:cut])
}
