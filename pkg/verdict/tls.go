package verdict

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
)

// isTLS reports whether err comes from a TLS handshake: a certificate that does not verify, a protocol that
// does not fit, or an alert of the other side.
func isTLS(err error) bool {
	var (
		verify    *tls.CertificateVerificationError
		record    tls.RecordHeaderError
		told      *net.OpError
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
	)
	return errors.As(err, &verify) || errors.As(err, &record) ||
		errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid) ||
		// crypto/tls hides the type of an alert, but not which side sent it.
		errors.As(err, &told) && (told.Op == "remote error" || told.Op == "local error")
}
