package config

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/secret"
)

var instanceName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// instance makes the section of one of several outputs of a spec, "slack/oncall". It returns nil for a key that is
// not of that form, or of no spec.
func (l *loader) instance(key string) (*setting, error) {
	name, part, ok := strings.Cut(key, "/")
	if !ok {
		return nil, nil //nolint:nilnil // not an instance is no error
	}
	at := slices.IndexFunc(l.declared, func(o *Output) bool { return o.Name == name })
	if at < 0 {
		return nil, nil //nolint:nilnil // the same
	}
	if !instanceName.MatchString(part) {
		return nil, errors.New("expected after the / letters, digits and - inside, at most 63")
	}
	if err := l.declareOutput(key, l.declared[at].Spec); err != nil {
		return nil, err
	}
	return l.root.child(key), nil
}

// isOutput reports whether a name is that of a spec.
func (l *loader) isOutput(name string) bool {
	return slices.ContainsFunc(l.declared, func(o *Output) bool { return o.Spec.Name == name })
}

// choose picks the outputs that are in use, and warns of those that look as if they were meant to be.
func (l *loader) choose(specs []outputs.Spec) {
	for _, spec := range specs {
		for _, o := range l.declared {
			if o.Spec.Name == spec.Name && o.Config.Enabled() {
				l.config.Outputs = append(l.config.Outputs, *o)
			}
		}
	}
	fallback := len(l.config.Outputs) == 0
	for _, o := range l.declared {
		switch {
		case o.Config.Enabled():
		case fallback && o.Spec.Fallback && o.Name == o.Spec.Name:
			l.config.Outputs = append(l.config.Outputs, *o)
			fallback = false
		default:
			l.warnOff(o)
		}
	}
}

// warnOff warns of an output that is set up but not switched on.
func (l *loader) warnOff(o *Output) {
	own := l.root.child(o.Name)
	if !l.isTouched(o, own) {
		return
	}
	var missing []string
	for _, name := range Switches(o.Spec) {
		s := own.at(joinPath(o.Name, name))
		if _, set := l.config.origins[s.path]; l.failed[s.path] || set && s.kind == isBool {
			return // switched off on purpose, or there is a problem already
		}
		missing = append(missing, name)
	}
	at := l.locate(o.Name)
	if len(missing) == 0 {
		l.warn(at, o.Name, "not everything that it needs is set: this output is off")
		return
	}
	l.warn(at, o.Name, strings.Join(missing, " or ")+" is not set: this output is off")
}

// isTouched reports whether a section says more than the defaults. A named instance always does. Empty values do
// not count: many example files list every key so.
func (l *loader) isTouched(o *Output, own *setting) bool {
	if o.Name != o.Spec.Name {
		return true
	}
	fresh := newOutput(o.Name, o.Spec)
	defaults, err := section(o.Name, fresh.Config, &fresh.Lane)
	if err != nil {
		return false
	}
	touched := false
	own.leaves(func(s *setting) {
		if _, set := l.config.origins[s.path]; set && !touched && !s.isEmpty() {
			touched = !reflect.DeepEqual(s.field.Interface(), defaults.at(s.path).field.Interface()) && !isBoilerplate(l.foreign, s)
		}
	})
	return touched
}

// isBoilerplate reports whether a leaf holds what falcosidekick's example or chart sets though it says nothing.
func isBoilerplate(foreign []foreign, s *setting) bool {
	for i := range foreign {
		f := &foreign[i]
		if key, ok := strings.CutPrefix(s.path, f.path+"."); ok && f.has(key) {
			return !f.says(key, fmt.Sprint(plain(s)))
		}
	}
	return false
}

// isEmpty reports whether a leaf holds nothing.
func (s *setting) isEmpty() bool {
	switch s.kind {
	case isList, isMap, isSecretMap:
		return s.field.Len() == 0
	}
	return s.field.IsZero()
}

// Switches lists the keys each of which alone switches an output of this spec on. They are found by trying.
func Switches(spec outputs.Spec) []string {
	var names []string
	every, err := section("", spec.Config())
	if err != nil {
		return nil
	}
	every.leaves(func(s *setting) {
		config := spec.Config()
		one, err := section("", config)
		if err != nil || config.Enabled() {
			return
		}
		field := one.at(s.path).field
		switch s.kind {
		case isText:
			field.SetString("x")
		case isSecret:
			field.Set(reflect.ValueOf(secret.New("x")))
		case isBool:
			field.SetBool(!field.Bool())
		case isList:
			field.Set(reflect.ValueOf([]string{"x"}))
		default:
			return
		}
		if config.Enabled() {
			names = append(names, s.path)
		}
	})
	return names
}
