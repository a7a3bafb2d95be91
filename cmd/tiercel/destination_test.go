package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// destination is a place that alerts go to. It writes down what it gets and answers as it was told.
type destination struct {
	*httptest.Server

	mu       sync.Mutex
	answers  []answer
	requests []string
}

type answer struct {
	status int
	body   string
}

// parseAnswers reads STATUS or STATUS:BODY.
func parseAnswers(ts *testscript.TestScript, args []string) []answer {
	all := []answer{}
	for _, arg := range args {
		code, body, _ := strings.Cut(arg, ":")
		status, err := strconv.Atoi(code)
		ts.Check(err)
		all = append(all, answer{status, body})
	}
	if len(all) == 0 {
		all = append(all, answer{status: http.StatusOK})
	}
	return all
}

func listen(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: listen NAME [STATUS[:BODY]…]")
	}
	d := &destination{answers: parseAnswers(ts, args[1:])}
	d.Server = httptest.NewServer(d)
	worldOf(ts).destinations[args[0]] = d
	ts.Setenv(args[0], d.URL)
}

func answers(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: answers NAME STATUS[:BODY]…")
	}
	d := find(ts, args[0])
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers = parseAnswers(ts, args[1:])
}

func find(ts *testscript.TestScript, name string) *destination {
	d := worldOf(ts).destinations[name]
	if d == nil {
		ts.Fatalf("nobody listens as %s", name)
	}
	return d
}

// ServeHTTP implements http.Handler.
func (d *destination) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.requests = append(d.requests, requestText(r, body))
	next := d.answers[0]
	if len(d.answers) > 1 {
		d.answers = d.answers[1:]
	}
	w.WriteHeader(next.status)
	_, _ = io.WriteString(w, next.body)
}

// requestText gives a request as it was on the wire, without the headers that say nothing: the version of the program,
// lengths, and what the connection wants.
func requestText(r *http.Request, body []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", r.Method, r.URL.RequestURI())
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		switch name {
		case "Accept-Encoding", "Content-Length", "User-Agent", "Connection":
			continue
		}
		for _, value := range r.Header[name] {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	fmt.Fprintf(&b, "\n%s\n", strings.TrimRight(string(body), "\n"))
	return b.String()
}

func requests(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: requests NAME N")
	}
	d := find(ts, args[0])
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	count := func() int {
		d.mu.Lock()
		defer d.mu.Unlock()
		return len(d.requests)
	}
	until(ts, fmt.Sprintf("%d requests at %s", n, args[0]), func() bool { return count() >= n })
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.requests) > n {
		ts.Fatalf("expected %d requests, got %d:\n%s", n, len(d.requests), strings.Join(d.requests, "\n"))
	}
	_, err = io.WriteString(ts.Stdout(), strings.Join(d.requests, "\n"))
	ts.Check(err)
}
