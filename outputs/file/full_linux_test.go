package file_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tiercel/tiercel/outputs/file"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// smallDisk mounts a file system of 1 MiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("a small file system needs the right to mount one: %v", err)
		}
		t.Skipf("a small file system needs the right to mount one: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestAFullDiskLosesAndTearsNothing(t *testing.T) {
	for _, fsync := range []bool{true, false} {
		dir := smallDisk(t)
		path, filler := filepath.Join(dir, "alerts.json"), filepath.Join(dir, "filler")
		output := open(t, path, func(c *file.Config) { c.Fsync = fsync })
		send(t, output, numbered(t, 0, 3, 1000))
		if err := os.WriteFile(filler, bytes.Repeat([]byte("x"), 900<<10), 0o600); err != nil {
			t.Fatal(err)
		}
		whole := read(t, path)
		// More than what is left: a part of it is written before the disk is full.
		batch := numbered(t, 3, 300, 1000)
		for range 5 {
			err := output.Send(t.Context(), batch)
			var partial verdict.Partial
			if !errors.Is(err, unix.ENOSPC) || verdict.ReasonOf(err) != verdict.Storage || !errors.As(err, &partial) || len(partial) != len(batch) {
				t.Fatalf("got %v", err)
			}
			for i, err := range partial {
				if verdict.IsPermanent(err) {
					t.Errorf("alert %d was given up: %v", i, err)
				}
			}
			if got := read(t, path); got != whole {
				t.Fatalf("%d bytes were left behind, %.60q", len(got)-len(whole), strings.TrimPrefix(got, whole))
			}
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		send(t, output, batch)
		if got := rules(t, read(t, path)); !slices.Equal(got, count(303)) {
			t.Errorf("%d alerts: %v", len(got), got)
		}
		if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 1 {
			t.Errorf("failures began new files: %v", files)
		}
	}
}

// TestAFullDiskDuringRotation: nothing can be begun, so nothing may be lost.
func TestAFullDiskDuringRotation(t *testing.T) {
	dir := smallDisk(t)
	path, filler := filepath.Join(dir, "alerts.json"), filepath.Join(dir, "filler")
	output := open(t, path, func(c *file.Config) { c.Rotate.MaxSize = 1 << 20 })
	send(t, output, numbered(t, 0, 1, 900_000))
	if err := os.WriteFile(filler, bytes.Repeat([]byte("x"), 100<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	batch := numbered(t, 1, 1, 300_000)
	if err := output.Send(t.Context(), batch); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("got %v", err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	small := numbered(t, 1, 1, 1000)
	send(t, output, small)
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("%v (%v)", files, err)
	}
	if got := rules(t, read(t, files[0]), read(t, files[1])); !slices.Equal(got, count(2)) {
		t.Errorf("%v", got)
	}
}
