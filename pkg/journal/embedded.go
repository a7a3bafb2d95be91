package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/tiercel/tiercel/pkg/size"
)

// embedded runs the NATS server in this process. It listens on no port: Tiercel itself is connected in memory, and
// commands beside it through a Unix socket in the journal's folder.
type embedded struct {
	cfg    Config
	log    *slog.Logger
	lock   *os.File
	socket *socket
}

// largestMessage bounds one message of the embedded stream: the largest body, three times, because invalid UTF-8
// grows when it is mended and the original is kept beside it.
const largestMessage = 64 << 20

func newEmbedded(cfg Config, log *slog.Logger) (*embedded, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the journal's folder: %w; set journal.dir to a folder that can be written", err)
	}
	lock, err := lockFolder(cfg.Dir)
	if err != nil {
		return nil, err
	}
	return &embedded{cfg: cfg, log: log, lock: lock}, nil
}

func (e *embedded) connect(ctx context.Context) (*link, error) {
	opts := &server.Options{
		ServerName:             "tiercel",
		DontListen:             true,
		NoSigs:                 true,
		NoSystemAccount:        false,
		DisableJetStreamBanner: true,
		JetStream:              true,
		StoreDir:               e.cfg.Dir,
		MaxPayload:             largestMessage,
		MaxPending:             4 * largestMessage,
		JetStreamMaxMemory:     int64(e.cfg.MaxSize + e.cfg.DeadLetters.MaxSize + 64*size.MiB),
		JetStreamMaxStore:      int64(e.cfg.MaxSize + e.cfg.DeadLetters.MaxSize + 64*size.MiB),
		// Nobody else connects, so a slow answer comes from the disk alone and is no reason to hang up.
		WriteDeadline: time.Minute,
		PingInterval:  time.Hour,
	}
	switch e.cfg.Sync {
	case SyncAlways:
		opts.SyncAlways = true
		opts.SyncInterval = 2 * time.Minute
	case SyncInterval:
		opts.SyncInterval = e.cfg.SyncInterval
	case SyncNone:
		// The library knows no "never". A day is never, for a journal whose blocks live for minutes.
		opts.SyncInterval = 24 * time.Hour
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("preparing the embedded NATS server: %w", err)
	}
	srv.SetLoggerV2(&serverLog{e.log}, false, false, false)
	go srv.Start() // returns at once where nothing is listened on
	if !srv.ReadyForConnections(time.Minute) {
		srv.Shutdown()
		return nil, errors.New("the embedded NATS server did not start within a minute")
	}
	if !srv.JetStreamEnabled() {
		srv.Shutdown()
		srv.WaitForShutdown()
		return nil, fmt.Errorf("the embedded NATS server could not open its store in %s", e.cfg.Dir)
	}
	nc, err := nats.Connect("", append(clientOptions(e.log), nats.InProcessServer(srv), nats.NoReconnect())...)
	if err != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
		return nil, fmt.Errorf("connecting to the embedded NATS server: %w", err)
	}
	l, err := newLink(ctx, nc, srv)
	if err != nil {
		return nil, err
	}
	if e.socket == nil {
		if e.socket, err = listenSocket(e.cfg.Dir); err != nil {
			return nil, errors.Join(err, l.close())
		}
	}
	e.socket.serve(srv.InProcessConn)
	return l, nil
}

func (e *embedded) close() error {
	var errs []error
	if e.socket != nil {
		errs = append(errs, e.socket.close())
	}
	return errors.Join(append(errs, e.lock.Close())...)
}

// external is an existing cluster.
type external struct{ cfg Config }

