package httpx

import (
	"errors"
	"maps"
	"net/http"
	"slices"

	"golang.org/x/net/http/httpguts"

	"github.com/tiercel/tiercel/pkg/problem"
)

// maxConcurrency bounds [Settings.MaxConcurrentRequests]: each request may hold a connection.
const maxConcurrency = 1024

// ours are the headers that the client itself writes; a custom one would be dropped without a word or break HTTP/2.
var ours = []string{"Connection", "Content-Length", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// Concurrency gives the number of requests under way at once, at least 1.
func (s Settings) Concurrency() int {
	if s.MaxConcurrentRequests < 1 {
		return DefaultConcurrency
	}
	return s.MaxConcurrentRequests
}

// Apply sets the custom headers in h. A custom Host goes there too; [Do] puts it where net/http wants it.
func (s Settings) Apply(h http.Header) {
	for name, value := range s.CustomHeaders {
		h.Set(name, value.Reveal())
	}
}

// Validate returns every problem, joined. No value of a header is ever shown.
func (s *Settings) Validate() error {
	var errs []error
	if s.MaxConcurrentRequests < 0 || s.MaxConcurrentRequests > maxConcurrency {
		errs = append(errs, problem.At("maxconcurrentrequests", "expected 0 (for %d) to %d, got %d", DefaultConcurrency, maxConcurrency, s.MaxConcurrentRequests))
	}
	errs = append(errs, problem.Under("connection", s.Connection.Validate()))
	seen := make(map[string]string, len(s.CustomHeaders))
	for _, name := range slices.Sorted(maps.Keys(s.CustomHeaders)) {
		key, canonical := "customheaders."+name, http.CanonicalHeaderKey(name)
		switch other, twice := seen[canonical]; {
		case !httpguts.ValidHeaderFieldName(name):
			errs = append(errs, problem.At("customheaders", "expected the name of a header, X-Token for example, got %q", name))
		case slices.Contains(ours, canonical):
			errs = append(errs, problem.At(key, "this header is the client's own: it cannot be set"))
		case twice:
			errs = append(errs, problem.At(key, "is the same header as %s", other))
		case !httpguts.ValidHeaderFieldValue(s.CustomHeaders[name].Reveal()):
			errs = append(errs, problem.At(key, "expected a value without line breaks and other control characters"))
		}
		seen[canonical] = name
	}
	return errors.Join(errs...)
}
