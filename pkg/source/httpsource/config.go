package httpsource

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/secret"
	"github.com/tiercel/tiercel/pkg/size"
)

// Config is where alerts are received over HTTP. The first three keys are falcosidekick's.
type Config struct {
	// Address to listen on; empty is every one.
	ListenAddress string `config:"listenaddress"`
	// Port to listen on. 0 is any free one.
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
	// Server certificate, PEM. It is read again when the file changes, as the other two are.
	CertFile string `config:"certfile"`
	// Its private key, PEM.
	KeyFile string `config:"keyfile"`
	// Ask senders for a certificate that cacertfile signed.
	MutualTLS bool `config:"mutualtls"`
	// Certificate authority of the senders, PEM.
	CACertFile string `config:"cacertfile"`
	// Paths to serve without TLS on notlsport, of / /ping /healthz /readyz /test /metrics. They are no longer served with TLS then.
	NoTLSPaths []string `config:"notlspaths"`
	// Port for notlspaths. 0 is any free one.
	NoTLSPort int `config:"notlsport"`
}

// Receiver holds limits and authentication of senders.
type Receiver struct {
	// Largest body taken, after decompression; a larger one is answered 413.
	MaxBody size.Bytes `config:"maxbody"`
	// Most that all bodies above 64KiB may take in memory at once; further ones wait. Smaller ones never wait.
	MaxInFlight size.Bytes `config:"maxinflight"`
	// Most levels of arrays and objects in an alert.
	MaxDepth int `config:"maxdepth"`
	// Longest time for a request's headers to come in.
	HeaderTimeout time.Duration `config:"headertimeout"`
	// Longest time for a request's body to come in, after its headers.
	BodyTimeout time.Duration `config:"bodytimeout"`
	// How long a connection without requests is kept. Falco loses an alert when its connection is closed under it, so keep it long.
	IdleTimeout time.Duration `config:"idletimeout"`
	// Ask senders for this token: Authorization: Bearer TOKEN, or Basic with TOKEN as the password. Not asked on /ping, /healthz, /readyz and /metrics.
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
			MaxInFlight:   64 * size.MiB,
			MaxDepth:      128,
			HeaderTimeout: 10 * time.Second,
			BodyTimeout:   30 * time.Second,
			IdleTimeout:   15 * time.Minute,
		},
	}
}

// deepest is the nesting that the JSON decoder itself takes.
const deepest = 10_000

// Validate returns every problem, joined. With tlsserver.deploy it reads the files.
func (c *Config) Validate() error {
	var errs []error
	wrong := func(key, format string, args ...any) { errs = append(errs, problem.At(key, format, args...)) }
	port := func(key string, value int) {
		if value < 0 || value > 65535 {
			wrong(key, "expected a port, 0 to 65535, got %d", value)
		}
	}
	if c.ListenAddress != "" {
		if _, err := netip.ParseAddr(c.ListenAddress); err != nil {
			wrong("listenaddress", "expected an IP address, 127.0.0.1 for example, or nothing for all, got %q", c.ListenAddress)
		}
	}
	port("listenport", c.ListenPort)
	port("tlsserver.notlsport", c.TLSServer.NoTLSPort)
	for _, path := range c.TLSServer.NoTLSPaths {
		if !slices.Contains(paths, path) {
			wrong("tlsserver.notlspaths", "expected paths of %s, got %q", strings.Join(paths, " "), path)
		}
	}
	if c.TLSServer.Deploy {
		if len(c.TLSServer.NoTLSPaths) > 0 && c.TLSServer.NoTLSPort == c.ListenPort && c.ListenPort != 0 {
			wrong("tlsserver.notlsport", "expected another port than listenport, got %d too", c.ListenPort)
		}
		before := len(errs)
		file := func(key, name string) {
			if info, err := os.Stat(name); err != nil {
				wrong(key, "expected a file in PEM form: %v", err)
			} else if !info.Mode().IsRegular() { // a device may never end
				wrong(key, "expected a file in PEM form, but %s is no file", name)
			}
		}
		file("tlsserver.certfile", c.TLSServer.CertFile)
		file("tlsserver.keyfile", c.TLSServer.KeyFile)
		if c.TLSServer.MutualTLS {
			file("tlsserver.cacertfile", c.TLSServer.CACertFile)
		}
		if len(errs) == before {
			if _, err := c.TLSServer.load(); err != nil {
				errs = append(errs, err)
			}
		}
	}
	if r := c.Receiver; r.MaxBody < 1*size.KiB || r.MaxBody > 1*size.GiB {
		wrong("receiver.maxbody", "expected 1KiB to 1GiB, got %s", r.MaxBody)
	} else if r.MaxInFlight < r.MaxBody {
		wrong("receiver.maxinflight", "expected at least maxbody, %s, got %s", r.MaxBody, r.MaxInFlight)
	}
	if c.Receiver.MaxDepth < 2 || c.Receiver.MaxDepth > deepest {
		wrong("receiver.maxdepth", "expected 2 to %d, got %d", deepest, c.Receiver.MaxDepth)
	}
	for _, limit := range []struct {
		key   string
		value time.Duration
	}{
		{"receiver.headertimeout", c.Receiver.HeaderTimeout},
		{"receiver.bodytimeout", c.Receiver.BodyTimeout},
		{"receiver.idletimeout", c.Receiver.IdleTimeout},
	} {
		if limit.value <= 0 {
			wrong(limit.key, "expected more than 0, got %s", limit.value)
		}
	}
	return errors.Join(errs...)
}
