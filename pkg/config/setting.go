package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/tiercel/tiercel/pkg/secret"
)

// setting is one key of the config: a section, which holds further ones, or a leaf, which fills a field.
type setting struct {
	name     string // its own part of the path, "max"
	path     string // "slack.retry.max"
	env      string // "SLACK_RETRY_MAX"
	kind     kind
	field    reflect.Value     // what it fills, addressable
	tag      reflect.StructTag // of that field
	comment  string            // of that field
	settings []*setting        // of a section, in the order of the fields
}

// kind is what a setting holds.
type kind int

const (
	isSection kind = iota
	isText
	isSecret
	isBool
	isInteger
	isDuration
	isParsed // reads and writes itself as text: priorities, sizes
	isList
	isMap
	isSecretMap
)

// kindOf tells what a field of type t holds, or false for a type that no setting can have.
func kindOf(t reflect.Type) (kind, bool) {
	switch t {
	case reflect.TypeFor[secret.String]():
		return isSecret, true
	case reflect.TypeFor[time.Duration]():
		return isDuration, true
	case reflect.TypeFor[[]string]():
		return isList, true
	case reflect.TypeFor[map[string]string]():
		return isMap, true
	case reflect.TypeFor[map[string]secret.String]():
		return isSecretMap, true
	}
	pointer := reflect.PointerTo(t)
	if pointer.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) && t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		return isParsed, true
	}
	switch t.Kind() {
	case reflect.Struct:
		return isSection, true
	case reflect.String:
		return isText, true
	case reflect.Bool:
		return isBool, true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return isInteger, true
	}
	return isSection, false
}

// section makes a section of pointers to structs, whose keys stand beside each other in it. An error is a mistake in
// the structs, not of the user.
func section(path string, structs ...any) (*setting, error) {
	s := &setting{name: lastPart(path), path: path, env: envName(path), kind: isSection}
	for _, pointer := range structs {
		if err := s.add(reflect.ValueOf(pointer).Elem()); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// add adds the fields of a struct: those with a tag `config:"key"`, and those of embedded structs and of fields with
// `config:",inline"` as if they were its own.
func (s *setting) add(v reflect.Value) error {
	if v.Kind() != reflect.Struct {
		return fmt.Errorf("config %s: %s is no struct", s.path, v.Type())
	}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, option, _ := strings.Cut(field.Tag.Get("config"), ",")
		switch {
		case option == "inline", name == "" && field.Anonymous && field.IsExported():
			if err := s.add(v.Field(i)); err != nil {
				return err
			}
			continue
		case name == "":
			continue
		case !field.IsExported() || name != strings.ToLower(name) || strings.ContainsAny(name, "./_ "):
			return fmt.Errorf("config %s: field %s of %s cannot have the key %q", s.path, field.Name, v.Type(), name)
		case s.child(name) != nil:
			return fmt.Errorf("config %s: the key %q is there twice, the second time in %s", s.path, name, v.Type())
		}
		kind, ok := kindOf(field.Type)
		if !ok {
			return fmt.Errorf("config %s: field %s of %s has a type that no key can have, %s", s.path, field.Name, v.Type(), field.Type)
		}
		path := joinPath(s.path, name)
		child := &setting{
			name: name, path: path, env: envName(path), kind: kind,
			field: v.Field(i), tag: field.Tag, comment: commentOf(v.Type(), field.Name),
		}
		if child.enum() != nil && kind != isText {
			return fmt.Errorf("config %s: field %s of %s has an enum but holds no text", s.path, field.Name, v.Type())
		}
		if kind == isSection {
			if err := child.add(v.Field(i)); err != nil {
				return err
			}
		}
		s.settings = append(s.settings, child)
	}
	return nil
}

// child finds a setting of the section by its name, in lower case.
func (s *setting) child(name string) *setting {
	for _, c := range s.settings {
		if c.name == name {
			return c
		}
	}
	return nil
}

// at finds a setting at or below the section by its path.
func (s *setting) at(path string) *setting {
	if s.path == path {
		return s
	}
	for _, c := range s.settings {
		if c.path == path || c.kind == isSection && strings.HasPrefix(path, c.path+".") {
			return c.at(path)
		}
	}
	return nil
}

// leaves calls do for every leaf below the setting, or for itself when it is one.
func (s *setting) leaves(do func(*setting)) {
	if s.kind != isSection {
		do(s)
		return
	}
	for _, c := range s.settings {
		c.leaves(do)
	}
}

// enum lists the values that the field's tag `enum:"a,b"` allows, or nothing when it has none.
func (s *setting) enum() []string {
	if text := s.tag.Get("enum"); text != "" {
		return strings.Split(text, ",")
	}
	return nil
}

// fileName is the name of the key that names a file with the secret.
func (s *setting) fileName() string { return s.name + fileSuffix }

// fileSuffix makes the key for a secret's file from the key of the secret.
const fileSuffix = "_file"

// envName is the environment variable for a path: in capitals, joined by _.
func envName(path string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' || r == '/' || r == '-' {
			return '_'
		}
		return r
	}, strings.ToUpper(path))
}

func joinPath(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func lastPart(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }
