// Package crash proves on the real binary that what was answered 200 reaches every output: through kill -9, a full
// disk, a torn file, SIGTERM under load, changes of the config between two starts, and the loss of a NATS node.
package crash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
)

// runs is how often the killing is done: 10 times, or as TIERCEL_CRASH_RUNS says.
func runs(t *testing.T) int {
	text := os.Getenv("TIERCEL_CRASH_RUNS")
	if text == "" {
		return 10
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("TIERCEL_CRASH_RUNS is %q, expected a number from 1", text)
	}
	return n
}

// binary builds tiercel once for all tests, or takes the one that TIERCEL_BINARY names.
var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("TIERCEL_BINARY"); path != "" {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "tiercel-crash")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "tiercel")
	out, err := exec.Command("go", "build", "-o", path, "github.com/tiercel/tiercel/cmd/tiercel").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	if os.Getenv("TIERCEL_TEST_NATS") != "" {
		os.Exit(natsNode())
	}
	code := m.Run()
	if path, err := binary(); err == nil && os.Getenv("TIERCEL_BINARY") == "" {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// place is where alerts arrive: it notes the number of each.
type place struct {
	*httptest.Server

	mu     sync.Mutex
	seen   map[int]int
	status atomic.Int32 // answered instead of taking the alert, unless 0
}

var number = regexp.MustCompile(`"n\\?":\\?"?(\d+)|alert (\d+) end`)

func newPlace(t testing.TB) *place {
	p := &place{seen: map[int]int{}}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *place) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if status := int(p.status.Load()); status != 0 {
		w.WriteHeader(status)
		return
	}
	if r.Header.Get("Content-Type") == "application/x-protobuf" {
		if data, err = s2.Decode(nil, data); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
	}
	p.note(data)
}

func (p *place) note(data []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	inOne := map[int]bool{}
	for _, m := range number.FindAllSubmatch(data, -1) {
		n, _ := strconv.Atoi(string(m[1]) + string(m[2]))
		inOne[n] = true
	}
	for n := range inOne {
		p.seen[n]++
	}
}

func (p *place) has(n int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen[n] > 0
}

// tiercel is the program under test, with its config.
type tiercel struct {
	t      testing.TB
	dir    string
	port   int
	config string
	cmd    *exec.Cmd
	logs   *os.File
}

func newTiercel(t testing.TB, config string) *tiercel {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	x := &tiercel{t: t, dir: t.TempDir(), port: free.Addr().(*net.TCPAddr).Port}
	_ = free.Close()
	x.configure(config)
	t.Cleanup(func() {
		x.kill()
		if t.Failed() {
			text, _ := os.ReadFile(filepath.Join(x.dir, "log"))
			t.Logf("the end of its log:\n%s", text[max(0, len(text)-4000):])
		}
	})
	return x
}

// configure writes the config; DIR in it is the test's folder.
func (x *tiercel) configure(config string) {
	x.t.Helper()
	x.config = fmt.Sprintf("listenaddress: 127.0.0.1\nlistenport: %d\nlog: {format: text}\nprobe: {enabled: false}\n%s", x.port, strings.ReplaceAll(config, "DIR", x.dir))
	if err := os.WriteFile(filepath.Join(x.dir, "config.yaml"), []byte(x.config), 0o600); err != nil {
		x.t.Fatal(err)
	}
}

func (x *tiercel) url() string { return fmt.Sprintf("http://127.0.0.1:%d/", x.port) }

func (x *tiercel) start() {
	x.t.Helper()
	path, err := binary()
	if err != nil {
		x.t.Fatal(err)
	}
	if x.logs, err = os.OpenFile(filepath.Join(x.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		x.t.Fatal(err)
	}
	x.cmd = exec.Command(path, "run", "-c", filepath.Join(x.dir, "config.yaml"))
	x.cmd.Env = append(os.Environ(), "PROBE_ENABLED=false") // only the alerts that are sent count
	x.cmd.Stdout, x.cmd.Stderr = x.logs, x.logs
	if err := x.cmd.Start(); err != nil {
		x.t.Fatal(err)
	}
	x.eventually(time.Minute, "it does not start", func() bool {
		resp, err := http.Get(x.url() + "ping")
		if err == nil {
			_ = resp.Body.Close()
		}
		return err == nil
	})
}

func (x *tiercel) kill() {
	if x.cmd == nil || x.cmd.ProcessState != nil {
		return
	}
	_ = x.cmd.Process.Kill()
	_ = x.cmd.Wait()
	_ = x.logs.Close()
}

// stop ends it as Kubernetes would.
func (x *tiercel) stop() {
	x.t.Helper()
	if err := x.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		x.t.Fatal(err)
	}
	if err := x.cmd.Wait(); err != nil {
		x.t.Errorf("after SIGTERM: %v", err)
	}
	_ = x.logs.Close()
}

