package config_test

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/config"
	"github.com/tiercel/tiercel/pkg/size"
)

const hook = "https://hooks.example.com/T0/B0/secret-part"

func TestDefaultsWhenNothingIsSet(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "comment": "# nothing\n", "null": "---\n", "two empty documents": "---\n---\n", "empty object": "{}",
		"empty sections": "slack:\njournal:\ncustomfields:\ndebug:\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := mustLoad(t, text, "PATH=/bin", "SLACK_WEBHOOKURL=", "LISTENPORT=", "CUSTOMTAGS=", "CUSTOMFIELDS=")
			if c.HTTP.ListenPort != 2801 || c.Client.MutualTLSFilesPath != "/etc/certs" || c.Journal.MaxSize != size.GiB {
				t.Errorf("the defaults are not there: %+v", c)
			}
			if len(c.Normalize.CustomTags) > 0 || len(c.Normalize.CustomFields) > 0 {
				t.Errorf("something was added to alerts: %+v", c.Normalize)
			}
			if len(c.Outputs) != 1 || c.Outputs[0].Name != "stdout" {
				t.Errorf("expected standard output alone, got %+v", c.Outputs)
			}
		})
	}
	t.Run("no file", func(t *testing.T) {
		c, warnings, err := config.Load(config.Options{Specs: specs()})
		if err != nil || len(warnings) > 0 || len(c.Outputs) != 1 {
			t.Errorf("got %v, %v, %v", c, warnings, err)
		}
	})
}

func TestEveryTypeFromTheFile(t *testing.T) {
	c := mustLoad(t, `
LISTENPORT: 8080
debug: yes
customFields:
  AKey: 값 🦅
  k8s.ns.name: "a:b"
  number: 0123
customtags: [b, " a ", "", null]
outputFieldFormat: <output>
journal:
  maxage: 1d12h
  deadletters: {maxsize: 64Mi}
slack:
  webhookurl: `+hook+`
  minimumpriority: Warning
  channel: 123
  customHeaders: {X-Api.Key: one, authorization: Bearer x}
  maxtext: 8192
  quiet: one, two ,,three
  outputformat: TEXT
  checkcert: no
  digest:
    enabled: on
    above: 5
  retry: {max: 1m}
  maxconcurrentrequests: 3
`)
	if c.HTTP.ListenPort != 8080 || !c.Debug {
		t.Errorf("listenport %d, debug %v", c.HTTP.ListenPort, c.Debug)
	}
	if want := map[string]string{"AKey": "값 🦅", "k8s.ns.name": "a:b", "number": "0123"}; !maps.Equal(c.Normalize.CustomFields, want) {
		t.Errorf("customfields %v, expected %v", c.Normalize.CustomFields, want)
	}
	if want := []string{"b", "a"}; !slices.Equal(c.Normalize.CustomTags, want) {
		t.Errorf("customtags %q, expected %q", c.Normalize.CustomTags, want)
	}
	if c.Normalize.OutputFieldFormat != "<output>" {
		t.Errorf("outputfieldformat %q", c.Normalize.OutputFieldFormat)
	}
	if c.Journal.MaxAge != 36*time.Hour || c.Journal.DeadLetters.MaxSize != 64*size.MiB {
		t.Errorf("journal %+v", c.Journal)
	}
	own, lane := slack(t, c, 0), c.Outputs[0].Lane
	if own.WebhookURL.Reveal() != hook || own.Channel != "123" || own.Username != "Falcosidekick" || own.MaxText != 8*size.KiB || own.Format != "text" {
		t.Errorf("slack %+v", own)
	}
	if want := []string{"one", "two", "three"}; !slices.Equal(own.Quiet, want) {
		t.Errorf("quiet %q, expected %q", own.Quiet, want)
	}
	if own.CheckCert || own.MaxConcurrentRequests != 3 || own.CustomHeaders["X-Api.Key"].Reveal() != "one" || len(own.CustomHeaders) != 2 {
		t.Errorf("HTTP settings %+v", own.Settings)
	}
	if !own.Digest.Enabled || own.Digest.Above != 5 {
		t.Errorf("digest %+v", own.Digest)
	}
	if lane.MinimumPriority != alert.Warning || lane.Retry.Max != time.Minute || lane.Timeout != 10*time.Second {
		t.Errorf("lane %+v", lane)
	}
}

