package config

import (
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/secret"
)

// Migration is what [Migrate] reads: falcosidekick's config file, its variables, or its chart's values.
type Migration struct {
	Name    string   // of the file, for findings
	Text    []byte   // of the file, or the values; nil is none
	Environ []string // NAME=value
	Specs   []outputs.Spec
	Secrets bool // write secrets into the config, instead of references to variables
}

// Migrated is the same config in our words.
type Migrated struct {
	Config    *Config
	Notes     []string // what improves, changes, or is not supported
	Variables []string // that the config refers to for secrets, in the order of the config
	secrets   bool
}

// Migrate reads falcosidekick's config. The error is an [*Invalid] where something of it cannot be understood. Keys that
// falcosidekick does not know either are left out, with a note.
func Migrate(m Migration) (*Migrated, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(m.Text, &document); err != nil {
		return nil, &Invalid{[]Finding{{File: m.Name, Text: "not YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")}}}
	}
	result := &Migrated{secrets: m.Secrets}
	environ := slices.Clone(m.Environ)
	if !isEmpty(&document) {
		if inner, ok := valuesOf(document.Content[0]); ok {
			environ = append(environ, result.fromValues(document.Content[0], inner)...)
			document.Content[0] = inner
		}
	}
	options := Options{File: m.Name, Environ: environ, Specs: m.Specs, node: &document}
	if options.File == "" {
		options.File = "values"
	}
	cfg, warnings, err := Load(options)
	if err != nil {
		return nil, err
	}
	result.Config = cfg
	for _, w := range warnings {
		result.note("not supported", "%s", w.String())
	}
	result.differences()
	return result, nil
}

func (m *Migrated) note(kind, format string, args ...any) {
	m.Notes = append(m.Notes, kind+": "+fmt.Sprintf(format, args...))
}

// valuesOf finds the config in a chart's values: below config, or below falcosidekick.config as in Falco's own chart.
func valuesOf(root *yaml.Node) (*yaml.Node, bool) {
	if inner := below(root, "falcosidekick"); inner != nil {
		if found := below(inner, "config"); found != nil && found.Kind == yaml.MappingNode {
			return found, true
		}
	}
	found := below(root, "config")
	return found, found != nil && found.Kind == yaml.MappingNode
}

// below gives what stands under a key of a mapping, or nil.
func below(n *yaml.Node, key string) *yaml.Node {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if strings.EqualFold(n.Content[i].Value, key) {
			return resolve(n.Content[i+1])
		}
	}
	return nil
}

// remove takes a key out of a mapping and gives what stood there.
func remove(n *yaml.Node, key string) *yaml.Node {
	found := below(n, key)
	n.Content = slices.Clone(n.Content)
	for i := 0; i+1 < len(n.Content); i += 2 {
		if strings.EqualFold(n.Content[i].Value, key) {
			n.Content = slices.Delete(n.Content, i, i+2)
			break
		}
	}
	return found
}

// fromValues takes out of a chart's config what is the chart's and not the program's. It gives the variables that the
// values set.
func (m *Migrated) fromValues(root, config *yaml.Node) (environ []string) {
	if inner := below(root, "falcosidekick"); inner != nil {
		root = inner
	}
	if name := textOrNothing(remove(config, "existingSecret")); name != "" {
		m.note("keep", "the Secret %s has further variables (existingSecret): give them to the container by envFrom, they work as they are", quote(name))
	}
	if args := remove(config, "extraArgs"); args != nil && len(args.Content) > 0 {
		m.note("not supported", "extraArgs: tiercel has its own command line, see docs/cli.md")
	}
	if list := remove(config, "extraEnv"); list != nil {
		for _, item := range list.Content {
			name := textOrNothing(below(item, "name"))
			if value := textOrNothing(below(item, "value")); value != "" {
				environ = append(environ, name+"="+value)
			} else if name != "" {
				m.note("keep", "the variable %s comes from elsewhere in the cluster (extraEnv): give it to the container as it is", name)
			}
		}
	}
	if server := below(config, "tlsserver"); server != nil {
		for _, key := range []string{"existingSecret", "servercrt", "serverkey", "cacrt"} {
			if textOrNothing(remove(server, key)) != "" {
				m.note("keep", "tlsserver.%s: mount the certificate as a Secret and name the files by tlsserver.certfile, keyfile and cacertfile", key)
			}
		}
	}
	if ui := below(root, "webui"); ui != nil && textOrNothing(below(ui, "enabled")) == "true" {
		m.note("not supported", "webui: falcosidekick's UI is a program of its own and gets no alerts from here")
	}
	var others []string
	for i := 0; i+1 < len(root.Content); i += 2 {
		if key := root.Content[i].Value; key != "config" && key != "webui" && key != "enabled" {
			others = append(others, key)
		}
	}
	if len(others) > 0 {
		m.note("keep", "these values are about the chart, not about the program: %s", oneLine(strings.Join(others, ", ")))
	}
	return environ
}

func textOrNothing(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return ""
	}
	return n.Value
}

// Write writes the config as YAML with the notes above it: what is set and is not the default.
func (m *Migrated) Write(w io.Writer) error {
	root, err := m.settings()
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("# Made from falcosidekick's config. Everything that is not here has its default: docs/configuration.md.\n")
	body, err := encodeYAML(root)
	if err != nil {
		return err
	}
	for _, note := range m.Notes {
		b.WriteString(wrapped(note, "# "))
	}
	if len(m.Variables) > 0 {
		b.WriteString(wrapped("Secrets are not written here. Put them into these variables, or name files with them by KEY_file: "+strings.Join(m.Variables, ", "), "# "))
	}
	if len(root.Content) > 0 {
		b.WriteString("\n")
		b.Write(body)
	}
	_, err = io.WriteString(w, b.String())
	return err
}

