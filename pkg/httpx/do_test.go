package httpx_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// counting is a server that counts the connections it takes.
type counting struct {
	*httptest.Server
	connections atomic.Int64
}

func witness(t testing.TB, handler http.HandlerFunc) *counting {
	t.Helper()
	c := &counting{Server: httptest.NewUnstartedServer(handler)}
	c.Config.ErrorLog = quiet
	c.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			c.connections.Add(1)
		}
	}
	c.Start()
	t.Cleanup(c.Close)
	return c
}

func answers(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

func TestPostPutsOnTheWireWhatItIsGiven(t *testing.T) {
	var got *http.Request
	var body bytes.Buffer
	w := witness(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		_, _ = body.ReadFrom(r.Body)
		fmt.Fprint(w, "thanks")
	})
	client := newClient(t, httpx.Common{}, httpx.DefaultSettings())
	header := http.Header{"X-Token": {"t"}, "Host": {"alerts.example.org"}, "User-Agent": {httpx.UserAgent("1.2.3")}}
	answer, err := httpx.Post(t.Context(), client, w.URL+"/a/b?c=d", "text/x; charset=utf-8", header, []byte("한글 😀"))
	if err != nil || string(answer) != "thanks" {
		t.Fatalf("%q, %v", answer, err)
	}
	for what, pair := range map[string][2]string{
		"request": {got.Method + " " + got.RequestURI, "POST /a/b?c=d"}, "host": {got.Host, "alerts.example.org"},
		"type": {got.Header.Get("Content-Type"), "text/x; charset=utf-8"}, "agent": {got.UserAgent(), "Tiercel/1.2.3"},
		"token": {got.Header.Get("X-Token"), "t"}, "body": {body.String(), "한글 😀"}, "length": {fmt.Sprint(got.ContentLength), "11"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %q, want %q", what, pair[0], pair[1])
		}
	}
	if len(header) != 3 {
		t.Errorf("the caller's header was changed: %v", header)
	}
}

func TestDoJudgesEachStatus(t *testing.T) {
	const pause = 7 * time.Second
	cases := []struct {
		status    int
		reason    verdict.Reason // "" for success
		permanent bool
	}{
		{200, "", false},
		{201, "", false},
		{202, "", false},
		{204, "", false},
		{206, "", false},
		{299, "", false},
		{301, verdict.NotFound, false},
		{304, verdict.NotFound, false},
		{308, verdict.NotFound, false},
		{400, verdict.Rejected, true},
		{401, verdict.Auth, false},
		{403, verdict.Auth, false},
		{404, verdict.NotFound, false},
		{405, verdict.NotFound, false},
		{407, verdict.Auth, false},
		{408, verdict.Timeout, false},
		{410, verdict.NotFound, false},
		{413, verdict.TooLarge, true},
		{418, verdict.Rejected, true},
		{422, verdict.Rejected, true},
		{425, verdict.RateLimited, false},
		{429, verdict.RateLimited, false},
		{500, verdict.ServerError, false},
		{502, verdict.ServerError, false},
		{503, verdict.ServerError, false},
		{504, verdict.ServerError, false},
		{599, verdict.ServerError, false},
		{799, verdict.ServerError, false},
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c.status), func(t *testing.T) {
			w := witness(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(c.status)
				if c.status != 204 && c.status != 304 {
					fmt.Fprint(w, "why")
				}
			})
			answer, err := httpx.Post(t.Context(), newClient(t, httpx.Common{}, httpx.DefaultSettings()), w.URL+"/in", "text/plain", nil, []byte("x"))
			if c.status != 204 && c.status != 304 && string(answer) != "why" {
				t.Errorf("answer %q", answer)
			}
			if c.reason == "" {
				if err != nil {
					t.Errorf("want success, got %v", err)
				}
				return
			}
			var status *httpx.StatusError
			if !errors.As(err, &status) || status.Status != c.status {
				t.Fatalf("got %v", err)
			}
			if reason := verdict.ReasonOf(err); reason != c.reason || verdict.IsPermanent(err) != c.permanent {
				t.Errorf("reason %s, permanent %t; want %s, %t", reason, verdict.IsPermanent(err), c.reason, c.permanent)
			}
			if got, asked := verdict.Pause(err); asked == c.permanent || (asked && got != pause) {
				t.Errorf("pause %v (asked: %t)", got, asked)
			}
			want := fmt.Sprintf("POST %s/in: %d", strings.TrimPrefix(w.URL, "http://"), c.status)
			if !strings.HasPrefix(err.Error(), want) {
				t.Errorf("error %q, want it to begin with %q", err, want)
			}
		})
	}
}

