package falcoevent_test

import (
	"net/netip"
	"testing"

	"github.com/tiercel/tiercel/pkg/container"
	"github.com/tiercel/tiercel/pkg/falcoevent"
	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/probe"
)

func info() *container.Info {
	image := container.ParseImage("registry.example/team/web:1.2")
	image.ID, image.Digest = "sha256:11", "sha256:22"
	return &container.Info{
		Name: "web", Image: image, Privileged: container.Yes, HostPID: container.No, HostNetwork: container.No, HostIPC: container.No,
		IP: "10.1.2.3", CNI: "{}",
		Labels: map[string]string{"app": "web", "tier": "front"},
		Pod: &container.Pod{
			Name: "web-0", Namespace: "prod", UID: "u-1", SandboxID: "aaaaaaaaaaaaaaaaaaaa", IP: "10.1.2.3", Labels: map[string]string{"app": "web"},
		},
		Mounts: []container.Mount{{Source: "/proc", Destination: "/host/proc", Mode: "ro", Propagation: "rprivate"}},
	}
}

func inContainer(x *probe.Process, _ *probe.Task) {
	x.CgroupV2 = "/system.slice/docker-" + containerID + ".scope"
	x.CgroupV1 = x.CgroupV2
	x.ExeFlags = probe.ExeUpperLayer
	x.PIDNS = 9
}

func shells(m *machine) {
	m.exec(process{pid: 1, args: []string{"/sbin/init"}})
	m.exec(process{pid: 10, parent: 1, args: []string{"sshd", "-D"}})
	m.exec(process{pid: 20, parent: 10, args: []string{"bash", "-l"}})
}

func TestExec(t *testing.T) {
	m := newMachine(t)
	shells(m)
	m.exec(process{pid: 30, parent: 20, args: []string{"/usr/bin/find", "/", "-name", "id rsa", ""}, change: func(x *probe.Process, task *probe.Task) {
		task.UID, task.EUID, task.EGID = 1000, 1000, 50
		x.EUID, x.EGID = 1000, 50
	}})
	m.want(map[string]string{
		"evt.num": "4", "evt.res": "SUCCESS", "evt.rawres": "0", "evt.failed": "false", "evt.arg.flags": "EXE_WRITABLE|EXE_LOWER_LAYER",
		"evt.rawarg.flags": "9", "evt.arg.exe": "/usr/bin/find", "evt.arg.uid": "수진", "evt.arg[0]": "0", "evt.hostname": "node-1",
		"proc.name": "find", "proc.exe": "/usr/bin/find", "proc.exepath": "/usr/bin/find", "proc.args": "/ -name id rsa ",
		"proc.cmdline": "find / -name id rsa ", "proc.exeline": "/usr/bin/find / -name id rsa ", "proc.cmdnargs": "4", "proc.cmdlenargs": "12",
		"proc.cwd": "/root/", "proc.pname": "bash", "proc.pexe": "bash", "proc.pcmdline": "bash -l", "proc.pexepath": "/usr/bin/bash",
		"proc.aname[0]": "find", "proc.aname[1]": "bash", "proc.aname[2]": "sshd", "proc.aname[3]": "init", "proc.aname[4]": "-",
		"proc.acmdline[2]": "sshd -D", "proc.aexe[2]": "sshd", "proc.aexepath[2]": "/usr/bin/sshd", "proc.apid[2]": "10", "proc.aargs[1]": "-l",
		"proc.pid": "30", "proc.ppid": "20", "proc.vpid": "30", "proc.pvpid": "20", "proc.tty": "34816", "proc.sname": "sshd",
		"proc.vpgid.name": "find", "proc.is_vpgid_leader": "true", "proc.is_sid_leader": "false", "proc.loginshellid": "20",
		"proc.is_exe_writable": "true", "proc.is_exe_upper_layer": "false", "proc.is_exe_lower_layer": "true", "proc.is_exe_from_memfd": "false",
		"proc.exe_ino": "4711", "proc.exe_ino.mtime": "1700003540000000000", "proc.env[LANG]": "ko_KR.UTF-8", "proc.env[NONE]": "",
		"proc.env": "HOME=/root LANG=ko_KR.UTF-8", "proc.aenv[HOME]": "/root", "thread.cap_effective": "CAP_CHOWN CAP_SYS_ADMIN",
		"thread.cap_permitted": "CAP_CHOWN", "thread.ismain": "true", "thread.nametid": "find30",
		"user.name": "수진", "user.uid": "1000", "user.homedir": "/home/수진", "user.loginuid": "1000", "user.loginname": "수진",
		"group.gid": "50", "group.name": "staff", "container.id": "host", "container.name": "host", "container.image.repository": "",
		"k8s.ns.name": "-", "fd.name": "-", "fd.num": "-", "fd.l4proto": "-", "evt.is_open_read": "false",
	})
}

