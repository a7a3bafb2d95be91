package webhook_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/outputs/outputtest"
	"github.com/tiercel/tiercel/outputs/webhook"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/secret"
)

func TestContract(t *testing.T) {
	outputtest.Run(t, webhook.Spec, func(server string) outputs.Config {
		c := webhook.Defaults()
		c.Address = secret.New(server + "/in/hush-path-token?key=hush-query-token")
		c.CustomHeaders = map[string]secret.String{"x-api-key": secret.New("hush-header-token"), "authorization": secret.New("Bearer hush-bearer")}
		c.SignatureKey = secret.New("hush-signature-key")
		return &c
	})
}

// open makes a webhook to address and closes it with the test.
func open(t testing.TB, address string, change func(*webhook.Config)) outputs.Output {
	t.Helper()
	c := webhook.Defaults()
	c.Address = secret.New(address)
	if change != nil {
		change(&c)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	output, err := webhook.New(outputs.Env{Name: "webhook", Version: "1.2.3", HTTP: httpx.Defaults()}, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = output.(io.Closer).Close() })
	return output
}

func deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// TestSendsWhatFalcosidekickSends replays recordings of falcosidekick: the alert of each, sent by us, must be the same
// request.
func TestSendsWhatFalcosidekickSends(t *testing.T) {
	for _, name := range []string{"webhook.http", "webhook-test.http"} {
		t.Run(name, func(t *testing.T) {
			recording, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "wire", name))
			if err != nil {
				t.Skipf("the recordings of falcosidekick are not here: %v", err)
			}
			text := strings.NewReplacer(`"UUID"`, `"7b1d2f6e-0b5c-4a37-9d0e-0d6c3f1f5a10"`, `"NOW"`, `"2026-08-17T09:47:21Z"`).Replace(string(recording))
			want, wantBody := parse(t, text)
			a, err := alert.DecodeOne(wantBody, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			server := outputtest.NewServer(t)
			if err := open(t, server.URL+want.RequestURI, nil).Send(deadline(t), []*alert.Alert{a}); err != nil {
				t.Fatal(err)
			}
			got := server.Requests()[0]
			if got.Method != want.Method || got.URI != want.RequestURI {
				t.Errorf("%s %s, want %s %s", got.Method, got.URI, want.Method, want.RequestURI)
			}
			for name, values := range want.Header {
				if name != "User-Agent" && !slices.Equal(got.Header[name], values) {
					t.Errorf("header %s: %q, want %q", name, got.Header[name], values)
				}
			}
			if g, w := members(t, got.Body), members(t, wantBody); !reflect.DeepEqual(g, w) {
				t.Errorf("members differ:\n%v\n%v", g, w)
			}
			if !bytes.HasSuffix(got.Body, []byte("}\n")) || bytes.Count(got.Body, []byte("\n")) != 1 {
				t.Errorf("expected one line with its end, got %q", got.Body)
			}
			for _, escape := range []string{`\u0026`, `\u003c`, `\u003e`} {
				if g, w := bytes.Count(got.Body, []byte(escape)), bytes.Count(wantBody, []byte(escape)); g != w {
					t.Errorf("%s stands there %d times, want %d", escape, g, w)
				}
			}
		})
	}
}

// parse reads a recorded request; its body reaches to the end of the file.
func parse(t *testing.T, text string) (*http.Request, []byte) {
	t.Helper()
	head, body, ok := strings.Cut(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n")
	if !ok {
		t.Fatal("the recording has no body")
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	return r, []byte(body)
}

// members decodes an object with its numbers as they are written.
func members(t *testing.T, body []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var all map[string]any
	if err := d.Decode(&all); err != nil {
		t.Fatalf("%v in %q", err, body)
	}
	return all
}

func TestMethodHeadersAndCompression(t *testing.T) {
	a := outputtest.Alerts()[1].Alert
	for name, c := range map[string]struct {
		change func(*webhook.Config)
		method string
		header map[string]string
	}{
		"defaults": {nil, "POST", map[string]string{
			"Content-Type": "application/json; charset=utf-8", "User-Agent": "Tiercel/1.2.3", "Content-Encoding": "",
		}},
		"PUT, in any case": {func(c *webhook.Config) { c.Method = "put" }, "PUT", nil},
		"gzip":             {func(c *webhook.Config) { c.Gzip = true }, "POST", map[string]string{"Content-Encoding": "gzip"}},
		"headers of the config win": {func(c *webhook.Config) {
			c.CustomHeaders = map[string]secret.String{
				"X-Token": secret.New("t"), "content-type": secret.New("text/x"), "user-agent": secret.New("Falcosidekick"), "host": secret.New("alerts.example.org"),
			}
		}, "POST", map[string]string{"X-Token": "t", "Content-Type": "text/x", "User-Agent": "Falcosidekick", "Host": "alerts.example.org"}},
	} {
		t.Run(name, func(t *testing.T) {
			server := outputtest.NewServer(t)
			output := open(t, server.URL+"/in", c.change)
			for range 2 {
				if err := output.Send(deadline(t), []*alert.Alert{a}); err != nil {
					t.Fatal(err)
				}
			}
			for _, got := range server.Requests() {
				if got.Method != c.method {
					t.Errorf("method %s", got.Method)
				}
				if want := string(a.AppendJSON(nil)) + "\n"; string(got.Body) != want {
					t.Errorf("body %q, want %q", got.Body, want)
				}
				got.Header.Set("Host", got.Host)
				for name, want := range c.header {
					if got.Header.Get(name) != want {
						t.Errorf("header %s is %q, want %q", name, got.Header.Get(name), want)
					}
				}
			}
		})
	}
}

// A receiver that knows the key can tell that the body is ours: over the bytes on the wire, compressed or not.
func TestSignature(t *testing.T) {
	for _, zipped := range []bool{false, true} {
		var sums []string
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			mac := hmac.New(sha256.New, []byte("hush-key 키"))
			mac.Write(body)
			if want := "sha256=" + hex.EncodeToString(mac.Sum(nil)); r.Header.Get("X-Hub-Signature-256") != want {
				t.Errorf("signature %q, want %q", r.Header.Get("X-Hub-Signature-256"), want)
			}
			sums = append(sums, r.Header.Get("X-Hub-Signature-256"))
		}))
		t.Cleanup(server.Close)
		o := open(t, server.URL, func(c *webhook.Config) {
			c.SignatureKey, c.SignatureHeader, c.Gzip, c.MaxConcurrentRequests = secret.New("hush-key 키"), "x-hub-signature-256", zipped, 1
		})
		if err := o.Send(deadline(t), fromHosts(t, 3, 2)); err != nil {
			t.Fatal(err)
		}
		slices.Sort(sums)
		if len(slices.Compact(sums)) != 6 {
			t.Errorf("%d signatures of 6 bodies", len(sums))
		}
	}
}

