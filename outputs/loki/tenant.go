package loki

import (
	"errors"
	"fmt"
	"strings"
	"text/template"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/verdict"
)

const tenantHeader = "X-Scope-OrgID"

// maxTenant is the longest name of a tenant that Loki takes, in bytes.
const maxTenant = 150

// tenant names the tenant that an alert belongs to.
type tenant struct {
	fixed    string
	template *template.Template // or this
}

// newTenant reads the setting. A text with {{ is a template, tried on an example, so that a misspelt name shows now.
func newTenant(text string) (tenant, error) {
	if !strings.Contains(text, "{{") {
		if !httpguts.ValidHeaderFieldValue(text) {
			return tenant{}, errors.New("expected no line breaks and other control characters")
		}
		return tenant{fixed: text}, nil
	}
	parsed, err := template.New("tenant").Option("missingkey=zero").Parse(text)
	if err != nil {
		return tenant{}, fmt.Errorf(`expected a name or a Go template, {{ index .OutputFields "k8s.ns.name" }} for example: %w`, err)
	}
	t := tenant{template: parsed}
	example := &alert.Alert{Rule: alert.TestRule, Time: time.Unix(0, 0).UTC(), Tags: []string{"example"}}
	if _, err := t.render(example); err != nil {
		return tenant{}, err
	}
	return t, nil
}

// of gives the alert's tenant, or nothing where it has none. What a template makes of an alert's fields is foreign
// text, so it must be a name that Loki takes: another is an error, since to mend it could put the alert into the
// hands of another tenant.
func (t tenant) of(a *alert.Alert) (string, error) {
	if t.template == nil {
		return t.fixed, nil
	}
	name, err := t.render(a)
	if err != nil {
		return "", encodingError(fmt.Errorf("tenant of the alert: %w", err))
	}
	if !validTenant(name) {
		return "", encodingError(fmt.Errorf("tenant of the alert: %s is no name that Loki takes: expected up to %d letters, digits and !-_.*'()",
			alert.Printable(cut(name, maxTenant)), maxTenant))
	}
	return name, nil
}

func (t tenant) render(a *alert.Alert) (string, error) {
	var out strings.Builder
	err := t.template.Execute(&out, view{a})
	return strings.TrimSpace(out.String()), err
}

func encodingError(err error) error {
	return verdict.Permanent(verdict.Because(verdict.Encoding, err))
}

// validTenant is Loki's own rule, grafana.com/docs/loki/latest/operations/multi-tenancy. Nothing is valid too.
func validTenant(name string) bool {
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte("!-_.*'()", c) >= 0:
		default:
			return false
		}
	}
	return len(name) <= maxTenant && name != "." && name != ".."
}

// view is an alert as templates see it, under falcosidekick's names.
type view struct{ a *alert.Alert }

func (v view) UUID() string             { return v.a.ID.String() }
func (v view) Rule() string             { return v.a.Rule }
func (v view) Priority() alert.Priority { return v.a.Priority }
func (v view) Source() string           { return v.a.Source }
func (v view) Hostname() string         { return v.a.Hostname }
func (v view) Output() string           { return v.a.Output }
func (v view) Time() time.Time          { return v.a.Time }
func (v view) Tags() []string           { return v.a.Tags }

// OutputFields gives the fields as texts. One that is not there is an empty text.
func (v view) OutputFields() map[string]string {
	all := make(map[string]string)
	for name, value := range v.a.Fields.All() {
		all[name] = value.Text()
	}
	return all
}