func TestContainer(t *testing.T) {
	m := newMachine(t)
	shells(m)
	m.exec(process{pid: 40, parent: 1, args: []string{"sh"}, change: func(x *probe.Process, task *probe.Task) {
		inContainer(x, task)
		task.VPID, task.PIDNS, task.EUID = 1, 9, 1000
		x.LoginUID = probe.NoID
	}})
	m.want(map[string]string{
		"container.id": "3ad7b26ded6d", "container.full_id": containerID, "container.type": "docker", "container.name": "web",
		"container.image": "registry.example/team/web:1.2", "container.image.repository": "registry.example/team/web", "container.image.tag": "1.2",
		"container.privileged": "true", "container.mount.dest[/proc*]": "/host/proc", "container.mount.dest[/etc]": "-",
		"container.mount.source[/host/proc]": "/proc", "container.mounts": "/proc:/host/proc:ro:false:rprivate", "container.mount[0]": "/proc:/host/proc:ro:false:rprivate",
		"container.label[app]": "web", "container.labels": "app:web, tier:front", "k8s.ns.name": "prod", "k8s.pod.name": "web-0",
		"k8s.pod.sandbox_id": "aaaaaaaaaaaa", "k8s.pod.label.app": "web", "user.name": "app", "user.loginuid": "-1", "user.loginname": "<NA>",
		"group.name": "root", "evt.arg.flags": "EXE_UPPER_LAYER", "evt.arg.loginuid": "<NONE>", "proc.vpid": "1",
	})
}

