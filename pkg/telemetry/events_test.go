package telemetry

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tiercel/tiercel/pkg/alert"
)

const metric = "falcosecurity_falcosidekick_falco_events_total"

func newEvents(t testing.TB, cfg EventsConfig, fields ...string) (*prometheus.Registry, *Events) {
	t.Helper()
	reg := prometheus.NewRegistry()
	events, err := NewEvents(reg, cfg, fields...)
	if err != nil {
		t.Fatal(err)
	}
	return reg, events
}

func decoded(t testing.TB, body string) *alert.Alert {
	t.Helper()
	a, err := alert.DecodeOne([]byte(body), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestCountHasTheLabelsOfFalcosidekick(t *testing.T) {
	reg, events := newEvents(t, EventsConfig{MaxSeries: 10, ExtraLabels: "proc.name, fd.num,"}, "env", "rule", "bad[0]", "proc.name")
	for range 2 {
		events.Count(decoded(t, `{"rule":"셸 🐚","priority":"Informational","time":"2026-08-17T09:47:21Z","source":"syscall","hostname":"node-1",
			"output_fields":{"k8s.ns.name":"shop","k8s.pod.name":"web","proc.name":"bash","fd.num":18446744073709551615,"env":"prod"}}`))
	}
	events.Count(decoded(t, `{"rule":"r","priority":"Emergency","time":"2026-08-17T09:47:21Z",
		"output_fields":{"k8s.ns.name":null,"k8s_ns_name":"late","k8s_pod_name":7,"proc.name":null}}`))
	want := `
# HELP falcosecurity_falcosidekick_falco_events_total Alerts accepted, by what they are about. A series exists from its first alert on.
# TYPE falcosecurity_falcosidekick_falco_events_total counter
falcosecurity_falcosidekick_falco_events_total{env="prod",fd_num="18446744073709551615",hostname="node-1",k8s_ns_name="shop",k8s_pod_name="web",priority="2",priority_raw="informational",proc_name="bash",rule="셸 🐚",source="syscall"} 2
falcosecurity_falcosidekick_falco_events_total{env="",fd_num="",hostname="unknown",k8s_ns_name="late",k8s_pod_name="7",priority="8",priority_raw="emergency",proc_name="",rule="r",source="syscalls"} 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), metric); err != nil {
		t.Error(err)
	}
}

func TestSeriesAreBounded(t *testing.T) {
	const pods = 100_000
	cfg := DefaultEvents()
	cfg.ExtraLabels = "proc.cmdline"
	reg, events := newEvents(t, cfg)
	for i := range pods {
		events.Count(&alert.Alert{
			Rule: "Terminal shell in container", Source: fmt.Sprint("plugin-", i%100), Hostname: fmt.Sprint("node-", i), Priority: alert.Priority(i % 8),
			Fields: alert.FieldsOf(
				alert.Field{Name: "k8s.ns.name", Value: alert.String(fmt.Sprint("ns-", i))},
				alert.Field{Name: "k8s.pod.name", Value: alert.String(fmt.Sprint(i) + strings.Repeat("긴", 100))},
				alert.Field{Name: "proc.cmdline", Value: alert.String(strings.Repeat("x", 200))},
			),
		})
	}
	series := testutil.CollectAndCount(events.total)
	if most := cfg.MaxSeries + 8*(maxSources+1); series > most || series <= cfg.MaxSeries {
		t.Errorf("%d series, want %d to %d", series, cfg.MaxSeries+1, most)
	}
	if got := testutil.ToFloat64(events.limited); got != pods-float64(cfg.MaxSeries) {
		t.Errorf("%v alerts counted as limited", got)
	}
	text := page(t, reg)
	if len(text) > 2<<20 {
		t.Errorf("the page has %d bytes", len(text))
	}
	if !strings.Contains(text, `k8s_pod_name="_other",priority="1",priority_raw="debug",proc_cmdline="_other",rule="_other",source="plugin-0"`) {
		t.Error("no series for the others of a known source and priority")
	}
	if !strings.Contains(text, `rule="_other",source="_other"`) {
		t.Error("no series for the others of later sources")
	}
	total := 0.0
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == metric {
				total += m.GetCounter().GetValue()
			}
		}
	}
	if total != pods {
		t.Errorf("%v alerts in all series, want %d", total, pods)
	}
}

func TestNoSeriesOfTheirOwn(t *testing.T) {
	reg, events := newEvents(t, EventsConfig{})
	events.Count(&alert.Alert{Rule: "r", Source: "syscall", Priority: alert.Alarm})
	if got := page(t, reg); !strings.Contains(got, `{hostname="_other",k8s_ns_name="_other",k8s_pod_name="_other",priority="7",priority_raw="alert",rule="_other",source="syscall"} 1`) {
		t.Error(got)
	}
}

func TestLabelValuesAreCleaned(t *testing.T) {
	for name, value := range map[string]string{
		"long hangul":        strings.Repeat("가", 1000),
		"long emoji":         strings.Repeat("🦅", 1000),
		"invalid":            "a\xff\xfeb",
		"long invalid":       strings.Repeat("\xff", 1000),
		"begins like a rune": strings.Repeat("a", 126) + "\xf0\x9f\xa6\x85",
		"only continuations": strings.Repeat("\x80", 300),
		"separator":          "\xff\x00\xff",
	} {
		got := clean(value)
		if len(got) > maxLabel || !utf8.ValidString(got) || got == "" {
			t.Errorf("%s: %d bytes, %q", name, len(got), got)
		}
	}
	if got, want := clean(strings.Repeat("가", 1000)), strings.Repeat("가", 42); got != want {
		t.Errorf("not cut between two runes: %q", got)
	}
	reg, events := newEvents(t, DefaultEvents())
	events.Count(&alert.Alert{Rule: "\xff", Source: "\xff", Hostname: "\xff\xff", Priority: 200})
	events.Count(&alert.Alert{Rule: "\xff\xff", Source: "", Hostname: "\xff", Priority: 200})
	if got := testutil.CollectAndCount(events.total); got != 2 {
		t.Errorf("%d series", got)
	}
	if got := page(t, reg); !strings.Contains(got, "\uFFFD") || !utf8.ValidString(got) {
		t.Error("the page is not valid UTF-8")
	}
}

func TestEventsConfigNamesWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"k8s.pod.name":        "there already",
		"hostname":            "there already",
		"proc.name,proc_name": "there already",
		"proc.aname[2]":       "makes no label",
		"__name__":            "makes no label",
		"이름":                  "makes no label",
	} {
		cfg := EventsConfig{ExtraLabels: text, MaxSeries: 1}
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) || keys(err)[0] != "extralabels" {
			t.Errorf("%s: %v", text, err)
		}
		if _, err := NewEvents(prometheus.NewRegistry(), cfg); err == nil {
			t.Errorf("%s: made a counter of it", text)
		}
	}
	for _, most := range []int{-1, 1_000_001} {
		cfg := EventsConfig{MaxSeries: most}
		if got := keys(cfg.Validate()); len(got) != 1 || got[0] != "maxseries" {
			t.Errorf("maxseries %d: problems at %v", most, got)
		}
	}
	cfg := DefaultEvents()
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}

func TestEventsTwiceInOneRegistryIsAnError(t *testing.T) {
	reg, _ := newEvents(t, DefaultEvents())
	if _, err := NewEvents(reg, DefaultEvents()); err == nil {
		t.Error("no error")
	}
}

func TestCountFromManyGoroutines(t *testing.T) {
	_, events := newEvents(t, EventsConfig{MaxSeries: 10})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 1000 {
				events.Count(&alert.Alert{Rule: fmt.Sprint("rule-", i%20), Source: "syscall"})
			}
		})
	}
	wg.Wait()
	if got := testutil.CollectAndCount(events.total); got != 11 {
		t.Errorf("%d series, want 10 and one for the others", got)
	}
	if got := testutil.ToFloat64(events.limited); got != 4000 {
		t.Errorf("%v limited, want 4000", got)
	}
}

const falcoAlert = `{"hostname":"node-03","output":"09:47:21.123456789: Warning Shell in container","output_fields":{"container.id":"3ad7b26ded6d","container.image.repository":"docker.io/library/nginx","container.image.tag":"1.27","container.name":"web","evt.time":1787132841123456789,"evt.type":"execve","fd.name":null,"k8s.ns.name":"shop","k8s.pod.name":"web-7d4b9-abcde","proc.aname[2]":"containerd-shim","proc.cmdline":"bash -c \"id\" and a text longer than thirty-six characters","proc.exepath":"/usr/bin/bash","proc.name":"bash","proc.pid":18446744073709551615,"proc.pname":"containerd-shim","proc.tty":34816,"thread.cap_permitted":true,"user.loginuid":-1,"user.name":"root","user.uid":0},"priority":"Warning","rule":"Terminal shell in container","source":"syscall","tags":["T1059","container"],"time":"2026-08-17T09:47:21.123456789Z"}`

func BenchmarkCount(b *testing.B) {
	for name, cfg := range map[string]EventsConfig{
		"known":          {MaxSeries: 2000},
		"known, 2 extra": {MaxSeries: 2000, ExtraLabels: "proc.name,user.name"},
		"other":          {MaxSeries: 0},
	} {
		b.Run(name, func(b *testing.B) {
			_, events := newEvents(b, cfg)
			a := decoded(b, falcoAlert)
			b.ReportAllocs()
			for b.Loop() {
				events.Count(a)
			}
		})
	}
}