func TestEnvironmentWinsOverTheFile(t *testing.T) {
	c := mustLoad(t, "slack: {webhookurl: https://old.example.com, channel: file, minimumpriority: error}\nlistenport: 1\nlog: {level: warn}",
		"SLACK_WEBHOOKURL="+hook, "SLACK_CHANNEL=#env", "SLACK_MINIMUMPRIORITY=", "SLACK_RETRY_MAX=5m", "SLACK_DIGEST_ABOVE=7",
		"LISTENPORT=2", "TLSSERVER_NOTLSPATHS=/ping,/metrics", "JOURNAL_DEADLETTERS_MAXSIZE=1GiB", "SLACK_CHECKCERT=false",
		"SLACK_QUIET=x, y", "NOISE", "slack_channel=not this one", "PROMETHEUS_EXTRALABELS=proc.name")
	own := slack(t, c, 0)
	if own.WebhookURL.Reveal() != hook || own.Channel != "#env" || own.CheckCert || own.Digest.Above != 7 || !slices.Equal(own.Quiet, []string{"x", "y"}) {
		t.Errorf("slack %+v", own)
	}
	if c.Outputs[0].Lane.MinimumPriority != alert.Error || c.Outputs[0].Lane.Retry.Max != 5*time.Minute {
		t.Errorf("lane %+v", c.Outputs[0].Lane)
	}
	if c.HTTP.ListenPort != 2 || !slices.Equal(c.HTTP.TLSServer.NoTLSPaths, []string{"/ping", "/metrics"}) {
		t.Errorf("receiver %+v", c.HTTP)
	}
	if c.Journal.DeadLetters.MaxSize != size.GiB || c.Log.Level != "warn" || c.Prometheus.ExtraLabels != "proc.name" {
		t.Errorf("journal %+v, log %+v", c.Journal, c.Log)
	}
}

func TestMaps(t *testing.T) {
	tests := []struct {
		name, file string
		environ    []string
		want       map[string]string
	}{
		{
			name: "only the first colon divides", environ: []string{"CUSTOMFIELDS= a : b ,c:http://x:80, k8s.Ns:1 ,,"},
			want: map[string]string{"a": "b", "c": "http://x:80", "k8s.Ns": "1"},
		},
		{
			name: "empty values stay", environ: []string{"CUSTOMFIELDS=a:"},
			want: map[string]string{"a": ""},
		},
		{
			name: "a JSON object", environ: []string{`CUSTOMFIELDS={"A.b":"x, y: z","n":12345678901234567890,"t":true,"nothing":null}`},
			want: map[string]string{"A.b": "x, y: z", "n": "12345678901234567890", "t": "true", "nothing": ""},
		},
		{
			name: "a text in the file", file: "customfields: a:b,c:d:e",
			want: map[string]string{"a": "b", "c": "d:e"},
		},
		{
			name: "variables in variables and in the file", file: "customfields: {one: '%ONE', two: 100%, three: '%1', four: '%'}",
			environ: []string{"CUSTOMFIELDS=five:%FIVE", "ONE=1:1", "FIVE=5"},
			want:    map[string]string{"one": "1:1", "two": "100%", "three": "%1", "four": "%", "five": "5"},
		},
		{
			name: "the environment adds to the file", file: "customfields: {a: file, b: file}", environ: []string{"CUSTOMFIELDS=b:env,c:env"},
			want: map[string]string{"a": "file", "b": "env", "c": "env"},
		},
		{
			name: "names that differ in case only", file: "customfields: {A: 1, a: 2}",
			want: map[string]string{"A": "1", "a": "2"},
		},
		{
			name: "merged", file: "templatedfields: &t {x: 1}\ncustomfields: {<<: *t, y: 2}",
			want: map[string]string{"x": "1", "y": "2"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := mustLoad(t, tt.file, tt.environ...)
			if !maps.Equal(c.Normalize.CustomFields, tt.want) {
				t.Errorf("got %q, expected %q", c.Normalize.CustomFields, tt.want)
			}
		})
	}
	t.Run("a variable that is not set", func(t *testing.T) {
		c, warnings, problems := load(t, "debug: true\ncustomfields: {a: '%MISSING', b: c}")
		if want := []string{"config.yaml:2: customfields.a: the environment variable MISSING is not set: the field is left out"}; !slices.Equal(warnings, want) || len(problems) > 0 {
			t.Errorf("got %q and %q", warnings, problems)
		}
		if !maps.Equal(c.Normalize.CustomFields, map[string]string{"b": "c"}) {
			t.Errorf("got %q", c.Normalize.CustomFields)
		}
	})
	t.Run("of secrets", func(t *testing.T) {
		c := mustLoad(t, "slack: {webhookurl: "+hook+"}", "SLACK_CUSTOMHEADERS=X-Url:https://a:1/,Y:2")
		headers := slack(t, c, 0).CustomHeaders
		if headers["X-Url"].Reveal() != "https://a:1/" || headers["Y"].Reveal() != "2" || len(headers) != 2 {
			t.Errorf("got %d headers", len(headers))
		}
	})
}

