package proctree_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/tiercel/tiercel/pkg/container"
	"github.com/tiercel/tiercel/pkg/proctree"
	"github.com/tiercel/tiercel/probe"
	"github.com/tiercel/tiercel/test/runtimes"
)

// The real probe feeds the table while containers of real engines run a program that lives a millisecond: the container
// is right although nobody could have looked it up.
func TestRealContainers(t *testing.T) {
	p, err := probe.Open(probe.Options{})
	if err != nil {
		if os.Getenv("REQUIRE_BPF") == "1" {
			t.Fatal(err)
		}
		t.Skip("the probe cannot run here: ", err)
	}
	defer func() { _ = p.Close() }()
	m := newMachineWithoutProcesses(t)
	type seen struct {
		in    container.Ref
		chain string
		init  bool
	}
	ran := make(chan seen, 64)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- p.Run(ctx, func(e *probe.Event) {
			process := m.Apply(e)
			if e.Kind == probe.KindExec && process.ExePath == "/bin/busybox" && process.Comm == "true" {
				ran <- seen{process.Container(), names(process), m.Init(process) != nil}
			}
		})
	}()
	defer func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}()
	for _, test := range []struct {
		name, runtime string
		engine        func(*testing.T) runtimes.Engine
	}{
		{"runc", container.Runc, func(t *testing.T) runtimes.Engine { return runtimes.NewRunc(t) }},
		{"containerd", container.Containerd, func(t *testing.T) runtimes.Engine { return runtimes.NewContainerd(t) }},
		{"docker", container.Docker, func(t *testing.T) runtimes.Engine { return runtimes.NewDocker(t) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			engine := test.engine(t)
			id, _ := engine.Run(t, runtimes.Spec{Args: []string{"/bin/true"}})
			for {
				select {
				case got := <-ran:
					if got.in.ID != id {
						t.Logf("not ours: %+v, %s", got.in, got.chain)
						continue
					}
					if got.in.Runtime != test.runtime || !got.init {
						t.Errorf("%+v, %s, first process of the namespace known: %v", got.in, got.chain, got.init)
					}
				case <-time.After(20 * time.Second):
					t.Fatalf("the program in container %s was not seen there", id)
				}
				return
			}
		})
	}
}

func newMachineWithoutProcesses(t *testing.T) *proctree.Tree {
	t.Helper()
	tree, err := proctree.New(proctree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}
