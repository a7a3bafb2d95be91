package httpsource

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/tiercel/tiercel/pkg/problem"
)

// lookEvery is how often the certificate files are looked at, at most; a handshake does it.
const lookEvery = 2 * time.Second

// certificates gives the server's certificate and the senders' authority as the files have them: rotated files are
// taken without a restart. While the new ones are at fault, the old ones stay.
type certificates struct {
	files TLSServer
	log   *slog.Logger
	now   func() time.Time

	mu      sync.Mutex
	looked  time.Time
	stamps  []stamp
	current *tls.Config
	failing string // the last error that was logged
}

// stamp tells one content of a file from another. Kubernetes changes a mounted secret by turning a symbolic link,
// which changes the time of the file behind it.
type stamp struct {
	size int64
	time time.Time
}

func loadCertificates(files TLSServer, log *slog.Logger, now func() time.Time) (*certificates, error) {
	c := &certificates{files: files, log: log, now: now, looked: now()}
	c.stamps = c.look()
	var err error
	c.current, err = c.files.load()
	return c, err
}

// config is what the listener starts with; each handshake takes what is current.
func (c *certificates) config() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.refreshed(), nil },
	}
}

// refreshed loads the files again when they have changed.
func (c *certificates) refreshed() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.looked) < lookEvery {
		return c.current
	}
	c.looked = now
	stamps := c.look()
	if same(stamps, c.stamps) && c.failing == "" {
		return c.current
	}
	fresh, err := c.files.load()
	if err != nil {
		if text := err.Error(); text != c.failing {
			c.failing = text
			c.log.Error("changed certificate files not taken, the old ones stay", "error", err)
		}
		return c.current
	}
	c.current, c.stamps, c.failing = fresh, stamps, ""
	c.log.Info("certificate files loaded again", "certfile", c.files.CertFile)
	return c.current
}

func (c *certificates) look() []stamp {
	var stamps []stamp
	for _, name := range []string{c.files.CertFile, c.files.KeyFile, c.files.CACertFile} {
		info, err := os.Stat(name)
		if err != nil {
			stamps = append(stamps, stamp{size: -1})
			continue
		}
		stamps = append(stamps, stamp{info.Size(), info.ModTime()})
	}
	return stamps
}

func same(a, b []stamp) bool {
	for i := range a {
		if a[i].size != b[i].size || !a[i].time.Equal(b[i].time) {
			return false
		}
	}
	return true
}

// load reads the files. An error is a [problem.Problem].
func (f *TLSServer) load() (*tls.Config, error) {
	certificate, err := tls.LoadX509KeyPair(f.CertFile, f.KeyFile)
	if err != nil {
		return nil, problem.At("tlsserver.certfile", "expected a certificate, with its key in tlsserver.keyfile %s: %v", f.KeyFile, err)
	}
	config := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
		Certificates: []tls.Certificate{certificate},
	}
	if !f.MutualTLS {
		return config, nil
	}
	text, err := os.ReadFile(f.CACertFile)
	if err != nil {
		return nil, problem.At("tlsserver.cacertfile", "expected the certificate authority of the senders: %v", err)
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(text) {
		return nil, problem.At("tlsserver.cacertfile", "expected the certificate authority of the senders: %s holds no certificate in PEM form", f.CACertFile)
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	// A resumed session would go on trusting an authority that is no longer in the file.
	config.SessionTicketsDisabled = true
	return config, nil
}
