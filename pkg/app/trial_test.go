package app_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/app"
	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/normalize"
	"github.com/tiercel/tiercel/pkg/secret"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// courier is an output that posts what body makes of the batch, and has secrets in all the places where one can be.
type courier struct {
	client *http.Client
	config courierConfig
	body   func(batch []*alert.Alert) (contentType, encoding string, body []byte)
}

type courierConfig struct {
	httpx.Settings

	Address secret.String `config:"address"`
	Token   secret.String `config:"token"`
	Nested  struct {
		Password secret.String `config:"password"`
	} `config:"nested"`
}

func (c *courierConfig) Enabled() bool   { return !c.Address.IsZero() }
func (c *courierConfig) Validate() error { return nil }

func courierSpec(body func([]*alert.Alert) (string, string, []byte)) outputs.Spec {
	return outputs.Define(outputs.Spec{Name: "courier", Title: "Courier", Category: "test", Batch: outputs.Batch{Max: 2}},
		func() courierConfig { return courierConfig{Settings: httpx.DefaultSettings()} },
		func(env outputs.Env, cfg courierConfig) (outputs.Output, error) {
			client, err := env.HTTP.Client(cfg.Settings)
			return &courier{client, cfg, body}, err
		})
}

func (c *courier) Send(ctx context.Context, batch []*alert.Alert) error {
	contentType, encoding, body := c.body(batch)
	header := http.Header{"Authorization": {"Bearer " + c.config.Token.Reveal()}, "X-Extra": {"one", "two"}}
	if encoding != "" {
		header.Set("Content-Encoding", encoding)
	}
	c.config.Apply(header)
	_, err := httpx.Post(ctx, c.client, c.config.Address.Reveal(), contentType, header, body, c.config.Address.Reveal())
	return err
}

func (c *courier) Close() error {
	c.client.CloseIdleConnections()
	return nil
}

// try runs a trial of the courier with one alert against a server that answers with answer.
func try(t *testing.T, body func([]*alert.Alert) (string, string, []byte), answer http.HandlerFunc, lines ...string) (app.Trial, string) {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	address := strings.Replace(server.URL, "://", "://user:pa55word@", 1) + "/services/T0/path-secret?key=query-secret&plain"
	cfg := load(t, t.TempDir(), []outputs.Spec{courierSpec(body)}, append([]string{
		"courier:", "  address: " + address, "  token: t0ken-secret", "  nested: {password: 'a&b\"-secret'}",
		"  customheaders: {X-Api: header-secret}",
	}, lines...)...)
	alerts := []*alert.Alert{normalize.TestAlert(time.Now(), "")}
	trial := app.Try(t.Context(), cfg, cfg.Outputs[0], deps(t.Output()), alerts)
	text, err := json.Marshal(trial)
	if err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{"-secret", "pa55word", "user:"} {
		if strings.Contains(string(text), hidden) {
			t.Errorf("the trial shows %q: %s", hidden, text)
		}
	}
	return trial, strings.TrimPrefix(server.URL, "http://")
}

func jsonBody(secrets ...string) func([]*alert.Alert) (string, string, []byte) {
	return func(batch []*alert.Alert) (string, string, []byte) {
		text, err := json.Marshal(map[string]any{"rule": batch[0].Rule, "secrets": secrets})
		if err != nil {
			panic(err)
		}
		return "application/json", "", text
	}
}

func TestTrialShowsRequestAndAnswerWithoutSecrets(t *testing.T) {
	noLeaks(t)
	trial, host := try(t, jsonBody("t0ken-secret", `a&b"-secret`), func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Api") != "header-secret" || r.URL.Query().Get("key") != "query-secret" {
			t.Errorf("the request itself lost its secrets: %v %v", r.URL, r.Header)
		}
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, "taken 안녕, t0ken-secret")
	})
	if !trial.Delivered || len(trial.Exchanges) != 1 {
		t.Fatalf("the trial is %+v", trial)
	}
	x := trial.Exchanges[0]
	want := app.Request{
		Method: "POST",
		URL:    "http://" + host + "/[REDACTED]?key=[REDACTED]&plain=[REDACTED]",
		Headers: []app.Header{
			{Name: "Authorization", Value: "[REDACTED]"},
			{Name: "Content-Type", Value: "application/json"},
			{Name: "User-Agent", Value: "Tiercel"},
			{Name: "X-Api", Value: "[REDACTED]"},
			{Name: "X-Extra", Value: "[REDACTED]"},
			{Name: "X-Extra", Value: "[REDACTED]"},
		},
		Body: `{"rule":"Test rule","secrets":["[REDACTED]","[REDACTED]"]}`,
	}
	if got := x.Request; got.Method != want.Method || got.URL != want.URL || got.Body != want.Body || !slices.Equal(got.Headers, want.Headers) {
		t.Errorf("the request is\n%+v, expected\n%+v", got, want)
	}
	if x.Answer == nil || *x.Answer != (app.Answer{Status: "202 Accepted", Body: "taken 안녕, [REDACTED]"}) {
		t.Errorf("the answer is %+v", x.Answer)
	}
}

