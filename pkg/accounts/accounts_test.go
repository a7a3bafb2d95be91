package accounts

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/tiercel/tiercel/pkg/container"
	"github.com/tiercel/tiercel/probe"
)

// fake makes accounts over folders instead of processes.
func fake(t *testing.T, roots map[int32]string) *Accounts {
	t.Helper()
	a := New()
	a.alive = func(probe.Key) bool { return true }
	a.open = func(pid int32) (*os.Root, error) { return os.OpenRoot(roots[pid]) }
	return a
}

func root(t *testing.T, passwd, group string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"passwd": passwd, "group": group} {
		if err := os.WriteFile(filepath.Join(dir, "etc", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestNamesOfTheMachineAndOfContainers(t *testing.T) {
	box := container.Ref{ID: "abc"}
	a := fake(t, map[int32]string{
		0: root(t, "root:x:0:0:root:/root:/bin/bash\n수진:x:1000:1000::/home/수진:/bin/zsh\nagain:x:1000:1::/:/\n", "root:x:0:\nstaff:x:50:a,b\n"),
		7: root(t, "# a comment\nbroken\napp:x:1000:1000:앱:/app:/bin/false\nwide:x:99999999999:0:::\n", "app:x:1000:\n"),
	})
	a.learn(lesson{})
	a.learn(lesson{box, probe.Key{PID: 7}})
	for _, one := range []struct {
		in   container.Ref
		uid  uint32
		want string
	}{{container.Ref{}, 0, "root"}, {container.Ref{}, 1000, "수진"}, {box, 1000, "app"}, {box, 0, ""}, {container.Ref{ID: "other"}, 0, ""}} {
		if u, _ := a.User(one.in, one.uid); u.Name != one.want {
			t.Errorf("user %d in %q is %q, want %q", one.uid, one.in.ID, u.Name, one.want)
		}
	}
	if name, _ := a.Group(container.Ref{}, 50); name != "staff" {
		t.Errorf("group 50 is %q", name)
	}
	if u, _ := a.User(container.Ref{}, 1000); u.Home != "/home/수진" || u.Shell != "/bin/zsh" {
		t.Errorf("the user is %+v", u)
	}
}

// A container must neither lead us out of it nor hold us up.
func TestFilesOfStrangers(t *testing.T) {
	secret := root(t, "leaked:x:1000:1::/:/\n", "")
	out := root(t, "", "")
	if err := os.Remove(filepath.Join(out, "etc", "passwd")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(secret, "etc", "passwd"), filepath.Join(out, "etc", "passwd")); err != nil {
		t.Fatal(err)
	}
	pipe := root(t, "", "")
	if err := os.Remove(filepath.Join(pipe, "etc", "passwd")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(pipe, "etc", "passwd"), 0o600); err != nil {
		t.Skip(err)
	}
	a := fake(t, map[int32]string{1: out, 2: pipe})
	for pid, id := range map[int32]string{1: "out", 2: "pipe"} {
		in := container.Ref{ID: id}
		a.learn(lesson{in, probe.Key{PID: pid}})
		if u, ok := a.User(in, 1000); ok {
			t.Errorf("%s: a name came from outside: %v", id, u)
		}
	}
}

func TestLearnNeverWaitsAndAsksOnce(t *testing.T) {
	dir := root(t, "app:x:1000:1000::/:/\n", "")
	reads := 0
	a := fake(t, nil)
	a.open = func(pid int32) (*os.Root, error) {
		if pid != 0 {
			reads++
		}
		return os.OpenRoot(dir)
	}
	synctest.Test(t, func(t *testing.T) {
		box := container.Ref{ID: "abc"}
		a.wanted = make(chan lesson, 64) // of this bubble
		for range 200 {
			a.Learn(box, probe.Key{PID: 7})
		}
		go a.Run(t.Context())
		synctest.Wait()
		if u, _ := a.User(box, 1000); u.Name != "app" || reads != 1 {
			t.Errorf("the name is %q after %d reads", u.Name, reads)
		}
	})
}

// A pid that was given to somebody else names nobody: the folder may be that of another container.
func TestReusedPidIsNotRead(t *testing.T) {
	a := fake(t, map[int32]string{7: root(t, "stranger:x:1000:1000::/:/\n", "")})
	a.alive = func(k probe.Key) bool { return k.Start == 2 }
	box := container.Ref{ID: "abc"}
	a.learn(lesson{box, probe.Key{PID: 7, Start: 1}})
	if u, known := a.User(box, 1000); known {
		t.Errorf("user 1000 is %q, of a process that is another", u.Name)
	}
	a.learn(lesson{box, probe.Key{PID: 7, Start: 2}})
	if u, _ := a.User(box, 1000); u.Name != "stranger" {
		t.Errorf("user 1000 is %q", u.Name)
	}
}
