package app

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/outputs/all"
	"github.com/tiercel/tiercel/pkg/config"
)

//go:generate env TIERCEL_UPDATE=1 go test -count=1 -run ^TestMetricsPage$ .

// metricsPage is where the table of all metrics is; what stands above the mark is written by hand.
const (
	metricsPage = "../../docs/metrics.md"
	metricsMark = "<!-- metrics -->\n"
)

// everyOutput switches every output on, each by the keys that do so.
func everyOutput(t *testing.T, dir string) string {
	t.Helper()
	var text strings.Builder
	for _, spec := range all.Specs() {
		fmt.Fprintf(&text, "%s:\n", spec.Name)
		for _, key := range config.Switches(spec) {
			value := "http://127.0.0.1:1/x"
			switch key {
			case "enabled":
				value = "true"
			case "host":
				value = "127.0.0.1"
			case "path":
				value = filepath.Join(dir, "alerts.jsonl")
			}
			fmt.Fprintf(&text, "  %s: %s\n", key, value)
		}
	}
	return text.String()
}

var described = regexp.MustCompile(`^Desc\{fqName: "([^"]*)", help: "((?:[^"\\]|\\.)*)", unit: "[^"]*", constLabels: \{([^}]*)\}, variableLabels: \{([^}]*)\}\}$`)

// TestMetricsPage makes docs/metrics.md list every metric with its labels and its help text.
func TestMetricsPage(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "config.yaml")
	text := "listenaddress: 127.0.0.1\nlistenport: 0\njournal: {storage: memory, dir: " + filepath.Join(dir, "journal") + "}\n" +
		"grpc: {listen: ['unix://" + filepath.Join(dir, "grpc.sock") + "']}\n" +
		"inputs: {grpc: {addresses: ['unix:///nowhere']}}\n" + everyOutput(t, dir)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.Load(config.Options{File: file, Specs: all.Specs()})
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Outputs) != len(all.Specs()) {
		t.Fatalf("%d outputs are on, of %d", len(cfg.Outputs), len(all.Specs()))
	}
	a, err := New(t.Context(), cfg, Deps{Version: "test", Log: slog.New(slog.DiscardHandler), Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	want := metricsTable(t, a.metrics)
	page, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	hand, _, ok := strings.Cut(string(page), metricsMark)
	if !ok {
		t.Fatalf("%s has no line %s", metricsPage, metricsMark)
	}
	want = hand + metricsMark + "\n" + want
	if os.Getenv("TIERCEL_UPDATE") != "" {
		if err := os.WriteFile(metricsPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(page) != want {
		t.Error("docs/metrics.md is not what the metrics say: run make generate")
	}
}

// metricsTable lists the metrics of a registry, but not those of Go and of the process.
func metricsTable(t *testing.T, reg *prometheus.Registry) string {
	t.Helper()
	types := map[string]string{}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		types[f.GetName()] = strings.ToLower(f.GetType().String())
	}
	descs := make(chan *prometheus.Desc)
	go func() {
		reg.Describe(descs)
		close(descs)
	}()
	type row struct{ name, kind, labels, help string }
	var rows []row
	for d := range descs {
		m := described.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("a description of another form: %s", d)
		}
		name, help, fixed, labels := m[1], m[2], m[3], m[4]
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") || strings.HasPrefix(name, "promhttp_") {
			continue
		}
		var all []string
		for pair := range strings.SplitSeq(fixed, ",") {
			if label, _, ok := strings.Cut(pair, "="); ok {
				all = append(all, label)
			}
		}
		for label := range strings.SplitSeq(labels, ",") {
			if label != "" {
				all = append(all, label)
			}
		}
		rows = append(rows, row{name, cmp.Or(types[name], "counter"), strings.Join(all, ", "), strings.ReplaceAll(help, `\"`, `"`)})
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.name, b.name) })
	rows = slices.CompactFunc(rows, func(a, b row) bool { return a.name == b.name })
	var table strings.Builder
	table.WriteString("| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n")
	for _, r := range rows {
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", r.name, r.kind, r.labels, strings.ReplaceAll(r.help, "|", `\|`))
	}
	return table.String()
}
