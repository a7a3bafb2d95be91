//go:build linux && (amd64 || arm64)

package probe

import "fmt"

// slots is what the kernel is asked for, for each number of a system call.
type slots struct {
	any bool
}

// wantedSlots makes the table for a set of names.
func wantedSlots(names []string) (slots, error) {
	var s slots
	for _, name := range names {
		if _, ok := ParseSyscall(name); !ok {
			return s, fmt.Errorf("%q is no system call that the probe can trace", name)
		}
		s.any = true
	}
	return s, nil
}
