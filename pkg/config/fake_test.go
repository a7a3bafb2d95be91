package config_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/config"
	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/secret"
	"github.com/tiercel/tiercel/pkg/size"
)

// chat is an output with what most of them have.
type chat struct {
	httpx.Settings

	WebhookURL secret.String `config:"webhookurl"`
	Channel    string        `config:"channel"`
	Username   string        `config:"username"`
	Format     string        `config:"outputformat" enum:"all,text,fields"`
	MaxText    size.Bytes    `config:"maxtext"`
	Quiet      []string      `config:"quiet"`
	Digest     digest        `config:"digest"`
}

type digest struct {
	Enabled bool `config:"enabled"`
	Above   int8 `config:"above"`
}

func (c *chat) Enabled() bool { return !c.WebhookURL.IsZero() }

func (c *chat) Validate() error {
	var errs []error
	if !strings.HasPrefix(c.WebhookURL.Reveal(), "https://") {
		errs = append(errs, problem.At("webhookurl", "expected a URL with https://, got %q", c.WebhookURL.Reveal()))
	}
	if c.Digest.Enabled && c.Digest.Above < 1 {
		errs = append(errs, problem.At("digest.above", "expected at least 1, got %d", c.Digest.Above))
	}
	return errors.Join(errs...)
}

// console is an output that is used when no other is.
type console struct {
	On     bool   `config:"enabled"`
	Format string `config:"format"`
}

func (c *console) Enabled() bool   { return c.On }
func (c *console) Validate() error { return nil }

type nowhere struct{}

func (nowhere) Send(context.Context, []*alert.Alert) error { return nil }

// define makes a spec with a config that is never asked for its output.
func define[C any, P interface {
	*C
	outputs.Config
}](spec outputs.Spec, defaults func() C,
) outputs.Spec {
	return outputs.Define[C, P](spec, defaults, func(outputs.Env, C) (outputs.Output, error) { return nowhere{}, nil })
}

func specs() []outputs.Spec {
	return []outputs.Spec{
		define(outputs.Spec{Name: "slack", Title: "Slack", Category: "chat", About: "Chat with | and <tags>."}, func() chat {
			return chat{Settings: httpx.DefaultSettings(), Username: "Falcosidekick", Format: "all", MaxText: 4 * size.KiB, Quiet: []string{"a"}}
		}),
		define(outputs.Spec{Name: "stdout", Title: "Standard output", Category: "local", About: "Lines.", Fallback: true}, func() console {
			return console{Format: "auto"}
		}),
	}
}

// write writes a config file and returns its path.
func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// load loads a text and variables. Findings come as text, with config.yaml for the path of the file.
func load(t testing.TB, text string, environ ...string) (c *config.Config, warnings, problems []string) {
	t.Helper()
	path := write(t, text)
	c, found, err := config.Load(config.Options{File: path, Environ: environ, Specs: specs()})
	short := func(s string) string { return strings.ReplaceAll(s, path, "config.yaml") }
	for _, w := range found {
		warnings = append(warnings, short(w.String()))
	}
	if err != nil {
		if _, ok := errors.AsType[*config.Invalid](err); !ok {
			t.Fatalf("expected an error with problems, got %v", err)
		}
		problems = strings.Split(short(err.Error()), "\n")
	}
	if (c == nil) != (err != nil) {
		t.Fatalf("expected either a config or an error, got %v and %v", c, err)
	}
	return c, warnings, problems
}

// mustLoad is load for what must be fine.
func mustLoad(t testing.TB, text string, environ ...string) *config.Config {
	t.Helper()
	c, warnings, problems := load(t, text, environ...)
	if len(problems) > 0 || len(warnings) > 0 {
		t.Fatalf("expected neither, got problems\n%s\nand warnings\n%s", strings.Join(problems, "\n"), strings.Join(warnings, "\n"))
	}
	return c
}

// slack gives the config of an output of the fake spec.
func slack(t testing.TB, c *config.Config, at int) *chat {
	t.Helper()
	if len(c.Outputs) <= at {
		t.Fatalf("there are only %d outputs", len(c.Outputs))
	}
	own, ok := c.Outputs[at].Config.(*chat)
	if !ok {
		t.Fatalf("output %d is %s", at, c.Outputs[at].Name)
	}
	return own
}
