package all_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/outputs/all"
	"github.com/tiercel/tiercel/pkg/config"
)

// Every key of falcosidekick's outputs, alone, in the file and as a variable. One of an output that is here is taken; one
// of an output that is not gives one warning, which names the output.
func TestEveryDocumentedKey(t *testing.T) {
	here := make(map[string]bool)
	for _, spec := range all.Specs() {
		here[spec.Name] = true
	}
	for _, path := range config.Documented() {
		t.Run(path, func(t *testing.T) {
			section, _, _ := strings.Cut(path, ".")
			for how, got := range map[string]result{
				"file":        loaded(t, nested(path, "something")),
				"environment": loaded(t, "", strings.ToUpper(strings.ReplaceAll(path, ".", "_"))+"=something"),
			} {
				switch {
				case here[section] && section != "otlp":
					for _, problem := range got.problems { // that it takes no "something" is fine
						if strings.Contains(problem, "unknown key") {
							t.Errorf("%s: %s", how, problem)
						}
					}
				case len(got.problems) > 0 || len(got.warnings) != 1:
					t.Errorf("%s: problems %q, warnings %q", how, got.problems, got.warnings)
				case !strings.Contains(got.warnings[0], ": "+section) || !strings.Contains(got.warnings[0], "not built yet"):
					t.Errorf("%s: %q does not say that %s is not built", how, got.warnings[0], section)
				}
			}
		})
	}
}

// As the chart sets them: every variable that nobody has set a value for is there and empty, every switch that is off
// says so, and no output of all these is in use.
func TestTheChartsVariables(t *testing.T) {
	var environ []string
	for _, path := range config.Documented() {
		environ = append(environ, strings.ToUpper(strings.ReplaceAll(path, ".", "_"))+"=")
	}
	environ = append(environ, "CUSTOMTAGS=", "CUSTOMFIELDS=", "TEMPLATEDFIELDS=", "DEBUG=false", "BRACKETREPLACER=", "OUTPUTFIELDFORMAT=",
		"SLACK_OUTPUTFORMAT=all", "AWS_CHECKIDENTITY=true", "AWS_SNS_RAWJSON=false", "KUBELESS_PORT=8080", "ELASTICSEARCH_INDEX=falco",
		"ELASTICSEARCH_TYPE=_doc", "LOKI_ENDPOINT=/loki/api/v1/push", "LOKI_CHECKCERT=true", "LOKI_MUTUALTLS=false", "SMTP_TLS=true",
		"KAFKA_TLS=false", "KAFKA_BALANCER=round_robin", "KAFKA_COMPRESSION=NONE", "KAFKA_REQUIREDACKS=NONE", "ALERTMANAGER_ENDPOINT=/api/v1/alerts",
		"ALERTMANAGER_EXPIRESAFTER=0", "SYSLOG_FORMAT=json", "WEBHOOK_METHOD=POST", "POLICYREPORT_ENABLED=false", "OTLP_TRACES_TIMEOUT=10000")
	got := loaded(t, "", environ...)
	if len(got.problems) > 0 || len(got.warnings) > 0 {
		t.Errorf("problems %q, warnings %q", got.problems, got.warnings)
	}
}

type result struct{ warnings, problems []string }

func loaded(t *testing.T, text string, environ ...string) result {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var r result
	_, warnings, err := config.Load(config.Options{File: path, Environ: environ, Specs: all.Specs()})
	for _, w := range warnings {
		r.warnings = append(r.warnings, w.String())
	}
	if err != nil {
		r.problems = strings.Split(err.Error(), "\n")
	}
	return r
}

// nested writes a key of a path as YAML.
func nested(path, value string) string {
	var b strings.Builder
	parts := strings.Split(path, ".")
	for i, part := range parts {
		b.WriteString(strings.Repeat("  ", i) + part + ":")
		if i == len(parts)-1 {
			b.WriteString(" \"" + value + "\"")
		}
		b.WriteString("\n")
	}
	return b.String()
}
