package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tiercel/tiercel/pkg/alert"
)

// An engine makes connections to JetStream.
type engine interface {
	// connect makes a connection; for the embedded engine it starts the server.
	connect(ctx context.Context) (*link, error)
	// close releases what outlives single connections.
	close() error
}

// link is one connection to JetStream, with the embedded server behind it where there is one.
type link struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	alerts jetstream.Stream
	buried jetstream.Stream // the dead letters
	server *server.Server   // nil for an external cluster
	gone   context.Context  //nolint:containedctx // ends with the link; cursors wait on it
	end    context.CancelFunc
}

func newLink(ctx context.Context, nc *nats.Conn, srv *server.Server) (*link, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	gone, end := context.WithCancel(context.WithoutCancel(ctx)) // ended by close
	return &link{nc: nc, js: js, server: srv, gone: gone, end: end}, nil
}

// close ends the connection and stops the server behind it. It may be called twice.
func (l *link) close() error { //nolint:unparam // as everything that is closed
	l.end()
	l.nc.Close()
	if l.server != nil {
		l.server.Shutdown()
		l.server.WaitForShutdown()
	}
	return nil
}

// dead reports whether the connection can never work again.
func (l *link) dead() bool {
	return l.nc.IsClosed() || l.server != nil && !l.server.JetStreamEnabled()
}

// names are the names of streams, subjects and consumers below one prefix.
type names struct{ prefix string }

func (n names) alertsStream() string              { return n.prefix + "-alerts" }
func (n names) deadStream() string                { return n.prefix + "-dead" }
func (n names) refusedStream() string             { return n.prefix + "-refused" }
func (n names) alerts(p alert.Priority) string    { return fmt.Sprintf("%s.alerts.%d", n.prefix, p) }
func (n names) allAlerts() string                 { return n.prefix + ".alerts.*" }
func (n names) retry(lane string) string          { return n.prefix + ".retry." + token(lane) }
func (n names) deadLetters(lane string) string    { return n.prefix + ".dead." + token(lane) }
func (n names) refused() string                   { return n.prefix + ".refused" }
func (n names) marksStream() string               { return n.prefix + "-served" }
func (n names) mark(lane string) string           { return n.prefix + ".served." + token(lane) }
func (n names) isRetry(subject string) bool       { return strings.HasPrefix(subject, n.prefix+".retry.") }
func (n names) consumer(lane string) string       { return token(lane) }
func (n names) laneOfConsumer(name string) string { return strings.ReplaceAll(name, "=", "/") }

// token makes a lane's name fit for a subject and a consumer, where / is not allowed.
func token(lane string) string { return strings.ReplaceAll(lane, "/", "=") }

// filters are the subjects that a lane reads: the packs that hold an alert of at least its priority, and its retries.
func (n names) filters(lane string, minimum alert.Priority) []string {
	subjects := []string{n.retry(lane)}
	for _, p := range alert.Priorities() {
		if p >= minimum {
			subjects = append(subjects, n.alerts(p))
		}
	}
	return subjects
}

// duplicatesWindow is for how long the stream knows a pack again that is published twice because the first answer
// did not come.
const duplicatesWindow = 30 * time.Second

// connect makes a connection and the streams.
func (j *Journal) connect(ctx context.Context) (*link, error) {
	l, err := j.engine.connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := patiently(ctx, func(ctx context.Context) error { return l.makeStreams(ctx, j.cfg, j.names) }); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func (l *link) makeStreams(ctx context.Context, cfg Config, n names) error {
	storage := jetstream.FileStorage
	if cfg.Storage == StorageMemory {
		storage = jetstream.MemoryStorage
	}
	retention := jetstream.LimitsPolicy // and sweep
	if cfg.URL != "" {
		retention = jetstream.InterestPolicy
	}
	var err error
	l.alerts, err = l.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:        n.alertsStream(),
		Description: "Tiercel: accepted alerts, until every output has them",
		Subjects:    []string{n.allAlerts(), n.prefix + ".retry.*"},
		Retention:   retention,
		Discard:     jetstream.DiscardNew, // the policy for a full journal is ours: makeRoom
		MaxBytes:    int64(cfg.MaxSize),
		MaxMsgs:     -1,
		Storage:     storage,
		Replicas:    cfg.Replicas,
		Duplicates:  duplicatesWindow,
		AllowDirect: true,
	})
	if err != nil {
		return fmt.Errorf("making the stream %s: %w", n.alertsStream(), err)
	}
	l.buried, err = l.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:        n.deadStream(),
		Description: "Tiercel: alerts that an output could not be given",
		Subjects:    []string{n.prefix + ".dead.*"},
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew, // so that what goes can be counted: makeRoomForDead
		MaxBytes:    int64(cfg.DeadLetters.MaxSize),
		MaxAge:      cfg.DeadLetters.MaxAge,
		Storage:     storage,
		Replicas:    cfg.Replicas,
		Duplicates:  min(duplicatesWindow, positive(cfg.DeadLetters.MaxAge)),
	})
	if err != nil {
		return fmt.Errorf("making the stream %s: %w", n.deadStream(), err)
	}
	_, err = l.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:        n.refusedStream(),
		Description: "Tiercel: the last bodies that were refused",
		Subjects:    []string{n.refused()},
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardOld,
		MaxMsgs:     refusedKept,
		MaxBytes:    refusedKept * (refusedBody + 4096),
		Storage:     storage,
		Replicas:    cfg.Replicas,
	})
	if err != nil {
		return fmt.Errorf("making the stream %s: %w", n.refusedStream(), err)
	}
	if cfg.URL != "" {
		return l.makeMarks(ctx, cfg, n, storage)
	}
	return nil
}

func positive(d time.Duration) time.Duration {
	if d <= 0 {
		return duplicatesWindow
	}
	return d
}

// odometer returns the counts that the last pack in the stream ends with; see [packHeader].
func (l *link) odometer(ctx context.Context, n names) (odometer, error) {
	var last *jetstream.RawStreamMsg
	err := patiently(ctx, func(ctx context.Context) (err error) {
		last, err = l.alerts.GetLastMsgForSubject(ctx, n.allAlerts())
		return err
	})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return odometer{}, nil
	}
	if err != nil {
		return odometer{}, fmt.Errorf("reading the last pack: %w", err)
	}
	p, err := parsePack(last.Data)
	if err != nil {
		return odometer{}, nil //nolint:nilerr // a damaged pack costs an exact lag, not the start
	}
	return p.after, nil
}
