package httpsource

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/size"
)

// FuzzReceive sends any body: it is taken whole or refused whole, and a refusal is JSON that says why.
func FuzzReceive(f *testing.F) {
	for _, body := range []string{
		falcoAlert, simple("a") + simple("b"), "[" + simple("셸🦅") + "]", "", "[]", "{", `{"rule":"a"}`, "\xff", simple(`\ud83e`), padded(70_000), "[[", "null",
	} {
		f.Add([]byte(body), "")
		f.Add([]byte(gzipped(f, body)), "gzip")
	}
	f.Add([]byte("x"), "br")
	cfg := loopback()
	cfg.Receiver.MaxBody = 128 * size.KiB
	r := &running{log: &safeBuffer{}, reg: newRegistry()}
	deps := testDeps(r)
	deps.Log = slog.New(slog.DiscardHandler)
	deps.Now = func() time.Time { return time.Date(2026, 8, 17, 9, 47, 22, 0, time.UTC) }
	deps.Refused = nil
	s, err := New(f.Context(), cfg, deps)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	handler := s.doors[0].server.Handler
	var taken []*alert.Alert
	s.put = func(_ context.Context, alerts []*alert.Alert) error {
		taken = append(taken, alerts...)
		return nil
	}
	f.Fuzz(func(t *testing.T, body []byte, encoding string) {
		taken = nil
		for _, known := range []bool{true, false} {
			var from io.Reader = bytes.NewReader(body)
			if !known {
				from = unsized{from}
			}
			request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", from)
			if encoding != "" {
				request.Header["Content-Encoding"] = []string{encoding}
			}
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, request)
			switch answer.Code {
			case http.StatusOK:
				if len(taken) == 0 || answer.Body.Len() > 0 {
					t.Fatalf("200 for %d alerts, with %q", len(taken), answer.Body)
				}
				for _, a := range taken {
					if a.Rule == "" || a.Time.IsZero() || !utf8.ValidString(a.Rule+a.Output+a.Hostname+a.Source) || !json.Valid(a.AppendJSON(nil)) {
						t.Fatalf("took %+v", a)
					}
				}
				taken = nil
			case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
				if len(taken) > 0 {
					t.Fatalf("%d, but %d alerts were put", answer.Code, len(taken))
				}
				var why refusal
				if err := json.Unmarshal(answer.Body.Bytes(), &why); err != nil || why.Error == "" || s.metrics.refused[why.Reason] == nil {
					t.Fatalf("%d %v %s", answer.Code, err, answer.Body)
				}
			default:
				t.Fatalf("%d %s", answer.Code, answer.Body)
			}
			if n := s.metrics.inFlight.Load(); n != 0 {
				t.Fatalf("%d in flight", n)
			}
		}
	})
}
