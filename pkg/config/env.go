package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// environMap turns NAME=value into a map. An empty variable counts as one that is not set.
func environMap(environ []string) map[string]string {
	all := make(map[string]string, len(environ))
	for _, entry := range environ {
		if name, text, ok := strings.Cut(entry, "="); ok && text != "" {
			all[name] = text
		}
	}
	return all
}

// environment puts the variables over the file. It is viper's layer for what is set by hand, not its own for the
// environment: that one reads the process's only, and forgets which variable it was.
func (l *loader) environment() {
	known := make(map[string]string) // path by variable
	l.root.leaves(func(s *setting) {
		l.variable(s, known, s.env, s.path)
		if s.kind == isSecret {
			l.variable(s, known, envName(s.path+fileSuffix), s.path+fileSuffix)
		}
	})
	l.unbuilt.environment(l.environ)
	l.misspelt(known)
}

// variable puts one variable over the file, if it is set.
func (l *loader) variable(s *setting, known map[string]string, name, path string) {
	if other, ok := known[name]; ok {
		section, _, _ := strings.Cut(path, ".")
		l.problem(l.document.sections[section], section, "choose another name: the variable %s would be both %s and %s", name, other, path)
		return
	}
	known[name] = path
	text, ok := l.environ[name]
	switch {
	case !ok:
	case s.kind != isSecret && !utf8.ValidString(text):
		l.fail(path, origin{env: name}, "expected UTF-8")
	default:
		l.viper.Set(path, &value{origin: origin{env: name}, text: text, below: l.value(path)})
	}
}

// misspelt warns of variables that nothing reads but that look much like one that is read.
func (l *loader) misspelt(known map[string]string) {
	names := slices.Sorted(maps.Keys(known))
	for name, text := range l.environ {
		if known[name] != "" || len(name) < 8 || l.unbuilt.owns(name) || strings.HasPrefix(text, "tcp://") {
			continue // a service's address, as Kubernetes gives it to every container, is no setting
		}
		for _, meant := range names {
			limit := min(3, len(meant)/5)
			if name[0] == meant[0] && distance(name, meant, limit) < limit { // few slip at the first letter
				l.warn(origin{env: name}, "", "nothing reads this variable, did you mean "+meant+"?")
				break
			}
		}
	}
}

var variableValue = regexp.MustCompile(`^%([A-Za-z_][A-Za-z0-9_]*)$`)

// expand puts the environment variable NAME where a custom field has the value %NAME.
func (l *loader) expand() {
	fields := l.config.Normalize.CustomFields
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		m := variableValue.FindStringSubmatch(fields[name])
		if m == nil {
			continue
		}
		held, ok := l.environ[m[1]]
		if !ok {
			l.warn(l.config.origins["customfields"], "customfields."+name, "the environment variable "+m[1]+" is not set: the field is left out")
			delete(fields, name)
			continue
		}
		fields[name] = strings.ToValidUTF8(held, "\uFFFD")
	}
}
