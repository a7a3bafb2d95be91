package config

import (
	"encoding"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"

	"github.com/tiercel/tiercel/pkg/secret"
)

// decode sets the field of a leaf that is no secret. set tells whether it was set: an empty text leaves numbers,
// times and choices as they are. An empty list or map is nil, as one that was never set. No error holds a value of a
// map of secrets.
func (l *loader) decode(s *setting, v *value) (set bool, err error) {
	switch s.kind {
	case isList:
		list, err := listOf(v)
		s.field.Set(reflect.ValueOf(list))
		return true, err
	case isMap:
		entries, err := l.entries(s, v)
		if len(entries) == 0 {
			entries = nil
		}
		s.field.Set(reflect.ValueOf(entries))
		return true, err
	case isSecretMap:
		entries, err := l.entries(s, v)
		var secrets map[string]secret.String
		for name, value := range entries {
			if value == secret.Redacted {
				return false, fmt.Errorf("%s: %w", quote(name), errRedacted)
			}
			if secrets == nil {
				secrets = make(map[string]secret.String, len(entries))
			}
			secrets[name] = secret.New(value)
		}
		s.field.Set(reflect.ValueOf(secrets))
		return true, err
	}
	text, err := textOf(v)
	if err != nil {
		return false, fmt.Errorf("expected %s, %w", s.expected(), err)
	}
	return setText(s, text)
}

// setText sets the field of a leaf that holds a single value.
func setText(s *setting, text string) (set bool, err error) {
	if allowed := s.enum(); allowed != nil {
		return setChoice(s, allowed, strings.TrimSpace(text))
	}
	if s.kind == isText {
		s.field.SetString(text)
		return true, nil
	}
	if text = strings.TrimSpace(text); text == "" {
		return false, nil
	}
	refused := fmt.Errorf("expected %s, got %s", s.expected(), quote(text))
	switch s.kind {
	case isBool:
		on, ok := parseBool(text)
		if !ok {
			return false, refused
		}
		s.field.SetBool(on)
	case isInteger:
		n, err := strconv.ParseInt(text, 10, s.field.Type().Bits())
		if err != nil {
			return false, refused
		}
		s.field.SetInt(n)
	case isDuration:
		d, err := parseDuration(text)
		if err != nil {
			return false, err
		}
		s.field.SetInt(int64(d))
	case isParsed:
		parsed, ok := reflect.TypeAssert[encoding.TextUnmarshaler](s.field.Addr())
		if !ok {
			return false, refused
		}
		if err := parsed.UnmarshalText([]byte(text)); err != nil {
			return false, err
		}
	}
	return true, nil
}

// setChoice sets the field of a leaf that takes one of a few texts, in any case.
func setChoice(s *setting, allowed []string, text string) (set bool, err error) {
	at := slices.IndexFunc(allowed, func(a string) bool { return strings.EqualFold(a, text) })
	switch {
	case at >= 0:
		s.field.SetString(allowed[at])
		return true, nil
	case text == "":
		return false, nil
	}
	err = fmt.Errorf("%s is none of %s", quote(text), strings.Join(allowed, ", "))
	if meant := nearest(text, allowed); meant != "" {
		err = fmt.Errorf("%w, did you mean %s?", err, meant)
	}
	return false, err
}

// expected says what a leaf takes.
func (s *setting) expected() string {
	switch s.kind {
	case isBool:
		return "true or false"
	case isInteger:
		return "a whole number"
	case isDuration:
		return "a duration"
	case isList:
		return "a list of texts"
	case isMap, isSecretMap:
		return "names and values"
	}
	return "a text"
}

func parseBool(text string) (on, ok bool) {
	switch strings.ToLower(text) {
	case "true", "yes", "on", "1", "t", "y":
		return true, true
	case "false", "no", "off", "0", "f", "n":
		return false, true
	}
	return false, false
}

// textOf gives a value as one text. Its error says what is there instead, and never holds a value.
func textOf(v *value) (string, error) {
	if v.node == nil {
		return v.text, nil
	}
	return scalar(v.node)
}

