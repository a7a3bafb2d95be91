package app_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/app"
	"github.com/tiercel/tiercel/pkg/config"
)

// reloadable is an app whose config is a file.
type reloadable struct {
	*running

	file   string
	specs  []outputs.Spec
	head   string
	loaded func() // if not nil, called after the file was read
}

func startReloadable(t testing.TB, specs []outputs.Spec, lines ...string) *reloadable {
	t.Helper()
	r := &reloadable{file: filepath.Join(t.TempDir(), "config.yaml"), specs: specs}
	r.head = "listenaddress: 127.0.0.1\nlistenport: 0\nprobe: {enabled: false}\njournal: {dir: " + t.TempDir() + ", sync: none, reserve: 0}\n"
	if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, "reload:") }) {
		r.head += "reload: {interval: 100ms, watch: false}\n"
	}
	r.write(t, lines...)
	cfg, _, err := r.load()
	if err != nil {
		t.Fatal(err)
	}
	log := &lockedBuffer{}
	d := deps(log)
	d.Load = r.load
	a, err := app.New(t.Context(), cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.running = &running{App: a, cancel: cancel, ended: make(chan error, 1), log: log}
	r.t, _ = t.(*testing.T)
	go func() { r.ended <- a.Run(ctx) }()
	t.Cleanup(cancel)
	return r
}

func (r *reloadable) write(t testing.TB, lines ...string) {
	t.Helper()
	if err := os.WriteFile(r.file, []byte(r.head+strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (r *reloadable) load() (*config.Config, []config.Warning, error) {
	cfg, warnings, err := config.Load(config.Options{File: r.file, Specs: r.specs})
	if r.loaded != nil {
		r.loaded()
	}
	return cfg, warnings, err
}

// metered is an output with a metric of its own, and a place that it may not be made for.
type meteredConfig struct {
	On    bool   `config:"enabled"`
	Name  string `config:"name"`
	Fails bool   `config:"fails"`
}

func (c *meteredConfig) Enabled() bool   { return c.On }
func (c *meteredConfig) Validate() error { return nil }

// metered remembers which of its outputs took what.
type metered struct {
	mu    sync.Mutex
	rules []string // "name rule"
	open  int
}

type meteredOutput struct {
	of   *metered
	name string
}

func (o *meteredOutput) Send(_ context.Context, batch []*alert.Alert) error {
	o.of.mu.Lock()
	defer o.of.mu.Unlock()
	for _, a := range batch {
		o.of.rules = append(o.of.rules, o.name+" "+a.Rule)
	}
	return nil
}

func (o *meteredOutput) Close() error {
	o.of.mu.Lock()
	defer o.of.mu.Unlock()
	o.of.open--
	return nil
}

func (m *metered) spec() outputs.Spec {
	return outputs.Define(outputs.Spec{Name: "metered", Title: "m", Category: "test", Batch: outputs.Batch{Max: 16}},
		func() meteredConfig { return meteredConfig{Name: "none"} },
		func(env outputs.Env, c meteredConfig) (outputs.Output, error) {
			if c.Fails {
				return nil, errors.New("cannot be made")
			}
			counter := prometheus.NewGauge(prometheus.GaugeOpts{Name: "own_metric", Help: "Of the test.", ConstLabels: prometheus.Labels{"place": c.Name}})
			env.Metrics.MustRegister(counter)
			m.mu.Lock()
			defer m.mu.Unlock()
			m.open++
			return &meteredOutput{m, c.Name}, nil
		})
}

func (m *metered) took() ([]string, int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.rules), m.open
}

func TestReloadUnderLoad(t *testing.T) {
	m := &metered{}
	r := startReloadable(t, []outputs.Spec{m.spec()}, "metered: {enabled: true, name: n0}")
	stop := make(chan struct{})
	sent := make([]int, 4)
	var posting sync.WaitGroup
	for p := range sent {
		posting.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					r.post(fmt.Sprintf("%d-%d", p, sent[p]))
					sent[p]++
				}
			}
		})
	}
	for i := range 25 {
		if i%5 == 4 {
			r.write(t, "metered: {enabled: true, nam: x}")
			if err := r.Reload(t.Context()); err == nil {
				t.Fatal("took a config that is not valid")
			}
			continue
		}
		r.write(t, fmt.Sprintf("metered: {enabled: true, name: n%d}", i), fmt.Sprintf("customtags: [t%d]", i))
		if err := r.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	close(stop)
	posting.Wait()
	total := 0
	for _, n := range sent {
		total += n
	}
	eventually(t, "all are delivered", func() bool { rules, _ := m.took(); return len(rules) >= total })
	r.end()
	rules, open := m.took()
	next, places := make([]int, len(sent)), map[string]bool{}
	for _, text := range rules {
		var p, n int
		var place string
		if _, err := fmt.Sscanf(text, "%s %d-%d", &place, &p, &n); err != nil {
			t.Fatal(err)
		}
		places[place] = true
		if n != next[p] {
			t.Fatalf("sender %d: alert %d came where %d was due: lost, doubled or out of order", p, n, next[p])
		}
		next[p]++
	}
	if !slices.Equal(next, sent) || len(places) < 3 || open != 0 {
		t.Errorf("sent %v, delivered %v, by %d outputs, %d are open", sent, next, len(places), open)
	}
}

