package app_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Who may import whom, each line with its reason. If a line stops you, read the reason; if the reason is wrong, change
// the line in the same commit and say why. Only what goes into the program counts: tests may import what they like.

const module = "github.com/tiercel/tiercel/"

// floors are the rooms of the house from the ground up. A room may use those on lower floors only: never one above,
// never one beside it. The packages below one room are that room's own affair.
var floors = []struct {
	rooms []string
	why   string
}{
	{
		[]string{"rules", "pkg/alert", "pkg/verdict", "pkg/secret", "pkg/size", "pkg/problem"},
		"the words that all others speak; they know nothing of ours, so that nothing can go round in a circle",
	},
	{
		[]string{"probe"},
		"what the kernel says, and nothing of what it means: everything above can be tried without a kernel",
	},
	{
		[]string{"pkg/certs", "pkg/container", "pkg/httpx", "pkg/journal", "pkg/normalize", "pkg/rules", "pkg/socket", "pkg/source", "pkg/telemetry"},
		"each does one thing and is given what it needs; two that knew each other would be one",
	},
	{
		[]string{"pkg/proctree"},
		"what processes are, from what the kernel says and what containers are",
	},
	{
		[]string{"pkg/session"},
		"a terminal's session is made of processes, containers and the fields of rules; a source carries it to the flow",
	},
	{
		[]string{"pkg/falcogrpc"},
		"a protocol that is both a way in and a way out, with the certificates that it needs",
	},
	{
		[]string{"pkg/accounts"},
		"names users by the files of containers, which it is told of",
	},
	{
		[]string{"pkg/falcoevent"},
		"shows what the probe saw as rules ask for it: it knows processes, containers and fields",
	},
	{
		[]string{"outputs"},
		"the contract of an output stands on the client that outputs share",
	},
	{
		[]string{"outputs/*", "pkg/source/*"},
		"ways out and in know their contract, never each other: what two of them want goes to httpx or beside the contract",
	},
	{
		[]string{"outputs/all", "pkg/flow"},
		"the flow drives what it is given; the list is what it may be given",
	},
	{
		[]string{"pkg/config"},
		"a package owns its Config, so the loader stands above all of them",
	},
	{
		[]string{"pkg/app"},
		"builds everything that a config asks for",
	},
	{
		[]string{"cmd/*", "test/*", "probe/pack"},
		"programs: nobody imports them",
	},
}

// doors are rooms that not everybody above them may use.
var doors = []struct {
	room string
	open []string // to whom
	why  string
}{
	{"pkg/config", []string{"pkg/app", "cmd/tiercel"}, "nobody else asks what is configured: they are given what they need"},
	{"rules", []string{"pkg/app", "cmd/tiercel"}, "the default rules are handed down as texts, like those of a file"},
	{"outputs/all", []string{"cmd/tiercel", "pkg/config/gen/pages", "test/*"}, "the list is handed down as a value, so that a test passes two outputs and not all"},
	{"outputs/*", []string{"outputs/all"}, "the flow drives outputs by their contract and knows none by name"},
	{"outputs/outputtest", nil, "a test's tool has no place in the program"},
	{"pkg/source/*", []string{"pkg/config", "pkg/app"}, "the flow takes from any source: it knows none by name"},
	{"pkg/journal", []string{"pkg/flow", "pkg/config", "pkg/app", "cmd/tiercel"}, "an output that could reach into the journal could lose what others wait for"},
	{"pkg/app", []string{"cmd/tiercel", "test/*"}, "only a program ties everything together"},
}

type home struct {
	library string
	rooms   []string
	why     string
}

