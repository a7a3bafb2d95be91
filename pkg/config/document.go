package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"
)

// document reads one YAML file into the layer that viper keeps for it: nested maps by lower-case key, whose leaves
// are *value. Whatever is wrong with the structure is gathered on the way.
type document struct {
	file     string
	root     *setting
	instance func(key string) (*setting, error)             // makes the section of "slack/oncall"
	isOutput func(name string) bool                         // the name of a spec
	foreign  unbuilt                                        // falcosidekick's outputs that are not here
	retired  func(path string, at origin, text string) bool // notes a key that is read for nothing
	environ  map[string]string                              // for ${env:NAME}

	given *yaml.Node // what to read instead of a file's text

	sections map[string]origin // where each section begins, by path
	problems []Finding
	raw      map[*yaml.Node]string // how values were written before something was put in their place
	asked    map[string]bool       // variables that a value refers to
	files    []string              // files whose text was put in the place of values
	budget   int                   // nodes that may still be visited; merged anchors can stand for far more than the file holds
}

const (
	maxNodes = 100_000 // visited in one file
	maxMerge = 16      // levels of merged anchors
)

// Decoder makes the document the decoder of every format, for viper.
func (d *document) Decoder(string) (viper.Decoder, error) { return d, nil }

// Decode reads the file into a layer. Problems are gathered, not returned, so that all of them can be shown at once.
func (d *document) Decode(data []byte, layer map[string]any) error {
	d.budget = maxNodes
	if d.given != nil {
		if !isEmpty(d.given) {
			d.substitute(d.given.Content[0])
			d.section(d.given.Content[0], d.root, layer)
		}
		return nil
	}
	switch ext := strings.ToLower(filepath.Ext(d.file)); ext {
	case ".toml", ".ini", ".properties", ".props", ".prop", ".hcl", ".tfvars", ".env", ".dotenv":
		d.problem(0, "", "%s files are not read: expected YAML or JSON", ext)
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(plainEscapes(data)))
	var first, second yaml.Node
	if err := decoder.Decode(&first); err != nil {
		if !errors.Is(err, io.EOF) {
			d.syntax(data, err)
		}
		return nil
	}
	if err := decoder.Decode(&second); err == nil && !isEmpty(&second) {
		d.problem(second.Line, "", "a second document begins here: expected one document")
	} else if err != nil && !errors.Is(err, io.EOF) {
		d.syntax(data, err)
	}
	if isEmpty(&first) {
		return nil
	}
	d.substitute(first.Content[0])
	d.section(first.Content[0], d.root, layer)
	return nil
}

// jsonEscape is an escape in a JSON string; two of UTF-16 that are one character count as one.
var jsonEscape = regexp.MustCompile(`\\(u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)`)

// plainEscapes turns the two escapes of JSON that YAML does not have into what they stand for: \/ and surrogates.
// Lines stay where they are.
func plainEscapes(data []byte) []byte {
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) || !json.Valid(data) {
		return data
	}
	return jsonEscape.ReplaceAllFunc(data, func(escape []byte) []byte {
		if string(escape) == `\/` {
			return []byte("/")
		}
		if first := codeUnit(escape, 0); utf16.IsSurrogate(first) {
			return utf8.AppendRune(nil, utf16.DecodeRune(first, codeUnit(escape, 6)))
		}
		return escape
	})
}

// codeUnit reads the \uXXXX that begins at a place, or gives 0.
func codeUnit(escape []byte, at int) rune {
	if len(escape) < at+6 {
		return 0
	}
	n, err := strconv.ParseUint(string(escape[at+2:at+6]), 16, 16)
	if err != nil {
		return 0
	}
	return rune(n)
}

// isEmpty reports whether a document holds nothing.
func isEmpty(n *yaml.Node) bool {
	return len(n.Content) == 0 || n.Content[0].Kind == yaml.ScalarNode && n.Content[0].Tag == "!!null"
}

// section reads a mapping as a section.
func (d *document) section(node *yaml.Node, s *setting, layer map[string]any) {
	pairs, kind := d.pairs(node, s.path, strings.ToLower)
	if kind != "" {
		d.problem(node.Line, s.path, "expected keys and values, got %s", kind)
		return
	}
	for _, p := range pairs {
		name := strings.ToLower(p.name)
		child := s.child(name)
		if child == nil {
			if of := s.child(strings.TrimSuffix(name, fileSuffix)); of != nil && of.kind == isSecret {
				child = of
			}
		}
		if child == nil && s == d.root && name == outputsKey {
			d.list(p, layer)
			continue
		}
		if child == nil {
			path := joinPath(plainPath(s.path), name)
			if d.takeRetired(path, p) || d.foreign.take(path, d.origin(p.line), p.node, d.stranger) {
				continue
			}
		}
		if child == nil && s == d.root {
			var err error
			if child, err = d.instance(name); err != nil {
				d.problem(p.line, p.name, "%v", err)
				continue
			}
		}
		switch {
		case child == nil:
			d.unknown(p, s)
		case child.kind == isSection && s == d.root && layer[name] != nil:
			d.problem(p.line, name, "this output is there already, on line %d", d.sections[name].line)
		case child.kind == isSection:
			d.sections[child.path] = d.origin(p.line)
			below := make(map[string]any)
			d.section(p.node, child, below)
			layer[name] = below
		case isUnset(p.node):
			// A key without a value is one that is not set.
		default:
			layer[name] = &value{origin: d.origin(p.line), node: p.node}
		}
	}
}

