package field_test

import (
	"bufio"
	"bytes"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
)

func TestPageIsUpToDate(t *testing.T) {
	have, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "fields.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, field.Page()) {
		t.Error("docs/fields.md is out of date: run go generate ./pkg/rules/field")
	}
}

// TestRuleFields reads the fields that the official rules use, with their types.
func TestRuleFields(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "shared", "facts", "falco_rule_fields.tsv"))
	if err != nil {
		t.Skipf("the list of fields is not here: %v", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Scan()
	n := 0
	for lines.Scan() {
		columns := strings.Split(lines.Text(), "\t")
		name, want := columns[0], columns[1]
		n++
		arg, hasArg := "", false
		if bare, ok := strings.CutSuffix(name, "[]"); ok {
			name, arg, hasArg = bare, "1", true
		}
		ref, err := field.Find(event.Syscall, name, arg, hasArg)
		if err != nil {
			t.Errorf("%s: %v", columns[0], err)
			continue
		}
		want = strings.TrimSuffix(strings.TrimPrefix(want, "plugin:"), " (param)")
		if want == "string" {
			want = "charbuf"
		}
		if got := strings.ToLower(ref.Type.String()); got != want {
			t.Errorf("%s is of type %s, want %s", columns[0], got, want)
		}
	}
	if n != 95 {
		t.Errorf("%d fields", n)
	}
}

func TestEveryFieldIsFound(t *testing.T) {
	seen := map[string]bool{}
	for f := range field.All() {
		if f.Name == "" || f.Doc == "" || f.Class == "" || seen[f.Name] {
			t.Errorf("%d %q: incomplete, or there twice", f.ID, f.Name)
		}
		seen[f.Name] = true
		source := event.Syscall
		if f.Terminal {
			source = event.Terminal
			if _, err := field.Find(event.Syscall, f.Name, "", false); err == nil {
				t.Errorf("%s is known to system calls", f.Name)
			}
		}
		arg := map[bool]string{true: "1"}[f.Arg == field.KeyNeeded]
		if f.ID == field.EvtTypeIs {
			arg = "open"
		}
		ref, err := field.Find(source, f.Name, arg, arg != "")
		if err != nil || ref.ID != f.ID {
			t.Errorf("%s: %v %v", f.Name, ref, err)
		}
		if ref, n, err := field.Prefix(source, ref.Text+" and more"); err != nil || ref.ID != f.ID || n != len(ref.Text) {
			t.Errorf("%s in an output: %v %d %v", f.Name, ref, n, err)
		}
	}
}

func TestFind(t *testing.T) {
	for _, test := range []struct {
		name, arg string
		hasArg    bool
		text      string // "" for an error
		index     int
	}{
		{"proc.aname", "2", true, "proc.aname[2]", 2},
		{"proc.aname", "", false, "proc.aname", -1},
		{"proc.aname", "x", true, "", 0},
		{"proc.aname", "-1", true, "", 0},
		{"proc.name", "1", true, "", 0},
		{"proc.env", "HOME", true, "proc.env[HOME]", -1},
		{"proc.nobody", "", false, "", 0},
		{"evt.arg.flags", "", false, "evt.arg.flags", -1},
		{"evt.arg", "flags", true, "evt.arg[flags]", -1},
		{"evt.arg", "0", true, "evt.arg[0]", 0},
		{"evt.arg", "", false, "", 0},
		{"evt.arg.nothing", "", false, "", 0},
		{"evt.rawarg.res", "", false, "evt.rawarg.res", -1},
		{"evt.type.is.open", "", false, "evt.type.is.open", -1},
		{"evt.type.is.nothing", "", false, "", 0},
		{"container.mount.dest", "/etc", true, "container.mount.dest[/etc]", -1},
		{"container.mount.dest", "", false, "", 0},
		{"k8s.pod.label.app", "", false, "k8s.pod.label.app", -1},
		{"proc.name.more", "", false, "", 0},
	} {
		ref, err := field.Find(event.Syscall, test.name, test.arg, test.hasArg)
		if ref.Text != test.text || (err == nil) != (test.text != "") {
			t.Errorf("%s[%s]: %q, %v", test.name, test.arg, ref.Text, err)
		}
		if err == nil && ref.Arg.Index != test.index {
			t.Errorf("%s: index %d", ref.Text, ref.Arg.Index)
		}
	}
}

func TestPrefixTakesTheLongest(t *testing.T) {
	for text, want := range map[string]string{
		"container.image.repository)": "container.image.repository", "container.image rest": "container.image",
		"evt.arg.flags)": "evt.arg.flags", "evt.arg.filenamex": "evt.arg.filename", "proc.aname[2]]": "proc.aname[2]",
		"evt.args)": "evt.args", "evt.type.": "evt.type", "fd.sip.name": "fd.sip.name", "fd.sip.names": "fd.sip.name",
		"proc.env['A]B'] x": "proc.env['A]B']", "proc.name": "proc.name", "proc.namex": "proc.name",
		"k8s.pod.label.app.kubernetes.io/name, x": "k8s.pod.label.app.kubernetes.io/name",
	} {
		if ref, n, err := field.Prefix(event.Syscall, text); err != nil || text[:n] != want {
			t.Errorf("%q: %q, %v", text, ref.Text, err)
		}
	}
	for _, text := range []string{"", "x", "proc.nobody", "proc.aname[x]", "proc.aname[2", "evt.arg.nothing", "shell.line"} {
		if ref, _, err := field.Prefix(event.Syscall, text); err == nil {
			t.Errorf("%q is %q", text, ref.Text)
		}
	}
}

func TestValues(t *testing.T) {
	for _, test := range []struct {
		v    field.Value
		text string
	}{
		{field.Text("한글 \x00"), "한글 \x00"},
		{field.Bytes([]byte("a\x00\xffz")), "a..z"},
		{field.Bool(true), "true"},
		{field.Bool(false), "false"},
		{field.Int(-1), "-1"},
		{field.Int(math.MinInt64), "-9223372036854775808"},
		{field.Uint(math.MaxUint64), "18446744073709551615"},
		{field.Float(0.5), "0.5"},
		{field.Addr(netip.MustParseAddr("10.1.2.3")), "10.1.2.3"},
		{field.Addr(netip.MustParseAddr("::ffff:10.1.2.3")), "10.1.2.3"},
		{field.Addr(netip.MustParseAddr("2001:db8::1")), "2001:db8::1"},
		{field.Addr(netip.Addr{}), ""},
		{field.Value{}, ""},
	} {
		if got := test.v.String(); got != test.text {
			t.Errorf("%q, want %q", got, test.text)
		}
	}
	for _, test := range []struct {
		a, b field.Value
		want int
	}{
		{field.Int(-1), field.Uint(0), -1},
		{field.Uint(math.MaxUint64), field.Int(-1), 1},
		{field.Int(3), field.Uint(3), 0},
		{field.Int(-2), field.Int(-1), -1},
		{field.Float(0.5), field.Uint(1), -1},
		{field.Text("a"), field.Text("b"), -1},
	} {
		if got, ok := test.a.Compare(test.b); !ok || got != test.want {
			t.Errorf("%s and %s: %d %v", test.a, test.b, got, ok)
		}
	}
	for _, pair := range [][2]field.Value{
		{field.Text("1"), field.Uint(1)}, {field.Bool(true), field.Uint(1)}, {{}, {}}, {field.Float(math.NaN()), field.Uint(1)},
	} {
		if _, ok := pair[0].Compare(pair[1]); ok {
			t.Errorf("%v and %v can be compared", pair[0], pair[1])
		}
	}
}
