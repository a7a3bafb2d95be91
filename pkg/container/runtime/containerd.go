package runtime

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/tiercel/tiercel/pkg/container"
	"github.com/tiercel/tiercel/pkg/container/runtime/containerdpb"
)

// containerd speaks containerd's own API: containers of ctr and nerdctl, and of programs that use containerd as a library.
// It knows those of CRI and Docker too, but less of them.
type containerd struct {
	conn   conn
	config *Config
}

func newContainerd(path string, c *Config) client {
	return &containerd{conn: conn{path: path}, config: c}
}

func (c *containerd) close() error { return c.conn.close() }

func (c *containerd) mayHave(ref container.Ref) bool {
	switch ref.Runtime {
	case container.Unknown, container.Containerd, container.Docker:
		return true
	}
	return false
}

// maxNamespaces bounds where a container is looked for whose namespace is not known.
const maxNamespaces = 64

func (c *containerd) container(ctx context.Context, ref container.Ref) (*container.Info, error) {
	namespaces := []string{ref.Namespace}
	if ref.Namespace == "" {
		answer := &containerdpb.ListNamespacesResponse{}
		if err := c.conn.call(ctx, "/containerd.services.namespaces.v1.Namespaces/List", &containerdpb.ListNamespacesRequest{}, answer); err != nil {
			return nil, err
		}
		namespaces = namespaces[:0]
		for _, namespace := range answer.GetNamespaces() {
			if len(namespaces) < maxNamespaces {
				namespaces = append(namespaces, namespace.GetName())
			}
		}
	}
	for _, namespace := range namespaces {
		info, err := c.within(ctx, namespace, ref)
		if !errors.Is(err, container.ErrNotFound) {
			return info, err
		}
	}
	return nil, container.ErrNotFound
}

// within looks in one of containerd's namespaces.
func (c *containerd) within(ctx context.Context, namespace string, ref container.Ref) (*container.Info, error) {
	ctx = metadata.AppendToOutgoingContext(ctx, "containerd-namespace", namespace)
	answer := &containerdpb.GetContainerResponse{}
	if err := c.conn.call(ctx, "/containerd.services.containers.v1.Containers/Get", &containerdpb.GetContainerRequest{Id: ref.ID}, answer); err != nil {
		return nil, err
	}
	found := answer.GetContainer()
	ref.Namespace = namespace
	ref.Runtime = cmp.Or(ref.Runtime, container.Containerd)
	if namespace == "moby" {
		ref.Runtime = container.Docker
	}
	labels := found.GetLabels()
	info := &container.Info{
		Ref:    ref,
		Name:   cmp.Or(labels[labelContainerName], labels["nerdctl/name"], found.GetId()),
		Image:  container.ParseImage(found.GetImage()),
		Labels: allowed(labels, c.config.Labels),
		Pod:    podOf(labels, ref),
	}
	if labels["io.cri-containerd.kind"] == "sandbox" {
		info.Name, info.Sandbox = "POD", true
	}
	if at := found.GetCreatedAt(); at != nil {
		info.Created = time.Unix(at.GetSeconds(), int64(at.GetNanos())).UTC()
	}
	var spec ociSpec
	if text := found.GetSpec().GetValue(); len(text) > 0 {
		if err := json.Unmarshal(text, &spec); err != nil {
			return nil, fmt.Errorf("the specification of container %q: %w", ref.ID, err)
		}
	}
	spec.shares(info)
	info.Mounts = spec.binds()
	info.Privileged = spec.privileged()
	if info.Pod != nil {
		info.Pod.SandboxID = cmp.Or(spec.Annotations["io.kubernetes.cri.sandbox-id"], spec.Annotations["io.kubernetes.cri-o.SandboxID"])
		info.PodUID = cmp.Or(info.PodUID, info.Pod.UID)
	}
	return info, c.image(ctx, info)
}

// image asks for the digest that an image's name stands for.
func (c *containerd) image(ctx context.Context, info *container.Info) error {
	if info.Image.Name == "" || info.Image.Digest != "" {
		return nil
	}
	answer := &containerdpb.GetImageResponse{}
	err := c.conn.call(ctx, "/containerd.services.images.v1.Images/Get", &containerdpb.GetImageRequest{Name: info.Image.Name}, answer)
	if errors.Is(err, container.ErrNotFound) || errors.Is(err, container.ErrNotHere) {
		return nil // removed while its container runs
	}
	if err != nil {
		return err
	}
	info.Image.Digest = answer.GetImage().GetTarget().GetDigest()
	return nil
}
