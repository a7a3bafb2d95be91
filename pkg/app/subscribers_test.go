package app_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/falcogrpc"
	"github.com/tiercel/tiercel/pkg/falcogrpc/outputspb"
)

// subscriber is a client that is generated from the .proto files.
type subscriber struct {
	t    *testing.T
	conn *grpc.ClientConn
	sub  grpc.BidiStreamingClient[outputspb.Request, outputspb.Response]
}

func subscribe(t *testing.T, socket string, pairs ...string) *subscriber {
	t.Helper()
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(t.Context(), pairs...))
	t.Cleanup(cancel)
	sub, err := outputspb.NewServiceClient(conn).Sub(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sub.Header(); err != nil {
		t.Fatal(err)
	}
	return &subscriber{t, conn, sub}
}

// take reads so many alerts and gives their rules.
func (s *subscriber) take(n int) []string {
	s.t.Helper()
	var rules []string
	for range n {
		got, err := s.sub.Recv()
		if err != nil {
			s.t.Fatalf("after %v: %v", rules, err)
		}
		rules = append(rules, got.GetRule())
	}
	return rules
}

func (s *subscriber) expect(rules ...string) {
	s.t.Helper()
	if got := s.take(len(rules)); !slices.Equal(got, rules) {
		s.t.Errorf("the subscriber got %v, expected %v", got, rules)
	}
}

// A subscriber of its own place gets what came while it was away, through a restart of Tiercel too; one without gets
// what comes from now on. Neither is an output: nothing of theirs is wound up or becomes a dead letter.
func TestSubscribers(t *testing.T) {
	noLeaks(t)
	dir, socket := t.TempDir(), filepath.Join(t.TempDir(), "grpc.sock")
	p := &place{}
	cfg := load(t, dir, []outputs.Spec{p.spec("one")}, "one: {enabled: true}", "grpc: {listen: ['unix://"+socket+"']}")
	r := start(t, cfg)
	own := []string{falcogrpc.SubscriberKey, "hub", falcogrpc.AcknowledgeKey, "true"}

	hub, live := subscribe(t, socket, own...), subscribe(t, socket)
	r.post("A", "B", "C")
	hub.expect("A", "B", "C")
	live.expect("A", "B", "C")
	if err := hub.sub.Send(&outputspb.Request{Taken: 2}); err != nil { // C was on its way when the connection broke
		t.Fatal(err)
	}
	hub.leave()
	r.post("D")
	live.expect("D")
	hub = subscribe(t, socket, own...)
	// What was not counted comes again, as far as its whole pack goes, beside what is new.
	var got []string
	for !slices.Contains(got, "C") || !slices.Contains(got, "D") {
		got = append(got, hub.take(1)...)
	}
	if err := hub.sub.Send(&outputspb.Request{Taken: uint64(len(got))}); err != nil {
		t.Fatal(err)
	}
	hub.leave()
	r.post("E")
	r.end()

	r = start(t, cfg)
	r.post("F")
	hub = subscribe(t, socket, own...)
	hub.expect("E", "F")
	hub.leave()
	r.end()
	if letters := deadLetters(t, cfg); len(letters) != 0 {
		t.Errorf("dead letters: %v", letters)
	}
}

// leave ends the stream, which takes with it what was counted until then.
func (s *subscriber) leave() {
	s.t.Helper()
	if err := s.sub.CloseSend(); err != nil {
		s.t.Fatal(err)
	}
	for {
		if _, err := s.sub.Recv(); err != nil {
			break
		}
	}
	_ = s.conn.Close()
}

// As many may have a place as the config says.
func TestTooManySubscribers(t *testing.T) {
	noLeaks(t)
	socket := filepath.Join(t.TempDir(), "grpc.sock")
	p := &place{}
	cfg := load(t, t.TempDir(), []outputs.Spec{p.spec("one")}, "one: {enabled: true}", "grpc: {listen: ['unix://"+socket+"'], maxplaces: 1}")
	r := start(t, cfg)
	first := subscribe(t, socket, falcogrpc.SubscriberKey, "first")
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sub, err := outputspb.NewServiceClient(conn).Sub(metadata.AppendToOutgoingContext(t.Context(), falcogrpc.SubscriberKey, "second"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sub.Recv(); err == nil || !strings.Contains(err.Error(), "as many have a place") {
		t.Errorf("the second got %v", err)
	}
	r.post("A")
	first.expect("A")
	_ = first.conn.Close()
	r.end()
}