// scalar gives the text of a node as it stands in the file. Texts that YAML takes for something else because they are
// not in quotes are refused: passwords often begin so.
func scalar(n *yaml.Node) (string, error) {
	n = resolve(n)
	switch {
	case n.Kind != yaml.ScalarNode:
		return "", errors.New("got " + kindText(n))
	case n.Tag == "!!null" && n.Anchor != "":
		return "", errors.New("got nothing but an anchor: put a text that begins with & in quotes")
	case n.Tag == "!!null":
		return "", nil
	case slices.Contains([]string{"!!str", "!!int", "!!float", "!!bool", "!!timestamp"}, n.Tag):
		return n.Value, nil
	}
	return "", errors.New("got a YAML tag: put a text that begins with ! in quotes")
}

// listOf gives a value as a list: a list of texts, or one text with commas between. Empty entries are left out, so an
// empty CUSTOMTAGS adds no tag.
func listOf(v *value) ([]string, error) {
	var list []string
	add := func(text string) {
		if text = strings.TrimSpace(text); text != "" {
			list = append(list, text)
		}
	}
	if v.node != nil && resolve(v.node).Kind == yaml.SequenceNode {
		for _, n := range resolve(v.node).Content {
			text, err := scalar(n)
			if err != nil {
				return nil, fmt.Errorf("expected a list of texts, one of them %w", err)
			}
			add(text)
		}
		return list, nil
	}
	text, err := textOf(v)
	if err != nil {
		return nil, fmt.Errorf("expected a list of texts, %w", err)
	}
	for part := range strings.SplitSeq(text, ",") {
		add(part)
	}
	return list, nil
}

// entries gives a value as names and values, over those of the layer below. The names keep their case and their dots.
func (l *loader) entries(s *setting, v *value) (map[string]string, error) {
	all := make(map[string]string)
	if v.below != nil {
		below, err := l.entries(s, v.below)
		if err != nil {
			return nil, err
		}
		all = below
	}
	if v.node == nil || resolve(v.node).Kind != yaml.MappingNode {
		text, err := textOf(v)
		if err != nil {
			return nil, fmt.Errorf("expected names and values, %w", err)
		}
		return all, textEntries(all, text)
	}
	pairs, _ := l.document.pairs(v.node, s.path, func(name string) string { return name })
	l.problems = append(l.problems, l.document.problems...)
	l.document.problems = nil
	for _, p := range pairs {
		text, err := scalar(p.node)
		if err != nil {
			l.fail(joinPath(s.path, p.name), l.document.origin(p.line), "expected a text, %v", err)
			continue
		}
		all[p.name] = text
	}
	return all, nil
}

// textEntries reads name:value,name:value, or a JSON object, into all. Only the first colon of an entry divides, so
// that a value may be a URL. The error never holds a value.
func textEntries(all map[string]string, text string) error {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "{") {
		return jsonEntries(all, text)
	}
	seen := make(map[string]bool)
	n := 0
	for entry := range strings.SplitSeq(text, ",") {
		n++
		if strings.TrimSpace(entry) == "" {
			continue
		}
		name, value, ok := strings.Cut(entry, ":")
		name = strings.TrimSpace(name)
		switch {
		case !ok || name == "":
			return fmt.Errorf("entry %d has no name and colon: expected name:value,name:value, or a JSON object where values hold commas", n)
		case seen[name]:
			return fmt.Errorf("the name %s is there twice", quote(name))
		}
		seen[name] = true
		all[name] = strings.TrimSpace(value)
	}
	return nil
}

func jsonEntries(all map[string]string, text string) error {
	var members map[string]jsontext.Value
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		return errors.New("it begins with { but is no JSON object whose names occur once")
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		raw := members[name]
		switch raw.Kind() {
		case '"':
			var value string
			if err := json.Unmarshal(raw, &value); err != nil {
				return fmt.Errorf("the value of %s is no text", quote(name))
			}
			all[name] = value
		case '0', 't', 'f':
			all[name] = raw.String()
		case 'n':
			all[name] = ""
		default:
			return fmt.Errorf("the value of %s is no single value", quote(name))
		}
	}
	return nil
}
