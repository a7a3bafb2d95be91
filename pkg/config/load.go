package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"

	"github.com/tiercel/tiercel/outputs"
)

// Load reads the config: the environment over the file over the defaults. The error is an [*Invalid] that names
// everything that is wrong with it, or speaks of a mistake in the specs. Warnings come with and without an error.
func Load(options Options) (*Config, []Warning, error) {
	l := &loader{config: defaults(), environ: environMap(options.Environ), failed: make(map[string]bool)}
	if err := l.declare(options.Specs); err != nil {
		return nil, nil, err
	}
	l.document.given = options.node
	if options.File != "" {
		l.file(options.File)
	}
	l.environment()
	l.root.leaves(l.fill)
	l.expand()
	l.choose(options.Specs)
	l.validate()
	l.config.files = l.watched(options.File)
	if len(l.problems) > 0 {
		return nil, sorted(l.warnings), &Invalid{sorted(l.problems)}
	}
	return l.config, sorted(l.warnings), nil
}

// loader holds what the steps of [Load] share.
type loader struct {
	config   *Config
	environ  map[string]string
	root     *setting     // every key there is; sections of named instances join as the file brings them
	viper    *viper.Viper // the file, and what is set over it by the environment
	document *document
	declared []*Output // each spec's own in the order of the specs, then the named instances in the order of the file
	foreign  []foreign // falcosidekick's outputs
	unbuilt  unbuilt
	failed   map[string]bool // paths that could not be read; nothing more is said about them
	problems []Finding
	warnings []Finding
}

// declare makes the tree of all keys.
func (l *loader) declare(specs []outputs.Spec) error {
	var err error
	if l.root, err = section("", l.config); err != nil {
		return err
	}
	for _, spec := range specs {
		if spec.Name == "" || spec.Config == nil || strings.Trim(spec.Name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return fmt.Errorf("output %q: expected a name of lower case letters and digits, and outputs.Define", spec.Name)
		}
		if l.root.child(spec.Name) != nil {
			return fmt.Errorf("output %s: there is a section of that name already", spec.Name)
		}
		if err := l.declareOutput(spec.Name, spec); err != nil {
			return err
		}
	}
	l.foreign = foreigners()
	l.unbuilt = newUnbuilt(l.foreign, l.root, l.warn)
	l.document = &document{
		root: l.root, instance: l.instance, isOutput: l.isOutput, foreign: l.unbuilt, retired: l.retired, environ: l.environ,
		sections: make(map[string]origin), raw: make(map[*yaml.Node]string), asked: make(map[string]bool),
	}
	l.viper = viper.NewWithOptions(viper.WithDecoderRegistry(l.document))
	l.viper.SetConfigType("yaml")
	return nil
}

// declareOutput makes an output and its section.
func (l *loader) declareOutput(name string, spec outputs.Spec) error {
	o := newOutput(name, spec)
	s, err := section(name, o.Config, &o.Lane)
	if err != nil {
		return err
	}
	s.comment = spec.About
	l.root.settings = append(l.root.settings, s)
	l.declared = append(l.declared, o)
	return nil
}

// file reads the config file into viper.
func (l *loader) file(path string) {
	l.document.file = path
	if l.document.given != nil {
		if err := l.viper.ReadConfig(bytes.NewReader(nil)); err != nil {
			l.problem(origin{file: path}, "", "cannot read it: %v", err)
		}
		l.problems = append(l.problems, l.document.problems...)
		l.document.problems = nil
		return
	}
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.problem(origin{file: path}, "", "there is no such file: check the path, or start without a config file, everything has a default")
		return
	case err != nil:
		l.problem(origin{file: path}, "", "cannot read it: %v", reasonOf(err))
		return
	}
	if err := l.viper.ReadConfig(bytes.NewReader(data)); err != nil {
		l.problem(origin{file: path}, "", "cannot read it: %v", err)
	}
	l.problems = append(l.problems, l.document.problems...)
	l.document.problems = nil
}

// reasonOf takes the path and the operation from a file's error: whoever prints it names the path.
func reasonOf(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}

// value is what the highest layer says about a path, or nil.
func (l *loader) value(path string) *value {
	v, _ := l.viper.Get(path).(*value)
	return v
}

// fill sets a leaf's field to what the highest layer says, or leaves its default.
func (l *loader) fill(s *setting) {
	v := l.value(s.path)
	if s.kind == isSecret {
		l.fillSecret(s, v, l.value(s.path+fileSuffix))
		return
	}
	if v == nil {
		return
	}
	raw, substituted := l.rawOf(v)
	set, err := l.decode(s, v)
	switch {
	case err != nil && substituted:
		l.fail(s.path, v.origin, "what %s stands for is not what belongs here: expected %s", quote(raw), s.expected())
	case err != nil:
		l.fail(s.path, v.origin, "%v", err)
	case set:
		at := v.origin
		at.raw = raw
		l.config.origins[s.path] = at
	}
}

// rawOf gives a value as it was written, where it holds references to what stands elsewhere.
func (l *loader) rawOf(v *value) (raw string, ok bool) {
	if v.node == nil {
		return v.raw, v.raw != ""
	}
	raw, ok = l.document.raw[resolve(v.node)]
	return raw, ok
}

// problem gathers something that stops the start.
func (l *loader) problem(at origin, key, format string, args ...any) {
	l.problems = append(l.problems, at.finding(key, fmt.Sprintf(format, args...)))
}

// fail gathers a problem after which nothing more is said about the path.
func (l *loader) fail(path string, at origin, format string, args ...any) {
	l.failed[path] = true
	l.problem(at, path, format, args...)
}

// warn gathers something that does not stop the start.
func (l *loader) warn(at origin, key, text string) {
	l.warnings = append(l.warnings, at.finding(key, text))
}
