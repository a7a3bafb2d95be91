package runtime

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tiercel/tiercel/pkg/container"
)

// docker speaks the Docker engine's API over its socket. Podman speaks the same.
type docker struct {
	path   string
	kind   string // container.Docker or container.Podman
	http   *http.Client
	config *Config
}

func newDocker(path, kind string, c *Config) client {
	return &docker{path: path, kind: kind, config: c, http: &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "unix", path)
			},
			MaxIdleConns:    workersPerSocket,
			IdleConnTimeout: time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// workersPerSocket is how many connections are kept.
const workersPerSocket = 4

func (d *docker) close() error {
	d.http.CloseIdleConnections()
	return nil
}

func (d *docker) mayHave(ref container.Ref) bool {
	if ref.Namespace != "" && ref.Namespace != "moby" {
		return false
	}
	return isID(ref.ID) && (ref.Runtime == container.Unknown || ref.Runtime == d.kind)
}

// dockerContainer is the part of the engine's answer that is read.
type dockerContainer struct {
	ID      string    `json:"Id"`
	Name    string    `json:"Name"`
	Created time.Time `json:"Created"`
	Image   string    `json:"Image"` // its id
	State   struct {
		StartedAt time.Time `json:"StartedAt"`
	} `json:"State"`
	Config struct {
		Image  string            `json:"Image"`
		Labels map[string]string `json:"Labels"`
	} `json:"Config"`
	HostConfig struct {
		Privileged  bool   `json:"Privileged"`
		PidMode     string `json:"PidMode"`
		NetworkMode string `json:"NetworkMode"`
		IpcMode     string `json:"IpcMode"`
	} `json:"HostConfig"`
	Mounts []struct {
		Source      string `json:"Source"`
		Destination string `json:"Destination"`
		Mode        string `json:"Mode"`
		RW          bool   `json:"RW"`
		Propagation string `json:"Propagation"`
	} `json:"Mounts"`
	NetworkSettings struct {
		IPAddress string `json:"IPAddress"`
		Networks  map[string]struct {
			IPAddress string `json:"IPAddress"`
		} `json:"Networks"`
	} `json:"NetworkSettings"`
}

type dockerImage struct {
	RepoTags    []string `json:"RepoTags"`
	RepoDigests []string `json:"RepoDigests"`
}

func (d *docker) container(ctx context.Context, ref container.Ref) (*container.Info, error) {
	var found dockerContainer
	if err := d.get(ctx, "/containers/"+url.PathEscape(ref.ID)+"/json", &found); err != nil {
		return nil, err
	}
	if found.ID != ref.ID {
		return nil, container.ErrNotFound
	}
	ref.Runtime = d.kind
	info := &container.Info{
		Ref:         ref,
		Name:        strings.TrimPrefix(found.Name, "/"),
		Image:       container.ParseImage(found.Config.Image),
		Labels:      allowed(found.Config.Labels, d.config.Labels),
		Created:     found.Created.UTC(),
		Started:     found.State.StartedAt.UTC(),
		Privileged:  container.Is(found.HostConfig.Privileged),
		HostPID:     container.Is(found.HostConfig.PidMode == "host"),
		HostNetwork: container.Is(found.HostConfig.NetworkMode == "host"),
		HostIPC:     container.Is(found.HostConfig.IpcMode == "host"),
		IP:          found.NetworkSettings.IPAddress,
		Pod:         podOf(found.Config.Labels, ref),
	}
	if found.State.StartedAt.Year() <= 1 { // the engine's word for never
		info.Started = time.Time{}
	}
	for _, network := range found.NetworkSettings.Networks {
		info.IP = cmp.Or(info.IP, network.IPAddress)
	}
	for _, m := range found.Mounts {
		if len(info.Mounts) == maxMounts {
			break
		}
		info.Mounts = append(info.Mounts, container.Mount{Source: m.Source, Destination: m.Destination, Mode: m.Mode, Writable: m.RW, Propagation: m.Propagation})
	}
	if pod := info.Pod; pod != nil {
		info.Name = cmp.Or(found.Config.Labels[labelContainerName], info.Name)
		info.PodUID = cmp.Or(info.PodUID, pod.UID)
		pod.SandboxID = found.Config.Labels["io.kubernetes.sandbox.id"]
		info.Sandbox = found.Config.Labels["io.kubernetes.docker.type"] == "podsandbox"
	}
	info.Image.ID = found.Image
	return info, d.image(ctx, found.Image, info)
}

// image asks for the digests of an image, and for its name where the container was started by its id.
func (d *docker) image(ctx context.Context, id string, info *container.Info) error {
	if id == "" {
		return nil
	}
	var found dockerImage
	err := d.get(ctx, "/images/"+url.PathEscape(id)+"/json", &found)
	if errors.Is(err, container.ErrNotFound) {
		return nil // removed while its container runs
	}
	if err != nil {
		return err
	}
	image := &info.Image
	if image.Repository == "" && len(found.RepoTags) > 0 {
		named := container.ParseImage(found.RepoTags[0])
		image.Name, image.Repository, image.Tag = named.Name, named.Repository, named.Tag
	}
	if image.Digest == image.ID {
		image.Digest = ""
	}
	for _, name := range found.RepoDigests {
		digest := container.ParseImage(name)
		if image.Digest == "" || sameRepository(digest.Repository, image.Repository) {
			image.Digest = digest.Digest
		}
	}
	return nil
}

// sameRepository compares names of which one may lack Docker's own registry.
func sameRepository(a, b string) bool {
	short := func(name string) string {
		return strings.TrimPrefix(strings.TrimPrefix(name, "docker.io/"), "library/")
	}
	return short(a) == short(b)
}

// get asks the engine for one thing.
func (d *docker) get(ctx context.Context, path string, answer any) error {
	// The host's name is of no meaning on a socket.
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://engine"+path, http.NoBody)
	if err != nil {
		return fmt.Errorf("asking for %s: %w", path, err)
	}
	response, err := d.http.Do(request)
	if err != nil {
		if gone(err) {
			return container.ErrNotHere
		}
		return fmt.Errorf("asking for %s: %w", path, err)
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer)) // so that the connection is used again
		return container.ErrNotFound
	default:
		return fmt.Errorf("asking for %s: the engine answers %s", path, response.Status)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(answer); err != nil {
		return fmt.Errorf("asking for %s: %w", path, err)
	}
	return nil
}
