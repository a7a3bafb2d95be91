package slack

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	slackgo "github.com/slack-go/slack"

	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/verdict"
)

var (
	errPace    = errors.New("the next message may only be posted after the deadline: is digest.pace longer than timeout?")
	errMessage = errors.New("the message could not be written")
)

// deliver posts a message once the pace allows it. An error is marked as held where nothing was posted.
func (s *Slack) deliver(ctx context.Context, message *slackgo.WebhookMessage) error {
	if wait := time.Until(s.next); wait > 0 {
		if deadline, ok := ctx.Deadline(); ok && wait >= time.Until(deadline) {
			return verdict.Held(verdict.After(wait, verdict.Because(verdict.RateLimited, errPace)))
		}
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return verdict.Held(ctx.Err())
		}
	}
	begin := time.Now()
	s.next = begin.Add(s.config.Digest.Pace)
	err := s.post(ctx, message)
	s.took = time.Since(begin)
	return err
}

// post posts a message at once.
func (s *Slack) post(ctx context.Context, message *slackgo.WebhookMessage) error {
	t := transport{slack: s}
	err := slackgo.PostWebhookCustomHTTPContext(ctx, s.config.WebhookURL.Reveal(), &http.Client{Transport: &t}, message)
	switch {
	case t.err != nil:
		return misaddressed(t.err)
	case err != nil:
		return verdict.Because(verdict.Encoding, errMessage) // err itself may show the webhook
	}
	return nil
}

// transport is what slack-go posts one message through. The verdict on the answer is httpx's: the library's own errors
// show the webhook, and drop what Slack said.
type transport struct {
	slack *Slack
	err   error
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	own := req.Clone(req.Context())
	maps.Copy(own.Header, t.slack.header)
	if _, err := httpx.Do(req.Context(), t.slack.client, own, t.slack.config.WebhookURL.Reveal()); err != nil {
		t.err = err
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Header: make(http.Header), Body: http.NoBody, Request: req}, nil
}

// mistakes are Slack's words for a webhook or channel that is wrong or gone. They come with 403, 404 and 410, but
// some of them with 400 too.
var mistakes = []string{
	"invalid_token", "no_service", "no_service_id", "no_team", "no_active_hooks", "team_disabled", "user_not_found",
	"channel_not_found", "channel_is_archived", "action_prohibited", "posting_to_general_channel_denied",
}

// misaddressed takes the permanence from an error that says that the webhook is wrong: an operator can mend that, so
// no alert is buried for it.
func misaddressed(err error) error {
	var status *httpx.StatusError
	if !verdict.IsPermanent(err) || !errors.As(err, &status) || !slices.Contains(mistakes, strings.TrimSpace(status.Body)) {
		return err
	}
	return verdict.Because(verdict.NotFound, status)
}

// Check posts an empty message, which a webhook that works refuses by 400 and shows to nobody.
func (s *Slack) Check(ctx context.Context) error {
	err := s.post(ctx, &slackgo.WebhookMessage{})
	var status *httpx.StatusError
	if errors.As(err, &status) && verdict.ReasonOf(err) != verdict.NotFound {
		switch status.Status {
		case http.StatusBadRequest, http.StatusTooManyRequests:
			return nil
		}
	}
	return err
}
