// Package webhook sends each alert as JSON in an HTTP request of its own, to any address.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/size"
)

// Spec is the output.
var Spec = outputs.Define(outputs.Spec{
	Name:     "webhook",
	Title:    "Webhook",
	Category: "web",
	About:    "Sends each alert as JSON in an HTTP request of its own.",
	Batch:    outputs.Batch{Max: 64, Bytes: 4 * size.MiB, OneByOne: true},
}, Defaults, New)

// Webhook is one receiver.
type Webhook struct {
	client      *http.Client
	request     *http.Request // what every request begins as; only read
	secret      string        // the address
	concurrency int
	zipper      *httpx.Zipper // nil without compression
	key         []byte        // of the signature; nil without one
	signed      string        // header that has it
}

// New makes a webhook. It connects to nothing yet.
func New(env outputs.Env, c Config) (outputs.Output, error) {
	client, err := env.HTTP.Client(c.Settings)
	if err != nil {
		return nil, err
	}
	address, err := httpx.Address(c.Address.Reveal())
	if err != nil {
		return nil, fmt.Errorf("address: %w", err)
	}
	header := http.Header{
		"Content-Type": {"application/json; charset=utf-8"},
		"User-Agent":   {httpx.UserAgent(env.Version)},
	}
	w := &Webhook{
		client:      client,
		request:     &http.Request{Method: c.method(), URL: address, Host: address.Host, Header: header},
		secret:      c.Address.Reveal(),
		concurrency: c.Concurrency(),
	}
	if c.Gzip {
		header.Set("Content-Encoding", "gzip")
		w.zipper = httpx.NewZipper()
	}
	if !c.SignatureKey.IsZero() {
		w.key, w.signed = []byte(c.SignatureKey.Reveal()), http.CanonicalHeaderKey(c.SignatureHeader)
	}
	c.Apply(header)
	return w, nil
}

// Send makes one request of each alert, several at once, those of one host in their order.
func (w *Webhook) Send(ctx context.Context, batch []*alert.Alert) error {
	return outputs.Each(ctx, batch, w.concurrency, w.send)
}

// Check reports whether an HTTP server answers at the address.
func (w *Webhook) Check(ctx context.Context) error {
	return httpx.Reach(ctx, w.client, w.secret, w.secret)
}

// Close lets go of the connections.
func (w *Webhook) Close() error {
	w.client.CloseIdleConnections()
	return nil
}

func (w *Webhook) send(ctx context.Context, a *alert.Alert) error {
	// The body is made anew each time: the transport may go on reading it after an early answer, so a buffer could
	// only be used again once it has been closed, which costs more than it saves.
	body := append(a.AppendJSON(make([]byte, 0, len(a.Raw())+512)), '\n')
	if w.zipper != nil {
		body = w.zipper.Compress(body)
	}
	req := w.request.WithContext(ctx)
	req.ContentLength = int64(len(body))
	req.Body = io.NopCloser(bytes.NewReader(body))
	// Lets the transport try again by itself where an idle connection turns out to be closed before it took a byte.
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	if w.key != nil {
		mac := hmac.New(sha256.New, w.key)
		mac.Write(body)
		req.Header = req.Header.Clone() // those of the others under way are the same map
		req.Header.Set(w.signed, "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	_, err := httpx.Do(ctx, w.client, req, w.secret)
	return err
}
