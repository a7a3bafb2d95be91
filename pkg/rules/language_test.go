package rules_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/load"
)

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

// TestLanguage holds what conditions mean, each line with an event for which it is true or false.
func TestLanguage(t *testing.T) {
	ev := newEvent(t, "openat", map[string]any{
		"proc.name": "cat", "proc.cmdline": "cat -n /etc/passwd", "proc.args": "-n /etc/passwd", "proc.exe": "cat",
		"proc.aname[1]": "bash", "proc.aname[2]": "sshd", "proc.aname[3]": "systemd", "proc.aname[0]": "cat",
		"proc.apid[1]": 100, "proc.apid[2]": 10, "proc.pid": 200, "proc.tty": uint64(34816), "user.uid": uint64(0), "user.loginuid": -1,
		"fd.name": "/etc/passwd", "fd.num": 3, "fd.types": []any{"file", "pipe"}, "fd.typechar": "f",
		"evt.is_open_read": true, "evt.arg.flags": "O_RDONLY|O_CLOEXEC", "evt.arg[0]": "<f>/etc/passwd", "evt.rawarg.fd": 3, "evt.rawarg.name": "p",
		"evt.buffer": []byte{0xca, 0xfe, 0x00, 0xba, 0xbe}, "evt.res": "SUCCESS", "evt.rawres": 3, "thread.cpu": 0.5,
		"container.id": "host", "proc.env": "A=1 B=2", "proc.env[A]": "1", "proc.cwd": "/root/", "proc.duration": 5000000000,
		"proc.sname": "aGk=", "proc.sid.exe": "cafe", "proc.vpgid.exe": "/etc", "proc.vpgid.name": "CAT -N", "proc.pgid.exe": "/etc/*", "user.name": "한글😀", "fd.filename": "a\x00b", "proc.exepath": "/usr/bin/CAT",
	})
	for _, test := range []struct {
		condition string
		want      bool
	}{
		// Precedence, negation, parentheses.
		{"proc.name=x or proc.name=cat and fd.num=3", true},
		{"proc.name=cat or proc.name=x and fd.num=4", true},
		{"(proc.name=cat or proc.name=x) and fd.num=4", false},
		{"not proc.name=x and proc.name=cat", true},
		{"not (proc.name=cat or proc.name=x)", false},
		{"not not proc.name=cat", true},
		// A missing value makes every test false, != too; not turns that round.
		{"proc.pname=bash", false},
		{"proc.pname!=bash", false},
		{"not proc.pname=bash", true},
		{"not proc.pname!=bash", true},
		{"proc.pname exists", false},
		{"not proc.pname exists", true},
		{"proc.name exists", true},
		{"proc.pname in (a, b)", false},
		{"not proc.pname in (a, b)", true},
		{"proc.pname startswith ''", false},
		{"proc.ppid >= 0", false},
		{"proc.ppid < 0", false},
		{"fd.sip != 1.2.3.4", false},
		{"fd.snet != 10.0.0.0/8", false},
		{"proc.pname = val(proc.name)", false},
		{"proc.name != val(proc.pname)", false},
		{"tolower(proc.pname) != x", false},
		{"len(proc.pname) >= 0", false},
		{"proc.is_exe_from_memfd=false", false},
		// Texts.
		{"proc.name == cat", true},
		{"proc.name = 'cat'", true},
		{"proc.name != cat", false},
		{"proc.name = CAT", false},
		{"proc.cmdline contains passwd", true},
		{"proc.cmdline contains PASSWD", false},
		{"proc.cmdline icontains PASSWD", true},
		{"proc.cmdline startswith 'cat -n'", true},
		{"proc.cmdline endswith passwd", true},
		{"proc.name contains ''", true},
		{"user.name contains 글", true},
		{"user.name = '한글😀'", true},
		{"user.name endswith 😀", true},
		{"fd.filename contains b", false},
		{"fd.filename contains a", true},
		// Patterns: * goes over slashes; the whole text must match.
		{"fd.name glob /etc/*", true},
		{"fd.name glob /*wd", true},
		{"fd.name glob *passwd", true},
		{"fd.name glob passwd", false},
		{"fd.name glob /etc/passw?", true},
		{"fd.name glob /etc/[o-q]asswd", true},
		{"fd.name glob /etc/[!a]asswd", true},
		{"fd.name glob '/etc/[[:alpha:]]asswd'", true},
		{"fd.name glob '/etc/\\\\passwd'", true},
		{"fd.name glob /ETC/*", false},
		{"fd.name iglob /ETC/*", true},
		{"fd.name glob '/etc/[p'", false},
		{"user.name glob '??😀'", true},
		{"user.name glob '[가-힣]*'", true},
		// Regular expressions are anchored at both ends, and POSIX.
		{"fd.name regex /etc", false},
		{"fd.name regex '/etc/.*'", true},
		{"fd.name regex '.*passwd|x'", true},
		{"fd.name regex 'x|/etc/passwd'", true},
		{"fd.name regex '/[[:alpha:]]+/passwd'", true},
		{"proc.name regex 'ca|cat'", true},
		{"proc.name regex '(c)(a)(t){1}'", true},
		// Numbers.
		{"fd.num=3", true},
		{"fd.num!=3", false},
		{"fd.num>2", true},
		{"fd.num>=3", true},
		{"fd.num<3", false},
		{"fd.num<=3", true},
		{"fd.num=0x3", true},
		{"fd.num in (1, 2, 3)", true},
		{"fd.num in (0x3)", true},
		{"user.loginuid=-1", true},
		{"user.loginuid<0", true},
		{"user.uid=0", true},
		{"user.uid>-1", true},
		{"proc.tty=34816", true},
		{"proc.duration <= 5000000000", true},
		{"thread.cpu > 0.25", true},
		{"fd.num intersects (3)", true},
		{"user.loginuid in (-1)", true},
		{"evt.is_open_read=true", true},
		{"evt.is_open_read=false", false},
		{"evt.is_open_read!=false", true},
		{"evt.is_open_read in (true)", true},
		// Bytes.
		{"evt.buffer bcontains feooba", false},
		{"evt.buffer bcontains fe00ba", true},
		{"evt.buffer bcontains FE00BA", true},
		{"evt.buffer bstartswith cafe", true},
		{"evt.buffer bstartswith fe", false},
		{"evt.buffer contains x", false},
		// Sets.
		{"proc.name in (dog, cat)", true},
		{"proc.name in ()", false},
		{"proc.name in ('cat')", true},
		{"not proc.name in (dog)", true},
		{"fd.types in (file, pipe, ipv4)", true},
		{"fd.types in (file)", false},
		{"fd.types intersects (pipe, ipv4)", true},
		{"fd.types intersects (ipv4)", false},
		{"fd.types exists", true},
		{"len(fd.types) = 2", true},
		{"fd.types intersects ()", false},
		{"fd.name pmatch (/etc)", true},
		{"fd.name pmatch (/et)", false},
		{"fd.name pmatch (/etc/)", true},
		{"fd.name pmatch (/etc/passwd)", true},
		{"fd.name pmatch (/etc/passwd/x)", false},
		{"fd.name pmatch (/)", true},
		{"fd.name pmatch ()", false},
		{"fd.name pmatch (/var, /etc)", true},
		// Ancestors: any of them but the process itself; an index means one of them, 0 the process.
		{"proc.aname=sshd", true},
		{"proc.aname=cat", false},
		{"proc.aname[0]=cat", true},
		{"proc.aname[1]=bash", true},
		{"proc.aname[2]=bash", false},
		{"proc.aname[9]=x", false},
		{"proc.aname[9] exists", false},
		{"proc.aname in (x, systemd)", true},
		{"proc.aname startswith ss", true},
		{"not proc.aname=sshd", false},
		{"proc.aname != sshd", true},
		{"proc.apid=10", true},
		{"proc.apid=200", false},
		{"proc.aname exists", true},
		{"proc.aexe exists", false},
		{"toupper(proc.aname) = SSHD", true},
		// Arguments.
		{"evt.arg.flags contains O_CLOEXEC", true},
		{"evt.arg[0] startswith '<f>'", true},
		{"proc.env[A]=1", true},
		{"proc.env['A']=1", true},
		{"proc.env contains 'B=2'", true},
		{"evt.rawarg.fd = 3", true},
		{"evt.rawarg.fd > 4", false},
		{"evt.rawarg.name = p", true},
		{"evt.rawarg.fd in (3)", true},
		{"evt.rawarg.fd != x", true},
		// The event itself.
		{"evt.type=openat", true},
		{"evt.type!=openat", false},
		{"evt.type in (open, openat)", true},
		{"evt.type=open", false},
		{"not evt.type=open", true},
		{"evt.type startswith open", true},
		{"evt.type exists", true},
		{"evt.dir=<", true},
		{"evt.dir=>", false},
		{"evt.dir='<' and proc.name=cat", true},
		{"evt.num=0", false},
		{"not evt.num=0", true},
		{"evt.num>0", true},
		{"evt.num=0 or proc.name=cat", true},
		{"evt.type.is.openat=1", true},
		{"evt.type.is.open=1", false},
		{"evt.source=syscall", true},
		{"evt.count=1", true},
		{"tolower(evt.type)=openat", true},
		// Modifiers.
		{"proc.name = oneof (cat, dog)", true},
		{"proc.name = anyof (cat, dog)", true},
		{"proc.name = allof (cat, dog)", false},
		{"proc.name = anyof ()", false},
		{"proc.name = allof ()", false},
		{"proc.name = oneof ()", false},
		{"proc.name != allof (dog, fox)", true},
		{"proc.name != anyof (cat, dog)", true},
		{"proc.cmdline contains allof (cat, passwd)", true},
		{"proc.cmdline contains oneof (cat, passwd)", false},
		{"proc.cmdline contains oneof (cat, x)", true},
		{"proc.cmdline startswith anyof (x, 'cat -')", true},
		{"not proc.name = oneof (cat)", false},
		{"proc.pname != allof (x)", false},
		{"fd.name glob oneof (/etc/*, /var/*)", true},
		{"proc.name = oneof and proc.name=cat", false},
		{"proc.name regex anyof ('c.*', x)", true},
		// Alternatives that are looked up in a set.
		{"fd.name startswith /x or fd.name startswith /et or fd.name startswith /y", true},
		{"fd.name startswith /x or fd.name startswith /etcx or fd.name startswith /y", false},
		{"fd.name startswith /x or fd.name startswith '' or fd.name startswith /y", true},
		{"fd.name startswith /x or proc.name = cat or fd.name startswith /z or fd.name startswith /y", true},
		{"proc.name = a or proc.name = b or proc.name = cat", true},
		{"proc.name = a or proc.name = b or proc.name = c or proc.name = d", false},
		{"not (proc.pname = a or proc.pname = b or proc.pname = c)", true},
		{"fd.num = 1 or fd.num = 2 or fd.num = 0x3", true},
		{"proc.aname = x or proc.aname = systemd or proc.aname = y", true},
		{"proc.aname[1] = sshd or proc.aname[2] = bash or proc.aname[1] = x or proc.aname[1] = y", false},
		{"evt.type = open or evt.type = creat or evt.type = openat", true},
		{"evt.num = 0 or evt.num = 0 or evt.num = 0", false},
		{"proc.name startswith anyof ('', b)", true},
		{"fd.name startswith anyof (/etc/passwd, /etc/passwdx)", true},
		{"fd.name startswith anyof (/etc/passwdx)", false},
		// Transformers, on both sides.
		{"toupper(proc.name) = CAT", true},
		{"tolower(proc.exepath) endswith cat", true},
		{"basename(fd.name) = passwd", true},
		{"len(proc.name) = 3", true},
		{"b64(proc.name) = x", false},
		{"basename(proc.exepath) = toupper(proc.name)", true},
		{"proc.name = val(proc.exe)", true},
		{"proc.cmdline startswith val(proc.name)", true},
		{"proc.cmdline contains val(proc.args)", true},
		{"fd.num = val(evt.rawres)", true},
		{"fd.num < val(proc.pid)", true},
		{"proc.name in val(proc.exe)", true},
		{"tolower(toupper(proc.name)) = cat", true},
		{"join('-', (proc.name, fd.num, 'x')) = cat-3-x", true},
		{"join(',', fd.types) = 'file,pipe'", true},
		{"concat(proc.name, ':', fd.num) = cat:3", true},
		{"concat(proc.name, proc.pname) exists", false},
		{"join('-', ()) = ''", true},
		{"len(concat(proc.name, 'x', 1)) = 5", true},
		{"getopt(proc.args, 'n')[n] exists", true},
		{"getopt(proc.args, 'n:')[n] = /etc/passwd", true},
		{"getopt(proc.args, 'nx')[x] exists", false},
		{"getopt(proc.args, 'nx') intersects (n, y)", true},
		{"getopt(proc.args, 'nx') in (n)", true},
		{"proc.name = tolower(proc.exe)", true},
		{"b64(proc.sname) = hi", true},
		{"len(b64(proc.sname)) = 2", true},
		{"proc.cmdline endswith val(fd.name)", true},
		{"proc.cmdline icontains val(proc.vpgid.name)", true},
		{"fd.name pmatch val(proc.vpgid.exe)", true},
		{"fd.name glob val(proc.pgid.exe)", true},
		{"proc.exepath iglob tolower(proc.exepath)", true},
		{"evt.buffer bstartswith val(proc.sid.exe)", true},
		{"evt.buffer bcontains val(proc.sid.exe)", true},
		{"evt.buffer bcontains val(proc.name)", false},
		{"proc.name != val(fd.name)", true},
		{"fd.num <= val(evt.rawres)", true},
		{"fd.num >= val(proc.pid)", false},
		{"proc.pid > val(fd.num)", true},
		{"proc.name intersects val(proc.exe)", true},
		{"fd.types in val(fd.types)", true},
		{"evt.rawarg.fd <= 3", true},
		{"evt.rawarg.fd = val(fd.num)", true},
		{"evt.rawarg.name contains p", true},
		{"evt.rawarg.name != 3", true},
		{"evt.buffer = x", false},
		{"evt.buffer != x", true},
		{"proc.name glob val(proc.exe)", true},
		{"fd.types intersects val(fd.types)", true},
		{"proc.aname = val(proc.name)", false},
	} {
		l := load.New(load.Options{})
		if r := l.Load("test.yaml", condition(test.condition)); !r.OK() {
			if test.condition != "evt.buffer bcontains feooba" { // no hexadecimal digits
				t.Errorf("%s: %s", test.condition, r)
			}
			continue
		}
		if got := matches(t, test.condition, ev); got != test.want {
			t.Errorf("%s is %v", test.condition, got)
		}
	}
}

