package elasticsearch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/outputs/elasticsearch"
	"github.com/tiercel/tiercel/outputs/outputtest"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/secret"
	"github.com/tiercel/tiercel/pkg/verdict"
)

const taken = `{"errors":false,"items":[{"create":{"status":201}}]}`

func TestContract(t *testing.T) {
	// An answer without a body does not say that the alerts are there.
	nothing := outputtest.Expect(204, outputtest.Want{Reason: verdict.ServerError})
	outputtest.Run(t, elasticsearch.Spec, func(server string) outputs.Config {
		c := elasticsearch.Defaults()
		c.HostPort, c.Pipeline = server+"/es/", "my pipeline"
		c.Username, c.Password = "falco", secret.New("hush-password")
		c.CustomHeaders = map[string]secret.String{"x-token": secret.New("hush-header")}
		return &c
	}, outputtest.Yes(200, taken), nothing)
}

// open makes an output and closes it with the test.
func open(t testing.TB, address string, change func(*elasticsearch.Config)) outputs.Output {
	t.Helper()
	c := elasticsearch.Defaults()
	c.HostPort = address
	if change != nil {
		change(&c)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	o, err := elasticsearch.New(outputs.Env{Name: "elasticsearch", HTTP: httpx.Defaults()}, c)
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

// TestSendsWhatFalcosidekickSends: the document of its recording is ours, but for the alert's id.
func TestSendsWhatFalcosidekickSends(t *testing.T) {
	recording, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "wire", "elasticsearch-bulk.http"))
	if err != nil {
		t.Skipf("the recordings of falcosidekick are not here: %v", err)
	}
	head, body, _ := strings.Cut(strings.ReplaceAll(string(recording), "\r\n", "\n"), "\n\n")
	want := json.NewDecoder(strings.NewReader(body))
	var wantAction, wantDocument map[string]any
	if err := errors.Join(want.Decode(&wantAction), want.Decode(&wantDocument)); err != nil {
		t.Fatal(err)
	}
	server := outputtest.NewServer(t, outputtest.Answer{Status: 200, Body: taken})
	o := open(t, server.URL, func(c *elasticsearch.Config) {
		c.EnableCompression, c.Username, c.Password = true, "u", secret.New("p")
		if !strings.Contains(head, "Authorization: Basic dTpw") {
			t.Error("the recording is another one")
		}
	})
	if err := o.Send(deadline(t), []*alert.Alert{outputtest.Alerts()[1].Alert}); err != nil {
		t.Fatal(err)
	}
	r := server.Requests()[0]
	if r.Header.Get("Authorization") != "Basic dTpw" || r.Header.Get("Content-Encoding") != "gzip" || !strings.HasPrefix(r.URI, "/_bulk?") {
		t.Errorf("got %s %v", r.URI, r.Header)
	}
	got := json.NewDecoder(bytes.NewReader(r.Body))
	var action map[string]map[string]string
	var document map[string]any
	if err := errors.Join(got.Decode(&action), got.Decode(&document)); err != nil {
		t.Fatal(err)
	}
	if index := action["create"]["_index"]; index != "falco-2026.08.17" || action["create"]["_id"] != document["uuid"] {
		t.Errorf("action %v", action)
	}
	wantDocument["uuid"] = document["uuid"]
	if !reflect.DeepEqual(document, wantDocument) {
		t.Errorf("got\n%v\nwant\n%v", document, wantDocument)
	}
}

func TestIndexes(t *testing.T) {
	for suffix, want := range map[string]string{"daily": "mine-2026.08.17", "monthly": "mine-2026.08", "annually": "mine-2026", "none": "mine", "stream": "mine"} {
		server := outputtest.NewServer(t, outputtest.Answer{Status: 200, Body: taken})
		o := open(t, server.URL, func(c *elasticsearch.Config) {
			c.Index, c.Suffix, c.FlattenFields = "mine", suffix, true
			if suffix == "stream" {
				c.Suffix, c.DataStream = "daily", true
			}
		})
		if err := o.Send(deadline(t), []*alert.Alert{outputtest.Alerts()[1].Alert}); err != nil {
			t.Fatal(err)
		}
		body := string(server.Requests()[0].Body)
		if !strings.Contains(body, `{"create":{"_index":"`+want+`","_id"`) || !strings.Contains(body, `"k8s_ns_name":"shop"`) || strings.Contains(body, "k8s.ns.name") {
			t.Errorf("%s: %s", suffix, body)
		}
	}
}

