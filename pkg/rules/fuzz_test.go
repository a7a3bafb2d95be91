package rules_test

import (
	"testing"

	"github.com/tiercel/tiercel/pkg/rules/load"
)

// FuzzConditions loads conditions and tests events with them. Whatever is found to be valid must not panic, must say of
// the same event the same again, and the opposite when it is negated.
func FuzzConditions(f *testing.F) {
	for _, seed := range []string{
		"evt.type in (open, openat) and not proc.name = 'a b'", "fd.name startswith /a or fd.name startswith /e or fd.name startswith /c",
		"proc.aname[2] exists or proc.aname = sshd", "fd.net != 10.0.0.0/8 and fd.ip in (10.0.0.1)", "evt.buffer bcontains cafe",
		"tolower(proc.name) = val(proc.exe) and len(proc.cmdline) > 3", "join('-', (proc.name, 'x')) regex '[^x]*-(a|b)*'",
		"getopt(proc.args, 'e:l')[e] endswith sh", "proc.name glob anyof ('[a-c]*', '한*')", "fd.name pmatch (/etc, /) and evt.num > 0",
		"evt.rawarg.fd >= -1 and evt.arg.flags contains O_CREAT", "concat(fd.types, 'x') = filex or fd.types intersects (file)",
	} {
		f.Add(seed)
	}
	events := []*fake{
		newEvent(f, "openat", map[string]any{
			"proc.name": "한글", "proc.exe": "/bin/한글", "proc.cmdline": "한글 -e /bin/sh -l", "proc.args": "-e /bin/sh -l", "fd.name": "/etc/passwd", "fd.num": -1,
			"fd.types": []any{"file", "pipe"}, "evt.buffer": []byte{0xca, 0xfe}, "proc.aname[1]": "bash", "proc.aname[2]": "sshd", "evt.arg.flags": "O_CREAT", "evt.rawarg.fd": 3,
		}),
		newEvent(f, "connect", map[string]any{"fd.ip": []any{addr("10.0.0.1"), addr("2001:db8::1")}, "fd.net": []any{addr("10.0.0.1"), addr("2001:db8::1")}, "proc.name": "\xff\x00"}),
		newEvent(f, "close", nil),
	}
	f.Fuzz(func(t *testing.T, text string) {
		l := load.New(load.Options{})
		if r := l.Load("plain", condition(text)); !r.OK() {
			return
		}
		negated := load.New(load.Options{})
		if r := negated.Load("negated", condition("not ("+text+"\n    )")); !r.OK() {
			return // the texts of two conditions in one, which need no longer be valid
		}
		for _, ev := range events {
			holds := func(l *load.Loader) bool {
				test := l.Rules()[0].Condition.For(ev.Type())
				return test != nil && test(ev)
			}
			if one := holds(l); one != holds(l) || one == holds(negated) {
				t.Fatalf("%q is %v, and so is its opposite", text, one)
			}
		}
	})
}