func TestOpen(t *testing.T) {
	m := newMachine(t)
	shells(m)
	cat := m.exec(process{pid: 30, parent: 20, args: []string{"cat", "../etc//shadow"}}).Task
	open := func(s probe.Syscall) {
		if s.ID == 0 {
			s.ID = probe.SysOpenat
		}
		m.call(cat, &s)
	}
	path := probe.Path{Dir: probe.AtFDCWD, Raw: "../etc//shadow", Base: "/root"}
	open(probe.Syscall{Ret: 3, Path: path, FD: probe.FD{Num: 3, Type: probe.FDFile, Path: "/etc/shadow", Dev: 0x801, Ino: 99}, Flags: 0o2000000})
	m.want(map[string]string{
		"evt.res": "SUCCESS", "evt.rawres": "3", "evt.is_open_read": "true", "evt.is_open_write": "false",
		"evt.arg.flags": "O_RDONLY|O_CLOEXEC", "evt.arg.name": "/etc/shadow", "evt.rawarg.name": "../etc//shadow", "evt.arg.dirfd": "AT_FDCWD",
		"evt.arg.fd": "<f>/etc/shadow", "evt.arg.dev": "801", "fd.name": "/etc/shadow", "fd.nameraw": "../etc/shadow", "fd.directory": "/etc",
		"fd.filename": "shadow", "fd.typechar": "f", "fd.type": "file", "fd.num": "3", "fd.l4proto": "<NA>", "fd.ip": "-", "fd.sip": "-",
		"fd.dev.major": "8", "fd.dev.minor": "1", "fd.ino": "99", "fs.path.name": "/etc/shadow", "fs.path.nameraw": "../etc//shadow",
		"fd.containername": "host:/etc/shadow",
		"evt.args":         "fd=3(<f>/etc/shadow) dirfd=-100(AT_FDCWD) name=../etc//shadow(/etc/shadow) flags=4097(O_RDONLY|O_CLOEXEC) mode=0 dev=801 ino=99",
	})
	open(probe.Syscall{Ret: -2, Path: path, FD: probe.FD{Num: -1}, Flags: 0o1})
	m.want(map[string]string{
		"evt.res": "ENOENT", "evt.rawres": "-2", "evt.failed": "true", "evt.is_open_write": "true", "fd.num": "-1", "fd.name": "/etc/shadow",
		"fd.typechar": "f", "fd.type": "-", "fd.directory": "/etc", "fd.filename": "-", "evt.arg.fd": "ENOENT", "evt.count.error": "1",
	})
	open(probe.Syscall{
		Ret: 4, Path: probe.Path{Raw: "/var/log/x"}, Flags: 0o1101, Mode: 0o755,
		FD: probe.FD{Num: 4, Type: probe.FDFile, Path: "/var/log/x", Created: true, UpperLayer: true},
	})
	m.want(map[string]string{
		"evt.arg.flags": "O_TRUNC|O_CREAT|O_WRONLY|O_F_CREATED|FD_UPPER_LAYER", "evt.is_open_exec": "true", "evt.is_open_create": "true",
		"evt.arg.mode": "755", "fd.is_upper_layer": "true",
	})
	open(probe.Syscall{ID: probe.SysOpen, Ret: 5, Path: probe.Path{Raw: "/etc"}, Flags: 0o200000, FD: probe.FD{Num: 5, Type: probe.FDDirectory, Path: "/etc"}})
	m.want(map[string]string{"fd.typechar": "d", "fd.type": "directory", "fd.directory": "/etc", "fd.filename": "-"})
}

// A link is no way around a rule: the event can be seen with both paths.
func TestOpenThroughALink(t *testing.T) {
	m := newMachine(t)
	shells(m)
	cat := m.exec(process{pid: 30, parent: 20, args: []string{"cat"}}).Task
	m.call(cat, &probe.Syscall{
		ID: probe.SysOpen, Ret: 3, Path: probe.Path{Raw: "/tmp/innocent/shadow"}, FD: probe.FD{Num: 3, Type: probe.FDFile, Path: "/etc/shadow"},
	})
	m.want(map[string]string{"fd.name": "/tmp/innocent/shadow", "fd.directory": "/tmp/innocent"})
	if !m.event.Elsewhere() {
		t.Fatal("the kernel came elsewhere, and the event does not say so")
	}
	m.event.Resolve()
	m.want(map[string]string{"fd.name": "/etc/shadow", "fd.directory": "/etc", "fd.filename": "shadow", "fd.nameraw": "/tmp/innocent/shadow"})
	if m.event.Elsewhere() {
		t.Error("there is no third path")
	}
}

