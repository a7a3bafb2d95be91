package container

import "time"

// Info is what a runtime says about a container. It is shared: nobody changes it. A container's environment is not in
// it, because that is where secrets are.
type Info struct {
	Ref

	// Name is what the container was called: `web`, or the container's name in the specification of its pod.
	Name  string
	Image Image
	// Labels are those that the configuration lets through.
	Labels map[string]string
	// Created and Started are zero where the runtime does not say.
	Created, Started time.Time

	// What the runtime says about its confinement. Unsaid where it says nothing.
	Privileged, HostPID, HostNetwork, HostIPC Tri

	Mounts []Mount
	// IP is the container's first address, "" where it has none of its own.
	IP string
	// CNI is the result of the network plugins, JSON; "" where the runtime does not tell.
	CNI string
	// Pod is nil outside of Kubernetes.
	Pod *Pod
	// Sandbox is set for the container that holds a pod together (pause).
	Sandbox bool
	// Source says which runtime answered, by its kind and socket: `cri /run/containerd/containerd.sock`.
	Source string
}

// Pod is a Kubernetes pod.
type Pod struct {
	Name, Namespace, UID string
	// SandboxID is the whole id of the container that holds the pod together.
	SandboxID string
	IP        string
	// Labels and Annotations are those that the configuration lets through.
	Labels, Annotations map[string]string
}

// Mount is a folder or file from outside.
type Mount struct {
	Source, Destination string
	// Mode is what the runtime was asked for: `ro`, `z`, …; "" by default.
	Mode string
	// Writable is false for a mount that can only be read.
	Writable    bool
	Propagation string
}

// Tri is yes, no, or not said.
type Tri uint8

// The values of a Tri.
const (
	Unsaid Tri = iota
	No
	Yes
)

// Is makes a Tri of what is known.
func Is(yes bool) Tri {
	if yes {
		return Yes
	}
	return No
}

// Known gives the truth, if it was said.
func (t Tri) Known() (yes, known bool) { return t == Yes, t != Unsaid }
