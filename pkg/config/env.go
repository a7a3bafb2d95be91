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
	l.instances()
	l.root.leaves(func(s *setting) {
		l.variable(s, known, s.env, s.path)
		if s.kind == isSecret {
			l.variable(s, known, envName(s.path+fileSuffix), s.path+fileSuffix)
		}
	})
	l.unbuilt.environment(l.environ)
	for path := range retired {
		l.retired(path, origin{env: envName(path)}, l.environ[envName(path)])
	}
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
		expanded, err := l.document.expand(text)
		if err != nil {
			l.fail(path, origin{env: name}, "%v", err)
			return
		}
		v := &value{origin: origin{env: name}, text: expanded, below: l.value(path)}
		if expanded != text {
			v.raw = text
		}
		l.viper.Set(path, v)
	}
}

// outputsVariable lists further outputs, so that each can be set up by variables alone: slack/oncall,loki/audit.
const outputsVariable = "TIERCEL_OUTPUTS"

// instances makes the sections that the variable asks for.
func (l *loader) instances() {
	at := origin{env: outputsVariable}
	for name := range strings.SplitSeq(l.environ[outputsVariable], ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		if name == "" || l.root.child(name) != nil && slices.ContainsFunc(l.declared, func(o *Output) bool { return o.Name == name }) {
			continue
		}
		switch s, err := l.instance(name); {
		case err != nil:
			l.problem(at, name, "%v", err)
		case s == nil:
			l.problem(at, "", "%s is no output: expected names as slack/oncall, with commas between", quote(name))
		default:
			l.document.sections[name] = at
		}
	}
}

// misspelt warns of variables that nothing reads but that look much like one that is read.
func (l *loader) misspelt(known map[string]string) {
	names := slices.Sorted(maps.Keys(known))
	unread := make(map[string]bool, len(retired))
	for path := range retired {
		unread[envName(path)] = true
	}
	for name, text := range l.environ {
		if known[name] != "" || unread[name] || l.document.asked[name] || len(name) < 8 || l.unbuilt.owns(name) || strings.HasPrefix(text, "tcp://") {
			continue // a service's address, as Kubernetes gives it to every container, is no setting
		}
		if instance := l.undeclared(name); instance != "" {
			l.warn(origin{env: name}, "", "nothing reads this variable: for an output "+instance+", add that to "+outputsVariable)
			continue
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

// undeclared names the output that a variable would switch on if it were there: SLACK_ONCALL_WEBHOOKURL is of slack/oncall.
func (l *loader) undeclared(name string) string {
	for _, o := range l.declared {
		rest, ok := strings.CutPrefix(name, envName(o.Spec.Name)+"_")
		if !ok || o.Name != o.Spec.Name {
			continue
		}
		for _, key := range Switches(o.Spec) {
			part, ok := strings.CutSuffix(rest, "_"+envName(key))
			if part = strings.ReplaceAll(strings.ToLower(part), "_", "-"); ok && instanceName.MatchString(part) {
				return o.Spec.Name + "/" + part
			}
		}
	}
	return ""
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
