// Package runtime asks the container runtimes of this machine what their containers are: containerd, CRI (containerd,
// CRI-O, k3s, cri-dockerd), the Docker engine, Podman. It reads; it changes nothing.
package runtime

//go:generate go run ../../falcogrpc/gen -module github.com/tiercel/tiercel/pkg/container/runtime cri.proto containerd.proto

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tiercel/tiercel/pkg/container"
	"github.com/tiercel/tiercel/pkg/problem"
)

// Config says which runtimes are asked.
type Config struct {
	// Enabled asks container runtimes for images, names, labels and pods. Ids of containers are known without.
	Enabled bool `config:"enabled"`
	// Sockets are the runtimes to ask, by kind and path: "cri:/run/containerd/containerd.sock", "containerd:…",
	// "docker:…", "podman:…". Empty: those that are found at their usual places are asked, and those that appear there
	// later.
	Sockets []string `config:"sockets"`
	// Root is put in front of the usual places, for an agent in a container that has the machine's folders somewhere:
	// "/host".
	Root string `config:"root"`
	// Timeout bounds each question.
	Timeout time.Duration `config:"timeout"`
	// Labels are those labels of containers and pods that are read, as patterns in which * stands for any text.
	Labels []string `config:"labels"`
	// Annotations are those annotations of pods that are read, likewise. None by default: people keep all sorts of
	// things in them.
	Annotations []string `config:"annotations"`
}

// Defaults asks what is found, and takes all labels.
func Defaults() Config {
	return Config{Enabled: true, Timeout: 2 * time.Second, Labels: []string{"*"}}
}

// Validate returns every mistake, joined.
func (c Config) Validate() error {
	var problems []error
	for i, socket := range c.Sockets {
		kind, path, ok := strings.Cut(socket, ":")
		if !ok || kinds[kind] == nil || !strings.HasPrefix(path, "/") {
			problems = append(problems, problem.At(fmt.Sprintf("sockets[%d]", i), "%q is no socket: expected cri:, containerd:, docker: or podman: and an absolute path, as in %q", socket, "cri:/run/containerd/containerd.sock"))
		}
	}
	if c.Root != "" && !strings.HasPrefix(c.Root, "/") {
		problems = append(problems, problem.At("root", "%q is no absolute path", c.Root))
	}
	if c.Timeout < 0 {
		problems = append(problems, problem.At("timeout", "%v is negative", c.Timeout))
	}
	for _, list := range []struct {
		key      string
		patterns []string
	}{{"labels", c.Labels}, {"annotations", c.Annotations}} {
		for i, pattern := range list.patterns {
			if pattern == "" {
				problems = append(problems, problem.At(fmt.Sprintf("%s[%d]", list.key, i), "an empty pattern matches nothing: expected the name of a label, or a pattern with *"))
			}
		}
	}
	return errors.Join(problems...)
}

// kinds make a client of each kind for a socket.
var kinds = map[string]func(path string, c *Config) client{
	"cri":        newCRI,
	"containerd": newContainerd,
	"docker":     func(path string, c *Config) client { return newDocker(path, container.Docker, c) },
	"podman":     func(path string, c *Config) client { return newDocker(path, container.Podman, c) },
}

// usual are the places where runtimes have their sockets, in the order in which they are asked. Those with a * are of
// users who run containers without root.
var usual = []struct{ kind, path string }{
	{"docker", "/run/docker.sock"},
	{"cri", "/run/containerd/containerd.sock"},
	{"cri", "/run/k3s/containerd/containerd.sock"},
	{"cri", "/run/crio/crio.sock"},
	{"cri", "/run/k0s/containerd.sock"},
	{"cri", "/var/snap/microk8s/common/run/containerd.sock"},
	{"cri", "/run/cri-dockerd.sock"},
	{"containerd", "/run/containerd/containerd.sock"},
	{"containerd", "/run/k3s/containerd/containerd.sock"},
	{"containerd", "/run/k0s/containerd.sock"},
	{"containerd", "/run/host-containerd/containerd.sock"}, // Bottlerocket's containers for the machine itself
	{"containerd", "/run/docker/containerd/containerd.sock"},
	{"podman", "/run/podman/podman.sock"},
	{"docker", "/run/user/*/docker.sock"},
	{"podman", "/run/user/*/podman/podman.sock"},
}

// client speaks to one socket.
type client interface {
	container(ctx context.Context, ref container.Ref) (*container.Info, error)
	// mayHave reports whether the runtime can have a container that looks like that.
	mayHave(ref container.Ref) bool
	close() error
}

// Runtimes are the runtimes of this machine.
type Runtimes struct {
	config Config
	places []place

	mu      sync.Mutex
	clients map[string]client // by kind and path
	closed  bool
}

// place is where a runtime may be.
type place struct {
	kind, path string
	pattern    bool
	named      bool // by the configuration: it is an error when it is not there
}

// New makes the runtimes of a configuration. Nothing is connected yet.
func New(c Config) *Runtimes {
	r := &Runtimes{config: c, clients: make(map[string]client)}
	for _, socket := range c.Sockets {
		kind, path, _ := strings.Cut(socket, ":")
		r.places = append(r.places, place{kind: kind, path: path, named: true})
	}
	if len(c.Sockets) == 0 {
		for _, u := range usual {
			r.places = append(r.places, place{kind: u.kind, path: path.Join("/", c.Root, u.path), pattern: strings.Contains(u.path, "*")})
		}
	}
	return r
}

