package httpsource

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/tiercel/tiercel/pkg/alert"
)

// nowhere is a ResponseWriter that costs nothing.
type nowhere struct {
	header http.Header
	status int
}

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) WriteHeader(status int)      { n.status = status }
func (n *nowhere) Write(p []byte) (int, error) { return len(p), nil }

// again is a body that can be read any number of times.
type again struct{ bytes.Reader }

func (*again) Close() error { return nil }

func accept(context.Context, []*alert.Alert) error { return nil }

func bareGin() *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.POST("/", func(c *gin.Context) { c.Status(http.StatusOK) })
	return engine
}

// benchSource is a source that is not run; its handler is called as it is.
func benchSource(b *testing.B) *Source {
	b.Helper()
	r := &running{log: &safeBuffer{}, reg: newRegistry()}
	deps := testDeps(r)
	deps.Log = slog.New(slog.DiscardHandler)
	s, err := New(b.Context(), loopback(), deps)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	s.put = accept
	return s
}

// BenchmarkReceiver compares the receiver, decoding included, with bare gin that answers 200: the handler alone, and
// one alert per POST over 64 connections that are kept.
func BenchmarkReceiver(b *testing.B) {
	b.Run("handler/decode alone", func(b *testing.B) {
		body := []byte(falcoAlert)
		now := testDeps(&running{}).Now
		b.ReportAllocs()
		for b.Loop() {
			if _, err := alert.Decode(body, now(), alert.DefaultMaxDepth); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, handler := range map[string]http.Handler{"gin": bareGin(), "receiver": benchSource(b).doors[0].server.Handler} {
		b.Run("handler/"+name, func(b *testing.B) {
			body := &again{}
			request := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/", http.NoBody)
			request.Body, request.ContentLength = body, int64(len(falcoAlert))
			text := []byte(falcoAlert)
			w := &nowhere{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				body.Reset(text)
				handler.ServeHTTP(w, request)
				if w.status != http.StatusOK {
					b.Fatal(w.status)
				}
			}
		})
	}
	for name, server := range map[string]*http.Server{"gin": {Handler: bareGin()}, "receiver": benchSource(b).doors[0].server} {
		b.Run("loopback/"+name, func(b *testing.B) {
			listener, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			go func() { _ = server.Serve(listener) }()
			b.ReportAllocs()
			b.ResetTimer()
			hammer(b, listener.Addr().String(), 64)
			b.StopTimer()
			_ = listener.Close()
		})
	}
}

// hammer posts b.N alerts over so many connections and waits for all answers.
func hammer(b *testing.B, address string, connections int) {
	b.Helper()
	request := asPost("1.1", falcoAlert, "User-Agent: falcosecurity/falco", "Accept: */*", "Content-Type: application/json", length(falcoAlert))
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			conn, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", address)
			if err != nil {
				b.Error(err)
				return
			}
			defer conn.Close()
			answers := bufio.NewReader(conn)
			for left.Add(-1) >= 0 {
				if _, err := io.WriteString(conn, request); err != nil {
					b.Error(err)
					return
				}
				if !isOK(answers) {
					b.Error("no 200")
					return
				}
			}
		})
	}
	wg.Wait()
}

// isOK reads one answer without a body.
func isOK(answers *bufio.Reader) bool {
	ok := false
	for first := true; ; first = false {
		line, err := answers.ReadSlice('\n')
		if err != nil {
			return false
		}
		if first {
			ok = strings.HasPrefix(string(line), "HTTP/1.1 200 ")
		}
		if len(line) == 2 {
			return ok
		}
	}
}
