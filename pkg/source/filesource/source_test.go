package filesource_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/source"
	"github.com/tiercel/tiercel/pkg/source/filesource"
)

// taker is what stands behind a source: a journal, and the list of what was refused. Its folder outlives restarts.
type taker struct {
	t       *testing.T
	cfg     filesource.Config
	offsets string
	health  *source.Health
	log     *lockedBuffer
	stop    func()

	mu      sync.Mutex
	rules   []string
	refused []source.Refused
	put     func([]*alert.Alert) error // nil takes everything
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func follow(t *testing.T, pattern string, change func(*filesource.Config)) *taker {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	cfg := filesource.Defaults()
	cfg.Paths, cfg.Interval = []string{pattern}, 10*time.Millisecond
	if change != nil {
		change(&cfg)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	k := &taker{t: t, cfg: cfg, offsets: filepath.Join(t.TempDir(), "state", "offsets.json"), log: &lockedBuffer{}}
	k.start()
	return k
}

func (k *taker) start() {
	k.t.Helper()
	log := slog.New(slog.NewTextHandler(k.log, nil))
	k.health = source.NewHealth(log)
	offsets, err := filesource.OpenOffsets(k.offsets, log)
	if err != nil {
		k.t.Fatal(err)
	}
	door := source.NewDoor("file", log, source.NewMetrics(prometheus.NewRegistry()), func(r source.Refused) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.refused = append(k.refused, r)
	})
	s := filesource.New(k.cfg, k.cfg.Paths[0], filesource.Deps{Log: log, Door: door, Health: k.health, Offsets: offsets})
	ctx, cancel := context.WithCancel(k.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, k.take) }()
	k.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			k.t.Errorf("the source ended with %v", err)
		}
		if err := offsets.Close(); err != nil {
			k.t.Error(err)
		}
	})
	k.t.Cleanup(k.stop)
}

func (k *taker) take(_ context.Context, alerts []*alert.Alert) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.put != nil {
		if err := k.put(alerts); err != nil {
			return err
		}
	}
	for _, a := range alerts {
		k.rules = append(k.rules, a.Rule)
	}
	return nil
}

func (k *taker) took() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.rules)
}

// expect waits until exactly these were taken.
func (k *taker) expect(rules ...string) {
	k.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !slices.Equal(k.took(), rules) {
		if time.Now().After(deadline) {
			k.t.Fatalf("taken: %v, expected %v\n%s", k.took(), rules, k.log)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func (k *taker) eventually(what string, ok func() bool) {
	k.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			k.t.Fatalf("did not happen: %s\n%s", what, k.log)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func line(rule string) string {
	return `{"rule":"` + rule + `","priority":"Notice","time":"2026-01-02T03:04:05.123456789Z","output":"안녕 🐚 ` + rule + `"}` + "\n"
}

func write(t *testing.T, path string, lines ...string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(strings.Join(lines, ""))
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestFollows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.json")
	k := follow(t, path, nil)
	k.eventually("it says that the file is missing", func() bool {
		state := k.health.State()
		return state.Err != nil && strings.Contains(state.Err.Error(), "there is no file "+path)
	})
	write(t, path, line("A"), line("B"), line("C")[:20])
	k.expect("A", "B")
	write(t, path, line("C")[20:], "\n", line("D"))
	k.expect("A", "B", "C", "D")
	if state := k.health.State(); state.Err != nil {
		t.Errorf("it is shown as down: %v", state.Err)
	}
}

// A restart goes on where the last run stopped, also in the middle of a line; start: end counts for the first one only.
func TestRestart(t *testing.T) {
	for _, start := range []string{filesource.StartBegin, filesource.StartEnd} {
		t.Run(start, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "events.json")
			write(t, path, line("old"))
			k := follow(t, path, func(c *filesource.Config) { c.Start = start })
			want := []string{"old"}
			if start == filesource.StartEnd {
				want = nil
			}
			k.eventually("the file is found", func() bool { return k.health.State().Err == nil })
			k.expect(want...)
			k.stop()
			write(t, path, line("A"), line("B")[:10])
			k.start()
			want = append(want, "A")
			k.expect(want...)
			k.stop()
			write(t, path, line("B")[10:])
			k.start()
			k.expect(append(want, "B")...)
		})
	}
}

// What the journal did not take is read again.
func TestRemembersOnlyWhatTheJournalHas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.json")
	write(t, path, line("A"))
	k := follow(t, path, nil)
	k.expect("A")
	k.mu.Lock()
	k.put = func([]*alert.Alert) error { return errors.New("the journal is full") }
	k.mu.Unlock()
	write(t, path, line("B"))
	k.eventually("B is tried", func() bool { return strings.Contains(k.log.String(), "the journal takes no alerts") })
	k.stop()
	k.mu.Lock()
	k.put = nil
	k.mu.Unlock()
	k.start()
	k.expect("A", "B")
}

// Rotation by renaming: what is still written to the old file is read, too, and the new one from its begin.
func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.json")
	write(t, path, line("A"))
	k := follow(t, path, nil)
	k.expect("A")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write(t, path+".1", line("B")) // the writer does not know yet
	k.expect("A", "B")
	write(t, path, line("C"))
	k.expect("A", "B", "C")
	write(t, path+".1", line("D"))
	k.expect("A", "B", "C", "D")
	k.stop()
	write(t, path+".1", line("E")) // both are remembered
	write(t, path, line("F"))
	k.start()
	k.expect("A", "B", "C", "D", "E", "F")
}

