package httpx

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/tiercel/tiercel/pkg/problem"
)

// DefaultConcurrency is how many requests are under way at once where [Settings.MaxConcurrentRequests] is 0.
const DefaultConcurrency = 8

const (
	connectTimeout = 10 * time.Second // to dial, and again for the TLS handshake
	// Below the 60 s after which load balancers and many servers close an idle connection, so that we seldom write
	// into one that is just being closed.
	idleTimeout = 55 * time.Second
	// A dead HTTP/2 connection looks alive until someone asks.
	pingAfter       = 15 * time.Second
	pingTimeout     = 10 * time.Second
	maxHeaderAnswer = 64 << 10 // bytes
)

// Client makes the client of one output. It trusts the system's authorities and those named in c, speaks TLS 1.2 or
// later and HTTP/2 where the server does, goes through the proxy of s or the one that the environment names (HTTP_PROXY,
// HTTPS_PROXY, NO_PROXY; read once by the process), and keeps at most as many connections to a host as s allows requests at once.
//
// It has no time-out of its own: the context of a request ends it. It follows no redirect, since that would turn a
// POST into a GET or carry credentials to a host that nobody configured; [Do] says where one points.
//
// With s.MutualTLS the client certificate is read here, and again at each handshake, so that a renewed one needs no
// restart. A file that cannot be read or used is an error made by package problem, with the key from where c begins.
func (c Common) Client(s Settings) (*http.Client, error) {
	config, err := c.TLS(s.Connection.TLSOptions, s.CheckCert, s.MutualTLS)
	if err != nil {
		return nil, err
	}
	proxy, err := s.Connection.proxy()
	if err != nil {
		return nil, problem.At("connection.proxy", "%v", err)
	}
	most := s.Concurrency()
	connect := cmp.Or(s.Connection.ConnectTimeout, connectTimeout)
	dialer := net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second}
	client := &http.Client{
		Transport: &http.Transport{
			Proxy:                  proxy,
			DialContext:            dialer.DialContext,
			TLSClientConfig:        config,
			TLSHandshakeTimeout:    connect,
			ForceAttemptHTTP2:      true, // a transport with its own TLS config speaks HTTP/1.1 only, else
			HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
			MaxConnsPerHost:        most,
			MaxIdleConnsPerHost:    most,
			MaxIdleConns:           2 * most,
			IdleConnTimeout:        cmp.Or(s.Connection.IdleTimeout, idleTimeout),
			MaxResponseHeaderBytes: maxHeaderAnswer,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if c.instead != nil {
		client.Transport = c.instead
	}
	if c.wrap != nil {
		client.Transport = c.wrap(client.Transport)
	}
	return client, nil
}

// mutualTLS makes a config present the client certificate that all outputs share, and trust the authority beside it.
func (c Common) mutualTLS(config *tls.Config) error {
	caKey, caFile := c.mutual("mutualtlsclient.cacertfile", c.MutualTLSClient.CACertFile, "ca.crt")
	if _, err := os.Stat(caFile); c.MutualTLSClient.CACertFile == "" && errors.Is(err, fs.ErrNotExist) {
		caFile = "" // the folder may do without: then the server's certificate is one that the system trusts
	}
	if err := trust(config.RootCAs, caKey, caFile); err != nil {
		return err
	}
	certKey, certFile := c.mutual("mutualtlsclient.certfile", c.MutualTLSClient.CertFile, "client.crt")
	_, keyFile := c.mutual("mutualtlsclient.keyfile", c.MutualTLSClient.KeyFile, "client.key")
	return present(config, certKey, certFile, keyFile)
}

// mutual picks the file that is set, or the one of that name in the folder, and says by which key it was chosen.
func (c Common) mutual(key, file, name string) (chosenBy, path string) {
	if file != "" {
		return key, file
	}
	return "mutualtlsfilespath", filepath.Join(c.MutualTLSFilesPath, name)
}

// trust adds the authorities in file, PEM, to roots.
func trust(roots *x509.CertPool, key, file string) error {
	if file == "" {
		return nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return problem.At(key, "expected a file that can be read: %v", err)
	}
	if !roots.AppendCertsFromPEM(pem) {
		return problem.At(key, "expected certificates as PEM in %s, found none", file)
	}
	return nil
}