// takeRetired reports whether a key, or all that is below it, is read and does nothing.
func (d *document) takeRetired(path string, p pair) bool {
	if d.retired(path, d.origin(p.line), textIn(p.node)) {
		return true
	}
	if !isRetiredSection(path) || resolve(p.node).Kind != yaml.MappingNode {
		return false
	}
	below, _ := d.pairs(p.node, path, strings.ToLower)
	for _, b := range below {
		if key := joinPath(path, strings.ToLower(b.name)); !d.retired(key, d.origin(b.line), textIn(b.node)) {
			d.problem(b.line, key, "unknown key")
		}
	}
	return true
}

// isUnset reports whether a node is null, as "key:" without a value is. A null with an anchor is not: that is a text
// that begins with & and has no quotes.
func isUnset(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Tag == "!!null" && n.Anchor == ""
}

// pair is one key of a mapping and what it holds.
type pair struct {
	name string
	line int
	node *yaml.Node
}

// pairs lists what a mapping holds, with what it merges by <<; its own keys win. fold makes the keys comparable. kind
// says what stands there when it is no mapping. Keys that stand there twice are problems.
func (d *document) pairs(node *yaml.Node, path string, fold func(string) string) (list []pair, kind string) {
	seen := make(map[string]int)
	var read func(node *yaml.Node, depth int) string
	read = func(node *yaml.Node, depth int) string {
		node = resolve(node)
		switch {
		case isUnset(node):
			return ""
		case depth > maxMerge:
			return "merges that do not end"
		case node.Kind != yaml.MappingNode:
			return kindText(node)
		}
		own := make(map[string]int)
		var merged []*yaml.Node
		for i := 0; i+1 < len(node.Content); i += 2 {
			if d.budget--; d.budget < 0 {
				return ""
			}
			key, held := resolve(node.Content[i]), resolve(node.Content[i+1])
			if key.Tag == "!!merge" {
				merged = append(merged, held)
				continue
			}
			if key.Kind != yaml.ScalarNode {
				d.problem(node.Content[i].Line, path, "expected a name as key, got %s", kindText(key))
				continue
			}
			name := fold(key.Value)
			if line, ok := own[name]; ok {
				d.problem(node.Content[i].Line, joinPath(path, key.Value), "this key is there already, on line %d", line)
				continue
			}
			own[name] = node.Content[i].Line
			if _, ok := seen[name]; !ok {
				list = append(list, pair{key.Value, node.Content[i].Line, held})
			}
		}
		maps.Copy(seen, own)
		for _, m := range merged {
			sources := []*yaml.Node{m}
			if m.Kind == yaml.SequenceNode {
				sources = m.Content
			}
			for _, source := range sources {
				if d.budget--; d.budget < 0 {
					return ""
				}
				if kind := read(source, depth+1); kind != "" {
					d.problem(source.Line, path, "expected keys and values to merge, got %s", kind)
				}
			}
		}
		return ""
	}
	kind = read(node, 0)
	if d.budget < 0 {
		d.problem(0, "", "the file holds more than %d keys", maxNodes)
	}
	return list, kind
}

// resolve follows an alias.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

// kindText says what a node is.
func kindText(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	}
	return "a single value"
}

// unknown reports a key that means nothing, with the one that was probably meant.
func (d *document) unknown(p pair, s *setting) {
	path := joinPath(s.path, p.name)
	if name, _, ok := strings.Cut(p.name, ":"); ok { // what follows may be a secret
		d.problem(p.line, joinPath(s.path, name), "unknown key: a blank must stand between the colon and the value")
		return
	}
	if whole := d.root.at(strings.ToLower(path)); whole != nil {
		d.problem(p.line, path, "unknown key: write the parts of it below each other, not with dots between")
		return
	}
	var names []string
	for _, c := range s.settings {
		names = append(names, c.name)
	}
	if s == d.root {
		names = append(names, unbuiltNames()...)
	}
	text := "unknown key"
	if meant := nearest(p.name, names); meant != "" {
		text += ", did you mean " + meant + "?"
	}
	if d.given != nil { // falcosidekick passes over it, too
		d.foreign.warn(d.origin(p.line), path, text+"; it is left out")
		return
	}
	d.problem(p.line, path, "%s", text)
}

var (
	yamlLine    = regexp.MustCompile(`^yaml: line (\d+): (.*)$`)
	yamlUnnamed = regexp.MustCompile(`^yaml: unknown anchor '(.*)' referenced$`)
)

// syntax reports a text that is no YAML. The library's messages hold no values, but one: an unknown anchor is what it
// calls a value that begins with *, which may well be a password.
func (d *document) syntax(data []byte, err error) {
	text, line := strings.TrimPrefix(err.Error(), "yaml: "), 1
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = m[2]
	}
	lines := bytes.Split(data, []byte("\n"))
	if m := yamlUnnamed.FindStringSubmatch(err.Error()); m != nil {
		for i, l := range lines {
			if bytes.Contains(l, []byte("*"+m[1])) {
				line = i + 1
				break
			}
		}
		text = "a value begins with * and names no anchor: if it is meant as text, put it in quotes"
	}
	if strings.Contains(text, "cannot start any token") && line <= len(lines) && bytes.HasPrefix(lines[line-1], []byte("\t")) {
		text += ": the line begins with a tab, YAML takes blanks only"
	}
	d.problem(line, "", "not YAML: %s", text)
}

func (d *document) origin(line int) origin { return origin{file: d.file, line: line} }

func (d *document) problem(line int, key, format string, args ...any) {
	d.problems = append(d.problems, d.origin(line).finding(key, fmt.Sprintf(format, args...)))
}
