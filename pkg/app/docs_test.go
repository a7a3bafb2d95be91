package app_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/tiercel/tiercel/pkg/flow"
)

// pages gives every page of documentation by its path in the repository.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name := entry.Name(); name == ".git" || name == "testdata" || name == "bin" {
				return fs.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		all[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("only %d pages found", len(all))
	}
	return all
}

var (
	link  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	fence = regexp.MustCompile("(?s)```.*?```")
)

func TestLinksOfTheDocsLeadSomewhere(t *testing.T) {
	for path, text := range pages(t) {
		for _, found := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			target, _, _ := strings.Cut(found[1], "#")
			if target == "" || strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), target)); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", path, found[1])
			}
		}
	}
}

var whenLine = regexp.MustCompile(`(?m)^\s*when: .*$`)

// Every when expression that the docs show compiles.
func TestExpressionsOfTheDocsCompile(t *testing.T) {
	tried := 0
	for path, text := range pages(t) {
		for _, line := range whenLine.FindAllString(text, -1) {
			settings := struct {
				When string `yaml:"when"`
			}{}
			if err := yaml.Unmarshal([]byte(line), &settings); err != nil {
				t.Errorf("%s: %q is no YAML: %v", path, line, err)
				continue
			}
			lane := flow.Defaults()
			lane.When = settings.When
			if err := lane.Validate(); err != nil {
				t.Errorf("%s: %q: %v", path, line, err)
			}
			tried++
		}
	}
	if tried < 10 {
		t.Errorf("only %d expressions found in the docs", tried)
	}
}
