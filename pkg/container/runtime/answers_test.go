package runtime_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/tiercel/tiercel/pkg/container"
	"github.com/tiercel/tiercel/pkg/container/runtime"
	"github.com/tiercel/tiercel/pkg/container/runtime/cripb"
)

const id = "3f4a1b2c5d6e7f8090a1b2c3d4e5f60718293a4b5c6d7e8f9012a3b4c5d6e7f8"

// listen opens a socket in a folder with a short name.
func listen(t *testing.T, path string) (net.Listener, string) {
	t.Helper()
	if path == "" {
		dir, err := os.MkdirTemp("", "tiercel-") //nolint:usetesting // t.TempDir has the name of the test in its path
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		path = filepath.Join(dir, "s")
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	return l, path
}

// engine is a Docker engine that has one answer for containers and one for images; an answer that is a number is a status.
func engine(t *testing.T, path, found, image string) string {
	t.Helper()
	l, path := listen(t, path)
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := image
		if strings.HasPrefix(r.URL.Path, "/containers/") {
			answer = found
		}
		switch answer {
		case "404":
			http.Error(w, `{"message":"No such container"}`, http.StatusNotFound)
		case "500":
			http.Error(w, `{"message":"boom"}`, http.StatusInternalServerError)
		case "hang":
			<-r.Context().Done()
		default:
			_, _ = w.Write([]byte(answer))
		}
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return path
}

// one asks one socket once.
func one(t *testing.T, socket string, ref container.Ref) (*container.Info, error) {
	t.Helper()
	c := runtime.Defaults()
	c.Sockets = []string{socket}
	r := runtime.New(c)
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	return r.Sources()[0].Container(ctx, ref)
}

func TestWhatDockerAnswers(t *testing.T) {
	ref := container.Ref{ID: id}
	for name, test := range map[string]struct{ found, image string }{
		"error":          {"500", "{}"},
		"no JSON":        {"<html>", "{}"},
		"another type":   {`{"Id":"` + id + `","Created":7}`, "{}"},
		"hangs":          {"hang", "{}"},
		"image: error":   {`{"Id":"` + id + `","Image":"sha256:1"}`, "500"},
		"image: no JSON": {`{"Id":"` + id + `","Image":"sha256:1"}`, "["},
	} {
		if info, err := one(t, "docker:"+engine(t, "", test.found, test.image), ref); err == nil || errors.Is(err, container.ErrNotFound) || errors.Is(err, container.ErrNotHere) {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
	}
	for name, found := range map[string]string{"unknown": "404", "another, by the begin of its id": `{"Id":"` + id[:63] + `0"}`, "nothing": "{}"} {
		if info, err := one(t, "docker:"+engine(t, "", found, "{}"), ref); !errors.Is(err, container.ErrNotFound) {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
	}
	// Names that only other engines have are not asked for.
	for _, ref := range []container.Ref{{ID: "c1"}, {ID: id, Runtime: container.CRIO}, {ID: id, Namespace: "k8s.io"}} {
		if info, err := one(t, "docker:"+engine(t, "", `{"Id":"`+ref.ID+`"}`, "{}"), ref); !errors.Is(err, container.ErrNotHere) {
			t.Errorf("%+v: %+v, %v", ref, info, err)
		}
	}
	info, err := one(t, "podman:"+engine(t, "", `{"Id":"`+id+`","Name":"가게","Image":"sha256:1","Config":{"Image":"sha256:`+id+`"},
		"NetworkSettings":{"Networks":{"podman":{"IPAddress":"10.88.0.2"}}}}`,
		`{"RepoTags":["quay.io/a/web:v2"],"RepoDigests":["other/x@sha256:2","quay.io/a/web@sha256:3"]}`), ref)
	if err != nil {
		t.Fatal(err)
	}
	if info.Runtime != container.Podman || info.Name != "가게" || info.IP != "10.88.0.2" || info.Image.Repository != "quay.io/a/web" || info.Image.Tag != "v2" || info.Image.Digest != "sha256:3" {
		t.Errorf("%+v", info)
	}
	info, err = one(t, "docker:"+engine(t, "", `{"Id":"`+id+`","Config":{"Image":"web","Labels":{"io.kubernetes.pod.name":"p","io.kubernetes.pod.namespace":"n",
		"io.kubernetes.pod.uid":"u","io.kubernetes.container.name":"c","io.kubernetes.docker.type":"podsandbox","io.kubernetes.sandbox.id":"s"}}}`, "404"), ref)
	if err != nil {
		t.Fatal(err)
	}
	if info.Pod == nil || *infoPod(info) != (podNames{"p", "n", "u", "s"}) || info.Name != "c" || !info.Sandbox {
		t.Errorf("%+v, pod %+v", info, info.Pod)
	}
}

type podNames struct{ name, namespace, uid, sandbox string }

func infoPod(i *container.Info) *podNames {
	return &podNames{i.Pod.Name, i.Pod.Namespace, i.Pod.UID, i.Pod.SandboxID}
}

// criServer answers CRI calls from a table, by method.
func criServer(t *testing.T, answers map[string]func(*cripb.ContainerStatusRequest) (proto.Message, error)) string {
	t.Helper()
	l, path := listen(t, "")
	var methods []grpc.MethodDesc
	for method, answer := range answers {
		methods = append(methods, grpc.MethodDesc{MethodName: method, Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			request := &cripb.ContainerStatusRequest{} // the first member is the id in all of them
			if err := decode(request); err != nil {
				return nil, err
			}
			return answer(request)
		}})
	}
	server := grpc.NewServer()
	server.RegisterService(&grpc.ServiceDesc{ServiceName: "runtime.v1.RuntimeService", HandlerType: (*any)(nil), Methods: methods}, nil)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	return path
}

type answers = map[string]func(*cripb.ContainerStatusRequest) (proto.Message, error)

func TestWhatCRIOAnswers(t *testing.T) {
	const digest = "sha256:" + id
	path := criServer(t, answers{
		"Version": func(*cripb.ContainerStatusRequest) (proto.Message, error) {
			return &cripb.VersionResponse{RuntimeName: "cri-o"}, nil
		},
		"ContainerStatus": func(r *cripb.ContainerStatusRequest) (proto.Message, error) {
			if r.GetContainerId() != id {
				return nil, status.Error(codes.NotFound, "no such container")
			}
			return &cripb.ContainerStatusResponse{
				Status: &cripb.ContainerStatus{
					Id: id, Metadata: &cripb.ContainerMetadata{Name: "web"}, Image: &cripb.ImageSpec{Image: "quay.io/a/web:v2"},
					ImageRef: "quay.io/a/web@" + digest, Labels: map[string]string{"io.kubernetes.pod.name": "p", "io.kubernetes.pod.namespace": "n"},
				},
				Info: map[string]string{"info": `{"sandboxID":"s","privileged":true,"runtimeSpec":{"linux":{"namespaces":[{"type":"mount"},{"type":"network","path":"/x"}]}}}`},
			}, nil
		},
		"PodSandboxStatus": func(r *cripb.ContainerStatusRequest) (proto.Message, error) {
			if r.GetContainerId() != "s" {
				return nil, status.Error(codes.NotFound, "no such sandbox")
			}
			return &cripb.PodSandboxStatusResponse{Status: &cripb.PodSandboxStatus{
				Id: "s", Metadata: &cripb.PodSandboxMetadata{Name: "p", Namespace: "n", Uid: "u"}, Network: &cripb.PodSandboxNetworkStatus{Ip: "10.0.0.7"},
			}}, nil
		},
	})
	info, err := one(t, "cri:"+path, container.Ref{ID: id, Runtime: container.CRIO})
	if err != nil {
		t.Fatal(err)
	}
	if info.Runtime != container.CRIO || info.Name != "web" || info.Privileged != container.Yes || info.HostPID != container.Yes || info.HostNetwork != container.No || info.IP != "10.0.0.7" || info.PodUID != "u" {
		t.Errorf("%+v", info)
	}
	want := container.Image{Name: "quay.io/a/web:v2", Repository: "quay.io/a/web", Tag: "v2", Digest: digest}
	if info.Image != want {
		t.Errorf("image %+v, want %+v", info.Image, want)
	}
	if *infoPod(info) != (podNames{"p", "n", "u", "s"}) {
		t.Errorf("pod %+v", info.Pod)
	}
	if info, err := one(t, "cri:"+path, container.Ref{ID: "unknown"}); !errors.Is(err, container.ErrNotFound) {
		t.Errorf("unknown: %+v, %v", info, err)
	}
	if info, err := one(t, "cri:"+path, container.Ref{ID: id, Runtime: container.Docker, Namespace: "moby"}); !errors.Is(err, container.ErrNotHere) {
		t.Errorf("Docker's: %+v, %v", info, err)
	}
}

func TestWhatCRIMayAnswer(t *testing.T) {
	version := func(*cripb.ContainerStatusRequest) (proto.Message, error) {
		return &cripb.VersionResponse{RuntimeName: "x"}, nil
	}
	for name, test := range map[string]struct {
		answers answers
		want    error
	}{
		"no CRI":        {answers{}, container.ErrNotHere},
		"only its name": {answers{"Version": version}, container.ErrNotHere},
		"an empty answer": {answers{"Version": version, "ContainerStatus": func(*cripb.ContainerStatusRequest) (proto.Message, error) {
			return &cripb.ContainerStatusResponse{}, nil
		}}, container.ErrNotFound},
		"an error": {answers{"Version": version, "ContainerStatus": func(*cripb.ContainerStatusRequest) (proto.Message, error) {
			return nil, status.Error(codes.Internal, "boom")
		}}, nil},
		"something else": {answers{"Version": func(*cripb.ContainerStatusRequest) (proto.Message, error) { return &cripb.Mount{Readonly: true}, nil }}, container.ErrNotHere},
		"garbage as detail": {answers{"Version": version, "ContainerStatus": func(*cripb.ContainerStatusRequest) (proto.Message, error) {
			return &cripb.ContainerStatusResponse{Status: &cripb.ContainerStatus{Id: id}, Info: map[string]string{"info": `{"sandboxID":[`}}, nil
		}}, container.ErrNotHere},
	} {
		info, err := one(t, "cri:"+criServer(t, test.answers), container.Ref{ID: id})
		if err == nil || test.want != nil && !errors.Is(err, test.want) || test.want == nil && (errors.Is(err, container.ErrNotFound) || errors.Is(err, container.ErrNotHere)) {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
	}
}