func TestSecretsFromFiles(t *testing.T) {
	folder := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := put("good", hook+"\n")
	t.Run("in the file", func(t *testing.T) {
		c := mustLoad(t, "slack:\n  webhookurl: ''\n  webhookurl_file: "+good)
		if got := slack(t, c, 0).WebhookURL.Reveal(); got != hook {
			t.Errorf("got %q", got)
		}
	})
	t.Run("in the environment", func(t *testing.T) {
		c := mustLoad(t, "receiver: {token_file: /nowhere}", "RECEIVER_TOKEN_FILE="+put("crlf", " a b \n\r\n"))
		if got := c.HTTP.Receiver.Token.Reveal(); got != " a b \n" {
			t.Errorf("expected one line break less, got %q", got)
		}
	})
	t.Run("a variable wins over the file, whichever key", func(t *testing.T) {
		c := mustLoad(t, "slack: {webhookurl: https://old}", "SLACK_WEBHOOKURL_FILE="+good)
		if got := slack(t, c, 0).WebhookURL.Reveal(); got != hook {
			t.Errorf("got %q", got)
		}
		c = mustLoad(t, "slack: {webhookurl_file: /nowhere}", "SLACK_WEBHOOKURL="+hook)
		if got := slack(t, c, 0).WebhookURL.Reveal(); got != hook {
			t.Errorf("got %q", got)
		}
	})
	for name, tt := range map[string]struct {
		file, env, want string
	}{
		"both in the file":        {"slack:\n  webhookurl: " + hook + "\n  webhookurl_file: " + good, "", "config.yaml:3: slack.webhookurl_file: webhookurl is set too: set one of them"},
		"missing":                 {"slack:\n  webhookurl_file: /nowhere/at/all", "", "config.yaml:2: slack.webhookurl_file: cannot read /nowhere/at/all: no such file or directory"},
		"missing, by a variable":  {"", "SLACK_WEBHOOKURL_FILE=/nowhere", "environment SLACK_WEBHOOKURL_FILE: cannot read /nowhere: no such file or directory"},
		"a folder":                {"slack: {webhookurl_file: " + folder + "}", "", "config.yaml:1: slack.webhookurl_file: cannot read " + folder + ": is a directory"},
		"empty":                   {"slack: {webhookurl_file: " + put("empty", "\n") + "}", "", "config.yaml:1: slack.webhookurl_file: " + folder + "/empty is empty: expected a secret in it"},
		"endless":                 {"slack: {webhookurl_file: /dev/zero}", "", "config.yaml:1: slack.webhookurl_file: /dev/zero is too large for a secret: expected at most 1MiB"},
		"not valid":               {"slack: {webhookurl_file: " + put("bad", "hunter2-hunter2") + "}", "", `config.yaml:1: slack.webhookurl_file: expected a URL with https://, got "[REDACTED]"`},
		"of what is no secret":    {"slack: {channel_file: x}", "", "config.yaml:1: slack.channel_file: unknown key"},
		"the placeholder":         {"slack: {webhookurl: '[REDACTED]'}", "", "config.yaml:1: slack.webhookurl: [REDACTED] stands for a secret that was not printed: put the secret itself here"},
		"not a path":              {"slack: {webhookurl_file: [a]}", "", "config.yaml:1: slack.webhookurl_file: expected the path of a file, got a list"},
		"both in the environment": {"receiver: {token: x}", "RECEIVER_TOKEN=a RECEIVER_TOKEN_FILE=b", "environment RECEIVER_TOKEN_FILE: token is set too: set one of them"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, problems := load(t, tt.file, strings.Fields(tt.env)...)
			if !slices.Equal(problems, []string{tt.want}) {
				t.Errorf("got\n%s\nexpected\n%s", strings.Join(problems, "\n"), tt.want)
			}
		})
	}
}

