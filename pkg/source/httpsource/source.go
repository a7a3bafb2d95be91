package httpsource

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/source"
)

// Deps is what a [Source] needs from the rest of the process. All must be set, but Refused.
type Deps struct {
	Log            *slog.Logger
	Metrics        prometheus.Registerer
	MetricsHandler http.Handler                 // answers /metrics
	Ready          func() (ok bool, report any) // answers /readyz: 200 or 503, and report as JSON
	Test           func() *alert.Alert          // makes the alert that POST /test sends
	Refused        func(Refused)                // gets each refused body; it is called by the request itself, so it must be quick
	Now            func() time.Time
}

// Refused is a body that was at fault itself, and how.
type Refused struct {
	Time   time.Time
	Remote string // the sender's address and port
	Reason string // from the list in docs/receiver.md
	Error  string
	Body   []byte // what was read of it, decompressed, at most 64 KiB; it may be kept
}

// drainTime is how long requests that are under way may take when the source stops.
const drainTime = 10 * time.Second

// maxHeader is how many bytes the headers of a request may have; more is answered 431.
const maxHeader = 64 << 10

// answerTimeout is how long a sender may leave its answers unread before its connection is cut.
const answerTimeout = time.Minute

// Source receives alerts over HTTP. It listens from [New] on and answers while [Source.Run] runs.
type Source struct {
	cfg   Config
	deps  Deps
	doors []*door

	// What handlers use, set by Run before the first request.
	put  source.Put
	base context.Context //nolint:containedctx // outlives the request: a sender that goes away does not undo its alert

	budget  budget
	metrics *metrics
	noise   *throttle
	drain   time.Duration
}

// door is one listener and what is behind it.
type door struct {
	listener net.Listener
	server   *http.Server
	tls      bool
}

var _ source.Source = (*Source)(nil)

// New listens, so that a port in use or a bad certificate is known at once. cfg must be valid. The error says what
// to do. A Source that does not get to run must be closed.
func New(ctx context.Context, cfg Config, deps Deps) (*Source, error) {
	s := &Source{cfg: cfg, deps: deps, base: context.WithoutCancel(ctx), drain: drainTime}
	s.budget = newBudget(int64(cfg.Receiver.MaxInFlight))
	s.noise = &throttle{log: deps.Log, now: deps.Now}
	var secure *certificates
	var err error
	if cfg.TLSServer.Deploy {
		if secure, err = loadCertificates(cfg.TLSServer, deps.Log, deps.Now); err != nil {
			return nil, err
		}
	}
	if s.metrics, err = newMetrics(deps.Metrics); err != nil {
		return nil, err
	}
	if err = s.openAll(ctx, secure); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// openAll listens where the config says: on one port, or with TLS on one and without it on another.
func (s *Source) openAll(ctx context.Context, secure *certificates) error {
	if secure == nil {
		return s.open(ctx, "listenport", s.cfg.ListenPort, paths, nil)
	}
	plain := s.cfg.TLSServer.NoTLSPaths
	secured := slices.DeleteFunc(slices.Clone(paths), func(path string) bool { return slices.Contains(plain, path) })
	if err := s.open(ctx, "listenport", s.cfg.ListenPort, secured, secure.config()); err != nil || len(plain) == 0 {
		return err
	}
	return s.open(ctx, "tlsserver.notlsport", s.cfg.TLSServer.NoTLSPort, plain, nil)
}

// open listens on a port, which the setting key gave, and prepares the server of the given paths.
func (s *Source) open(ctx context.Context, key string, port int, served []string, secure *tls.Config) error {
	listen := net.ListenConfig{Control: sendTimeout(answerTimeout)}
	listener, err := listen.Listen(ctx, "tcp", net.JoinHostPort(s.cfg.ListenAddress, strconv.Itoa(port)))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("port %d is in use: stop the program that listens there, or set %s to another port: %w", port, key, err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("port %d is not allowed for this user: set %s to one above 1023: %w", port, key, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s is no address of this machine: set listenaddress to one, or to nothing for all: %w", s.cfg.ListenAddress, err)
	case err != nil:
		return fmt.Errorf("listen on port %d (%s): %w", port, key, err)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	limits := s.cfg.Receiver
	s.doors = append(s.doors, &door{
		listener: listener,
		tls:      secure != nil,
		server: &http.Server{
			Handler:           s.routes(served),
			Protocols:         protocols,
			TLSConfig:         secure,
			ReadHeaderTimeout: limits.HeaderTimeout,
			ReadTimeout:       limits.HeaderTimeout + limits.BodyTimeout,
			IdleTimeout:       limits.IdleTimeout,
			MaxHeaderBytes:    maxHeader,
			ErrorLog:          s.noise.standard(),
		},
	})
	return nil
}

// Addrs gives the addresses that are listened on: the main one, then the one without TLS, if any.
func (s *Source) Addrs() []net.Addr {
	addrs := make([]net.Addr, len(s.doors))
	for i, d := range s.doors {
		addrs[i] = d.listener.Addr()
	}
	return addrs
}

// Run answers requests until ctx ends. Then it takes no new ones, lets those under way finish for at most 10 s, and
// returns nil. It returns an error when a listener fails. Call it once.
func (s *Source) Run(ctx context.Context, put source.Put) error {
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	s.put, s.base = put, base

	ended := make(chan error, len(s.doors))
	for _, d := range s.doors {
		go func() { ended <- d.serve() }()
	}
	var err error
	running := len(s.doors)
	select {
	case <-ctx.Done():
	case err = <-ended:
		running--
	}
	err = errors.Join(err, s.stop(cancel))
	for range running {
		err = errors.Join(err, <-ended)
	}
	return err
}

func (d *door) serve() error {
	var err error
	if d.tls {
		err = d.server.ServeTLS(d.listener, "", "") // the certificate comes from TLSConfig
	} else {
		err = d.server.Serve(d.listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("receive on %s: %w", d.listener.Addr(), err)
}

// stop lets the requests under way finish; those that do not in time are cut.
func (s *Source) stop(cancel context.CancelFunc) error {
	deadline, done := context.WithTimeout(s.base, s.drain)
	defer done()
	results := make(chan error, len(s.doors))
	for _, d := range s.doors {
		go func() { results <- d.server.Shutdown(deadline) }()
	}
	cut := false
	for range s.doors {
		if err := <-results; err != nil {
			cut = true
		}
	}
	if !cut {
		return nil
	}
	s.deps.Log.Warn("requests that did not end in time are cut", "waited", s.drain)
	cancel()
	return s.Close()
}

// Close stops listening and cuts every connection. A Source that has run needs it not.
func (s *Source) Close() error {
	var errs []error
	for _, d := range s.doors {
		errs = append(errs, d.server.Close())
		if err := d.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, fmt.Errorf("stop listening on %s: %w", d.listener.Addr(), err))
		}
	}
	return errors.Join(errs...)
}
