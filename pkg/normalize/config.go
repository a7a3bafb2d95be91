package normalize

import (
	"errors"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/problem"
)

// Config is falcosidekick's: what is added to every alert, and how it is cut. Applied in this order: customfields,
// customtags, templatedfields, bracketreplacer, outputfieldformat, limits.
type Config struct {
	// Fields to set in every alert's output_fields. A value %NAME takes the environment variable NAME.
	CustomFields map[string]string `config:"customfields"`
	// Tags to add to every alert.
	CustomTags []string `config:"customtags"`
	// Fields to set, each a Go template over output_fields: {{ index . "k8s.ns.name" }}.
	TemplatedFields map[string]string `config:"templatedfields"`
	// Replaces [ in the names of fields, and ] goes: with _ proc.aname[2] becomes proc.aname_2.
	BracketReplacer string `config:"bracketreplacer"`
	// New form of output, from <timestamp> <priority> <output> <custom_fields> <templated_fields> <tags>.
	OutputFieldFormat string `config:"outputfieldformat"`
}

// Defaults gives a config that adds nothing.
func Defaults() Config { return Config{} }

// Validate returns every problem, joined.
func (c *Config) Validate() error {
	_, customErr := c.custom()
	_, templatedErr := c.templated()
	return errors.Join(customErr, templatedErr)
}

// environment is what a custom field's value looks like that stands for an environment variable.
var environment = regexp.MustCompile(`^%([A-Za-z_][A-Za-z0-9_]*)$`)

// custom gives the custom fields sorted by name, their environment variables filled in.
func (c *Config) custom() ([]text, error) {
	var (
		all  []text
		errs []error
	)
	for _, name := range slices.Sorted(maps.Keys(c.CustomFields)) {
		value := c.CustomFields[name]
		if name == "" {
			errs = append(errs, problem.At("customfields", "expected a name for the value %q", value))
		}
		if match := environment.FindStringSubmatch(value); match != nil {
			found, ok := os.LookupEnv(match[1])
			if !ok {
				errs = append(errs, problem.At("customfields."+name, "the environment variable %s is not set", match[1]))
			}
			value = found
		}
		all = append(all, text{valid(name), valid(value)})
	}
	return all, errors.Join(errs...)
}

// templated parses the templates, sorted by the name of the field.
func (c *Config) templated() ([]templated, error) {
	var (
		all  []templated
		errs []error
	)
	for _, name := range slices.Sorted(maps.Keys(c.TemplatedFields)) {
		if name == "" {
			errs = append(errs, problem.At("templatedfields", "expected a name for %q", c.TemplatedFields[name]))
		}
		parsed, err := template.New(name).Parse(c.TemplatedFields[name])
		if err != nil {
			errs = append(errs, problem.At("templatedfields."+name, "expected a Go template: %v", err))
			continue
		}
		all = append(all, templated{name: valid(name), template: parsed})
	}
	return all, errors.Join(errs...)
}

// tags gives the custom tags without empty ones, which come of an environment variable that is set to nothing.
func (c *Config) tags() []string {
	var all []string
	for _, tag := range c.CustomTags {
		if tag = strings.TrimSpace(tag); tag != "" {
			all = append(all, valid(tag))
		}
	}
	return all
}

// text is a name and a text of its own.
type text struct{ name, value string }

func (t text) field() alert.Field { return alert.Field{Name: t.name, Value: alert.String(t.value)} }

// valid makes invalid UTF-8 U+FFFD: environment variables and template functions can give any bytes.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
