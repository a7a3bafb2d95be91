// Package httpx is the HTTP client that outputs share: TLS, proxy, headers, limits, and one place where an answer
// becomes a verdict.
package httpx

import (
	"net/http"

	"github.com/tiercel/tiercel/pkg/secret"
)

// Common is what all HTTP clients of the process share: falcosidekick's general TLS settings.
type Common struct {
	// Folder with client.crt, client.key and ca.crt, for outputs with mutualtls.
	MutualTLSFilesPath string `config:"mutualtlsfilespath"`
	// Files that win over those of mutualtlsfilespath.
	MutualTLSClient MutualTLSClient `config:"mutualtlsclient"`
	// TLS settings of every client.
	TLSClient TLSClient `config:"tlsclient"`

	wrap    func(http.RoundTripper) http.RoundTripper
	instead http.RoundTripper
}

// Wrapped returns a copy of c whose clients send through what wrap makes of their transport: to watch requests and
// answers.
func (c Common) Wrapped(wrap func(http.RoundTripper) http.RoundTripper) Common {
	c.wrap = wrap
	return c
}

// Instead returns a copy of c whose clients send through transport instead of the network.
func (c Common) Instead(transport http.RoundTripper) Common {
	c.instead = transport
	return c
}

// MutualTLSClient names the files of the client certificate.
type MutualTLSClient struct {
	// Client certificate, PEM.
	CertFile string `config:"certfile"`
	// Its private key, PEM.
	KeyFile string `config:"keyfile"`
	// Certificate authority that signed the servers' certificates, PEM.
	CACertFile string `config:"cacertfile"`
}

// TLSClient holds TLS settings of every client.
type TLSClient struct {
	// Certificate authority to trust besides those of the system, PEM.
	CACertFile string `config:"cacertfile"`
}

// Defaults gives falcosidekick's defaults.
func Defaults() Common { return Common{MutualTLSFilesPath: "/etc/certs"} }

// Settings are what every HTTP output can set. Embed it in the output's config.
type Settings struct {
	// Present the client certificate of mutualtlsclient or mutualtlsfilespath.
	MutualTLS bool `config:"mutualtls"`
	// Verify the server's certificate. Switch it off for a test only.
	CheckCert bool `config:"checkcert"`
	// Headers to add to every request.
	CustomHeaders map[string]secret.String `config:"customheaders"`
	// How to connect, where this output needs something of its own. See docs/connection.md.
	Connection Connection `config:"connection"`
	// Requests under way at once, for places that take one alert at a time. Alerts of one host keep their order. 0 is the default, 8.
	MaxConcurrentRequests int `config:"maxconcurrentrequests"`
}

// DefaultSettings gives the settings of an output that sets none.
func DefaultSettings() Settings { return Settings{CheckCert: true, Connection: DefaultConnection()} }