func TestDoReusesTheConnection(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter){
		"no answer body":           func(w http.ResponseWriter) { w.WriteHeader(204) },
		"ok":                       func(w http.ResponseWriter) { fmt.Fprint(w, "ok") },
		"an error with a text":     func(w http.ResponseWriter) { http.Error(w, "no", 500) },
		"64 KiB":                   func(w http.ResponseWriter) { fmt.Fprint(w, strings.Repeat("x", 64<<10)) },
		"chunks":                   func(w http.ResponseWriter) { fmt.Fprint(w, "a"); w.(http.Flusher).Flush(); fmt.Fprint(w, "b") },
		"64 KiB of unknown length": func(w http.ResponseWriter) { w.(http.Flusher).Flush(); fmt.Fprint(w, strings.Repeat("x", 64<<10)) },
	} {
		t.Run(name, func(t *testing.T) {
			w := witness(t, func(w http.ResponseWriter, _ *http.Request) { answer(w) })
			client := newClient(t, httpx.Common{}, httpx.DefaultSettings())
			for range 20 {
				_, _ = httpx.Post(t.Context(), client, w.URL, "text/plain", nil, []byte("x"))
			}
			if n := w.connections.Load(); n != 1 {
				t.Errorf("20 requests took %d connections", n)
			}
		})
	}
}

func TestDoReadsNoEndlessAnswer(t *testing.T) {
	stopped := make(chan struct{})
	w := witness(t, func(w http.ResponseWriter, _ *http.Request) {
		defer close(stopped)
		chunk := make([]byte, 32<<10)
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	answer, err := httpx.Post(t.Context(), newClient(t, httpx.Common{}, httpx.DefaultSettings()), w.URL, "text/plain", nil, nil)
	if err != nil || len(answer) != 64<<10 {
		t.Errorf("%d bytes, %v", len(answer), err)
	}
	<-stopped // the connection was given up
}

func TestDoBoundsAnInflatingAnswer(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(make([]byte, 16<<20))
	_ = z.Close()
	w := witness(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb.Bytes())
	})
	answer, err := httpx.Post(t.Context(), newClient(t, httpx.Common{}, httpx.DefaultSettings()), w.URL, "text/plain", nil, nil)
	if err != nil || len(answer) != 64<<10 {
		t.Errorf("%d bytes, %v", len(answer), err)
	}
}

func TestDoTakesAYesWhoseRestNeverComes(t *testing.T) {
	w := witness(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "yes, but")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	answer, err := httpx.Post(t.Context(), newClient(t, httpx.Common{}, httpx.DefaultSettings()), w.URL, "text/plain", nil, nil)
	if err != nil || string(answer) != "yes, but" {
		t.Errorf("%q, %v", answer, err)
	}
}

func TestDoWithoutAnAnswer(t *testing.T) {
	closed := witness(t, answers(200))
	closed.Close()
	reset := witness(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	})
	garbage := witness(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		fmt.Fprint(conn, "SSH-2.0-OpenSSH_9.9\r\n\r\n")
		_ = conn.Close()
	})
	client := newClient(t, httpx.Common{}, httpx.DefaultSettings())
	for name, address := range map[string]string{"refused": closed.URL, "reset": reset.URL, "no HTTP": garbage.URL} {
		_, err := httpx.Post(t.Context(), client, address+"/in?token=hush-hush", "text/plain", nil, []byte("x"))
		if err == nil || verdict.ReasonOf(err) != verdict.Connection || verdict.IsPermanent(err) {
			t.Errorf("%s: %v, reason %s", name, err, verdict.ReasonOf(err))
			continue
		}
		if want := "POST " + strings.TrimPrefix(address, "http://") + "/in: "; !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %q, want it to begin with %q and hold no token", name, err, want)
		}
	}
}