// While nobody reads, the file is rotated three times: everything is read, in order.
func TestRotationWhileStopped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.json")
	write(t, path, line("A"))
	write(t, filepath.Join(filepath.Dir(path), "events.json.9"), line("ancient"))
	write(t, filepath.Join(filepath.Dir(path), "events-other.json"), line("of another"))
	k := follow(t, path, nil)
	k.expect("A")
	k.stop()
	write(t, path, line("B"))
	at := time.Now()
	for i, rule := range []string{"C", "D", "E"} {
		for n := i; n >= 0; n-- {
			from := path
			if n > 0 {
				from = fmt.Sprintf("%s.%d", path, n)
			}
			if err := os.Rename(from, fmt.Sprintf("%s.%d", path, n+1)); err != nil {
				t.Fatal(err)
			}
		}
		write(t, path, line(rule))
		if err := os.Chtimes(path, time.Time{}, at.Add(time.Duration(i+1)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	k.start()
	k.expect("A", "B", "C", "D", "E")
}

// The file is renamed while nobody reads, and no new one is there yet.
func TestRenamedWhileStopped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.json")
	write(t, path, line("A"))
	k := follow(t, path, nil)
	k.expect("A")
	k.stop()
	write(t, path, line("B"))
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	k.start()
	k.expect("A", "B")
}

// Rotation by copying and emptying, once with less after it and once with more than before.
func TestTruncation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.json")
	write(t, path, line("A"), line("B"))
	k := follow(t, path, nil)
	k.expect("A", "B")
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	write(t, path, line("C"))
	k.expect("A", "B", "C")
	if err := os.WriteFile(path, []byte(line("D")+line("E")+line("F")), 0o600); err != nil { // emptied and written at once
		t.Fatal(err)
	}
	k.expect("A", "B", "C", "D", "E", "F")
	k.stop()
	if err := os.WriteFile(path, []byte(line("G")), 0o600); err != nil {
		t.Fatal(err)
	}
	k.start()
	k.expect("A", "B", "C", "D", "E", "F", "G")
}

// A file of the same number that is another one is not taken for the one that was read.
func TestAnotherFileOfTheSameNumber(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.json")
	write(t, path, line("A"))
	k := follow(t, path, nil)
	k.expect("A")
	k.stop()
	if err := os.WriteFile(path, []byte(line("B")+line("C")), 0o600); err != nil { // the number stays
		t.Fatal(err)
	}
	k.start()
	k.expect("A", "B", "C")
}

// containerd and CRI-O write long lines in parts; Docker writes JSON. Falco's own log on stderr is passed over.
func TestContainerLogs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "falco.log")
	docker := func(text, stream string) string {
		b, err := json.Marshal(map[string]string{"log": text, "stream": stream, "time": "2026-07-31T09:57:57.1Z"})
		if err != nil {
			t.Fatal(err)
		}
		return `{"log":` + strings.TrimPrefix(string(b), `{"log":`) + "\n" // as Docker orders them
	}
	a, b := strings.TrimSuffix(line("A"), "\n"), strings.TrimSuffix(line("B"), "\n")
	write(t, path,
		"2026-07-31T09:57:57.881781397Z stderr F Falco initialized with configuration file\n",
		"2026-07-31T09:57:57.881781397+09:00 stdout F "+a+"\n",
		"2026-07-31T09:57:57.881781397Z stdout P "+b[:10]+"\n",
		"2026-07-31T09:57:57.881781397Z stderr F interrupts\n",
		"2026-07-31T09:57:57.881781397Z stdout P "+b[10:20]+"\n",
		"2026-07-31T09:57:57.881781397Z stdout F "+b[20:]+"\n",
		docker("Falco initialized\n", "stderr"), docker(line("C"), "stdout"), docker(line("D")[:15], "stdout"), docker(line("D")[15:], "stdout"),
		"2026-07-31T09:57:57.881781397Z stdout F 2016-08-04T16:17:57.881781397+0000: Warning as text\n",
	)
	k := follow(t, path, nil)
	k.expect("A", "B", "C", "D", source.TextRule)
	if len(k.refused) != 0 {
		t.Errorf("refused: %+v", k.refused)
	}
}

