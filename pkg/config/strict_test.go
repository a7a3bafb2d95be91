package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/config"
)

func TestEveryProblemIsNamed(t *testing.T) {
	tests := []struct {
		name, file string
		environ    []string
		want       []string
	}{
		{
			name: "unknown keys",
			file: "slak: {}\nslack:\n  webhokurl: x\n  retry: {mx: 1s}\n  zebra: 1\njournal:\n  Max-Size: 1\nteems: {}\nprometeus:\n",
			want: []string{
				"config.yaml:1: slak: unknown key, did you mean slack?",
				"config.yaml:3: slack.webhokurl: unknown key, did you mean webhookurl?",
				"config.yaml:4: slack.retry.mx: unknown key, did you mean max?",
				"config.yaml:5: slack.zebra: unknown key",
				"config.yaml:7: journal.Max-Size: unknown key, did you mean maxsize?",
				"config.yaml:8: teems: unknown key, did you mean teams?",
				"config.yaml:9: prometeus: unknown key, did you mean prometheus?",
			},
		},
		{
			name: "dotted keys",
			file: "slack.webhookurl: x\nslack: {retry.max: 1}",
			want: []string{
				"config.yaml:1: slack.webhookurl: unknown key: write the parts of it below each other, not with dots between",
				"config.yaml:2: slack.retry.max: unknown key: write the parts of it below each other, not with dots between",
			},
		},
		{
			name: "bad values in the file",
			file: `listenport: abc
debug: maybe
journal:
  maxage: 10
  maxsize: large
  replicas: 1.5
slack:
  minimumpriority: loud
  outputformat: al
  digest:
    above: 300
    enabled: 2
  timeout: 5 minutes
  retry: {max: 99999999999d}
`,
			want: []string{
				`config.yaml:1: listenport: expected a whole number, got "abc"`,
				`config.yaml:2: debug: expected true or false, got "maybe"`,
				`config.yaml:4: journal.maxage: "10" is no duration: expected a number with a unit, 500ms, 30s, 5m, 2h or 7d for example`,
				`config.yaml:5: journal.maxsize: "large" is no size: expected a number of bytes, or a number with a unit, 4MiB for example`,
				`config.yaml:6: journal.replicas: expected a whole number, got "1.5"`,
				`config.yaml:8: slack.minimumpriority: "loud" is no priority: expected one of emergency, alert, critical, error, warning, notice, informational, debug`,
				`config.yaml:9: slack.outputformat: "al" is none of all, text, fields, did you mean all?`,
				`config.yaml:11: slack.digest.above: expected a whole number, got "300"`,
				`config.yaml:12: slack.digest.enabled: expected true or false, got "2"`,
				`config.yaml:13: slack.timeout: "5 minutes" is no duration: expected a number with a unit, 500ms, 30s, 5m, 2h or 7d for example`,
				`config.yaml:14: slack.retry.max: "99999999999d" is no duration: expected a number with a unit, 500ms, 30s, 5m, 2h or 7d for example`,
			},
		},
		{
			name: "bad values in the environment", file: "slack: {minimumpriority: error}",
			environ: []string{
				"SLACK_MINIMUMPRIORITY=loud", "LISTENPORT=99999999999999999999", "CUSTOMTAGS=\xff", "CUSTOMFIELDS=a:b,nonsense",
				`TEMPLATEDFIELDS={"a":[1]}`,
			},
			want: []string{
				`environment CUSTOMFIELDS: entry 2 has no name and colon: expected name:value,name:value, or a JSON object where values hold commas`,
				`environment CUSTOMTAGS: expected UTF-8`,
				`environment LISTENPORT: expected a whole number, got "99999999999999999999"`,
				`environment SLACK_MINIMUMPRIORITY: "loud" is no priority: expected one of emergency, alert, critical, error, warning, notice, informational, debug`,
				`environment TEMPLATEDFIELDS: the value of "a" is no single value`,
			},
		},
		{
			name: "wrong types",
			file: `slack: none
journal: [1]
customfields: [a]
customtags: {a: b}
listenport: {a: 1}
templatedfields: {a: [b]}
tlsserver:
  certfile: [x]
  notlspaths: [[a]]
`,
			want: []string{
				"config.yaml:1: slack: expected keys and values, got a single value",
				"config.yaml:2: journal: expected keys and values, got a list",
				"config.yaml:3: customfields: expected names and values, got a list",
				"config.yaml:4: customtags: expected a list of texts, got keys and values",
				"config.yaml:5: listenport: expected a whole number, got keys and values",
				"config.yaml:6: templatedfields.a: expected a text, got a list",
				"config.yaml:8: tlsserver.certfile: expected a text, got a list",
				"config.yaml:9: tlsserver.notlspaths: expected a list of texts, one of them got a list",
			},
		},
		{
			name: "duplicates",
			file: "slack: {channel: a, Channel: b}\nlistenport: 1\nListenPort: 2\ncustomfields: {a: 1, b: 2, a: 3}\nslack/a: {}\nslack/A: {}\n",
			want: []string{
				"config.yaml:1: slack.Channel: this key is there already, on line 1",
				"config.yaml:3: ListenPort: this key is there already, on line 2",
				"config.yaml:4: customfields.a: this key is there already, on line 4",
				"config.yaml:6: slack/A: this key is there already, on line 5",
			},
		},
		{name: "a list", file: "- slack\n", want: []string{"config.yaml:1: expected keys and values, got a list"}},
		{name: "a text", file: "\nslack\n", want: []string{"config.yaml:2: expected keys and values, got a single value"}},
		{name: "several documents", file: "debug: true\n---\ndebug: false\n", want: []string{"config.yaml:2: a second document begins here: expected one document"}},
		{name: "a key that is no name", file: "? [a]\n: b\n", want: []string{"config.yaml:1: expected a name as key, got a list"}},
		{name: "not YAML", file: "debug: true\nslack: 'open\n", want: []string{"config.yaml:2: not YAML: found unexpected end of stream"}},
		{name: "a tab", file: "slack:\n\twebhookurl: x\n", want: []string{"config.yaml:2: not YAML: found character that cannot start any token: the line begins with a tab, YAML takes blanks only"}},
		{name: "merging no mapping", file: "slack: {<<: [a]}", want: []string{"config.yaml:1: slack: expected keys and values to merge, got a single value"}},
		{name: "merging itself", file: "slack/a: &a {webhookurl: https://x, <<: *a}", want: []string{"config.yaml:1: slack/a: expected keys and values to merge, got merges that do not end"}},
		{
			name: "instances", file: "slack/: {}\nslack/a_b: {}\nsmoke/a: {}\nslack/ok/ok: {}\nslack/retry: {}\n",
			want: []string{
				"config.yaml:1: slack/: expected after the / letters, digits and - inside, at most 63",
				"config.yaml:2: slack/a_b: expected after the / letters, digits and - inside, at most 63",
				"config.yaml:3: smoke/a: unknown key",
				"config.yaml:4: slack/ok/ok: expected after the / letters, digits and - inside, at most 63",
			},
		},
		{
			name: "instances that share a variable", file: "slack/digest: {}\nslack: {}\nslack/a-b: {}\nslack/a: {}\n",
			want: nil,
		},
		{
			name: "what the sections say",
			file: `journal:
  storage: file
  sync: sometimes
  full: refused
slack:
  webhookurl: http://x
  digest:
    enabled: true
  retry:
    max: 1ms
slack/b:
  when: |
    nonsense(
  webhookurl: https://x
`,
			environ: []string{"JOURNAL_REPLICAS=2", "SLACK_B_DIGEST_ENABLED=1"},
			want: []string{
				`config.yaml:3: journal.sync: "sometimes" is none of always, interval, none`,
				`config.yaml:4: journal.full: "refused" is none of discard-oldest, refuse, did you mean refuse?`,
				`config.yaml:6: slack.webhookurl: expected a URL with https://, got "[REDACTED]"`,
				`config.yaml:7: slack.digest.above: expected at least 1, got 0`,
				`config.yaml:9: slack.retry: expected 0 < initial <= max, got 200ms and 1ms`,
				`config.yaml:11: slack/b.digest.above: expected at least 1, got 0`,
				"config.yaml:12: slack/b.when: expected an expression that is true or false: unexpected token EOF (1:10) | nonsense( | .........^",
				`environment JOURNAL_REPLICAS: expected 1, 3 or 5, got 2`,
				`environment JOURNAL_REPLICAS: the embedded journal has one copy: set url to an existing NATS cluster for 2`,
			},
		},
		{
			name: "a value that failed is not judged again",
			file: "slack: {webhookurl: [a], digest: {enabled: true, above: x}}",
			want: []string{
				"config.yaml:1: slack.webhookurl: expected a text, got a list",
				`config.yaml:1: slack.digest.above: expected a whole number, got "x"`,
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, problems := load(t, tt.file, tt.environ...)
			if !slices.Equal(problems, tt.want) {
				t.Errorf("got\n%s\nexpected\n%s", strings.Join(problems, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	folder := t.TempDir()
	toml := filepath.Join(folder, "config.toml")
	if err := os.WriteFile(toml, []byte("debug = true"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(folder, "none.yaml"): "none.yaml: there is no such file: check the path, or start without a config file, everything has a default",
		folder:                             ": cannot read it: is a directory",
		toml:                               "config.toml: .toml files are not read: expected YAML or JSON",
	} {
		_, _, err := config.Load(config.Options{File: path, Specs: specs()})
		var invalid *config.Invalid
		if !errors.As(err, &invalid) || !strings.HasSuffix(err.Error(), want) || !strings.HasPrefix(err.Error(), folder) {
			t.Errorf("%s: got %v, expected %s", path, err, want)
		}
	}
}

func TestJSONIsTaken(t *testing.T) {
	c := mustLoad(t, "{\n\t\"listenport\": 9,\n\t\"customfields\": {\"A.b\": \"\\u00e9 \\/ \\ud83e\\udd85 \\\\ud83e \\ud83e\"},\n\t\"slack\": {\"webhookurl\": \""+hook+"\"}\n}\n")
	if c.HTTP.ListenPort != 9 || c.Normalize.CustomFields["A.b"] != "é / 🦅 \\ud83e \uFFFD" || slack(t, c, 0).WebhookURL.Reveal() != hook {
		t.Errorf("got %+v", c)
	}
}

// Wherever a secret stands, and whatever is wrong around it, what is printed does not hold it.
func TestErrorsHoldNoSecrets(t *testing.T) {
	const it = "hunter2-hunter2"
	files := []string{
		"slack: {webhookurl: " + it + "}",
		"slack: {webhookurl: *" + it + "}",
		"slack: {webhookurl: &" + it + "}",
		"slack: {webhookurl: !" + it + "}",
		"slack: {webhookurl: !!binary " + it + "}",
		"slack: {webhookurl: [" + it + "]}",
		"slack: {webhookurl: {" + it + ": x}}",
		"slack: {webhookurl: @" + it + "}",
		"slack: {webhookurl: %" + it + "}",
		"slack: {webhookurl: '" + it + "' " + it + "}",
		"slack: {webhookurl: \"\\q" + it + "\"}",
		"slack:\n  webhookurl: " + it + "\n wrong",
		"slack:\n  webhookurl:" + it,
		"slack: {webhookurl:" + it + "}",
		"slack: {token:" + it + ", x: 1}",
		"slack: {customheaders: [" + it + "]}",
		"slack: {customheaders: " + it + "}",
		"slack: {customheaders: 'a:b," + it + "'}",
		"slack: {customheaders: {a: [" + it + "]}}",
		`slack: {customheaders: '{"a":["` + it + `"]}'}`,
		`slack: {customheaders: '{"a":"` + it + `"'}`,
		`slack: {customheaders: '{"a":"\u` + it + `"}'}`,
		"receiver: {token: " + it + ", token_file: /x}",
		"journal: {token: " + it + ", maxsize: 1}",
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			_, warnings, problems := load(t, file)
			if len(problems) == 0 {
				t.Fatal("expected a problem")
			}
			for _, line := range append(warnings, problems...) {
				if strings.Contains(line, it) {
					t.Errorf("it is in %q", line)
				}
			}
		})
	}
	for _, variable := range []string{
		"SLACK_WEBHOOKURL=" + it, "SLACK_CUSTOMHEADERS=" + it, "SLACK_CUSTOMHEADERS={" + it, "SLACK_CUSTOMHEADERS=a:b," + it,
		"SLACK_WEBHOOKURLS=" + it, "TEAMS_WEBHOOKURL=" + it,
	} {
		t.Run(variable, func(t *testing.T) {
			_, warnings, problems := load(t, "", variable)
			if len(problems)+len(warnings) == 0 {
				t.Fatal("expected a problem or a warning")
			}
			for _, line := range append(warnings, problems...) {
				if strings.Contains(line, it) {
					t.Errorf("it is in %q", line)
				}
			}
		})
	}
}

func TestFindingsAreOneLineEach(t *testing.T) {
	_, _, problems := load(t, "\"a\\nb\\e[31m\": 1\nslack: {when: \"a\\nb\"}\n\"\\u0000\": 2\n")
	if len(problems) != 3 {
		t.Fatalf("got %q", problems)
	}
	for _, p := range problems {
		if strings.ContainsAny(p, "\x1b\x00") {
			t.Errorf("a control character is in %q", p)
		}
	}
}

// A small file whose merges stand for very many keys must not take long.
func TestMergeBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("customfields: &a0 {x: y}\n")
	for i := range 9 {
		from := strings.Repeat("*a"+string(rune('0'+i))+",", 20)
		b.WriteString("slack/a" + string(rune('0'+i)) + ": &a" + string(rune('1'+i)) + " {<<: [" + from + "]}\n")
	}
	_, _, problems := load(t, b.String())
	if !slices.Contains(problems, "config.yaml: the file holds more than 100000 keys") {
		t.Errorf("got %q", problems[:min(5, len(problems))])
	}
}
