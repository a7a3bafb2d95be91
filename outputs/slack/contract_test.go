package slack_test

import (
	"testing"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/outputs/outputtest"
	"github.com/tiercel/tiercel/outputs/slack"
	"github.com/tiercel/tiercel/pkg/secret"
)

func TestContract(t *testing.T) {
	outputtest.Run(t, slack.Spec, func(server string) outputs.Config {
		c := slack.Defaults()
		c.WebhookURL = secret.New(server + "/services/T0TEAM/B0HOOK/sEcReTsEcReTsEcReT")
		c.Channel = "#falco"
		c.MessageFormat = "*{{ .Priority }}* {{ .Rule }}"
		c.CustomHeaders = map[string]secret.String{"X-Relay": secret.New("hush-header")}
		c.Digest.Pace = 0
		return &c
	})
}
