package load

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Result is what loading one file gave.
type Result struct {
	Name           string
	Errors         []Problem // at most one: loading stops at the first
	Warnings       []Problem
	SchemaWarnings []string // where the file does not fit the schema of rule files; empty for a file that does
	SchemaChecked  bool     // the file was YAML, so it could be compared with the schema
}

// OK reports whether the file was loaded.
func (r *Result) OK() bool { return len(r.Errors) == 0 }

// Summary gives the verdict in one line, and the codes below it.
func (r *Result) Summary() string {
	var w strings.Builder
	w.WriteString(r.verdict())
	for _, part := range []struct {
		name     string
		problems []Problem
	}{{"errors", r.Errors}, {"warnings", r.Warnings}} {
		if len(part.problems) == 0 {
			continue
		}
		fmt.Fprintf(&w, "\n %d %s: [", len(part.problems), part.name)
		for i, p := range part.problems {
			if i > 0 {
				w.WriteByte(' ')
			}
			fmt.Fprintf(&w, "%s (%s)", p.Code, p.Code.Short())
		}
		w.WriteByte(']')
	}
	return w.String()
}

func (r *Result) verdict() string {
	verdict := "Ok"
	switch {
	case !r.OK():
		verdict = "Invalid"
	case len(r.Warnings) > 0:
		verdict = "Ok, with warnings"
	}
	return visible(r.Name) + ": " + verdict
}

// String gives the verdict and all problems with their places.
func (r *Result) String() string {
	var w strings.Builder
	w.WriteString(r.verdict())
	if len(r.Errors) > 0 {
		fmt.Fprintf(&w, "\n%d Errors:\n", len(r.Errors))
		for _, p := range r.Errors {
			w.WriteString(p.String())
		}
	}
	if len(r.Warnings) > 0 {
		fmt.Fprintf(&w, "\n%d Warnings:\n", len(r.Warnings))
		for _, p := range r.Warnings {
			w.WriteString(p.String())
		}
	}
	return w.String()
}

// MarshalJSON gives one element of Falco's falco_load_results.
func (r *Result) MarshalJSON() ([]byte, error) {
	type position struct {
		Column int    `json:"column"`
		Line   int    `json:"line"`
		Name   string `json:"name"`
		Offset int    `json:"offset"`
	}
	type location struct {
		Name     string   `json:"item_name"`
		Type     string   `json:"item_type"`
		Position position `json:"position"`
	}
	type context struct {
		Locations []location `json:"locations"`
		Snippet   string     `json:"snippet"`
	}
	type problem struct {
		Code     Code    `json:"code"`
		CodeDesc string  `json:"codedesc"`
		Context  context `json:"context"`
		Message  string  `json:"message"`
	}
	list := func(problems []Problem) []problem {
		out := make([]problem, 0, len(problems))
		for _, p := range problems {
			j := problem{p.Code, p.Code.Short(), context{[]location{}, p.Where.Snippet}, p.Message}
			for _, l := range p.Where.Locations {
				j.Context.Locations = append(j.Context.Locations,
					location{l.Name, l.Type, position{l.Column, l.Line, l.File, l.Offset}})
			}
			out = append(out, j)
		}
		return out
	}
	schemaWarnings := r.SchemaWarnings
	if schemaWarnings == nil {
		schemaWarnings = []string{}
	}
	return json.Marshal(struct {
		Errors         []problem `json:"errors"`
		Name           string    `json:"name"`
		SchemaValid    bool      `json:"schema_valid"`
		SchemaWarnings []string  `json:"schema_warnings"`
		Successful     bool      `json:"successful"`
		Warnings       []problem `json:"warnings"`
	}{list(r.Errors), r.Name, r.SchemaChecked && len(schemaWarnings) == 0, schemaWarnings, r.OK(), list(r.Warnings)})
}
