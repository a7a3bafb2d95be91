package rulefile_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tiercel/tiercel/pkg/rules/load"
	"github.com/tiercel/tiercel/pkg/rules/rulefile"
)

func names(files []rulefile.File) []string {
	var out []string
	for _, f := range files {
		name := filepath.Base(f.Name)
		if f.Err != nil {
			name += ": " + f.Err.Error()
		}
		out = append(out, name)
	}
	return out
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"rules.d/b.yaml", "rules.d/a.yml", "rules.d/readme.md", "rules.d/c.yaml.bak", "rules.d/deep/d.yaml", "rules.d/한글.yaml", "one.rules"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("# "+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"linked.yaml": "../one.rules", "gone.yaml": "nowhere", "folder.yaml": "deep"} {
		if err := os.Symlink(to, filepath.Join(dir, "rules.d", link)); err != nil {
			t.Fatal(err)
		}
	}
	got := rulefile.Read([]string{filepath.Join(dir, "one.rules"), filepath.Join(dir, "rules.d"), filepath.Join(dir, "none.yaml")}, nil)
	want := []string{"one.rules", "a.yml", "b.yaml", "gone.yaml: no such file or directory", "linked.yaml", "한글.yaml", "none.yaml: no such file or directory"}
	if !slices.Equal(names(got), want) {
		t.Errorf("%q", names(got))
	}
	if got[4].Text != "# one.rules" {
		t.Errorf("%q", got[4].Text)
	}
	l := load.New(load.Options{})
	if r := got[3].Result(l); r.OK() || r.Errors[0].Code != load.ErrFileRead || !strings.HasSuffix(r.Name, "gone.yaml") {
		t.Errorf("%s", r)
	}
	if r := got[1].Result(l); !r.OK() {
		t.Errorf("%s", r)
	}
}

func TestUnreadable(t *testing.T) {
	if os.Geteuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("permissions do not count here")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0); err != nil {
		t.Fatal(err)
	}
	if got := rulefile.Read([]string{dir}, nil); len(got) != 1 || got[0].Err == nil {
		t.Errorf("%v", got)
	}
}

func TestFromFS(t *testing.T) {
	got := rulefile.FromFS(fstest.MapFS{"b.yaml": {Data: []byte("b")}, "a.yaml": {Data: []byte("a")}, "x.txt": {}})
	if !slices.Equal(names(got), []string{"a.yaml", "b.yaml"}) || got[1].Text != "b" {
		t.Errorf("%v", got)
	}
}

func TestBuiltin(t *testing.T) {
	builtin := fstest.MapFS{"own.yaml": {Data: []byte("b")}}
	file := filepath.Join(t.TempDir(), "more.yaml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, paths := range map[string][]string{"own.yaml": nil, "own.yaml more.yaml": {"default", file}, "more.yaml": {file}} {
		if got := strings.Join(names(rulefile.Read(paths, builtin)), " "); got != want {
			t.Errorf("%v: %s", paths, got)
		}
	}
	if got := rulefile.Read(nil, nil); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestTooLarge(t *testing.T) {
	if f := rulefile.ReadAll(strings.NewReader(strings.Repeat("#", load.MaxFile)), "x"); f.Err != nil {
		t.Error(f.Err)
	}
	f := rulefile.ReadAll(strings.NewReader(strings.Repeat("#", load.MaxFile+1)), "x")
	if f.Err == nil || !strings.Contains(f.Err.Error(), "16777216") {
		t.Error(f.Err)
	}
}