func (x *tiercel) eventually(most time.Duration, what string, ok func() bool) {
	x.t.Helper()
	for deadline := time.Now().Add(most); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			x.t.Fatalf("waited %s: %s", most, what)
		}
	}
}

// noise is a text that cannot be compressed much, so that the journal's files grow as they do with very different alerts.
func noise(seed, length int) string {
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	text := make([]byte, length)
	for i := range text {
		text[i] = byte('0' + random.IntN(64)) // from 0 to o, which has no quotes but a backslash
		if text[i] == '\\' {
			text[i] = '-'
		}
	}
	return string(text)
}

// alertBody makes alert n.
func alertBody(n int) string {
	priority := "Notice"
	if n%10 == 0 {
		priority = "Critical"
	}
	return fmt.Sprintf(`{"hostname":"node-%d","output":"alert %d end","priority":%q,"rule":"Terminal shell in container","source":"syscall","time":"2026-01-01T00:00:00Z","output_fields":{"n":"%d","pad":%q}}`,
		n%4, n, priority, n, noise(n, 700))
}

// senders post alerts until stopped and remember which were answered 200.
type senders struct {
	x        *tiercel
	next     atomic.Int64
	mu       sync.Mutex
	accepted []int
	refused  int
	stop     func()
}

// send starts n senders. They go on through broken connections, as several Falcos would.
func (x *tiercel) send(n int) *senders {
	s := &senders{x: x}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for range n {
		running.Go(func() {
			client := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
			defer client.CloseIdleConnections()
			for ctx.Err() == nil {
				s.post(ctx, client, int(s.next.Add(1)))
			}
		})
	}
	s.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	x.t.Cleanup(s.stop)
	return s
}

func (s *senders) post(ctx context.Context, client *http.Client, n int) {
	// The request itself is not cut by stop: an answer that is on its way must be counted.
	resp, err := client.Post(s.x.url(), "application/json", strings.NewReader(alertBody(n)))
	if err != nil {
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
		return
	}
	_ = resp.Body.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if resp.StatusCode == http.StatusOK {
		s.accepted = append(s.accepted, n)
	} else {
		s.refused++
	}
}

func (s *senders) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.accepted)
}

// arrive fails unless every accepted alert that want lets through arrives.
func (s *senders) arrive(name string, has, want func(n int) bool) {
	s.x.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	missing := func() (all []int) {
		for _, n := range s.accepted {
			if want(n) && !has(n) {
				all = append(all, n)
			}
		}
		return all
	}
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if len(missing()) == 0 {
			return
		}
	}
	lost := missing()
	s.x.t.Errorf("%s lacks %d of %d alerts that were answered 200, %v for example", name, len(lost), len(s.accepted), lost[:min(5, len(lost))])
}

func every(int) bool      { return true }
func critical(n int) bool { return n%10 == 0 }

// inFile reads the numbers in a file of JSON lines.
func inFile(t testing.TB, path string) func(int) bool {
	p := &place{seen: map[int]int{}}
	var read int64
	return func(n int) bool {
		f, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			return false
		}
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.Seek(read, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		if end := bytes.LastIndexByte(data, '\n'); end >= 0 {
			p.note(data[:end])
			for line := range bytes.Lines(data[:end]) {
				p.note(line)
			}
			read += int64(end + 1)
		}
		return p.has(n)
	}
}

// outputs is a config with four outputs of different kinds. The file is not rotated, for only one is looked into.
func outputs(web, loki *place, more string) string {
	return fmt.Sprintf("webhook: {address: '%s/hook'}\nloki: {hostport: '%s'}\nloki/critical: {hostport: '%s', minimumpriority: critical, endpoint: /critical}\nfile: {path: DIR/alerts.jsonl, rotate: {maxsize: 64GiB}}\n%s", web.URL, loki.URL, web.URL, more)
}

