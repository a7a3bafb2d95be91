package config_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/config"
)

// secretFile writes a file with a text, as a mounted secret has it.
func secretFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReferences(t *testing.T) {
	path := secretFile(t, "sesame 한글\n")
	c := mustLoad(t, `
listenport: ${env:PORT}
customfields:
  cluster: ${env:CLUSTER}-${env:REGION:-nowhere}
  literal: $${env:CLUSTER}
  price: $5 {x} ${not} $
customtags: [a, "${env:CLUSTER}"]
slack:
  webhookurl: https://x/${file:`+path+`}
  channel: "${env:EMPTY:-#general}"
  username: ${env:YAML}
`, "PORT=2900", "CLUSTER=prod", "EMPTY=", "YAML=[a]: {b}", "SLACK_OUTPUTFORMAT=${env:FORMAT}", "FORMAT=text")
	own := slack(t, c, 0)
	if own.WebhookURL.Reveal() != "https://x/sesame 한글" || own.Channel != "#general" || own.Username != "[a]: {b}" || own.Format != "text" || c.HTTP.ListenPort != 2900 {
		t.Errorf("got %q, %+v, port %d", own.WebhookURL.Reveal(), own, c.HTTP.ListenPort)
	}
	want := map[string]string{"cluster": "prod-nowhere", "literal": "${env:CLUSTER}", "price": "$5 {x} ${not} $"}
	for name, text := range want {
		if got := c.Normalize.CustomFields[name]; got != text {
			t.Errorf("%s is %q, want %q", name, got, text)
		}
	}
	if !slices.Equal(c.Normalize.CustomTags, []string{"a", "prod"}) {
		t.Errorf("tags %q", c.Normalize.CustomTags)
	}
	if !slices.Contains(c.Files(), path) {
		t.Errorf("%s is not among the files to watch: %v", path, c.Files())
	}
	var shown bytes.Buffer
	if err := c.Show(&shown, config.FormatYAML); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"listenport: ${env:PORT}", "username: ${env:YAML}", "webhookurl: '[REDACTED]'"} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("%q is not in\n%s", want, &shown)
		}
	}
	if strings.Contains(shown.String(), "sesame") {
		t.Errorf("the secret is shown:\n%s", &shown)
	}
}

// A secret that is one reference and nothing else is shown as that.
func TestReferenceToASecretIsShown(t *testing.T) {
	c := mustLoad(t, "slack: {webhookurl: '${env:HOOK}'}", "HOOK=https://hush")
	var shown bytes.Buffer
	if err := c.Show(&shown, config.FormatYAML); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(shown.String(), "webhookurl: ${env:HOOK}") || strings.Contains(shown.String(), "hush") {
		t.Errorf("got\n%s", &shown)
	}
	again := mustLoad(t, shown.String(), "HOOK=https://hush")
	if got := slack(t, again, 0).WebhookURL.Reveal(); got != "https://hush" {
		t.Errorf("after showing and loading it is %q", got)
	}
}

func TestReferencesMistakes(t *testing.T) {
	empty, binary, word := secretFile(t, "\n"), secretFile(t, "\xff"), secretFile(t, "hush-hush")
	for name, tt := range map[string]struct{ text, want string }{
		"not set":   {"slack:\n  channel: a ${env:NOPE} b", "config.yaml:2: slack.channel: the environment variable NOPE is not set: set it, or give a default with ${env:NOPE:-text}"},
		"no name":   {"slack:\n  channel: ${env:}", `config.yaml:2: slack.channel: expected the name of an environment variable in ${env:}, got ""`},
		"no path":   {"slack:\n  channel: ${file:}", "config.yaml:2: slack.channel: expected the path of a file in ${file:}"},
		"no file":   {"slack:\n  channel: ${file:/no/such}", "config.yaml:2: slack.channel: cannot read /no/such: no such file or directory"},
		"empty":     {"slack:\n  channel: ${file:" + empty + "}", "config.yaml:2: slack.channel: " + empty + " is empty: expected a secret in it"},
		"no UTF-8":  {"slack:\n  channel: ${file:" + binary + "}", "config.yaml:2: slack.channel: " + binary + " holds no UTF-8"},
		"wrong":     {"listenport: ${file:" + word + "}", `config.yaml:1: listenport: what "${file:` + word + `}" stands for is not what belongs here: expected a whole number`},
		"not valid": {"slack:\n  webhookurl: https://x\ntlsclient:\n  cacertfile: ${env:NOPE:-}\nslack/a:\n  webhookurl: ${file:" + word + "}", `config.yaml:6: slack/a.webhookurl: expected a URL with https://, got "[REDACTED]"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, problems := load(t, tt.text)
			if len(problems) != 1 || problems[0] != tt.want {
				t.Errorf("got %q\nwant %q", problems, tt.want)
			}
		})
	}
	_, _, problems := load(t, "slack: {webhookurl: https://x}", "SLACK_CHANNEL=${env:NOPE}")
	if want := "environment SLACK_CHANNEL: the environment variable NOPE is not set: set it, or give a default with ${env:NOPE:-text}"; len(problems) != 1 || problems[0] != want {
		t.Errorf("got %q", problems)
	}
}
