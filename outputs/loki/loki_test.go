package loki_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/outputs/loki"
	"github.com/tiercel/tiercel/outputs/outputtest"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/secret"
	"github.com/tiercel/tiercel/pkg/verdict"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Three alerts that are peculiar here: one as Falco has it, one with everything odd, one with as little as there can be.
const standard = `
{"uuid":"5b2f0f0e-3c63-4f7e-9d2a-0d6a3f3b7a10","output":"09:47:21.123456789: Warning Shell in container (user=root cmd=bash -c \"id\" container=web)",
 "priority":"Warning","rule":"Terminal shell in container","time":"2026-08-17T09:47:21.123456789Z","source":"syscall","hostname":"node-03",
 "tags":["container","T1059","shell"],
 "output_fields":{"container.id":"3ad7b26ded6d","container.name":"web","evt.time":1787132841123456789,"fd.name":null,"k8s.ns.name":"shop",
  "proc.aname[2]":"containerd-shim","proc.cmdline":"bash -c \"id\"","proc.tty":34816,"thread.cap_permitted":true,"user.uid":18446744073709551615}}
{"uuid":"5b2f0f0e-3c63-4f7e-9d2a-0d6a3f3b7a11","output":"안녕 👩‍👩‍👧\u001b[31mred\u0000\r\nsecond \u009b31m \u202egpj.exe C:\\dir",
 "priority":"critical","rule":"quo\"te \\ back\nline","time":"2026-08-17T09:47:22+09:00","source":"terminal","hostname":"노드-1 🦅",
 "output_fields":{"이름":"값","이것":"나","9lives":"cat","a.b":"dot","a_b":"underscore","a__b":"two","":"empty name","uuid":"not ours","rule":"not ours either",
  "deep":{"k":["\u0007",null]},"nul\u0000name":"nul\u0000value","blank":"","esc":"\u001b]0;owned\u0007"},"later":{"falco":"grows"}}
{"uuid":"5b2f0f0e-3c63-4f7e-9d2a-0d6a3f3b7a12","priority":"Debug","rule":"Minimal","time":"1969-12-31T23:59:59.5Z","output_fields":{"proc.name":"a b","proc.pid":7,"none":null,"x":"q\"=\\"}}
`

func TestGolden(t *testing.T) {
	for name, set := range map[string]func(*loki.Config){
		"default": nil,
		"json":    func(c *loki.Config) { c.Format = loki.FormatJSON },
		"falcosidekick": func(c *loki.Config) {
			c.Labels, c.ExtraLabels = loki.LabelsFalcosidekick, "container.name,proc.tty,proc.cmdline"
		},
		"extralabels": func(c *loki.Config) { c.ExtraLabels = "k8s.ns.name, proc.tty ,,proc.aname[2],a.b,a_b,rule,missing" },
		"no-metadata": func(c *loki.Config) { c.StructuredMetadata = false },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, nil)
			if err := newOutput(t, f, set).Send(t.Context(), parse(t, standard)); err != nil {
				t.Fatal(err)
			}
			got := render(f.only(t).Streams)
			outputtest.Golden(t, name+".golden", got)

			// The other form of the request says the same.
			other := newFake(t, nil)
			both := func(c *loki.Config) {
				if set != nil {
					set(c)
				}
				c.Protocol = loki.ProtocolJSON
			}
			if err := newOutput(t, other, both).Send(t.Context(), parse(t, standard)); err != nil {
				t.Fatal(err)
			}
			if asJSON := render(other.only(t).Streams); asJSON != got {
				t.Errorf("as JSON:\n%s\nas protobuf:\n%s", asJSON, got)
			}
		})
	}
}

