package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// MaxFile bounds the size of a rule file, bytes. The largest official one has 64 KiB.
const MaxFile = 16 << 20

// maxNodes bounds how many YAML nodes of a file are looked at. Aliases make a node count as often as they name it.
const maxNodes = 1 << 20

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// parseYAML reads all documents of a file.
func parseYAML(text string) (docs []*yaml.Node, line int, err error) {
	if len(text) > MaxFile {
		return nil, 0, fmt.Errorf("the file has %d bytes, at most %d are read", len(text), MaxFile)
	}
	defer func() {
		// The YAML reader panics on some broken inputs; for us they are broken inputs like others.
		if r := recover(); r != nil {
			docs, line, err = nil, 0, fmt.Errorf("cannot be read as YAML: %v", r)
		}
	}()
	d := yaml.NewDecoder(bytes.NewReader([]byte(text)))
	for {
		var doc yaml.Node
		if err := d.Decode(&doc); err != nil {
			if errors.Is(err, io.EOF) {
				return docs, 0, nil
			}
			message := err.Error()
			if m := yamlLine.FindStringSubmatch(message); m != nil {
				line, _ = strconv.Atoi(m[1])
				message = message[len(m[0]):]
			}
			return nil, line, errors.New(message)
		}
		docs = append(docs, &doc)
	}
}

// deref follows an alias.
func deref(n *yaml.Node) *yaml.Node {
	for range 8 {
		if n == nil || n.Kind != yaml.AliasNode {
			return n
		}
		n = n.Alias
	}
	return nil
}

// member finds a key of a mapping; nil when it is not there.
func member(n *yaml.Node, key string) *yaml.Node {
	_, value := entry(n, key)
	return value
}

// entry finds a key of a mapping, and its value.
func entry(n *yaml.Node, key string) (k, v *yaml.Node) {
	if n = deref(n); n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := deref(n.Content[i]); k != nil && k.Kind == yaml.ScalarNode && k.Value == key {
			return n.Content[i], deref(n.Content[i+1])
		}
	}
	return nil, nil
}

func isMap(n *yaml.Node) bool { return n != nil && n.Kind == yaml.MappingNode }

func isSequence(n *yaml.Node) bool { return n != nil && n.Kind == yaml.SequenceNode }

// isNull reports whether a node is there, but empty.
func isNull(n *yaml.Node) bool {
	return n != nil && n.Kind == yaml.ScalarNode && n.Tag == "!!null"
}

func isScalar(n *yaml.Node) bool { return n != nil && n.Kind == yaml.ScalarNode && !isNull(n) }

// parseBool reads a truth value in all forms of YAML 1.1.
func parseBool(text string) (value, ok bool) {
	if text != strings.ToLower(text) && text != strings.ToUpper(text) && text[1:] != strings.ToLower(text[1:]) {
		return false, false
	}
	switch strings.ToLower(text) {
	case "y", "yes", "true", "on":
		return true, true
	case "n", "no", "false", "off":
		return false, true
	}
	return false, false
}
