//go:build linux && (amd64 || arm64)

package probe

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The oldest kernel that has ring buffers, iterators and BTF for tracepoints.
const oldestMajor, oldestMinor = 5, 8

// CheckFeatures looks at what this machine has, in the order in which it matters. It changes nothing.
func CheckFeatures() []Feature {
	return []Feature{kernelFeature(), btfFeature(), capability("cap_bpf", unix.CAP_BPF), capability("cap_perfmon", unix.CAP_PERFMON), lockdown(), ptrace(), taskBTF()}
}

// explain adds to an error of Open what the machine lacks. What a machine cannot do at all wraps ErrUnsupported.
func explain(err error) error {
	var missing []string
	for _, f := range CheckFeatures() {
		if f.Required && !f.OK {
			missing = append(missing, f.Detail+": "+f.Costs)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%w: %s (%w)", ErrUnsupported, strings.Join(missing, "; "), err)
	}
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("%w: the kernel refuses to load programs although all that is known to be needed is there: a security policy may forbid bpf(2) (%w)", ErrUnsupported, err)
	}
	return err
}

func release() (major, minor int, text string) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return 0, 0, "unknown"
	}
	text = unix.ByteSliceToString(name.Release[:])
	first, rest, _ := strings.Cut(text, ".")
	second := rest
	if i := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		second = rest[:i]
	}
	major, _ = strconv.Atoi(first)
	minor, _ = strconv.Atoi(second)
	return major, minor, text
}

func atLeast(major, minor int) bool {
	haveMajor, haveMinor, _ := release()
	return haveMajor > major || haveMajor == major && haveMinor >= minor
}

func kernelFeature() Feature {
	_, _, text := release()
	return Feature{
		Name: "kernel", Required: true, OK: atLeast(oldestMajor, oldestMinor),
		Detail: "the kernel is Linux " + text,
		Costs:  fmt.Sprintf("the probe needs %d.%d or newer", oldestMajor, oldestMinor),
	}
}

func btfFeature() Feature {
	f := Feature{
		Name: "btf", Required: true, OK: true,
		Detail: "the kernel describes its types in /sys/kernel/btf/vmlinux",
		Costs:  "without them programs cannot be fitted to the kernel: it must be built with CONFIG_DEBUG_INFO_BTF=y",
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		f.OK, f.Detail = false, "there is no /sys/kernel/btf/vmlinux"
	}
	return f
}

// capability checks one of this process. CAP_SYS_ADMIN includes both that are asked for.
func capability(name string, bit uint) Feature {
	f := Feature{
		Name: name, Required: true,
		Detail: "the process has " + strings.ToUpper(name),
		Costs:  "run as root, or give the process CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE",
	}
	caps, err := effective()
	f.OK = err == nil && (caps&(1<<bit) != 0 || caps&(1<<unix.CAP_SYS_ADMIN) != 0)
	if !f.OK {
		f.Detail = "the process lacks " + strings.ToUpper(name)
	}
	return f
}

// effective are the capabilities in force.
func effective() (uint64, error) {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return 0, err
	}
	return uint64(data[0].Effective) | uint64(data[1].Effective)<<32, nil
}

func lockdown() Feature {
	f := Feature{
		Name: "lockdown", Required: true, OK: true,
		Detail: "the kernel is not locked down for confidentiality",
		Costs:  "programs may not read the kernel's memory: boot with lockdown=integrity or none",
	}
	if mode, err := os.ReadFile("/sys/kernel/security/lockdown"); err == nil && strings.Contains(string(mode), "[confidentiality]") {
		f.OK, f.Detail = false, "the kernel is locked down for confidentiality"
	}
	return f
}

func ptrace() Feature {
	caps, err := effective()
	f := Feature{
		Name: "cap_sys_ptrace", OK: err == nil && caps&(1<<unix.CAP_SYS_PTRACE) != 0,
		Detail: "the process has CAP_SYS_PTRACE",
		Costs:  "of other users' processes that were there before, the environment is not known",
	}
	if !f.OK {
		f.Detail = "the process lacks CAP_SYS_PTRACE"
	}
	return f
}

func taskBTF() Feature {
	_, _, text := release()
	return Feature{
		Name: "fast_reads", OK: atLeast(5, 11),
		Detail: "Linux " + text,
		Costs:  "before 5.11 each member of a task is read by a call, which makes a system call's event slower",
	}
}
