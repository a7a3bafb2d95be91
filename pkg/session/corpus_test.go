//go:build linux

package session_test

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tiercel/tiercel/pkg/session"
	"github.com/tiercel/tiercel/test/terminals"
)

// A scenario is typed into real shells; expect is what they were given. The format is described at the head of
// testdata/scenarios.yaml.
type scenario struct {
	ID            string              `yaml:"id"`
	Cols          int                 `yaml:"cols"`
	Rows          int                 `yaml:"rows"`
	PS1           *string             `yaml:"ps1"`
	Env           map[string]string   `yaml:"env"`
	Setup         []string            `yaml:"setup"`
	Needs         []string            `yaml:"needs"`
	Only          []string            `yaml:"only"`
	Not           []string            `yaml:"not"`
	Steps         []step              `yaml:"steps"`
	Expect        []string            `yaml:"expect"`
	ExpectByShell map[string][]string `yaml:"expect_by_shell"`
	Forbid        []string            `yaml:"forbid"`
}

type step struct {
	Keys    string `yaml:"keys"`
	Burst   string `yaml:"burst"`
	PauseMS int    `yaml:"pause_ms"`
	Resize  []int  `yaml:"resize"`
}

type shell struct {
	Argv      []string `yaml:"argv"`
	Abilities []string `yaml:"abilities"`
}

type corpus struct {
	Shells    map[string]shell `yaml:"shells"`
	Scenarios []scenario       `yaml:"scenarios"`
}

func loadCorpus(t testing.TB, name string) *corpus {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Skipf("the scenarios are not here: %v", err)
	}
	var c corpus
	if err := yaml.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	return &c
}

func (s *scenario) fits(name string, sh shell) bool {
	if len(s.Only) > 0 && !slices.Contains(s.Only, name) || slices.Contains(s.Not, name) {
		return false
	}
	for _, n := range s.Needs {
		if !slices.Contains(sh.Abilities, n) {
			return false
		}
	}
	return true
}

// shellCommand makes the command of a shell in a folder of its own.
func (s *scenario) command(t testing.TB, sh shell) *exec.Cmd {
	t.Helper()
	home := t.TempDir()
	work := filepath.Join(home, "w")
	if err := os.Mkdir(work, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(sh.Argv[0], sh.Argv[1:]...)
	cmd.Dir = work
	cmd.Env = []string{
		"LANG=C.UTF-8", "LC_ALL=C.UTF-8", "TERM=xterm", "HOME=" + home, "PATH=" + os.Getenv("PATH"), "HISTFILE=" + home + "/h", "SHELL=/bin/sh",
	}
	if s.PS1 != nil {
		cmd.Env = append(cmd.Env, "PS1="+*s.PS1)
	}
	for k, v := range s.Env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	return cmd
}

// play types a scenario into a terminal.
func (s *scenario) play(term *terminals.Terminal) {
	term.Ready()
	for _, c := range s.Setup {
		term.Type(c + "\r")
	}
	for _, st := range s.Steps {
		if len(st.Resize) == 2 {
			_ = term.Resize(st.Resize[0], st.Resize[1])
			time.Sleep(50 * time.Millisecond)
			term.Quiet(30*time.Millisecond, 500*time.Millisecond)
		}
		if st.Keys != "" {
			term.Type(st.Keys)
		}
		if st.Burst != "" {
			term.Write(st.Burst)
			time.Sleep(40 * time.Millisecond)
			term.Quiet(25*time.Millisecond, 400*time.Millisecond)
		}
		time.Sleep(time.Duration(st.PauseMS) * time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond)
	term.Quiet(40*time.Millisecond, time.Second)
}

// TestCorpus types scenarios into real shells on real terminals, and compares what was recorded with what was typed. Lines
// of one command are one record, so what is compared is all text, with line breaks. An empty list in expect_by_shell means
// that what the shell is given depends on the machine; then only what must not be recorded is checked.
func TestCorpus(t *testing.T) {
	cfg := session.Defaults()
	cfg.Redact.Builtin = false
	m := watch(t, cfg)
	for _, name := range []string{"../../../shared/data/tty_scenarios.yaml", "testdata/scenarios.yaml"} {
		t.Run(filepath.Base(name), func(t *testing.T) { runCorpus(t, m, loadCorpus(t, name)) })
	}
}

func runCorpus(t *testing.T, m *machine, c *corpus) {
	type job struct {
		s     *scenario
		shell string
	}
	var jobs []job
	for i := range c.Scenarios {
		for name, sh := range c.Shells {
			if _, err := exec.LookPath(sh.Argv[0]); err != nil {
				if os.Getenv("REQUIRE_BPF") == "1" {
					t.Errorf("%s is not installed", sh.Argv[0])
				}
				continue
			}
			if c.Scenarios[i].fits(name, sh) {
				jobs = append(jobs, job{&c.Scenarios[i], name})
			}
		}
	}
	slices.SortFunc(jobs, func(a, b job) int { return cmp.Or(strings.Compare(a.s.ID, b.s.ID), strings.Compare(a.shell, b.shell)) })
	confidence := make(map[string]int)
	var mu sync.Mutex
	good := 0
	t.Run("all", func(t *testing.T) {
		for _, j := range jobs {
			t.Run(j.s.ID+"/"+j.shell, func(t *testing.T) {
				t.Parallel()
				term := terminals.Start(t, j.s.command(t, c.Shells[j.shell]), cmp.Or(j.s.Cols, 80), cmp.Or(j.s.Rows, 24))
				j.s.play(term)
				time.Sleep(250 * time.Millisecond)
				var got []string
				lines := m.lines(m.session(term.Process.Pid))
				mu.Lock()
				for _, l := range lines {
					confidence[l.fields["shell.confidence"]+" "+l.fields["shell.confidence_reason"]]++
				}
				mu.Unlock()
				for i, l := range lines {
					if i >= len(j.s.Setup) {
						for part := range strings.SplitSeq(l.fields["shell.line"], "\n") {
							got = append(got, strings.TrimRight(part, " "))
						}
					}
				}
				m.forbid(t, j.s.Forbid)
				want := j.s.Expect
				if w, ok := j.s.ExpectByShell[j.shell]; ok {
					if want = w; len(w) == 0 {
						return
					}
				}
				var parts []string
				for _, w := range want {
					for part := range strings.SplitSeq(w, "\n") {
						parts = append(parts, strings.TrimRight(part, " "))
					}
				}
				if !slices.Equal(got, parts) {
					t.Errorf("recorded %q\nwanted   %q\nshown    %q", got, parts, term.Shown())
					return
				}
				mu.Lock()
				good++
				mu.Unlock()
			})
		}
	})
	t.Logf("%d of %d as typed; confidence of the lines: %v", good, len(jobs), confidence)
}

// forbid fails if any of the texts is in anything that was told.
func (m *machine) forbid(t *testing.T, texts []string) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, text := range texts {
		for _, e := range m.tolds {
			if strings.Contains(fmt.Sprint(e.fields), text) {
				t.Errorf("the secret %q is in %s", text, e)
			}
		}
	}
}
