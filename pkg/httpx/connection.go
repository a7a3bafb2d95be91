package httpx

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/secret"
)

// Connection is how an output over HTTP connects, where it needs something of its own.
type Connection struct {
	TLSOptions

	// Proxy to go through, http://, https:// or socks5://host:port. Empty takes what HTTP_PROXY, HTTPS_PROXY and NO_PROXY in the environment say; none goes through no proxy.
	Proxy secret.String `config:"proxy"`
	// Longest time to connect, and again for the TLS handshake.
	ConnectTimeout time.Duration `config:"connecttimeout"`
	// How long a connection that is not used stays open. Load balancers often close them after 60s.
	IdleTimeout time.Duration `config:"idletimeout"`
}

// TLSOptions are what one output may need of TLS for itself, whatever its protocol.
type TLSOptions struct {
	// Certificate authority that signed the server's certificate, PEM, trusted besides those of the system and of tlsclient.cacertfile.
	CAFile string `config:"cafile"`
	// Client certificate to present, PEM. It wins over the one of mutualtls.
	CertFile string `config:"certfile"`
	// Its private key, PEM.
	KeyFile string `config:"keyfile"`
	// Name that the server's certificate must have, where it is not that of the address.
	ServerName string `config:"servername"`
	// Lowest version of TLS, 1.2 or 1.3.
	MinVersion string `config:"mintls" enum:"1.2,1.3"`
}

// noProxy is the value of [Connection.Proxy] that goes through none.
const noProxy = "none"

// DefaultConnection gives the settings of an output that sets none.
func DefaultConnection() Connection {
	return Connection{TLSOptions: DefaultTLS(), ConnectTimeout: 10 * time.Second, IdleTimeout: 55 * time.Second}
}

// DefaultTLS gives TLS 1.2 or later.
func DefaultTLS() TLSOptions { return TLSOptions{MinVersion: "1.2"} }

// Validate returns every problem, joined.
func (c *Connection) Validate() error {
	errs := []error{c.TLSOptions.Validate()}
	if _, err := c.proxy(); err != nil {
		errs = append(errs, problem.At("proxy", "%v", err))
	}
	if c.ConnectTimeout < 0 {
		errs = append(errs, problem.At("connecttimeout", "expected 0s (for 10s) or more, got %s", c.ConnectTimeout))
	}
	if c.IdleTimeout < 0 {
		errs = append(errs, problem.At("idletimeout", "expected 0s (for 55s) or more, got %s", c.IdleTimeout))
	}
	return errors.Join(errs...)
}

// Validate returns every problem, joined. The files are read when the output is made.
func (o *TLSOptions) Validate() error {
	var errs []error
	if (o.CertFile == "") != (o.KeyFile == "") {
		errs = append(errs, problem.At("certfile", "expected certfile and keyfile together"))
	}
	switch o.MinVersion {
	case "", "1.2", "1.3":
	default:
		errs = append(errs, problem.At("mintls", "expected 1.2 or 1.3, got %q", o.MinVersion))
	}
	return errors.Join(errs...)
}

// proxy gives what the transport asks for the proxy of a request.
func (c *Connection) proxy() (func(*http.Request) (*url.URL, error), error) {
	switch text := c.Proxy.Reveal(); text {
	case "":
		return http.ProxyFromEnvironment, nil
	case noProxy:
		return nil, nil //nolint:nilnil // as the transport has it
	default:
		address, err := url.Parse(text)
		if err != nil || address.Host == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, address.Scheme) {
			return nil, errors.New("expected http://, https:// or socks5:// and host:port, or none")
		}
		return http.ProxyURL(address), nil
	}
}

// TLS makes the TLS config of one output: the system's authorities, those of c, and what o says. checkCert off verifies
// nothing; mutual presents the client certificate of c, where o names none. Certificates are read here, and again at
// each handshake, so that renewed ones need no restart. A file that cannot be used is an error made by package problem,
// with the key from where c begins, or below connection.
func (c Common) TLS(o TLSOptions, checkCert, mutual bool) (*tls.Config, error) {
	config := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         o.ServerName,
		InsecureSkipVerify: !checkCert, //nolint:gosec // the user's explicit wish
		ClientSessionCache: tls.NewLRUClientSessionCache(0),
	}
	if o.MinVersion == "1.3" {
		config.MinVersion = tls.VersionTLS13
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // a system without authorities can still use those of the config
	}
	if err := trust(roots, "tlsclient.cacertfile", c.TLSClient.CACertFile); err != nil {
		return nil, err
	}
	if err := trust(roots, "connection.cafile", o.CAFile); err != nil {
		return nil, err
	}
	config.RootCAs = roots
	switch {
	case o.CertFile != "":
		return config, present(config, "connection.certfile", o.CertFile, o.KeyFile)
	case mutual:
		return config, c.mutualTLS(config)
	}
	return config, nil
}

// present makes a config show a client certificate, the one that the files hold at each handshake.
func present(config *tls.Config, key, certFile, keyFile string) error {
	first, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return problem.At(key, "expected a client certificate in %s and its key in %s: %v", certFile, keyFile, err)
	}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		// Someone may be writing the files just now: then the one from the start must do.
		if renewed, err := tls.LoadX509KeyPair(certFile, keyFile); err == nil {
			return &renewed, nil
		}
		return &first, nil
	}
	return nil
}