func TestSockets(t *testing.T) {
	m := newMachine(t)
	shells(m)
	ssh := m.exec(process{pid: 30, parent: 20, args: []string{"ssh"}}).Task
	here, there := netip.MustParseAddrPort("10.0.0.5:40000"), netip.MustParseAddrPort("192.0.2.80:443")
	tcp := probe.FD{Num: 3, Type: probe.FDSocket, Socket: probe.Socket{Family: 2, Type: 1, Protocol: 6, Local: here, Remote: there, Connected: true, State: 1}}
	m.call(ssh, &probe.Syscall{ID: probe.SysConnect, FD: tcp, Addr: probe.Address{Family: 2, IP: there}})
	client := map[string]string{
		"fd.name": "10.0.0.5:40000->192.0.2.80:443", "fd.typechar": "4", "fd.type": "ipv4", "fd.l4proto": "tcp", "fd.sip": "192.0.2.80", "fd.cip": "10.0.0.5",
		"fd.sport": "443", "fd.cport": "40000", "fd.lip": "10.0.0.5", "fd.rip": "192.0.2.80", "fd.lport": "40000", "fd.rport": "443",
		"fd.connected": "true", "fd.is_server": "false", "fd.sockfamily": "ip", "fd.sip.name": "web.example", "fd.cip.name": "-", "fd.sproto": "443",
		"evt.res": "SUCCESS", "evt.arg.fd": "<4t>10.0.0.5:40000->192.0.2.80:443", "evt.arg.tuple": "10.0.0.5:40000->192.0.2.80:443",
		"evt.arg.addr": "192.0.2.80:443", "fd.name_changed": "false", "fd.filename": "-", "fd.directory": "-",
	}
	m.want(client)
	m.call(ssh, &probe.Syscall{ID: probe.SysConnect, Ret: -115, FD: tcp, Addr: probe.Address{Family: 2, IP: there}})
	client["evt.res"] = "EINPROGRESS"
	m.want(client)
	failed := tcp
	failed.Socket.Connected, failed.Socket.Remote = false, netip.AddrPort{}
	m.call(ssh, &probe.Syscall{ID: probe.SysConnect, Ret: -111, FD: failed, Addr: probe.Address{Family: 2, IP: there}})
	m.want(map[string]string{
		"evt.res": "ECONNREFUSED", "fd.sip": "-", "fd.name": "10.0.0.5:40000->192.0.2.80:443", "fd.connected": "false", "fd.l4proto": "<NA>",
	})
	// A server: whoever connected is the client.
	m.call(ssh, &probe.Syscall{ID: probe.SysAccept4, Ret: 7, FD: probe.FD{Num: 7, Type: probe.FDSocket, Socket: probe.Socket{
		Family: 10, Type: 1, Local: netip.MustParseAddrPort("[2001:db8::1]:22"), Remote: netip.MustParseAddrPort("[2001:db8::2]:50000"), Connected: true,
	}}})
	m.want(map[string]string{
		"fd.typechar": "6", "fd.sip": "2001:db8::1", "fd.sport": "22", "fd.cip": "2001:db8::2", "fd.cport": "50000", "fd.is_server": "true",
		"fd.name": "2001:db8::2:50000->2001:db8::1:22", "fd.lport": "22", "fd.rport": "50000",
	})
	m.call(ssh, &probe.Syscall{ID: probe.SysListen, Flags: 128, FD: probe.FD{Num: 8, Type: probe.FDSocket, Socket: probe.Socket{
		Family: 2, Type: 1, State: 10, Local: netip.MustParseAddrPort("0.0.0.0:22"),
	}}})
	m.want(map[string]string{
		"fd.typechar": "2", "fd.type": "ipv4", "fd.sport": "22", "fd.sip": "0.0.0.0", "fd.cip": "-", "fd.name": "0.0.0.0:22", "fd.lport": "-",
		"evt.arg.backlog": "128", "fd.is_server": "true",
	})
	// Datagrams: the name changes with the peer, not with each of them.
	udp := probe.FD{Num: 9, Type: probe.FDSocket, Socket: probe.Socket{Family: 2, Type: 2, Local: here}}
	for _, want := range []string{"true", "false"} {
		m.call(ssh, &probe.Syscall{ID: probe.SysSendto, Ret: 4, FD: udp, Addr: probe.Address{Family: 2, IP: there}, Data: []byte("GET \x00"), Size: 4})
		m.want(map[string]string{
			"fd.l4proto": "udp", "fd.sip": "192.0.2.80", "fd.connected": "false", "fd.name_changed": want, "evt.buflen": "4", "evt.buffer": "GET .",
			"evt.is_io_write": "true", "evt.io_dir": "write",
		})
	}
	m.call(ssh, &probe.Syscall{ID: probe.SysDup2, Ret: 0, FD: probe.FD{Num: 0, Type: probe.FDSocket, Socket: tcp.Socket}, FD2: tcp, Args: [6]uint64{3, 0}})
	m.want(map[string]string{"evt.rawres": "0", "fd.type": "ipv4", "fd.num": "3", "fd.sip": "-", "evt.arg.oldfd": "<4t>10.0.0.5:40000->192.0.2.80:443"})
	m.call(ssh, &probe.Syscall{ID: probe.SysSocket, Ret: 5, Domain: 17, Type: 3, Protocol: 768, FD: probe.FD{Num: 5, Type: probe.FDSocket, Socket: probe.Socket{Family: 17}}})
	m.want(map[string]string{"evt.arg.domain": "AF_PACKET", "evt.args": "fd=5(<o>) domain=17(AF_PACKET) type=3 proto=768 flags=0", "fd.typechar": "o"})
	m.call(ssh, &probe.Syscall{ID: probe.SysSocket, Ret: -1, Domain: 1, FD: probe.FD{Num: -1}})
	m.want(map[string]string{"evt.arg.domain": "AF_LOCAL", "fd.typechar": "4", "evt.res": "EPERM"})
}

