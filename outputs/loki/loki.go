// Package loki sends alerts to Grafana Loki, by its push API.
//
// The request is written here rather than by a client library: see docs/decisions/0001-loki-encoder.md.
package loki

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
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
	Name:     "loki",
	Title:    "Grafana Loki",
	Category: "logs",
	About:    "Log lines with few labels and the rest as structured metadata.",
	// A request costs as much as a hundred alerts, and nobody looks at logs within a hundredth of a second.
	Batch: outputs.Batch{Max: 1000, Bytes: size.MiB, Wait: 10 * time.Millisecond},
}, Defaults, New)

// Output pushes alerts to one Loki.
type Output struct {
	client   *http.Client
	url      *url.URL
	header   http.Header
	secrets  []string
	tenant   tenant
	layout   *layout
	encoders []*encoder // one for each request under way
}

// New makes an output of a valid config. It connects to nothing yet.
func New(env outputs.Env, c Config) (outputs.Output, error) {
	client, err := env.HTTP.Client(c.Settings)
	if err != nil {
		return nil, err
	}
	address, err := httpx.Address(c.address())
	if err != nil {
		return nil, err
	}
	t, err := newTenant(c.Tenant)
	if err != nil {
		return nil, err
	}
	o := &Output{client: client, url: address, tenant: t, layout: newLayout(&c), header: make(http.Header)}
	o.header.Set("User-Agent", httpx.UserAgent(env.Version))
	o.header.Set("Content-Type", o.layout.wire.contentType())
	o.authorize(&c)
	c.Apply(o.header)
	for _, value := range c.CustomHeaders {
		o.secrets = append(o.secrets, value.Reveal())
	}
	for range c.Concurrency() {
		o.encoders = append(o.encoders, newEncoder(o.layout))
	}
	return o, nil
}

// authorize sets the Authorization header. A user in the address counts as well, where there is none in the config.
func (o *Output) authorize(c *Config) {
	user, password := c.User, c.APIKey.Reveal()
	if in := o.url.User; in != nil && user == "" && c.Token.IsZero() {
		user = in.Username()
		password, _ = in.Password()
	}
	o.url.User = nil
	switch {
	case !c.Token.IsZero():
		o.header.Set("Authorization", "Bearer "+c.Token.Reveal())
	case user != "":
		r := http.Request{Header: o.header}
		r.SetBasicAuth(user, password)
	}
	o.secrets = append(o.secrets, c.Token.Reveal(), password)
}

// Send pushes the batch, one request for each tenant. Where Loki refuses some of it, the others are delivered and the
// error, a verdict.Partial, buries only those.
func (o *Output) Send(ctx context.Context, batch []*alert.Alert) error {
	pushes, failed := o.byTenant(batch)
	if len(pushes) == 1 {
		p := pushes[0]
		p.enc = o.encoders[0]
		p.deliver(ctx, p.which)
		if p.requests == 1 && len(p.failed) == len(batch) {
			return p.failed[0] // one answer for all of the batch
		}
	} else {
		o.deliver(ctx, pushes)
	}
	for _, p := range pushes {
		maps.Copy(failed, p.failed)
	}
	return failed.ErrOrNil()
}

// deliver sends to several tenants at once, so that one that hangs does not stop the others.
func (o *Output) deliver(ctx context.Context, pushes []*push) {
	next := make(chan *push)
	var wg sync.WaitGroup
	for i := range min(len(o.encoders), len(pushes)) {
		wg.Go(func() {
			for p := range next {
				p.enc = o.encoders[i]
				p.deliver(ctx, p.which)
			}
		})
	}
	for _, p := range pushes {
		next <- p
	}
	close(next)
	wg.Wait()
}

// byTenant sorts the batch by tenant, in the order in which each comes first, and finds the alerts that Loki cannot
// have.
func (o *Output) byTenant(batch []*alert.Alert) (pushes []*push, failed verdict.Partial) {
	failed = verdict.Partial{}
	of := make(map[string]*push)
	for i, a := range batch {
		name, err := o.tenant.of(a)
		if err == nil {
			err = checkTime(a)
		}
		if err != nil {
			failed[i] = err
			continue
		}
		p, ok := of[name]
		if !ok {
			p = &push{out: o, tenant: name, batch: batch, failed: verdict.Partial{}}
			of[name] = p
			pushes = append(pushes, p)
		}
		p.which = append(p.which, i)
	}
	return pushes, failed
}

// post sends one body.
func (o *Output) post(ctx context.Context, tenant string, body []byte, l *lending) ([]byte, error) {
	req := &http.Request{Method: http.MethodPost, URL: o.url, Header: o.header.Clone()}
	if tenant != "" {
		req.Header.Set(tenantHeader, tenant)
	}
	l.lend(req, body)
	return httpx.Do(ctx, o.client, req.WithContext(ctx), o.secrets...)
}

// Check pushes a request without a line in it. Loki looks at credentials, tenant and path, writes nothing, and says
// that a line is missing (older versions: that all is well).
func (o *Output) Check(ctx context.Context) error {
	tenant, err := o.tenant.of(&alert.Alert{Rule: alert.TestRule})
	if err != nil {
		return err
	}
	e := newEncoder(o.layout)
	_, err = o.post(ctx, tenant, e.encode(nil, nil), e.lent)
	var status *httpx.StatusError
	switch {
	case !errors.As(err, &status):
		return err
	case status.Status == http.StatusBadRequest || status.Status == http.StatusUnprocessableEntity:
		if strings.Contains(status.Body, "stream") {
			return nil
		}
	case status.Status == http.StatusNotFound || status.Status == http.StatusMethodNotAllowed:
		return fmt.Errorf("no Loki takes logs there, are hostport and endpoint right? %w", err)
	case status.Status == http.StatusUnauthorized && o.tenant.template != nil && tenant == "":
		return fmt.Errorf("the tenant's template gives nothing for the test alert: %w", err)
	}
	return err
}

// Close lets go of idle connections.
func (o *Output) Close() error {
	o.client.CloseIdleConnections()
	return nil
}
