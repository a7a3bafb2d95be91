package runtimes

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/tiercel/tiercel/pkg/falcogrpc"
)

// Pods starts containers as a kubelet does: each in a pod of its own, through CRI.
type Pods struct {
	// Containerd is what is below.
	Containerd *Containerd

	conn *grpc.ClientConn
	uid  string
	base string // folder of the pods' cgroups
}

// The pod that all containers of Pods are in.
const (
	PodName      = "web-0"
	PodNamespace = "상점"
)

// NewPods starts containerd. It skips the test where that cannot run.
func NewPods(t testing.TB) *Pods {
	t.Helper()
	c := NewContainerd(t)
	conn, err := grpc.NewClient("unix://"+c.Socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	var b [16]byte
	_, _ = rand.Read(b[:])
	p := &Pods{Containerd: c, conn: conn, uid: fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), base: "/" + Name(t)}
	t.Cleanup(func() {
		for _, path := range []string{p.parent(), p.base + "/kubepods/besteffort", p.base + "/kubepods", p.base} {
			removeCgroup(path)
		}
	})
	return p
}

// UID is the UID of the pods.
func (p *Pods) UID() string { return p.uid }

// parent is the cgroup that a kubelet gives a pod, below a folder that no kubelet cleans.
func (p *Pods) parent() string { return p.base + "/kubepods/besteffort/pod" + p.uid }

// Start starts a pod with one container in it.
func (p *Pods) Start(t testing.TB, spec Spec) *Container {
	t.Helper()
	name := spec.Name
	if name == "" {
		name = "web"
	}
	const hostNetwork = 2
	namespaces := message{}.number(1, hostNetwork)
	pod := message{}.
		message(1, message{}.text(1, PodName).text(2, p.uid).text(3, PodNamespace)).
		entry(6, "io.kubernetes.pod.name", PodName).
		entry(6, "io.kubernetes.pod.namespace", PodNamespace).
		entry(6, "io.kubernetes.pod.uid", p.uid).
		entry(6, "app", "가게").
		entry(7, "example.org/owner", "ops").
		message(8, message{}.text(1, p.parent()).message(2, message{}.message(1, namespaces)))
	sandbox := p.call(t, "RunPodSandbox", message{}.message(1, pod))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
		defer cancel()
		for _, method := range []string{"StopPodSandbox", "RemovePodSandbox"} {
			if err := p.invoke(ctx, method, message{}.text(1, sandbox), &falcogrpc.Raw{}); err != nil {
				t.Errorf("%s: %v", method, err)
			}
		}
	})
	config := message{}.
		message(1, message{}.text(1, name)).
		message(2, message{}.text(1, Image))
	args := spec.Args
	if args == nil {
		args = forever
	}
	for _, arg := range args {
		config = config.text(3, arg)
	}
	for destination, source := range spec.Mounts {
		config = config.message(7, message{}.text(1, destination).text(2, source).number(3, 1))
	}
	config = config.
		entry(9, "io.kubernetes.pod.name", PodName).
		entry(9, "io.kubernetes.pod.namespace", PodNamespace).
		entry(9, "io.kubernetes.pod.uid", p.uid).
		entry(9, "io.kubernetes.container.name", name)
	for key, value := range spec.Labels {
		config = config.entry(9, key, value)
	}
	config = config.message(15, message{}.message(2, message{}.message(3, namespaces)))
	id := p.call(t, "CreateContainer", message{}.text(1, sandbox).message(2, config).message(3, pod))
	p.call(t, "StartContainer", message{}.text(1, id))

	below := *p.Containerd
	below.Namespace = "k8s.io"
	return below.container(id, name)
}

// call makes a call and gives the first text of the answer, which is an id.
func (p *Pods) call(t testing.TB, method string, request message) string {
	t.Helper()
	var answer falcogrpc.Raw
	if err := p.invoke(t.Context(), method, request, &answer); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	number, kind, n := protowire.ConsumeTag(answer.Bytes)
	if n < 0 || number != 1 || kind != protowire.BytesType {
		return ""
	}
	id, _ := protowire.ConsumeString(answer.Bytes[n:])
	return id
}

func (p *Pods) invoke(ctx context.Context, method string, request message, answer *falcogrpc.Raw) error {
	return p.conn.Invoke(ctx, "/runtime.v1.RuntimeService/"+method, &falcogrpc.Raw{Bytes: request}, answer, grpc.ForceCodecV2(falcogrpc.Codec()))
}

// message is a protobuf message under construction. What the product needs of CRI is generated from .proto files; what only
// a kubelet sends is written here by its numbers.
type message []byte

func (m message) text(number protowire.Number, value string) message {
	return protowire.AppendString(protowire.AppendTag(m, number, protowire.BytesType), value)
}

func (m message) number(number protowire.Number, value uint64) message {
	return protowire.AppendVarint(protowire.AppendTag(m, number, protowire.VarintType), value)
}

func (m message) message(number protowire.Number, value message) message {
	return protowire.AppendBytes(protowire.AppendTag(m, number, protowire.BytesType), value)
}

// entry adds to a map of texts.
func (m message) entry(number protowire.Number, key, value string) message {
	return m.message(number, message{}.text(1, key).text(2, value))
}
