package runtime

import (
	"slices"
	"strings"

	"github.com/tiercel/tiercel/pkg/container"
)

// ociSpec is the part of an OCI runtime specification that says how a container is confined.
type ociSpec struct {
	Process struct {
		Capabilities *struct {
			Bounding []string `json:"bounding"`
		} `json:"capabilities"`
	} `json:"process"`
	Mounts []struct {
		Destination string   `json:"destination"`
		Type        string   `json:"type"`
		Source      string   `json:"source"`
		Options     []string `json:"options"`
	} `json:"mounts"`
	Annotations map[string]string `json:"annotations"`
	Linux       *struct {
		Namespaces []struct {
			Type string `json:"type"`
		} `json:"namespaces"`
		MaskedPaths   []string `json:"maskedPaths"`
		ReadonlyPaths []string `json:"readonlyPaths"`
		Resources     *struct {
			Devices []struct {
				Allow  bool   `json:"allow"`
				Type   string `json:"type"`
				Major  *int64 `json:"major"`
				Minor  *int64 `json:"minor"`
				Access string `json:"access"`
			} `json:"devices"`
		} `json:"resources"`
	} `json:"linux"`
}

// shares says of each kind of namespace whether the container shares the machine's: it has none of its own then.
func (s *ociSpec) shares(info *container.Info) {
	if s.Linux == nil {
		return
	}
	has := func(kind string) container.Tri {
		for _, ns := range s.Linux.Namespaces {
			if ns.Type == kind {
				return container.No
			}
		}
		return container.Yes
	}
	info.HostPID, info.HostNetwork, info.HostIPC = has("pid"), has("network"), has("ipc")
}

// binds gives the mounts from outside. The others are the container's own /proc, /dev and so on.
func (s *ociSpec) binds() []container.Mount {
	var all []container.Mount
	for _, m := range s.Mounts {
		if m.Type != "bind" && !slices.Contains(m.Options, "bind") && !slices.Contains(m.Options, "rbind") {
			continue
		}
		if len(all) == maxMounts {
			break
		}
		mount := container.Mount{Source: m.Source, Destination: m.Destination, Writable: true}
		var mode []string
		for _, option := range m.Options {
			switch option {
			case "ro":
				mount.Writable = false
				mode = append(mode, option)
			case "private", "rprivate", "slave", "rslave", "shared", "rshared":
				mount.Propagation = option
			}
		}
		mount.Mode = strings.Join(mode, ",")
		all = append(all, mount)
	}
	return all
}

// privileged guesses what containerd does not keep: whether the container was started with everything allowed. Such a
// container has every device and nothing masked, and it may administer the machine.
func (s *ociSpec) privileged() container.Tri {
	if s.Linux == nil || s.Process.Capabilities == nil {
		return container.Unsaid
	}
	if !slices.Contains(s.Process.Capabilities.Bounding, "CAP_SYS_ADMIN") || len(s.Linux.MaskedPaths) > 0 || s.Linux.Resources == nil {
		return container.No
	}
	for _, d := range s.Linux.Resources.Devices {
		if d.Allow && d.Major == nil && d.Minor == nil && (d.Type == "" || d.Type == "a") && strings.Contains(d.Access, "w") {
			return container.Yes
		}
	}
	return container.No
}
