package telemetry

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/pkg/problem"
)

// page is what a scrape of reg gets.
func page(t testing.TB, reg *prometheus.Registry) string {
	t.Helper()
	answer := httptest.NewRecorder()
	Handler(reg).ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK {
		t.Fatalf("status %d: %s", answer.Code, answer.Body)
	}
	return answer.Body.String()
}

func keys(err error) []string {
	var all []string
	for _, e := range problem.Each(err) {
		if p, ok := errors.AsType[*problem.Problem](e); ok {
			all = append(all, p.Key)
		}
	}
	return all
}

func TestLoggerFormats(t *testing.T) {
	for name, c := range map[string]struct {
		cfg      LogConfig
		debug    bool
		terminal bool
		wantJSON bool
		wantInfo bool
		wantDbg  bool
	}{
		"auto on a terminal":  {DefaultLog(), false, true, false, true, false},
		"auto in a pipe":      {DefaultLog(), false, false, true, true, false},
		"json on a terminal":  {LogConfig{"info", "json"}, false, true, true, true, false},
		"text in a pipe":      {LogConfig{"warn", "text"}, false, false, false, false, false},
		"debug wins":          {LogConfig{"error", "text"}, true, false, false, true, true},
		"debug by its level":  {LogConfig{"debug", "json"}, false, false, true, true, true},
		"errors only, in all": {LogConfig{"error", "auto"}, false, false, true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.cfg.Validate(); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			log := NewLogger(c.cfg, c.debug, &out, c.terminal)
			log.Error("one", "text", "새 알림 🦅\x00\x1b[31m\n")
			first := out.String()
			if got := json.Valid([]byte(first)); got != c.wantJSON {
				t.Errorf("json %v, want %v: %s", got, c.wantJSON, first)
			}
			if strings.Count(first, "\n") != 1 || strings.ContainsAny(first, "\x00\x1b") || !strings.Contains(first, "새 알림 🦅") {
				t.Errorf("control characters came through, or text did not: %q", first)
			}
			log.Info("two")
			if got := strings.Contains(out.String(), "two"); got != c.wantInfo {
				t.Errorf("info logged: %v", got)
			}
			log.Debug("three")
			if got := log.Enabled(t.Context(), slog.LevelDebug); got != c.wantDbg || got != strings.Contains(out.String(), "three") {
				t.Errorf("debug logged: %v", got)
			}
		})
	}
}

func TestLogConfigNamesWhatIsWrong(t *testing.T) {
	cfg := LogConfig{Level: "loud", Format: "xml"}
	if got := strings.Join(keys(cfg.Validate()), " "); got != "level format" {
		t.Errorf("problems at %q", got)
	}
}

func TestRegistryHasBuildAndProcess(t *testing.T) {
	reg := NewRegistry("v1.2.3")
	got := page(t, reg)
	for _, want := range []string{
		`tiercel_build_info{goversion="` + runtime.Version() + `",version="v1.2.3"} 1`,
		"go_goroutines ", "process_resident_memory_bytes ", "promhttp_metric_handler_requests_total",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s", want)
		}
	}
}

func TestPageIsCompressedWhenAsked(t *testing.T) {
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	request.Header.Set("Accept-Encoding", "gzip")
	answer := httptest.NewRecorder()
	Handler(NewRegistry("v1")).ServeHTTP(answer, request)
	if got := answer.Header().Get("Content-Encoding"); got != "gzip" {
		t.Fatalf("Content-Encoding %q", got)
	}
	unzipped, err := gzip.NewReader(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(unzipped); err != nil || !bytes.Contains(text, []byte("tiercel_build_info")) {
		t.Errorf("%v: %s", err, text)
	}
}

// broken is a collector whose metric contradicts its description.
type broken struct{ desc *prometheus.Desc }

func (b broken) Describe(to chan<- *prometheus.Desc) { to <- b.desc }
func (b broken) Collect(to chan<- prometheus.Metric) {
	to <- prometheus.NewInvalidMetric(b.desc, errors.New("no disk"))
}

func TestOneBrokenCollectorDoesNotHideTheOthers(t *testing.T) {
	reg := NewRegistry("v1")
	reg.MustRegister(broken{prometheus.NewDesc("broken", "Broken.", nil, nil)})
	if got := page(t, reg); !strings.Contains(got, "tiercel_build_info") {
		t.Error("the page lacks the other metrics")
	}
}

// blocked is a collector that waits until it is released.
type blocked struct {
	entered chan struct{}
	release chan struct{}
}

func (b blocked) Describe(chan<- *prometheus.Desc) {}
func (b blocked) Collect(chan<- prometheus.Metric) {
	b.entered <- struct{}{}
	<-b.release
}

func TestConcurrentScrapesAreBounded(t *testing.T) {
	reg := prometheus.NewRegistry()
	slow := blocked{make(chan struct{}), make(chan struct{})}
	reg.MustRegister(slow)
	handler := Handler(reg)
	scrape := func() int {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
		return answer.Code
	}
	codes := make(chan int)
	for range maxScrapes {
		go func() { codes <- scrape() }()
	}
	for range maxScrapes {
		<-slow.entered
	}
	if got := scrape(); got != http.StatusServiceUnavailable {
		t.Errorf("one scrape too many got %d", got)
	}
	close(slow.release)
	for range maxScrapes {
		if got := <-codes; got != http.StatusOK {
			t.Errorf("a waiting scrape got %d", got)
		}
	}
}

func TestVersion(t *testing.T) {
	built := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: settings}
	}
	commit := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef0123"}
	for name, c := range map[string]struct {
		stamped string
		info    *debug.BuildInfo
		want    string
	}{
		"stamped wins":       {"v2.0.0", built("v1.0.0"), "v2.0.0"},
		"module version":     {"", built("v1.0.0", commit), "v1.0.0"},
		"commit":             {"", built("(devel)", commit), "0123456789ab"},
		"commit and changes": {"", built("", commit, debug.BuildSetting{Key: "vcs.modified", Value: "true"}), "0123456789ab+dirty"},
		"short commit":       {"", built("", debug.BuildSetting{Key: "vcs.revision", Value: "01"}), "01"},
		"nothing known":      {"", built("(devel)"), "unknown"},
		"no build info":      {"", nil, "unknown"},
	} {
		if got := version(c.stamped, c.info); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := Version("v3"); got != "v3" {
		t.Errorf("Version: %q", got)
	}
	if Version("") == "" {
		t.Error("Version of a test binary is empty")
	}
}