// Sources gives one source per kind of runtime.
func (r *Runtimes) Sources() []container.Source {
	var all []container.Source
	for _, kind := range []string{"docker", "cri", "containerd", "podman"} {
		if slices.ContainsFunc(r.places, func(p place) bool { return p.kind == kind }) {
			all = append(all, source{r, kind})
		}
	}
	return all
}

// Found gives the sockets that are there now, by kind and path, for people who ask what works.
func (r *Runtimes) Found() []string {
	var all []string
	for _, p := range r.places {
		for _, path := range p.there() {
			all = append(all, p.kind+":"+path)
		}
	}
	return all
}

// Close closes all connections.
func (r *Runtimes) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	var problems []error
	for name, c := range r.clients {
		if err := c.close(); err != nil {
			problems = append(problems, fmt.Errorf("closing %s: %w", name, err))
		}
	}
	clear(r.clients)
	return errors.Join(problems...)
}

// there gives the sockets of a place that exist.
func (p *place) there() []string {
	if p.named {
		return []string{p.path}
	}
	paths := []string{p.path}
	if p.pattern {
		paths, _ = filepath.Glob(p.path) // the patterns are ours
	}
	return slices.DeleteFunc(paths, func(path string) bool {
		info, err := os.Stat(path)
		return err != nil || info.Mode()&fs.ModeSocket == 0
	})
}

// client gives the client of a socket, made the first time.
func (r *Runtimes) client(kind, path string) (client, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, false
	}
	name := kind + ":" + path
	c := r.clients[name]
	if c == nil {
		c = kinds[kind](path, &r.config)
		r.clients[name] = c
	}
	return c, true
}

// source is all sockets of one kind.
type source struct {
	runtimes *Runtimes
	kind     string
}

func (s source) Name() string { return s.kind }

func (s source) Container(ctx context.Context, ref container.Ref) (*container.Info, error) {
	var problems []error
	for _, p := range s.runtimes.places {
		if p.kind != s.kind {
			continue
		}
		for _, path := range p.there() {
			c, ok := s.runtimes.client(s.kind, path)
			if !ok || !c.mayHave(ref) {
				continue
			}
			info, err := c.container(ctx, ref)
			if err == nil {
				info.Source = s.kind + " " + path
				return info, nil
			}
			problems = append(problems, fmt.Errorf("%s: %w", path, err))
		}
	}
	if len(problems) == 0 {
		return nil, container.ErrNotHere
	}
	for _, err := range problems {
		if !errors.Is(err, container.ErrNotFound) && !errors.Is(err, container.ErrNotHere) {
			return nil, errors.Join(problems...)
		}
	}
	return nil, problems[0]
}

// gone reports whether an error says that nobody listens at a socket.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// Bounds of what is kept of a container: the runtime is trusted, who named the container is not.
const (
	maxLabels   = 128
	maxMounts   = 256
	maxLabelLen = 1024
)

// allowed picks the labels that the patterns let through, in the order of their names when there are too many.
func allowed(labels map[string]string, patterns []string) map[string]string {
	if len(patterns) == 0 || len(labels) == 0 {
		return nil
	}
	picked := make(map[string]string, min(len(labels), maxLabels))
	names := make([]string, 0, len(labels))
	for name := range labels {
		if slices.ContainsFunc(patterns, func(p string) bool { return matches(p, name) }) {
			names = append(names, name)
		}
	}
	if len(names) > maxLabels {
		slices.Sort(names)
		names = names[:maxLabels]
	}
	for _, name := range names {
		picked[name] = cut(labels[name])
	}
	return picked
}

// cut bounds a text, at the end of a letter.
func cut(s string) string {
	if len(s) <= maxLabelLen {
		return s
	}
	return strings.ToValidUTF8(s[:maxLabelLen], "")
}

// matches is a pattern in which * stands for any text, slashes included: labels have slashes in their names.
func matches(pattern, name string) bool {
	first, rest, found := strings.Cut(pattern, "*")
	if !found {
		return pattern == name
	}
	name, ok := strings.CutPrefix(name, first)
	if !ok {
		return false
	}
	parts := strings.Split(rest, "*")
	for _, part := range parts[:len(parts)-1] {
		at := strings.Index(name, part)
		if at < 0 {
			return false
		}
		name = name[at+len(part):]
	}
	return strings.HasSuffix(name, parts[len(parts)-1])
}

// The labels by which the kubelet names a container's place; CRI, containerd's own API and Docker have them.
const (
	labelPodName       = "io.kubernetes.pod.name"
	labelPodNamespace  = "io.kubernetes.pod.namespace"
	labelPodUID        = "io.kubernetes.pod.uid"
	labelContainerName = "io.kubernetes.container.name"
)

// podOf makes a pod of the kubelet's labels; nil where there are none.
func podOf(labels map[string]string, ref container.Ref) *container.Pod {
	if labels[labelPodName] == "" {
		return nil
	}
	return &container.Pod{
		Name:      labels[labelPodName],
		Namespace: labels[labelPodNamespace],
		UID:       cmp.Or(labels[labelPodUID], ref.PodUID),
	}
}
