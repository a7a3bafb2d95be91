package config_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/config"
)

func TestReference(t *testing.T) {
	text, err := config.Reference(specs())
	if err != nil {
		t.Fatal(err)
	}
	same(t, mustLoad(t, ""), mustLoad(t, string(text)))
	for _, want := range []string{
		"\n# Port to listen on.", "\nlistenport: 2801\n", "\njournal:\n  # Folder of the embedded journal.",
		"\n# Slack. Chat with | and <tags>.\n# Switched on by: webhookurl\nslack:\n",
		"\n  outputformat: all\n", "\n  minimumpriority: debug\n", "\n  digest:\n    enabled: false\n", "\n  customheaders: {}\n",
		"\n#   retry.max (30s): Longest pause.\n",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func TestDocs(t *testing.T) {
	text, err := config.Docs(specs())
	if err != nil {
		t.Fatal(err)
	}
	page, err := config.OutputDocs(specs()[0], "What people should know.\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\n| `listenport` | `LISTENPORT` | number | `2801` | Port to listen on.",
		"\n| `journal.deadletters.maxsize` | `JOURNAL_DEADLETTERS_MAXSIZE` | size | `128MiB` |",
		"\n| `slack.webhookurl` | `SLACK_WEBHOOKURL` | secret |  |",
		"\n| `slack.outputformat` | `SLACK_OUTPUTFORMAT` | `all`, `text`, `fields` | `all` |",
		"\n| `OUTPUT.minimumpriority` | `OUTPUT_MINIMUMPRIORITY` | priority | `debug` |",
		`of &lt;timestamp&gt;`,
		`| chat | ` + "`webhookurl`" + ` | Chat with \| and &lt;tags&gt;. |`,
	} {
		if !strings.Contains(string(text), strings.ReplaceAll(want, "of &lt;", "&lt;")) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	for _, want := range []string{
		"# Slack\n\nWhat people should know.\n\n## Settings\n", "| `slack.customheaders` | `SLACK_CUSTOMHEADERS` | map of secrets | `{}` | Headers to add",
		"| `slack.retry.max` | `SLACK_RETRY_MAX` | duration | `30s` | Longest pause. |",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("%q is not in\n%s", want, page)
		}
	}
	if page, err = config.OutputDocs(specs()[0], " "); err != nil || !strings.HasPrefix(string(page), "# Slack\n\nChat with \\| and &lt;tags&gt;.\n\n## Settings\n") {
		t.Errorf("%v, nothing written by hand:\n%s", err, page)
	}
}

func TestSchema(t *testing.T) {
	text, err := config.Schema(specs())
	if err != nil {
		t.Fatal(err)
	}
	type node struct {
		Type                 any
		Description          string
		Default              any
		Enum                 []string
		Ref                  string `json:"$ref"`
		Properties           map[string]node
		PatternProperties    map[string]node
		AdditionalProperties any
		Defs                 map[string]node `json:"$defs"`
	}
	var schema node
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	if schema.AdditionalProperties != false || schema.Properties["journal"].AdditionalProperties != false || schema.Defs["slack"].AdditionalProperties != false {
		t.Error("unknown keys are allowed")
	}
	if p := schema.Properties["listenport"]; p.Type != "integer" || p.Default != 2801.0 || !strings.HasPrefix(p.Description, "Port to listen on.") {
		t.Errorf("listenport: %+v", p)
	}
	own := schema.Defs["slack"]
	if p := own.Properties["minimumpriority"]; len(p.Enum) != 9 || p.Enum[0] != "emergency" || p.Enum[8] != "" || p.Default != "debug" {
		t.Errorf("minimumpriority: %+v", p)
	}
	if p := own.Properties["outputformat"]; !slices.Equal(p.Enum, []string{"all", "text", "fields"}) {
		t.Errorf("outputformat: %+v", p)
	}
	if _, ok := own.Properties["webhookurl_file"]; !ok || own.Properties["retry"].Properties["max"].Default != "30s" {
		t.Errorf("slack: %+v", own)
	}
	if schema.Properties["slack"].Ref != "#/$defs/slack" || schema.PatternProperties["^slack/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"].Ref != "#/$defs/slack" {
		t.Error("the section, or the one for instances, is missing")
	}
	missing := ""
	for pattern := range schema.PatternProperties {
		if strings.Contains(pattern, "|teams|") {
			missing = pattern
		}
	}
	if missing == "" || strings.Contains(missing, "|slack|") {
		t.Errorf("the outputs that are not here are not told apart: %s", missing)
	}
}

// The three say the same of every key: what is in the reference is in the schema and the docs.
func TestGeneratedTextsAgree(t *testing.T) {
	text, err := config.Schema(specs())
	if err != nil {
		t.Fatal(err)
	}
	docs, err := config.Docs(specs())
	if err != nil {
		t.Fatal(err)
	}
	var shown bytes.Buffer
	if err := mustLoad(t, "slack: {webhookurl: "+hook+"}\nstdout: {enabled: true}").Show(&shown, config.FormatJSON); err != nil {
		t.Fatal(err)
	}
	var effective, schema map[string]any
	if err := json.Unmarshal(shown.Bytes(), &effective); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	lane := []string{"minimumpriority", "when", "timeout", "maxage", "retry"}
	count := 0
	var walk func(values, properties map[string]any, path string)
	walk = func(values, properties map[string]any, path string) {
		for key, value := range values {
			count++
			property, ok := properties[key].(map[string]any)
			if !ok {
				t.Errorf("%s%s is not in the schema", path, key)
				continue
			}
			if reference, ok := property["$ref"].(string); ok {
				definitions, _ := schema["$defs"].(map[string]any)
				property, _ = definitions[strings.TrimPrefix(reference, "#/$defs/")].(map[string]any)
			}
			below, isSection := value.(map[string]any)
			if further, ok := property["properties"].(map[string]any); ok && isSection {
				walk(below, further, path+key+".")
				continue
			}
			if !slices.Contains(lane, key) && !strings.Contains(path, "retry.") && !strings.Contains(string(docs), "| `"+path+key+"` |") {
				t.Errorf("%s%s is not in the docs", path, key)
			}
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	walk(effective, properties, "")
	if count < 60 {
		t.Errorf("only %d keys were compared", count)
	}
}

func TestSwitches(t *testing.T) {
	all := specs()
	if got := config.Switches(all[0]); !slices.Equal(got, []string{"webhookurl"}) {
		t.Errorf("got %q", got)
	}
	if got := config.Switches(all[1]); !slices.Equal(got, []string{"enabled"}) {
		t.Errorf("got %q", got)
	}
	always := define(outputs.Spec{Name: "a"}, func() console { return console{On: true} })
	if got := config.Switches(always); got != nil {
		t.Errorf("got %q", got)
	}
}
