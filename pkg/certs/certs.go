// Package certs loads certificates from files, and again when the files change: those that are rotated are taken
// without a restart.
package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/tiercel/tiercel/pkg/problem"
)

// Server are the files of one who is connected to. All are PEM.
type Server struct {
	CertFile, KeyFile string
	Mutual            bool   // ask for certificates that CACertFile signed
	CACertFile        string // of the clients
}

// Check reads the files. The errors are problems of the keys certfile, keyfile and cacertfile.
func (s Server) Check() error {
	_, err := s.load()
	return err
}

func (s Server) load() (*tls.Config, error) {
	certificate, err := pair(s.CertFile, s.KeyFile)
	errs := []error{err}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}}
	if s.Mutual {
		config.ClientCAs, err = pool(s.CACertFile, "the certificate authority of the clients")
		errs = append(errs, err)
		config.ClientAuth = tls.RequireAndVerifyClientCert
		// A resumed session would go on trusting an authority that is no longer in the file.
		config.SessionTicketsDisabled = true
	}
	return config, errors.Join(errs...)
}

// Config is for a listener. Each handshake takes what the files hold by then; while they are at fault, what they held
// before stays. protocols are those of ALPN.
func (s Server) Config(log *slog.Logger, protocols ...string) (*tls.Config, error) {
	load := func() (*tls.Config, error) {
		config, err := s.load()
		if err == nil {
			config.NextProtos = protocols
		}
		return config, err
	}
	w := &watched{files: []string{s.CertFile, s.KeyFile, s.CACertFile}, log: log, load: load}
	if err := w.first(); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		NextProtos:         protocols,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return w.current(), nil },
	}, nil
}

// Client are the files of one who connects. All are PEM.
type Client struct {
	CertFile, KeyFile string // its own certificate; both may be empty
	CACertFile        string // who signed those of the servers; empty is the system's authorities
}

// Check reads the files. The errors are problems of the keys certfile, keyfile and cacertfile.
func (c Client) Check() error {
	_, err := c.Config()
	return err
}

// Config reads the files. Call it for each connection, to take what they hold by then.
func (c Client) Config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	var errs []error
	if c.CertFile != "" || c.KeyFile != "" {
		certificate, err := pair(c.CertFile, c.KeyFile)
		config.Certificates = []tls.Certificate{certificate}
		errs = append(errs, err)
	}
	if c.CACertFile != "" {
		var err error
		config.RootCAs, err = pool(c.CACertFile, "the certificate authority of the server")
		errs = append(errs, err)
	}
	return config, errors.Join(errs...)
}

func pair(certFile, keyFile string) (tls.Certificate, error) {
	for _, file := range []struct{ key, name string }{{"certfile", certFile}, {"keyfile", keyFile}} {
		if err := readable(file.key, file.name); err != nil {
			return tls.Certificate{}, err
		}
	}
	certificate, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return certificate, problem.At("certfile", "expected a certificate, with its key in keyfile %s: %v", keyFile, err)
	}
	return certificate, nil
}

func pool(name, whose string) (*x509.CertPool, error) {
	if err := readable("cacertfile", name); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, problem.At("cacertfile", "expected %s: %v", whose, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, problem.At("cacertfile", "expected %s: %s holds no certificate in PEM form", whose, name)
	}
	return pool, nil
}

// readable looks at a file before it is read: a device may never end.
func readable(key, name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return problem.At(key, "expected a file in PEM form: %v", err)
	}
	if !info.Mode().IsRegular() {
		return problem.At(key, "expected a file in PEM form, but %s is no file", name)
	}
	return nil
}

// lookEvery is how often the files are looked at, at most; a handshake does it.
const lookEvery = 2 * time.Second

// watched is a config whose files may change.
type watched struct {
	files []string
	log   *slog.Logger
	load  func() (*tls.Config, error)

	mu      sync.Mutex
	looked  time.Time
	stamps  []stamp
	config  *tls.Config
	failing string // the last error that was logged
}

// stamp tells one content of a file from another. Kubernetes changes a mounted secret by turning a symbolic link, which
// changes the file behind it.
type stamp struct {
	file os.FileInfo
}

func (w *watched) first() error {
	w.looked, w.stamps = time.Now(), w.look()
	var err error
	w.config, err = w.load()
	return err
}

// current loads the files again when they have changed.
func (w *watched) current() *tls.Config {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.looked) < lookEvery {
		return w.config
	}
	w.looked = time.Now()
	stamps := w.look()
	if same(stamps, w.stamps) && w.failing == "" {
		return w.config
	}
	fresh, err := w.load()
	if err != nil {
		if text := err.Error(); text != w.failing {
			w.failing = text
			w.log.Error("changed certificate files not taken, the old ones stay", "error", err)
		}
		return w.config
	}
	w.config, w.stamps, w.failing = fresh, stamps, ""
	w.log.Info("certificate files loaded again", "certfile", w.files[0])
	return w.config
}

func (w *watched) look() []stamp {
	stamps := make([]stamp, len(w.files))
	for i, name := range w.files {
		if info, err := os.Stat(name); err == nil {
			stamps[i].file = info
		}
	}
	return stamps
}

func same(a, b []stamp) bool {
	for i := range a {
		one, other := a[i].file, b[i].file
		if one == nil || other == nil {
			if one != other {
				return false
			}
			continue
		}
		if !os.SameFile(one, other) || one.Size() != other.Size() || !one.ModTime().Equal(other.ModTime()) {
			return false
		}
	}
	return true
}