func TestOtherCalls(t *testing.T) {
	m := newMachine(t)
	shells(m)
	sh := m.exec(process{pid: 30, parent: 20, args: []string{"sh"}}).Task
	p := func(raw string) probe.Path { return probe.Path{Dir: probe.AtFDCWD, Raw: raw, Base: "/root"} }
	for _, one := range []struct {
		call probe.Syscall
		want map[string]string
	}{
		{probe.Syscall{ID: probe.SysSymlinkat, Text: "/etc/shadow", Path: p("x"), FD2: probe.FD{Num: probe.AtFDCWD}}, map[string]string{
			"evt.arg.target": "/etc/shadow", "evt.arg.linkpath": "/root/x", "fs.path.target": "/etc/shadow", "fs.path.source": "/root/x", "fd.name": "",
		}},
		{probe.Syscall{ID: probe.SysLinkat, Path: p("/etc/shadow"), Path2: p("./y"), Flags: 0x400}, map[string]string{
			"evt.arg.oldpath": "/etc/shadow", "evt.arg.newpath": "/root/y", "evt.arg.flags": "AT_SYMLINK_FOLLOW", "fd.name": "-", "evt.arg.olddir": "AT_FDCWD",
		}},
		{probe.Syscall{ID: probe.SysRename, Path: p("/bin/ls"), Path2: p("../tmp/ls")}, map[string]string{
			"evt.arg.oldpath": "/bin/ls", "evt.arg.newpath": "/tmp/ls", "fs.path.source": "/bin/ls", "fs.path.target": "/tmp/ls", "evt.abspath.dst": "/tmp/ls",
		}},
		{probe.Syscall{ID: probe.SysUnlinkat, Path: p("../../a"), Flags: 0x200}, map[string]string{"evt.arg.name": "/a", "evt.arg.flags": "AT_REMOVEDIR"}},
		{probe.Syscall{ID: probe.SysMkdir, Path: p("d"), Mode: 0o777}, map[string]string{"evt.arg.path": "/root/d", "evt.arg.mode": "1FF"}},
		{probe.Syscall{ID: probe.SysFchmodat, Path: p("/tmp/x"), Mode: 0o4755}, map[string]string{
			"evt.arg.filename": "/tmp/x", "evt.arg.mode": "S_IXOTH|S_IROTH|S_IXGRP|S_IRGRP|S_IXUSR|S_IWUSR|S_IRUSR|S_ISUID",
		}},
		{probe.Syscall{ID: probe.SysFchmod, Mode: 0o100, FD: probe.FD{Num: 3, Type: probe.FDFile, Path: "/tmp/x"}}, map[string]string{
			"evt.arg.mode": "S_IXUSR", "evt.arg.fd": "<f>/tmp/x", "fd.name": "/tmp/x",
		}},
		{probe.Syscall{ID: probe.SysPtrace, Command: 16, PID: 20}, map[string]string{"evt.arg.request": "PTRACE_ATTACH", "evt.arg.pid": "bash", "evt.rawarg.pid": "20"}},
		{probe.Syscall{ID: probe.SysPtrace, Command: 0x4206}, map[string]string{"evt.arg.request": "PTRACE_SEIZE"}},
		{probe.Syscall{ID: probe.SysPtrace, Command: 0}, map[string]string{"evt.arg.request": "PTRACE_TRACEME"}},
		{probe.Syscall{ID: probe.SysSetns, Flags: 0x20000, FD: probe.FD{Num: 4, Type: probe.FDNamespace, Path: "/proc/1/ns/mnt"}}, map[string]string{
			"evt.arg.nstype": "CLONE_NEWNS", "evt.arg.fd": "<f>/proc/1/ns/mnt",
		}},
		{probe.Syscall{ID: probe.SysUnshare, Flags: 0x10020000}, map[string]string{"evt.arg.flags": "CLONE_NEWNS|CLONE_NEWUSER"}},
		{probe.Syscall{ID: probe.SysBpf, Ret: 5, Command: 5, FD: probe.FD{Num: 5, Type: probe.FDBPF}}, map[string]string{"evt.arg.cmd": "BPF_PROG_LOAD"}},
		{probe.Syscall{ID: probe.SysSetuid, UID: 1000}, map[string]string{"evt.arg.uid": "수진", "evt.rawarg.uid": "1000", "evt.category": "user"}},
		{probe.Syscall{ID: probe.SysSetresuid, Args: [6]uint64{0xffffffff, 0, 1000}}, map[string]string{"evt.arg.ruid": "<NONE>", "evt.arg.euid": "root", "evt.arg.suid": "수진"}},
		{probe.Syscall{ID: probe.SysMount, Text: "none", Text2: "proc", Path: p("/mnt"), Flags: 0x1001}, map[string]string{
			"evt.arg.dev": "none", "evt.arg.dir": "/mnt", "evt.arg.type": "proc", "evt.arg.flags": "RDONLY|BIND",
		}},
		{probe.Syscall{ID: probe.SysMemfdCreate, Ret: 3, Text: "payload", Flags: 1, FD: probe.FD{Num: 3, Type: probe.FDMemfd, Path: "memfd:payload"}}, map[string]string{
			"evt.arg.name": "payload", "evt.arg.flags": "MFD_CLOEXEC", "fd.typechar": "m",
		}},
		{probe.Syscall{ID: probe.SysUserfaultfd, Ret: 3, Flags: 0o2004000, FD: probe.FD{Num: 3, Type: probe.FDUserfault}}, map[string]string{
			"evt.arg.flags": "O_NONBLOCK|O_CLOEXEC", "evt.rawres": "3",
		}},
		{probe.Syscall{ID: probe.SysFinitModule, Text: "debug=1", Flags: 1, FD: probe.FD{Num: 3, Type: probe.FDFile, Path: "/tmp/m.ko"}}, map[string]string{
			"evt.arg.uargs": "debug=1", "evt.arg.fd": "<f>/tmp/m.ko",
		}},
		{probe.Syscall{ID: probe.SysExecve, Ret: -13, Path: p("/tmp/x"), FD: probe.FD{Num: -1}}, map[string]string{
			"evt.res": "EACCES", "proc.name": "sh", "evt.arg.filename": "/tmp/x",
		}},
	} {
		m.call(sh, &one.call)
		m.want(one.want)
	}
}

