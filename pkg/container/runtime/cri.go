package runtime

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/tiercel/tiercel/pkg/container"
	"github.com/tiercel/tiercel/pkg/container/runtime/cripb"
)

// cri speaks version 1 of the Kubernetes Container Runtime Interface: containerd, CRI-O, k3s, cri-dockerd.
type cri struct {
	conn   conn
	config *Config

	mu      sync.Mutex
	runtime string // as container.type names it; "" until the runtime has said
}

func newCRI(path string, c *Config) client { return &cri{conn: conn{path: path}, config: c} }

func (c *cri) close() error { return c.conn.close() }

// mayHave: a container of Docker's or of another of containerd's namespaces is not in CRI, unless it is in a pod.
func (c *cri) mayHave(ref container.Ref) bool {
	switch {
	case ref.PodUID != "":
		return true
	case ref.Namespace != "" && ref.Namespace != "k8s.io":
		return false
	}
	return ref.Runtime == container.Unknown || ref.Runtime == container.Containerd || ref.Runtime == container.CRIO
}

func (c *cri) container(ctx context.Context, ref container.Ref) (*container.Info, error) {
	name, err := c.name(ctx)
	if err != nil {
		return nil, err
	}
	answer := &cripb.ContainerStatusResponse{}
	err = c.conn.call(ctx, "/runtime.v1.RuntimeService/ContainerStatus", &cripb.ContainerStatusRequest{ContainerId: ref.ID, Verbose: true}, answer)
	if errors.Is(err, container.ErrNotFound) {
		return c.sandbox(ctx, ref, name)
	}
	if err != nil {
		return nil, err
	}
	s := answer.GetStatus()
	if s.GetId() != ref.ID {
		return nil, container.ErrNotFound // a runtime may find a container by the begin of its id
	}
	ref.Runtime = cmp.Or(ref.Runtime, name)
	info := &container.Info{
		Ref:     ref,
		Name:    cmp.Or(s.GetMetadata().GetName(), s.GetLabels()[labelContainerName]),
		Image:   criImage(s),
		Labels:  allowed(s.GetLabels(), c.config.Labels),
		Created: nanos(s.GetCreatedAt()),
		Started: nanos(s.GetStartedAt()),
		Pod:     podOf(s.GetLabels(), ref),
	}
	for _, m := range s.GetMounts() {
		if len(info.Mounts) == maxMounts {
			break
		}
		mount := container.Mount{Source: m.GetHostPath(), Destination: m.GetContainerPath(), Writable: !m.GetReadonly(), Propagation: propagations[m.GetPropagation()]}
		if m.GetReadonly() {
			mount.Mode = "ro"
		}
		info.Mounts = append(info.Mounts, mount)
	}
	sandbox := criDetails(answer.GetInfo()["info"], info)
	if sandbox == "" {
		sandbox, err = c.sandboxOf(ctx, ref.ID)
		if err != nil {
			return nil, err
		}
	}
	return info, c.pod(ctx, sandbox, info)
}

// propagations are the OCI words for CRI's.
var propagations = map[cripb.MountPropagation]string{
	cripb.MountPropagation_PROPAGATION_PRIVATE:           "rprivate",
	cripb.MountPropagation_PROPAGATION_HOST_TO_CONTAINER: "rslave",
	cripb.MountPropagation_PROPAGATION_BIDIRECTIONAL:     "rshared",
}

// sandbox describes the container that holds a pod together, which is no container in CRI.
func (c *cri) sandbox(ctx context.Context, ref container.Ref, name string) (*container.Info, error) {
	ref.Runtime = cmp.Or(ref.Runtime, name)
	info := &container.Info{Ref: ref, Name: "POD", Sandbox: true}
	return info, c.pod(ctx, ref.ID, info)
}

