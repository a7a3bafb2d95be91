package config

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// Texts of the warnings about outputs of falcosidekick that are not here.
const (
	unbuiltText = "this output is not built yet; its alerts go nowhere"
	idleText    = "this output is not built yet; its settings do nothing"
)

// unbuiltNames lists the sections of falcosidekick's outputs.
func unbuiltNames() []string {
	var names []string
	for _, f := range foreigners() {
		if name := f.section(); len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	return names
}

// Documented lists every key of falcosidekick's outputs by its path, "aws.s3.bucket".
func Documented() []string {
	var paths []string
	for _, f := range foreigners() {
		for _, key := range f.keys {
			paths = append(paths, joinPath(f.path, key))
		}
	}
	return paths
}

// unbuilt finds the settings of falcosidekick's outputs that are not here yet. Each such output is warned of once.
type unbuilt struct {
	outputs []foreign // those that are not here
	noted   map[string]note
	warn    func(at origin, key, text string)
}

// note is what is known of one output.
type note struct {
	at origin
	on bool // it would be in use
}

// newUnbuilt leaves out the outputs that exist.
func newUnbuilt(foreign []foreign, root *setting, warn func(origin, string, string)) unbuilt {
	u := unbuilt{noted: make(map[string]note), warn: warn}
	for _, f := range foreign {
		built := root.child(f.section()) != nil && root.at(joinPath(f.path, f.on)) != nil
		if !built {
			u.outputs = append(u.outputs, f)
		}
	}
	return u
}

// take reports whether a key of the file, by its path in lower case, is of outputs that are not here, and notes which
// of them it sets. What it finds below that no such output has is reported by unknown.
func (u unbuilt) take(path string, at origin, node *yaml.Node, unknown func(at origin, path string, names []string)) bool {
	mine := false
	for i := range u.outputs {
		f := &u.outputs[i]
		switch {
		case f.path == path, strings.HasPrefix(f.path, path+"."):
			mine = true
		case strings.HasPrefix(path, f.path+"."):
			mine = true
		}
	}
	if mine {
		u.walk(path, at, node, unknown)
	}
	return mine
}

// maxPath is how many dots the path of a key of falcosidekick's has at most, with some to spare.
const maxPath = 4

// walk looks at a key and at what is below it.
func (u unbuilt) walk(path string, at origin, node *yaml.Node, unknown func(origin, string, []string)) {
	if f, key := u.find(path); f != nil {
		u.set(f, key, at, textIn(node))
		return
	}
	if node = resolve(node); node.Kind != yaml.MappingNode || strings.Count(path, ".") > maxPath {
		if node.Kind != yaml.ScalarNode || node.Tag != "!!null" && node.Value != "" {
			unknown(at, path, u.below(parentPath(path)))
		}
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		below := at
		below.line = key.Line
		u.walk(joinPath(path, strings.ToLower(key.Value)), below, node.Content[i+1], unknown)
	}
}

// find tells of which output a key is.
func (u unbuilt) find(path string) (*foreign, string) {
	for i := range u.outputs {
		f := &u.outputs[i]
		if key, ok := strings.CutPrefix(path, f.path+"."); ok && f.has(key) {
			return f, key
		}
	}
	return nil, ""
}

// below lists the names that may stand below a path.
func (u unbuilt) below(path string) []string {
	var names []string
	for i := range u.outputs {
		f := &u.outputs[i]
		for _, key := range f.keys {
			if rest, ok := strings.CutPrefix(joinPath(f.path, key), path+"."); ok {
				name, _, _ := strings.Cut(rest, ".")
				names = append(names, name)
			}
		}
	}
	return names
}

// set notes one key of an output.
func (u unbuilt) set(f *foreign, key string, at origin, value string) {
	on := key == f.on && isOn(value)
	if !on && (!f.says(key, value) || key == f.on) {
		return
	}
	if old, ok := u.noted[f.path]; !ok || on && !old.on {
		u.noted[f.path] = note{at: at, on: on}
	}
}

// environment notes what the variables set, then warns of each output.
func (u unbuilt) environment(environ map[string]string) {
	for i := range u.outputs {
		f := &u.outputs[i]
		for _, key := range f.keys {
			name := envName(joinPath(f.path, key))
			if text, ok := environ[name]; ok {
				u.set(f, key, origin{env: name}, text)
			}
		}
	}
	for i := range u.outputs {
		f := &u.outputs[i]
		n, ok := u.noted[f.path]
		switch {
		case !ok: // nothing is set of it
		case n.on:
			u.warn(n.at, f.path, unbuiltText)
		case f.on == "" && u.anyOn(f.path):
			// The outputs that share the section are warned of by themselves.
		default:
			u.warn(n.at, f.path, idleText)
		}
	}
}

// anyOn reports whether an output below a section that is shared would be in use.
func (u unbuilt) anyOn(path string) bool {
	for other, n := range u.noted {
		if n.on && strings.HasPrefix(other, path+".") {
			return true
		}
	}
	return false
}

// parentPath is a path without its last part.
func parentPath(path string) string { return path[:max(0, strings.LastIndexByte(path, '.'))] }

// textIn gives what stands at a node as one text: enough to tell whether anything does. An alias inside a list or a
// mapping counts as something, whatever it stands for: it may stand for the whole file.
func textIn(n *yaml.Node) string {
	n = resolve(n)
	if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		return n.Value
	}
	for _, part := range n.Content {
		if part.Kind == yaml.AliasNode {
			return part.Value
		}
		if text := textIn(part); text != "" {
			return text
		}
	}
	return ""
}

func isOn(value string) bool { return value != "" && !strings.EqualFold(value, "false") }

// owns reports whether a variable is one of an output that is not here.
func (u unbuilt) owns(name string) bool {
	section, _, _ := strings.Cut(strings.ToLower(name), "_")
	for i := range u.outputs {
		if u.outputs[i].section() == section {
			return true
		}
	}
	return false
}