// homes are the libraries that the program uses, by the begin of their import path, and who may use each. A library
// that is used in one place can be replaced in one place. The reasons for having them at all: docs/decisions.
var homes = []home{
	{"github.com/cilium/ebpf", []string{"probe"}, "how programs get into the kernel is the probe's affair"},
	{"github.com/bufbuild/protocompile", []string{"pkg/falcogrpc"}, "reads .proto files when code is generated; it is not in the program"},
	{"github.com/expr-lang/expr", []string{"pkg/flow"}, "the when expressions of lanes"},
	{"github.com/gin-gonic/gin", []string{"pkg/source/httpsource", "test/load"}, "its Context goes no further than a handler; the load test measures against it"},
	{"github.com/go-json-experiment/json", []string{"pkg/alert", "pkg/config", "outputs/loki"}, "reading alerts, and checking what they hold"},
	{"github.com/klauspost/compress", []string{"probe/pack", "pkg/journal", "pkg/source/httpsource", "pkg/httpx", "outputs/loki", "test/load"}, "gzip and snappy on the wire, S2 in the journal"},
	{"github.com/nats-io/", []string{"pkg/journal"}, "that the journal is JetStream is the journal's affair"},
	{"github.com/prometheus/client_golang/prometheus/promhttp", []string{"pkg/telemetry"}, "one page of metrics"},
	{"github.com/prometheus/client_golang/prometheus/collectors", []string{"pkg/telemetry"}, "one registry"},
	{
		"github.com/prometheus/client_golang/prometheus",
		[]string{"outputs", "outputs/*", "pkg/app", "pkg/container", "pkg/falcogrpc", "pkg/flow", "pkg/journal", "pkg/normalize", "pkg/proctree", "pkg/session", "pkg/source/httpsource", "pkg/source/probesource", "pkg/telemetry", "cmd/tiercel", "probe", "pkg/source"},
		"who counts declares it, on a Registerer that is handed down",
	},
	{"github.com/slack-go/slack", []string{"outputs/slack"}, "a vendor's library stays in its output's folder"},
	{"github.com/spf13/cobra", []string{"cmd/tiercel"}, "arguments are the command's affair"},
	{"github.com/spf13/viper", []string{"pkg/config"}, "nobody asks for a key by its name but the loader"},
	{"go.yaml.in/yaml/v3", []string{"pkg/config", "pkg/rules", "cmd/tiercel"}, "config files, rules files, and output for -o yaml"},
	{"go.uber.org/goleak", []string{"outputs/outputtest"}, "every output's test looks for goroutines left behind"},
	{"golang.org/x/net/http/httpguts", []string{"pkg/httpx", "outputs/loki", "outputs/webhook"}, "what a header may hold, as net/http sees it"},
	{"golang.org/x/sync", []string{"pkg/source/httpsource", "pkg/app", "cmd/tiercel"}, "a budget for large bodies"},
	{"golang.org/x/sys", []string{"test/kernels", "test/probe", "test/terminals", "probe", "pkg/journal", "pkg/source/*"}, "free space of a disk, options of a socket"},
	{"golang.org/x/term", []string{"cmd/tiercel", "outputs/stdout"}, "is there a terminal to read this?"},
	{"golang.org/x/text/width", []string{"cmd/tiercel", "outputs/stdout", "pkg/session", "test/terminals"}, "Hangul and emoji take two columns of a terminal"},
	{"google.golang.org/grpc", []string{"pkg/container", "pkg/falcogrpc", "pkg/source/grpcsource", "test/*"}, "Falco's gRPC API, both ends of it; container runtimes"},
	{"google.golang.org/protobuf/encoding/protowire", []string{"outputs/loki", "pkg/falcogrpc", "test/*"}, "messages of which there are many; generated code would cost far more"},
	{"google.golang.org/protobuf", []string{"pkg/container", "pkg/falcogrpc"}, "the generated code of gRPC APIs"},
	{"gopkg.in/natefinch/lumberjack.v2", []string{"outputs/file"}, "rotation of files"},
}

// never are modules that must not be in the product at all.
var never = []struct{ module, why string }{
	{"github.com/grafana/loki-client-go", "it hides delivery errors and brings 661 modules; the module test/interop has it as a witness"},
	{"github.com/stretchr/testify", "a test says what it saw in its own words"},
}

func TestImportsGoDownwards(t *testing.T) {
	for _, p := range packages(t) {
		own, ok := floorOf(p.room())
		if !ok {
			t.Errorf("%s has no floor: add it to the table above", p.path)
			continue
		}
		for _, other := range p.ours() {
			if other.room() == p.room() {
				continue
			}
			at, ok := floorOf(other.room())
			if !ok || at < own {
				continue // what has no floor is reported above
			}
			t.Errorf("%s imports %s, which is not on a lower floor.\n%s is where it is because: %s.\n%s is where it is because: %s.",
				p.path, other.path, p.room(), floors[own].why, other.room(), floors[at].why)
		}
	}
}

func TestDoorsAreKept(t *testing.T) {
	for _, p := range packages(t) {
		for _, other := range p.ours() {
			if other.room() == p.room() && other.room() != "outputs/all" {
				continue
			}
			for _, door := range doors {
				if !matches(door.room, other.path) && !matches(door.room, other.room()) {
					continue
				}
				if !slices.ContainsFunc(door.open, func(who string) bool { return matches(who, p.path) || matches(who, p.room()) }) {
					t.Errorf("%s imports %s, which is for %s only: %s", p.path, other.path, strings.Join(door.open, ", "), door.why)
				}
				break // the first line that speaks of a package decides
			}
		}
	}
}

func TestLibrariesHaveHomes(t *testing.T) {
	for _, p := range packages(t) {
		for _, library := range p.foreign() {
			at := slices.IndexFunc(homes, func(h home) bool {
				return library == h.library || strings.HasPrefix(library, strings.TrimSuffix(h.library, "/")+"/")
			})
			if at < 0 {
				t.Errorf("%s imports %s, which has no home: add it to the table above, and to docs/decisions/0005-dependencies.md", p.path, library)
				continue
			}
			home := homes[at]
			if !slices.ContainsFunc(home.rooms, func(room string) bool { return matches(room, p.room()) }) {
				t.Errorf("%s imports %s, whose home is %s: %s", p.path, library, strings.Join(home.rooms, ", "), home.why)
			}
		}
	}
}

