// Package syslog sends alerts to a syslog collector, in the format of RFC 5424, over UDP (RFC 5426), TCP (RFC 6587) or
// TLS (RFC 5425).
package syslog

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/size"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// Spec is the output.
var Spec = outputs.Define(outputs.Spec{
	Name:     "syslog",
	Title:    "Syslog",
	Category: "logs",
	About:    "Sends alerts to a syslog collector over UDP, TCP or TLS, as JSON or CEF.",
	Batch:    outputs.Batch{Max: 256, Bytes: size.MiB},
}, Defaults, New)

// maxDatagram is what fits into one UDP datagram over IPv4, in bytes.
const maxDatagram = 65_507

// Output is one collector.
type Output struct {
	config  Config
	address string
	tls     *tls.Config // nil without TLS
	form    form
	conn    *connection // nil before the first message, and after an error
}

// New makes the output. It connects to nothing yet.
func New(env outputs.Env, c Config) (outputs.Output, error) {
	o := &Output{config: c, address: net.JoinHostPort(c.Host, c.port()), form: newForm(&c)}
	if c.Protocol == overTLS {
		config, err := env.HTTP.TLS(c.Connection, c.CheckCert, false)
		if err != nil {
			return nil, err
		}
		if config.ServerName == "" {
			config.ServerName = c.Host
		}
		o.tls = config
	}
	return o, nil
}

// Send writes the batch to the connection. Syslog has no answer: it is delivered when the system has taken it.
func (o *Output) Send(ctx context.Context, batch []*alert.Alert) error {
	conn, err := o.connect(ctx)
	if err != nil {
		return err
	}
	if o.config.Protocol == overUDP {
		return o.datagrams(ctx, conn, batch)
	}
	var stream []byte
	for _, a := range batch {
		stream = o.form.appendFrame(stream, a)
	}
	return o.write(ctx, conn, stream)
}

// datagrams sends each alert by itself. One that does not fit into a datagram never will.
func (o *Output) datagrams(ctx context.Context, conn *connection, batch []*alert.Alert) error {
	failed := verdict.Partial{}
	for i, a := range batch {
		message := o.form.appendMessage(nil, a)
		if len(message) > maxDatagram {
			failed[i] = verdict.Permanent(verdict.Because(verdict.TooLarge, fmt.Errorf("a message of %d bytes does not fit into a datagram of %d: use tcp", len(message), maxDatagram)))
			continue
		}
		if err := o.write(ctx, conn, message); err != nil {
			for j := i; j < len(batch); j++ {
				failed[j] = verdict.Held(err)
			}
			failed[i] = err
			break
		}
	}
	if len(batch) == 1 {
		return failed[0]
	}
	return failed.ErrOrNil()
}

// write writes to the connection, and drops it on an error.
func (o *Output) write(ctx context.Context, conn *connection, data []byte) error {
	// The deadline ends a write that hangs; so does the end of ctx.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := conn.Write(data); err != nil {
		o.drop()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return failure(o.address, err)
	}
	return nil
}

// failure names the collector, and says where nothing else does that the connection broke.
func failure(address string, err error) error {
	reason := verdict.ReasonOf(err)
	if reason == verdict.Unknown && !errors.Is(err, context.Canceled) {
		reason = verdict.Connection
	}
	return verdict.Because(reason, fmt.Errorf("syslog %s: %w", alert.Printable(address), err))
}

// connect gives the connection, a new one where there is none or the collector has closed it.
func (o *Output) connect(ctx context.Context) (*connection, error) {
	if o.conn != nil && !o.conn.isClosed() {
		return o.conn, nil
	}
	o.drop()
	conn, err := o.dial(ctx)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, failure(o.address, err)
	}
	o.conn = watch(conn)
	return o.conn, nil
}

func (o *Output) dial(ctx context.Context) (net.Conn, error) {
	dialer := &net.Dialer{KeepAlive: 30 * time.Second}
	if o.tls != nil {
		return (&tls.Dialer{NetDialer: dialer, Config: o.tls}).DialContext(ctx, "tcp", o.address)
	}
	return dialer.DialContext(ctx, o.config.Protocol, o.address)
}

func (o *Output) drop() {
	if o.conn != nil {
		o.conn.end()
		o.conn = nil
	}
}

// Check connects. Over UDP that says only that the name is known.
func (o *Output) Check(ctx context.Context) error {
	conn, err := o.dial(ctx)
	if err != nil {
		return failure(o.address, err)
	}
	return conn.Close()
}

// Close ends the connection.
func (o *Output) Close() error {
	o.drop()
	return nil
}

// connection knows when the other side has closed it: a collector says nothing, so whoever only writes learns of that
// one message too late.
type connection struct {
	net.Conn

	closed atomic.Bool
	ended  chan struct{}
}

func watch(conn net.Conn) *connection {
	c := &connection{Conn: conn, ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		_, err := io.Copy(io.Discard, conn)
		_ = err // however it ended, it has
		c.closed.Store(true)
	}()
	return c
}

func (c *connection) isClosed() bool { return c.closed.Load() }

func (c *connection) end() {
	_ = c.Close()
	<-c.ended
}
