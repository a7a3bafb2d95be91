package all_test

import (
	"bytes"
	"reflect"
	"regexp"
	"testing"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/outputs/all"
	"github.com/tiercel/tiercel/pkg/config"
	"github.com/tiercel/tiercel/pkg/secret"
)

func TestSpecsAreComplete(t *testing.T) {
	fallbacks := 0
	for _, spec := range all.Specs() {
		if spec.Title == "" || spec.Category == "" || spec.About == "" || spec.Batch.Max < 1 || spec.Batch.Wait < 0 || spec.New == nil {
			t.Errorf("%s: something is missing: %+v", spec.Name, spec)
		}
		if !regexp.MustCompile(`^\S.*\.$`).MatchString(spec.About) {
			t.Errorf("%s: About is no sentence: %q", spec.Name, spec.About)
		}
		if spec.Config().Enabled() {
			t.Errorf("%s is on before anybody asked for it", spec.Name)
		}
		if len(config.Switches(spec)) == 0 {
			t.Errorf("%s: no single setting switches it on, so nobody can be told which one is missing", spec.Name)
		}
		if spec.Fallback {
			fallbacks++
			if err := spec.Config().Validate(); err != nil {
				t.Errorf("%s is used when nothing is set, and then says: %v", spec.Name, err)
			}
		}
	}
	if fallbacks != 1 {
		t.Errorf("%d outputs are used when none is configured, expected 1", fallbacks)
	}
}

// Each instance of an output gets defaults of its own: a map or a list that two share would be written by both.
func TestDefaultsAreNotShared(t *testing.T) {
	for _, spec := range all.Specs() {
		first, second := pointers(spec), pointers(spec)
		for pointer, path := range first {
			if other, ok := second[pointer]; ok {
				t.Errorf("%s: %s and %s are one", spec.Name, path, other)
			}
		}
	}
}

// pointers lists what a fresh config points to.
func pointers(spec outputs.Spec) map[uintptr]string {
	found := make(map[uintptr]string)
	var walk func(v reflect.Value, path string)
	walk = func(v reflect.Value, path string) {
		switch {
		case v.Type() == reflect.TypeFor[secret.String]():
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i), path+"."+v.Type().Field(i).Name)
			}
		case (v.Kind() == reflect.Map || v.Kind() == reflect.Pointer || v.Kind() == reflect.Slice && v.Cap() > 0) && !v.IsNil():
			found[v.Pointer()] = path
		}
	}
	walk(reflect.ValueOf(spec.Config()).Elem(), "Config")
	return found
}

// A section that is switched on and shown loads again as it is, whatever the output.
func TestEveryOutputCanBeConfigured(t *testing.T) {
	c := load(t, needed())
	var b bytes.Buffer
	if err := c.Show(&b, config.FormatYAML); err != nil {
		t.Fatal(err)
	}
	if len(c.Outputs) != 6 || bytes.Contains(b.Bytes(), []byte("/services/T0")) {
		t.Errorf("%d outputs, shown as\n%s", len(c.Outputs), b.Bytes())
	}
}
