package runtimes

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// passwd and group of the image: app has a name that the host has not.
const (
	passwd = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:앱:/home/app:/bin/sh\n"
	group  = "root:x:0:\napp:x:1000:\n"
)

// Rootfs makes a root file system of busybox and its links in a folder of the test.
func Rootfs(t testing.TB) string {
	t.Helper()
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal("busybox is not installed")
	}
	root := t.TempDir()
	for _, dir := range []string{"bin", "dev", "etc", "home/app", "proc", "root", "sys", "tmp", "var/log"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"etc/passwd": []byte(passwd), "etc/group": []byte(group), "bin/busybox": program} {
		if err := os.WriteFile(filepath.Join(root, name), text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	applets := must(t, exec.CommandContext(t.Context(), busybox, "--list"))
	for applet := range strings.FieldsSeq(applets) {
		if applet == "busybox" {
			continue
		}
		if err := os.Symlink("busybox", filepath.Join(root, "bin", applet)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// Archive writes the images as `docker save` would, into a folder of the test, and gives its path: Image, and one that only
// waits, which holds pods together.
func Archive(t testing.TB) string {
	t.Helper()
	layer := layerOf(t, Rootfs(t))
	digest := sha256.Sum256(layer)
	config := func(command ...string) []byte {
		return marshal(t, map[string]any{
			"architecture": runtime.GOARCH,
			"os":           "linux",
			"config":       map[string]any{"Cmd": command, "Env": []string{"PATH=/bin"}, "Labels": map[string]string{"org.tiercel.image": "참"}},
			"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(digest[:])}},
		})
	}
	manifest := marshal(t, []any{
		map[string]any{"Config": "config.json", "RepoTags": []string{Image}, "Layers": []string{"layer.tar"}},
		map[string]any{"Config": "pause.json", "RepoTags": []string{pauseImage}, "Layers": []string{"layer.tar"}},
	})

	path := filepath.Join(t.TempDir(), "image.tar")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(f)
	for _, file := range []struct {
		name string
		text []byte
	}{{"manifest.json", manifest}, {"config.json", config("/bin/sh")}, {"pause.json", config(forever...)}, {"layer.tar", layer}} {
		write(t, w, &tar.Header{Name: file.name, Mode: 0o644, Size: int64(len(file.text))}, file.text)
	}
	closeAll(t, w, f)
	return path
}

// layerOf packs a folder, owned by root, without times: the same folder gives the same layer.
func layerOf(t testing.TB, root string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err := filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
		if err != nil || path == root {
			return err
		}
		link := ""
		if info.Mode()&os.ModeSymlink != 0 {
			if link, err = os.Readlink(path); err != nil {
				return err
			}
		}
		header, err := tar.FileInfoHeader(info, link)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		clean := tar.Header{Typeflag: header.Typeflag, Name: name, Linkname: link, Size: header.Size, Mode: header.Mode}
		var text []byte
		if info.Mode().IsRegular() {
			if text, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		write(t, w, &clean, text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	closeAll(t, w)
	return b.Bytes()
}

func write(t testing.TB, w *tar.Writer, header *tar.Header, text []byte) {
	t.Helper()
	if err := w.WriteHeader(header); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
}

func closeAll(t testing.TB, closers ...io.Closer) {
	t.Helper()
	for _, c := range closers {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
