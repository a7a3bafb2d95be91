package rules_test

import (
	"testing"

	"github.com/tiercel/tiercel/pkg/rules/load"
	"github.com/tiercel/tiercel/pkg/rules/rulefile"
	"github.com/tiercel/tiercel/rules"
)

func TestFilesLoadWithoutWarnings(t *testing.T) {
	files := rulefile.FromFS(rules.Default())
	if len(files) == 0 {
		t.Fatal("no files")
	}
	l := load.New(load.Options{Append: load.Suggested()})
	for _, f := range files {
		if r := f.Result(l); !r.OK() || len(r.Warnings) > 0 || len(r.SchemaWarnings) > 0 {
			t.Errorf("%s\n%v", r, r.SchemaWarnings)
		}
	}
	if len(l.Rules()) == 0 {
		t.Error("no rules")
	}
}