// Every field has a value for some event, or is on the list of those that never have, with the reason.
func TestEveryFieldIsSuppliedOrSaysWhyNot(t *testing.T) {
	given := map[field.ID]bool{}
	m := newMachine(t)
	look := func() {
		for f := range field.All() {
			for _, arg := range []field.Arg{
				field.NoArgument,
				{Index: 0, Key: "0"},
				{Index: 1, Key: "1"},
				{Key: "app", Index: -1},
				{Key: "res", Index: -1},
				{Key: "memory", Index: -1},
				{Key: "HOME", Index: -1},
				{Key: "/proc", Index: -1},
				{Key: "/host/proc", Index: -1},
				{Key: "open", Index: -1},
			} {
				if m.event.Field(f.ID, arg).Exists() {
					given[f.ID] = true
				}
			}
		}
	}
	sampleEvents(m, look)
	builtin := map[field.ID]bool{field.EvtType: true, field.EvtDir: true, field.EvtSource: true, field.EvtCount: true, field.EvtTypeIs: true}
	for f := range field.All() {
		why := falcoevent.NotSupplied(f.ID)
		switch {
		case f.Terminal || builtin[f.ID]:
		case given[f.ID] && why != "":
			t.Errorf("%s has a value, but is on the list: %s", f.Name, why)
		case !given[f.ID] && why == "":
			t.Errorf("%s never has a value, and nothing says why", f.Name)
		}
	}
}

