package container_test

import (
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/container"
)

const (
	id    = "3f4a1b2c5d6e7f8090a1b2c3d4e5f60718293a4b5c6d7e8f9012a3b4c5d6e7f8"
	outer = "ffffa1b2c5d6e7f8090a1b2c3d4e5f60718293a4b5c6d7e8f9012a3b4c5d6eff"
	uid   = "0d5f8c8e-2b1a-4c3d-9e8f-7a6b5c4d3e2f"
	under = "0d5f8c8e_2b1a_4c3d_9e8f_7a6b5c4d3e2f" // as systemd's slices have it
	sum   = "4b1c2d3e4f5061728394a5b6c7d8e9f0"     // of a static pod
	task  = "9781c248046a4c2eb7d2f5c2e9e7a0f1"
)

func TestParse(t *testing.T) {
	for _, test := range []struct {
		name, path string
		want       container.Ref
	}{
		{"docker, cgroupfs", "/docker/" + id, container.Ref{ID: id, Runtime: container.Docker, Namespace: "moby"}},
		{"docker, systemd", "/system.slice/docker-" + id + ".scope", container.Ref{ID: id, Runtime: container.Docker, Namespace: "moby"}},
		{"docker, rootless", "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" + id + ".scope", container.Ref{ID: id, Runtime: container.Docker, Namespace: "moby"}},
		{"docker, a parent of one's own", "/actions_job/" + id, container.Ref{ID: id}},
		{"docker, a slice of one's own", "/web.slice/docker-" + id + ".scope", container.Ref{ID: id, Runtime: container.Docker, Namespace: "moby"}},
		{"docker, systemd's name on cgroupfs", "/system.slice:docker:" + id, container.Ref{ID: id, Runtime: container.Docker, Namespace: "moby"}},
		{"docker, a step of a build", "/docker/buildkit/6n8lfbhhkyc2dgdtmv0v5r9nj", container.Ref{ID: "6n8lfbhhkyc2dgdtmv0v5r9nj", Runtime: container.Docker}},
		{"docker, systemd within", "/system.slice/docker-" + id + ".scope/system.slice/cron.service", container.Ref{ID: id, Runtime: container.Docker, Namespace: "moby"}},
		{"docker, init.scope within", "/docker/" + id + "/init.scope", container.Ref{ID: id, Runtime: container.Docker, Namespace: "moby"}},
		{"docker in docker", "/docker/" + outer + "/docker/" + id, container.Ref{ID: id, Runtime: container.Docker, Namespace: "moby"}},
		{"docker in docker, systemd outside", "/system.slice/docker-" + outer + ".scope/docker/" + id, container.Ref{ID: id, Runtime: container.Docker, Namespace: "moby"}},
		{"a deleted cgroup", "/docker/" + id + " (deleted)", container.Ref{ID: id, Runtime: container.Docker, Namespace: "moby"}},
		{"seen from a cgroup namespace", "/../" + id, container.Ref{ID: id}},

		{"kubernetes, cgroupfs, best effort", "/kubepods/besteffort/pod" + uid + "/" + id, container.Ref{ID: id, PodUID: uid}},
		{"kubernetes, cgroupfs, guaranteed", "/kubepods/pod" + uid + "/" + id, container.Ref{ID: id, PodUID: uid}},
		{"kubernetes, static pod", "/kubepods/burstable/pod" + sum + "/" + id, container.Ref{ID: id, PodUID: sum}},
		{
			"kubernetes, systemd, containerd", "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + under + ".slice/cri-containerd-" + id + ".scope",
			container.Ref{ID: id, Runtime: container.Containerd, Namespace: "k8s.io", PodUID: uid},
		},
		{
			"kubernetes, systemd, guaranteed", "/kubepods.slice/kubepods-pod" + under + ".slice/cri-containerd-" + id + ".scope",
			container.Ref{ID: id, Runtime: container.Containerd, Namespace: "k8s.io", PodUID: uid},
		},
		{
			"kubernetes, CRI-O", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + under + ".slice/crio-" + id + ".scope",
			container.Ref{ID: id, Runtime: container.CRIO, PodUID: uid},
		},
		{
			"kubernetes, CRI-O, container below the scope", "/kubepods.slice/kubepods-pod" + under + ".slice/crio-" + id + ".scope/container",
			container.Ref{ID: id, Runtime: container.CRIO, PodUID: uid},
		},
		{"kubernetes, CRI-O, cgroupfs", "/kubepods/burstable/pod" + uid + "/crio-" + id, container.Ref{ID: id, Runtime: container.CRIO, PodUID: uid}},
		{
			"kubernetes, cri-dockerd", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + under + ".slice/docker-" + id + ".scope",
			container.Ref{ID: id, Runtime: container.Docker, Namespace: "moby", PodUID: uid},
		},
		{
			"kubelet on systemd, containerd on cgroupfs", "/system.slice/containerd.service/kubepods-burstable-pod" + under + ".slice:cri-containerd:" + id,
			container.Ref{ID: id, Runtime: container.Containerd, Namespace: "k8s.io", PodUID: uid},
		},
		{
			"kubelet on systemd, containerd on cgroupfs, no unit above", "/kubepods-pod" + under + ".slice:cri-containerd:" + id,
			container.Ref{ID: id, Runtime: container.Containerd, Namespace: "k8s.io", PodUID: uid},
		},
		{"k3s", "/k3s/kubepods/burstable/pod" + uid + "/" + id, container.Ref{ID: id, PodUID: uid}},
		{"CRI without a pod's folder", "/k8s.io/" + id, container.Ref{ID: id, Runtime: container.Containerd, Namespace: "k8s.io"}},
		{"kind, cgroups 1", "/docker/" + outer + "/kubelet/kubepods/besteffort/pod" + uid + "/" + id, container.Ref{ID: id, PodUID: uid}},
		{
			"kind, cgroups 2", "/system.slice/docker-" + outer + ".scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod" + under + ".slice/cri-containerd-" + id + ".scope",
			container.Ref{ID: id, Runtime: container.Containerd, Namespace: "k8s.io", PodUID: uid},
		},
		{"kind, the node itself", "/docker/" + outer + "/kubelet/kubelet.service", container.Ref{ID: outer, Runtime: container.Docker, Namespace: "moby"}},
		{
			"docker in a pod", "/kubepods/burstable/pod" + uid + "/" + outer + "/docker/" + id,
			container.Ref{ID: id, Runtime: container.Docker, Namespace: "moby", PodUID: uid},
		},

		{"podman", "/machine.slice/libpod-" + id + ".scope", container.Ref{ID: id, Runtime: container.Podman}},
		{"podman, cgroups 2", "/machine.slice/libpod-" + id + ".scope/container", container.Ref{ID: id, Runtime: container.Podman}},
		{"podman, rootless", "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id + ".scope/container", container.Ref{ID: id, Runtime: container.Podman}},
		{"podman, cgroupfs", "/libpod_parent/libpod-" + id, container.Ref{ID: id, Runtime: container.Podman}},
		{"podman, in a pod of its own", "/machine.slice/machine-libpod_pod_" + outer + ".slice/libpod-" + id + ".scope", container.Ref{ID: id, Runtime: container.Podman}},
		{"podman, in a unit", "/system.slice/web.service/libpod-payload-" + id, container.Ref{ID: id, Runtime: container.Podman}},

		{"containerd's nerdctl", "/system.slice/nerdctl-" + id + ".scope", container.Ref{ID: id, Runtime: container.Containerd}},
		{"containerd's nerdctl, cgroupfs", "/default/" + id, container.Ref{ID: id, Runtime: container.Containerd, Namespace: "default"}},
		{"a runtime that is not known", "/system.slice/newthing-" + id + ".scope", container.Ref{ID: id}},

		{"LXC", "/lxc/web", container.Ref{ID: "web", Runtime: container.LXC}},
		{"LXC, systemd within", "/lxc/101/ns/system.slice/ssh.service", container.Ref{ID: "101", Runtime: container.LXC}},
		{"LXC 4", "/lxc.payload.web/init.scope", container.Ref{ID: "web", Runtime: container.LXC}},
		{"LXC 4, a folder", "/lxc.payload/web", container.Ref{ID: "web", Runtime: container.LXC}},
		{"docker in LXC", "/lxc/101/ns/docker/" + id, container.Ref{ID: id, Runtime: container.Docker, Namespace: "moby"}},
		{"systemd-nspawn", `/machine.slice/machine-debian\x2d12.scope/payload/init.scope`, container.Ref{ID: "debian-12", Runtime: container.Nspawn}},
		{"systemd-nspawn, as a unit", `/machine.slice/systemd-nspawn@debian\x2d12.service/payload`, container.Ref{ID: "debian-12", Runtime: container.Nspawn}},
		{"libvirt's LXC", `/machine.slice/machine-lxc\x2d4321\x2dweb.scope`, container.Ref{ID: "web", Runtime: container.LibvirtLXC}},

		{"ECS", "/ecs/" + task + "/" + id, container.Ref{ID: id}},
		{"ECS on Fargate", "/ecs/" + task + "/" + task + "-1234567890", container.Ref{ID: task + "-1234567890"}},

		{"the root", "/", container.Ref{}},
		{"nothing", "", container.Ref{}},
		{"a service", "/system.slice/ssh.service", container.Ref{}},
		{"a login", "/user.slice/user-1000.slice/session-3.scope", container.Ref{}},
		{"docker's engine", "/system.slice/docker.service", container.Ref{}},
		{"containerd's shim", "/system.slice/containerd.service", container.Ref{}},
		{"the kubelet's folder", "/kubepods/besteffort", container.Ref{}},
		{"a pod without a container", "/kubepods/besteffort/pod" + uid, container.Ref{}},
		{"CRI-O's monitor", "/kubepods.slice/kubepods-pod" + under + ".slice/crio-conmon-" + id + ".scope", container.Ref{}},
		{"podman's monitor", "/machine.slice/libpod-conmon-" + id + ".scope", container.Ref{}},
		{"podman's health check", "/system.slice/" + id + ".service", container.Ref{}},
		{"a mount", "/system.slice/docker-" + id + ".mount", container.Ref{}},
		{"LXC's monitor", "/lxc.monitor.web", container.Ref{}},
		{"LXC's monitor, a folder", "/lxc.monitor/web", container.Ref{}},
		{"a virtual machine", `/machine.slice/machine-qemu\x2d1\x2dweb.scope/emulator`, container.Ref{}},
		{"63 digits", "/docker/" + id[1:], container.Ref{}},
		{"65 digits", "/docker/a" + id, container.Ref{}},
		{"capitals", "/docker/" + strings.ToUpper(id), container.Ref{}},
		{"32 digits", "/process_api/" + task, container.Ref{}},
		{"a free name", "/default/c1", container.Ref{}},
		{"Hangul", "/컨테이너/🐤", container.Ref{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := container.Parse(test.path)
			if got != test.want || ok != (test.want != container.Ref{}) {
				t.Errorf("Parse(%q)\n got %+v, %v\nwant %+v", test.path, got, ok, test.want)
			}
		})
	}
}

func TestResolveReadsBothHierarchies(t *testing.T) {
	docker := container.Ref{ID: id, Runtime: container.Docker, Namespace: "moby"}
	for _, test := range []struct {
		name, v2, v1 string
		want         container.Ref
	}{
		{"2 only", "/system.slice/docker-" + id + ".scope", "", docker},
		{"1 only", "/", "/docker/" + id, docker},
		{"both", "/docker/" + id, "/docker/" + id, docker},
		{"neither", "/", "/user.slice", container.Ref{}},
	} {
		if got, ok := container.Resolve(test.v2, test.v1); got != test.want || ok == test.want.IsHost() {
			t.Errorf("%s: got %+v, %v, want %+v", test.name, got, ok, test.want)
		}
	}
}

func TestShort(t *testing.T) {
	for in, want := range map[string]string{
		"":              "host",
		"c1":            "c1",
		id:              id[:12],
		"한국어컨테이너이름":     "한국어컨", // 12 bytes are 4 letters
		"ab한국어컨테이너이름":   "ab한국어",
		"exactly12345":  "exactly12345",
		"exactly123456": "exactly12345",
	} {
		if got := (container.Ref{ID: in}).Short(); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("/system.slice/docker-" + id + ".scope")
	f.Add("/kubepods-pod" + under + ".slice:cri-containerd:" + id)
	f.Add(`/machine.slice/machine-lxc\x2d4321\x2dweb.scope`)
	f.Add("/ecs/" + task + "/" + task + "-1")
	f.Add("/lxc.payload.")
	f.Add(`//..//\x//lxc///`)
	f.Fuzz(func(t *testing.T, path string) {
		ref, ok := container.Parse(path)
		if ok == ref.IsHost() {
			t.Fatalf("Parse(%q) = %+v, %v: found and no id, or the other way", path, ref, ok)
		}
		if !ok && ref != (container.Ref{}) {
			t.Fatalf("Parse(%q) left %+v behind", path, ref)
		}
		if strings.ContainsAny(ref.ID, "/") || len(ref.ID) > len(path)+2 {
			t.Fatalf("Parse(%q) made the id %q", path, ref.ID)
		}
		if again, ok2 := container.Parse(path + " (deleted)"); again != ref || ok2 != ok {
			t.Fatalf("Parse(%q) depends on whether the cgroup is deleted: %+v and %+v", path, ref, again)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	path := "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + under + ".slice/cri-containerd-" + id + ".scope"
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := container.Parse(path); !ok {
			b.Fatal("not found")
		}
	}
}
