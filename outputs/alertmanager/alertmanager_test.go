package alertmanager_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/outputs/alertmanager"
	"github.com/tiercel/tiercel/outputs/outputtest"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/secret"
	"github.com/tiercel/tiercel/pkg/verdict"
)

func TestContract(t *testing.T) {
	outputtest.Run(t, alertmanager.Spec, func(server string) outputs.Config {
		c := alertmanager.Defaults()
		c.HostPort = []string{server + "/prefix/"}
		c.ExtraLabels = map[string]string{"cluster": "prod"}
		c.CustomHeaders = map[string]secret.String{"authorization": secret.New("Bearer hush-token")}
		return &c
	}, outputtest.Show(show))
}

var startsAt = regexp.MustCompile(`"startsAt": "([^"]*)"`)

// show leaves out the begin of an alert of the future, which is the time of the test.
func show(r outputtest.Request) string {
	return startsAt.ReplaceAllStringFunc(outputtest.ShowBody(r), func(found string) string {
		at, err := time.Parse(time.RFC3339Nano, startsAt.FindStringSubmatch(found)[1])
		if err == nil && time.Since(at) < time.Minute {
			return `"startsAt": "(now)"`
		}
		return found
	})
}

// open makes an output to addresses and closes it with the test.
func open(t testing.TB, log io.Writer, change func(*alertmanager.Config), addresses ...string) outputs.Output {
	t.Helper()
	c := alertmanager.Defaults()
	c.HostPort = addresses
	if change != nil {
		change(&c)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	o, err := alertmanager.New(outputs.Env{Name: "alertmanager", HTTP: httpx.Defaults(), Log: slog.New(slog.NewTextHandler(log, nil))}, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.(io.Closer).Close() })
	return o
}

func deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func decode(t testing.TB, text string) *alert.Alert {
	t.Helper()
	a, err := alert.DecodeOne([]byte(text), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

type posted struct {
	Labels, Annotations map[string]string
	StartsAt, EndsAt    time.Time
}

func requested(t testing.TB, r outputtest.Request) []posted {
	t.Helper()
	var all []posted
	if err := json.Unmarshal(r.Body, &all); err != nil {
		t.Fatalf("%v in %s", err, r.Body)
	}
	return all
}

// TestSendsWhatFalcosidekickSends: with every field as a label, the labels and annotations are those of its recording.
func TestSendsWhatFalcosidekickSends(t *testing.T) {
	recording, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "wire", "alertmanager.http"))
	if err != nil {
		t.Skipf("the recordings of falcosidekick are not here: %v", err)
	}
	head, body, _ := strings.Cut(strings.ReplaceAll(string(recording), "\r\n", "\n"), "\n\n")
	var want []posted
	if err := json.Unmarshal([]byte(body), &want); err != nil {
		t.Fatal(err)
	}
	server := outputtest.NewServer(t)
	o := open(t, io.Discard, func(c *alertmanager.Config) { c.VolatileFields = []string{"none"} }, server.URL)
	if err := o.Send(deadline(t), []*alert.Alert{outputtest.Alerts()[1].Alert}); err != nil {
		t.Fatal(err)
	}
	r := server.Requests()[0]
	if !strings.HasPrefix(head, r.Method+" "+r.URI+" ") {
		t.Errorf("got %s %s, want %s", r.Method, r.URI, head)
	}
	got := requested(t, r)[0]
	delete(got.Annotations, "uuid") // ours
	if !reflect.DeepEqual(got.Labels, want[0].Labels) || !reflect.DeepEqual(got.Annotations, want[0].Annotations) {
		t.Errorf("got\n%v\n%v\nwant\n%v\n%v", got.Labels, got.Annotations, want[0].Labels, want[0].Annotations)
	}
}

// The same thing that happens twice has the same labels, so that it is one alert there.
func TestTheSameTwiceIsOneAlert(t *testing.T) {
	server := outputtest.NewServer(t)
	o := open(t, io.Discard, nil, server.URL)
	const text = `{"rule":"R","priority":"warning","time":"2026-08-17T09:47:2SECZ","source":"syscall","hostname":"node-1","output":"at SEC",
		"output_fields":{"evt.time":178713284112345678SEC,"evt.time.iso8601":178SEC,"proc.pid":4SEC,"proc.name":"bash","k8s.pod.name":"web","thread.tid":1SEC}}`
	batch := []*alert.Alert{decode(t, strings.ReplaceAll(text, "SEC", "1")), decode(t, strings.ReplaceAll(text, "SEC", "2"))}
	if err := o.Send(deadline(t), batch); err != nil {
		t.Fatal(err)
	}
	got := requested(t, server.Requests()[0])
	if !maps.Equal(got[0].Labels, got[1].Labels) {
		t.Errorf("labels differ:\n%v\n%v", got[0].Labels, got[1].Labels)
	}
	if got[0].Labels["k8s_pod_name"] != "web" || got[0].Labels["proc_pid"] != "" || got[1].Annotations["proc_pid"] != "42" || got[1].Annotations["evt_time"] != "1787132841123456782" {
		t.Errorf("got %+v", got[1])
	}
}

