// Package journal is where an accepted alert is written, once, and kept until every lane has it.
//
// It is a NATS JetStream stream: the server is embedded in the process by default, or an existing cluster by URL;
// the code above the connection is the same. Alerts that come in at the same time share one message, a pack, and so
// one fsync (group commit). Each lane is a durable consumer with explicit acks; the stream keeps a message while a
// lane that wants it has not acknowledged it.
//
//	Append ─▶ writer ─▶ pack ─▶ stream <prefix>-alerts ─┬─▶ Cursor "slack"   subjects of its priorities and up
//	                                                    └─▶ Cursor "loki"
//	                            stream <prefix>-dead       what could not be delivered
//	                            stream <prefix>-refused    the last bodies that were no alerts
//
// Delivery is at least once: after a crash the packs that were under way come again.
package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/pkg/alert"
)

// Errors of [Journal.Append].
var (
	// ErrTooLarge says that an alert is larger than one message of the stream may be.
	ErrTooLarge = errors.New("the alert is larger than the journal takes")
	// ErrFull says that there is no room, and that the policy is to refuse, or that only more serious alerts are left.
	ErrFull = errors.New("the journal is full")
	// ErrUnavailable says that the stream does not answer.
	ErrUnavailable = errors.New("the journal does not answer")
	// ErrClosed says that the journal was closed.
	ErrClosed = errors.New("the journal is closed")
)

// Journal keeps accepted alerts. Its methods may be called from many goroutines.
type Journal struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	engine  engine
	names   names
	writer  *writer
	recent  *recent // nil for a cluster
	refused chan Refused

	mu      sync.Mutex
	link    *link              // the connection in use
	next    chan struct{}      // closed when link is replaced
	err     error              // why there is no working connection
	cursors map[string]*Cursor // by their lanes

	guard   guard
	sweeper sweeper // for the embedded server

	discardLog discardLog // used by the writer alone
	stop       context.CancelFunc
	running    sync.WaitGroup
	closed     atomic.Bool
}

