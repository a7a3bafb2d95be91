// Package slack posts alerts to a Slack channel by an incoming webhook. Alerts that come faster than Slack takes
// messages are folded into digests, so that a channel is never hours behind.
package slack

import (
	"context"
	"log/slog"
	"net/http"
	"text/template"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	slackgo "github.com/slack-go/slack"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/size"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// Spec is what Slack is. A batch is large, since what does not fit into a few messages makes one digest.
var Spec = outputs.Define(outputs.Spec{
	Name:     "slack",
	Title:    "Slack",
	Category: "chat",
	About:    "Posts alerts to a Slack channel by an incoming webhook, and digests when they come faster than Slack takes them.",
	Batch:    outputs.Batch{Max: 2000, Bytes: 8 * size.MiB},
}, Defaults, New)

// Slack is one webhook.
type Slack struct {
	config  Config
	above   *template.Template // of the text above each alert; may be nil
	client  *http.Client
	header  http.Header
	log     *slog.Logger
	metrics metrics

	next   time.Time     // when the next message may be posted
	took   time.Duration // how long the last one took
	warned bool          // the failing template was logged
}

type metrics struct {
	digested       prometheus.Counter
	templateErrors prometheus.Counter
}

// New makes the output. It dials nothing.
func New(env outputs.Env, cfg Config) (outputs.Output, error) {
	above, err := cfg.template()
	if err != nil {
		return nil, err
	}
	client, err := env.HTTP.Client(cfg.Settings)
	if err != nil {
		return nil, err
	}
	s := &Slack{config: cfg, above: above, client: client, header: make(http.Header), log: env.Log}
	s.header.Set("User-Agent", httpx.UserAgent(env.Version))
	s.header.Set("Content-Type", "application/json; charset=utf-8")
	cfg.Apply(s.header)
	s.metrics = metrics{
		digested: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tiercel_slack_digested_alerts_total",
			Help: "Alerts that were folded into a digest instead of being posted each by itself.",
		}),
		templateErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tiercel_slack_messageformat_errors_total",
			Help: "Alerts that were posted without the text of messageformat, because the template failed.",
		}),
	}
	for _, c := range []prometheus.Collector{s.metrics.digested, s.metrics.templateErrors} {
		if err := env.Metrics.Register(c); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Send posts the alerts one by one, at the pace that Slack allows, as far as the config and the time allow it, and
// the others as one digest.
func (s *Slack) Send(ctx context.Context, batch []*alert.Alert) error {
	t := s.newTimetable(ctx)
	rest, alone := s.config.Digest.plan(batch, time.Now(), t)
	failed := verdict.Partial{}
	var count int // of those that the next message is about
	for ; len(rest) > 0; rest = rest[count:] {
		var message *slackgo.WebhookMessage
		// A message is only worth its time when another can follow it for what is left.
		if len(rest) == 1 || alone > 0 && t.fits(2) {
			message, count = s.message(batch[rest[0]]), 1
			alone--
		} else {
			message, count = s.digest(pick(batch, rest), len(rest) < len(batch)), len(rest)
		}
		err := s.deliver(ctx, message)
		switch {
		case err == nil && count > 1:
			s.metrics.digested.Add(float64(count))
		case err == nil:
		case len(batch) == 1:
			return err
		case verdict.IsPermanent(err):
			fail(failed, rest[:count], err)
		default:
			// That others wait for the first, or were in one digest with it, is not their fault.
			fail(failed, rest[:1], err)
			fail(failed, rest[1:], verdict.Held(err))
			return failed
		}
	}
	return failed.ErrOrNil()
}

func pick(batch []*alert.Alert, which []int) []*alert.Alert {
	picked := make([]*alert.Alert, len(which))
	for i, at := range which {
		picked[i] = batch[at]
	}
	return picked
}

func fail(failed verdict.Partial, which []int, err error) {
	for _, at := range which {
		failed[at] = err
	}
}

// Close frees the connection.
func (s *Slack) Close() error {
	s.client.CloseIdleConnections()
	return nil
}
