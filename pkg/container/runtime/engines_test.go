package runtime_test

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/pkg/container"
	"github.com/tiercel/tiercel/pkg/container/runtime"
	"github.com/tiercel/tiercel/test/runtimes"
)

// ask gives what a store learns from one socket.
func ask(t *testing.T, socket string, ref container.Ref, change ...func(*runtime.Config)) *container.Info {
	t.Helper()
	c := runtime.Defaults()
	c.Sockets = []string{socket}
	for _, f := range change {
		f(&c)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	r := runtime.New(c)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	store, err := container.NewStore(container.StoreOptions{Sources: r.Sources(), Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { store.Run(ctx); close(done) }()
	defer func() { cancel(); <-done }()
	waiting, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	info, ok := store.Wait(waiting, ref)
	if !ok {
		t.Fatalf("%s does not know %+v", socket, ref)
	}
	return info
}

func TestContainerd(t *testing.T) {
	engine := runtimes.NewContainerd(t)
	mounted := t.TempDir()
	c := engine.Start(t, runtimes.Spec{Labels: map[string]string{"team": "보안", "hidden": "x"}, Mounts: map[string]string{"/data": mounted}})
	for _, ref := range []container.Ref{
		{ID: c.ID, Runtime: container.Containerd, Namespace: "default"},
		{ID: c.ID}, // from a path that says no more
	} {
		info := ask(t, "containerd:"+engine.Socket, ref, func(c *runtime.Config) { c.Labels = []string{"te*"} })
		if info.Name != c.ID || info.Runtime != container.Containerd || info.Namespace != "default" {
			t.Errorf("name %q, runtime %q, namespace %q", info.Name, info.Runtime, info.Namespace)
		}
		if info.Image.Repository != "docker.io/library/tiercel-busybox" || info.Image.Tag != "1.0" || !strings.HasPrefix(info.Image.Digest, "sha256:") {
			t.Errorf("image %+v", info.Image)
		}
		if want := map[string]string{"team": "보안"}; !maps.Equal(info.Labels, want) {
			t.Errorf("labels %v, want %v", info.Labels, want)
		}
		if yes, known := info.Privileged.Known(); yes || !known || info.HostPID != container.No || info.HostNetwork != container.No {
			t.Errorf("privileged %v %v, host pid %v, host network %v", yes, known, info.HostPID, info.HostNetwork)
		}
		if !slices.ContainsFunc(info.Mounts, func(m container.Mount) bool {
			return m.Source == mounted && m.Destination == "/data" && m.Writable
		}) {
			t.Errorf("mounts %+v", info.Mounts)
		}
		if age := time.Since(info.Created); age < 0 || age > time.Minute {
			t.Errorf("created at %v", info.Created)
		}
		if info.Source != "containerd "+engine.Socket || info.Pod != nil {
			t.Errorf("source %q, pod %v", info.Source, info.Pod)
		}
	}
}

func TestPods(t *testing.T) {
	engine := runtimes.NewPods(t)
	mounted := t.TempDir()
	c := engine.Start(t, runtimes.Spec{Labels: map[string]string{"tier": "front"}, Mounts: map[string]string{"/data": mounted}})
	path := c.Must(t, "/bin/cat", "/proc/self/cgroup")
	line := path[strings.LastIndex(strings.TrimSpace(path), ":")+1:]
	ref, ok := container.Parse(strings.TrimSpace(line))
	if !ok || ref.ID != c.ID || ref.PodUID != engine.UID() {
		t.Fatalf("the cgroup %q says %+v", line, ref)
	}
	info := ask(t, "cri:"+engine.Containerd.Socket, ref, func(c *runtime.Config) { c.Annotations = []string{"example.org/*"} })
	if info.Name != "web" || info.Runtime != container.Containerd || info.Sandbox {
		t.Errorf("name %q, runtime %q, sandbox %v", info.Name, info.Runtime, info.Sandbox)
	}
	if info.Image.Repository != "docker.io/library/tiercel-busybox" || info.Image.Tag != "1.0" || !strings.HasPrefix(info.Image.ID, "sha256:") {
		t.Errorf("image %+v", info.Image)
	}
	if yes, known := info.Privileged.Known(); yes || !known || info.HostNetwork != container.Yes || info.HostPID != container.No {
		t.Errorf("privileged %v %v, host network %v, host pid %v", yes, known, info.HostNetwork, info.HostPID)
	}
	if !slices.Contains(info.Mounts, container.Mount{Source: mounted, Destination: "/data", Mode: "ro", Propagation: "rprivate"}) {
		t.Errorf("mounts %+v", info.Mounts)
	}
	pod := info.Pod
	if pod == nil || pod.Name != runtimes.PodName || pod.Namespace != runtimes.PodNamespace || pod.UID != engine.UID() || len(pod.SandboxID) != 64 {
		t.Fatalf("pod %+v", pod)
	}
	if pod.Labels["app"] != "가게" || info.Labels["tier"] != "front" || !maps.Equal(pod.Annotations, map[string]string{"example.org/owner": "ops"}) {
		t.Errorf("labels %v and %v, annotations %v", pod.Labels, info.Labels, pod.Annotations)
	}
	if info.Started.IsZero() || info.Created.After(info.Started) {
		t.Errorf("created %v, started %v", info.Created, info.Started)
	}

	// What holds the pod together is a container too.
	holder := ask(t, "cri:"+engine.Containerd.Socket, container.Ref{ID: pod.SandboxID, PodUID: engine.UID()})
	if !holder.Sandbox || holder.Pod == nil || holder.Pod.Name != runtimes.PodName || holder.Runtime != container.Containerd {
		t.Errorf("the pod's own container is %+v", holder)
	}
	// containerd's own API knows less, and the same.
	native := ask(t, "containerd:"+engine.Containerd.Socket, ref)
	if native.Name != "web" || native.Pod == nil || native.Pod.Name != runtimes.PodName || native.Pod.SandboxID != pod.SandboxID || native.Namespace != "k8s.io" {
		t.Errorf("containerd says %+v, pod %+v", native, native.Pod)
	}
}

func TestDocker(t *testing.T) {
	engine := runtimes.NewDocker(t)
	mounted := t.TempDir()
	spec := runtimes.Spec{Labels: map[string]string{"team": "보안"}, Mounts: map[string]string{"/data": mounted}}
	c := engine.Start(t, spec)
	info := ask(t, "docker:"+engine.Socket, container.Ref{ID: c.ID, Runtime: container.Docker, Namespace: "moby"})
	if info.Name != c.Name || info.Runtime != container.Docker {
		t.Errorf("name %q, runtime %q", info.Name, info.Runtime)
	}
	if info.Image.Repository != "docker.io/library/tiercel-busybox" || info.Image.Tag != "1.0" || !strings.HasPrefix(info.Image.ID, "sha256:") {
		t.Errorf("image %+v", info.Image)
	}
	if info.Labels["team"] != "보안" || info.HostNetwork != container.Yes || info.HostPID != container.No || info.Privileged != container.No {
		t.Errorf("labels %v, host network %v, host pid %v, privileged %v", info.Labels, info.HostNetwork, info.HostPID, info.Privileged)
	}
	if len(info.Mounts) != 1 || info.Mounts[0].Source != mounted || info.Mounts[0].Destination != "/data" || !info.Mounts[0].Writable {
		t.Errorf("mounts %+v", info.Mounts)
	}
	if info.Started.Before(info.Created) {
		t.Errorf("created %v, started %v", info.Created, info.Started)
	}

	// Started by nobody, and allowed everything.
	made := engine.Create(t, runtimes.Spec{}, "--privileged", "--pid=host")
	info = ask(t, "docker:"+engine.Socket, container.Ref{ID: made.ID})
	if info.Privileged != container.Yes || info.HostPID != container.Yes || !info.Started.IsZero() {
		t.Errorf("privileged %v, host pid %v, started %v", info.Privileged, info.HostPID, info.Started)
	}
}
