package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/outputs/all"
	"github.com/tiercel/tiercel/pkg/config"
)

var root = filepath.Join("..", "..", "..", "..")

func TestUpToDate(t *testing.T) {
	files, err := generate(root, all.Specs())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not up to date: run make generate", name)
		}
	}
	old, err := stale(root, files)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range old {
		t.Errorf("%s is of an output that is no more: run make generate", name)
	}
}

// The config file that shows everything loads, and changes nothing.
func TestReferenceLoads(t *testing.T) {
	shown := func(file string) string {
		c, warnings, err := config.Load(config.Options{File: file, Specs: all.Specs()})
		if err != nil || len(warnings) > 0 {
			t.Fatalf("%v\n%v", err, warnings)
		}
		var b bytes.Buffer
		if err := c.Show(&b, config.FormatJSON); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if plain, full := shown(""), shown(filepath.Join(root, "config.yaml")); plain != full {
		t.Errorf("config.yaml changes something:\n%s\nwithout it:\n%s", full, plain)
	}
}

// What a README shows of a config works when it is copied: each has an example, and all of them load.
func TestExamplesInReadmes(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)\n```")
	for _, spec := range all.Specs() {
		readme, err := os.ReadFile(filepath.Join(root, "outputs", spec.Name, "README.md"))
		if err != nil {
			t.Error(err)
			continue
		}
		switchedOn := false
		for _, block := range blocks.FindAllSubmatch(readme, -1) {
			file := filepath.Join(t.TempDir(), "config.yaml")
			if err := os.WriteFile(file, block[1], 0o600); err != nil {
				t.Fatal(err)
			}
			c, _, err := config.Load(config.Options{File: file, Specs: all.Specs()})
			if invalid, ok := errors.AsType[*config.Invalid](err); ok {
				for _, p := range invalid.Problems {
					if !strings.Contains(p.Text, "cannot read ") { // the file of a secret, which is not here
						t.Errorf("an example of %s does not load: %v\n%s", spec.Name, p, block[1])
					}
				}
				switchedOn = true
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			switchedOn = switchedOn || slices.ContainsFunc(c.Outputs, func(o config.Output) bool { return o.Spec.Name == spec.Name })
		}
		if !switchedOn {
			t.Errorf("the README of %s shows no config that switches it on", spec.Name)
		}
	}
}

func TestBody(t *testing.T) {
	got := body("slack", "# Slack\n\nText, [a](testdata/rich.golden), [b](../loki/README.md), [c](https://x.y), [d](#here), [e](/top).\n")
	want := "\nText, [a](../../outputs/slack/testdata/rich.golden), [b](../../outputs/loki/README.md), [c](https://x.y), [d](#here), [e](/top)."
	if got != want {
		t.Errorf("got\n%s\nexpected\n%s", got, want)
	}
}

func TestStalePagesGo(t *testing.T) {
	folder := t.TempDir()
	if err := os.MkdirAll(filepath.Join(folder, outputPages), 0o755); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(folder, outputPages, "pager.md")
	if err := os.WriteFile(old, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(folder, all.Specs()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(folder, "config.yaml")); err != nil {
		t.Error(err)
	}
}