func TestReloadKeepsWhatIsTheSame(t *testing.T) {
	m, p := &metered{}, &place{}
	r := startReloadable(t, []outputs.Spec{m.spec(), p.spec("one")}, "metered: {enabled: true, name: a}", "one: {enabled: true}")
	page := func() string {
		_, text := request(t, http.MethodGet, r.url("metrics"), "")
		return text
	}
	ready := func() string {
		_, text := request(t, http.MethodGet, r.url("readyz"), "")
		return text
	}
	if !strings.Contains(page(), `own_metric{output="metered",place="a"}`) || !strings.Contains(ready(), `"config":"ok"`) {
		t.Errorf("%s\n%s", page(), ready())
	}
	r.write(t, "metered: {enabled: true, name: b}", "one: {enabled: true}", "metered/more: {enabled: true, name: c}", "journal: {maxage: 3h}")
	if err := r.Reload(t.Context()); err == nil {
		t.Error("took a key twice")
	}
	r.write(t, "metered: {enabled: true, name: b}", "one: {enabled: true}", "metered/more: {enabled: true, name: c}", "draintimeout: 3s")
	if err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	text := page()
	for want, there := range map[string]bool{
		`own_metric{output="metered",place="a"}`: false, `own_metric{output="metered",place="b"}`: true,
		`own_metric{output="metered/more",place="c"}`: true, `tiercel_config_reloads_total{result="ok"} 1`: true,
		`tiercel_config_reloads_total{result="failed"} 1`: true, "tiercel_config_last_reload_successful 1": true,
		`tiercel_output_sent_alerts_total{output="metered/more"} 0`: true,
	} {
		if strings.Contains(text, want) != there {
			t.Errorf("%s: there is %t, want %t", want, !there, there)
		}
	}
	if p.closes() > 0 {
		t.Error("an output that is the same was closed")
	}
	r.post("A")
	eventually(t, "all have it", func() bool { rules, _ := m.took(); return len(rules) == 2 && len(p.took()) == 1 })
	if log := r.log.String(); !strings.Contains(log, "need a restart") || !strings.Contains(log, "draintimeout") {
		t.Errorf("the log says nothing of a restart:\n%s", log)
	}
	// One that cannot be made changes nothing, and says why.
	r.write(t, "metered: {enabled: true, name: d}", "metered/more: {enabled: true, fails: true}")
	if err := r.Reload(t.Context()); err == nil {
		t.Fatal("took it")
	}
	if _, open := m.took(); open != 2 || p.closes() > 0 || !strings.Contains(ready(), "output metered/more: cannot be made") || !strings.Contains(page(), "tiercel_config_last_reload_successful 0") {
		t.Errorf("%d are open, %d closed, %s", open, p.closes(), ready())
	}
	r.write(t, "metered: {enabled: true, name: b}")
	if err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what was removed is closed", func() bool { _, open := m.took(); return open == 1 && p.closes() == 1 })
	if strings.Contains(page(), `own_metric{output="metered/more"`) {
		t.Error("metrics of what was removed are still there")
	}
	r.end()
}

// What is written while the app starts, or while the config is being read again, is taken up, too.
func TestReloadMissesNoChange(t *testing.T) {
	const reload = "reload: {interval: 100ms}"
	m := &metered{}
	r := startReloadable(t, []outputs.Spec{m.spec()}, reload, "metered: {enabled: true, name: a}")
	var once sync.Once
	r.loaded = func() { once.Do(func() { r.write(t, reload, "metered: {enabled: true, name: c}") }) }
	r.write(t, reload, "metered: {enabled: true, name: b}")
	eventually(t, "the last one is in force", func() bool {
		_, text := request(t, http.MethodGet, r.url("metrics"), "")
		return strings.Contains(text, `own_metric{output="metered",place="c"}`)
	})
	r.end()
}

// BenchmarkReload is a config of 20 outputs, all of which change.
func BenchmarkReload(b *testing.B) {
	m := &metered{}
	lines := func(i int) []string {
		all := []string{"metered: {enabled: true, name: x}"}
		for n := range 19 {
			all = append(all, fmt.Sprintf("metered/n%d: {enabled: true, name: n%d-%d, when: 'rule == \"%d\"'}", n, n, i, i))
		}
		return all
	}
	r := startReloadable(b, []outputs.Spec{m.spec()}, lines(0)...)
	slog.SetDefault(slog.New(slog.DiscardHandler))
	for i := 0; b.Loop(); i++ {
		r.write(b, lines(i+1)...)
		if err := r.Reload(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	r.cancel()
	<-r.ended
}
