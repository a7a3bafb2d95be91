package container_test

import (
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/container"
)

func TestClaims(t *testing.T) {
	for _, test := range []struct {
		name, args, cgroup string
		want               container.Ref
	}{
		{
			"ctr run", "/usr/bin/containerd-shim-runc-v2 -namespace default -id c1 -address /run/containerd/containerd.sock", "/default/c1",
			container.Ref{ID: "c1", Runtime: container.Containerd, Namespace: "default"},
		},
		{
			"joined options", "containerd-shim-runc-v2 --namespace=team --id=web.1 --debug --address=/x", "/team/web.1",
			container.Ref{ID: "web.1", Runtime: container.Containerd, Namespace: "team"},
		},
		{
			"shim version 1", "containerd-shim -namespace default -workdir /var/lib/containerd/io.containerd.runtime.v1.linux/default/c1 -address /x", "/default/c1",
			container.Ref{ID: "c1", Runtime: container.Containerd, Namespace: "default"},
		},
		{
			"below the container's cgroup", "containerd-shim-runc-v2 -namespace default -id c1 -address /x", "/default/c1/system.slice/cron.service",
			container.Ref{ID: "c1", Runtime: container.Containerd, Namespace: "default"},
		},
		{
			"a scope", "containerd-shim-runc-v2 -namespace default -id c1 -address /x", "/system.slice/ctr-c1.scope",
			container.Ref{ID: "c1", Runtime: container.Containerd, Namespace: "default"},
		},
		{
			"a shim of a pod", "containerd-shim-runc-v2 -namespace k8s.io -id talos -address /x", "/kubepods/besteffort/pod" + uid + "/talos",
			container.Ref{ID: "talos", Runtime: container.Containerd, Namespace: "k8s.io", PodUID: uid},
		},
		{"docker's shim", "containerd-shim-runc-v2 -namespace moby -id build -address /x", "/docker/build", container.Ref{ID: "build", Runtime: container.Docker, Namespace: "moby"}},
		{"runc run", "runc run c1", "/user.slice/c1", container.Ref{ID: "c1", Runtime: container.Runc}},
		{"runc run with options", "/usr/sbin/runc --root /run/x --log /l run --bundle /tmp/b --pid-file /p c1", "/c1", container.Ref{ID: "c1", Runtime: container.Runc}},
		{"runc exec", "runc exec -t --user 0 c1 sh -c id", "/c1", container.Ref{ID: "c1", Runtime: container.Runc}},
		{"crun", "crun --systemd-cgroup create --bundle /b c1", "/system.slice/crun-c1.scope", container.Ref{ID: "c1", Runtime: container.Runc}},

		{"the shim itself", "containerd-shim-runc-v2 -namespace default -id c1 -address /x", "/system.slice/containerd.service", container.Ref{}},
		{"part of a name", "containerd-shim-runc-v2 -namespace default -id c1 -address /x", "/default/c11", container.Ref{}},
		{"part of a scope's name", "containerd-shim-runc-v2 -namespace default -id c1 -address /x", "/x/abc1.scope", container.Ref{}},
		{"a shim without an id", "containerd-shim-runc-v2 -namespace default -id", "/default/c1", container.Ref{}},
		{"an id that is none", "containerd-shim-runc-v2 -namespace default -id ../..", "/default/..", container.Ref{}},
		{"runc list", "runc list c1 c1", "/c1", container.Ref{}},
		{"runc spec", "runc", "/c1", container.Ref{}},
		{"another program", "bash run c1", "/c1", container.Ref{}},
		{"an empty id", "runc run --bundle=/x  --pid-file=/y", "/", container.Ref{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			claim, ok := container.Claimed(strings.Split(test.args, " "))
			var got container.Ref
			if ok {
				got, ok = claim.Ref(test.cgroup)
			}
			if got != test.want || ok == test.want.IsHost() {
				t.Errorf("%s in %s\n got %+v, %v\nwant %+v", test.args, test.cgroup, got, ok, test.want)
			}
		})
	}
}

func FuzzClaim(f *testing.F) {
	f.Add("containerd-shim-runc-v2 -namespace default -id c1", "/default/c1")
	f.Add("runc run c1", "/x-c1.scope")
	f.Fuzz(func(t *testing.T, args, cgroup string) {
		claim, ok := container.Claimed(strings.Split(args, " "))
		if !ok {
			return
		}
		ref, ok := claim.Ref(cgroup)
		if ok == ref.IsHost() {
			t.Fatalf("%q in %q: %+v, %v", args, cgroup, ref, ok)
		}
		if ok && !strings.Contains(cgroup, ref.ID) {
			t.Fatalf("%q in %q: %+v is not in the path", args, cgroup, ref)
		}
	})
}

func TestParseImage(t *testing.T) {
	digest := "sha256:" + id
	for name, want := range map[string]container.Image{
		"nginx":                          {Repository: "nginx"},
		"nginx:1.27":                     {Repository: "nginx", Tag: "1.27"},
		"docker.io/library/nginx:latest": {Repository: "docker.io/library/nginx", Tag: "latest"},
		"localhost:5000/web":             {Repository: "localhost:5000/web"},
		"localhost:5000/web:v1":          {Repository: "localhost:5000/web", Tag: "v1"},
		"gcr.io/a/b@" + digest:           {Repository: "gcr.io/a/b", Digest: digest},
		"gcr.io/a/b:v1@" + digest:        {Repository: "gcr.io/a/b", Tag: "v1", Digest: digest},
		digest:                           {Digest: digest},
		id:                               {},
		"":                               {},
	} {
		want.Name = name
		if got := container.ParseImage(name); got != want {
			t.Errorf("%q\n got %+v\nwant %+v", name, got, want)
		}
	}
}
