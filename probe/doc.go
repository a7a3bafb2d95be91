// Package probe tells what the kernel of this machine does: which programs start and end, which files they open, whom
// they talk to. It loads eBPF programs (the C is in the folder bpf) and turns what they write into an Event.
//
// It needs Linux 5.8 with BTF and the capabilities CAP_BPF and CAP_PERFMON; CheckFeatures says in words what a machine
// lacks. On other systems Open returns ErrUnsupported.
package probe
