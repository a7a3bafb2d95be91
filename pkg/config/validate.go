package config

import (
	"errors"
	"reflect"
	"strings"

	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/secret"
)

// validate asks every section, and says of each problem where its key was set.
func (l *loader) validate() {
	sections := reflect.ValueOf(l.config).Elem()
	for i := range sections.NumField() {
		field := sections.Type().Field(i)
		name, _, ok := strings.Cut(field.Tag.Get("config"), ",")
		if field.IsExported() && (ok || name != "") {
			l.ask(name, sections.Field(i).Addr().Interface())
		}
	}
	for _, o := range l.declared {
		l.ask(o.Name, &o.Lane)
	}
	for _, o := range l.config.Outputs {
		l.ask(o.Name, o.Config)
	}
}

// ask gathers the problems of one section, if it can tell them.
func (l *loader) ask(path string, section any) {
	validator, ok := section.(interface{ Validate() error })
	if !ok {
		return
	}
	for _, each := range problem.Each(problem.Under(path, validator.Validate())) {
		found := &problem.Problem{Text: each.Error()}
		errors.As(each, &found)
		if l.failed[found.Key] {
			continue
		}
		at, key := l.locate(found.Key), found.Key
		if at.from != "" {
			key += fileSuffix
		}
		l.problem(at, key, "%s", l.withoutSecrets(found.Text))
	}
}

// withoutSecrets cuts from a text what is in a secret. The sections are not to put it there; this makes sure.
func (l *loader) withoutSecrets(text string) string {
	const least = 6 // bytes; a shorter one would cut into words
	hide := func(s secret.String) {
		if len(s.Reveal()) >= least {
			text = strings.ReplaceAll(text, s.Reveal(), secret.Redacted)
		}
	}
	l.root.leaves(func(s *setting) {
		if raw := l.config.origins[s.path].raw; raw != "" && s.kind == isText && len(s.field.String()) >= least {
			text = strings.ReplaceAll(text, s.field.String(), raw) // it may come from a file of secrets
		}
		switch held := s.field.Interface().(type) {
		case secret.String:
			hide(held)
		case map[string]secret.String:
			for _, one := range held {
				hide(one)
			}
		}
	})
	return text
}

// locate finds where a key was set: itself, else what is below it, else the section that it is in.
func (l *loader) locate(key string) origin {
	if at, ok := l.config.origins[key]; ok {
		return at
	}
	var set origin
	if s := l.root.at(key); s != nil {
		s.leaves(func(leaf *setting) {
			if at := l.config.origins[leaf.path]; at.env != "" {
				set = at
			}
		})
	}
	for set == (origin{}) && key != "" {
		if at, ok := l.document.sections[key]; ok {
			return at
		}
		if at, ok := l.config.origins[key]; ok {
			return at
		}
		key = key[:max(0, strings.LastIndexByte(key, '.'))]
	}
	return set
}
