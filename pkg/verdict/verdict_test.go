package verdict_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/tiercel/tiercel/pkg/verdict"
)

var errPlain = errors.New("plain")

func TestNilStaysNil(t *testing.T) {
	for name, err := range map[string]error{
		"Permanent": verdict.Permanent(nil), "After": verdict.After(time.Second, nil), "Held": verdict.Held(nil),
		"Because": verdict.Because(verdict.Auth, nil), "Partial": verdict.Partial{}.ErrOrNil(), "nil Partial": verdict.Partial(nil).ErrOrNil(),
	} {
		if err != nil {
			t.Errorf("%s of nothing is %v", name, err)
		}
	}
}

// TestMarksAreSeenThroughOthers: marks combine in any order, through other errors, and leave the text alone.
func TestMarksAreSeenThroughOthers(t *testing.T) {
	for name, c := range map[string]struct {
		err       error
		permanent bool
		held      bool
		pause     time.Duration
		reason    verdict.Reason
	}{
		"plain":              {errPlain, false, false, 0, verdict.Unknown},
		"permanent":          {verdict.Permanent(errPlain), true, false, 0, verdict.Unknown},
		"after":              {verdict.After(time.Minute, errPlain), false, false, time.Minute, verdict.Unknown},
		"held":               {verdict.Held(errPlain), false, true, 0, verdict.Unknown},
		"because":            {verdict.Because(verdict.Auth, errPlain), false, false, 0, verdict.Auth},
		"permanent, because": {verdict.Permanent(verdict.Because(verdict.TooLarge, errPlain)), true, false, 0, verdict.TooLarge},
		"because, permanent": {verdict.Because(verdict.TooLarge, verdict.Permanent(errPlain)), true, false, 0, verdict.TooLarge},
		"the outer reason":   {verdict.Because(verdict.Auth, verdict.Because(verdict.TLS, errPlain)), false, false, 0, verdict.Auth},
		"held, after":        {verdict.Held(verdict.After(time.Minute, verdict.Because(verdict.RateLimited, errPlain))), false, true, time.Minute, verdict.RateLimited},
	} {
		for how, err := range map[string]error{"": c.err, ", wrapped": fmt.Errorf("%w", c.err), ", joined": errors.Join(errPlain, c.err)} {
			pause, asked := verdict.Pause(err)
			if verdict.IsPermanent(err) != c.permanent || verdict.IsHeld(err) != c.held || pause != c.pause || asked != (c.pause > 0) || verdict.ReasonOf(err) != c.reason {
				t.Errorf("%s%s: permanent %t, held %t, pause %v, reason %s", name, how, verdict.IsPermanent(err), verdict.IsHeld(err), pause, verdict.ReasonOf(err))
			}
			if !errors.Is(err, errPlain) {
				t.Errorf("%s%s: the cause is lost", name, how)
			}
		}
		if c.err.Error() != "plain" {
			t.Errorf("%s: the text is %q", name, c.err)
		}
	}
}

func TestPartial(t *testing.T) {
	p := verdict.Partial{
		9: verdict.After(9*time.Second, verdict.Because(verdict.RateLimited, errPlain)),
		4: verdict.Permanent(verdict.Because(verdict.Rejected, errors.New("no"))),
		7: verdict.After(7*time.Second, context.DeadlineExceeded),
	}
	for range 20 { // a map's order would show
		err := fmt.Errorf("send: %w", p.ErrOrNil())
		if err.Error() != "send: 3 of the batch failed, the first: no" {
			t.Fatalf("text %q", err)
		}
		if pause, _ := verdict.Pause(err); pause != 7*time.Second || verdict.ReasonOf(err) != verdict.Rejected {
			t.Fatalf("pause %v, reason %s: not those of the first alert", pause, verdict.ReasonOf(err))
		}
		var got verdict.Partial
		if !errors.As(err, &got) || len(got) != 3 || !errors.Is(err, errPlain) || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", got)
		}
	}
	if text := (verdict.Partial{}).Error(); text != "no alert of the batch failed" {
		t.Errorf("empty: %q", text)
	}
}

func TestReasonsFollowFromWellKnownErrors(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for name, c := range map[string]struct {
		err  error
		want verdict.Reason
	}{
		"deadline of a context":       {context.DeadlineExceeded, verdict.Timeout},
		"deadline of a connection":    {&net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}, verdict.Timeout},
		"name server does not answer": {&net.DNSError{Err: "i/o timeout", IsTimeout: true}, verdict.Timeout},
		"name is not known":           {&net.DNSError{Err: "no such host", IsNotFound: true}, verdict.Connection},
		"refused":                     {refused, verdict.Connection},
		"reset":                       {syscall.ECONNRESET, verdict.Connection},
		"broken pipe":                 {&os.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE}, verdict.Connection},
		"ended":                       {io.EOF, verdict.Connection},
		"cut off":                     {io.ErrUnexpectedEOF, verdict.Connection},
		"unknown authority":           {&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, verdict.TLS},
		"another host":                {x509.HostnameError{Host: "a", Certificate: &x509.Certificate{}}, verdict.TLS},
		"expired":                     {x509.CertificateInvalidError{Reason: x509.Expired}, verdict.TLS},
		"no TLS at all":               {tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, verdict.TLS},
		"the other side's alert":      {&net.OpError{Op: "remote error", Err: errPlain}, verdict.TLS},
		"our own alert":               {&net.OpError{Op: "local error", Err: errPlain}, verdict.TLS},
		"canceled":                    {context.Canceled, verdict.Unknown},
		"anything else":               {errPlain, verdict.Unknown},
	} {
		if got := verdict.ReasonOf(fmt.Errorf("send: %w", c.err)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestReasonsAreAClosedList(t *testing.T) {
	seen := map[verdict.Reason]bool{}
	for _, r := range verdict.Reasons() {
		if r == "" || seen[r] {
			t.Errorf("%q is there twice, or empty", r)
		}
		seen[r] = true
	}
	for _, r := range []verdict.Reason{
		verdict.Timeout, verdict.Connection, verdict.TLS, verdict.RateLimited, verdict.ServerError, verdict.Auth, verdict.Rejected, verdict.TooLarge,
		verdict.NotFound, verdict.Encoding, verdict.Storage, verdict.Expired, verdict.Removed, verdict.Dropped, verdict.Unknown,
	} {
		if !seen[r] {
			t.Errorf("%s is missing", r)
		}
	}
}
