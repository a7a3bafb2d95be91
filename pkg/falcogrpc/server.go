package falcogrpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/falcogrpc/outputspb"
	"github.com/tiercel/tiercel/pkg/falcogrpc/versionpb"
)

// Deps is what a [Server] needs from the rest of the process. All must be set.
type Deps struct {
	Log     *slog.Logger
	Metrics prometheus.Registerer
	Version string // of this program
	Engine  string // version of the rules engine, "0.62.0" for example
	// Place opens the place in the journal that a subscriber of this name has, or makes it.
	Place func(ctx context.Context, subscriber string) (Place, error)
}

// A Place is where a subscriber stopped: alerts wait there for it. Next and Done may be called from one goroutine each.
type Place interface {
	// Next waits for alerts and gives those that are there, in order. It returns ctx's error when ctx ends first.
	Next(ctx context.Context) ([]*alert.Alert, error)
	// Done says that the first n alerts that Next gave and that are not done are with the subscriber for good.
	Done(n int)
	// Close ends the use of the place, which stays. What is not done comes again.
	Close()
}

// Limits on what strangers can make the server hold.
const (
	maxConnections = 256
	maxStreams     = 16 // of one connection
	maxRequest     = 64 << 10
)

// stopTime is how long subscribers have to take what was accepted before the server stops.
const stopTime = 2 * time.Second

// Server gives alerts to subscribers. It listens from [New] on and answers while [Server.Run] runs.
type Server struct {
	outputspb.UnimplementedServiceServer

	cfg       Config
	deps      Deps
	metrics   *metrics
	grpc      *grpc.Server
	listeners []net.Listener
	recent    *recent
	holders   holders
	living    context.Context //nolint:containedctx // ends when the server stops; streams wait on it
	end       context.CancelFunc
}

// New listens, so that an address in use or a bad certificate is known at once. cfg must be valid. A Server that does
// not get to run must be closed.
func New(ctx context.Context, cfg Config, deps Deps) (*Server, error) {
	s := &Server{
		cfg: cfg, deps: deps, metrics: newMetrics(deps.Metrics),
		recent: newRecent(int(cfg.Buffer)), holders: holders{held: map[string]*holder{}},
	}
	s.living, s.end = context.WithCancel(context.WithoutCancel(ctx))
	s.grpc = grpc.NewServer(
		grpc.ForceServerCodecV2(Codec()),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxRecvMsgSize(maxRequest),
		grpc.WriteBufferSize(64<<10),
		grpc.ConnectionTimeout(20*time.Second),
		// Falco's clients ask at any pace; a connection whose other side is gone is found by asking it.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 20 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	)
	outputspb.RegisterServiceServer(s.grpc, s)
	versionpb.RegisterServiceServer(s.grpc, version{program: deps.Version, engine: deps.Engine})
	if err := s.openAll(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) openAll(ctx context.Context) error {
	files := s.cfg.certificates()
	for _, address := range s.cfg.Listen {
		secure, err := files.Config(s.deps.Log, "h2")
		if err != nil && !strings.HasPrefix(address, "unix:") {
			return fmt.Errorf("grpc.listen: %s: %w", address, err)
		}
		listener, err := s.listen(ctx, address, secure)
		if err != nil {
			return err
		}
		s.listeners = append(s.listeners, &limited{Listener: listener, slots: make(chan struct{}, maxConnections), closed: make(chan struct{})})
	}
	return nil
}

// Addrs gives the addresses that are listened on, in the order of the config.
func (s *Server) Addrs() []net.Addr {
	addrs := make([]net.Addr, len(s.listeners))
	for i, l := range s.listeners {
		addrs[i] = l.Addr()
	}
	return addrs
}

// Publish gives an alert to the subscribers that are connected. It never waits.
func (s *Server) Publish(a *alert.Alert) { s.recent.add(a) }

// Run answers subscribers until ctx ends; those that keep up get what was published until then, and are told to come
// again. It returns an error when a listener fails. Call it once.
func (s *Server) Run(ctx context.Context) error {
	ended := make(chan error, len(s.listeners))
	for _, l := range s.listeners {
		go func() {
			err := s.grpc.Serve(l)
			if errors.Is(err, grpc.ErrServerStopped) {
				err = nil
			}
			ended <- err
		}()
	}
	var err error
	running := len(s.listeners)
	select {
	case <-ctx.Done():
	case err = <-ended:
		running--
	}
	s.end()
	hard := time.AfterFunc(stopTime, s.grpc.Stop)
	s.grpc.GracefulStop()
	hard.Stop()
	for range running {
		err = errors.Join(err, <-ended)
	}
	return err
}

// Close stops listening and cuts every connection. A Server that has run needs it not.
func (s *Server) Close() error {
	s.end()
	s.grpc.Stop()
	var errs []error
	for _, l := range s.listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// limited is a listener with at most so many connections at once; further ones wait.
type limited struct {
	net.Listener

	slots  chan struct{}
	once   sync.Once
	closed chan struct{}
}

func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &slotted{Conn: conn, give: sync.OnceFunc(func() { <-l.slots })}, nil
}

func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// slotted is a connection that gives its slot back.
type slotted struct {
	net.Conn

	give func()
}

func (s *slotted) Close() error {
	defer s.give()
	return s.Conn.Close()
}

// version answers for the version service.
type version struct {
	versionpb.UnimplementedServiceServer

	program, engine string
}

func (v version) Version(context.Context, *versionpb.Request) (*versionpb.Response, error) {
	answer := &versionpb.Response{Version: v.program, EngineVersion: v.engine}
	answer.Major, answer.Minor, answer.Patch, answer.Prerelease, answer.Build = semantic(v.program)
	answer.EngineMajor, answer.EngineMinor, answer.EnginePatch, _, _ = semantic(v.engine)
	return answer, nil
}

// semantic reads a semantic version; what is none is zero.
func semantic(text string) (major, minor, patch uint32, prerelease, build string) {
	text, build, _ = strings.Cut(strings.TrimPrefix(text, "v"), "+")
	text, prerelease, _ = strings.Cut(text, "-")
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return 0, 0, 0, "", ""
	}
	var numbers [3]uint32
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return 0, 0, 0, "", ""
		}
		numbers[i] = uint32(n)
	}
	return numbers[0], numbers[1], numbers[2], prerelease, build
}
