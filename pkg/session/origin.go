package session

import (
	"bytes"
	"net/netip"
	"path"
	"strconv"
	"strings"

	"github.com/tiercel/tiercel/pkg/proctree"
)

// Where sessions come from, as the field shell.origin has it.
const (
	OriginSSH       = "ssh"
	OriginConsole   = "console"
	OriginKubectl   = "kubectl_exec"
	OriginContainer = "container_exec"
	OriginNsenter   = "nsenter"
	OriginSu        = "su"
	OriginSudo      = "sudo"
	OriginTmux      = "tmux"
	OriginScreen    = "screen"
	OriginScript    = "script"
	OriginUnknown   = "unknown"
)

// programs that open sessions, by their names.
var openers = map[string]string{
	"sshd": OriginSSH, "sshd-session": OriginSSH, "dropbear": OriginSSH,
	"login": OriginConsole, "agetty": OriginConsole, "getty": OriginConsole,
	"nsenter": OriginNsenter, "su": OriginSu, "sudo": OriginSudo, "doas": OriginSudo,
	"tmux": OriginTmux, "tmux: server": OriginTmux, "screen": OriginScreen, "SCREEN": OriginScreen, "script": OriginScript,
}

// runtimes start the processes of containers. Names of threads have at most 15 bytes.
func isRuntime(name string) bool {
	switch name {
	case "runc", "crun", "youki", "conmon", "crio", "dockerd", "containerd", "docker-init":
		return true
	}
	return strings.HasPrefix(name, "containerd-shim") || strings.HasPrefix(name, "runc:")
}

// origin finds what opened the session of a shell: the nearest program above it that does so. It also says which process
// that is, and whether it is the shell's own parent.
func origin(p *proctree.Process) (string, *proctree.Process, bool) {
	direct := true
	for a := range p.Ancestors() {
		name := a.Comm
		if o, ok := openers[name]; ok {
			return o, a, direct
		}
		if o, ok := openers[path.Base(a.ExePath)]; ok && a.ExePath != "" {
			return o, a, direct
		}
		if isRuntime(name) {
			return ofContainer(p), a, direct
		}
		direct = false
	}
	// The runtime may have ended before the shell began: what is in a container and was not started there came through it.
	if !p.Container().IsHost() {
		return ofContainer(p), nil, true
	}
	return OriginUnknown, nil, false
}

func ofContainer(p *proctree.Process) string {
	if p.Container().PodUID != "" {
		return OriginKubectl
	}
	return OriginContainer
}

// peer reads where an ssh connection comes from, out of the environment that sshd gave the shell.
func peer(environ []byte) netip.AddrPort {
	for v := range bytes.SplitSeq(environ, []byte{0}) {
		rest, ok := bytes.CutPrefix(v, []byte("SSH_CONNECTION="))
		if !ok {
			continue
		}
		fields := strings.Fields(string(rest))
		if len(fields) != 4 {
			return netip.AddrPort{}
		}
		ip, err := netip.ParseAddr(fields[0])
		if err != nil {
			return netip.AddrPort{}
		}
		port, err := strconv.ParseUint(fields[1], 10, 16)
		if err != nil {
			return netip.AddrPort{}
		}
		return netip.AddrPortFrom(ip.Unmap(), uint16(port))
	}
	return netip.AddrPort{}
}

// reads says whether a shell that was started with these arguments reads commands from its standard input, and if not, what
// text it was given behind -c.
func reads(argv []string) (stdin bool, argument string, given bool) {
	for i := 1; i < len(argv); i++ {
		a := argv[i]
		if len(a) < 2 || a[0] != '-' && a[0] != '+' {
			return a == "-", "", false
		}
		if a == "--" {
			return i+1 >= len(argv), "", false
		}
		if strings.HasPrefix(a, "--") {
			switch a {
			case "--rcfile", "--init-file":
				i++
			case "--command":
				if i+1 < len(argv) {
					return false, argv[i+1], true
				}
			case "--help", "--version":
				return false, "", false
			}
			continue
		}
		flags := a[1:]
		if a[0] == '-' && strings.Contains(flags, "c") {
			// What follows is the text, once the options are over.
			for j := i + 1; j < len(argv); j++ {
				if strings.HasPrefix(argv[j], "-") && argv[j] != "-" && argv[j] != "--" {
					continue
				}
				if argv[j] == "--" && j+1 < len(argv) {
					return false, argv[j+1], true
				}
				return false, argv[j], true
			}
			return false, "", false
		}
		if strings.Contains(flags, "s") && a[0] == '-' {
			return true, "", false
		}
		if strings.HasSuffix(flags, "o") || strings.HasSuffix(flags, "O") {
			i++
		}
	}
	return true, "", false
}
