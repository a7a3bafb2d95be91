package config

import (
	"maps"
	"slices"
	"strings"
)

// Files lists the files that the config was read from: its own, those of secrets, those that ${file:} named, and those
// with certificates and keys. When one of them changes, loading gives another config.
func (c *Config) Files() []string { return slices.Clone(c.files) }

// Certificates lists those of the files that hold certificates and keys.
func (c *Config) Certificates() []string { return slices.Clone(c.certificates) }

// watched gathers what Files lists.
func (l *loader) watched(file string) []string {
	all := make(map[string]bool)
	add := func(path string) {
		if path != "" {
			all[path] = true
		}
	}
	add(file)
	for _, path := range l.document.files {
		add(path)
	}
	for _, at := range l.config.origins {
		add(at.from)
	}
	certificates := make(map[string]bool)
	l.root.leaves(func(s *setting) {
		if _, set := l.config.origins[s.path]; set && s.kind == isText && strings.HasSuffix(s.name, "file") && s.field.String() != "" {
			certificates[s.field.String()] = true
			add(s.field.String())
		}
	})
	l.config.certificates = slices.Sorted(maps.Keys(certificates))
	return slices.Sorted(maps.Keys(all))
}
