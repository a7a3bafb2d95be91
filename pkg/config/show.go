package config

import (
	"bytes"
	"encoding"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tiercel/tiercel/pkg/secret"
)

// Formats of [Config.Show].
const (
	FormatYAML = "yaml"
	FormatJSON = "json"
)

// Show writes the config that is in force: every setting and every output in use. Secrets are written as [REDACTED],
// or as the file that they come from. YAML says behind each value that is set where it comes from; loading what was
// written gives the same config, but for secrets.
func (c *Config) Show(w io.Writer, format string) error {
	root, err := section("", c)
	if err != nil {
		return err
	}
	for i := range c.Outputs {
		o := &c.Outputs[i]
		s, err := section(o.Name, o.Config, &o.Lane)
		if err != nil {
			return err
		}
		root.settings = append(root.settings, s)
	}
	var text []byte
	switch format {
	case FormatYAML:
		text, err = encodeYAML(c.mapping(root))
	case FormatJSON:
		text, err = c.members(root).indented()
	default:
		return fmt.Errorf("format %q: expected %s or %s", format, FormatYAML, FormatJSON)
	}
	if err != nil {
		return fmt.Errorf("write the config as %s: %w", format, err)
	}
	_, err = w.Write(text)
	return err
}

// mapping gives a section as YAML.
func (c *Config) mapping(s *setting) *yaml.Node {
	node := &yaml.Node{Kind: yaml.MappingNode}
	for _, child := range s.settings {
		key := &yaml.Node{Kind: yaml.ScalarNode, Value: child.name}
		if child.kind == isSection {
			if c.isFallback(child.path) {
				key.LineComment = "in use, since no output is switched on"
			}
			node.Content = append(node.Content, key, c.mapping(child))
			continue
		}
		name, shown := c.shown(child)
		value := yamlOf(shown)
		key.Value = name
		if at, ok := c.origins[child.path]; ok {
			commented := value
			if value.Kind == yaml.MappingNode && len(value.Content) > 0 {
				commented = key
			}
			commented.LineComment = at.String()
		}
		node.Content = append(node.Content, key, value)
	}
	return node
}

// isFallback reports whether the output of that name is in use though it is not switched on.
func (c *Config) isFallback(name string) bool {
	return slices.ContainsFunc(c.Outputs, func(o Output) bool { return o.Name == name && !o.Config.Enabled() })
}

// members gives a section as JSON.
func (c *Config) members(s *setting) object {
	var o object
	for _, child := range s.settings {
		if child.kind == isSection {
			o = append(o, member{child.name, c.members(child)})
			continue
		}
		name, shown := c.shown(child)
		o = append(o, member{name, shown})
	}
	return o
}

// shown gives the key and the value to show of a leaf: a secret that comes from a file is shown as that file.
func (c *Config) shown(s *setting) (name string, value any) {
	if from := c.origins[s.path].from; from != "" {
		return s.fileName(), from
	}
	if raw := c.origins[s.path].raw; raw != "" {
		return s.name, raw
	}
	return s.name, plain(s)
}

// plain gives what a leaf holds in the terms of YAML and JSON: string, bool, int64, []string or map[string]string.
func plain(s *setting) any {
	switch held := s.field.Interface().(type) {
	case secret.String:
		return held.String()
	case time.Duration:
		return durationText(held)
	case []string:
		return slices.Clone(held)
	case map[string]string:
		return maps.Clone(held)
	case map[string]secret.String:
		redacted := make(map[string]string, len(held))
		for name, value := range held {
			redacted[name] = value.String()
		}
		return redacted
	case encoding.TextMarshaler:
		text, err := held.MarshalText()
		if err != nil {
			return ""
		}
		return string(text)
	}
	switch s.kind {
	case isBool:
		return s.field.Bool()
	case isInteger:
		return s.field.Int()
	}
	return withoutUser(s.field.String())
}

// addresses matches one address or several with commas between, and nothing else.
var addresses = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://\S*$`)

// withoutUser cuts user and password out of addresses: journal.url may hold them. Other text stays as it is.
func withoutUser(text string) string {
	if !addresses.MatchString(text) {
		return text
	}
	parts := strings.Split(text, ",")
	for i, part := range parts {
		scheme, rest, _ := strings.Cut(part, "://")
		if at := strings.LastIndexByte(rest, '@'); at >= 0 {
			parts[i] = scheme + "://" + secret.Redacted + rest[at:]
		}
	}
	return strings.Join(parts, ",")
}

// yamlOf makes a node of what plain gives.
func yamlOf(value any) *yaml.Node {
	scalar := func(tag, text string) *yaml.Node {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: strings.ToValidUTF8(text, "\uFFFD")}
	}
	switch v := value.(type) {
	case bool:
		return scalar("!!bool", strconv.FormatBool(v))
	case int64:
		return scalar("!!int", strconv.FormatInt(v, 10))
	case []string:
		list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, text := range v {
			list.Content = append(list.Content, scalar("!!str", text))
		}
		return list
	case map[string]string:
		all := &yaml.Node{Kind: yaml.MappingNode}
		if len(v) == 0 {
			all.Style = yaml.FlowStyle
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			all.Content = append(all.Content, scalar("!!str", name), scalar("!!str", v[name]))
		}
		return all
	}
	text, _ := value.(string)
	return scalar("!!str", text)
}

func encodeYAML(node *yaml.Node) ([]byte, error) {
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(node); err != nil {
		return nil, err
	}
	return b.Bytes(), encoder.Close()
}
