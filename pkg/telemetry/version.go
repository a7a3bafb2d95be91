package telemetry

import "runtime/debug"

// Version gives the version of the running build: stamped (what the linker was told) when there is one, else the
// module's version, else the commit with its first 12 digits, "+dirty" when the tree had changes, else "unknown".
func Version(stamped string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = nil
	}
	return version(stamped, info)
}

func version(stamped string, info *debug.BuildInfo) string {
	if stamped != "" {
		return stamped
	}
	if info == nil {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	var commit, dirty string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	if commit == "" {
		return "unknown"
	}
	return commit + dirty
}