func TestRequest(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(*loki.Config)
		want map[string]string
	}{
		"default": {nil, map[string]string{
			"Content-Type": "application/x-protobuf", "User-Agent": "Tiercel/1.2.3", "Authorization": "", "X-Scope-Orgid": "",
			"Content-Encoding": "",
		}},
		"json":   {func(c *loki.Config) { c.Protocol = loki.ProtocolJSON }, map[string]string{"Content-Type": "application/json"}},
		"basic":  {func(c *loki.Config) { c.User, c.APIKey = "u", secret.New("k") }, map[string]string{"Authorization": "Basic dTpr"}},
		"bearer": {func(c *loki.Config) { c.Token = secret.New("glc_abc") }, map[string]string{"Authorization": "Bearer glc_abc"}},
		"tenant": {func(c *loki.Config) { c.Tenant = "team-a" }, map[string]string{"X-Scope-Orgid": "team-a"}},
		"custom headers": {
			func(c *loki.Config) {
				c.CustomHeaders = map[string]secret.String{"X-One": secret.New("1"), "authorization": secret.New("Own x")}
			},
			map[string]string{"X-One": "1", "Authorization": "Own x"},
		},
		"user in the address": {
			func(c *loki.Config) { c.HostPort = strings.Replace(c.HostPort, "://", "://u:k@", 1) },
			map[string]string{"Authorization": "Basic dTpr"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, nil)
			if err := newOutput(t, f, c.set).Send(t.Context(), numbered(t, "a", 1)); err != nil {
				t.Fatal(err)
			}
			got := f.only(t)
			if got.Method != http.MethodPost || got.Path != "/loki/api/v1/push" {
				t.Errorf("%s %s", got.Method, got.Path)
			}
			for header, want := range c.want {
				if value := got.Header.Get(header); value != want {
					t.Errorf("%s is %q, want %q", header, value, want)
				}
			}
			if length := got.Header.Get("Content-Length"); length != fmt.Sprint(len(got.Body)) {
				t.Errorf("Content-Length %q, body %d bytes", length, len(got.Body))
			}
		})
	}
}

func TestAddress(t *testing.T) {
	for _, c := range []struct{ host, endpoint, want string }{
		{"", "/loki/api/v1/push", "/loki/api/v1/push"},
		{"/", "loki/api/v1/push", "/loki/api/v1/push"},
		{"/gateway/", "/api/prom/push?a=b", "/gateway/api/prom/push?a=b"},
	} {
		f := newFake(t, nil)
		o := newOutput(t, f, func(config *loki.Config) { config.HostPort += c.host; config.Endpoint = c.endpoint })
		if err := o.Send(t.Context(), numbered(t, "a", 1)); err != nil {
			t.Fatal(err)
		}
		if got := f.only(t).Path; got != c.want {
			t.Errorf("%q and %q: %s, want %s", c.host, c.endpoint, got, c.want)
		}
	}
}

// Alerts of a stream stay together and in order, streams come in the order of their first alert.
func TestGroupsByStream(t *testing.T) {
	f := newFake(t, nil)
	a, b := numbered(t, "a", 3), numbered(t, "b", 2)
	if err := newOutput(t, f, nil).Send(t.Context(), []*alert.Alert{b[0], a[0], a[1], b[1], a[2]}); err != nil {
		t.Fatal(err)
	}
	got := f.only(t)
	if len(got.Streams) != 2 {
		t.Fatalf("%d streams, want 2", len(got.Streams))
	}
	if want := []string{"b 0", "b 1", "a 0", "a 1", "a 2"}; !slices.Equal(got.texts(), want) {
		t.Errorf("lines %q, want %q", got.texts(), want)
	}
}

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		status    int
		reason    verdict.Reason
		permanent bool
	}{
		{http.StatusOK, "", false},
		{http.StatusNoContent, "", false},
		{http.StatusBadRequest, verdict.Rejected, true},
		{http.StatusUnauthorized, verdict.Auth, false},
		{http.StatusForbidden, verdict.Auth, false},
		{http.StatusNotFound, verdict.NotFound, false},
		{http.StatusRequestEntityTooLarge, verdict.TooLarge, true},
		{http.StatusUnprocessableEntity, verdict.Rejected, true},
		{http.StatusTooManyRequests, verdict.RateLimited, false},
		{http.StatusInternalServerError, verdict.ServerError, false},
		{http.StatusServiceUnavailable, verdict.ServerError, false},
	} {
		t.Run(fmt.Sprint(c.status), func(t *testing.T) {
			text := "the answer's text"
			if c.status == http.StatusNoContent {
				text = ""
			}
			f := newFake(t, func(request) (int, string) { return c.status, text })
			o := newOutput(t, f, func(c *loki.Config) { c.Token = secret.New("s3cret-token") })
			err := o.Send(t.Context(), numbered(t, "a", 1))
			if c.reason == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if verdict.ReasonOf(err) != c.reason || verdict.IsPermanent(err) != c.permanent {
				t.Errorf("reason %s, permanent %t: %v", verdict.ReasonOf(err), verdict.IsPermanent(err), err)
			}
			if !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error is %q", err)
			}
		})
	}
}

