package runtimes_test

import (
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/container"
	"github.com/tiercel/tiercel/test/runtimes"
)

// Each engine runs a program, and execs another into a container that is there. The id must stand in the cgroup.
func TestEngines(t *testing.T) {
	for name, engine := range map[string]func(*testing.T) runtimes.Engine{
		"runc":       func(t *testing.T) runtimes.Engine { return runtimes.NewRunc(t) },
		"containerd": func(t *testing.T) runtimes.Engine { return runtimes.NewContainerd(t) },
		"docker":     func(t *testing.T) runtimes.Engine { return runtimes.NewDocker(t) },
	} {
		t.Run(name, func(t *testing.T) {
			e := engine(t)
			id, output := e.Run(t, runtimes.Spec{Args: []string{"/bin/cat", "/proc/1/cgroup"}})
			if !strings.Contains(output, id) {
				t.Errorf("the cgroup of container %q is\n%s", id, output)
			}
			c := e.Start(t, runtimes.Spec{Mounts: map[string]string{"/host": t.TempDir()}})
			output = c.Must(t, "/bin/sh", "-c", "cat /proc/self/cgroup; ls -d /host; id app")
			if !strings.Contains(output, c.ID) || !strings.Contains(output, "/host\n") || !strings.Contains(output, "uid=1000(app)") {
				t.Errorf("in container %q:\n%s", c.ID, output)
			}
			if name == "docker" {
				if ref, ok := container.Parse("/docker/" + c.ID); !ok || ref.ID != c.ID {
					t.Errorf("%q is no id", c.ID)
				}
			}
		})
	}
}
