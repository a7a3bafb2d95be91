package runtime_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/container"
	"github.com/tiercel/tiercel/pkg/container/runtime"
)

func TestConfig(t *testing.T) {
	if err := runtime.Defaults().Validate(); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
	bad := runtime.Config{
		Sockets: []string{"cri:/run/x.sock", "crio:/run/x.sock", "docker:run/docker.sock", "/run/docker.sock"},
		Root:    "host", Timeout: -1, Labels: []string{"app", ""}, Annotations: []string{""},
	}
	err := bad.Validate()
	for _, want := range []string{"sockets[1]", "sockets[2]", "sockets[3]", "cri:/run/containerd/containerd.sock", "root", "timeout", "labels[1]", "annotations[0]"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not speak of %s: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "sockets[0]") {
		t.Errorf("a good socket is refused: %v", err)
	}
}

// Engines may be installed, started and removed while the agent runs.
func TestSocketsComeAndGo(t *testing.T) {
	root := t.TempDir()
	c := runtime.Defaults()
	c.Root = root
	r := runtime.New(c)
	defer r.Close()
	if found := r.Found(); len(found) != 0 {
		t.Errorf("found %v", found)
	}
	ask := func() error {
		for _, source := range r.Sources() {
			if source.Name() == "docker" {
				_, err := source.Container(t.Context(), container.Ref{ID: strings.Repeat("a", 64)})
				return err
			}
		}
		return errors.New("nobody asks Docker")
	}
	if err := ask(); !errors.Is(err, container.ErrNotHere) {
		t.Errorf("without an engine: %v", err)
	}
	path := root + "/run/docker.sock"
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	// What is no socket is no engine.
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if found := r.Found(); len(found) != 0 {
		t.Errorf("a file is taken for an engine: %v", found)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if len(path) > 100 {
		if os.Getenv("CI") != "" {
			t.Fatalf("the path of the test's folder is too long for a socket: %s", path)
		}
		t.Skipf("the path of the test's folder is too long for a socket: %s", path)
	}
	engine(t, path, "{}", "{}")
	if err := os.MkdirAll(root+"/run/user/1000", 0o755); err != nil {
		t.Fatal(err)
	}
	rootless, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", root+"/run/user/1000/docker.sock")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"docker:" + path, "docker:" + root + "/run/user/1000/docker.sock"}
	if found := r.Found(); !slices.Equal(found, want) {
		t.Errorf("found %v, want %v", found, want)
	}
	if err := rootless.Close(); err != nil {
		t.Fatal(err)
	}
	if err := ask(); !errors.Is(err, container.ErrNotFound) {
		t.Errorf("with an engine: %v", err)
	}
}

func TestClosed(t *testing.T) {
	c := runtime.Defaults()
	c.Sockets = []string{"cri:/nowhere.sock"}
	r := runtime.New(c)
	source := r.Sources()[0]
	if _, err := source.Container(t.Context(), container.Ref{ID: "a"}); err == nil || errors.Is(err, container.ErrNotFound) {
		t.Errorf("a socket that is not there: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := source.Container(t.Context(), container.Ref{ID: "a"}); !errors.Is(err, container.ErrNotHere) {
		t.Errorf("after the end: %v", err)
	}
}
