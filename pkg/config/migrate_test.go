package config_test

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/config"
)

func migrate(t *testing.T, m config.Migration) (*config.Migrated, string) {
	t.Helper()
	m.Specs = specs()
	migrated, err := config.Migrate(m)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := migrated.Write(&b); err != nil {
		t.Fatal(err)
	}
	return migrated, b.String()
}

// alike fails where two configs differ in anything.
func alike(t *testing.T, a, b *config.Config) {
	t.Helper()
	differing, err := a.Differing(b)
	if err != nil || len(differing) > 0 || len(a.Outputs) != len(b.Outputs) {
		t.Fatalf("they differ in %v, %d and %d outputs (%v)", differing, len(a.Outputs), len(b.Outputs), err)
	}
	for i := range a.Outputs {
		x, y := a.Outputs[i], b.Outputs[i]
		if x.Name != y.Name || x.Lane != y.Lane || !reflect.DeepEqual(x.Config, y.Config) {
			t.Errorf("%s differs from %s:\n%+v\n%+v", x.Name, y.Name, x, y)
		}
	}
}

const sidekick = `
listenport: 2900
customfields: {Akey: "AValue", k8s.cluster: "${literal} $5", ref: "$${env:X}"}
templatedfields: {who: '{{ or (index . "user.name") "nobody" }}'}
customtags: [one, "two, three"]
mutualtlsfilespath: /certs
slack:
  webhookurl: https://hush/services/T0
  channel: "#falco"
  outputformat: text
  minimumpriority: info
  customheaders: {X-Api-Key: hush-key, x: "${env:FROM}"}
  maxconcurrentrequests: 1
`

func TestMigrateRoundTrip(t *testing.T) {
	environ := []string{"FROM=hush-env", "SLACK_USERNAME=Falcosidekick 한글", "BRACKETREPLACER=_", "CUSTOMTAGS="}
	original := mustLoad(t, sidekick, environ...)

	migrated, text := migrate(t, config.Migration{Name: "falcosidekick.yaml", Text: []byte(sidekick), Environ: environ})
	if strings.Contains(text, "hush") {
		t.Errorf("a secret is written:\n%s", text)
	}
	want := []string{"SLACK_CUSTOMHEADERS_X_API_KEY", "SLACK_CUSTOMHEADERS_X", "SLACK_WEBHOOKURL"}
	if !slices.Equal(migrated.Variables, want) {
		t.Errorf("variables %v, want %v", migrated.Variables, want)
	}
	alike(t, original, mustLoad(t, text, "SLACK_WEBHOOKURL=https://hush/services/T0", "SLACK_CUSTOMHEADERS_X_API_KEY=hush-key", "SLACK_CUSTOMHEADERS_X=hush-env"))

	_, text = migrate(t, config.Migration{Name: "falcosidekick.yaml", Text: []byte(sidekick), Environ: environ, Secrets: true})
	alike(t, original, mustLoad(t, text))
}

func TestMigrateValues(t *testing.T) {
	const inner = `
config:
  existingSecret: more
  extraEnv: [{name: CUSTOMTAGS, value: "a, b"}, {name: ELSEWHERE, valueFrom: {secretKeyRef: {name: x, key: y}}}]
  extraArgs: [-v]
  customfields: "a:b,c:http://d:1"
  tlsserver: {deploy: false, servercrt: "---"}
  slack: {webhookurl: https://hush, footer: "", outputformat: all}
  teams: {webhookurl: https://teams, outputformat: all}
  slak: {a: b}
replicaCount: 2
webui: {enabled: true}
`
	nested := "falco: {tty: true}\nfalcosidekick:\n  enabled: true\n" + strings.ReplaceAll(inner, "\n", "\n  ")
	for name, text := range map[string]string{"of its chart": inner, "of Falco's chart": nested} {
		t.Run(name, func(t *testing.T) {
			m, written := migrate(t, config.Migration{Name: "values.yaml", Text: []byte(text), Secrets: true})
			alike(t, mustLoad(t, "customfields: {a: b, c: 'http://d:1'}\ncustomtags: [a, b]\nslack: {webhookurl: https://hush}"), mustLoad(t, written))
			for _, want := range []string{"Secret \"more\"", "variable ELSEWHERE", "extraArgs", "tlsserver.servercrt", "teams: this output is not built yet", "slak: unknown key, did you mean slack?; it is left out", "replicaCount", "webui: falcosidekick's UI"} {
				if !slices.ContainsFunc(m.Notes, func(n string) bool { return strings.Contains(n, want) }) {
					t.Errorf("no note says %q:\n%s", want, strings.Join(m.Notes, "\n"))
				}
			}
		})
	}
}

func TestMigrateVariablesAlone(t *testing.T) {
	environ := []string{"SLACK_WEBHOOKURL=https://hush", "SLACK_MINIMUMPRIORITY=warn", "TEAMS_WEBHOOKURL=", "NATS_MINIMUMPRIORITY=error", "CUSTOMTAGS="}
	m, text := migrate(t, config.Migration{Environ: environ})
	alike(t, mustLoad(t, "slack: {webhookurl: https://hush, minimumpriority: warning}"), mustLoad(t, text, "SLACK_WEBHOOKURL=https://hush"))
	if !strings.Contains(strings.Join(m.Notes, "\n"), "nats: this output is not built yet; its settings do nothing") {
		t.Errorf("got %v", m.Notes)
	}
	m, text = migrate(t, config.Migration{})
	alike(t, mustLoad(t, ""), mustLoad(t, text))
	if !strings.Contains(strings.Join(m.Notes, "\n"), "alerts go to standard output") {
		t.Errorf("got %v", m.Notes)
	}
}

func TestMigrateMistakes(t *testing.T) {
	for name, text := range map[string]string{
		"no YAML": "slack: {", "a bad priority": "slack: {webhookurl: https://x, minimumpriority: loud}", "a bad port": "listenport: abc",
	} {
		_, err := config.Migrate(config.Migration{Name: "f.yaml", Text: []byte(text), Specs: specs()})
		var invalid *config.Invalid
		if !errors.As(err, &invalid) || !strings.HasPrefix(invalid.Problems[0].String(), "f.yaml") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzMigrate(f *testing.F) {
	f.Add(sidekick)
	f.Add("config: {extraEnv: [{name: A, value: b}], existingSecret: &a x}\nfalcosidekick: *a")
	f.Add("a: &a [*a]\nconfig: *a")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := config.Migrate(config.Migration{Name: "f.yaml", Text: []byte(text), Specs: specs(), Secrets: true})
		if err != nil {
			return
		}
		if err := m.Write(new(bytes.Buffer)); err != nil {
			t.Error(err)
		}
	})
}
