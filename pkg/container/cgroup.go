package container

import "strings"

// Parse reads the container from the path of a cgroup, as the kernel prints it: version 1, version 2 or the path of
// either on a hybrid machine. ok is false when the path names no container that can be told by the path alone; see
// [Claimed] for the rest.
//
// Of nested containers (Docker in Docker, kind) the innermost counts: its process is what happened. What a container's
// own systemd makes below it (`docker-….scope/system.slice/cron.service`) belongs to the container. The monitors beside
// containers (conmon, lxc.monitor) run on the host, and so says the answer.
//
// The paths of runtimes are no standard. These forms are known, with L for 64 hexadecimal digits:
//
//	…/L                                     docker, containerd and CRI-O on cgroupfs
//	…/PREFIX-L.scope, …/PREFIX-L            docker-, cri-containerd-, crio-, libpod-, libpod-payload-, nerdctl-, others
//	…/SLICE:PREFIX:L                        a systemd name given to a runtime on cgroupfs
//	…/pod<uid>/…, …-pod<uid>.slice/…        the pod that any of them is in
//	…/lxc/NAME/…, …/lxc.payload.NAME/…      LXC, LXD, Incus, Proxmox
//	…/machine.slice/machine-NAME.scope/…    systemd-nspawn and libvirt's LXC
//	/ecs/TASK/TASK-NUMBER                   AWS Fargate
//	/docker/buildkit/NAME                   steps of a docker build
func Parse(path string) (ref Ref, ok bool) {
	path = strings.TrimSuffix(path, " (deleted)")
	for rest := path; rest != ""; {
		at := strings.LastIndexByte(rest, '/')
		segment := rest[at+1:]
		rest = rest[:max(at, 0)]
		verdict := parseSegment(segment, rest, &ref)
		switch verdict {
		case container:
			ref.PodUID = podUID(rest, segment)
			return ref, true
		case host:
			return Ref{}, false
		}
	}
	return Ref{}, false
}

// Resolve is [Parse] for a machine that may have both hierarchies: version 2 first, version 1 when that says nothing.
// On a hybrid machine the kubelet sets both; with Docker's cgroupfs driver version 2 is often "/".
func Resolve(v2, v1 string) (Ref, bool) {
	if ref, ok := Parse(v2); ok {
		return ref, true
	}
	return Parse(v1)
}

type verdict int

const (
	unsaid    verdict = iota // look further up
	container                // found
	host                     // a helper of a runtime, outside of its container
)

// idLen is the length of the ids that runtimes make.
const idLen = 64

// parseSegment looks at one part of a path. parent is the path above it.
func parseSegment(segment, parent string, ref *Ref) verdict {
	name := strings.TrimSuffix(segment, ".scope")
	if len(name) >= idLen && isHex(name[len(name)-idLen:]) {
		ref.ID = name[len(name)-idLen:]
		return parsePrefix(name[:len(name)-idLen], parent, ref)
	}
	above := parent[strings.LastIndexByte(parent, '/')+1:]
	switch {
	case strings.HasPrefix(segment, "lxc.payload."):
		return named(ref, LXC, segment[len("lxc.payload."):])
	case strings.HasPrefix(segment, "lxc.monitor"), above == "lxc.monitor":
		return host
	case above == "lxc" || above == "lxc.payload":
		// /lxc/NAME; LXC itself has no other use for this folder.
		return named(ref, LXC, segment)
	case above == "machine.slice" && len(name) < len(segment):
		return parseMachine(name, ref)
	case above == "machine.slice" && strings.HasPrefix(segment, "systemd-nspawn@"):
		machine, isUnit := strings.CutSuffix(segment[len("systemd-nspawn@"):], ".service")
		if !isUnit {
			return unsaid
		}
		return named(ref, Nspawn, unescape(machine))
	case above == "buildkit" && strings.HasSuffix(parent, "docker/buildkit"):
		return named(ref, Docker, segment)
	case isFargate(segment, above):
		return named(ref, Unknown, segment)
	}
	return unsaid
}

// named takes a container that its runtime gave a free name.
func named(ref *Ref, runtime, name string) verdict {
	if name == "" || name == "." || name == ".." {
		return unsaid
	}
	ref.ID, ref.Runtime = name, runtime
	return container
}

