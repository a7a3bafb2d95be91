// Package alertmanager sends alerts to Prometheus Alertmanager by its API, version 2. What differs from one alert to the
// next is kept out of the labels, so that Alertmanager can see that two alerts are the same.
package alertmanager

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/size"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// Spec is the output.
var Spec = outputs.Define(outputs.Spec{
	Name:     "alertmanager",
	Title:    "Prometheus Alertmanager",
	Category: "alerting",
	About:    "Sends alerts to Alertmanager, with labels by which it can group and deduplicate them.",
	Batch:    outputs.Batch{Max: 200, Bytes: size.MiB},
}, Defaults, New)

// Output is one cluster of Alertmanagers.
type Output struct {
	client  *http.Client
	urls    []string
	header  http.Header
	zipper  *httpx.Zipper // nil without compression
	secrets []string
	layout  *layout
	log     *slog.Logger
	now     func() time.Time

	failing []string // by address, the error that was last logged
}

// New makes the output. It connects to nothing yet.
func New(env outputs.Env, c Config) (outputs.Output, error) {
	client, err := env.HTTP.Client(c.Settings)
	if err != nil {
		return nil, err
	}
	l, err := newLayout(&c)
	if err != nil {
		return nil, err
	}
	o := &Output{client: client, urls: c.urls(), header: make(http.Header), layout: l, log: env.Log, now: time.Now}
	o.failing = make([]string, len(o.urls))
	o.header.Set("User-Agent", httpx.UserAgent(env.Version))
	o.header.Set("Content-Type", "application/json; charset=utf-8")
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

// Send posts the batch to every Alertmanager. One that takes it is enough, since any of a cluster notifies; the others
// are logged. What Alertmanager refuses is found by halving the batch: what was right of it, it has taken already, and
// takes again as the same.
func (o *Output) Send(ctx context.Context, batch []*alert.Alert) error {
	return outputs.Halves(ctx, batch, o.post)
}

// post sends alerts to all Alertmanagers at once.
func (o *Output) post(ctx context.Context, alerts []*alert.Alert) error {
	posted := make([]posting, len(alerts))
	now := o.now()
	for i, a := range alerts {
		posted[i] = o.layout.posting(a, now)
	}
	body, err := json.Marshal(posted)
	if err != nil {
		return verdict.Permanent(verdict.Because(verdict.Encoding, err))
	}
	if o.zipper != nil {
		body = o.zipper.Compress(body)
	}
	errs := make([]error, len(o.urls))
	if len(o.urls) == 1 {
		_, err := httpx.Post(ctx, o.client, o.urls[0], "", o.header, body, o.secrets...)
		return err
	}
	var asking sync.WaitGroup
	for i, url := range o.urls {
		asking.Go(func() { _, errs[i] = httpx.Post(ctx, o.client, url, "", o.header, body, o.secrets...) })
	}
	asking.Wait()
	return o.judge(errs)
}

// judge makes one error of those of all: none where one of them has the alerts, else one that asks for another try,
// where there is one, since then that one may yet take what the others refuse.
func (o *Output) judge(errs []error) error {
	var worst error
	taken := false
	for _, err := range errs {
		switch {
		case err == nil:
			taken = true
		case worst == nil || verdict.IsPermanent(worst) && !verdict.IsPermanent(err):
			worst = err
		}
	}
	if !taken {
		return worst
	}
	for i, err := range errs {
		text := ""
		if err != nil {
			text = err.Error()
		}
		if text != o.failing[i] && text != "" {
			o.log.Warn("one Alertmanager of several did not take alerts", "error", text)
		}
		o.failing[i] = text
	}
	return nil
}

// Check posts an empty list, which Alertmanager takes and which changes nothing. One that does so is enough.
func (o *Output) Check(ctx context.Context) error {
	header := o.header.Clone()
	header.Del("Content-Encoding")
	var errs []error
	for _, url := range o.urls {
		_, err := httpx.Post(ctx, o.client, url, "", header, []byte("[]"), o.secrets...)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Close frees the connections.
func (o *Output) Close() error {
	o.client.CloseIdleConnections()
	return nil
}
