// Package load reads Falco's rule files: lists, macros and rules, what later files change of them, and what is wrong
// with them. It gives rules whose conditions and outputs are checked and ready to be compiled for events.
package load

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/rules/eval"
	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/pkg/rules/filter"
	"github.com/tiercel/tiercel/pkg/rules/format"
)

// Options say what a loader is for. The zero Options load everything that the language has.
type Options struct {
	Names  eval.Names              // knows the addresses of host names; without, names are compared as texts
	Append []Append                // what to add to outputs, in order
	Supply *Supply                 // what events there will be; nil for no warnings about that
	Expand func(env string) string // gives the values of ${NAME} in added fields; nil leaves them as they are
}

// Append adds to the outputs of the rules that it fits, as Falco's append_output does.
type Append struct {
	Rule   string   // fits this rule only; "" fits all
	Source string   // fits rules of this source only
	Tags   []string // fits rules that have all of these
	Output string   // added to the text, after a blank; its fields come into output_fields, too
	Fields []ExtraField
}

// ExtraField adds a member to output_fields.
type ExtraField struct {
	Name   string
	Format string // a format whose text is the value; "" for the plain value of the field called Name
}

// Suggested is what Falco since 0.41 adds to the outputs of its system call rules when nothing else is said.
func Suggested() []Append {
	const output = "container_id=%container.id container_name=%container.name " +
		"container_image_repository=%container.image.repository container_image_tag=%container.image.tag " +
		"k8s_pod_name=%k8s.pod.name k8s_ns_name=%k8s.ns.name"
	return []Append{
		{Source: event.Syscall.String(), Output: output},
		{Source: event.Terminal.String(), Output: output},
	}
}

// Supply is what the source of events can give.
type Supply struct {
	// Type reports whether there will be events of this type.
	Type func(event.Type) bool
	// Field reports whether events of these types can have the field. Fields that follow from the type are not asked for.
	Field func(ref field.Ref, types event.Set) bool
}

// Rule is a rule that was loaded.
type Rule struct {
	Name            string
	Desc            string
	Source          event.Source
	Priority        alert.Priority
	Enabled         bool
	Tags            []string // sorted, each once
	Capture         bool     // asks for a recording, which Falco makes; kept, not acted upon
	CaptureDuration int64    // of that, milliseconds

	Where     Location        // where it was last defined as a whole
	Written   string          // the condition as the files have it, with what was appended and its exceptions
	Expr      filter.Expr     // the condition with its macros put in
	Condition *eval.Condition // the same, checked
	Output    string          // the format, with what was appended
	Format    *format.Format  // the same, parsed
	Fields    []Field         // what else goes into output_fields

	NotSupplied []string // the fields and event types that it asks for and that are not supplied
}

// Field is a member that is added to output_fields.
type Field struct {
	Name   string
	Ref    *field.Ref     // the plain value of a field
	Format *format.Format // or a text
}

// Loader reads rule files one after the other. A later file can change what an earlier one defined.
type Loader struct {
	options  Options
	lists    ordered[*list]
	macros   ordered[*macro]
	rules    ordered[*rule]
	plugins  []requirement
	next     int // counts what was defined or changed
	parsed   map[string]filter.Expr
	compiler *eval.Compiler
	out      []*Rule
}

// New makes a loader.
func New(options Options) *Loader {
	return &Loader{options: options, parsed: map[string]filter.Expr{}, compiler: eval.NewCompiler(options.Names)}
}

// Load reads a file with the given name and text. Every file is checked together with those before it; the rules of
// all of them are then in [Loader.Rules]. After a file with an error, the rules are those of the files before, but
// part of what the file defined may already be known to the files after it.
func (l *Loader) Load(name, text string) *Result {
	result := &Result{Name: name}
	r := &reader{
		loader: l, result: result, name: name, text: text,
		root: place{location: Location{Type: itemContent, File: name}, source: &source{text: text}},
	}
	err := r.read()
	if err == nil {
		err = l.compile(result)
	}
	var f *failure
	switch {
	case err == nil:
	case errors.As(err, &f):
		result.Errors = append(result.Errors, Problem{f.code, f.message, f.at.context()})
	default:
		result.Errors = append(result.Errors, Problem{ErrValidate, err.Error(), r.root.context()})
	}
	return result
}

// Unreadable is the result for a file that could not be read at all.
func Unreadable(name string, err error) *Result {
	at := place{location: Location{Type: itemContent, File: name}, source: &source{}}
	return &Result{Name: name, Errors: []Problem{{ErrFileRead, err.Error(), at.context()}}}
}

// Rules are the rules of all files so far, in the order in which they were first defined.
func (l *Loader) Rules() []*Rule { return l.out }

// CheckPlugins reports the plugins that the files require and that are not built in. Falco does not start with such
// files.
func (l *Loader) CheckPlugins() error {
	have := Plugins()
	var missing []error
next:
	for _, r := range l.plugins {
		names := make([]string, 0, len(r.alternatives))
		for _, a := range r.alternatives {
			if version, ok := have[a.name]; ok && serves(version, a.version) {
				continue next
			}
			names = append(names, a.name+":"+a.version)
		}
		missing = append(missing, fmt.Errorf("%s: the file needs a plugin that is not built in: %s", r.file, strings.Join(names, " or ")))
	}
	return errors.Join(missing...)
}

// failure is an error with its place.
type failure struct {
	code    Code
	message string
	at      place
}

func (f *failure) Error() string { return f.message }

func fail(code Code, at place, format string, args ...any) error {
	return &failure{code, fmt.Sprintf(format, args...), at}
}

// maxWarnings bounds the warnings about one file. The largest official file has some hundred.
const maxWarnings = 1000

func (r *Result) warn(code Code, at place, format string, args ...any) {
	if len(r.Warnings) >= maxWarnings {
		return
	}
	if len(r.Warnings) == maxWarnings-1 {
		format, args = "there are more warnings than are shown", nil
	}
	r.Warnings = append(r.Warnings, Problem{code, fmt.Sprintf(format, args...), at.context()})
}

// ordered keeps items in the order of their first definition, and finds them by name.
type ordered[T any] struct {
	all   []T
	index map[string]int
}

func (o *ordered[T]) get(name string) (item T, ok bool) {
	i, ok := o.index[name]
	if ok {
		item = o.all[i]
	}
	return item, ok
}

// set adds an item, or replaces the one of that name in its place.
func (o *ordered[T]) set(name string, item T) {
	if i, ok := o.index[name]; ok {
		o.all[i] = item
		return
	}
	if o.index == nil {
		o.index = map[string]int{}
	}
	o.index[name] = len(o.all)
	o.all = append(o.all, item)
}