func TestAddresses(t *testing.T) {
	ev := newEvent(t, "connect", map[string]any{
		"fd.ip": []any{addr("10.0.0.5"), addr("93.184.216.34")}, "fd.net": []any{addr("10.0.0.5"), addr("93.184.216.34")},
		"fd.port": []any{uint64(40000), uint64(443)}, "fd.sip": addr("93.184.216.34"), "fd.snet": addr("93.184.216.34"),
		"fd.cip": addr("10.0.0.5"), "fd.cnet": addr("10.0.0.5"), "fd.sport": uint64(443), "fd.lip": addr("2001:db8::5"), "fd.lnet": addr("2001:db8::5"),
		"fd.rip": addr("::ffff:1.2.3.4"), "fd.sip.name": "example.org",
	})
	for _, test := range []struct {
		condition string
		want      bool
	}{
		// Either endpoint: = holds for one, != for both only.
		{"fd.ip=10.0.0.5", true},
		{"fd.ip=93.184.216.34", true},
		{"fd.ip=1.1.1.1", false},
		{"fd.ip!=10.0.0.5", false},
		{"fd.ip!=1.1.1.1", true},
		{"fd.ip in (1.1.1.1, 10.0.0.5)", true},
		{"not fd.ip in (1.1.1.1)", true},
		{"fd.net = 10.0.0.0/8", true},
		{"fd.net != 10.0.0.0/8", false},
		{"fd.net != 127.0.0.0/8", true},
		{`fd.net in ("127.0.0.1/24", "93.184.0.0/16")`, true},
		{"fd.port=443", true},
		{"fd.port=https", true},
		{"fd.port!=443", false},
		{"fd.port > 30000", true},
		{"fd.ip exists", true},
		{"fd.proto exists", false},
		{"fd.sip=93.184.216.34", true},
		{"fd.sip!=1.1.1.1", true},
		{"fd.snet in (10.0.0.0/8)", false},
		{"fd.cnet=10.0.0.0/8", true},
		{"fd.sport in (80, 443)", true},
		{"fd.sport in (http, https)", true},
		{"fd.lip=2001:db8::5", true},
		{"fd.lip='2001:0db8:0::5'", true},
		{"fd.lnet=2001:db8::/32", true},
		{"fd.lnet=10.0.0.0/8", false},
		{"fd.lnet!=10.0.0.0/8", true},
		{"fd.rip=1.2.3.4", true},
		{"fd.lip!=10.0.0.5", true},
		{"fd.sip.name=example.org", true},
		{"fd.sip.name endswith .org", true},
		{"fd.sip.name exists", true},
		{"concat(fd.sip, ':', fd.sport) in ('93.184.216.34:443')", true},
		{"fd.sip = val(fd.rip)", false},
		{"fd.sport = val(fd.sport)", true},
	} {
		if got := matches(t, test.condition, ev); got != test.want {
			t.Errorf("%s is %v", test.condition, got)
		}
	}
	none := newEvent(t, "connect", nil)
	for _, c := range []string{"fd.ip=10.0.0.5", "fd.ip!=10.0.0.5", "fd.net!=10.0.0.0/8", "fd.ip exists", "fd.port!=1"} {
		if matches(t, c, none) {
			t.Errorf("without endpoints, %s holds", c)
		}
	}
}

