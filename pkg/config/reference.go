package config

import (
	"bytes"
	"strings"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/flow"
)

const referenceHead = `# Every setting with its default. It loads as it is and changes nothing: copy what you want to set.
#
# The environment wins over this file. The variable of a key is its path in capitals, joined by _: slack.webhookurl is
# SLACK_WEBHOOKURL. An empty variable counts as not set. A secret may stand in a file instead: webhookurl_file: /path,
# or SLACK_WEBHOOKURL_FILE. ${env:NAME} and ${file:/path} stand for what is there. Unknown keys and bad values stop the start. More: docs/configuration.md.
#
# This file is generated from the comments in the code: make generate.
`

const referenceOutputs = `
# ---- Outputs ----
#
# An output is used once the key is set that switches it on. When none is, alerts are written to standard output.
# Several of one kind: further sections named slack/oncall, slack/security and so on, with the same keys; or a list,
# outputs: [{type: slack, name: oncall, …}].
#
# Every output has these settings besides its own:
#
`

// Reference gives the commented config file: every setting with its default.
func Reference(specs []outputs.Spec) ([]byte, error) {
	root, err := section("", defaults())
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(referenceHead)
	for _, s := range root.settings {
		b.WriteByte('\n')
		if err := writeReference(&b, s, ""); err != nil {
			return nil, err
		}
	}
	b.WriteString(referenceOutputs)
	lane := flow.Defaults()
	every, err := section("", &lane)
	if err != nil {
		return nil, err
	}
	every.leaves(func(s *setting) {
		b.WriteString(wrapped(s.path+" ("+defaultText(s)+"): "+s.comment, "#   "))
	})
	for _, spec := range specs {
		if err := writeOutputReference(&b, spec); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// writeReference writes a setting, and what is below it.
func writeReference(b *bytes.Buffer, s *setting, indent string) error {
	b.WriteString(wrapped(s.comment, indent+"# "))
	if s.kind != isSection {
		return writeKey(b, s, indent)
	}
	b.WriteString(indent + s.name + ":\n")
	for _, child := range s.settings {
		if err := writeReference(b, child, indent+"  "); err != nil {
			return err
		}
	}
	return nil
}

// writeOutputReference writes an output's section. What every output has is not explained again.
func writeOutputReference(b *bytes.Buffer, spec outputs.Spec) error {
	o := newOutput(spec.Name, spec)
	own, err := section(spec.Name, o.Config)
	if err != nil {
		return err
	}
	lane, err := section(spec.Name, &o.Lane)
	if err != nil {
		return err
	}
	b.WriteByte('\n')
	b.WriteString(wrapped(spec.Title+". "+spec.About, "# "))
	if names := Switches(spec); len(names) > 0 {
		b.WriteString(wrapped("Switched on by: "+strings.Join(names, " or "), "# "))
	}
	b.WriteString(spec.Name + ":\n")
	for _, s := range own.settings {
		if err := writeReference(b, s, "  "); err != nil {
			return err
		}
	}
	return writeKeys(b, lane, "  ")
}

// writeKeys writes a section's settings without comments.
func writeKeys(b *bytes.Buffer, s *setting, indent string) error {
	for _, child := range s.settings {
		if child.kind == isSection {
			b.WriteString(indent + child.name + ":\n")
			if err := writeKeys(b, child, indent+"  "); err != nil {
				return err
			}
			continue
		}
		if err := writeKey(b, child, indent); err != nil {
			return err
		}
	}
	return nil
}

// writeKey writes a leaf with its default.
func writeKey(b *bytes.Buffer, s *setting, indent string) error {
	text, err := encodeYAML(yamlOf(plain(s)))
	if err != nil {
		return err
	}
	b.WriteString(indent + s.name + ": " + strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "\n"+indent+"  ") + "\n")
	return nil
}

// defaultText gives a leaf's default for a line of text.
func defaultText(s *setting) string {
	text, err := encodeYAML(yamlOf(plain(s)))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