func TestUserOfTheAddressIsBasicAuthentication(t *testing.T) {
	server := outputtest.NewServer(t)
	output := open(t, strings.Replace(server.URL, "http://", "http://falco:p%40ss@", 1), nil)
	if err := output.Send(deadline(t), []*alert.Alert{outputtest.Alerts()[0].Alert}); err != nil {
		t.Fatal(err)
	}
	r := http.Request{Header: server.Requests()[0].Header}
	if user, password, _ := r.BasicAuth(); user != "falco" || password != "p@ss" {
		t.Errorf("got %q, %q", user, password)
	}
}

// fromHosts makes n alerts of each host, host by host in turn.
func fromHosts(t testing.TB, hosts, n int) []*alert.Alert {
	t.Helper()
	var batch []*alert.Alert
	for i := range n {
		for h := range hosts {
			text := fmt.Sprintf(`{"rule":"%d","priority":"debug","time":"2026-01-31T12:00:00Z","hostname":"host-%d"}`, i, h)
			a, err := alert.DecodeOne([]byte(text), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			batch = append(batch, a)
		}
	}
	return batch
}

func TestAFullBatchKeepsTheOrderOfEachHostAndItsConnections(t *testing.T) {
	const hosts, each = 8, 8
	server := outputtest.NewServer(t)
	output := open(t, server.URL, func(c *webhook.Config) { c.MaxConcurrentRequests = 4 })
	for range 3 {
		if err := output.Send(deadline(t), fromHosts(t, hosts, each)); err != nil {
			t.Fatal(err)
		}
	}
	rules := map[string][]string{}
	for _, r := range server.Requests() {
		m := members(t, r.Body)
		host := m["hostname"].(string)
		rules[host] = append(rules[host], m["rule"].(string))
	}
	want := []string{"0", "1", "2", "3", "4", "5", "6", "7"}
	want = slices.Concat(want, want, want)
	for host, got := range rules {
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v", host, got)
		}
	}
	if len(rules) != hosts {
		t.Errorf("alerts of %d hosts came", len(rules))
	}
	if n := server.Connections(); n > 4 {
		t.Errorf("%d connections for 4 requests at once", n)
	}
}

func TestConfigRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*webhook.Config)
		key    string
	}{
		"no scheme":      {func(c *webhook.Config) { c.Address = secret.New("hush.example.org/in") }, "address: "},
		"another scheme": {func(c *webhook.Config) { c.Address = secret.New("ftp://hush.example.org/in") }, "address: "},
		"no host":        {func(c *webhook.Config) { c.Address = secret.New("https:///hush") }, "address: "},
		"GET":            {func(c *webhook.Config) { c.Method = "GET" }, "method: "},
		"a bad signature header": {func(c *webhook.Config) {
			c.SignatureKey, c.SignatureHeader = secret.New("hush"), "X Y"
		}, "signatureheader: "},
		"a bad header": {func(c *webhook.Config) {
			c.CustomHeaders = map[string]secret.String{"X-A": secret.New("hush\r\nX-B: c")}
		}, "customheaders.X-A: "},
	} {
		config := webhook.Defaults()
		config.Address = secret.New("http://127.0.0.1/")
		c.change(&config)
		if err := config.Validate(); err == nil || !strings.HasPrefix(err.Error(), c.key) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
