package config

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// reference is what stands for a text that is elsewhere: ${env:NAME}, ${env:NAME:-a default}, ${file:/a/path}. With one
// more $ before it, it stands for itself.
var reference = regexp.MustCompile(`\$?\$\{(env|file):([^}]*)\}`)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// substitute puts into every value below a node what its references stand for.
func (d *document) substitute(root *yaml.Node) {
	if d.raw == nil {
		d.raw = make(map[*yaml.Node]string)
	}
	var walk func(*yaml.Node, string)
	walk = func(n *yaml.Node, key string) {
		switch n.Kind {
		case yaml.ScalarNode:
			text, err := d.expand(n.Value)
			switch {
			case err != nil:
				d.problem(n.Line, key, "%v", err)
				n.Value, n.Tag = "", "!!null" // nothing more is said about it
			case text != n.Value:
				d.raw[n] = n.Value
				n.Value, n.Tag = text, "!!str"
			}
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				walk(n.Content[i+1], joinPath(key, n.Content[i].Value))
			}
		case yaml.SequenceNode:
			for _, item := range n.Content {
				walk(item, key)
			}
		}
	}
	walk(root, "")
}

// expand gives a text with what its references stand for. No error holds what does.
func (d *document) expand(text string) (string, error) {
	if !strings.Contains(text, "${") {
		return text, nil
	}
	var failed error
	fail := func(format string, args ...any) string {
		if failed == nil {
			failed = fmt.Errorf(format, args...)
		}
		return ""
	}
	expanded := reference.ReplaceAllStringFunc(text, func(found string) string {
		if strings.HasPrefix(found, "$$") {
			return found[1:]
		}
		m := reference.FindStringSubmatch(found)
		if m[1] == "file" {
			if m[2] == "" {
				return fail("expected the path of a file in ${file:}")
			}
			d.files = append(d.files, m[2])
			held, err := readSecret(m[2])
			if err != nil {
				return fail("%w", err)
			}
			if !utf8.ValidString(held) {
				return fail("%s holds no UTF-8", m[2])
			}
			return held
		}
		name, otherwise, hasDefault := strings.Cut(m[2], ":-")
		d.asked[name] = true
		switch held, ok := d.environ[name]; {
		case !variableName.MatchString(name):
			return fail("expected the name of an environment variable in ${env:}, got %s", quote(name))
		case ok && !utf8.ValidString(held):
			return fail("the environment variable %s holds no UTF-8", name)
		case ok:
			return held
		case hasDefault:
			return otherwise
		}
		return fail("the environment variable %s is not set: set it, or give a default with ${env:%s:-text}", name, name)
	})
	return expanded, failed
}