// An error that is about Loki and not about an alert is one error for the whole batch.
func TestWholeBatchWaits(t *testing.T) {
	f := newFake(t, func(request) (int, string) { return http.StatusServiceUnavailable, "" })
	err := newOutput(t, f, nil).Send(t.Context(), append(numbered(t, "a", 3), numbered(t, "b", 3)...))
	var partial verdict.Partial
	if err == nil || errors.As(err, &partial) || verdict.IsPermanent(err) {
		t.Errorf("got %v", err)
	}
	if n := len(f.got()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestNoConnection(t *testing.T) {
	f := newFake(t, nil)
	o := newOutput(t, f, nil)
	f.Close()
	err := o.Send(t.Context(), numbered(t, "a", 2))
	if verdict.ReasonOf(err) != verdict.Connection || verdict.IsPermanent(err) {
		t.Errorf("got %v, reason %s", err, verdict.ReasonOf(err))
	}
}

func TestContextEnds(t *testing.T) {
	over := make(chan struct{})
	f := newFake(t, func(r request) (int, string) {
		if r.texts()[0] == "a 0" {
			<-over
		}
		return 204, ""
	})
	o := newOutput(t, f, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := o.Send(ctx, numbered(t, "a", 1))
	close(over)
	if verdict.ReasonOf(err) != verdict.Timeout || verdict.IsPermanent(err) {
		t.Errorf("got %v", err)
	}
	// What was sent before does not get in the way of what comes next.
	if err := o.Send(t.Context(), numbered(t, "b", 1)); err != nil {
		t.Fatal(err)
	}
	got := f.got()
	if texts := got[len(got)-1].texts(); !slices.Equal(texts, []string{"b 0"}) {
		t.Errorf("lines %q", texts)
	}
}

// What someone has to set right, in Loki or here, keeps the alerts waiting: they are not at fault.
func TestWaitsForTheOperator(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		text   string
		want   string
	}{
		"blocked":           {260, "ingestion blocked for user 'fake' until '2099-01-01T00:00:00Z' with status code '260'", "block_ingestion"},
		"blocked, as error": {403, "ingestion blocked for user 'fake' until '2099-01-01T00:00:00Z' with status code '403'", "ingestion blocked"},
		"blocked, 456":      {456, "ingestion blocked for user 'fake' (policy: 'p') until '2099-01-01T00:00:00Z' with status code '456'", "block_ingestion"},
		"metadata": {
			400, "stream '{rule=\"a\"}' includes structured metadata, but this feature is disallowed. Please see `limits_config.allow_structured_metadata`",
			"structuredmetadata: false",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, func(request) (int, string) { return c.status, c.text })
			err := newOutput(t, f, nil).Send(t.Context(), append(numbered(t, "a", 2), numbered(t, "b", 2)...))
			if err == nil || verdict.IsPermanent(err) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
			if n := len(f.got()); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

func TestTimeOutOfRange(t *testing.T) {
	for _, year := range []int{1, 1677, 2263, 9999} {
		f := newFake(t, nil)
		batch := numbered(t, "a", 3)
		batch[1] = parse(t, fmt.Sprintf(`{"rule":"r","priority":"Debug","time":"%04d-01-01T00:00:00.5Z"}`, year))[0]
		failed := partial(t, newOutput(t, f, nil).Send(t.Context(), batch), 1)
		if !verdict.IsPermanent(failed[1]) || verdict.ReasonOf(failed[1]) != verdict.Encoding {
			t.Errorf("%d: %v", year, failed[1])
		}
		if texts := f.only(t).texts(); !slices.Equal(texts, []string{"a 0", "a 2"}) {
			t.Errorf("%d: lines %q", year, texts)
		}
	}
	// The first and the last nanosecond that fit.
	f := newFake(t, nil)
	batch := parse(t, `{"rule":"r","priority":"Debug","time":"1677-09-21T00:12:43.145224192Z"} {"rule":"r","priority":"Debug","time":"2262-04-11T23:47:16.854775807Z"}`)
	if err := newOutput(t, f, func(c *loki.Config) { c.Protocol = loki.ProtocolJSON }).Send(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	lines := f.only(t).Streams[0].Lines
	if !lines[0].Time.Equal(batch[0].Time) || !lines[1].Time.Equal(batch[1].Time) {
		t.Errorf("times %v and %v", lines[0].Time, lines[1].Time)
	}
}

// partial wants the alerts at the given places, and no others, to have failed.
func partial(t testing.TB, err error, places ...int) verdict.Partial {
	t.Helper()
	var failed verdict.Partial
	if !errors.As(err, &failed) {
		t.Fatalf("got %v, want a partial error", err)
	}
	if len(failed) != len(places) {
		t.Fatalf("%d failed, want %v: %v", len(failed), places, failed)
	}
	for _, i := range places {
		if failed[i] == nil {
			t.Fatalf("%d has not failed: %v", i, failed)
		}
	}
	return failed
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   string // part of the error, "" for none
	}{
		"older Loki":    {204, "", ""},
		"Loki 3":        {422, "error at least one valid stream is required for ingestion\n", ""},
		"wrong path":    {404, "404 page not found", "hostport and endpoint"},
		"wrong method":  {405, "", "hostport and endpoint"},
		"credentials":   {401, "no credentials", "401"},
		"not a Loki":    {400, "what is this?", "400"},
		"not ready":     {503, "starting", "503"},
		"something odd": {422, "teapot", "422"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, func(request) (int, string) { return c.status, c.body })
			o := newOutput(t, f, func(c *loki.Config) { c.User, c.APIKey, c.Tenant = "u", secret.New("k"), "team-a" })
			err := o.(outputs.Checker).Check(t.Context())
			if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v", err)
			}
			got := f.only(t)
			if len(got.Streams) != 0 || got.tenant() != "team-a" || got.Header.Get("Authorization") == "" {
				t.Errorf("request %+v", got)
			}
		})
	}
	t.Run("template without a tenant", func(t *testing.T) {
		f := newFake(t, func(request) (int, string) { return 401, "no org id" })
		o := newOutput(t, f, func(c *loki.Config) { c.Tenant = `{{ index .OutputFields "team" }}` })
		if err := o.(outputs.Checker).Check(t.Context()); err == nil || !strings.Contains(err.Error(), "template") {
			t.Errorf("got %v", err)
		}
	})
}

func TestConfig(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(*loki.Config)
		want []string // the keys at fault
	}{
		"defaults":          {func(*loki.Config) {}, nil},
		"https":             {func(c *loki.Config) { c.HostPort = "https://logs.example.org/gateway" }, nil},
		"no scheme":         {func(c *loki.Config) { c.HostPort = "loki:3100" }, []string{"hostport"}},
		"other scheme":      {func(c *loki.Config) { c.HostPort = "ftp://loki:3100" }, []string{"hostport"}},
		"query":             {func(c *loki.Config) { c.HostPort = "http://loki?x=1" }, []string{"hostport"}},
		"path of the API":   {func(c *loki.Config) { c.HostPort = "https://logs.example.org/loki/api/v1/push" }, []string{"hostport"}},
		"endpoint":          {func(c *loki.Config) { c.Endpoint = "/%zz" }, []string{"endpoint"}},
		"user alone":        {func(c *loki.Config) { c.User = "u" }, []string{"apikey"}},
		"key alone":         {func(c *loki.Config) { c.APIKey = secret.New("k") }, []string{"user"}},
		"token and user":    {func(c *loki.Config) { c.User, c.APIKey, c.Token = "u", secret.New("k"), secret.New("t") }, []string{"token"}},
		"token with break":  {func(c *loki.Config) { c.Token = secret.New("t\r\nX: y") }, []string{"token"}},
		"tenant with break": {func(c *loki.Config) { c.Tenant = "a\nb" }, []string{"tenant"}},
		"tenant twice": {
			func(c *loki.Config) {
				c.Tenant, c.CustomHeaders = "a", map[string]secret.String{"x-scope-orgid": secret.New("b")}
			},
			[]string{"tenant"},
		},
		"template":          {func(c *loki.Config) { c.Tenant = `{{ or (index .OutputFields "k8s.ns.name") "infra" }}` }, nil},
		"template, unclear": {func(c *loki.Config) { c.Tenant = "{{ index" }, []string{"tenant"}},
		"template, unknown": {func(c *loki.Config) { c.Tenant = "{{ .Namespace }}" }, []string{"tenant"}},
		"words": {
			func(c *loki.Config) { c.Format, c.Labels, c.Protocol = "xml", "few", "grpc" },
			[]string{"format", "labels", "protocol"},
		},
		"httpx": {func(c *loki.Config) { c.MaxConcurrentRequests = -1 }, []string{"maxconcurrentrequests"}},
	} {
		t.Run(name, func(t *testing.T) {
			config := loki.Defaults()
			config.HostPort = "http://loki:3100"
			c.set(&config)
			var keys []string
			for _, err := range problem.Each(config.Validate()) {
				var p *problem.Problem
				if !errors.As(err, &p) {
					t.Fatalf("%v is no problem", err)
				}
				keys = append(keys, p.Key)
			}
			if !slices.Equal(keys, c.want) {
				t.Errorf("problems %v, want %v", config.Validate(), c.want)
			}
		})
	}
	if c := loki.Spec.Config(); c.Enabled() {
		t.Error("it is on without a hostport")
	}
}
