package load

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/rules/filter"
)

// reader reads the items of one file and hands them to its loader.
type reader struct {
	loader *Loader
	result *Result
	name   string
	text   string
	root   place
	nodes  int // how many YAML nodes were looked at
}

// Messages about updates. Those that tools look for in output have the wording that tools look for.
const (
	textAppend = "'append' key is deprecated. Add an 'append' entry (e.g. 'condition: append') under 'override' instead."
	// #nosec G101 -- no secret.
	textEnabled = "The standalone 'enabled' key usage is deprecated. The correct approach requires also a 'replace' entry " +
		"under the 'override' key (i.e. 'enabled: replace')."
	textBoth = "'append: true' and 'override' exclude each other: keep 'override', and name there what is added to, " +
		"as in 'condition: append'"
	textNoMacro   = "Macro uses 'append' or 'override.condition: append' but no macro by that name already exists"
	textNoList    = "List uses 'append' or 'override.items: append' but no list by that name already exists"
	textNoRule    = "there is no rule of this name yet that could be added to: define it before, here or in an earlier file"
	textNoReplace = "An 'override.<key>: replace' to a rule was requested but no rule by that name already exists"
)

func (r *reader) read() error {
	docs, line, err := parseYAML(r.text)
	if err != nil {
		at := r.root
		if line > 0 {
			at = at.in(itemValue, "", line, 1)
		}
		return fail(ErrYAMLParse, at, "%s", err)
	}
	for _, doc := range docs {
		if len(doc.Content) == 0 {
			continue
		}
		content := deref(doc.Content[0])
		if content == nil || isNull(content) {
			continue
		}
		r.result.SchemaChecked = true
		r.result.SchemaWarnings = append(r.result.SchemaWarnings, checkSchema(content)...)
		if !isMap(content) && !isSequence(content) {
			return fail(ErrYAMLValidate, r.root, "Rules content is not yaml")
		}
		if !isSequence(content) {
			return fail(ErrYAMLValidate, r.root, "the document is a mapping: expected a sequence of items, each after '- '")
		}
		for _, item := range content.Content {
			if item = deref(item); item == nil || isNull(item) {
				continue
			}
			if err := r.item(item); err != nil {
				return err
			}
		}
	}
	return nil
}

// in adds a node to a place.
func (r *reader) in(parent place, kind, name string, n *yaml.Node) place {
	return parent.in(kind, name, n.Line, n.Column)
}

// count makes sure that the work stays bounded, whatever aliases make of the file.
func (r *reader) count(n *yaml.Node) error {
	if r.nodes += 1 + len(n.Content); r.nodes > maxNodes {
		return fail(ErrYAMLValidate, r.root, "the file has more than %d parts, aliases counted each time", maxNodes)
	}
	return nil
}

func (r *reader) item(n *yaml.Node) error {
	if err := r.count(n); err != nil {
		return err
	}
	if !isMap(n) {
		return fail(ErrYAMLValidate, r.in(r.root, itemItem, "", n), "Unexpected element type. Each element should be a yaml associative array.")
	}
	switch {
	case member(n, "required_engine_version") != nil:
		return r.engineVersion(n)
	case member(n, "required_plugin_versions") != nil:
		return r.pluginVersions(n)
	case member(n, "list") != nil:
		return r.list(n)
	case member(n, "macro") != nil:
		return r.macro(n)
	case member(n, "rule") != nil:
		return r.rule(n)
	}
	r.result.warn(WarnUnknownItem, r.in(r.root, itemItem, "", n), "the item is ignored: it has none of the keys rule, macro, list, required_engine_version, required_plugin_versions")
	return nil
}

