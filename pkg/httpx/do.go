package httpx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/verdict"
)

const (
	maxAnswer  = 64 << 10  // bytes of an answer that are read
	maxShown   = 512       // bytes of an answer that an error shows
	maxPause   = time.Hour // a longer Retry-After is no promise that we keep alerts waiting for
	product    = "Tiercel"
	hostHeader = "Host"
)

// StatusError is an answer whose status is not 2xx. Errors of [Do] wrap it.
type StatusError struct {
	Status int
	Body   string // begin of the answer, printable, without secrets, at most 512 bytes
}

// Error gives the status with its name, and the answer.
func (e *StatusError) Error() string {
	text := strconv.Itoa(e.Status)
	if name := http.StatusText(e.Status); name != "" {
		text += " " + name
	}
	if e.Body != "" {
		text += ": " + e.Body
	}
	return text
}

// UserAgent gives the User-Agent of the given version of Tiercel; it may be empty.
func UserAgent(version string) string {
	if version == "" {
		return product
	}
	return product + "/" + version
}

// Do sends req and turns what comes back into a verdict:
//
//	2xx                       nil
//	408, 425, 429, 5xx        an error: try again
//	401, 403, 407             an error, reason auth: try again
//	404, 405, 410             an error, reason not_found: try again
//	3xx                       the same; the error says where it points
//	413                       permanent, reason too_large
//	other 4xx                 permanent, reason rejected
//	no answer                 an error: try again
//
// A wrong token or address is a mistake that an operator mends, so such alerts are tried again, with growing pauses,
// rather than buried. Retry-After, in either form, is honoured up to an hour wherever another try is asked for.
//
// Do returns up to 64 KiB of the answer as they came, whatever the status, and reads the answer to its end, where it
// is not longer, so that the connection can be used again. A 2xx is a yes even if the rest of the answer never comes.
//
// The error names method, host and path, never query or user; each of secrets is cut out of it, as are the
// credentials that req itself carries. A secret that is a URL is cut out in all its parts but the host. Texts below
// 4 bytes are no secrets: to cut them out would only make the error unreadable. Where the error wraps a
// [StatusError], its Body has been cut as well.
func Do(ctx context.Context, client *http.Client, req *http.Request, secrets ...string) ([]byte, error) {
	body, _, err := DoWhole(ctx, client, req, maxAnswer, secrets...) //nolint:bodyclose // it has been read and closed
	return body, err
}

// DoWhole is [Do] for places whose answer says more than yes: it returns up to most bytes of the answer, and the answer
// itself with its header and trailer, which is nil where none came. Its body has been read.
func DoWhole(ctx context.Context, client *http.Client, req *http.Request, most int, secrets ...string) ([]byte, *http.Response, error) {
	if req.Context() != ctx {
		req = req.WithContext(ctx)
	}
	if host := req.Header.Get(hostHeader); host != "" {
		req.Host = host
	}
	answer, err := client.Do(req)
	if err != nil {
		return nil, nil, failure(req, err, secrets)
	}
	body := read(answer, most)
	if answer.StatusCode >= 200 && answer.StatusCode <= 299 {
		return body, answer, nil
	}
	return body, answer, judge(req, answer, body, secrets)
}

