package falcogrpc

import (
	"context"
	"errors"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/tiercel/tiercel/pkg/falcogrpc/outputspb"
)

// Keys of a call's metadata.
const (
	// SubscriberKey asks for a place of its own in the journal, by a name of letters, digits, - and _, at most 64. The
	// stream then begins where that subscriber stopped, and nothing is left out.
	SubscriberKey = "tiercel-subscriber"
	// AcknowledgeKey, with any value, says that the subscriber counts what it has taken (request.taken). What it did
	// not count comes again. Without it an alert counts as taken once it is on its way.
	AcknowledgeKey = "tiercel-acknowledge"
)

var subscriberName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// givingBack is how long the end of a stream waits for its place in the journal to be given back.
const givingBack = time.Second

// together is how many alerts a subscriber is given at once.
const together = 128

// Sub gives a subscriber alerts until one of both ends it.
func (s *Server) Sub(stream grpc.BidiStreamingServer[outputspb.Request, outputspb.Response]) error {
	name, counts, err := wishes(stream.Context())
	if err != nil {
		return err
	}
	s.metrics.subscribers.Inc()
	defer s.metrics.subscribers.Dec()
	// It reads from the stream until the other side says no more, or the server stops.
	asking, stop := context.WithCancel(stream.Context())
	defer stop()
	defer context.AfterFunc(s.living, stop)()
	requests := listen(stream, stop)
	if name != "" {
		err = s.resume(asking, stream, name, counts, requests)
	} else {
		reader := s.recent.follow()
		defer s.recent.leave(reader)
		if err := stream.SendHeader(nil); err != nil { // so that it is known at once that the stream is there
			return err
		}
		err = s.send(asking, stream, reader)
	}
	return s.verdict(stream.Context(), err)
}

// Get gives what waits: of the last alerts those that no get had before. Then it ends.
func (s *Server) Get(_ *outputspb.Request, stream grpc.ServerStreamingServer[outputspb.Response]) error {
	s.metrics.subscribers.Inc()
	defer s.metrics.subscribers.Dec()
	reader := s.recent.rest()
	defer s.recent.leave(reader)
	return s.verdict(stream.Context(), s.send(stream.Context(), stream, reader))
}

// wishes reads what a subscriber asks for.
func wishes(ctx context.Context) (name string, counts bool, err error) {
	given, _ := metadata.FromIncomingContext(ctx)
	names := given.Get(SubscriberKey)
	if len(names) == 0 {
		return "", false, nil
	}
	if len(names) > 1 || !subscriberName.MatchString(names[0]) {
		return "", false, status.Errorf(codes.InvalidArgument, "%s: expected one name of letters, digits, - and _, at most 64", SubscriberKey)
	}
	return names[0], len(given.Get(AcknowledgeKey)) > 0, nil
}

// verdict is what a subscriber is told when its stream ends.
func (s *Server) verdict(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, errTooSlow):
		s.metrics.cut.Inc()
		s.deps.Log.Warn("a subscriber is too slow and cut", "remote", remote(ctx), "buffer", s.cfg.Buffer.String())
		return status.Errorf(codes.ResourceExhausted, "further behind than %s of alerts: read faster, or ask for a place in the journal with %s",
			s.cfg.Buffer, SubscriberKey)
	case errors.Is(err, errOther):
		return status.Error(codes.Aborted, "another connection with this name took over")
	case ctx.Err() != nil:
		return status.FromContextError(ctx.Err()).Err()
	case s.living.Err() != nil:
		return status.Error(codes.Unavailable, "Tiercel is stopping: connect again")
	case errors.Is(err, errAll), errors.Is(err, context.Canceled):
		return nil
	}
	return err
}

func remote(ctx context.Context) string {
	if p, ok := peer.FromContext(ctx); ok {
		return p.Addr.String()
	}
	return ""
}

// send gives a reader's alerts as they come, until that was all.
//
// Sending waits for as long as the subscriber reads nothing, so it is done aside: returning from here ends the wait of
// one that is too slow.
func (s *Server) send(ctx context.Context, stream grpc.ServerStream, reader *reader) error {
	ended := make(chan error, 1)
	go func() {
		batch := make([]*entry, 0, together)
		for {
			var err error
			if batch, err = s.recent.read(ctx, reader, batch[:0], together); err != nil {
				ended <- err
				return
			}
			for _, e := range batch {
				if err := stream.SendMsg(e.message()); err != nil {
					ended <- err
					return
				}
			}
			s.metrics.sent.Add(float64(len(batch)))
			clear(batch)
		}
	}()
	select {
	case err := <-ended:
		return err
	case <-reader.slow:
		return errTooSlow
	}
}