// A file is what the alert is about; a connection has another port each time.
func TestNamesOfFilesAreLabelsThoseOfConnectionsAreNot(t *testing.T) {
	server := outputtest.NewServer(t)
	o := open(t, io.Discard, nil, server.URL)
	const text = `{"rule":"R","priority":"warning","time":"2026-08-17T09:47:21Z","output_fields":{"fd.name":"NAME"}}`
	batch := []*alert.Alert{decode(t, strings.ReplaceAll(text, "NAME", "/etc/shadow")), decode(t, strings.ReplaceAll(text, "NAME", "10.0.0.1:45123->10.0.0.2:443"))}
	if err := o.Send(deadline(t), batch); err != nil {
		t.Fatal(err)
	}
	got := requested(t, server.Requests()[0])
	if got[0].Labels["fd_name"] != "/etc/shadow" || got[1].Labels["fd_name"] != "" || got[1].Annotations["fd_name"] == "" {
		t.Errorf("got %+v", got)
	}
}

func TestDroppedEvents(t *testing.T) {
	for _, c := range []struct {
		priority, drops string
		label, want     string
		change          func(*alertmanager.Config)
	}{
		{priority: "debug", drops: "0", label: "0", want: "Warning"},
		{priority: "debug", drops: "812", label: ">100", want: "Critical"},
		{priority: "debug", drops: "100", label: ">10", want: "Warning"},
		{priority: "emergency", drops: "20000", label: ">10000", want: "Emergency"},
		{priority: "debug", drops: "1", label: "1", want: "Critical"},
		{priority: "debug", drops: "9", label: "9", want: "Notice", change: func(c *alertmanager.Config) {
			c.DropEventDefaultPriority, c.DropEventThresholds = alert.Notice, []string{"5000: alert"}
		}},
		{priority: "debug", drops: "5001", label: ">5000", want: "Alert", change: func(c *alertmanager.Config) {
			c.DropEventThresholds = []string{"10:notice", "5000: alert"}
		}},
	} {
		server := outputtest.NewServer(t)
		o := open(t, io.Discard, c.change, server.URL)
		a := decode(t, `{"rule":"Falco internal: syscall event drop","priority":"`+c.priority+`","time":"2026-08-17T09:47:21Z","source":"internal",
			"output_fields":{"n_drops":`+c.drops+`,"n_evts":12,"n_evts_cpu_0":3}}`)
		if err := o.Send(deadline(t), []*alert.Alert{a}); err != nil {
			t.Fatal(err)
		}
		got := requested(t, server.Requests()[0])[0].Labels
		if got["n_drops"] != c.label || got["priority"] != c.want || got["n_evts"] != "" || got["n_evts_cpu_0"] != "" {
			t.Errorf("%s drops at %s: %v, want label %s, priority %s", c.drops, c.priority, got, c.label, c.want)
		}
	}
}

func TestLabelsAnnotationsSeverities(t *testing.T) {
	server := outputtest.NewServer(t)
	o := open(t, io.Discard, func(c *alertmanager.Config) {
		c.ExtraLabels = map[string]string{"cluster": "prod", "source": "mine"}
		c.ExtraAnnotations = map[string]string{"runbook": "https://wiki/a:b"}
		c.CustomSeverityMap = map[string]string{"Warning": "page"}
	}, server.URL)
	batch := []*alert.Alert{outputtest.Alerts()[1].Alert, outputtest.Alerts()[0].Alert, decode(t, `{"rule":"한글","priority":"critical","time":"2026-08-17T09:47:21Z",
		"output_fields":{"2.a":"digit","__":"x","a..b[0]":"c","empty":"","yes":true,"nothing":null}}`)}
	if err := o.Send(deadline(t), batch); err != nil {
		t.Fatal(err)
	}
	got := requested(t, server.Requests()[0])
	if l := got[0].Labels; l["cluster"] != "prod" || l["source"] != "mine" || l["severity"] != "page" || got[0].Annotations["runbook"] != "https://wiki/a:b" {
		t.Errorf("got %+v", got[0])
	}
	if got[1].Labels["severity"] != "information" || got[2].Labels["severity"] != "critical" {
		t.Errorf("severities %q, %q", got[1].Labels["severity"], got[2].Labels["severity"])
	}
	want := map[string]string{
		"_2_a": "digit", "a_b_0": "c", "cluster": "prod", "source": "mine", "rule": "한글", "alertname": "한글", "priority": "Critical",
		"severity": "critical", "eventsource": "syscalls",
	}
	if !maps.Equal(got[2].Labels, want) {
		t.Errorf("got %v", got[2].Labels)
	}
}

