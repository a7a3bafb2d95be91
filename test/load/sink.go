package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/s2"
)

// sink is a destination: it counts requests and, when asked, notes the number of each alert that came.
type sink struct {
	addr     string
	requests atomic.Int64
	answer   atomic.Pointer[http.HandlerFunc] // instead of taking the alert; nil takes it
	server   *http.Server

	mu   sync.Mutex
	seen map[string]time.Time // when each alert first came; nil notes nothing
}

var numbered = regexp.MustCompile(`"n\\?":\\?"(\d{10})|container_name=web (\d{10})`)

func newSink(ctx context.Context, addr string, note bool) (*sink, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &sink{addr: listener.Addr().String()}
	if note {
		s.seen = map[string]time.Time{}
	}
	s.server = &http.Server{Handler: http.HandlerFunc(s.take), ReadHeaderTimeout: time.Minute}
	go func() { _ = s.server.Serve(listener) }()
	return s, nil
}

func (s *sink) take(w http.ResponseWriter, r *http.Request) {
	if answer := s.answer.Load(); answer != nil {
		(*answer)(w, r)
		return
	}
	s.requests.Add(1)
	if s.seen == nil {
		_, _ = io.Copy(io.Discard, r.Body)
	} else {
		s.note(r)
	}
	if r.URL.Path == "/services/x" {
		_, _ = io.WriteString(w, "ok")
	}
}

func (s *sink) note(r *http.Request) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if r.Header.Get("Content-Type") == "application/x-protobuf" {
		if data, err = s2.Decode(nil, data); err != nil {
			return
		}
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range numbered.FindAllSubmatch(data, -1) {
		id := string(m[1]) + string(m[2])
		if _, ok := s.seen[id]; !ok {
			s.seen[id] = now
		}
	}
}

func (s *sink) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

// use makes every further request be answered by h; nil takes alerts again.
func (s *sink) use(h http.HandlerFunc) {
	if h == nil {
		s.answer.Store(nil)
		return
	}
	s.answer.Store(&h)
}

func (s *sink) close() { _ = s.server.Close() }

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

// lags reads /readyz: how many alerts each output still lacks.
func lags(ctx context.Context, addr string) (map[string]uint64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var ready struct {
		Outputs []struct {
			Output string `json:"output"`
			Lag    uint64 `json:"lag_alerts"`
		} `json:"outputs"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&ready); err != nil {
		return nil, err
	}
	all := map[string]uint64{}
	for _, o := range ready.Outputs {
		all[o.Output] = o.Lag
	}
	return all, nil
}

func port(addr string) string {
	_, p, _ := net.SplitHostPort(addr)
	if _, err := strconv.Atoi(p); err != nil {
		return "0"
	}
	return p
}
