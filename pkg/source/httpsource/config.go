package httpsource

import (
	"time"

	"github.com/tiercel/tiercel/pkg/secret"
	"github.com/tiercel/tiercel/pkg/size"
)

// Config is where alerts are received over HTTP. The first four keys are falcosidekick's.
type Config struct {
	// Address to listen on; empty is every one.
	ListenAddress string `config:"listenaddress"`
	// Port to listen on.
	ListenPort int `config:"listenport"`
	// TLS for senders.
	TLSServer TLSServer `config:"tlsserver"`
	// Limits and authentication of senders.
	Receiver Receiver `config:"receiver"`
}

// TLSServer is falcosidekick's.
type TLSServer struct {
	// Listen with TLS.
	Deploy bool `config:"deploy"`
	// Server certificate, PEM.
	CertFile string `config:"certfile"`
	// Its private key, PEM.
	KeyFile string `config:"keyfile"`
	// Ask senders for a certificate that cacertfile signed.
	MutualTLS bool `config:"mutualtls"`
	// Certificate authority of the senders, PEM.
	CACertFile string `config:"cacertfile"`
	// Paths to serve without TLS on notlsport, of / /ping /healthz /readyz /test /metrics.
	NoTLSPaths []string `config:"notlspaths"`
	// Port for notlspaths.
	NoTLSPort int `config:"notlsport"`
}

// Receiver holds limits and authentication of senders.
type Receiver struct {
	// Largest body taken, after decompression; a larger one is answered 413.
	MaxBody size.Bytes `config:"maxbody"`
	// Most levels of arrays and objects in an alert.
	MaxDepth int `config:"maxdepth"`
	// Longest time for a request's headers to come in.
	HeaderTimeout time.Duration `config:"headertimeout"`
	// Longest time for a request's body to come in.
	BodyTimeout time.Duration `config:"bodytimeout"`
	// How long a connection without requests is kept. Falco loses an alert when its connection is closed under it, so keep it long.
	IdleTimeout time.Duration `config:"idletimeout"`
	// Ask senders for this token: Authorization: Bearer TOKEN. Not asked on /ping, /healthz, /readyz and /metrics.
	Token secret.String `config:"token"`
}

// Defaults gives port 2801 on every address, without TLS.
func Defaults() Config {
	return Config{
		ListenPort: 2801,
		TLSServer: TLSServer{
			CertFile:   "/etc/certs/server/server.crt",
			KeyFile:    "/etc/certs/server/server.key",
			CACertFile: "/etc/certs/server/ca.crt",
			NoTLSPort:  2810,
		},
		Receiver: Receiver{
			MaxBody:       4 * size.MiB,
			MaxDepth:      128,
			HeaderTimeout: 10 * time.Second,
			BodyTimeout:   30 * time.Second,
			IdleTimeout:   15 * time.Minute,
		},
	}
}