func TestTimes(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		at         time.Time
		expires    time.Duration
		start, end time.Time // end zero: none
	}{
		"never resolved":                        {now.Add(-time.Minute), 0, now.Add(-time.Minute), time.Time{}},
		"resolved after":                        {now.Add(-time.Minute), time.Hour, now.Add(-time.Minute), now.Add(59 * time.Minute)},
		"late: it must not come in as resolved": {now.Add(-5 * time.Hour), time.Hour, now.Add(-5 * time.Hour), now.Add(time.Hour)},
		"a clock that is ahead":                 {now.Add(time.Hour), time.Hour, now, now.Add(time.Hour)},
	} {
		server := outputtest.NewServer(t)
		o := open(t, io.Discard, func(cfg *alertmanager.Config) { cfg.ExpiresAfter = alertmanager.Seconds(c.expires) }, server.URL)
		a := decode(t, `{"rule":"R","priority":"debug","time":"`+c.at.UTC().Format(time.RFC3339Nano)+`"}`)
		if err := o.Send(deadline(t), []*alert.Alert{a}); err != nil {
			t.Fatal(err)
		}
		got := requested(t, server.Requests()[0])[0]
		near := func(a, b time.Time) bool { return a.Sub(b).Abs() < time.Minute }
		if !near(got.StartsAt, c.start) || got.EndsAt.IsZero() != c.end.IsZero() || !c.end.IsZero() && !near(got.EndsAt, c.end) {
			t.Errorf("%s: %v to %v, want %v to %v", name, got.StartsAt, got.EndsAt, c.start, c.end)
		}
	}
}

// The old API that the chart sets is gone from Alertmanager.
func TestEndpoints(t *testing.T) {
	for endpoint, want := range map[string]string{"/api/v1/alerts": "/api/v2/alerts", "": "/api/v2/alerts", "/am/api/v2/alerts": "/am/api/v2/alerts"} {
		server := outputtest.NewServer(t)
		o := open(t, io.Discard, func(c *alertmanager.Config) { c.Endpoint, c.Gzip = endpoint, true }, server.URL)
		if err := o.Send(deadline(t), []*alert.Alert{outputtest.Alerts()[0].Alert}); err != nil {
			t.Fatal(err)
		}
		if r := server.Requests()[0]; r.URI != want || r.Header.Get("Content-Encoding") != "gzip" || len(requested(t, r)) != 1 {
			t.Errorf("%q: %s %v", endpoint, r.URI, r.Header)
		}
	}
}

func TestSeveralAlertmanagers(t *testing.T) {
	a := outputtest.Alerts()[1].Alert
	down := outputtest.NewServer(t)
	down.Close()
	up, refusing := outputtest.NewServer(t), outputtest.NewServer(t, outputtest.Answer{Status: 400})
	var log strings.Builder
	o := open(t, &log, nil, up.URL, down.URL)
	for range 3 {
		if err := o.Send(deadline(t), []*alert.Alert{a}); err != nil {
			t.Errorf("one has it: %v", err)
		}
	}
	for _, urls := range [][]string{{up.URL, down.URL}, {down.URL, up.URL}} {
		if err := open(t, io.Discard, nil, urls...).(outputs.Checker).Check(deadline(t)); err != nil {
			t.Errorf("check: one takes alerts: %v", err)
		}
	}
	if err := open(t, io.Discard, nil, down.URL, refusing.URL).(outputs.Checker).Check(deadline(t)); err == nil {
		t.Error("check: none takes alerts")
	}
	if n := strings.Count(log.String(), "did not take alerts"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, &log)
	}
	if n := len(up.Requests()); n != 5 {
		t.Errorf("%d requests", n)
	}
	if err := open(t, io.Discard, nil, refusing.URL, down.URL).Send(deadline(t), []*alert.Alert{a}); err == nil || verdict.IsPermanent(err) {
		t.Errorf("the one that is down may yet take it: %v", err)
	}
	if err := open(t, io.Discard, nil, refusing.URL, refusing.URL).Send(deadline(t), []*alert.Alert{a}); !verdict.IsPermanent(err) {
		t.Errorf("all refuse it: %v", err)
	}
}