// Options are what a journal is given besides its config.
type Options struct {
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Open starts the embedded server, or connects to the cluster, and makes the streams where they are missing. ctx
// bounds the opening only. A journal folder that another process has open is an error.
func Open(ctx context.Context, cfg Config, opts Options) (*Journal, error) {
	dir, err := folder(cfg)
	if err != nil {
		return nil, err
	}
	cfg.Dir = dir
	var e engine
	if cfg.URL != "" {
		e = external{cfg}
	} else if e, err = newEmbedded(cfg, opts.Log); err != nil {
		return nil, err
	}
	return open(ctx, cfg, opts, e)
}

// Attach connects to the journal of a running Tiercel with the same config, or opens it where none runs. It is for
// commands that look into the journal beside the daemon.
func Attach(ctx context.Context, cfg Config, opts Options) (*Journal, error) {
	dir, err := folder(cfg)
	if err != nil {
		return nil, err
	}
	cfg.Dir = dir
	if cfg.URL == "" {
		if socket, ok := runningSocket(dir); ok {
			return open(ctx, cfg, opts, attached{socket})
		}
		if _, err := os.Stat(dir); err != nil {
			return nil, fmt.Errorf("there is no journal in %s, and no Tiercel runs on it: %w", dir, err)
		}
	}
	return Open(ctx, cfg, opts)
}

func open(ctx context.Context, cfg Config, opts Options, e engine) (*Journal, error) {
	j := &Journal{
		cfg:     cfg,
		log:     opts.Log,
		metrics: newMetrics(opts.Metrics),
		engine:  e,
		names:   names{cfg.Prefix},
		next:    make(chan struct{}),
		cursors: map[string]*Cursor{},
		guard:   guard{ask: freeSpace},
		refused: make(chan Refused, 16),
		sweeper: sweeper{lock: make(chan struct{}, 1)},
	}
	first, err := j.connect(ctx)
	if err != nil {
		return nil, errors.Join(err, e.close())
	}
	j.link = first
	odometer, err := first.odometer(ctx, j.names)
	if err != nil {
		return nil, errors.Join(err, first.close(), e.close())
	}
	j.writer = newWriter(j, odometer)
	if first.server != nil {
		j.recent = newRecent()
	}
	// The goroutines below live as long as the journal, not as long as the context that opened it.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	j.stop = stop
	j.running.Go(func() { j.writer.run(running) })
	j.running.Go(func() { j.keepRefused(running) })
	j.running.Go(func() { j.watch(running) })
	if first.server != nil {
		j.running.Go(func() { j.keepSwept(running) })
	}
	return j, nil
}

// Append writes alerts and returns once they are as safe as the config's sync asks for. On an error none, or, when
// the stream stopped answering in between, some of them may be in the journal; the sender must not be told that
// they are. While the journal is full or is started again it waits, for less than half a minute.
func (j *Journal) Append(ctx context.Context, alerts []*alert.Alert) error {
	if j.closed.Load() {
		return ErrClosed
	}
	return j.writer.append(ctx, alerts)
}

// Close stops writing, ends all cursors and stops the embedded server. Alerts that were accepted stay.
func (j *Journal) Close() error {
	if j.closed.Swap(true) {
		return nil
	}
	j.stop()
	j.running.Wait()
	j.mu.Lock()
	last := j.link
	j.link = nil
	j.err = ErrClosed
	j.mu.Unlock()
	var err error
	if last != nil {
		err = last.close()
	}
	return errors.Join(err, j.engine.close())
}

// Place says where the alerts are: a folder, "memory", or the addresses of a cluster, without credentials.
func (j *Journal) Place() string {
	switch {
	case j.cfg.URL != "":
		return redactURL(j.cfg.URL)
	case j.cfg.Storage == StorageMemory:
		return StorageMemory
	}
	return j.cfg.Dir
}

// Err returns why the journal cannot take alerts now, or nil.
func (j *Journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

// current returns the connection in use; it waits for one while there is none.
func (j *Journal) current(ctx context.Context) (*link, error) {
	for {
		j.mu.Lock()
		l, next, err := j.link, j.next, j.err
		j.mu.Unlock()
		if l != nil {
			return l, nil
		}
		if errors.Is(err, ErrClosed) {
			return nil, err
		}
		select {
		case <-next:
		case <-ctx.Done():
			return nil, errors.Join(ErrUnavailable, err, ctx.Err())
		}
	}
}

// replace drops the connection old, if it is still the one in use, because of why, and makes a new one in the
// background. JetStream refuses all writes after a failed one until it is started again.
func (j *Journal) replace(ctx context.Context, old *link, why error) {
	j.mu.Lock()
	if j.link != old || j.closed.Load() {
		j.mu.Unlock()
		return
	}
	j.link = nil
	j.err = why
	j.mu.Unlock()
	j.log.Error("the journal stopped answering and is started again", "error", why)
	j.metrics.restarts.Inc()
	j.running.Go(func() {
		if err := old.close(); err != nil {
			j.log.Warn("closing the journal's connection failed", "error", err)
		}
		for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
			l, err := j.reconnect(ctx)
			if err == nil {
				j.mu.Lock()
				j.link, j.err = l, nil
				close(j.next)
				j.next = make(chan struct{})
				j.mu.Unlock()
				j.log.Info("the journal works again")
				return
			}
			j.mu.Lock()
			j.err = err
			j.mu.Unlock()
			j.log.Error("starting the journal failed, trying again", "error", err, "pause", pause)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return
			}
		}
	})
}

// reconnect makes a connection on which every lane has its place, before anything is written: where the stream was
// lost the places are gone too, and a stream that nobody has a place in keeps nothing.
func (j *Journal) reconnect(ctx context.Context) (*link, error) {
	l, err := j.connect(ctx)
	if err != nil {
		return nil, err
	}
	j.mu.Lock()
	cursors := slices.Collect(maps.Values(j.cursors))
	j.mu.Unlock()
	for _, c := range cursors {
		err := patiently(ctx, func(ctx context.Context) error {
			_, err := l.alerts.Consumer(ctx, j.names.consumer(c.lane))
			if errors.Is(err, jetstream.ErrConsumerNotFound) {
				_, err = c.consumer(ctx, l)
			}
			return err
		})
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
	}
	return l, nil
}

// watch looks after the connection and keeps the gauges current.
func (j *Journal) watch(ctx context.Context) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	failures := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		j.mu.Lock()
		l := j.link
		j.mu.Unlock()
		if l == nil {
			continue
		}
		asking, cancel := context.WithTimeout(ctx, 5*time.Second)
		status, err := j.Status(asking)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			failures = 0
			j.metrics.set(status)
		default:
			// A single slow answer is no reason to restart: a busy disk may hold one up.
			if failures++; failures >= 3 || l.dead() {
				j.replace(ctx, l, fmt.Errorf("%w: %w", ErrUnavailable, err))
				failures = 0
			}
		}
	}
}