func TestTrialThatFails(t *testing.T) {
	noLeaks(t)
	t.Run("refused", func(t *testing.T) {
		trial, _ := try(t, jsonBody(), func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "bad t0ken-secret", http.StatusUnauthorized)
		})
		if trial.Delivered || trial.Reason != verdict.Auth || trial.Exchanges[0].Answer.Status != "401 Unauthorized" {
			t.Errorf("the trial is %+v", trial)
		}
	})
	t.Run("hanging", func(t *testing.T) {
		gone := make(chan struct{})
		trial, _ := try(t, jsonBody(), func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			close(gone)
		}, "  timeout: 50ms")
		<-gone
		if trial.Delivered || trial.Reason != verdict.Timeout || trial.Exchanges[0].Answer != nil || trial.Exchanges[0].Error == "" {
			t.Errorf("the trial is %+v", trial)
		}
	})
	t.Run("cannot be made", func(t *testing.T) {
		p := &place{fail: errors.New("no such place")}
		cfg := load(t, t.TempDir(), []outputs.Spec{p.spec("one")}, "one: {enabled: true}")
		trial := app.Try(t.Context(), cfg, cfg.Outputs[0], deps(t.Output()), nil)
		if trial.Delivered || trial.Error != "output one: no such place" {
			t.Errorf("the trial is %+v", trial)
		}
	})
}

// A body that is packed is shown unpacked, one that is no text by its size, a long one by its begin.
func TestTrialShowsBodies(t *testing.T) {
	noLeaks(t)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(z, "packed 한글")
	_ = z.Close()
	long := strings.Repeat("é", 40<<10)
	for name, c := range map[string]struct {
		contentType, encoding string
		body                  []byte
		want                  string
	}{
		"gzip":         {"text/plain", "gzip", zipped.Bytes(), "packed 한글"},
		"broken gzip":  {"text/plain", "gzip", []byte("\x1f\x8b\x08"), "(3 bytes, text/plain)"},
		"binary":       {"application/x-protobuf", "", []byte{0, 1, 2, 0xff}, "(4 bytes, application/x-protobuf)"},
		"invalid text": {"text/plain", "", []byte("a\xff"), "(2 bytes, text/plain)"},
		"long":         {"text/plain", "", []byte("x" + long), "x" + long[:64<<10-2] + " [… 81921 bytes in all]"},
		"lines":        {"application/x-ndjson", "", []byte("{}\n{}\n"), "{}\n{}\n"},
		"nothing":      {"text/plain", "", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			trial, _ := try(t, func([]*alert.Alert) (string, string, []byte) { return c.contentType, c.encoding, c.body },
				func(http.ResponseWriter, *http.Request) {})
			if len(trial.Exchanges) != 1 {
				t.Fatalf("the trial is %+v", trial)
			}
			if got := trial.Exchanges[0].Request.Body; got != c.want {
				t.Errorf("the body is shown as %.100q (%d bytes), expected %.100q (%d bytes)", got, len(got), c.want, len(c.want))
			}
		})
	}
}

// What an output takes at once bounds the batches of a trial too.
func TestTrialSendsInBatches(t *testing.T) {
	var sizes []int
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	spec := courierSpec(func(batch []*alert.Alert) (string, string, []byte) {
		sizes = append(sizes, len(batch))
		return "text/plain", "", []byte("x")
	})
	cfg := load(t, t.TempDir(), []outputs.Spec{spec}, "courier: {address: '"+server.URL+"'}")
	a := normalize.TestAlert(time.Now(), "")
	trial := app.Try(t.Context(), cfg, cfg.Outputs[0], deps(t.Output()), []*alert.Alert{a, a, a, a, a})
	if !trial.Delivered || !slices.Equal(sizes, []int{2, 2, 1}) {
		t.Errorf("batches of %v: %+v", sizes, trial)
	}
}