func TestKill9(t *testing.T) {
	for _, sync := range []string{"always", "interval", "none"} {
		t.Run("sync "+sync, func(t *testing.T) {
			t.Parallel()
			web, loki := newPlace(t), newPlace(t)
			x := newTiercel(t, outputs(web, loki, "journal: {dir: DIR/journal, sync: "+sync+", reserve: 0}\n"))
			x.start()
			s := x.send(8)
			for i := range runs(t) {
				time.Sleep(time.Duration(100+rand.IntN(600)) * time.Millisecond)
				switch i % 3 { // and the destinations are not always well
				case 1:
					web.status.Store(503)
				case 2:
					web.status.Store(0)
				}
				x.kill()
				x.start()
			}
			web.status.Store(0)
			s.stop()
			if s.count() < 100 {
				t.Fatalf("only %d alerts were accepted", s.count())
			}
			s.arrive("webhook", web.has, every)
			s.arrive("loki", loki.has, every)
			s.arrive("loki/critical", web.has, critical)
			s.arrive("file", inFile(t, filepath.Join(x.dir, "alerts.jsonl")), every)
			x.stop()
			if !t.Failed() {
				t.Logf("%d alerts accepted through %d kills, none lost", s.count(), runs(t))
			}
		})
	}
}

func TestSIGTERMUnderLoad(t *testing.T) {
	for _, storage := range []string{"file", "memory"} {
		t.Run(storage, func(t *testing.T) {
			t.Parallel()
			web, loki := newPlace(t), newPlace(t)
			x := newTiercel(t, outputs(web, loki, "journal: {dir: DIR/journal, storage: "+storage+", reserve: 0}\n"))
			for range 3 {
				x.start()
				s := x.send(8)
				x.eventually(30*time.Second, "nothing is accepted", func() bool { return s.count() > 200 })
				x.stop()
				s.stop()
				if storage == "file" {
					continue
				}
				// What is in memory must have been drained before the end.
				s.arrive("webhook", web.has, every)
				s.arrive("loki", loki.has, every)
			}
			if storage == "file" {
				x.start()
				s := x.send(1)
				x.eventually(30*time.Second, "nothing is accepted", func() bool { return s.count() > 10 })
				s.stop()
				s.arrive("webhook", web.has, every)
				x.stop()
			}
		})
	}
}

// smallDisk mounts a file system of so many bytes.
func smallDisk(t *testing.T, dir string, megabytes int) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", megabytes))
	if errors.Is(err, syscall.EPERM) && os.Getenv("CI") == "" {
		t.Skip("a small file system can be mounted by root only")
	}
	if err != nil {
		t.Fatalf("mounting a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

func TestFullDisk(t *testing.T) {
	for name, reserve := range map[string]string{"guarded": "16MiB", "writes fail": "0"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			web, loki := newPlace(t), newPlace(t)
			web.status.Store(503)
			x := newTiercel(t, outputs(web, loki, "journal: {dir: DIR/disk/journal, full: refuse, fullwait: 100ms, maxsize: 1GiB, reserve: "+reserve+"}\n"))
			smallDisk(t, filepath.Join(x.dir, "disk"), 40)
			ballast := filepath.Join(x.dir, "disk", "ballast")
			x.start()
			s := x.send(8)
			x.eventually(30*time.Second, "nothing is accepted", func() bool { return s.count() > 100 })
			// Somebody else fills the disk under the journal.
			f, err := os.Create(ballast)
			if err != nil {
				t.Fatal(err)
			}
			block := make([]byte, 64<<10)
			for err == nil {
				_, err = f.Write(block)
			}
			_ = f.Close()
			x.eventually(time.Minute, "a full disk refuses nothing", func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				return s.refused > 0
			})
			before := s.count()
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			x.eventually(time.Minute, "it does not accept again", func() bool { return s.count() > before+100 })
			s.stop()
			web.status.Store(0)
			s.arrive("webhook", web.has, every)
			s.arrive("loki", loki.has, every)
			x.stop()
			x.start() // and it comes up again on what it wrote
			x.stop()
		})
	}
}