// Post sends body to address, as [Do] does. header may be nil and is not changed; it may hold a User-Agent (see
// [UserAgent]) and wins over contentType.
func Post(ctx context.Context, client *http.Client, address, contentType string, header http.Header, body []byte, secrets ...string,
) ([]byte, error) {
	req, err := request(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if header != nil {
		req.Header = header.Clone()
	}
	setDefault(req.Header, "User-Agent", product)
	setDefault(req.Header, "Content-Type", contentType)
	return Do(ctx, client, req, secrets...)
}

// Reach reports whether an HTTP server answers at address, with whatever status. It sends a HEAD request, so it
// leaves nothing behind. The error is as that of [Do].
func Reach(ctx context.Context, client *http.Client, address string, secrets ...string) error {
	req, err := request(ctx, http.MethodHead, address, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", product)
	_, err = Do(ctx, client, req, secrets...)
	if _, ok := errors.AsType[*StatusError](err); ok {
		return nil
	}
	return err
}

func request(ctx context.Context, method, address string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil || req.URL.Host == "" {
		return nil, errAddress // net/http's own error would show the address
	}
	return req, nil
}

func setDefault(h http.Header, name, value string) {
	if h.Get(name) == "" {
		h.Set(name, value)
	}
}

// read takes the answer up to a bound and frees the connection: for another request when the answer ends within
// it, for good when it does not.
func read(answer *http.Response, most int) []byte {
	defer answer.Body.Close()
	if answer.ContentLength == 0 {
		return nil
	}
	body, _ := io.ReadAll(io.LimitReader(answer.Body, int64(most))) // the status says all that counts
	if len(body) == most {
		_, _ = answer.Body.Read(make([]byte, 1)) // an answer of exactly the bound has not met its end yet
	}
	return body
}

// judge turns an answer that is not 2xx into an error with its verdict.
func judge(req *http.Request, answer *http.Response, body []byte, secrets []string) error {
	cut := newScrubber(req, secrets)
	status := answer.StatusCode
	err := fmt.Errorf("%s %s: %w", req.Method, cut.place(req.URL), &StatusError{Status: status, Body: cut.show(body)})
	if status >= 300 && status <= 399 {
		if to, e := answer.Location(); e == nil {
			err = fmt.Errorf("%w: it points to %s://%s; set that as the address", err, to.Scheme, cut.place(to))
		}
	}
	reason, permanent := reasonOf(status)
	err = verdict.Because(reason, err)
	if permanent {
		return verdict.Permanent(err)
	}
	if pause := retryAfter(answer.Header.Get("Retry-After"), time.Now()); pause > 0 {
		return verdict.After(pause, err)
	}
	return err
}

func reasonOf(status int) (reason verdict.Reason, permanent bool) {
	switch status {
	case http.StatusRequestTimeout:
		return verdict.Timeout, false
	case http.StatusTooEarly, http.StatusTooManyRequests:
		return verdict.RateLimited, false
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return verdict.Auth, false
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
		return verdict.NotFound, false
	case http.StatusRequestEntityTooLarge:
		return verdict.TooLarge, true
	}
	switch status / 100 {
	case 3: // a wrong address, as a 404 is
		return verdict.NotFound, false
	case 4:
		return verdict.Rejected, true
	}
	return verdict.ServerError, false
}

// failure turns an error without an answer into one that shows no address.
func failure(req *http.Request, err error, secrets []string) error {
	// Its text holds the whole address.
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	reason := verdict.ReasonOf(err)
	switch {
	case errors.Is(err, http.ErrSchemeMismatch):
		reason = verdict.TLS
	case reason == verdict.Unknown && !errors.Is(err, context.Canceled):
		reason = verdict.Connection // HTTP/2 streams that were reset, answers that are no HTTP
	}
	cut := newScrubber(req, secrets)
	return verdict.Because(reason, fmt.Errorf("%s %s: %w", req.Method, cut.place(req.URL), cut.err(err)))
}

// retryAfter reads the header of that name: seconds (some senders use decimals) or an HTTP date, see RFC 9110,
// section 10.2.3. It gives 0 for anything else and for what has passed, and an hour at most.
func retryAfter(text string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if !(seconds > 0) { // NaN too
			return 0
		}
		return time.Duration(min(seconds, maxPause.Seconds()) * float64(time.Second))
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), maxPause)
	}
	return 0
}

// show makes the begin of an answer fit for a log line.
func (s *scrubber) show(body []byte) string {
	text := s.cut(strings.ToValidUTF8(string(body), "\uFFFD"))
	text = alert.Printable(strings.Join(strings.Fields(text), " "))
	if len(text) <= maxShown {
		return text
	}
	const more = " [...]"
	return strings.ToValidUTF8(text[:maxShown-len(more)], "") + more
}
