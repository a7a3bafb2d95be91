package syslogsource

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/socket"
	"github.com/tiercel/tiercel/pkg/source"
)

const (
	queued         = 512     // alerts on their way to the journal
	maxConnections = 256     // at once; further ones wait
	receiveBuffer  = 4 << 20 // bytes of datagrams that the kernel keeps while we do not read, if it may
	datagram       = 256 << 10
	handshakeTime  = 20 * time.Second
	// goodbye is how long senders have, once ctx has ended, whose message is under way.
	goodbye = time.Second
	// lingering is how long the journal has to take what was received.
	lingering = 10 * time.Second
)

// Source receives syslog messages. It listens from [New] on.
type Source struct {
	cfg       Config
	log       *slog.Logger
	door      *source.Door
	listeners []net.Listener
	packets   []net.PacketConn
	sockets   []string // paths to remove

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// New listens, so that an address in use or a bad certificate is known at once. cfg must be valid. A Source that does
// not get to run must be closed.
func New(ctx context.Context, cfg Config, log *slog.Logger, door *source.Door) (*Source, error) {
	s := &Source{cfg: cfg, log: log, door: door, conns: map[net.Conn]struct{}{}}
	for _, text := range cfg.Listen {
		if err := s.listen(ctx, text); err != nil {
			return nil, errors.Join(fmt.Errorf("inputs.syslog.listen: %w", err), s.Close())
		}
	}
	return s, nil
}

func (s *Source) listen(ctx context.Context, text string) error {
	network, address, err := parse(text)
	if err != nil {
		return err
	}
	switch network {
	case "unix":
		mode, err := socket.Mode(s.cfg.SocketMode)
		if err != nil {
			return err
		}
		conn, err := socket.ListenPacket(ctx, address, mode)
		if err != nil {
			return err
		}
		s.packets, s.sockets = append(s.packets, conn), append(s.sockets, address)
		return nil
	case "udp":
		conn, err := new(net.ListenConfig).ListenPacket(ctx, "udp", address)
		if err != nil {
			return explain(text, err)
		}
		if udp, ok := conn.(*net.UDPConn); ok {
			_ = udp.SetReadBuffer(receiveBuffer) // the kernel gives what it may
		}
		s.packets = append(s.packets, conn)
		return nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return explain(text, err)
	}
	if network == "tls" {
		config, err := s.cfg.certificates().Config(s.log)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		listener = tls.NewListener(listener, config)
	}
	s.listeners = append(s.listeners, listener)
	return nil
}

func explain(address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is in use: stop the program that listens there, or choose another port: %w", address, err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s is not allowed for this user: choose a port above 1023: %w", address, err)
	}
	return fmt.Errorf("listen on %s: %w", address, err)
}

// Addrs gives the addresses that are listened on: those for datagrams first, each kind in the order of the config.
func (s *Source) Addrs() []net.Addr {
	var addrs []net.Addr
	for _, p := range s.packets {
		addrs = append(addrs, p.LocalAddr())
	}
	for _, l := range s.listeners {
		addrs = append(addrs, l.Addr())
	}
	return addrs
}

// Run takes messages until ctx ends, and those that were sent by then. It returns an error when a listener fails.
func (s *Source) Run(ctx context.Context, put source.Put) error {
	late, cancel := source.Linger(ctx, lingering)
	defer cancel()
	alerts := make(chan *alert.Alert, queued)
	give := func(a *alert.Alert) {
		select {
		case alerts <- a:
		case <-late.Done(): // nobody takes any more
		}
	}
	receiving, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var working sync.WaitGroup
	for _, p := range s.packets {
		working.Go(func() { stopOn(stop, s.datagrams(receiving, p, give)) })
	}
	for _, l := range s.listeners {
		working.Go(func() { stopOn(stop, s.connections(receiving, l, give)) })
	}
	go func() {
		<-receiving.Done()
		s.hush()
		working.Wait()
		close(alerts)
	}()
	err := s.door.Pump(late, put, alerts, func(int) {})
	stop(nil)
	if cause := context.Cause(receiving); ctx.Err() == nil && !errors.Is(cause, context.Canceled) {
		err = errors.Join(err, cause)
	}
	return errors.Join(err, s.Close())
}

