package httpsource

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// asPost is a request as bytes, with the given lines in its head.
func asPost(version, body string, lines ...string) string {
	head := append([]string{"POST / HTTP/" + version, "Host: x"}, lines...)
	return strings.Join(head, "\r\n") + "\r\n\r\n" + body
}

func length(body string) string { return fmt.Sprintf("Content-Length: %d", len(body)) }

func TestHTTPOnTheWire(t *testing.T) {
	a, b := simple("a"), simple("b")
	for name, c := range map[string]struct {
		request string
		want    []string // what the answer has, in this order
		not     string
		rules   string
	}{
		"HTTP/1.0 closes": {
			asPost("1.0", a, length(a)),
			[]string{"HTTP/1.0 200 OK\r\n", "\r\n\r\n"},
			"Content-Type", "a",
		},
		"HTTP/1.0 without length": {
			asPost("1.0", a),
			[]string{"HTTP/1.0 400 Bad Request\r\n", `"reason":"empty"`},
			"", "",
		},
		"chunked": {
			asPost("1.1", fmt.Sprintf("5\r\n%s\r\n%x\r\n%s\r\n0\r\nTrailer: x\r\n\r\n", a[:5], len(a)-5, a[5:]), "Transfer-Encoding: chunked", "Connection: close"),
			[]string{"HTTP/1.1 200 OK\r\n", "Content-Length: 0\r\n"},
			"Content-Type", "a",
		},
		"broken chunks": {
			asPost("1.1", "zz\r\n{", "Transfer-Encoding: chunked", "Connection: close"),
			[]string{"HTTP/1.1 400 Bad Request\r\n", `"reason":"body_cut"`},
			"", "",
		},
		"Expect: 100-continue": {
			asPost("1.1", a, length(a), "Expect: 100-continue", "Connection: close"),
			[]string{"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\n"},
			"", "a",
		},
		"Expect: 100-continue and too large": {
			asPost("1.1", "", "Content-Length: 99999999999", "Expect: 100-continue", "Connection: close"),
			[]string{"HTTP/1.1 413 Request Entity Too Large\r\n", `"reason":"too_large"`},
			"100 Continue", "",
		},
		"the largest length there is": {
			asPost("1.1", "", "Content-Length: 9223372036854775807", "Connection: close"),
			[]string{"HTTP/1.1 413 ", `"reason":"too_large"`},
			"", "",
		},
		"a length that is none": {
			asPost("1.1", a, "Content-Length: -1", "Connection: close"),
			[]string{"HTTP/1.1 400 Bad Request\r\n"},
			"200 OK", "",
		},
		"pipelined": {
			asPost("1.1", a, length(a)) + asPost("1.1", b, length(b)) + asPost("1.1", "nope", length("nope")) + asPost("1.1", a, length(a), "Connection: close"),
			[]string{"200 OK", "200 OK", "400 Bad Request", `"reason":"not_json"`, "200 OK"},
			"", "a b a",
		},
		"OPTIONS *": {
			"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
			[]string{"HTTP/1.1 200 OK\r\n"},
			"", "",
		},
		"no HTTP at all": {
			"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
			[]string{"HTTP/1.1 400 Bad Request\r\n"},
			"", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, loopback())
			got := r.raw(t, c.request)
			rest := got
			for _, want := range c.want {
				_, after, found := strings.Cut(rest, want)
				if !found {
					t.Fatalf("no %q in %q", want, got)
				}
				rest = after
			}
			if c.not != "" && strings.Contains(got, c.not) {
				t.Errorf("%q in %q", c.not, got)
			}
			if r.journal.rules() != c.rules {
				t.Errorf("journal has %q, want %q", r.journal.rules(), c.rules)
			}
		})
	}
}

func TestConnectionIsKept(t *testing.T) {
	r := start(t, loopback())
	conn := r.dial(t)
	answers := bufio.NewReader(conn)
	for range 100 {
		if _, err := io.WriteString(conn, asPost("1.1", falcoAlert, length(falcoAlert))); err != nil {
			t.Fatal(err)
		}
		got, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got.StatusCode != 200 || got.ContentLength != 0 || got.Close {
			t.Fatalf("%+v", got)
		}
		_ = got.Body.Close()
	}
	if got := len(r.journal.alerts); got != 100 {
		t.Errorf("%d alerts", got)
	}
	for _, a := range r.journal.alerts { // later bodies went through the same memory
		if a.Raw() != strings.TrimSpace(falcoAlert) {
			t.Fatalf("an alert was changed: %s", a.Raw())
		}
	}
}

func TestRequestBodiesDoNotMix(t *testing.T) {
	r := start(t, loopback())
	c := client(t, &http.Transport{MaxIdleConnsPerHost: 16})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for n := range 50 {
				name := fmt.Sprintf("rule-%d-%d-%s", i, n, strings.Repeat("x", i*n))
				if got := send(t, c, http.MethodPost, r.url("/"), strings.NewReader(simple(name))); got.status != 200 {
					t.Errorf("%d %s", got.status, got.body)
				}
			}
		})
	}
	wg.Wait()
	seen := make(map[string]bool)
	for _, a := range r.journal.alerts {
		seen[a.Rule] = true
		if a.Raw() != simple(a.Rule) {
			t.Fatalf("%s", a.Raw())
		}
	}
	if len(seen) != 800 || len(r.journal.alerts) != 800 {
		t.Errorf("%d rules, %d alerts", len(seen), len(r.journal.alerts))
	}
}

func TestHTTP2WithoutTLS(t *testing.T) {
	r := start(t, loopback())
	only := new(http.Protocols)
	only.SetUnencryptedHTTP2(true)
	c := client(t, &http.Transport{Protocols: only})
	for _, body := range []io.Reader{strings.NewReader(falcoAlert), unsized{strings.NewReader(padded(1 << 20))}} {
		if got := send(t, c, http.MethodPost, r.url("/"), body); got.status != 200 || got.proto != "HTTP/2.0" {
			t.Errorf("%d %s %s", got.status, got.proto, got.body)
		}
	}
	if got := send(t, c, http.MethodPost, r.url("/"), strings.NewReader("no")); got.status != 400 || got.proto != "HTTP/2.0" {
		t.Errorf("%d %s", got.status, got.proto)
	}
	if got := send(t, c, http.MethodPost, r.url("/"), strings.NewReader(padded(5<<20))); got.status != 413 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := r.journal.rules(); got != "Terminal shell in container big" {
		t.Errorf("journal: %s", got)
	}
}

func TestHTTP2WithTLS(t *testing.T) {
	files := newPKI(t)
	r := start(t, files.serverConfig(false))
	c := client(t, &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: files.pool(t)}})
	got := send(t, c, http.MethodPost, r.secureURL("/"), strings.NewReader(falcoAlert))
	if got.status != 200 || got.proto != "HTTP/2.0" || r.journal.rules() != "Terminal shell in container" {
		t.Errorf("%d %s, journal: %s", got.status, got.proto, r.journal.rules())
	}
	old := client(t, &http.Transport{TLSClientConfig: &tls.Config{RootCAs: files.pool(t)}, Protocols: oneProtocol()})
	if got := send(t, old, http.MethodPost, r.secureURL("/"), strings.NewReader(falcoAlert)); got.status != 200 || got.proto != "HTTP/1.1" {
		t.Errorf("%d %s", got.status, got.proto)
	}
}

func oneProtocol() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	return p
}