// settings gives what is set and is not the default.
func (m *Migrated) settings() (*yaml.Node, error) {
	general, err := section("", m.Config)
	if err != nil {
		return nil, err
	}
	defaults, err := section("", defaults())
	if err != nil {
		return nil, err
	}
	m.Variables = nil
	node := m.mapping(general, defaults)
	for i := range m.Config.Outputs {
		o := &m.Config.Outputs[i]
		if !o.Config.Enabled() {
			continue // the one that is used when there is no other
		}
		fresh := newOutput(o.Name, o.Spec)
		own, err := section(o.Name, o.Config, &o.Lane)
		if err != nil {
			return nil, err
		}
		unset, err := section(o.Name, fresh.Config, &fresh.Lane)
		if err != nil {
			return nil, err
		}
		node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: o.Name}, m.mapping(own, unset))
	}
	return node, nil
}

// mapping gives what of a section is set and differs from the defaults.
func (m *Migrated) mapping(s, defaults *setting) *yaml.Node {
	node := &yaml.Node{Kind: yaml.MappingNode}
	for _, child := range s.settings {
		unset := defaults.at(child.path)
		if child.kind == isSection {
			if below := m.mapping(child, unset); len(below.Content) > 0 {
				node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: child.name}, below)
			}
			continue
		}
		if reflect.DeepEqual(child.field.Interface(), unset.field.Interface()) {
			continue
		}
		name, value := m.written(child)
		node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: name}, yamlOf(value))
	}
	return node
}

// written gives the key and the value to write of a leaf.
func (m *Migrated) written(s *setting) (name string, value any) {
	refer := func(variable string) string {
		m.Variables = append(m.Variables, variable)
		return "${env:" + variable + "}"
	}
	switch held := s.field.Interface().(type) {
	case secret.String:
		at := m.Config.origins[s.path]
		switch {
		case at.from != "":
			return s.fileName(), at.from
		case at.raw != "":
			return s.name, at.raw
		case m.secrets:
			return s.name, escapedReferences(held.Reveal())
		}
		return s.name, refer(s.env)
	case map[string]secret.String:
		entries := make(map[string]string, len(held))
		for _, key := range slices.Sorted(maps.Keys(held)) {
			if m.secrets {
				entries[key] = escapedReferences(held[key].Reveal())
				continue
			}
			entries[key] = refer(s.env + "_" + strings.ToUpper(strings.Map(func(r rune) rune {
				if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
					return r
				}
				return '_'
			}, key)))
		}
		return s.name, entries
	case map[string]string:
		entries := make(map[string]string, len(held))
		for key, text := range held {
			entries[key] = escapedReferences(text)
		}
		return s.name, entries
	case string:
		if raw := m.Config.origins[s.path].raw; raw != "" {
			return s.name, raw
		}
		return s.name, escapedReferences(held)
	}
	return s.name, plain(s)
}

// escapedReferences keeps what looks like a reference from being taken for one.
func escapedReferences(text string) string {
	return reference.ReplaceAllString(text, "$$$0")
}

// differences notes what is otherwise than falcosidekick does it, for what is in use.
func (m *Migrated) differences() {
	m.note("improves", "an alert is on the disk before it is answered 200, and waits there until each output has it: outages, 429 and restarts lose nothing (docs/delivery.md)")
	m.note("changes", "an unknown key, a bad value or an invalid address stops the start with its line, instead of a log line")
	used := make(map[string]bool)
	for i := range m.Config.Outputs {
		o := &m.Config.Outputs[i]
		if !o.Config.Enabled() {
			m.note("changes", "no output that is here is switched on: alerts go to standard output")
			continue
		}
		if !used[o.Spec.Name] {
			used[o.Spec.Name] = true
			for _, d := range changesOf[o.Spec.Name] {
				m.Notes = append(m.Notes, d.kind+": "+o.Spec.Name+": "+d.text)
			}
		}
	}
}

type difference struct{ kind, text string }

// changesOf says what is otherwise, by output. Each output's page has the whole list.
var changesOf = map[string][]difference{
	"alertmanager": {
		{"improves", "fields that differ each time are annotations, so that Alertmanager deduplicates; volatilefields: none brings falcosidekick's labels back"},
		{"changes", "the API is version 2, whatever the endpoint of the chart says; of several addresses one that takes an alert is enough"},
	},
	"elasticsearch": {
		{"improves", "alerts go in bulk with their UUID as id: one that is sent again is not there twice; each has its own verdict"},
		{"changes", "the index's suffix is the day on which an alert came in, UTC, instead of local time"},
	},
	"loki": {
		{"improves", "many alerts in one request; few labels, and the rest as structured metadata"},
		{"changes", "queries that select by the labels hostname, tags or k8s_pod_name may need a change: see the page of the output"},
	},
	"slack": {
		{"improves", "Retry-After is kept; alerts that come faster than Slack takes them are folded into digests"},
		{"changes", "messages are from Tiercel unless username says otherwise; numbers and booleans among the fields are shown"},
	},
	"syslog": {
		{"improves", "one connection instead of one for each alert; CEF is escaped"},
		{"changes", "the format is RFC 5424, with the length before each message on TCP: framing: newline where the collector does not take that"},
	},
	"webhook": {
		{"improves", "any 2xx is a success; connections are kept and several requests are under way at once, those of one host in order"},
		{"changes", "User-Agent is Tiercel/version; redirects are not followed"},
	},
}