func TestAPIKeys(t *testing.T) {
	for key, want := range map[string]string{"ZW5jb2RlZA==": "ApiKey ZW5jb2RlZA==", "id:hush": "ApiKey aWQ6aHVzaA=="} {
		server := outputtest.NewServer(t, outputtest.Answer{Status: 200, Body: taken})
		o := open(t, server.URL, func(c *elasticsearch.Config) { c.APIKey, c.Username = secret.New(key), "unused" })
		if err := o.Send(deadline(t), []*alert.Alert{outputtest.Alerts()[1].Alert}); err != nil {
			t.Fatal(err)
		}
		if got := server.Requests()[0].Header.Get("Authorization"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func batchOf(t testing.TB, rules ...string) []*alert.Alert {
	t.Helper()
	var batch []*alert.Alert
	for _, rule := range rules {
		a, err := alert.DecodeOne([]byte(`{"rule":"`+rule+`","priority":"debug","time":"2026-01-31T12:00:00Z","output_fields":{"proc.pid":"x","a":1,"a.b":2,"keep":"k"}}`), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		batch = append(batch, a)
	}
	return batch
}

func TestEachAlertHasItsOwnVerdict(t *testing.T) {
	answer := `{"errors":true,"items":[
		{"create":{"status":201}},
		{"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"document already exists"}}},
		{"create":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"queue is full"}}},
		{"create":{"status":400,"error":{"type":"illegal_argument_exception","reason":"Limit of total fields [1000] has been exceeded"}}},
		{"create":{"status":404,"error":{"type":"index_not_found_exception","reason":"no such index"}}},
		{"create":{"status":403,"error":{"type":"cluster_block_exception","reason":"index is read-only: disk is full"}}},
		{"create":{"status":503,"error":{"type":"unavailable_shards_exception","reason":"primary shard is not active"}}},
		{"create":{"status":403,"error":{"type":"security_exception","reason":"not allowed"}}}]}`
	server := outputtest.NewServer(t, outputtest.Answer{Status: 200, Body: answer})
	err := open(t, server.URL, nil).Send(deadline(t), batchOf(t, "0", "1", "2", "3", "4", "5", "6", "7", "the answer is short"))
	var partial verdict.Partial
	if !errors.As(err, &partial) {
		t.Fatalf("got %v", err)
	}
	want := map[int]verdict.Reason{
		2: verdict.RateLimited, 3: verdict.Rejected, 4: verdict.NotFound, 5: verdict.Storage, 6: verdict.ServerError, 7: verdict.Auth, 8: verdict.ServerError,
	}
	if len(partial) != len(want) {
		t.Errorf("got %v", partial)
	}
	for i, reason := range want {
		if got := verdict.ReasonOf(partial[i]); got != reason || verdict.IsPermanent(partial[i]) != (i == 3) {
			t.Errorf("%d: %v, reason %s", i, partial[i], got)
		}
	}
	if len(server.Requests()) != 1 {
		t.Errorf("%d requests", len(server.Requests()))
	}
}

func TestAnswersThatSayNothing(t *testing.T) {
	for _, body := range []string{"", "<html>a proxy</html>", "{}", `{"errors":false}`, `{"errors":"yes"}`} {
		server := outputtest.NewServer(t, outputtest.Answer{Status: 200, Body: body})
		if err := open(t, server.URL, nil).Send(deadline(t), batchOf(t, "a")); err == nil || verdict.IsPermanent(err) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

// What does not fit the index is put aside, and the rest is written.
func TestFieldsThatDoNotFit(t *testing.T) {
	refusal := func(reason string) string {
		return `{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":400,"error":{"type":"document_parsing_exception","reason":"` + reason + `"}}}]}`
	}
	server := outputtest.NewServer(t,
		outputtest.Answer{Status: 200, Body: refusal("[1:99] failed to parse field [output_fields.proc.pid] of type [long] in document with id 'x'")},
		outputtest.Answer{Status: 200, Body: `{"errors":true,"items":[{"create":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"object mapping for [output_fields.a] tried to parse field [a] as object, but found a concrete value"}}}]}`},
		outputtest.Answer{Status: 200, Body: taken})
	batch := batchOf(t, "fits", "does not")
	if err := open(t, server.URL, nil).Send(deadline(t), batch); err != nil {
		t.Fatal(err)
	}
	requests := server.Requests()
	if len(requests) != 3 {
		t.Fatalf("%d requests", len(requests))
	}
	last := string(requests[2].Body)
	for _, want := range []string{`"output_fields":{"keep":"k"}`, `"rejected_fields":"{\"proc.pid\":\"x\",\"a\":1,\"a.b\":2}"`, `"_id":"` + batch[1].ID.String() + `"`} {
		if !strings.Contains(last, want) {
			t.Errorf("%s is not in %s", want, last)
		}
	}
	if strings.Contains(last, `"rule":"fits"`) {
		t.Errorf("what was written is sent again: %s", last)
	}

	// One that is refused for ever becomes a dead letter.
	server = outputtest.NewServer(t, outputtest.Answer{Status: 200, Body: `{"errors":true,"items":[{"create":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"failed to parse field [output_fields.x] of type"}}}]}`})
	if err := open(t, server.URL, nil).Send(deadline(t), batchOf(t, "a")); !verdict.IsPermanent(err) {
		t.Errorf("got %v", err)
	}
}

// cluster is what the tests need of Elasticsearch: documents by index and id, a template, a bound of the request's size.
type cluster struct {
	mu        sync.Mutex
	documents map[string]string
	template  string
	log       []string
	most      int
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		body, _ = gzip.NewReader(r.Body)
	}
	text, _ := io.ReadAll(body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = append(c.log, r.Method+" "+r.URL.Path)
	switch {
	case strings.HasPrefix(r.URL.Path, "/_index_template/") && r.Method == http.MethodPut:
		c.template = string(text)
	case strings.HasPrefix(r.URL.Path, "/_index_template/") && c.template == "":
		w.WriteHeader(http.StatusNotFound)
	case c.most > 0 && len(text) > c.most:
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	case r.URL.Path == "/_bulk":
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		var items []string
		errs := false
		for i := 0; i+1 < len(lines); i += 2 {
			status := 201
			if _, ok := c.documents[lines[i]]; ok {
				status, errs = 409, true
			}
			c.documents[lines[i]] = lines[i+1]
			items = append(items, fmt.Sprintf(`{"create":{"status":%d}}`, status))
		}
		fmt.Fprintf(w, `{"errors":%t,"items":[%s]}`, errs, strings.Join(items, ","))
	}
}

func newCluster(t *testing.T) (*cluster, string) {
	c := &cluster{documents: map[string]string{}}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	return c, server.URL
}

func TestTwiceIsOnce(t *testing.T) {
	c, url := newCluster(t)
	o := open(t, url, nil)
	batch := batchOf(t, "a", "b", "c")
	for range 3 {
		if err := o.Send(deadline(t), batch); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.documents) != 3 {
		t.Errorf("%d documents", len(c.documents))
	}
}

func TestTooLargeIsHalved(t *testing.T) {
	c, url := newCluster(t)
	c.most = 1200
	if err := open(t, url, nil).Send(deadline(t), batchOf(t, "a", "b", "c", "d", "e", "f", "g")); err != nil {
		t.Fatal(err)
	}
	if len(c.documents) != 7 {
		t.Errorf("%d documents", len(c.documents))
	}
	c.most = 10
	if err := open(t, url, nil).Send(deadline(t), batchOf(t, "h")); !verdict.IsPermanent(err) || verdict.ReasonOf(err) != verdict.TooLarge {
		t.Errorf("got %v", err)
	}
}

func TestTemplate(t *testing.T) {
	c, url := newCluster(t)
	change := func(c *elasticsearch.Config) { c.CreateIndexTemplate, c.NumberOfReplicas = true, 1 }
	o := open(t, url, change)
	for range 2 {
		if err := o.Send(deadline(t), batchOf(t, "a")); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(c.log, ", "); got != "GET /_index_template/falco, PUT /_index_template/falco, POST /_bulk, POST /_bulk" {
		t.Errorf("requests: %s", got)
	}
	var template struct {
		Patterns []string `json:"index_patterns"`
		Template struct {
			Settings map[string]int `json:"settings"`
		} `json:"template"`
	}
	if err := json.Unmarshal([]byte(c.template), &template); err != nil || template.Patterns[0] != "falco-*" || template.Template.Settings["number_of_replicas"] != 1 {
		t.Errorf("%v: %s", err, c.template)
	}
	c.log = nil
	if err := open(t, url, change).Send(deadline(t), batchOf(t, "a")); err != nil || c.log[1] != "POST /_bulk" {
		t.Errorf("one that is there is left alone: %v, %v", c.log, err)
	}
	refusing := outputtest.NewServer(t, outputtest.Answer{Status: 404}, outputtest.Answer{Status: 400})
	if err := open(t, refusing.URL, change).Send(deadline(t), batchOf(t, "a")); err == nil || verdict.IsPermanent(err) {
		t.Errorf("a template that is refused buries no alert: %v", err)
	}
}

func TestConfigRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*elasticsearch.Config)
		want   string
	}{
		"an address":        {func(c *elasticsearch.Config) { c.HostPort = "es:9200" }, "hostport: "},
		"no index":          {func(c *elasticsearch.Config) { c.Index = "" }, "index: "},
		"capitals":          {func(c *elasticsearch.Config) { c.Index = "Falco" }, "index: "},
		"injection":         {func(c *elasticsearch.Config) { c.Index = `a"},{` }, "index: "},
		"a hidden one":      {func(c *elasticsearch.Config) { c.Index = ".kibana" }, "index: "},
		"a lonely password": {func(c *elasticsearch.Config) { c.Password = secret.New("hush") }, "password: "},
		"shards":            {func(c *elasticsearch.Config) { c.NumberOfShards = 0 }, "numberofshards: "},
		"replicas":          {func(c *elasticsearch.Config) { c.NumberOfReplicas = -1 }, "numberofreplicas: "},
	} {
		config := elasticsearch.Defaults()
		config.HostPort = "http://127.0.0.1:9200"
		c.change(&config)
		got := problem.Each(config.Validate())
		if len(got) != 1 || !strings.HasPrefix(got[0].Error(), c.want) || strings.Contains(got[0].Error(), "hush") {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// FuzzAnswer: whatever comes back, every alert gets a verdict and none is taken for written without a word of it.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(taken))
	f.Add([]byte(`{"errors":true,"items":[{"create":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"failed to parse field [output_fields.a] x"}}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		server := outputtest.NewServer(t, outputtest.Answer{Status: 200, Body: string(body)})
		err := open(t, server.URL, nil).Send(deadline(t), batchOf(t, "a"))
		if err == nil && !bytes.Contains(bytes.ToLower(body), []byte("errors")) && !bytes.Contains(bytes.ToLower(body), []byte("items")) {
			t.Errorf("%q was taken for a yes", body)
		}
	})
}

func BenchmarkSend(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, taken)
	}))
	defer server.Close()
	o := open(b, server.URL, nil)
	var batch []*alert.Alert
	for range 500 {
		batch = append(batch, outputtest.Alerts()[1].Alert)
	}
	ctx := deadline(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := o.Send(ctx, batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(batch)), "ns/alert")
}
