package container

// Info is what the runtime of a container says about it. It never changes; texts are empty where nothing is known.
type Info struct {
	Name string
	// Image is how the image was named when the container was made; Repository, Tag and Digest are its parts.
	Image, ImageID, Repository, Tag, Digest string
	// Nil where the runtime does not say.
	Privileged, HostPID, HostNetwork, HostIPC *bool
	Labels                                    map[string]string
	Mounts                                    []Mount
	IP                                        string // the first address, if any
	CNI                                       string // the result of the network plugins, JSON
	Pod                                       Pod
}

// Mount is something that is mounted into a container.
type Mount struct {
	Source, Destination string
	// Mode has the options as the runtime writes them, Propagation is rprivate, rshared or the like.
	Mode, Propagation string
	Writable          bool
}

// Pod is the Kubernetes pod that a container is in; the zero Pod for a container without one.
type Pod struct {
	Name, Namespace, UID string
	SandboxID            string // of the container that holds the pod's namespaces
	IP                   string
	Labels               map[string]string
}
