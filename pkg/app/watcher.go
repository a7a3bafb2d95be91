package app

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// watcher sees what HTTP clients send and get. The zero value is ready.
type watcher struct {
	secrets []string

	mu   sync.Mutex
	seen []*sighting
}

// sighting is an exchange while it happens.
type sighting struct {
	request *http.Request
	sent    []byte
	answer  *http.Response
	got     bytes.Buffer
	err     error
	took    time.Duration
}

// watch is for httpx.Common.Wrapped.
func (w *watcher) watch(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		s := &sighting{request: req}
		if req.Body != nil {
			sent, err := io.ReadAll(req.Body)
			if err := errors.Join(err, req.Body.Close()); err != nil {
				return nil, err
			}
			s.sent = sent
			req = req.Clone(req.Context())
			req.Body = io.NopCloser(bytes.NewReader(sent))
		}
		begin := time.Now()
		answer, err := next.RoundTrip(req)
		s.took = time.Since(begin)
		s.answer, s.err = answer, err
		if answer != nil {
			answer.Body = &tee{answer.Body, &s.got}
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.seen = append(w.seen, s)
		return answer, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// tee keeps the begin of what is read through it.
type tee struct {
	io.ReadCloser

	kept *bytes.Buffer
}

func (t *tee) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	t.kept.Write(p[:min(n, shownBody-t.kept.Len())])
	return n, err
}

// exchanges gives what was seen. Call it once all requests have ended.
func (w *watcher) exchanges() []Exchange {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]Exchange, len(w.seen))
	for i, s := range w.seen {
		all[i] = s.exchange(w.secrets)
	}
	return all
}
