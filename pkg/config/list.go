package config

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// outputsKey is the key of a list of outputs, another way to write their sections:
//
//	outputs:
//	  - type: slack
//	    name: oncall
//	    webhookurl: …
//
// is the section slack/oncall; without a name it is the section slack.
const outputsKey = "outputs"

// list reads the list of outputs.
func (d *document) list(p pair, layer map[string]any) {
	node := resolve(p.node)
	if isUnset(node) {
		return
	}
	if node.Kind != yaml.SequenceNode {
		d.problem(p.line, p.name, "expected a list of outputs, each with a type, got %s", kindText(node))
		return
	}
	for _, item := range node.Content {
		d.listed(resolve(item), item.Line, layer)
	}
}

// listed reads one output of the list.
func (d *document) listed(item *yaml.Node, line int, layer map[string]any) {
	if item.Kind != yaml.MappingNode {
		d.problem(line, outputsKey, "expected an output with a type and its settings, got %s", kindText(item))
		return
	}
	var kind, name string
	rest := &yaml.Node{Kind: yaml.MappingNode, Line: line}
	for i := 0; i+1 < len(item.Content); i += 2 {
		key, held := item.Content[i], item.Content[i+1]
		var into *string
		switch strings.ToLower(key.Value) {
		case "type":
			into = &kind
		case "name":
			into = &name
		default:
			rest.Content = append(rest.Content, key, held)
			continue
		}
		text, err := scalar(held)
		if err != nil {
			d.problem(key.Line, joinPath(outputsKey, key.Value), "expected a text, %v", err)
			return
		}
		*into = strings.ToLower(strings.TrimSpace(text))
	}
	if kind == "" {
		d.problem(line, outputsKey, "expected a type, slack for example")
		return
	}
	section := kind
	if name != "" {
		section += "/" + name
	}
	whole := &yaml.Node{Kind: yaml.MappingNode, Line: line, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!str", Value: section, Line: line}, rest}}
	if old, ok := d.sections[section]; ok && layer[section] != nil {
		d.problem(line, section, "this output is there already, on line %d: give one of them another name", old.line)
		return
	}
	switch {
	case d.isOutput(kind):
		d.section(whole, d.root, layer)
	case d.foreign.take(kind, d.origin(line), rest, d.stranger):
	default:
		d.problem(line, outputsKey, "there is no output of the type %s", quote(kind))
	}
}

// stranger warns of a key that an output of falcosidekick does not have. It stops nothing: the output is not here.
func (d *document) stranger(at origin, path string, names []string) {
	text := "this output is not built yet, and its settings have no such key"
	if meant := nearest(lastPart(path), names); meant != "" {
		text += ", did you mean " + meant + "?"
	}
	d.foreign.warn(at, path, text)
}

// plainPath is a path without the name of an instance: "slack/oncall.digest" is "slack.digest".
func plainPath(path string) string {
	first, rest, deeper := strings.Cut(path, ".")
	first, _, _ = strings.Cut(first, "/")
	if !deeper {
		return first
	}
	return first + "." + rest
}