// names knows the addresses of one host.
type names map[string]netip.Addr

func (n names) Is(name string, a netip.Addr) bool { return n[name] == a }

func TestNamesOfAddressesAreResolved(t *testing.T) {
	ev := newEvent(t, "connect", map[string]any{"fd.sip": addr("10.96.0.1"), "fd.sip.name": "other"})
	for c, want := range map[string]bool{
		"fd.sip.name=kubernetes.default": true, "fd.sip.name!=kubernetes.default": false, "fd.sip.name in (x, kubernetes.default)": true,
		"fd.sip.name=other": false, "fd.sip.name!=other": true, "fd.sip.name contains oth": true, "fd.cip.name!=x": false,
	} {
		l := load.New(load.Options{Names: names{"kubernetes.default": addr("10.96.0.1")}})
		if r := l.Load("test.yaml", condition(c)); !r.OK() {
			t.Fatal(r)
		}
		rule := l.Rules()[0]
		if got := rule.Condition.For(ev.Type())(ev); got != want {
			t.Errorf("%s is %v", c, got)
		}
		if asks := !strings.Contains(c, "contains"); asks != (len(rule.Condition.Hosts) > 0) {
			t.Errorf("%s asks for the hosts %v", c, rule.Condition.Hosts)
		}
	}
}

