package config_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/config"
)

func show(t testing.TB, c *config.Config, format string) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Show(&b, format); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// same compares two configs but for where their values come from.
func same(t testing.TB, a, b *config.Config) {
	t.Helper()
	x, y := reflect.ValueOf(*a), reflect.ValueOf(*b)
	for i := range x.NumField() {
		field := x.Type().Field(i)
		if !field.IsExported() || field.Name == "Outputs" {
			continue
		}
		if !reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()) {
			t.Errorf("%s differs: %+v and %+v", field.Name, x.Field(i).Interface(), y.Field(i).Interface())
		}
	}
	if len(a.Outputs) != len(b.Outputs) {
		t.Fatalf("%d and %d outputs", len(a.Outputs), len(b.Outputs))
	}
	for i, o := range a.Outputs {
		other := b.Outputs[i]
		if o.Name != other.Name || o.Spec.Name != other.Spec.Name || o.Lane != other.Lane || !reflect.DeepEqual(o.Config, other.Config) {
			t.Errorf("output %d differs: %+v and %+v", i, o, other)
		}
	}
}

func TestShowLoadsAgain(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "hook")
	if err := os.WriteFile(secret, []byte(hook), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		file    string
		environ []string
	}{
		"defaults": {},
		"much": {
			`
listenaddress: "::1"
customfields: {A.b: "yes", "c:d": "1", e: "a: b # c", "%x": "", 값: "\0\e\n🦅"}
templatedfields: {x: '{{ index . "k8s.ns.name" }}'}
customtags: ["1", "null", "a b", "- x"]
bracketreplacer: "~"
journal: {maxage: 36h, maxsize: 2000001, sync: interval, syncinterval: 1ms}
tlsserver: {notlspaths: [/ping, /metrics]}
slack:
  webhookurl_file: ` + secret + `
  minimumpriority: warn
  when: rule contains "a\nb" and priority > notice
  channel: "#x"
  outputformat: text
  digest: {enabled: true, above: 3}
  maxage: 90s
slack/two:
  webhookurl_file: ` + secret + `
  username: ""
`, []string{"SLACK_USERNAME=null", "LISTENPORT=77", "CUSTOMFIELDS=z:~"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			first := mustLoad(t, tt.file, tt.environ...)
			for _, format := range []string{config.FormatYAML, config.FormatJSON} {
				text := show(t, first, format)
				second, warnings, problems := load(t, text)
				if len(problems)+len(warnings) > 0 {
					t.Fatalf("%q %q in\n%s", problems, warnings, text)
				}
				same(t, first, second)
			}
		})
	}
}

func TestShowSaysWhyAnOutputIsInUse(t *testing.T) {
	const why = "\nstdout: # in use, since no output is switched on\n"
	for file, want := range map[string]bool{"": true, "stdout: {enabled: true}\n": false} {
		text := show(t, mustLoad(t, file), config.FormatYAML)
		if strings.Contains(text, why) != want || !strings.Contains(text, "\nstdout:") {
			t.Errorf("with %q:\n%s", file, text)
		}
	}
}

func TestShow(t *testing.T) {
	c := mustLoad(t, `slack:
  webhookurl: `+hook+`
  customheaders: {Authorization: bearer-of-secrets}
receiver: {token: very-secret}
journal: {url: "nats://me:in-url@one:4222,nats://tok-en/url@two:4222,nats://three:4222"}
`, "JOURNAL_USER=me", "JOURNAL_PASSWORD=pass-word", "SLACK_CHANNEL=#alerts")
	yaml, text := show(t, c, config.FormatYAML), show(t, c, config.FormatJSON)
	for _, hidden := range []string{"secret-part", "bearer-of-secrets", "very-secret", "pass-word", "in-url", "tok-en"} {
		if strings.Contains(yaml+text, hidden) {
			t.Errorf("%s was written", hidden)
		}
	}
	for _, line := range []string{
		"\n  channel: '#alerts' # environment SLACK_CHANNEL\n",
		"\n    Authorization: '[REDACTED]'\n",
		"config.yaml:2\n",
		"\nlistenport: 2801\n",
		"\n  url: nats://[REDACTED]@one:4222,nats://[REDACTED]@two:4222,nats://three:4222 # ",
		"\n  retry:\n    initial: 200ms\n    max: 30s\n",
		"\n  maxage: 7d\n",
	} {
		if !strings.Contains(yaml, line) {
			t.Errorf("%q is not in\n%s", line, yaml)
		}
	}
	var read struct {
		ListenPort int
		Slack      struct {
			WebhookURL string
			CheckCert  bool
			Digest     struct{ Above int }
			Quiet      []string
		}
	}
	if err := json.Unmarshal([]byte(text), &read); err != nil {
		t.Fatal(err)
	}
	if read.ListenPort != 2801 || read.Slack.WebhookURL != "[REDACTED]" || !read.Slack.CheckCert || len(read.Slack.Quiet) != 1 {
		t.Errorf("got %+v of\n%s", read, text)
	}
	if _, _, problems := load(t, yaml); len(problems) != 5 {
		t.Errorf("expected to be told of 5 places where a secret is missing, got %q", problems)
	}
	if err := c.Show(&bytes.Buffer{}, "toml"); err == nil {
		t.Error("toml was taken")
	}
}