// parsePrefix decides by what stands before an id in the same segment.
func parsePrefix(prefix, parent string, ref *Ref) verdict {
	if strings.Contains(prefix, "conmon") { // crio-conmon-L.scope, libpod-conmon-L.scope
		return host
	}
	if prefix == "" {
		ref.Runtime, ref.Namespace = byParent(parent)
		return container
	}
	separator := prefix[len(prefix)-1]
	if separator != '-' && separator != ':' {
		return unsaid // machine-libpod_pod_L is a slice; more digits than an id are no id
	}
	word := prefix[:len(prefix)-1]
	if separator == ':' {
		word = word[strings.LastIndexByte(word, ':')+1:]
	}
	switch word {
	case "docker":
		ref.Runtime, ref.Namespace = Docker, "moby"
	case "cri-containerd":
		ref.Runtime, ref.Namespace = Containerd, "k8s.io"
	case "nerdctl":
		ref.Runtime = Containerd
	case "crio":
		ref.Runtime = CRIO
	case "libpod", "libpod-payload":
		ref.Runtime = Podman
	}
	return container
}

// byParent guesses the runtime of a segment that is an id and nothing else.
func byParent(parent string) (runtime, namespace string) {
	switch parent[strings.LastIndexByte(parent, '/')+1:] {
	case "docker":
		return Docker, "moby"
	case "k8s.io":
		return Containerd, "k8s.io"
	case "default":
		if strings.Count(parent, "/") == 1 { // nerdctl and ctr put containers at /NAMESPACE/ID
			return Containerd, "default"
		}
	}
	return Unknown, ""
}

// parseMachine reads a scope of machine.slice; systemd-machined names them machine-NAME, virtual machines included.
func parseMachine(name string, ref *Ref) verdict {
	machine, isMachine := strings.CutPrefix(name, "machine-")
	if !isMachine {
		return unsaid
	}
	machine = unescape(machine)
	switch {
	case strings.HasPrefix(machine, "qemu-"):
		return host
	case strings.HasPrefix(machine, "lxc-"): // machine-lxc\x2d1234\x2dname.scope
		if _, after, numbered := strings.Cut(machine[len("lxc-"):], "-"); numbered {
			machine = after
		}
		return named(ref, LibvirtLXC, machine)
	}
	return named(ref, Nspawn, machine)
}

// isFargate recognizes a container's name on AWS Fargate: the task's 32 digits, a hyphen, a decimal number.
func isFargate(segment, above string) bool {
	const task = 32
	if len(above) != task || len(segment) < task+2 || segment[:task] != above || segment[task] != '-' || !isHex(above) {
		return false
	}
	for _, c := range []byte(segment[task+1:]) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// podUID finds the pod in the path above a container, or in the container's own segment where a systemd name was
// taken for a folder: the nearest one, for pods within pods.
func podUID(parent, segment string) string {
	if at := strings.IndexByte(segment, ':'); at > 0 {
		if uid := uidOf(segment[:at]); uid != "" {
			return uid
		}
	}
	for parent != "" {
		at := strings.LastIndexByte(parent, '/')
		if uid := uidOf(parent[at+1:]); uid != "" {
			return uid
		}
		parent = parent[:max(at, 0)]
	}
	return ""
}

// uidOf reads pod<uid> and …-pod<uid_with_underscores>.slice. A UID is a UUID; that of a static pod is 32 digits of a
// checksum.
func uidOf(segment string) string {
	segment = strings.TrimSuffix(segment, ".slice")
	at := strings.LastIndex(segment, "pod")
	if at < 0 || at > 0 && segment[at-1] != '-' {
		return ""
	}
	uid := segment[at+len("pod"):]
	const checksum, uuid = 32, 36
	switch len(uid) {
	case checksum:
		if isHex(uid) {
			return uid
		}
	case uuid:
		for i, c := range []byte(uid) {
			if i == 8 || i == 13 || i == 18 || i == 23 {
				if c != '-' && c != '_' {
					return ""
				}
			} else if !isDigit(c) {
				return ""
			}
		}
		return strings.ReplaceAll(uid, "_", "-")
	}
	return ""
}

// unescape undoes systemd's \xNN in the names of units; what is no such escape stays.
func unescape(name string) string {
	if !strings.Contains(name, `\x`) {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] == '\\' && i+3 < len(name) && name[i+1] == 'x' && isDigit(name[i+2]) && isDigit(name[i+3]) {
			b.WriteByte(digit(name[i+2])<<4 | digit(name[i+3]))
			i += 3
			continue
		}
		b.WriteByte(name[i])
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}

func isHex(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

// isDigit reports whether c is a hexadecimal digit as runtimes and systemd write it.
func isDigit(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' }

func digit(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c - 'a' + 10
}