func TestDoEndsWithItsContext(t *testing.T) {
	came, leave := make(chan struct{}, 2), make(chan struct{})
	w := witness(t, func(w http.ResponseWriter, r *http.Request) {
		came <- struct{}{}
		<-leave
	})
	t.Cleanup(func() { close(leave) })
	client := newClient(t, httpx.Common{}, httpx.DefaultSettings())

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := httpx.Post(ctx, client, w.URL, "text/plain", nil, []byte("x"))
	if !errors.Is(err, context.DeadlineExceeded) || verdict.ReasonOf(err) != verdict.Timeout {
		t.Errorf("deadline: %v, reason %s", err, verdict.ReasonOf(err))
	}

	<-came
	ctx, cancel = context.WithCancel(t.Context())
	go func() { <-came; cancel() }()
	_, err = httpx.Post(ctx, client, w.URL, "text/plain", nil, []byte("x"))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func TestDoFollowsNoRedirect(t *testing.T) {
	var followed atomic.Int64
	other := witness(t, func(http.ResponseWriter, *http.Request) { followed.Add(1) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		w := witness(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", strings.Replace(other.URL, "http://", "http://user:hush-password@", 1)+"/there/hush-path-token?key=hush-query")
			w.WriteHeader(status)
		})
		client := newClient(t, httpx.Common{}, httpx.DefaultSettings())
		_, err := httpx.Post(t.Context(), client, w.URL, "text/plain", nil, []byte("x"), "hush-path-token")
		want := "it points to " + other.URL + "/there/[REDACTED]; set that"
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%d: %v, want %q in it", status, err, want)
		}
	}
	if followed.Load() > 0 {
		t.Error("a redirect was followed")
	}
}