func TestTornLastBlock(t *testing.T) {
	t.Parallel()
	web, loki := newPlace(t), newPlace(t)
	web.status.Store(503)
	x := newTiercel(t, outputs(web, loki, "journal: {dir: DIR/journal, sync: none, reserve: 0}\n"))
	x.start()
	s := x.send(4)
	x.eventually(30*time.Second, "nothing is accepted", func() bool { return s.count() > 500 })
	x.kill()
	s.stop()
	blocks, err := filepath.Glob(filepath.Join(x.dir, "journal/jetstream/*/streams/*-alerts/msgs/*.blk"))
	if err != nil || len(blocks) == 0 {
		t.Fatalf("no blocks: %v", err)
	}
	last := blocks[len(blocks)-1]
	info, err := os.Stat(last)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(last, info.Size()-100); err != nil {
		t.Fatal(err)
	}
	web.status.Store(0)
	x.start()
	missing := 0
	x.eventually(time.Minute, "more than the torn write is lost", func() bool {
		missing = 0
		for _, n := range s.accepted {
			if !web.has(n) {
				missing++
			}
		}
		// The last write held at most as many alerts as there were senders.
		return missing <= 4
	})
	again := x.send(4)
	x.eventually(30*time.Second, "nothing more is accepted", func() bool { return again.count() > 100 })
	again.stop()
	again.arrive("webhook", web.has, every)
	x.stop()
	t.Logf("%d of %d alerts were in the torn write", missing, s.count())
}

func TestOutputsChangeBetweenStarts(t *testing.T) {
	t.Parallel()
	web, loki, third := newPlace(t), newPlace(t), newPlace(t)
	loki.status.Store(503)
	x := newTiercel(t, fmt.Sprintf("webhook: {address: '%s'}\nloki: {hostport: '%s'}\njournal: {dir: DIR/journal, reserve: 0}\n", web.URL, loki.URL))
	x.start()
	s := x.send(4)
	x.eventually(30*time.Second, "nothing is accepted", func() bool { return s.count() > 200 })
	x.stop()
	s.stop()
	loki.status.Store(0)
	// loki goes by another name now, and a second webhook is new.
	x.configure(fmt.Sprintf("webhook: {address: '%s'}\nwebhook/new: {address: '%s'}\nloki/renamed: {hostport: '%s'}\njournal: {dir: DIR/journal, reserve: 0}\n", web.URL, third.URL, loki.URL))
	x.start()
	after := x.send(4)
	after.next.Store(1_000_000)
	x.eventually(30*time.Second, "nothing is accepted", func() bool { return after.count() > 200 })
	after.stop()
	s.arrive("webhook", web.has, every)
	for name, p := range map[string]*place{"webhook": web, "webhook/new": third, "loki/renamed": loki} {
		after.arrive(name, p.has, every)
	}
	// What the old name had still to deliver became dead letters, and can be given to the new one.
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	x.eventually(time.Minute, "the old name's alerts do not arrive", func() bool {
		cmd := exec.Command(path, "deadletters", "retry", "-c", filepath.Join(x.dir, "config.yaml"), "--all", "--yes", "--output", "loki", "--to", "loki/renamed")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for _, n := range s.accepted {
			if !loki.has(n) {
				return false
			}
		}
		return true
	})
	x.stop()
}

func TestNATSNodeDies(t *testing.T) {
	t.Parallel()
	nodes := startCluster(t, 3)
	web, loki := newPlace(t), newPlace(t)
	var urls []string
	for _, n := range nodes {
		urls = append(urls, n.url)
	}
	x := newTiercel(t, outputs(web, loki, "journal: {url: '"+strings.Join(urls, ",")+"', replicas: 3}\n"))
	x.start()
	s := x.send(8)
	x.eventually(time.Minute, "nothing is accepted", func() bool { return s.count() > 200 })
	nodes[rand.IntN(3)].kill()
	before := s.count()
	x.eventually(time.Minute, "it does not accept again", func() bool { return s.count() > before+200 })
	x.kill()
	x.start()
	before = s.count()
	x.eventually(time.Minute, "it does not accept again", func() bool { return s.count() > before+200 })
	s.stop()
	s.arrive("webhook", web.has, every)
	s.arrive("loki", loki.has, every)
	s.arrive("loki/critical", web.has, critical)
	x.stop()
}