// scalar reads the text of a key. It is an error if the key is missing, unless it is optional: then ok is false.
func (r *reader) scalar(n *yaml.Node, key string, at place, optional bool) (text string, ok bool, err error) {
	v := member(n, key)
	switch {
	case v == nil && optional:
		return "", false, nil
	case v == nil:
		return "", false, fail(ErrYAMLValidate, at, "Item has no mapping for key '%s'", key)
	case isNull(v):
		return "", false, fail(ErrYAMLValidate, at, "Mapping for key '%s' is empty", key)
	}
	valueAt := r.in(at, itemValue, key, v)
	if !isScalar(v) {
		return "", false, fail(ErrYAMLValidate, valueAt, "expected a single value for '%s', not a sequence or a mapping", key)
	}
	if v.Value == "" {
		return "", false, fail(ErrYAMLValidate, valueAt, "the value of '%s' is empty: give one", key)
	}
	return v.Value, true, nil
}

func (r *reader) needed(n *yaml.Node, key string, at place) (string, error) {
	text, _, err := r.scalar(n, key, at, false)
	return text, err
}

// truth reads a truth value; nil if the key is missing and optional.
func (r *reader) truth(n *yaml.Node, key string, at place, optional bool) (*bool, error) {
	text, ok, err := r.scalar(n, key, at, optional)
	if err != nil || !ok {
		return nil, err
	}
	value, ok := parseBool(text)
	if !ok {
		return nil, fail(ErrYAMLValidate, r.in(at, itemValue, key, member(n, key)), "expected true or false for '%s', not '%s'", key, text)
	}
	return &value, nil
}

// integer reads a whole number from 0; nil if the key is missing and optional.
func (r *reader) integer(n *yaml.Node, key string, at place, optional bool) (*int64, error) {
	text, ok, err := r.scalar(n, key, at, optional)
	if err != nil || !ok {
		return nil, err
	}
	value, err := strconv.ParseInt(text, 0, 64)
	if err != nil || value < 0 {
		return nil, fail(ErrYAMLValidate, r.in(at, itemValue, key, member(n, key)),
			"expected a whole number from 0 for '%s', not '%s'", key, text)
	}
	return &value, nil
}

// texts reads a sequence of texts; nil if the key is missing and optional.
func (r *reader) texts(n *yaml.Node, key string, at place, optional bool) ([]string, error) {
	v := member(n, key)
	if v == nil && optional {
		return nil, nil
	}
	if v == nil {
		return nil, fail(ErrYAMLValidate, at, "Item has no mapping for key '%s'", key)
	}
	valueAt := r.in(at, itemValue, key, v)
	if !isSequence(v) {
		return nil, fail(ErrYAMLValidate, valueAt, "expected a sequence for '%s', as in [a, b]", key)
	}
	if err := r.count(v); err != nil {
		return nil, err
	}
	out := make([]string, 0, len(v.Content))
	for _, item := range v.Content {
		// An empty item is the empty text, or what stands there: ~, null.
		if item = deref(item); item == nil || item.Kind != yaml.ScalarNode {
			return nil, fail(ErrYAMLValidate, valueAt, "every item of '%s' must be a single value", key)
		}
		if isNull(item) {
			return nil, fail(ErrYAMLValidate, r.in(valueAt, itemListItem, "", item), "an item of '%s' is empty: remove it, or put \"\" for the empty text", key)
		}
		out = append(out, item.Value)
	}
	return out, nil
}

// unknownKeys warns of keys that an item does not have.
func (r *reader) unknownKeys(n *yaml.Node, at place, known map[string]bool) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if !known[key.Value] {
			r.result.warn(WarnUnknownKey, r.in(at, itemValue, key.Value, key), "Unknown key '%s' in %s: it is ignored",
				key.Value, at.location.Type)
		}
	}
}

func (r *reader) engineVersion(n *yaml.Node) error {
	at := r.in(r.root, itemEngineVersion, "", n)
	r.unknownKeys(n, at, map[string]bool{"required_engine_version": true})
	text, err := r.needed(n, "required_engine_version", at)
	if err != nil {
		return err
	}
	wanted, ok := parseVersion(text)
	if number, err := strconv.ParseUint(text, 0, 32); err == nil {
		wanted, ok = version{0, uint32(number), 0}, true
	}
	if !ok {
		return fail(ErrYAMLValidate, at, "Unable to parse engine version '%s' as a semver string. Expected \"x.y.z\" semver format.", text)
	}
	if ours, _ := parseVersion(EngineVersion); !ours.serves(wanted) {
		return fail(ErrValidate, at, "the file asks for engine version %s, and this engine does as %s: use a file made for that", wanted, ours)
	}
	return nil
}

