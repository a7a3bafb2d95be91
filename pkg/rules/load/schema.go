package load

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The schema of rule files: which keys there are, and of which form their values. It knows nothing of what belongs
// together; that is the reader's work. A file may be loaded although it does not fit.

var schemaKeys = map[string]func(*yaml.Node) string{
	"required_engine_version":  schemaText,
	"required_plugin_versions": schemaPlugins,
	"macro":                    schemaText,
	"condition":                schemaText,
	"list":                     schemaText,
	"items":                    schemaTexts,
	"rule":                     schemaText,
	"desc":                     schemaText,
	"enabled":                  schemaBool,
	"output":                   schemaText,
	"append":                   schemaBool,
	"priority":                 schemaPriority,
	"capture":                  schemaBool,
	"capture_duration":         schemaInteger,
	"capture_events":           schemaInteger,
	"capture_filesize":         schemaInteger,
	"source":                   schemaText,
	"exceptions":               schemaExceptions,
	"override":                 schemaOverride,
	"tags":                     schemaTexts,
	"warn_evttypes":            schemaBool,
	"skip-if-unknown-filter":   schemaBool,
}

var schemaOverrides = []string{
	"items", "desc", "condition", "output", "priority", "enabled", "exceptions", "capture", "capture_duration",
	"capture_events", "capture_filesize", "tags", "warn_evttypes", "skip-if-unknown-filter",
}

var schemaPriorities = []string{
	"EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "INFORMATIONAL", "DEBUG",
}

// maxSchemaWarnings bounds the list; one file has one kind of mistake many times.
const maxSchemaWarnings = 100

// checkSchema compares a document with the schema.
func checkSchema(doc *yaml.Node) []string {
	if doc == nil || isNull(doc) {
		return nil
	}
	if !isSequence(doc) {
		return []string{"the document is not a sequence"}
	}
	var warnings []string
	nodes := 0
	for i, item := range doc.Content {
		if item = deref(item); !isMap(item) {
			if item != nil && !isNull(item) {
				warnings = append(warnings, fmt.Sprintf("item %d is not a mapping", i+1))
			}
			continue
		}
		if nodes += len(item.Content); nodes > maxNodes {
			return append(warnings, "the file has too many parts")
		}
		for at := 0; at+1 < len(item.Content); at += 2 {
			key, value := item.Content[at], deref(item.Content[at+1])
			check, known := schemaKeys[key.Value]
			problem := "unknown key"
			if known && value != nil {
				problem = check(value)
			}
			if problem != "" {
				warnings = append(warnings, fmt.Sprintf("item %d, line %d: '%s': %s", i+1, key.Line, key.Value, problem))
			}
			if len(warnings) >= maxSchemaWarnings {
				return warnings
			}
		}
	}
	return warnings
}

func schemaText(n *yaml.Node) string {
	if !isScalar(n) {
		return "expected a text"
	}
	return ""
}

func schemaBool(n *yaml.Node) string {
	if isScalar(n) && n.Value != "" {
		if _, ok := parseBool(n.Value); ok {
			return ""
		}
	}
	return "expected true or false"
}

func schemaInteger(n *yaml.Node) string {
	if isScalar(n) {
		if _, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			return ""
		}
	}
	return "expected a whole number"
}

func schemaTexts(n *yaml.Node) string {
	if !isSequence(n) {
		return "expected a sequence"
	}
	for _, item := range n.Content {
		if !isScalar(deref(item)) {
			return "expected a sequence of texts"
		}
	}
	return ""
}

func schemaPriority(n *yaml.Node) string {
	if isScalar(n) && slices.Contains(schemaPriorities, n.Value) {
		return ""
	}
	return "expected one of " + strings.Join(schemaPriorities, ", ")
}

// schemaMapping checks that n has no other keys than those, and has the needed ones.
func schemaMapping(n *yaml.Node, keys, needed []string) string {
	if !isMap(n) {
		return "expected a mapping"
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if !slices.Contains(keys, n.Content[i].Value) {
			return fmt.Sprintf("unknown key '%s'", n.Content[i].Value)
		}
	}
	for _, key := range needed {
		if member(n, key) == nil {
			return fmt.Sprintf("'%s' is missing", key)
		}
	}
	return ""
}

func schemaExceptions(n *yaml.Node) string {
	if !isSequence(n) {
		return "expected a sequence"
	}
	for _, item := range n.Content {
		if problem := schemaMapping(deref(item), []string{"name", "fields", "comps", "values"}, []string{"name"}); problem != "" {
			return problem
		}
	}
	return ""
}

func schemaOverride(n *yaml.Node) string {
	if problem := schemaMapping(n, schemaOverrides, nil); problem != "" {
		return problem
	}
	if len(n.Content) == 0 {
		return "expected at least one key"
	}
	for i := 1; i < len(n.Content); i += 2 {
		if v := deref(n.Content[i]); !isScalar(v) || v.Value != "append" && v.Value != "replace" {
			return "expected 'append' or 'replace'"
		}
	}
	return ""
}

func schemaPlugins(n *yaml.Node) string {
	if !isSequence(n) {
		return "expected a sequence"
	}
	for _, item := range n.Content {
		if problem := schemaMapping(deref(item), []string{"name", "version", "alternatives"}, []string{"name", "version"}); problem != "" {
			return problem
		}
		alternatives := member(item, "alternatives")
		if alternatives == nil {
			continue
		}
		if !isSequence(alternatives) {
			return "expected a sequence of alternatives"
		}
		for _, alternative := range alternatives.Content {
			if problem := schemaMapping(deref(alternative), []string{"name", "version"}, []string{"name", "version"}); problem != "" {
				return problem
			}
		}
	}
	return ""
}