// TestCommIsShort shows what a name of more than 15 characters means: it never matches, because the kernel cuts it.
func TestCommIsShort(t *testing.T) {
	ev := newEvent(t, "execve", map[string]any{"proc.name": "containerd-shim", "proc.cmdline": "containerd-shim -namespace k8s.io"})
	if matches(t, "proc.name=containerd-shim-runc-v2", ev) || !matches(t, "proc.name=containerd-shim", ev) {
		t.Error("a name is compared as it is")
	}
}

func TestConditionErrors(t *testing.T) {
	for c, want := range map[string]string{
		"proc.nobody=1":                 "filter_check called with nonexistent field proc.nobody",
		"evt.type=nothing":              "unknown event type nothing",
		"evt.type in (open, xopen)":     "unknown event type xopen",
		"nothing and proc.name=a":       "Undefined macro 'nothing' used in filter.",
		"fd.num=abc":                    "'abc' is no number",
		"fd.num=1.5":                    "'1.5' is no number",
		"user.uid=4294967296":           "4294967296 is too large for a field of type UINT32",
		"fd.sport=70000":                "'70000' is no port",
		"fd.sport=nothing":              "'nothing' is no port",
		"fd.ip=10.0.0":                  "'10.0.0' is no IP address",
		"fd.net=10.0.0.1":               "'10.0.0.1' is no IP network",
		"evt.is_open_read=1":            "'1' is no truth value",
		"fd.num contains 3":             "'contains' cannot test 'fd.num', which is of type INT64",
		"fd.ip > 3":                     "'>' cannot test 'fd.ip', which is of type IPADDR",
		"evt.is_open_read > 0":          "'>' cannot test 'evt.is_open_read', which is of type BOOL",
		"proc.name bcontains 00":        "'bcontains' cannot test 'proc.name'",
		"evt.buffer bcontains xyz":      "'xyz' is no hexadecimal text",
		"evt.buffer icontains a":        "'icontains' cannot test 'evt.buffer'",
		"fd.types = file":               "'=' cannot test 'fd.types', which is a list",
		"fd.types = oneof (file)":       "needs a single value on its left",
		"proc.name regex 'a('":          "invalid regular expression",
		"proc.name regex 'a\\\\d'":      "invalid regular expression",
		"proc.aname[x]=a":               "must be a number",
		"proc.name[1]=a":                "takes no argument",
		"evt.arg.nothing=1":             "no event has a parameter 'nothing'",
		"tolower(fd.num)=1":             "does not apply",
		"fd.num = val(proc.name)":       "cannot be compared",
		"proc.name regex val(proc.exe)": "must be a text",
		"proc.name = val(proc.aname)":   "several values",
		"evt.type=command":              "unknown event type command: it exists for rules with 'source: terminal' only",
		"shell.line contains rm":        "source: terminal",
		"proc.name = 'a":                "the text in quotes is never closed",
		"proc.name":                     "expected an operator after 'proc.name'",
		"proc.name = a b":               "cannot go on like this after 'a'",
	} {
		r := load.New(load.Options{}).Load("test.yaml", condition(c))
		if r.OK() || !strings.Contains(r.Errors[0].Message, want) {
			t.Errorf("%s: %s", c, r)
			continue
		}
		if e := r.Errors[0]; !strings.Contains(e.Where.Snippet, "^") || e.Where.Locations[1].Name != "test" || e.Where.Locations[1].Line != 1 {
			t.Errorf("%s: no place: %s", c, e)
		}
	}
}