// pod asks for the pod of a container and puts it into info.
func (c *cri) pod(ctx context.Context, sandbox string, info *container.Info) error {
	if sandbox == "" {
		return nil
	}
	answer := &cripb.PodSandboxStatusResponse{}
	err := c.conn.call(ctx, "/runtime.v1.RuntimeService/PodSandboxStatus", &cripb.PodSandboxStatusRequest{PodSandboxId: sandbox}, answer)
	if err != nil {
		if errors.Is(err, container.ErrNotFound) && !info.Sandbox {
			return nil // the pod has gone before its container; the labels said its name
		}
		return err
	}
	s := answer.GetStatus()
	info.Pod = &container.Pod{
		Name:        s.GetMetadata().GetName(),
		Namespace:   s.GetMetadata().GetNamespace(),
		UID:         s.GetMetadata().GetUid(),
		SandboxID:   s.GetId(),
		IP:          s.GetNetwork().GetIp(),
		Labels:      allowed(s.GetLabels(), c.config.Labels),
		Annotations: allowed(s.GetAnnotations(), c.config.Annotations),
	}
	info.PodUID = cmp.Or(info.PodUID, info.Pod.UID)
	info.IP = info.Pod.IP
	if options := s.GetLinux().GetNamespaces().GetOptions(); options != nil {
		info.HostNetwork = container.Is(options.GetNetwork() == cripb.NamespaceMode_NODE)
		info.HostIPC = container.Is(options.GetIpc() == cripb.NamespaceMode_NODE)
		if info.HostPID == container.Unsaid {
			info.HostPID = container.Is(options.GetPid() == cripb.NamespaceMode_NODE)
		}
	}
	if info.Sandbox {
		info.Created = nanos(s.GetCreatedAt())
		info.Labels = info.Pod.Labels
	}
	return nil
}

// sandboxOf finds the pod of a container where the runtime's details do not tell.
func (c *cri) sandboxOf(ctx context.Context, id string) (string, error) {
	answer := &cripb.ListContainersResponse{}
	request := &cripb.ListContainersRequest{Filter: &cripb.ContainerFilter{Id: id}}
	if err := c.conn.call(ctx, "/runtime.v1.RuntimeService/ListContainers", request, answer); err != nil {
		return "", err
	}
	for _, found := range answer.GetContainers() {
		if found.GetId() == id {
			return found.GetPodSandboxId(), nil
		}
	}
	return "", nil
}

// name asks the runtime for its name, once.
func (c *cri) name(ctx context.Context) (string, error) {
	c.mu.Lock()
	name := c.runtime
	c.mu.Unlock()
	if name != "" {
		return name, nil
	}
	answer := &cripb.VersionResponse{}
	if err := c.conn.call(ctx, "/runtime.v1.RuntimeService/Version", &cripb.VersionRequest{}, answer); err != nil {
		return "", err
	}
	name = answer.GetRuntimeName()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runtime = cmp.Or(name, "cri")
	return c.runtime, nil
}

// criImage puts the image together. image is what the kubelet asked for, or the id of what it got; image_ref names it by
// its digest.
func criImage(s *cripb.ContainerStatus) container.Image {
	image := container.ParseImage(cmp.Or(s.GetImage().GetUserSpecifiedImage(), s.GetImage().GetImage()))
	ref := container.ParseImage(s.GetImageRef())
	switch {
	case image.Repository == "" && ref.Repository != "":
		image.Name, image.Repository, image.Digest = ref.Name, ref.Repository, ref.Digest
	case ref.Repository != "":
		image.Digest = ref.Digest
	default:
		// A bare digest is that of the configuration: the id.
		image.Digest = ""
		image.ID = ref.Digest
	}
	if id := s.GetImageId(); id != "" {
		image.ID = id
	}
	return image
}

// criDetails reads what runtimes tell in JSON of their own, and gives the id of the pod's container. Only what containerd
// and CRI-O agree on is taken, and each member for itself: the rest differs with their versions.
func criDetails(text string, info *container.Info) (sandbox string) {
	var details struct {
		SandboxID   string   `json:"sandboxID"`
		Privileged  *bool    `json:"privileged"` // CRI-O
		RuntimeSpec *ociSpec `json:"runtimeSpec"`
		Config      *struct {
			Linux *struct {
				SecurityContext *struct {
					Privileged bool `json:"privileged"`
				} `json:"security_context"`
			} `json:"linux"`
		} `json:"config"` // containerd: what the kubelet asked for
	}
	if text == "" || json.Unmarshal([]byte(text), &details) != nil {
		return ""
	}
	switch {
	case details.Privileged != nil:
		info.Privileged = container.Is(*details.Privileged)
	case details.Config != nil && details.Config.Linux != nil:
		context := details.Config.Linux.SecurityContext
		info.Privileged = container.Is(context != nil && context.Privileged)
	case details.Config != nil:
		info.Privileged = container.No
	case details.RuntimeSpec != nil:
		info.Privileged = details.RuntimeSpec.privileged()
	}
	if details.RuntimeSpec != nil {
		details.RuntimeSpec.shares(info)
	}
	return details.SandboxID
}

func nanos(n int64) time.Time {
	if n <= 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// isID reports whether a text looks like the ids that engines make.
func isID(s string) bool { return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" }
