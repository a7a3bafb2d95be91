package config

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/flow"
	"github.com/tiercel/tiercel/pkg/size"
)

const docsHead = `# Configuration

Tiercel needs none: without any it takes alerts in on port 2801 and writes them to standard output. What is set comes
from a file (YAML, or JSON), and from the environment. [config.yaml](../config.yaml) shows every key with its default;
` + "`tiercel config show`" + ` prints what is in force and where each value comes from, ` + "`tiercel check`" + ` only checks.

## Which value counts

The environment wins over the file, the file over the defaults.

The variable of a key is its path in capitals, joined by ` + "`_`" + `: ` + "`slack.webhookurl`" + ` is ` + "`SLACK_WEBHOOKURL`" + `,
` + "`tlsserver.notlspaths`" + ` is ` + "`TLSSERVER_NOTLSPATHS`" + `. An empty variable counts as not set. These are falcosidekick's keys and
variables wherever it has them, so its config works unchanged. In the file, keys may be written in any case.

## How values are written

| type | written as |
| --- | --- |
| text | text; numbers need no quotes |
| one of several | as listed, in any case |
| yes or no | ` + "`true`, `false`" + ` (` + "`yes`, `on`, `1`, `no`, `off`, `0`" + ` are taken too) |
| duration | a number with a unit: ` + "`500ms`, `30s`, `5m`, `2h`, `7d`, `1d12h`" + ` |
| size | bytes, or a number with a unit: ` + "`512KiB`, `4MiB`, `1GiB`, `10MB`" + ` |
| priority | ` + "`emergency`, `alert`, `critical`, `error`, `warning`, `notice`, `informational`, `debug`" + `, in any case |
| list | a YAML list, or one text with commas between. Empty entries are left out |
| map | YAML keys and values, or one text ` + "`name:value,name:value`" + `, or a JSON object in a text. Only the first colon of an entry divides, so a value may be a URL. The names keep their case and their dots. A variable adds to the map of the file |
| secret | text that is never printed: not in logs, not in errors, not by ` + "`tiercel config show`" + ` |

## Values from elsewhere

Anywhere in a value, ` + "`${env:NAME}`" + ` stands for an environment variable and ` + "`${file:/a/path}`" + ` for what is in a file, without one
line break at its end. ` + "`${env:NAME:-text}`" + ` gives a default. What stands for nothing stops the start, with its line. ` + "`$${env:NAME}`" + `
is the text ` + "`${env:NAME}`" + ` itself. ` + "`tiercel config show`" + ` prints the reference, not what it stands for.

` + "```yaml" + `
customfields:
  cluster: ${env:CLUSTER_NAME:-unknown}
webhook:
  address: https://alerts.example.org/in?key=${file:/run/secrets/alerts}
` + "```" + `

A value of ` + "`customfields`" + ` that reads ` + "`%NAME`" + ` takes the environment variable NAME, in the file as in the variable.

## Secrets from files

Every secret has a second key with ` + "`_file`" + ` behind it, which names a file to read it from: ` + "`slack.webhookurl_file`" + `, or
` + "`SLACK_WEBHOOKURL_FILE`" + `. One line break at the end of the file is not part of the secret. Set one of the two keys, not
both; a variable wins over the file of the config, whichever of the two it is. Maps of secrets have no such key.

## Mistakes stop the start

An unknown key, a wrong type, a bad value, a key that is there twice: each is named with its line, and Tiercel does not
start. All of them are shown at once:

` + "```" + `
config.yaml:7: slack.minimumpriority: "loud" is no priority: expected one of emergency, alert, …
config.yaml:12: slack.webhokurl: unknown key, did you mean webhookurl?
environment LISTENPORT: expected a whole number, got "abc"
` + "```" + `

What is odd but harmless is a warning: an output that is set up but not switched on, a variable that nothing reads but
that looks like a misspelt one, and the section of an output of falcosidekick that is not here yet.

## Outputs

An output is used once the key is set that switches it on. When none is, alerts go to standard output. Several of one
kind are further sections, named by a slash and letters, digits or ` + "`-`" + `:

` + "```yaml" + `
slack:
  webhookurl_file: /etc/tiercel/slack
slack/oncall:
  webhookurl_file: /etc/tiercel/slack-oncall
  minimumpriority: critical
` + "```" + `

The same as a list, which some find easier to generate; ` + "`name`" + ` is what stands behind the slash:

` + "```yaml" + `
outputs:
  - type: slack
    webhookurl_file: /etc/tiercel/slack
  - type: slack
    name: oncall
    webhookurl_file: /etc/tiercel/slack-oncall
    minimumpriority: critical
` + "```" + `

The variables of such a section are made the same way, ` + "`SLACK_ONCALL_MINIMUMPRIORITY`" + `. A section that is not in the file is
made by naming it in ` + "`TIERCEL_OUTPUTS`" + `: ` + "`TIERCEL_OUTPUTS=slack/oncall,loki/audit`" + `.

How outputs connect (TLS, proxies, headers, time-outs, compression) is the same for all of them: [connections](connection.md).
`

