package interop

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/golang/snappy"
	client "github.com/grafana/loki-client-go/loki"
	"github.com/grafana/loki/pkg/push"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/outputs/loki"
	"github.com/tiercel/tiercel/outputs/outputtest"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/httpx"
)

// server takes pushes and reads them with Loki's own types.
type server struct {
	*httptest.Server
	mu      sync.Mutex
	got     []push.PushRequest
	headers []http.Header
}

func newServer(t testing.TB) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		plain, err := snappy.Decode(nil, body)
		if err != nil {
			t.Errorf("the body is no snappy block: %v", err)
		}
		var request push.PushRequest
		if err := request.Unmarshal(plain); err != nil {
			t.Errorf("the body is no PushRequest: %v", err)
		}
		s.mu.Lock()
		s.got = append(s.got, request)
		s.headers = append(s.headers, r.Header)
		s.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(s.Close)
	return s
}

// streams gives all that came, by labels.
func (s *server) streams() map[string][]push.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string][]push.Entry{}
	for _, request := range s.got {
		for _, stream := range request.Streams {
			for _, entry := range stream.Entries {
				entry.Timestamp = entry.Timestamp.UTC()
				// The order of metadata has no meaning.
				slices.SortFunc(entry.StructuredMetadata, func(a, b push.LabelAdapter) int { return strings.Compare(a.Name, b.Name) })
				all[stream.Labels] = append(all[stream.Labels], entry)
			}
		}
	}
	return all
}

// open makes our output.
func open(t testing.TB, address string, set func(*loki.Config)) outputs.Output {
	t.Helper()
	c := loki.Defaults()
	c.HostPort = address
	if set != nil {
		set(&c)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	o, err := loki.New(outputs.Env{Name: "loki", Log: slog.New(slog.DiscardHandler), HTTP: httpx.Defaults()}, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.(io.Closer).Close() })
	return o
}

// alerts of three streams, mixed, with characters that a label's value must have escaped.
func alerts(t testing.TB) []*alert.Alert {
	t.Helper()
	list, err := alert.Decode([]byte(`
{"uuid":"5b2f0f0e-3c63-4f7e-9d2a-0d6a3f3b7a10","output":"Shell in container (user=root cmd=bash -c \"id\")","priority":"Warning","rule":"Terminal shell in container",
 "time":"2026-08-17T09:47:21.123456789Z","source":"syscall","hostname":"node-03","tags":["T1059","container"],
 "output_fields":{"container.id":"3ad7b26ded6d","evt.time":1787132841123456789,"k8s.ns.name":"shop","proc.cmdline":"bash -c \"id\" \\ 안녕 👩‍👩‍👧","user.uid":18446744073709551615}}
{"uuid":"5b2f0f0e-3c63-4f7e-9d2a-0d6a3f3b7a11","output":"안녕 👩‍👩‍👧","priority":"Critical","rule":"quo\"te \\ 규칙\t🦅","time":"2026-08-17T09:47:22Z",
 "source":"terminal","hostname":"노드-1","output_fields":{"proc.name":"vi"}}
{"uuid":"5b2f0f0e-3c63-4f7e-9d2a-0d6a3f3b7a12","output":"another of the first stream","priority":"Warning","rule":"Terminal shell in container",
 "time":"2026-08-17T09:47:23.5Z","source":"syscall","hostname":"node-03"}
{"uuid":"5b2f0f0e-3c63-4f7e-9d2a-0d6a3f3b7a13","output":"from before the epoch","priority":"Debug","rule":"Old","time":"1969-12-31T23:59:59.5Z","source":"syscall"}`),
		time.Now(), alert.DefaultMaxDepth)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestLokiClient pushes the same alerts with Grafana's client and with our output: what arrives must be the same
// streams, read by Loki's own types.
func TestLokiClient(t *testing.T) {
	theirs, ours := newServer(t), newServer(t)
	list := alerts(t)

	config, err := client.NewDefaultConfig(theirs.URL + "/loki/api/v1/push")
	if err != nil {
		t.Fatal(err)
	}
	config.TenantID = "team-a"
	witness, err := client.NewWithLogger(config, log.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		labels := model.LabelSet{
			"rule": model.LabelValue(a.Rule), "source": model.LabelValue(a.Source), "priority": model.LabelValue(a.Priority.String()),
		}
		if a.Hostname != "" {
			labels["hostname"] = model.LabelValue(a.Hostname)
		}
		metadata := push.LabelsAdapter{{Name: "uuid", Value: a.ID.String()}}
		if len(a.Tags) > 0 {
			metadata = append(metadata, push.LabelAdapter{Name: "tags", Value: strings.Join(a.Tags, ",")})
		}
		for name, value := range a.Fields.All() {
			metadata = append(metadata, push.LabelAdapter{Name: strings.ReplaceAll(name, ".", "_"), Value: value.Text()})
		}
		if err := witness.HandleWithMetadata(labels, a.Time, a.Output, metadata); err != nil {
			t.Fatal(err)
		}
	}
	witness.Stop() // it sends what it has gathered

	if err := open(t, ours.URL, func(c *loki.Config) { c.Tenant = "team-a" }).Send(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	want, got := theirs.streams(), ours.streams()
	if len(want) != 3 {
		t.Fatalf("the witness sent %d streams, want 3", len(want))
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("we sent\n%v\nGrafana's client\n%v", got, want)
	}
	for _, header := range []string{"Content-Type", "Content-Encoding", "X-Scope-Orgid"} {
		if got, want := ours.headers[0].Get(header), theirs.headers[0].Get(header); got != want {
			t.Errorf("%s: we sent %q, Grafana's client %q", header, got, want)
		}
	}
}

// TestLabelsAreParsed reads the labels of hostile alerts with Prometheus's own parser, which Loki uses.
func TestLabelsAreParsed(t *testing.T) {
	texts := []string{"\x00", "\"", "\\", "\n", "\x7f", "\u009b", "\u202e", "\xff", "\u200b", "\ufeff", "\ufffd", "\U000e0001", "안녕 👩‍👩‍👧", "{", "}", ",", "=", "'", "`"}
	for _, mode := range []string{loki.LabelsDefault, loki.LabelsFalcosidekick} {
		s := newServer(t)
		o := open(t, s.URL, func(c *loki.Config) { c.Labels, c.ExtraLabels = mode, "evil" })
		var list []*alert.Alert
		for _, text := range texts {
			list = append(list, &alert.Alert{
				ID: alert.NewID(), Time: time.Now(), Rule: "r" + text + "r", Source: text, Hostname: text + text, Tags: []string{text}, Output: "o" + text,
				Fields: alert.FieldsOf(alert.Field{Name: "evil", Value: alert.String(text)}),
			})
		}
		for _, sample := range outputtest.Alerts() {
			if sample.Alert.Time.Year() < 2262 {
				list = append(list, sample.Alert)
			}
		}
		if err := o.Send(t.Context(), list); err != nil {
			t.Fatal(err)
		}
		streams := s.streams()
		// A few texts mean the same once they are mended.
		if len(streams) < len(texts)-2 {
			t.Errorf("%d streams of %d alerts", len(streams), len(list))
		}
		for text := range streams {
			labels, err := parser.ParseMetric(text)
			if err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			if back := labels.String(); back != text {
				t.Errorf("we wrote %s, Prometheus writes %s", text, back)
			}
			if labels.Get("rule") == "" || labels.Get("priority") == "" {
				t.Errorf("%s lacks a label", text)
			}
		}
	}
}
