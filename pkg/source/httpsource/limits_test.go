package httpsource

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/secret"
	"github.com/tiercel/tiercel/pkg/size"
)

func gzipped(t testing.TB, text string) string {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

func closeWrite(t testing.TB, conn net.Conn) {
	t.Helper()
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
}

// padded is one alert of n bytes.
func padded(n int) string {
	head, tail := `{"rule":"big","priority":"Notice","time":"2026-08-17T09:47:21Z","output":"`, `"}`
	return head + strings.Repeat("x", n-len(head)-len(tail)) + tail
}

// bomb is n bytes of blanks, compressed.
func bomb(t testing.TB, n int) string {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	blanks := bytes.Repeat([]byte(" "), 1<<20)
	for range n >> 20 {
		if _, err := w.Write(blanks); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

// unsized hides the length of a body, so that it is sent in chunks.
type unsized struct{ io.Reader }

func TestBodyLimit(t *testing.T) {
	cfg := loopback()
	cfg.Receiver.MaxBody = 256 * size.KiB
	limit := int(cfg.Receiver.MaxBody)
	r := start(t, cfg)
	c := client(t, &http.Transport{})
	for name, want := range map[string]struct {
		body   io.Reader
		header []string
		status int
		reason string
	}{
		"just within":             {strings.NewReader(padded(limit)), nil, 200, ""},
		"just within, chunked":    {unsized{strings.NewReader(padded(limit))}, nil, 200, ""},
		"just within, gzip":       {strings.NewReader(gzipped(t, padded(limit))), []string{"Content-Encoding", "gzip"}, 200, ""},
		"64KiB":                   {strings.NewReader(padded(64 << 10)), nil, 200, ""},
		"64KiB and a byte":        {strings.NewReader(padded(64<<10 + 1)), nil, 200, ""},
		"64KiB, chunked":          {unsized{strings.NewReader(padded(64 << 10))}, nil, 200, ""},
		"a byte too many":         {strings.NewReader(padded(limit + 1)), nil, 413, "too_large"},
		"too large, chunked":      {unsized{strings.NewReader(padded(limit + 1))}, nil, 413, "too_large"},
		"too large, gzip":         {strings.NewReader(gzipped(t, padded(limit+1))), []string{"Content-Encoding", "gzip"}, 413, "too_large"},
		"bomb":                    {strings.NewReader(bomb(t, 16<<20)), []string{"Content-Encoding", "gzip"}, 413, "too_large"},
		"endless gzip of nothing": {strings.NewReader(strings.Repeat(gzipped(t, ""), limit/20)), []string{"Content-Encoding", "gzip"}, 413, "too_large"},
		"gzip in capitals":        {strings.NewReader(gzipped(t, simple("z"))), []string{"Content-Encoding", "GZIP"}, 200, ""},
		"x-gzip":                  {strings.NewReader(gzipped(t, simple("z"))), []string{"Content-Encoding", " x-gzip "}, 200, ""},
		"gzip in two parts":       {strings.NewReader(gzipped(t, simple("z")) + gzipped(t, simple("z"))), []string{"Content-Encoding", "identity, gzip"}, 200, ""},
		"gzip, chunked":           {unsized{strings.NewReader(gzipped(t, simple("z")))}, []string{"Content-Encoding", "gzip"}, 200, ""},
		"identity":                {strings.NewReader(simple("z")), []string{"Content-Encoding", "identity"}, 200, ""},
		"gzip twice":              {strings.NewReader("x"), []string{"Content-Encoding", "gzip, gzip"}, 415, "unknown_encoding"},
		"gzip in two headers":     {strings.NewReader("x"), []string{"Content-Encoding", "gzip", "Content-Encoding", "gzip"}, 415, "unknown_encoding"},
		"brotli":                  {strings.NewReader("x"), []string{"Content-Encoding", "br"}, 415, "unknown_encoding"},
		"no gzip":                 {strings.NewReader(simple("z")), []string{"Content-Encoding", "gzip"}, 400, "bad_gzip"},
		"cut gzip":                {strings.NewReader(gzipped(t, padded(5000))[:40]), []string{"Content-Encoding", "gzip"}, 400, "bad_gzip"},
		"garbage after gzip":      {strings.NewReader(gzipped(t, simple("z")) + "garbage"), []string{"Content-Encoding", "gzip"}, 400, "bad_gzip"},
		"nothing as gzip":         {http.NoBody, []string{"Content-Encoding", "gzip"}, 400, "bad_gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			got := send(t, c, http.MethodPost, r.url("/"), want.body, want.header...)
			if got.status != want.status || want.reason != "" && !strings.Contains(got.body, `"reason":"`+want.reason+`"`) {
				t.Errorf("%d %s", got.status, got.body)
			}
			if want.status == 415 && got.header.Get("Accept-Encoding") != "gzip" {
				t.Errorf("what is accepted is not said: %v", got.header)
			}
			if kept, n := r.lastRefused(); n > 0 && len(kept.Body) > 64<<10 {
				t.Errorf("kept %d bytes", len(kept.Body))
			}
		})
	}
	if free := r.budget.bytes.TryAcquire(r.budget.size); !free {
		t.Error("bytes of the budget were not given back")
	}
}

// TestHugeContentLengthCostsNothing has many senders announce the largest body and send little.
func TestHugeContentLengthCostsNothing(t *testing.T) {
	const senders = 200
	r := start(t, loopback())
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	conns := make([]net.Conn, senders)
	for i := range conns {
		conns[i] = r.dial(t)
		fmt.Fprintf(conns[i], "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n{", 4<<20)
	}
	for r.metrics.inFlight.Load() < senders {
		time.Sleep(time.Millisecond)
	}
	runtime.ReadMemStats(&after)
	// 4 MiB each would be 800 MiB; connections, goroutines and 64 KiB each are far below this.
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Errorf("memory grew by %d MiB", grown>>20)
	}
	if got := r.post(t, falcoAlert); got.status != 200 {
		t.Errorf("a small alert meanwhile: %d %s", got.status, got.body)
	}
	for _, c := range conns {
		_ = c.Close()
	}
}

// TestLargeBodiesWaitForEachOther holds one body in the journal that takes the whole budget.
func TestLargeBodiesWaitForEachOther(t *testing.T) {
	cfg := loopback()
	cfg.Receiver.MaxBody = size.MiB
	cfg.Receiver.MaxInFlight = size.MiB
	r := start(t, cfg, func(r *running, _ *Deps) {
		r.journal.hold, r.journal.asked = make(chan struct{}), make(chan struct{}, 10)
	})
	codes := make(chan int, 2)
	post := func() { codes <- r.post(t, padded(1<<20)).status }
	go post()
	<-r.journal.asked
	go post()
	for r.metrics.inFlight.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	select {
	case <-r.journal.asked:
		t.Error("the second large body was read while the first was kept")
	default:
	}
	go func() { codes <- r.post(t, falcoAlert).status }() // a small one does not wait
	<-r.journal.asked
	close(r.journal.hold)
	for range 3 {
		if got := <-codes; got != 200 {
			t.Errorf("status %d", got)
		}
	}
	if got := r.journal.rules(); strings.Count(got, "big") != 2 || !strings.Contains(got, "Terminal") {
		t.Errorf("journal: %s", got)
	}
}

func TestLargeBodyThatWaitsTooLongIsTurnedAway(t *testing.T) {
	cfg := loopback()
	cfg.Receiver.MaxBody = size.MiB
	cfg.Receiver.MaxInFlight = size.MiB
	cfg.Receiver.BodyTimeout = 50 * time.Millisecond
	r := start(t, cfg)
	if _, err := r.budget.take(t.Context(), 1<<20); err != nil {
		t.Fatal(err)
	}
	got := r.post(t, padded(1<<20))
	if got.status != 503 || got.header.Get("Retry-After") != "1" || !strings.Contains(got.body, `"reason":"busy"`) {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
	r.budget.give(1 << 20)
	if got := r.post(t, padded(1<<20)); got.status != 200 {
		t.Errorf("afterwards: %d %s", got.status, got.body)
	}
}

func TestSlowBodyIsCut(t *testing.T) {
	cfg := loopback()
	cfg.Receiver.HeaderTimeout = 50 * time.Millisecond
	cfg.Receiver.BodyTimeout = 50 * time.Millisecond
	r := start(t, cfg)
	for name, request := range map[string]string{
		"by length": "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
		"in chunks": "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
		"as gzip":   "POST / HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 100\r\n\r\n\x1f\x8b\x08",
	} {
		t.Run(name, func(t *testing.T) {
			got := r.raw(t, request) // returns when the connection is closed
			if !strings.HasPrefix(got, "HTTP/1.1 408 ") || !strings.Contains(got, `"reason":"body_timeout"`) {
				t.Errorf("answer %q", got)
			}
		})
	}
	if got := r.counted(t, "tiercel_receiver_refused_total", "reason", "body_timeout"); got != 3 {
		t.Errorf("%v counted", got)
	}
}

// TestSlowlorisIsCut sends a byte of the headers at a time, for ever.
func TestSlowlorisIsCut(t *testing.T) {
	cfg := loopback()
	cfg.Receiver.HeaderTimeout = 100 * time.Millisecond
	r := start(t, cfg)
	conn := r.dial(t)
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\n")
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
				if _, err := io.WriteString(conn, "a"); err != nil {
					return
				}
			}
		}
	})
	if got := readAll(t, conn); strings.Contains(got, "200") { // returns only because it is cut
		t.Errorf("answer %q", got)
	}
	close(done)
	wg.Wait()
	if got := r.journal.rules(); got != "" {
		t.Errorf("journal: %s", got)
	}
}

