package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tiercel/tiercel/pkg/size"
)

func newTestAppender(t *testing.T, fsync bool) (*appender, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "alerts.json")
	f := newAppender(Config{Path: path, Fsync: fsync, Rotate: Rotate{MaxSize: size.MiB}})
	t.Cleanup(func() { _ = f.close() })
	return &f, path
}

func TestNoOldFileReplacesAnother(t *testing.T) {
	f, path := newTestAppender(t, false)
	const n = 40
	for i := range n {
		if err := f.append(t.Context(), fmt.Appendln(nil, i)); err != nil {
			t.Fatal(err)
		}
		if err := f.rotate(); err != nil {
			t.Fatal(err)
		}
	}
	old, err := filepath.Glob(filepath.Join(filepath.Dir(path), "alerts-*"))
	if err != nil || len(old) != n {
		t.Errorf("%d of %d files are left (%v)", len(old), n, err)
	}
}

func TestNothingIsAppendedBeforeItIsOnTheDisk(t *testing.T) {
	f, path := newTestAppender(t, true)
	var synced []string
	var fail error
	f.fsync = func(file *os.File) error {
		text, _ := os.ReadFile(path)
		synced = append(synced, fmt.Sprintf("%s %q", filepath.Base(file.Name()), text))
		return fail
	}
	folder := filepath.Base(filepath.Dir(path))
	for _, line := range []string{"a\n", "b\n"} {
		if err := f.append(t.Context(), []byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	fail = errors.New("input/output error")
	if err := f.append(t.Context(), []byte("c\n")); !errors.Is(err, fail) {
		t.Errorf("got %v", err)
	}
	fail = nil
	if err := f.append(t.Context(), []byte("d\n")); err != nil {
		t.Fatal(err)
	}
	// A new file's name is synced once; what could not be synced is taken back.
	want := []string{
		`alerts.json "a\n"`, folder + ` "a\n"`, `alerts.json "a\nb\n"`, `alerts.json "a\nb\nc\n"`, `alerts.json "a\nb\nd\n"`,
	}
	if !slices.Equal(synced, want) {
		t.Errorf("%v, want %v", synced, want)
	}
}
