package grpcsource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/falcogrpc"
	"github.com/tiercel/tiercel/pkg/falcogrpc/outputspb"
	"github.com/tiercel/tiercel/pkg/source"
)

const (
	// queued is how many alerts may be on their way to the journal; while there are more, nothing is read.
	queued = 512
	// maxMessage bounds an alert, in bytes.
	maxMessage = 4 << 20
	// settled is how long a stream must stand without an error to count as up: Falco says nothing before its first
	// alert.
	settled = 2 * time.Second
	// goodbye is how long the other side has to send what is on its way when the source stops.
	goodbye = 2 * time.Second
	// lingering is how long the journal has to take what was received before the source stopped.
	lingering = 10 * time.Second
	// connectTimeout bounds the making of a connection.
	connectTimeout = 20 * time.Second
)

// Source subscribes to one Falco.
type Source struct {
	cfg     Config
	address string // as in the config
	door    *source.Door
	health  *source.Health
	earlier window // what earlier connections gave
}

// New makes the source of one of cfg's addresses. It connects to nothing yet. cfg must be valid.
func New(cfg Config, address string, door *source.Door, health *source.Health) *Source {
	return &Source{cfg: cfg, address: address, door: door, health: health}
}

// Run takes alerts over one connection until it or ctx ends. When ctx ends, what the other side has sent by then is
// still taken: Falco keeps no alert that it has sent.
func (s *Source) Run(ctx context.Context, put source.Put) error {
	conn, err := s.connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	late, cancel := source.Linger(ctx, lingering)
	defer cancel()
	// The stream outlives ctx by the goodbye.
	streaming, stop := source.Linger(ctx, goodbye)
	defer stop()
	if s.cfg.Subscriber != "" {
		streaming = metadata.AppendToOutgoingContext(streaming, falcogrpc.SubscriberKey, s.cfg.Subscriber, falcogrpc.AcknowledgeKey, "true")
	}
	stream, err := outputspb.NewServiceClient(conn).Sub(streaming)
	if err != nil {
		return s.explain(err)
	}
	var taken atomic.Uint64
	alerts := make(chan *alert.Alert, queued)
	ended := make(chan error, 1)
	reading := &reader{Source: s, stream: stream, taken: &taken}
	go func() {
		defer close(alerts)
		ended <- reading.run(late, alerts)
	}()
	asking, quiet := context.WithCancel(ctx)
	defer quiet()
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		s.ask(asking, stream, &taken)
	}()
	up := time.AfterFunc(settled, func() {
		if stream.Context().Err() == nil {
			s.health.Up()
		}
	})
	defer up.Stop()
	err = s.door.Pump(late, put, alerts, func(n int) { taken.Add(uint64(n)) }) //nolint:gosec // a count
	up.Stop()
	quiet()
	stop()
	<-asked
	s.earlier.turn()
	if err != nil {
		return err
	}
	return s.explain(<-ended)
}

// connect prepares a connection; it is made with the first call.
func (s *Source) connect() (*grpc.ClientConn, error) {
	address, isTCP, err := parse(s.address)
	if err != nil {
		return nil, err
	}
	target, secure := "unix://"+address, insecure.NewCredentials()
	if isTCP {
		config, err := s.cfg.certificates().Config()
		if err != nil {
			return nil, err
		}
		target, secure = "dns:///"+address, credentials.NewTLS(config)
	} else if info, err := os.Stat(address); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no socket %s: is Falco (up to 0.43) running, with grpc.enabled and grpc_output.enabled, and is its folder seen here?", address)
	} else if err == nil && info.Mode().Type() != fs.ModeSocket {
		return nil, fmt.Errorf("%s is no socket", address)
	}
	return grpc.NewClient(target,
		grpc.WithTransportCredentials(secure),
		grpc.WithDisableServiceConfig(),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: connectTimeout}),
		grpc.WithContextDialer(dialer),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(falcogrpc.Codec()), grpc.MaxCallRecvMsgSize(maxMessage)),
	)
}

// ask repeats the request until ctx ends: Falco gives what it has after each. Then it says that it wants no more.
func (s *Source) ask(ctx context.Context, stream grpc.BidiStreamingClient[outputspb.Request, outputspb.Response], taken *atomic.Uint64) {
	tick := time.NewTicker(s.cfg.Interval)
	defer tick.Stop()
	for {
		if stream.Send(&outputspb.Request{Taken: taken.Load()}) != nil {
			return // whoever receives learns why
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			_ = stream.Send(&outputspb.Request{Taken: taken.Load()})
			_ = stream.CloseSend()
			return
		}
	}
}

// reader reads one stream.
type reader struct {
	*Source

	stream grpc.ClientStream
	taken  *atomic.Uint64
}

// run reads alerts until the stream ends, or ctx.
func (r *reader) run(ctx context.Context, alerts chan<- *alert.Alert) error {
	for {
		var raw falcogrpc.Raw
		if err := r.stream.RecvMsg(&raw); err != nil {
			return err
		}
		r.health.Up()
		a, err := falcogrpc.Decode(raw.Bytes, time.Now())
		if err != nil {
			r.door.Refuse(r.address, raw.Bytes, "", err)
			r.taken.Add(1)
			continue
		}
		if r.earlier.has(a) {
			r.taken.Add(1)
			continue
		}
		select {
		case alerts <- a:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// explain says what can be done about an error.
func (s *Source) explain(err error) error {
	text := status.Convert(err).Message()
	_, isTCP, _ := parse(s.address)
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return errors.New("the other side ended the stream: it stops, perhaps")
	case status.Code(err) == codes.Unimplemented:
		return fmt.Errorf("%s knows no gRPC output: expected Falco up to 0.43, or Tiercel: %s", s.address, text)
	case strings.Contains(text, "failed to verify certificate"):
		return fmt.Errorf("the certificate of %s is not trusted, check inputs.grpc.cacertfile (%s): %s", s.address, s.cfg.CACertFile, text)
	case strings.Contains(text, "remote error: tls"):
		return fmt.Errorf("%s does not trust our certificate, check inputs.grpc.certfile (%s): %s", s.address, s.cfg.CertFile, text)
	case isTCP && s.health.State().Err != nil && containsAny(text, "broken pipe", "connection reset", "reading server preface"):
		// With TLS 1.3 the client has shaken hands before the server looks at its certificate.
		return fmt.Errorf("%s ended the connection at once: does it trust our certificate, inputs.grpc.certfile (%s)? %s", s.address, s.cfg.CertFile, text)
	case strings.Contains(text, "first record does not look like a TLS handshake"):
		return fmt.Errorf("%s speaks no TLS: %s", s.address, text)
	case strings.Contains(text, "permission denied"):
		return fmt.Errorf("this user may not connect to %s: %s", s.address, text)
	}
	return fmt.Errorf("%s: %s", s.address, text)
}

func containsAny(text string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(text, part) })
}
