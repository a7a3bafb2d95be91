package outputtest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Request is what a [Server] was sent.
type Request struct {
	Method string
	URI    string // path and query
	Host   string
	Header http.Header
	Body   []byte // without its compression, where that is gzip
}

// Answer is what a [Server] answers.
type Answer struct {
	Status int
	Header http.Header
	Body   string
	Echo   bool // repeat the request after Body
	Reset  bool // break the connection instead
	Hang   bool // answer nothing until the client goes away
}

// Server is a witness: an HTTP server on loopback that remembers every request and answers as it was told.
type Server struct {
	URL string

	server      *httptest.Server
	came        chan struct{} // one for each request that came, as far as someone waits
	closing     chan struct{}
	mu          sync.Mutex
	answers     []Answer
	requests    []Request
	connections int               // made so far
	open        map[net.Conn]bool // not closed yet
	emptied     chan struct{}     // closed when there is none, remade when there is one again
}

// NewServer starts a server that lives as long as the test. It gives the answers in their order, the last one for
// ever; none at all is 200 with the text ok.
func NewServer(t testing.TB, answers ...Answer) *Server {
	t.Helper()
	if len(answers) == 0 {
		answers = []Answer{{Status: http.StatusOK, Body: "ok"}}
	}
	s := &Server{answers: answers, came: make(chan struct{}, 1024), closing: make(chan struct{}), open: map[net.Conn]bool{}, emptied: make(chan struct{})}
	close(s.emptied)
	s.server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.server.Config.ConnState = s.track
	s.server.Start()
	s.URL = s.server.URL
	t.Cleanup(s.Close)
	return s
}

// Close stops the server: connections to it are refused from then on. A second call does nothing.
func (s *Server) Close() {
	select {
	case <-s.closing:
	default:
		close(s.closing)
		s.server.CloseClientConnections()
		s.server.Close()
	}
}

// Requests gives what came in so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Connections counts the connections that were made so far.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connections
}

// track counts connections.
func (s *Server) track(conn net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateNew:
		s.connections++
		if len(s.open) == 0 {
			s.emptied = make(chan struct{})
		}
		s.open[conn] = true
	case http.StateClosed, http.StateHijacked:
		if !s.open[conn] {
			return
		}
		if delete(s.open, conn); len(s.open) == 0 {
			close(s.emptied)
		}
	}
}

// Emptied is closed once every connection is, until there is one again.
func (s *Server) Emptied() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.emptied
}

// Came receives once for each request, when it has been read.
func (s *Server) Came() <-chan struct{} { return s.came }

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client gave up
	}
	if r.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gunzip(body); err != nil {
			http.Error(w, err.Error(), http.StatusTeapot)
			return
		}
	}
	s.mu.Lock()
	s.requests = append(s.requests, Request{r.Method, r.URL.RequestURI(), r.Host, r.Header.Clone(), body})
	answer := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	s.mu.Unlock()
	select {
	case s.came <- struct{}{}:
	default:
	}
	switch {
	case answer.Hang:
		select {
		case <-r.Context().Done():
		case <-s.closing:
		}
		return
	case answer.Reset:
		reset(w)
		return
	}
	maps.Copy(w.Header(), answer.Header)
	text := answer.Body
	if answer.Echo {
		text += echo(r, body)
	}
	if answer.Status != http.StatusNoContent && r.Method != http.MethodHead {
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	}
	w.WriteHeader(answer.Status)
	if answer.Status != http.StatusNoContent {
		_, _ = io.WriteString(w, text)
	}
}

// echo is what careless servers put into an error: all that they were sent.
func echo(r *http.Request, body []byte) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s %v", r.RequestURI, r.URL.Query())
	if user, password, ok := r.BasicAuth(); ok {
		fmt.Fprintf(&s, " %s %s", user, password)
	}
	for name, values := range r.Header {
		fmt.Fprintf(&s, " %s: %s", name, strings.Join(values, ", "))
	}
	s.Write(body)
	return s.String()
}

func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2: that breaks the stream
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

func gunzip(body []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}