// After a crash in the middle of a line in parts, the whole of it is read again.
func TestPartsAcrossARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "falco.log")
	a, b := strings.TrimSuffix(line("A"), "\n"), strings.TrimSuffix(line("B"), "\n")
	const head = "2026-07-31T09:57:57.881781397Z stdout "
	write(t, path, head+"F "+a+"\n", head+"P "+b[:10]+"\n")
	k := follow(t, path, nil)
	k.expect("A")
	k.stop()
	write(t, path, head+"F "+b[10:]+"\n")
	k.start()
	k.expect("A", "B")
}

func TestPattern(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "falco-a.log"), line("A"))
	write(t, filepath.Join(dir, "other.log"), line("other"))
	k := follow(t, filepath.Join(dir, "falco-*.log"), nil)
	k.expect("A")
	write(t, filepath.Join(dir, "falco-b.log"), line("B")) // a new pod
	k.expect("A", "B")
	if err := os.Remove(filepath.Join(dir, "falco-a.log")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "falco-b.log"), line("C"))
	k.expect("A", "B", "C")
}

// A pod's log is a symbolic link, which points elsewhere once the container was started again.
func TestLinkThatTurns(t *testing.T) {
	pod, dir := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "falco-x_falco_falco-1.log")
	write(t, filepath.Join(pod, "0.log"), line("A"))
	if err := os.Symlink(filepath.Join(pod, "0.log"), path); err != nil {
		t.Fatal(err)
	}
	k := follow(t, filepath.Join(dir, "falco-*.log"), nil)
	k.expect("A")
	k.stop()
	write(t, filepath.Join(pod, "0.log"), line("B"))
	write(t, filepath.Join(pod, "1.log"), line("C"))
	_ = os.Remove(path)
	if err := os.Symlink(filepath.Join(pod, "1.log"), path); err != nil {
		t.Fatal(err)
	}
	k.start()
	k.expect("A", "B", "C")
}

// What is no alert is counted and shown with its place, and the rest is taken.
func TestRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.json")
	write(t, path, line("A"), "hello\n", `{"valid":true}`+"\n", strings.Repeat("x", 5000)+"\n", line("B"))
	k := follow(t, path, func(c *filesource.Config) { c.MaxLine = 1024 })
	k.expect("A", "B")
	k.mu.Lock()
	defer k.mu.Unlock()
	var reasons []string
	for _, r := range k.refused {
		reasons = append(reasons, r.Reason)
	}
	if !slices.Equal(reasons, []string{source.NotText, string(alert.MissingMember), source.TooLarge}) {
		t.Errorf("refused: %+v", k.refused)
	}
	if want := fmt.Sprintf("%s, byte %d", path, len(line("A"))); k.refused[0].Remote != want || string(k.refused[0].Body) != "hello" {
		t.Errorf("the first is %+v, expected it at %s", k.refused[0], want)
	}
}

// A damaged memory costs repetitions, never an alert, even with start: end.
func TestDamagedOffsets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.json")
	write(t, path, line("A"))
	k := follow(t, path, func(c *filesource.Config) { c.Start = filesource.StartEnd })
	k.eventually("the file is found", func() bool { return k.health.State().Err == nil })
	k.stop()
	if err := os.WriteFile(k.offsets, []byte(`{"half`), 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, path, line("B"))
	k.start()
	k.expect("A", "B")
}

// A batch of many: offsets and alerts stay together through restarts at any moment.
func TestManyThroughRestarts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.json")
	var want []string
	k := follow(t, path, nil)
	for i := range 20 {
		for j := range 300 {
			rule := fmt.Sprintf("%d-%d", i, j)
			write(t, path, line(rule))
			want = append(want, rule)
		}
		if i%3 == 0 {
			k.stop()
			k.start()
		}
		if i%7 == 6 {
			if err := os.Rename(path, fmt.Sprintf("%s.%d", path, i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	k.expect(want...)
}
