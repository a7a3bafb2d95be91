package slack

import (
	"errors"
	"strings"
	"text/template"
	"time"

	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/secret"
)

// Config is falcosidekick's, and the settings of digests.
type Config struct {
	// Address of the incoming webhook, https://hooks.slack.com/services/… It is a secret: who has it can post.
	WebhookURL secret.String `config:"webhookurl"`
	// Channel or user to post to instead of the webhook's own, #falco for example. Only webhooks of the old kind heed it.
	Channel string `config:"channel"`
	// Text in small letters below each alert.
	Footer string `config:"footer"`
	// Address of a picture to show beside each message. Empty shows the webhook's own.
	Icon string `config:"icon"`
	// Name to post under.
	Username string `config:"username"`
	// What an alert shows: all, text (the sentence only) or fields (the fields only).
	OutputFormat string `config:"outputformat" enum:"all,text,fields"`
	// Text above each alert, a Go template over .Rule, .Priority, .Output, .OutputFields, .Time, .Source, .Hostname, .Tags and .UUID.
	MessageFormat string `config:"messageformat"`
	// What happens when alerts come faster than Slack takes messages.
	Digest Digest `config:"digest"`

	httpx.Settings
}

// Digest says when alerts are folded into one message.
type Digest struct {
	// Of alerts that gathered while Slack was busy, so many are posted each by itself, the most serious first; the others are folded into one message.
	After int `config:"after"`
	// Once the oldest of them has waited for so long, only those of critical and above are still posted by themselves. 0 never.
	Age time.Duration `config:"age"`
	// Time from one message to the next. Slack takes about one a second.
	Pace time.Duration `config:"pace"`
}

// Values of Config.OutputFormat.
const (
	formatAll    = "all"
	formatText   = "text"
	formatFields = "fields"
)

const project = "https://github.com/tiercel/tiercel"

// Defaults gives a message with everything in it, and digests after five alerts or half a minute.
func Defaults() Config {
	return Config{
		Username:     "Tiercel",
		Footer:       project,
		OutputFormat: formatAll,
		Digest:       Digest{After: 5, Age: 30 * time.Second, Pace: time.Second},
		Settings:     httpx.DefaultSettings(),
	}
}

// Enabled reports whether there is a webhook.
func (c *Config) Enabled() bool { return !c.WebhookURL.IsZero() }

// Validate returns every problem, joined. None shows the webhook.
func (c *Config) Validate() error {
	errs := []error{c.Settings.Validate()}
	if _, err := httpx.Address(c.WebhookURL.Reveal()); err != nil {
		errs = append(errs, problem.At("webhookurl", "%v", err))
	}
	switch c.OutputFormat {
	case "", formatAll, formatText, formatFields:
	default:
		errs = append(errs, problem.At("outputformat", "expected all, text or fields, got %q", c.OutputFormat))
	}
	if _, err := c.template(); err != nil {
		errs = append(errs, problem.At("messageformat", "expected a Go template: %v", err))
	}
	if c.Digest.After < 0 {
		errs = append(errs, problem.At("digest.after", "expected 0 or more, got %d", c.Digest.After))
	}
	if c.Digest.Age < 0 {
		errs = append(errs, problem.At("digest.age", "expected 0 or more, got %s", c.Digest.Age))
	}
	if c.Digest.Pace < 0 || c.Digest.Pace > time.Minute {
		errs = append(errs, problem.At("digest.pace", "expected 0s to 1m, got %s", c.Digest.Pace))
	}
	return errors.Join(errs...)
}

// template parses MessageFormat; there is none where that is empty.
func (c *Config) template() (*template.Template, error) {
	if strings.TrimSpace(c.MessageFormat) == "" {
		return nil, nil //nolint:nilnil // no template is a valid one
	}
	return template.New("messageformat").Parse(c.MessageFormat)
}
