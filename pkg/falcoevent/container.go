package falcoevent

import (
	"github.com/tiercel/tiercel/pkg/container"
	"github.com/tiercel/tiercel/pkg/rules/field"
)

// Containers knows what runtimes say of containers. Get never waits; settled is false while the runtime is still to
// answer, so that asking again may give more.
type Containers interface {
	Get(in container.Ref) (info *container.Info, settled bool)
}

// Container is the container that the event happened in; the zero Ref for the host, and for a process of which nothing
// is known.
func (e *Event) Container() container.Ref {
	if e.proc == nil {
		return container.Ref{}
	}
	return e.proc.Container()
}

// users is whose password file names the users of the event.
func (e *Event) users() container.Ref { return e.Container() }

func (e *Event) containerID() string { return e.Container().Short() }

// isContainerField reports whether a field is about the container itself and not about its first process.
func isContainerField(id field.ID) bool {
	return id >= field.ContainerID && id < field.FdNum && id != field.ContainerStartTs && id != field.ContainerDuration
}

// IsMetadata reports whether only the runtime of a container can say what a field asks.
func IsMetadata(id field.ID) bool {
	switch id {
	case field.ContainerID, field.ContainerFullID, field.ContainerType, field.K8sPodID, field.K8sPodUID:
		return false
	}
	return isContainerField(id)
}

// ownContainer gives what is about the container of the event.
func (e *Event) ownContainer(id field.ID, arg field.Arg) field.Value {
	if e.proc == nil && e.probe == nil {
		return field.Value{}
	}
	switch id {
	case field.ContainerStartTs, field.ContainerDuration:
		if e.proc == nil {
			return field.Value{}
		}
		start := e.namespaceStart()
		switch {
		case start == 0:
			return field.Value{}
		case id == field.ContainerDuration:
			return field.Int(e.wall - start)
		}
		return field.Int(start)
	}
	return e.node.containerField(e.Container(), id, arg)
}

// containerField gives what is known of a container. On the host, texts about images are empty and names are "host", as
// Falco's plugin has it; what is about a pod is missing.
func (n *Node) containerField(in container.Ref, id field.ID, arg field.Arg) field.Value {
	switch id {
	case field.ContainerID:
		return field.Text(in.Short())
	case field.ContainerFullID:
		if in.IsHost() {
			return field.Text(container.Host)
		}
		return field.Text(in.ID)
	case field.ContainerType:
		switch {
		case in.IsHost():
			return field.Text(container.Host)
		case in.Runtime != container.Unknown:
			return field.Text(in.Runtime)
		}
	case field.K8sPodUID, field.K8sPodID:
		if in.PodUID != "" {
			return field.Text(in.PodUID)
		}
	}
	if in.IsHost() {
		switch id {
		case field.ContainerName:
			return field.Text(container.Host)
		case field.ContainerImageRepository, field.ContainerImageTag, field.ContainerImage, field.ContainerImageID, field.ContainerImageDigest:
			return field.Text("")
		}
		return field.Value{}
	}
	if n.Containers == nil {
		return field.Value{}
	}
	info, _ := n.Containers.Get(in)
	if info == nil {
		return field.Value{}
	}
	return infoField(info, id, arg)
}

func maybe(text string) field.Value {
	if text == "" {
		return field.Value{}
	}
	return field.Text(text)
}

func truth(said container.Tri) field.Value {
	yes, known := said.Known()
	if !known {
		return field.Value{}
	}
	return field.Bool(yes)
}

// infoField gives what the runtime says of a container.
func infoField(c *container.Info, id field.ID, arg field.Arg) field.Value {
	switch id {
	case field.ContainerName:
		return maybe(c.Name)
	case field.ContainerImage:
		return maybe(c.Image.Name)
	case field.ContainerImageID:
		return maybe(c.Image.ID)
	case field.ContainerImageRepository:
		return maybe(c.Image.Repository)
	case field.ContainerImageTag:
		return maybe(c.Image.Tag)
	case field.ContainerImageDigest:
		return maybe(c.Image.Digest)
	case field.ContainerType:
		return maybe(c.Runtime)
	case field.ContainerPrivileged:
		return truth(c.Privileged)
	case field.ContainerHostPID:
		return truth(c.HostPID)
	case field.ContainerHostNetwork:
		return truth(c.HostNetwork)
	case field.ContainerHostIPC:
		return truth(c.HostIPC)
	case field.ContainerIP:
		return maybe(c.IP)
	case field.ContainerCniJSON:
		return maybe(c.CNI)
	case field.ContainerLabel:
		return label(c.Labels, arg)
	case field.ContainerLabels:
		return labels(c.Labels)
	case field.ContainerMounts:
		return mounts(c.Mounts)
	case field.ContainerMount, field.ContainerMountSource, field.ContainerMountDest, field.ContainerMountMode, field.ContainerMountRdwr,
		field.ContainerMountPropagation:
		return mount(c.Mounts, id, arg)
	}
	if c.Pod == nil {
		return field.Value{}
	}
	return podField(c, id, arg)
}

// podField gives what the runtime says of the pod of a container.
func podField(c *container.Info, id field.ID, arg field.Arg) field.Value {
	switch id {
	case field.K8sNSName:
		return maybe(c.Pod.Namespace)
	case field.K8sPodName:
		return maybe(c.Pod.Name)
	case field.K8sPodUID, field.K8sPodID:
		return maybe(c.Pod.UID)
	case field.K8sPodSandboxID:
		return maybe(container.Short(c.Pod.SandboxID))
	case field.K8sPodFullSandboxID:
		return maybe(c.Pod.SandboxID)
	case field.K8sPodIP:
		return maybe(c.Pod.IP)
	case field.K8sPodLabel:
		return label(c.Pod.Labels, arg)
	case field.K8sPodLabels:
		return labels(c.Pod.Labels)
	case field.K8sPodCniJSON:
		return maybe(c.CNI)
	}
	return field.Value{}
}
