package config_test

import (
	"slices"
	"strings"
	"testing"
)

func names(t *testing.T, text string, environ ...string) []string {
	t.Helper()
	var all []string
	for _, o := range mustLoad(t, text, environ...).Outputs {
		all = append(all, o.Name)
	}
	return all
}

func TestListOfOutputs(t *testing.T) {
	const text = `
outputs:
  - type: slack
    webhookurl: https://a
    digest: {enabled: true, above: 3}
  - name: oncall
    Type: Slack
    WebhookURL: https://b
    minimumpriority: critical
    retry: {max: 1m}
slack/more:
  webhookurl: https://c
`
	if got, want := names(t, text), []string{"slack", "slack/oncall", "slack/more"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	c := mustLoad(t, text, "SLACK_ONCALL_CHANNEL=#oncall", "SLACK_CHANNEL=#all")
	if a, b := slack(t, c, 0), slack(t, c, 1); a.Channel != "#all" || b.Channel != "#oncall" || !a.Digest.Enabled || b.WebhookURL.Reveal() != "https://b" {
		t.Errorf("got %+v and %+v", a, b)
	}
	if got := c.Outputs[1].Lane; got.MinimumPriority.String() != "Critical" || got.Retry.Max.String() != "1m0s" {
		t.Errorf("got %+v", got)
	}
}

func TestListOfOutputsMistakes(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"no list":   {"outputs: {type: slack}", []string{"config.yaml:1: outputs: expected a list of outputs, each with a type, got keys and values"}},
		"no type":   {"outputs:\n- webhookurl: x", []string{"config.yaml:2: outputs: expected a type, slack for example"}},
		"no keys":   {"outputs: [slack]", []string{"config.yaml:1: outputs: expected an output with a type and its settings, got a single value"}},
		"unknown":   {"outputs:\n- type: slak", []string{`config.yaml:2: outputs: there is no output of the type "slak"`}},
		"no output": {"outputs:\n- type: journal", []string{`config.yaml:2: outputs: there is no output of the type "journal"`}},
		"twice": {
			"slack: {webhookurl: https://x}\noutputs:\n- type: slack\n  webhookurl: https://y",
			[]string{"config.yaml:3: slack: this output is there already, on line 1: give one of them another name"},
		},
		"twice, the other way round": {
			"outputs:\n- {type: slack, webhookurl: https://y}\nslack: {webhookurl: https://x}",
			[]string{"config.yaml:3: slack: this output is there already, on line 2"},
		},
		"a key":       {"outputs:\n- type: slack\n  webhokurl: https://y", []string{"config.yaml:3: slack.webhokurl: unknown key, did you mean webhookurl?"}},
		"a bad name":  {"outputs:\n- {type: slack, name: on call, webhookurl: https://y}", []string{"config.yaml:2: slack/on call: expected after the / letters, digits and - inside, at most 63"}},
		"an odd type": {"outputs:\n- type: [slack]", []string{"config.yaml:2: outputs.type: expected a text, got a list"}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, problems := load(t, tt.text); !slices.Equal(problems, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(problems, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// An output that is not here is warned of in the list as in its section.
func TestListOfOutputsNotBuilt(t *testing.T) {
	_, warnings, problems := load(t, "outputs:\n- type: teams\n  webhookurl: https://x\n")
	if want := []string{"config.yaml:3: teams: this output is not built yet; its alerts go nowhere"}; len(problems) > 0 || !slices.Equal(warnings, want) {
		t.Errorf("got %q and %q, want %q", warnings, problems, want)
	}
}

func TestInstancesByEnvironment(t *testing.T) {
	got := names(t, "", "TIERCEL_OUTPUTS=slack/oncall, Slack/Pay-Ments ,slack", "SLACK_ONCALL_WEBHOOKURL=https://a", "SLACK_PAY_MENTS_WEBHOOKURL=https://b",
		"SLACK_PAY_MENTS_MINIMUMPRIORITY=critical", "SLACK_WEBHOOKURL=https://c")
	if want := []string{"slack", "slack/oncall", "slack/pay-ments"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	_, _, problems := load(t, "", "TIERCEL_OUTPUTS=slak/a,slack/a_b")
	want := []string{
		`environment TIERCEL_OUTPUTS: "slak/a" is no output: expected names as slack/oncall, with commas between`,
		"environment TIERCEL_OUTPUTS: slack/a_b: expected after the / letters, digits and - inside, at most 63",
	}
	if !slices.Equal(problems, want) {
		t.Errorf("got %q, want %q", problems, want)
	}
}
