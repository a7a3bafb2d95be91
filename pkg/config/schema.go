package config

import (
	"reflect"
	"regexp"
	"strings"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
)

// Schema gives the JSON Schema (draft 2020-12) of the config file, for editors and for other checks. It knows the keys
// in lower case only.
func Schema(specs []outputs.Spec) ([]byte, error) {
	root, err := section("", defaults())
	if err != nil {
		return nil, err
	}
	properties := schemaProperties(root)
	var patterns, definitions object
	for _, spec := range specs {
		o := newOutput(spec.Name, spec)
		s, err := section(spec.Name, o.Config, &o.Lane)
		if err != nil {
			return nil, err
		}
		s.comment = spec.About
		reference := object{{"$ref", "#/$defs/" + spec.Name}}
		properties = append(properties, member{spec.Name, reference})
		patterns = append(patterns, member{"^" + spec.Name + "/" + strings.Trim(instanceName.String(), "^$") + "$", reference})
		definitions = append(definitions, member{spec.Name, schemaOf(s)})
	}
	properties = append(properties, member{outputsKey, object{
		{"description", "Outputs as a list: type is the output, name tells several of one type apart, the other keys are those of its section."},
		{"type", "array"},
		{"items", object{{"type", "object"}, {"required", []string{"type"}}}},
	}})
	var missing []string
	for _, name := range unbuiltNames() {
		if !hasSpec(specs, name) {
			missing = append(missing, regexp.QuoteMeta(name))
		}
	}
	if len(missing) > 0 {
		patterns = append(patterns, member{"^(" + strings.Join(missing, "|") + ")$", object{
			{"description", "An output of falcosidekick that is not built yet."},
		}})
	}
	return object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"title", "Tiercel's config file"},
		{"type", "object"},
		{"properties", properties},
		{"patternProperties", patterns},
		{"additionalProperties", false},
		{"$defs", definitions},
	}.indented()
}

func hasSpec(specs []outputs.Spec, name string) bool {
	for _, s := range specs {
		if s.Name == name {
			return true
		}
	}
	return false
}

// schemaProperties lists the keys of a section, those for the files of secrets too.
func schemaProperties(s *setting) object {
	var properties object
	for _, child := range s.settings {
		properties = append(properties, member{child.name, schemaOf(child)})
		if child.kind == isSecret {
			properties = append(properties, member{child.fileName(), object{
				{"description", "File that holds " + child.name + "."}, {"type", "string"},
			}})
		}
	}
	return properties
}

// schemaOf describes one setting.
func schemaOf(s *setting) object {
	var o object
	if s.comment != "" {
		o = append(o, member{"description", s.comment})
	}
	text := object{{"type", "string"}}
	switch s.kind {
	case isSection:
		return append(o,
			member{"type", []string{"object", "null"}},
			member{"properties", schemaProperties(s)},
			member{"additionalProperties", false})
	case isBool:
		o = append(o, member{"type", "boolean"})
	case isInteger:
		o = append(o, member{"type", "integer"})
	case isDuration:
		o = append(o, member{"type", "string"}, member{"pattern", `^(0|([0-9]+d)?([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))*)$`})
	case isList:
		o = append(o, member{"anyOf", []object{{{"type", "array"}, {"items", text}}, text}})
	case isMap, isSecretMap:
		o = append(o, member{"anyOf", []object{{{"type", "object"}, {"additionalProperties", text}}, text}})
	case isParsed:
		if _, ok := reflect.TypeAssert[alert.Priority](s.field); ok {
			o = append(o, member{"type", "string"}, member{"enum", priorityNames()})
			break
		}
		o = append(o, member{"type", []string{"string", "integer"}})
	default:
		o = append(o, member{"type", "string"})
		if allowed := s.enum(); allowed != nil {
			o = append(o, member{"enum", allowed})
		}
	}
	return append(o, member{"default", plain(s)})
}

// priorityNames lists the priorities from the most serious on, and the empty text for all.
func priorityNames() []string {
	names := []string{""}
	for _, p := range alert.Priorities() {
		names = append([]string{strings.ToLower(p.String())}, names...)
	}
	return names
}
