// Package verdict says what an error asks of a lane: try again, try again not before some time, give up, or
// treat each alert of a batch by its own error. An error without a verdict means "try again".
package verdict

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"syscall"
	"time"
)

// Reason is why a delivery failed, from a short closed list; it is a metric label.
type Reason string

// The whole list of reasons.
const (
	Timeout     Reason = "timeout"      // no answer within the time allowed
	Connection  Reason = "connection"   // could not connect, or the connection broke
	TLS         Reason = "tls"          // certificates do not fit
	RateLimited Reason = "rate_limited" // the other side asked to slow down (HTTP 429)
	ServerError Reason = "server_error" // the other side failed (HTTP 5xx)
	Auth        Reason = "auth"         // not who we should be, or not allowed (HTTP 401, 403)
	Rejected    Reason = "rejected"     // the other side refuses this alert (other HTTP 4xx)
	TooLarge    Reason = "too_large"    // more than the other side takes (HTTP 413)
	NotFound    Reason = "not_found"    // nothing lives at that address (HTTP 404, 410)
	Encoding    Reason = "encoding"     // the alert cannot be written in the other side's format
	Storage     Reason = "storage"      // a local file or disk refused the write
	Expired     Reason = "expired"      // older than the lane's maximum age
	Removed     Reason = "removed"      // the output is no longer configured
	Dropped     Reason = "dropped"      // given up on request
	Unknown     Reason = "unknown"      // none of the others
)

// Reasons lists every reason, for metrics that show each series at zero.
func Reasons() []Reason {
	return []Reason{
		Timeout, Connection, TLS, RateLimited, ServerError, Auth, Rejected, TooLarge, NotFound,
		Encoding, Storage, Expired, Removed, Dropped, Unknown,
	}
}

type permanent struct{ error }

func (e permanent) Unwrap() error { return e.error }

// Permanent marks err as one that no later try can mend: the lane buries the alert. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

// IsPermanent reports whether err, or an error that it wraps, was marked by [Permanent].
func IsPermanent(err error) bool {
	var p permanent
	return errors.As(err, &p)
}

type after struct {
	error
	pause time.Duration
}

func (e after) Unwrap() error { return e.error }

// After marks err as worth another try, but not before pause has passed. After(d, nil) is nil.
func After(pause time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return after{err, pause}
}

// Pause returns the pause that err asks for, and whether it asks for one. Of a [Partial] it is that of the first alert
// whose error asks for one.
func Pause(err error) (time.Duration, bool) {
	if a, ok := errors.AsType[after](err); ok {
		return a.pause, true
	}
	return 0, false
}

type held struct{ error }

func (e held) Unwrap() error { return e.error }

// Held marks err as the failure of an earlier alert, for which this one waits: it was not tried itself. Held(nil) is nil.
func Held(err error) error {
	if err == nil {
		return nil
	}
	return held{err}
}

// IsHeld reports whether err was marked by [Held].
func IsHeld(err error) bool {
	var h held
	return errors.As(err, &h)
}

// Partial says which alerts of a batch failed, by their index in it, and with what error; all others were delivered.
// Each error carries its own verdict.
type Partial map[int]error

// Error names how many failed and the error of the first of them.
func (p Partial) Error() string {
	first := -1
	for i := range p {
		if first < 0 || i < first {
			first = i
		}
	}
	if first < 0 {
		return "no alert of the batch failed"
	}
	return fmt.Sprintf("%d of the batch failed, the first: %v", len(p), p[first])
}

// Unwrap gives the errors of all alerts in the order of the batch, so that errors.Is and errors.As look into them.
func (p Partial) Unwrap() []error {
	all := make([]error, 0, len(p))
	for _, i := range slices.Sorted(maps.Keys(p)) {
		all = append(all, p[i])
	}
	return all
}

// ErrOrNil returns p as an error, or nil when nothing failed.
func (p Partial) ErrOrNil() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

type reasoned struct {
	error
	reason Reason
}

func (e reasoned) Unwrap() error { return e.error }

// Because attaches a reason to err. Because(r, nil) is nil.
func Because(reason Reason, err error) error {
	if err == nil {
		return nil
	}
	return reasoned{err, reason}
}

// ReasonOf finds err's reason: the one attached by [Because], or one that follows from well-known errors
// (deadlines, network and TLS errors), else [Unknown].
func ReasonOf(err error) Reason {
	if r, ok := errors.AsType[reasoned](err); ok {
		return r.reason
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return Timeout
	}
	var netErr net.Error
	if errors.As(err, &netErr) && netErr.Timeout() {
		return Timeout
	}
	if isTLS(err) {
		return TLS
	}
	var op *net.OpError
	var dns *net.DNSError
	if errors.As(err, &op) || errors.As(err, &dns) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) ||
		errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return Connection
	}
	return Unknown
}