func (e external) connect(ctx context.Context) (*link, error) {
	opts := append(clientOptions(slog.New(slog.DiscardHandler)),
		nats.MaxReconnects(-1), nats.ReconnectWait(500*time.Millisecond), nats.ReconnectJitter(200*time.Millisecond, time.Second),
		// Nothing is written while no server is reached: the journal must not say "safe" of what waits in memory.
		nats.ReconnectBufSize(-1))
	if e.cfg.Credentials != "" {
		opts = append(opts, nats.UserCredentials(e.cfg.Credentials))
	}
	if e.cfg.User != "" {
		opts = append(opts, nats.UserInfo(e.cfg.User, e.cfg.Password.Reveal()))
	}
	if !e.cfg.Token.IsZero() {
		opts = append(opts, nats.Token(e.cfg.Token.Reveal()))
	}
	if e.cfg.TLS.CACertFile != "" {
		opts = append(opts, nats.RootCAs(e.cfg.TLS.CACertFile))
	}
	if e.cfg.TLS.CertFile != "" {
		opts = append(opts, nats.ClientCert(e.cfg.TLS.CertFile, e.cfg.TLS.KeyFile))
	}
	nc, err := nats.Connect(e.cfg.URL, opts...)
	if err != nil {
		return nil, fmt.Errorf("connecting to NATS at %s: %w", redactURL(e.cfg.URL), err)
	}
	return newLink(ctx, nc, nil)
}

func (external) close() error { return nil }

// attached is the embedded server of another process, reached through its socket.
type attached struct{ socket string }

func (a attached) connect(ctx context.Context) (*link, error) {
	nc, err := nats.Connect("", append(clientOptions(slog.New(slog.DiscardHandler)), nats.SetCustomDialer(a), nats.NoReconnect())...)
	if err != nil {
		return nil, fmt.Errorf("connecting to the running Tiercel through %s: %w", a.socket, err)
	}
	return newLink(ctx, nc, nil)
}

func (attached) close() error { return nil }

// Dial connects to the socket, whatever address the client asks for.
func (a attached) Dial(string, string) (net.Conn, error) { return net.Dial("unix", a.socket) } //nolint:noctx // the client asks without one

func clientOptions(log *slog.Logger) []nats.Option {
	return []nats.Option{
		nats.Name("tiercel"),
		nats.NoEcho(),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			log.Warn("the journal's connection reports an error", "error", err)
		}),
	}
}

// folder says where the embedded journal lives.
func folder(cfg Config) (string, error) {
	if cfg.Dir != "" {
		return filepath.Abs(cfg.Dir)
	}
	if state := os.Getenv("STATE_DIRECTORY"); state != "" { // set by systemd
		return filepath.Join(state, "journal"), nil
	}
	const system = "/var/lib/tiercel"
	if err := os.MkdirAll(system, 0o700); err == nil {
		if probe, err := os.CreateTemp(system, ".writable"); err == nil {
			_ = probe.Close()
			_ = os.Remove(probe.Name())
			return filepath.Join(system, "journal"), nil
		}
	}
	if state := os.Getenv("XDG_STATE_HOME"); state != "" {
		return filepath.Join(state, "tiercel", "journal"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no folder for the journal: %s cannot be written and %w; set journal.dir", system, err)
	}
	return filepath.Join(home, ".local", "state", "tiercel", "journal"), nil
}

// serverLog hands the server's log lines to slog. What it calls a notice is of interest only when debugging.
type serverLog struct{ log *slog.Logger }

func (l *serverLog) line(level slog.Level, format string, args []any) {
	if strings.HasPrefix(format, "Maximum payloads over") {
		return // it is meant for clients on a network
	}
	if l.log.Enabled(context.Background(), level) {
		l.log.Log(context.Background(), level, "embedded NATS server", "text", fmt.Sprintf(format, args...))
	}
}

func (l *serverLog) Noticef(format string, args ...any) { l.line(slog.LevelDebug, format, args) }
func (l *serverLog) Warnf(format string, args ...any)   { l.line(slog.LevelWarn, format, args) }
func (l *serverLog) Fatalf(format string, args ...any)  { l.line(slog.LevelError, format, args) }
func (l *serverLog) Errorf(format string, args ...any)  { l.line(slog.LevelError, format, args) }
func (l *serverLog) Debugf(format string, args ...any)  { l.line(slog.LevelDebug, format, args) }
func (l *serverLog) Tracef(format string, args ...any)  { l.line(slog.LevelDebug, format, args) }