// resume gives what waits in a subscriber's place in the journal, and what comes after it.
func (s *Server) resume(ctx context.Context, stream grpc.ServerStream, name string, counts bool, requests *requests) error {
	ctx, done, err := s.holders.take(ctx, name)
	if err != nil {
		return err
	}
	place, err := s.deps.Place(ctx, name)
	if err != nil {
		done()
		return status.Errorf(codes.Unavailable, "the place of %s in the journal: %v", name, err)
	}
	s.metrics.resumed.Inc()
	ended := make(chan error, 1)
	go func() { // aside, as in send
		err := s.pump(ctx, stream, place, counts, requests)
		place.Close()
		done()
		ended <- err
	}()
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = ctx.Err()
		// A subscriber that sees the end of its stream should find its place given back: what comes in meanwhile would be
		// on its way to nobody. One that reads nothing more may hold up pump, but not this call.
		select {
		case <-ended: //nolint:errcheck // why it ended is known
		case <-time.After(givingBack):
		}
	}
	if cause := context.Cause(ctx); errors.Is(cause, errOther) {
		return errOther
	}
	return err
}

// pump sends what is in a place until ctx ends, and marks what the subscriber has taken.
func (s *Server) pump(ctx context.Context, stream grpc.ServerStream, place Place, counts bool, requests *requests) error {
	var sent atomic.Uint64
	var settling sync.WaitGroup
	defer settling.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	settling.Go(func() { requests.settle(ctx, &sent, place) })
	if err := stream.SendHeader(nil); err != nil { // so that it is known at once that the stream is there
		return err
	}
	for {
		alerts, err := place.Next(ctx)
		if err != nil {
			return err
		}
		for _, a := range alerts {
			if counts {
				sent.Add(1) // first: the answer may be here before SendMsg comes back
			}
			if err := stream.SendMsg(&Raw{Append(make([]byte, 0, a.RecordSize()), a)}); err != nil {
				return err
			}
			s.metrics.sent.Inc()
			if !counts {
				place.Done(1)
			}
		}
	}
}

// requests are what a subscriber says after its first word.
type requests struct {
	taken atomic.Uint64
	news  chan struct{} // capacity 1: taken has grown
}

// listen reads a subscriber's requests until it says no more or the stream ends; then it calls end.
func listen(stream grpc.BidiStreamingServer[outputspb.Request, outputspb.Response], end func()) *requests {
	r := &requests{news: make(chan struct{}, 1)}
	go func() {
		defer end()
		for {
			request, err := stream.Recv()
			if err != nil {
				return
			}
			if taken := request.GetTaken(); taken > r.taken.Load() {
				r.taken.Store(taken)
				select {
				case r.news <- struct{}{}:
				default:
				}
			}
		}
	}()
	return r
}

// settle marks in a place what the subscriber counts as taken, until ctx ends. What was not sent it cannot count.
func (r *requests) settle(ctx context.Context, sent *atomic.Uint64, place Place) {
	settled := uint64(0)
	mark := func() {
		if taken := min(r.taken.Load(), sent.Load()); taken > settled {
			place.Done(int(taken - settled)) //nolint:gosec // at most what was sent in this stream
			settled = taken
		}
	}
	for {
		select {
		case <-r.news:
			mark()
		case <-ctx.Done():
			mark()
			return
		}
	}
}

// holders are the streams that hold a place in the journal, by the subscriber's name. The one that comes last counts:
// a subscriber that connects again is often sooner here than the end of its old connection.
type holders struct {
	mu   sync.Mutex
	held map[string]*holder
}

type holder struct {
	cancel context.CancelCauseFunc
	gone   chan struct{}
}

var errOther = errors.New("another connection took over")

// take ends the stream that holds a name, if there is one, and gives the name to the caller's until done.
func (h *holders) take(ctx context.Context, name string) (_ context.Context, done func(), err error) {
	for {
		h.mu.Lock()
		before := h.held[name]
		if before == nil {
			break
		}
		h.mu.Unlock()
		before.cancel(errOther)
		select {
		case <-before.gone:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
	defer h.mu.Unlock()
	holding, cancel := context.WithCancelCause(ctx)
	own := &holder{cancel, make(chan struct{})}
	h.held[name] = own
	return holding, func() {
		cancel(nil)
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.held, name)
		close(own.gone)
	}, nil
}