func (r *reader) pluginVersions(n *yaml.Node) error {
	v := member(n, "required_plugin_versions")
	at := r.in(r.root, itemPlugins, "", v)
	r.unknownKeys(n, at, map[string]bool{"required_plugin_versions": true})
	if !isSequence(v) {
		return fail(ErrYAMLValidate, at, "expected a sequence of plugins, each with 'name' and 'version'")
	}
	if err := r.count(v); err != nil {
		return err
	}
	for _, item := range v.Content {
		if item = deref(item); item == nil {
			continue
		}
		entryAt := r.in(at, itemPlugin, "", item)
		if !isMap(item) {
			return fail(ErrYAMLValidate, entryAt, "expected a plugin: a mapping with 'name' and 'version'")
		}
		first, entryAt, err := r.plugin(item, at, itemPlugin)
		if err != nil {
			return err
		}
		required := requirement{r.name, []plugin{first}}
		if alternatives := member(item, "alternatives"); alternatives != nil {
			if !isSequence(alternatives) {
				return fail(ErrYAMLValidate, entryAt, "expected a sequence for 'alternatives', each item with 'name' and 'version'")
			}
			if err := r.count(alternatives); err != nil {
				return err
			}
			for _, a := range alternatives.Content {
				if a = deref(a); !isMap(a) {
					return fail(ErrYAMLValidate, entryAt, "each of 'alternatives' must be a mapping with 'name' and 'version'")
				}
				p, _, err := r.plugin(a, entryAt, itemAlternative)
				if err != nil {
					return err
				}
				required.alternatives = append(required.alternatives, p)
			}
		}
		if err := r.loader.require(required, entryAt); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) plugin(n *yaml.Node, parent place, kind string) (plugin, place, error) {
	at := r.in(parent, kind, "", n)
	name, err := r.needed(n, "name", at)
	if err != nil {
		return plugin{}, at, err
	}
	at = r.in(parent, kind, name, n)
	r.unknownKeys(n, at, map[string]bool{"name": true, "version": true, "alternatives": kind == itemPlugin})
	version, err := r.needed(n, "version", at)
	return plugin{name, version}, at, err
}

var listKeys = map[string]bool{"list": true, "items": true, "append": true, "override": true}

func (r *reader) list(n *yaml.Node) error {
	name, err := r.needed(n, "list", r.in(r.root, itemList, "", n))
	if err != nil {
		return err
	}
	at := r.in(r.root, itemList, name, n)
	if !filter.IsBare(name) {
		r.result.warn(WarnInvalidListName, at, "List has an invalid name. List names should match a regular expression, "+
			`[^()"'=,[:space:]]+: this one has a blank, a quote, a parenthesis, a comma or an equals sign in it`)
	}
	items, err := r.texts(n, "items", at, false)
	if err != nil {
		return err
	}
	r.unknownKeys(n, at, listKeys)
	appended, err := r.appended(n, at, "items")
	if err != nil {
		return err
	}
	return r.loader.defineList(&list{name: name, items: items, at: at}, appended)
}

var macroKeys = map[string]bool{"macro": true, "condition": true, "append": true, "override": true}

func (r *reader) macro(n *yaml.Node) error {
	name, err := r.needed(n, "macro", r.in(r.root, itemMacro, "", n))
	if err != nil {
		return err
	}
	at := r.in(r.root, itemMacro, name, n)
	if !filter.IsIdentifier(name) {
		r.result.warn(WarnInvalidMacroName, at, "no condition can name '%s': a macro's name is a letter, then letters, digits and "+
			"underscores", name)
	}
	condition, err := r.needed(n, "condition", at)
	if err != nil {
		return err
	}
	r.unknownKeys(n, at, macroKeys)
	appended, err := r.appended(n, at, "condition")
	if err != nil {
		return err
	}
	conditionAt := r.in(at, itemMacroCond, "", member(n, "condition"))
	return r.loader.defineMacro(&macro{name: name, condition: condition, at: at, conditionAt: conditionAt}, appended)
}

// appended reads whether a list or a macro adds to an earlier one. key is the only key that can be overridden.
func (r *reader) appended(n *yaml.Node, at place, key string) (bool, error) {
	legacy, err := r.legacyAppend(n, at)
	if err != nil {
		return false, err
	}
	keys := map[string]bool{key: true}
	o, err := r.overrides(n, at, keys, keys)
	if err != nil {
		return false, err
	}
	if legacy && o.any() {
		return false, fail(ErrYAMLValidate, at, textBoth)
	}
	return legacy || o.append[key], nil
}

// legacyAppend reads "append: true".
func (r *reader) legacyAppend(n *yaml.Node, at place) (bool, error) {
	legacy, err := r.truth(n, "append", at, true)
	if err != nil || legacy == nil || !*legacy {
		return false, err
	}
	r.result.warn(WarnDeprecatedItem, at, textAppend)
	return true, nil
}

// overrides are the keys that an object appends to or replaces.
type overrides struct{ append, replace map[string]bool }

func (o overrides) any() bool { return len(o.append)+len(o.replace) > 0 }

func (r *reader) overrides(n *yaml.Node, parent place, canAppend, canReplace map[string]bool) (overrides, error) {
	o := overrides{map[string]bool{}, map[string]bool{}}
	v := member(n, "override")
	if v == nil || isNull(v) {
		return o, nil
	}
	at := r.in(parent, itemOverrides, "", v)
	if !isMap(v) {
		return o, fail(ErrYAMLValidate, at, "expected a mapping for 'override', of keys to 'append' or 'replace'")
	}
	if err := r.count(v); err != nil {
		return o, err
	}
	for i := 0; i+1 < len(v.Content); i += 2 {
		key, operation := v.Content[i], deref(v.Content[i+1])
		keyAt := r.in(at, itemOverrides, key.Value, key)
		how := ""
		if isScalar(operation) {
			how = operation.Value
		}
		switch {
		case how == "append" && canAppend[key.Value]:
			o.append[key.Value] = true
		case how == "append":
			return o, fail(ErrYAMLValidate, keyAt, "Key '%s' cannot be appended to, use 'replace' instead", key.Value)
		case how == "replace" && canReplace[key.Value]:
			o.replace[key.Value] = true
		case !canReplace[key.Value]:
			return o, fail(ErrYAMLValidate, keyAt, "'%s' is no key that can be overridden: expected one of %s",
				key.Value, strings.Join(slices.Sorted(maps.Keys(canReplace)), ", "))
		case canAppend[key.Value]:
			return o, fail(ErrYAMLValidate, keyAt, "expected 'append' or 'replace' for '%s', not '%s'", key.Value, how)
		default:
			return o, fail(ErrYAMLValidate, keyAt, "expected 'replace' for '%s', not '%s'", key.Value, how)
		}
	}
	return o, nil
}

// priority reads a priority's name, in any case.
func (r *reader) priority(n *yaml.Node, at place) (alert.Priority, error) {
	text, err := r.needed(n, "priority", at)
	if err != nil {
		return 0, err
	}
	switch strings.ToLower(text) {
	case "warn", "err", "crit", "emerg": // known to syslog, not to rule files
	default:
		if p, err := alert.ParsePriority(text); err == nil {
			return p, nil
		}
	}
	return 0, fail(ErrYAMLValidate, r.in(at, itemPriority, "", member(n, "priority")),
		"'%s' is no priority: expected emergency, alert, critical, error, warning, notice, informational (or info) or debug", text)
}
