package probe

// Feature is something that the probe needs, or does better with.
type Feature struct {
	// Name is short and stays the same: btf, kernel, cap_bpf.
	Name string
	// OK: it is there.
	OK bool
	// Required: without it there is no probe.
	Required bool
	// Detail is what was found, in words.
	Detail string
	// Costs is what is lost without it, and what to do about it.
	Costs string
}