func stopOn(stop context.CancelCauseFunc, err error) {
	if err != nil {
		stop(err)
	}
}

// hush ends the listening and gives those who are sending a moment.
func (s *Source) hush() {
	for _, l := range s.listeners {
		_ = l.Close()
	}
	for _, p := range s.packets {
		_ = p.SetReadDeadline(time.Now().Add(goodbye / 10))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		_ = conn.SetReadDeadline(time.Now().Add(goodbye))
	}
}

// Close stops listening. A Source that has run needs it not.
func (s *Source) Close() error {
	var errs []error
	for _, l := range s.listeners {
		errs = append(errs, ignoreClosed(l.Close()))
	}
	for _, p := range s.packets {
		errs = append(errs, ignoreClosed(p.Close()))
	}
	for _, path := range s.sockets {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	s.sockets = nil
	return errors.Join(errs...)
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// datagrams takes a message out of each datagram.
func (s *Source) datagrams(ctx context.Context, from net.PacketConn, give func(*alert.Alert)) error {
	buffer := make([]byte, datagram)
	for {
		n, sender, err := from.ReadFrom(buffer)
		if err != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // that is how it is ended
			}
			return fmt.Errorf("receive on %s: %w", from.LocalAddr(), err)
		}
		remote := from.LocalAddr().String()
		if sender != nil && sender.String() != "" {
			remote = sender.String()
		}
		s.message(buffer[:n], remote, give)
	}
}

// connections takes messages from those who connect.
func (s *Source) connections(ctx context.Context, l net.Listener, give func(*alert.Alert)) error {
	slots := make(chan struct{}, maxConnections)
	var serving sync.WaitGroup
	defer serving.Wait()
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("receive on %s: %w", l.Addr(), err)
		}
		serving.Go(func() {
			defer func() { <-slots }()
			s.connection(ctx, conn, give)
		})
	}
}

func (s *Source) connection(ctx context.Context, conn net.Conn, give func(*alert.Alert)) {
	defer conn.Close()
	if secure, ok := conn.(*tls.Conn); ok {
		shaking, cancel := context.WithTimeout(ctx, handshakeTime)
		err := secure.HandshakeContext(shaking)
		cancel()
		if err != nil {
			s.log.Warn("a sender's handshake failed", "remote", conn.RemoteAddr().String(), "error", err)
			return
		}
	}
	s.mu.Lock()
	s.conns[conn] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, conn)
	}()
	if ctx.Err() != nil {
		_ = conn.SetReadDeadline(time.Now().Add(goodbye))
	}
	remote := conn.RemoteAddr().String()
	frames := &framer{from: bufio.NewReaderSize(conn, 64<<10), most: int(s.cfg.MaxMessage)}
	for {
		message, err := frames.next()
		switch {
		case err == nil:
			s.message(message, remote, give)
		case errors.Is(err, errLong):
			s.door.Refuse(remote, message, source.TooLarge, fmt.Errorf("%w: expected at most %s (inputs.syslog.maxmessage)", err, s.cfg.MaxMessage))
		case errors.Is(err, errFrame), errors.Is(err, io.ErrUnexpectedEOF):
			s.door.Refuse(remote, message, source.BadFrame, err)
			return
		default:
			return
		}
	}
}

// message takes the alerts of a message.
func (s *Source) message(message []byte, remote string, give func(*alert.Alert)) {
	found, reason, err := alertsOf(message, time.Now())
	if err != nil {
		s.door.Refuse(remote, message, reason, err)
		return
	}
	for _, a := range found {
		give(a)
	}
}