func TestASecretAddressIsStillReadable(t *testing.T) {
	w := witness(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	address := w.URL + "/services/T000/hush-path-token"
	_, err := httpx.Post(t.Context(), newClient(t, httpx.Common{}, httpx.DefaultSettings()), address, "text/plain", nil, []byte("x"), address)
	want := "POST " + strings.TrimPrefix(w.URL, "http://") + "/[REDACTED]: 404 Not Found"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestNoSecretInAnyError(t *testing.T) {
	basic := base64.StdEncoding.EncodeToString([]byte("hush-user:hush-basic"))
	// The server repeats everything that it was sent.
	echo := func(status int) *counting {
		return witness(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			fmt.Fprintf(w, "%s\n%v\n%s %s\n", r.RequestURI, r.Header, r.URL.Path, r.URL.Query())
			user, password, _ := r.BasicAuth()
			fmt.Fprintln(w, user, password, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		})
	}
	closed := witness(t, answers(200))
	closed.Close()
	for name, c := range map[string]struct {
		path    string
		header  http.Header
		secrets []string // "URL" stands for the whole address
	}{
		"hook in the path":   {"/services/T00/B00/hush-hook-path", nil, []string{"URL"}},
		"escaped path":       {"/services/hush%2Fhush%20hush", nil, []string{"URL"}},
		"query":              {"/in?token=hush-hush&x=hush%20two", nil, nil},
		"user of the URL":    {"USER/in", nil, nil},
		"basic":              {"/in", http.Header{"Authorization": {"Basic " + basic}}, nil},
		"bearer":             {"/in", http.Header{"Authorization": {"Bearer hush-bearer"}}, nil},
		"custom header":      {"/in", http.Header{"X-Api-Key": {"hush-key"}}, nil},
		"given":              {"/in/hush-given", nil, []string{"hush-given"}},
		"one within another": {"/in/hush-given-more", nil, []string{"hush", "hush-given-more", "hush-given"}},
	} {
		for status, server := range map[int]*counting{400: echo(400), 500: echo(500), 0: closed} {
			address := server.URL + c.path
			if rest, ok := strings.CutPrefix(c.path, "USER"); ok {
				address = strings.Replace(server.URL, "http://", "http://hush-name:hush-word@", 1) + rest
			}
			secrets := append([]string(nil), c.secrets...)
			if len(secrets) == 1 && secrets[0] == "URL" {
				secrets[0] = address
			}
			client := newClient(t, httpx.Common{}, httpx.DefaultSettings())
			_, err := httpx.Post(t.Context(), client, address, "text/plain", c.header, []byte("x"), secrets...)
			if err == nil {
				t.Fatalf("%s: no error", name)
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				if text := fmt.Sprintf("%v %+v", e, e); strings.Contains(text, "hush") || strings.Contains(text, basic) {
					t.Errorf("%s, status %d: %s", name, status, text)
				}
			}
			if !strings.Contains(err.Error(), strings.TrimPrefix(server.URL, "http://")) {
				t.Errorf("%s: the host is not named: %v", name, err)
			}
		}
	}
}

func TestNoAddressInTheErrorOfABadOne(t *testing.T) {
	client := newClient(t, httpx.Common{}, httpx.DefaultSettings())
	for _, address := range []string{"http://hush host/", "http://h:hush/", "://hush", "http://h/%zzhush", "hush\x7f", "", "http:///hush", "ftp://hush/"} {
		_, err := httpx.Post(t.Context(), client, address, "text/plain", nil, nil)
		if err == nil || strings.Contains(err.Error(), "hush:") || strings.Contains(err.Error(), "%zz") {
			t.Errorf("%q: %v", address, err)
		}
		if u, err := httpx.Address(address); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("Address(%q) is %v, %v", address, u, err)
		}
	}
}

func TestAnAnswerIsShownAsOneSafeLine(t *testing.T) {
	for name, c := range map[string]struct{ answer, want string }{
		"lines":         {"<html>\r\n  <body>no</body>\n</html>\n", "<html> <body>no</body> </html>"},
		"control":       {"a\x1b[31m\x00b", `a\u001b[31m\u0000b`},
		"invalid UTF-8": {"a\xffb", "a\uFFFDb"},
		"Hangul, emoji": {"한글 😀", "한글 😀"},
		"long":          {strings.Repeat("한", 400), strings.Repeat("한", 168) + " [...]"},
		"empty":         {"", ""},
	} {
		w := witness(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			fmt.Fprint(w, c.answer)
		})
		_, err := httpx.Post(t.Context(), newClient(t, httpx.Common{}, httpx.DefaultSettings()), w.URL, "text/plain", nil, nil)
		var status *httpx.StatusError
		if !errors.As(err, &status) || status.Body != c.want {
			t.Errorf("%s: %q, want %q", name, status.Body, c.want)
		}
	}
}

func TestReach(t *testing.T) {
	var got string
	w := witness(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Method + " " + r.URL.Path
		w.WriteHeader(405)
	})
	client := newClient(t, httpx.Common{}, httpx.DefaultSettings())
	if err := httpx.Reach(t.Context(), client, w.URL+"/in"); err != nil || got != "HEAD /in" {
		t.Errorf("%v; the server saw %q", err, got)
	}
	w.Close()
	if err := httpx.Reach(t.Context(), client, w.URL+"/in"); verdict.ReasonOf(err) != verdict.Connection {
		t.Errorf("nothing listens, got %v", err)
	}
}

func BenchmarkPost(b *testing.B) {
	w := witness(b, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	client := newClient(b, httpx.Common{}, httpx.DefaultSettings())
	body := bytes.Repeat([]byte("x"), 1500)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := httpx.Post(b.Context(), client, w.URL, "application/json", nil, body); err != nil {
			b.Fatal(err)
		}
	}
}