// Docs gives the page about the configuration: how it works, then a table of every key.
func Docs(specs []outputs.Spec) ([]byte, error) {
	root, err := section("", defaults())
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(docsHead)
	b.WriteString("\n| output | category | switched on by | |\n| --- | --- | --- | --- |\n")
	for _, spec := range specs {
		fmt.Fprintf(&b, "| [%s](outputs/%s.md) | %s | %s | %s |\n",
			cell(spec.Title), spec.Name, cell(spec.Category), codes(Switches(spec)), cell(spec.About))
	}
	b.WriteString("\n## General settings\n\n")
	writeTable(&b, general(root))
	for _, s := range root.settings {
		if s.kind == isSection {
			fmt.Fprintf(&b, "\n### %s\n\n%s\n\n", s.name, cell(s.comment))
			writeTable(&b, s)
		}
	}
	lane := flow.Defaults()
	every, err := section("OUTPUT", &lane)
	if err != nil {
		return nil, err
	}
	b.WriteString("\n## What every output has\n\nThese keys stand in each output's section, besides its own.\n\n")
	writeTable(&b, every)
	for _, spec := range specs {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", cell(spec.Title), cell(spec.About))
		if err := writeOwnTable(&b, spec); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// general gives the root without its sections.
func general(root *setting) *setting {
	only := *root
	only.settings = nil
	for _, s := range root.settings {
		if s.kind != isSection {
			only.settings = append(only.settings, s)
		}
	}
	return &only
}

// OutputDocs gives the page of one output. about is what was written about it by hand, Markdown without a title: it
// begins with what the output does, and an example belongs there. Without it the spec's sentence stands there.
func OutputDocs(spec outputs.Spec, about string) ([]byte, error) {
	var b bytes.Buffer
	if about = strings.TrimSpace(about); about == "" {
		about = cell(spec.About)
	}
	fmt.Fprintf(&b, "# %s\n\n%s\n\n", spec.Title, about)
	b.WriteString("## Settings\n\n")
	if err := writeOwnTable(&b, spec); err != nil {
		return nil, err
	}
	b.WriteString("\n## Settings of every output\n\n")
	lane := flow.Defaults()
	every, err := section(spec.Name, &lane)
	if err != nil {
		return nil, err
	}
	writeTable(&b, every)
	b.WriteString("\nHow values are written, and where secrets can come from: [configuration](../configuration.md).\n")
	return b.Bytes(), nil
}

// writeOwnTable writes the table of the keys that only this output has.
func writeOwnTable(b *bytes.Buffer, spec outputs.Spec) error {
	own, err := section(spec.Name, spec.Config())
	if err != nil {
		return err
	}
	writeTable(b, own)
	return nil
}

// writeTable writes the table of a section's keys.
func writeTable(b *bytes.Buffer, s *setting) {
	b.WriteString("| key | environment | type | default | meaning |\n| --- | --- | --- | --- | --- |\n")
	s.leaves(func(leaf *setting) {
		fmt.Fprintf(b, "| `%s` | `%s` | %s | %s | %s |\n", leaf.path, leaf.env, leaf.typeName(), code(defaultText(leaf)), cell(leaf.comment))
	})
}

// typeName is what the docs call a leaf's type.
func (s *setting) typeName() string {
	if allowed := s.enum(); allowed != nil {
		return "`" + strings.Join(allowed, "`, `") + "`"
	}
	switch s.kind {
	case isSecret:
		return "secret"
	case isBool:
		return "yes or no"
	case isInteger:
		return "number"
	case isDuration:
		return "duration"
	case isParsed:
		if _, ok := reflect.TypeAssert[size.Bytes](s.field); ok {
			return "size"
		}
		return strings.ToLower(s.field.Type().Name())
	case isList:
		return "list"
	case isMap:
		return "map"
	case isSecretMap:
		return "map of secrets"
	}
	return "text"
}

// cell makes text safe for a cell of a Markdown table.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;", "\n", " ").Replace(text)
}

// code sets text as code in a cell.
func code(text string) string {
	if text == "" || text == `""` {
		return ""
	}
	return "`" + strings.ReplaceAll(text, "|", `\|`) + "`"
}

func codes(texts []string) string {
	all := make([]string, len(texts))
	for i, t := range texts {
		all[i] = code(t)
	}
	return strings.Join(all, " or ")
}