// sampleEvents makes events of many kinds.
func sampleEvents(m *machine, look func()) {
	shells(m)
	first := m.exec(process{pid: 40, parent: 1, args: []string{"sh", "-c", "true"}, change: func(x *probe.Process, task *probe.Task) {
		inContainer(x, task)
		task.VPID, task.PIDNS = 1, 9
		x.CgroupV2 = "/kubepods/pod12345678-1234-1234-1234-123456789012/" + containerID
		x.ExeCtime = at + 3600_000_000_000
	}}).Task
	look()
	m.exec(process{pid: 30, parent: 20, args: []string{"ssh", "x"}})
	look()
	here, there := netip.MustParseAddrPort("192.0.2.80:40000"), netip.MustParseAddrPort("192.0.2.80:443")
	socket := probe.FD{Num: 3, Type: probe.FDSocket, Socket: probe.Socket{Family: 2, Type: 1, Local: here, Remote: there, Connected: true, Role: probe.RoleClient}}
	file := probe.FD{Num: 4, Type: probe.FDFile, Path: "/etc/x", Dev: 0x801, Ino: 5}
	for _, s := range []probe.Syscall{
		{ID: probe.SysOpenat, Ret: 4, FD: file, Path: probe.Path{Raw: "/etc/x"}},
		{ID: probe.SysOpenat, Ret: -2, FD: probe.FD{Num: -1}, Path: probe.Path{Raw: "/etc/x"}},
		{ID: probe.SysConnect, FD: socket, Addr: probe.Address{Family: 2, IP: there}},
		{ID: probe.SysConnect, Ret: -1, FD: socket},
		{ID: probe.SysSendto, Ret: 1, FD: socket, Data: []byte("x")},
		{ID: probe.SysRecvfrom, Ret: 1, FD: socket, Data: []byte("x")},
		{ID: probe.SysRename, Path: probe.Path{Raw: "/a"}, Path2: probe.Path{Raw: "/b"}},
		{ID: probe.SysSymlink, Text: "/a", Path: probe.Path{Raw: "/b"}},
		{ID: probe.SysMemfdCreate, Ret: -12, FD: probe.FD{Num: -1}},
		{ID: probe.SysSetuid, Ret: -1},
		{ID: probe.SysFinitModule, Ret: 1, FD: file},
	} {
		m.call(first, &s)
		look()
	}
}

func TestSupplyKnowsTheParametersOfCalls(t *testing.T) {
	s := falcoevent.Supply(falcoevent.Limits{})
	ref := func(name string) field.Ref {
		r, _, err := field.Prefix(event.Syscall, name)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	set := func(name string) event.Set {
		e, _ := event.Lookup(name)
		return event.SetOf(e)
	}
	for _, one := range []struct {
		field, typ string
		want       bool
	}{
		{"evt.arg.flags", "execve", true},
		{"evt.arg.flags", "close", false},
		{"evt.arg.request", "ptrace", true},
		{"evt.arg.data", "ptrace", false},
		{"evt.arg.target", "symlinkat", true},
		{"proc.vmsize", "execve", false},
		{"proc.aname[2]", "execve", true},
	} {
		if got := s.Field(ref(one.field), set(one.typ)); got != one.want {
			t.Errorf("%s of %s: supplied is %v, want %v", one.field, one.typ, got, one.want)
		}
	}
	for name, want := range map[string]bool{"execve": true, "openat": true, "close": false, "procexit": true, "command": false} {
		e, _ := event.Lookup(name)
		if got := s.Type(e); got != want {
			t.Errorf("%s: supplied is %v, want %v", name, got, want)
		}
	}
}