func TestIdleConnectionIsClosed(t *testing.T) {
	cfg := loopback()
	cfg.Receiver.IdleTimeout = 50 * time.Millisecond
	r := start(t, cfg)
	got := r.raw(t, fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(falcoAlert), falcoAlert))
	if !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") {
		t.Errorf("answer %q", got)
	}
}

// TestUnreadAnswersCutTheConnection has a sender that asks and asks and never reads.
func TestUnreadAnswersCutTheConnection(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the time-out for sending is an option of Linux")
	}
	listen := net.ListenConfig{Control: sendTimeout(300 * time.Millisecond)}
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	mute, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	block := make([]byte, 1<<20)
	for { // ends only because the kernel cuts the connection
		if _, err := accepted.Write(block); err != nil {
			break
		}
	}
}

func TestHeadersAreBounded(t *testing.T) {
	r := start(t, loopback())
	got := r.raw(t, "POST / HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("y", 80<<10)+"\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 431 ") {
		t.Errorf("answer %.200q", got)
	}
}

func TestToken(t *testing.T) {
	const token = "s3cret-토큰"
	cfg := loopback()
	cfg.Receiver.Token = secret.New(token)
	r := start(t, cfg)
	c := client(t, &http.Transport{})
	basic := func(pair string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)) }
	for name, want := range map[string]struct {
		method, path, header string
		status               int
	}{
		"bearer":              {"POST", "/", "Bearer " + token, 200},
		"bearer in capitals":  {"POST", "/", "BEARER " + token, 200},
		"two blanks":          {"POST", "/", "Bearer  " + token, 200},
		"as Falco can":        {"POST", "/", basic("falco:" + token), 200},
		"without user":        {"POST", "/x", basic(":" + token), 200},
		"test":                {"POST", "/test", "Bearer " + token, 200},
		"nothing":             {"POST", "/", "", 401},
		"nothing, other path": {"POST", "/x/y", "", 401},
		"nothing, test":       {"POST", "/test", "", 401},
		"wrong":               {"POST", "/", "Bearer wrong", 401},
		"begin of it":         {"POST", "/", "Bearer " + token[:4], 401},
		"more than it":        {"POST", "/", "Bearer " + token + "x", 401},
		"no token":            {"POST", "/", "Bearer ", 401},
		"no scheme":           {"POST", "/", token, 401},
		"other scheme":        {"POST", "/", "Digest " + token, 401},
		"as the user":         {"POST", "/", basic(token + ":"), 401},
		"no base64":           {"POST", "/", "Basic !", 401},
		"no pair":             {"POST", "/", basic(token), 401},
		"ping":                {"GET", "/ping", "", 200},
		"healthz":             {"GET", "/healthz", "", 200},
		"readyz":              {"GET", "/readyz", "", 200},
		"metrics":             {"GET", "/metrics", "", 200},
	} {
		t.Run(name, func(t *testing.T) {
			var header []string
			if want.header != "" {
				header = []string{"Authorization", want.header}
			}
			got := send(t, c, want.method, r.url(want.path), strings.NewReader(falcoAlert), header...)
			if got.status != want.status {
				t.Errorf("%d %s", got.status, got.body)
			}
			if asks := got.header.Values("Www-Authenticate"); (got.status == 401) != (len(asks) == 2) {
				t.Errorf("Www-Authenticate %q", asks)
			}
		})
	}
	if got := r.counted(t, "tiercel_receiver_refused_total", "reason", "unauthorized"); got != 12 {
		t.Errorf("%v counted", got)
	}
	if strings.Contains(r.log.String(), token) || strings.Contains(r.log.String(), base64.StdEncoding.EncodeToString([]byte("falco:"+token))) {
		t.Error("the token is in the log")
	}
	if _, n := r.lastRefused(); n != 0 {
		t.Error("a body of a sender without token was kept")
	}
}

// TestManyAlertsOfOneBody takes a body of 4 MiB with as many alerts as fit.
func TestManyAlertsOfOneBody(t *testing.T) {
	r := start(t, loopback())
	one := simple("n") + "\n"
	n := (4 << 20) / len(one)
	if got := r.post(t, strings.Repeat(one, n)); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if got := len(r.journal.alerts); got != n {
		t.Errorf("%d alerts of %d", got, n)
	}
	if got := r.counted(t, "falcosecurity_falcosidekick_inputs_total", "status", "accepted"); got != float64(n) {
		t.Errorf("%v accepted of %d", got, n)
	}
	ids := make(map[alert.ID]bool)
	for _, a := range r.journal.alerts {
		ids[a.ID] = true
	}
	if len(ids) != n {
		t.Errorf("%d ids", len(ids))
	}
}
