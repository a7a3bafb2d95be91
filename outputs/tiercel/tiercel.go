// Package tiercel sends alerts to another Tiercel, so that agents on many hosts feed one hub. The hub answers once the
// alerts are in its journal: from then on they are its own.
package tiercel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/secret"
	"github.com/tiercel/tiercel/pkg/size"
)

// Spec is the output. A batch is below the 4 MiB that a receiver takes by default.
var Spec = outputs.Define(outputs.Spec{
	Name:     "tiercel",
	Title:    "Tiercel",
	Category: "tiercel",
	About:    "Hands alerts in batches to another Tiercel, in their order, however long that one was away.",
	Batch:    outputs.Batch{Max: 1000, Bytes: 2 * size.MiB},
}, Defaults, New)

// Config is how to reach the hub.
type Config struct {
	// Address of the other Tiercel's receiver, http:// or https://. Setting it switches the output on.
	Address string `config:"address"`
	// Token that the other one's receiver asks for (receiver.token there).
	Token secret.String `config:"token"`
	// Compress batches with gzip. Every Tiercel takes that.
	Gzip bool `config:"gzip"`

	httpx.Settings
}

// Defaults compresses.
func Defaults() Config { return Config{Gzip: true, Settings: httpx.DefaultSettings()} }

// Enabled reports whether there is an address.
func (c *Config) Enabled() bool { return c.Address != "" }

// Validate returns every problem, joined.
func (c *Config) Validate() error {
	errs := []error{c.Settings.Validate()}
	if _, err := httpx.Address(c.Address); err != nil {
		errs = append(errs, problem.At("address", "%v", err))
	}
	return errors.Join(errs...)
}

// Output is one hub.
type Output struct {
	client  *http.Client
	address string
	header  http.Header
	zipper  *httpx.Zipper // nil without compression
	secrets []string
}

// New makes the output. It connects to nothing yet.
func New(env outputs.Env, c Config) (outputs.Output, error) {
	client, err := env.HTTP.Client(c.Settings)
	if err != nil {
		return nil, err
	}
	o := &Output{client: client, address: strings.TrimRight(c.Address, "/") + "/", header: make(http.Header)}
	o.header.Set("User-Agent", httpx.UserAgent(env.Version))
	o.header.Set("Content-Type", "application/x-ndjson")
	if !c.Token.IsZero() {
		o.header.Set("Authorization", "Bearer "+c.Token.Reveal())
		o.secrets = append(o.secrets, c.Token.Reveal())
	}
	if c.Gzip {
		o.zipper = httpx.NewZipper()
		o.header.Set("Content-Encoding", "gzip")
	}
	c.Apply(o.header)
	for _, value := range c.CustomHeaders {
		o.secrets = append(o.secrets, value.Reveal())
	}
	return o, nil
}

// Send posts the batch as JSON lines. The hub takes all of them or none: what it refuses is found by halving the batch,
// and the others are delivered in their order.
func (o *Output) Send(ctx context.Context, batch []*alert.Alert) error {
	return outputs.Halves(ctx, batch, o.post)
}

func (o *Output) post(ctx context.Context, alerts []*alert.Alert) error {
	var body bytes.Buffer
	body.Grow(1024 * len(alerts))
	for _, a := range alerts {
		body.Write(a.AppendJSON(body.AvailableBuffer()))
		body.WriteByte('\n')
	}
	sent := body.Bytes()
	if o.zipper != nil {
		sent = o.zipper.Compress(sent)
	}
	_, err := httpx.Post(ctx, o.client, o.address, "", o.header, sent, o.secrets...)
	return err
}

// Check asks the hub whether it takes alerts.
func (o *Output) Check(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.address+"readyz", nil)
	if err != nil {
		return fmt.Errorf("making a request: %w", err)
	}
	req.Header = o.header.Clone()
	req.Header.Del("Content-Encoding")
	req.Header.Del("Content-Type")
	_, err = httpx.Do(ctx, o.client, req, o.secrets...)
	return err
}

// Close frees the connections.
func (o *Output) Close() error {
	o.client.CloseIdleConnections()
	return nil
}
