package load

import (
	"fmt"
	"strconv"
	"strings"
)

// EngineVersion is the version of Falco's rules engine that we do as.
const EngineVersion = "0.62.0"

// Plugins are the plugins whose work is built in, by name and version.
func Plugins() map[string]string { return map[string]string{"container": "0.4.0"} }

// version is a semantic version; what follows a hyphen or a plus is not compared.
type version struct{ major, minor, patch uint32 }

func parseVersion(text string) (version, bool) {
	text, _, _ = strings.Cut(text, "+")
	text, _, _ = strings.Cut(text, "-")
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return version{}, false
	}
	var numbers [3]uint32
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return version{}, false
		}
		numbers[i] = uint32(n)
	}
	return version{numbers[0], numbers[1], numbers[2]}, true
}

func (v version) String() string { return fmt.Sprintf("%d.%d.%d", v.major, v.minor, v.patch) }

// serves reports whether v can do what wanted asks for: the same major version, and not older.
func (v version) serves(wanted version) bool {
	if v.major != wanted.major || v.minor != wanted.minor {
		return v.major == wanted.major && v.minor > wanted.minor
	}
	return v.patch >= wanted.patch
}

// serves reports whether version text have can do what want asks for.
func serves(have, want string) bool {
	h, ok := parseVersion(have)
	w, ok2 := parseVersion(want)
	return ok && ok2 && h.serves(w)
}