func TestInstances(t *testing.T) {
	c := mustLoad(t, `
slack/oncall: &oncall
  webhookurl: https://oncall
  minimumpriority: critical
  channel: one
Slack/B-Side:
  <<: *oncall
  channel: two
slack: {webhookurl: https://base}
`, "SLACK_ONCALL_CHANNEL=env", "SLACK_B_SIDE_MINIMUMPRIORITY=error")
	type summary struct {
		name, url, channel string
		least              alert.Priority
	}
	var got []summary
	for i, o := range c.Outputs {
		own := slack(t, c, i)
		got = append(got, summary{o.Name, own.WebhookURL.Reveal(), own.Channel, o.Lane.MinimumPriority})
		if o.Spec.Name != "slack" {
			t.Errorf("%s has the spec %s", o.Name, o.Spec.Name)
		}
	}
	want := []summary{
		{"slack", "https://base", "", alert.Debug},
		{"slack/oncall", "https://oncall", "env", alert.Critical},
		{"slack/b-side", "https://oncall", "two", alert.Error},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v\nexpected %+v", got, want)
	}
}

func TestFallback(t *testing.T) {
	t.Run("with what is set of it", func(t *testing.T) {
		c := mustLoad(t, "stdout: {format: json}")
		if own, ok := c.Outputs[0].Config.(*console); !ok || own.Format != "json" {
			t.Errorf("got %+v", c.Outputs)
		}
	})
	t.Run("not beside another", func(t *testing.T) {
		c := mustLoad(t, "slack: {webhookurl: "+hook+"}")
		if len(c.Outputs) != 1 || c.Outputs[0].Name != "slack" {
			t.Errorf("got %+v", c.Outputs)
		}
	})
	t.Run("on beside another", func(t *testing.T) {
		c := mustLoad(t, "slack: {webhookurl: "+hook+"}\nstdout: {enabled: true}")
		if len(c.Outputs) != 2 || c.Outputs[1].Name != "stdout" {
			t.Errorf("got %+v", c.Outputs)
		}
	})
	t.Run("none there", func(t *testing.T) {
		c, _, err := config.Load(config.Options{Specs: specs()[:1]})
		if err != nil || len(c.Outputs) != 0 {
			t.Errorf("got %v, %v", c, err)
		}
	})
}

// Two configs must never share a map or a list: what one writes would show in the other.
func TestConfigsShareNothing(t *testing.T) {
	load := func() *config.Config {
		return mustLoad(t, "slack: {webhookurl: "+hook+", customheaders: {a: b}}\ncustomfields: {a: b}")
	}
	first, second := load(), load()
	seen := make(map[uintptr]string)
	var walk func(v reflect.Value, path string, visit func(uintptr, string))
	walk = func(v reflect.Value, path string, visit func(uintptr, string)) {
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			if v.Kind() == reflect.Pointer && !v.IsNil() {
				visit(v.Pointer(), path)
			}
			if !v.IsNil() {
				walk(v.Elem(), path, visit)
			}
		case reflect.Map:
			if !v.IsNil() {
				visit(v.Pointer(), path)
			}
		case reflect.Slice:
			if v.Cap() > 0 {
				visit(v.Pointer(), path)
			}
			for i := range v.Len() {
				walk(v.Index(i), path, visit)
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() { // inside of a secret nothing is ever written
					walk(v.Field(i), path+"."+v.Type().Field(i).Name, visit)
				}
			}
		}
	}
	walk(reflect.ValueOf(first).Elem(), "", func(p uintptr, path string) { seen[p] = path })
	if len(seen) < 4 {
		t.Fatalf("the walk found only %v", seen)
	}
	walk(reflect.ValueOf(second).Elem(), "", func(p uintptr, path string) {
		if other, ok := seen[p]; ok {
			t.Errorf("%s is shared with %s", path, other)
		}
	})
}

func TestMistakesInSpecs(t *testing.T) {
	type twice struct {
		console
		Timeout string `config:"timeout"`
	}
	type strange struct {
		console
		Channel chan int `config:"channel"`
	}
	type choice struct {
		console
		Level int `config:"level" enum:"1,2"`
	}
	tests := map[string]struct {
		specs []outputs.Spec
		want  string
	}{
		"a choice of numbers":   {[]outputs.Spec{define(outputs.Spec{Name: "a"}, func() choice { return choice{} })}, "has an enum but holds no text"},
		"a key of the lane":     {[]outputs.Spec{define(outputs.Spec{Name: "a"}, func() twice { return twice{} })}, `the key "timeout" is there twice`},
		"a type without a text": {[]outputs.Spec{define(outputs.Spec{Name: "a"}, func() strange { return strange{} })}, "chan int"},
		"the same name twice":   {append(specs(), specs()...), "slack: there is a section of that name already"},
		"a general section":     {[]outputs.Spec{define(outputs.Spec{Name: "journal"}, func() console { return console{} })}, "journal: there is a section"},
		"no name":               {[]outputs.Spec{{}}, "expected a name"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, err := config.Load(config.Options{Specs: tt.specs})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, expected %q in it", err, tt.want)
			}
		})
	}
}
