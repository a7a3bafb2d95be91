package config_test

import (
	"slices"
	"strings"
	"testing"
)

func TestWarnings(t *testing.T) {
	tests := []struct {
		name, file string
		environ    []string
		want       []string
	}{
		{
			name: "everything listed and empty, as in many examples",
			file: `
slack:
  webhookurl: ""
  #channel: ""
  username: "Falcosidekick"
  outputformat: "all"
  minimumpriority: ""
  customheaders: {}
  quiet: ""
  checkcert: true
  timeout: 10s
teams:
  webhookurl: ""
  outputformat: "all"
  minimumpriority: ""
kafka:
alertmanager:
  # hostport: ""
aws:
  s3:
    bucket: ""
    prefix: falco
  sns:
    rawjson: false
policyreport:
  enabled: false
  maxevents: 1000
`,
			environ: []string{"SLACK_OUTPUTFORMAT=all", "SLACK_FOOTER=", "ELASTICSEARCH_INDEX=falco", "POLICYREPORT_ENABLED=false", "TEAMS_OUTPUTFORMAT=all"},
		},
		{
			name: "set up but off", file: "debug: true\nslack:\n  channel: x\n",
			want: []string{"config.yaml:2: slack: webhookurl is not set: this output is off"},
		},
		{
			name: "set up by a variable but off", environ: []string{"SLACK_CHANNEL=x"},
			want: []string{"environment SLACK_CHANNEL: slack: webhookurl is not set: this output is off"},
		},
		{
			name: "an instance that is off", file: "slack/oncall:\n  webhookurl:\n",
			want: []string{"config.yaml:1: slack/oncall: webhookurl is not set: this output is off"},
		},
		{
			name: "off on purpose", file: "slack: {webhookurl: https://x}\nstdout: {enabled: false, format: json}\n",
		},
		{
			name: "off without saying so", file: "slack: {webhookurl: https://x}\nstdout: {format: json}\n",
			want: []string{"config.yaml:2: stdout: enabled is not set: this output is off"},
		},
		{
			name: "outputs of falcosidekick that are not here",
			file: `teams:
  WebhookURL: https://x
aws:
  region: eu-central-1
  s3: {bucket: b}
  sqs: {url: u}
alertmanager:
  hostport: [a, b]
policyreport: {enabled: true}
opsgenie: text
`,
			environ: []string{"DISCORD_WEBHOOKURL=x", "GCP_PUBSUB_TOPIC=t", "TELEGRAM_TOKEN=t"},
			want: []string{
				"config.yaml:2: teams: this output is not built yet; its alerts go nowhere",
				"config.yaml:5: aws.s3: this output is not built yet; its alerts go nowhere",
				"config.yaml:6: aws.sqs: this output is not built yet; its alerts go nowhere",
				"config.yaml:8: alertmanager: this output is not built yet; its alerts go nowhere",
				"config.yaml:9: policyreport: this output is not built yet; its alerts go nowhere",
				"config.yaml:10: opsgenie: this output is not built yet, and its settings have no such key",
				"environment DISCORD_WEBHOOKURL: discord: this output is not built yet; its alerts go nowhere",
				"environment GCP_PUBSUB_TOPIC: gcp.pubsub: this output is not built yet; its alerts go nowhere",
				"environment TELEGRAM_TOKEN: telegram: this output is not built yet; its alerts go nowhere",
			},
		},
		{
			name: "set up, but not here and not on",
			file: `teams:
  minimumpriority: warning
  activityimage: https://x
aws:
  region: eu-central-1
  s3: {prefix: mine}
dogstatsd:
  tags: [a, b]
pagerduty: {region: eu, routingkeys: x}
`,
			environ: []string{"GCP_WORKLOADIDENTITY=true", "TELEGRAM_MESSAGE_THREAD_ID=3"},
			want: []string{
				"config.yaml:2: teams: this output is not built yet; its settings do nothing",
				"config.yaml:5: aws: this output is not built yet; its settings do nothing",
				"config.yaml:6: aws.s3: this output is not built yet; its settings do nothing",
				"config.yaml:8: dogstatsd: this output is not built yet; its settings do nothing",
				"config.yaml:9: pagerduty.routingkeys: this output is not built yet, and its settings have no such key, did you mean routingkey?",
				"config.yaml:9: pagerduty: this output is not built yet; its settings do nothing",
				"environment GCP_WORKLOADIDENTITY: gcp: this output is not built yet; its settings do nothing",
				"environment TELEGRAM_MESSAGE_THREAD_ID: telegram: this output is not built yet; its settings do nothing",
			},
		},
		{
			name:    "an output that the environment would make if it were named",
			environ: []string{"SLACK_ON_CALL_WEBHOOKURL=https://x"},
			want:    []string{"environment SLACK_ON_CALL_WEBHOOKURL: nothing reads this variable: for an output slack/on-call, add that to TIERCEL_OUTPUTS"},
		},
		{
			name: "variables that are nearly right",
			environ: []string{
				"LISTEN_PORT=1", "SLACK_WEBHOKURL=x", "SLACK_WEB_HOOK_URL=x", "CUSTOMFIELD=a:b", "JOURNAL_DEADLETTER_MAXSIZE=1",
				"JOURNAL_STREAM=8:1234", "PATH=/bin", "HOSTNAME=h", "HOME=/", "SLACK_PORT=tcp://10.0.0.1:80", "SLACK_SERVICE_HOST=10.0.0.1",
				"KUBERNETES_SERVICE_PORT=443", "TEAMS_WEBHOKURL=x", "LOG_LEVEL=warn",
			},
			want: []string{
				"environment CUSTOMFIELD: nothing reads this variable, did you mean CUSTOMFIELDS?",
				"environment JOURNAL_DEADLETTER_MAXSIZE: nothing reads this variable, did you mean JOURNAL_DEADLETTERS_MAXSIZE?",
				"environment LISTEN_PORT: nothing reads this variable, did you mean LISTENPORT?",
				"environment SLACK_WEBHOKURL: nothing reads this variable, did you mean SLACK_WEBHOOKURL?",
				"environment SLACK_WEB_HOOK_URL: nothing reads this variable, did you mean SLACK_WEBHOOKURL?",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, warnings, problems := load(t, tt.file, tt.environ...)
			if len(problems) > 0 {
				t.Errorf("problems: %q", problems)
			}
			if !slices.Equal(warnings, tt.want) {
				t.Errorf("got\n%s\nexpected\n%s", strings.Join(warnings, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}