// What Alertmanager refuses is found; the others are delivered.
func TestRefusedAlertIsFound(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), `"bad"`) {
			w.WriteHeader(http.StatusBadRequest)
		}
	}
	server := httptestServer(t, handler)
	o := open(t, io.Discard, nil, server)
	var batch []*alert.Alert
	for i := range 9 {
		rule := "good"
		if i == 3 || i == 8 {
			rule = "bad"
		}
		batch = append(batch, decode(t, `{"rule":"`+rule+`","priority":"debug","time":"2026-08-17T09:47:21Z"}`))
	}
	var partial verdict.Partial
	if err := o.Send(deadline(t), batch); !errors.As(err, &partial) || len(partial) != 2 || !verdict.IsPermanent(partial[3]) || !verdict.IsPermanent(partial[8]) {
		t.Errorf("got %v", err)
	}
}

// What waits for an alert that has to be tried again was not delivered, though what stands before that one was.
func TestWhatWaitsIsTriedAgain(t *testing.T) {
	server := httptestServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch text := string(body); {
		case strings.Contains(text, `"bad"`):
			w.WriteHeader(http.StatusBadRequest)
		case strings.Contains(text, `"later"`):
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	var batch []*alert.Alert
	for _, rule := range []string{"good", "good", "bad", "later", "good", "good", "good", "good"} {
		batch = append(batch, decode(t, `{"rule":"`+rule+`","priority":"debug","time":"2026-08-17T09:47:21Z"}`))
	}
	var partial verdict.Partial
	if err := open(t, io.Discard, nil, server).Send(deadline(t), batch); !errors.As(err, &partial) {
		t.Fatalf("got %v", err)
	}
	if partial[0] != nil || partial[1] != nil || !verdict.IsPermanent(partial[2]) || partial[3] == nil || verdict.IsPermanent(partial[3]) {
		t.Errorf("got %v", map[int]error(partial))
	}
	for i := 4; i < len(batch); i++ {
		if !verdict.IsHeld(partial[i]) {
			t.Errorf("alert %d: got %v", i, partial[i])
		}
	}
}

func TestConfigRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*alertmanager.Config)
		want   string
	}{
		"an address":    {func(c *alertmanager.Config) { c.HostPort = []string{"http://a", "b:9093"} }, "hostport: "},
		"an endpoint":   {func(c *alertmanager.Config) { c.Endpoint = "api" }, "endpoint: "},
		"a label":       {func(c *alertmanager.Config) { c.ExtraLabels = map[string]string{"a.b": "c"} }, "extralabels: "},
		"an annotation": {func(c *alertmanager.Config) { c.ExtraAnnotations = map[string]string{"": "c"} }, "extraannotations: "},
		"a priority":    {func(c *alertmanager.Config) { c.CustomSeverityMap = map[string]string{"loud": "c"} }, "customseveritymap: "},
		"a threshold":   {func(c *alertmanager.Config) { c.DropEventThresholds = []string{"10"} }, "dropeventthresholds: "},
		"its priority":  {func(c *alertmanager.Config) { c.DropEventThresholds = []string{"10:loud"} }, "dropeventthresholds: "},
		"a pattern":     {func(c *alertmanager.Config) { c.VolatileFields = []string{"a["} }, "volatilefields: "},
		"a time":        {func(c *alertmanager.Config) { c.ExpiresAfter = -1 }, "expiresafter: "},
	} {
		config := alertmanager.Defaults()
		config.HostPort = []string{"http://127.0.0.1:9093"}
		c.change(&config)
		got := problem.Each(config.Validate())
		if len(got) != 1 || !strings.HasPrefix(got[0].Error(), c.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestSeconds(t *testing.T) {
	for text, want := range map[string]time.Duration{"0": 0, "3600": time.Hour, "5m": 5 * time.Minute, "-1": -time.Second} {
		var s alertmanager.Seconds
		if err := s.UnmarshalText([]byte(text)); err != nil || time.Duration(s) != want {
			t.Errorf("%q is %v (%v)", text, s, err)
		}
	}
	var s alertmanager.Seconds
	if err := s.UnmarshalText([]byte("soon")); err == nil {
		t.Error("took soon")
	}
}
