//go:build linux

// Command init is the first process of a small machine that only runs the probe's tests. It ends by switching the machine
// off, and prints a line that says how the tests ended.
package main

import (
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

func main() {
	for _, m := range []struct{ source, target, kind string }{
		{"proc", "/proc", "proc"},
		{"sys", "/sys", "sysfs"},
		{"dev", "/dev", "devtmpfs"},
		{"tmp", "/tmp", "tmpfs"},
		{"cgroup", "/sys/fs/cgroup", "cgroup2"},
		{"security", "/sys/kernel/security", "securityfs"},
		{"tracing", "/sys/kernel/tracing", "tracefs"},
	} {
		_ = os.MkdirAll(m.target, 0o755)
		if err := unix.Mount(m.source, m.target, m.kind, 0, ""); err != nil {
			fmt.Printf("init: mounting %s: %v\n", m.target, err)
		}
	}
	_ = os.MkdirAll("/dev/pts", 0o755)
	_ = unix.Mount("devpts", "/dev/pts", "devpts", 0, "ptmxmode=0666")
	// Loopback is down until somebody wants it.
	if out, err := exec.Command("/bin/busybox", "ifconfig", "lo", "127.0.0.1", "up").CombinedOutput(); err != nil {
		fmt.Printf("init: loopback: %v: %s\n", err, out)
	}
	var name unix.Utsname
	_ = unix.Uname(&name)
	fmt.Printf("init: kernel %s\n", unix.ByteSliceToString(name.Release[:]))
	cmd := exec.Command("/probe.test", os.Args[1:]...)
	cmd.Env = []string{"PATH=/bin:/usr/bin", "HOME=/", "REQUIRE_BPF=1", "TMPDIR=/tmp", "PROBE_SLOW=1"}
	cmd.Stdout, cmd.Stderr, cmd.Dir = os.Stdout, os.Stdout, "/tmp"
	err := cmd.Run()
	fmt.Printf("\ninit: the tests ended: %v\n", err)
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}