func TestGroundFloorNeedsOnlyTheStandardLibrary(t *testing.T) {
	for _, p := range packages(t) {
		if at, ok := floorOf(p.room()); !ok || at > 0 {
			continue
		}
		for _, imported := range slices.Concat(p.foreign(), paths(p.ours())) {
			if p.path == "pkg/alert" && strings.HasPrefix(imported, "github.com/go-json-experiment/json/") {
				continue // the standard library's next JSON package, see docs/decisions/0003-json.md
			}
			t.Errorf("%s imports %s: everybody imports it, so everybody would", p.path, imported)
		}
	}
}

// The program is one static file. A library that needs a C compiler would end that.
func TestNothingNeedsC(t *testing.T) {
	for _, p := range list(t, []string{"CGO_ENABLED=1"}, "-deps", "./...") {
		if !p.Standard && len(p.CgoFiles) > 0 {
			t.Errorf("%s has C in it: %s", p.ImportPath, strings.Join(p.CgoFiles, ", "))
		}
	}
}

func TestModulesThatAreNotWanted(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range never {
		if strings.Contains(string(text), n.module+" ") {
			t.Errorf("go.mod has %s: %s", n.module, n.why)
		}
	}
}

// A line of a table that speaks of nothing is a line that somebody forgot.
func TestTablesSpeakOfWhatIsThere(t *testing.T) {
	all := packages(t)
	used := func(library string) bool {
		return slices.ContainsFunc(all, func(p pack) bool {
			return slices.ContainsFunc(p.foreign(), func(i string) bool { return strings.HasPrefix(i, library) })
		})
	}
	for _, home := range homes {
		if !used(home.library) {
			t.Errorf("nothing imports %s any more: remove its line", home.library)
		}
	}
	for _, floor := range floors {
		for _, room := range floor.rooms {
			if !slices.ContainsFunc(all, func(p pack) bool { return matches(room, p.room()) }) {
				t.Errorf("there is no %s any more: remove it from the floors", room)
			}
		}
	}
}

const root = "../.."

// pack is one of our packages, by its path in the module.
type pack struct {
	path    string
	imports []string
}

// room is the part of the house that a package belongs to: pkg/rules/field belongs to pkg/rules, outputs/slack is a
// room of its own.
func (p pack) room() string {
	parts := strings.Split(p.path, "/")
	depth := 2
	if strings.HasPrefix(p.path, "pkg/source/") {
		depth = 3
	}
	return path.Join(parts[:min(depth, len(parts))]...)
}

// ours are the imports from this module.
func (p pack) ours() []pack {
	var all []pack
	for _, i := range p.imports {
		if rest, ok := strings.CutPrefix(i, module); ok {
			all = append(all, pack{path: rest})
		}
	}
	return all
}

// foreign are the imports from other modules: those of the standard library have no dot in their first part.
func (p pack) foreign() []string {
	var all []string
	for _, i := range p.imports {
		if first, _, _ := strings.Cut(i, "/"); strings.Contains(first, ".") && !strings.HasPrefix(i, module) {
			all = append(all, i)
		}
	}
	return all
}

func paths(packs []pack) []string {
	all := make([]string, 0, len(packs))
	for _, p := range packs {
		all = append(all, p.path)
	}
	return all
}

// floorOf finds a room's floor. A room that is named wins over a pattern.
func floorOf(room string) (int, bool) {
	for i, floor := range floors {
		if slices.Contains(floor.rooms, room) {
			return i, true
		}
	}
	for i, floor := range floors {
		if slices.ContainsFunc(floor.rooms, func(pattern string) bool { return matches(pattern, room) }) {
			return i, true
		}
	}
	return 0, false
}

func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// packages lists the packages of this module.
func packages(t *testing.T) []pack {
	t.Helper()
	var all []pack
	for _, p := range list(t, nil, "./cmd/...", "./outputs/...", "./pkg/...", "./probe/...", "./rules/...", "./test/...") {
		if rest, ok := strings.CutPrefix(p.ImportPath, module); ok && p.Name != "" {
			all = append(all, pack{path: rest, imports: p.Imports})
		}
	}
	if len(all) < 15 {
		t.Fatalf("only %d packages found: the table would prove nothing", len(all))
	}
	return all
}

type listed struct {
	ImportPath string
	Name       string
	Standard   bool
	Imports    []string
	CgoFiles   []string
}

func list(t *testing.T, env []string, args ...string) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-e", "-json=ImportPath,Name,Standard,Imports,CgoFiles"}, args...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), env...)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &problems)
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