func TestTypesOfConditions(t *testing.T) {
	all := event.Everything(event.Syscall).Len()
	for c, want := range map[string]int{
		"evt.type=open": 1, "evt.type in (open, openat)": 2, "evt.type!=open": all - 1, "not evt.type=open": all - 1, "proc.name=cat": all,
		"evt.type=open and proc.name=cat": 1, "evt.type=open or proc.name=cat": all, "evt.type=open or evt.type=close and fd.num=1": 2,
		"evt.type=open and evt.type=close": 0, "evt.num=0": 0, "not evt.num=0": all, "evt.type=open or evt.num=0": 1, "not (evt.type=open or evt.type=close)": all - 2,
		"not (not evt.type=open or proc.name=cat)": 1, "evt.type exists": all, "evt.dir=>": 0, "evt.type=open and evt.dir=<": 1, "evt.type startswith openat": 2,
		"not evt.type startswith openat": all - 2, "evt.type.is.open=1": 1,
	} {
		l := load.New(load.Options{})
		if r := l.Load("test.yaml", condition(c)); !r.OK() {
			t.Fatal(r)
		} else if many := want > 100; many != strings.Contains(r.Summary(), "LOAD_NO_EVTTYPE") {
			t.Errorf("%s: %s", c, r.Summary())
		}
		if got := l.Rules()[0].Condition.Types.Len(); got != want {
			t.Errorf("%s is for %d types, want %d", c, got, want)
		}
	}
}
