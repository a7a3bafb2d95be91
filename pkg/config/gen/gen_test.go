package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var root = filepath.Join("..", "..", "..")

func TestUpToDate(t *testing.T) {
	files, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not up to date: run make generate", name)
		}
	}
}

func TestEverySettingIsExplained(t *testing.T) {
	found, err := readSources(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range found.bare {
		t.Errorf("%s has no comment; it is the documentation of the setting", field)
	}
	for field, text := range found.comments {
		if !strings.HasSuffix(text, ".") {
			t.Errorf("the comment of %s does not end with a full stop: %q", field, text)
		}
	}
	if len(found.comments) < 40 {
		t.Errorf("only %d comments were found", len(found.comments))
	}
}

// A folder below outputs that is not part of the contract is an output, and has all that an output needs.
func TestEveryOutputIsComplete(t *testing.T) {
	found, err := readSources(root)
	if err != nil {
		t.Fatal(err)
	}
	folders, err := os.ReadDir(filepath.Join(root, "outputs"))
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		name := folder.Name()
		if !folder.IsDir() || name == "all" || name == "outputtest" {
			continue
		}
		if !slices.Contains(found.outputs, name) {
			t.Errorf("outputs/%s does not define Spec", name)
		}
		if tests, _ := filepath.Glob(filepath.Join(root, "outputs", name, "*_test.go")); len(tests) == 0 {
			t.Errorf("outputs/%s has no test", name)
		}
		if _, err := os.Stat(filepath.Join(root, "outputs", name, "README.md")); err != nil {
			t.Errorf("outputs/%s has no README.md", name)
		}
	}
}

func TestReadSources(t *testing.T) {
	folder := t.TempDir()
	put := func(name, text string) {
		name = filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("pkg/a/a.go", "package a\n\ntype Config struct {\n\tinner\n\t// Two\n\t// lines.\n\tOne string `config:\"one\"`\n\tTwo int `config:\"two\"` // Beside.\n\tThree, Four int `config:\"three\"`\n\tFive int\n\tSix inner `config:\",inline\"`\n}\n")
	put("pkg/a/a_test.go", "package a\n\ntype X struct { A int `config:\"a\"` }\n")
	put("outputs/output.go", "package outputs\n\nvar Spec = Define()\n")
	put("outputs/b/b.go", "package b\n\nvar Spec = outputs.Define(1)\n")
	put("outputs/c/c.go", "package c\n\nvar Other = outputs.Define(1)\nfunc f() { var Spec = outputs.Define(1); _ = Spec }\n")
	put("outputs/b/deep/d.go", "package d\n\nvar Spec = outputs.Define(1)\n")
	put("outputs/b/testdata/x.go", "not Go")
	found, err := readSources(folder)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(found.outputs, []string{"b"}) {
		t.Errorf("outputs %q", found.outputs)
	}
	if len(found.comments) != 2 || found.comments["pkg/a.Config.One"] != "Two lines." || found.comments["pkg/a.Config.Two"] != "Beside." {
		t.Errorf("comments %q", found.comments)
	}
	if !slices.Equal(found.bare, []string{"pkg/a.Config.Four", "pkg/a.Config.Three"}) {
		t.Errorf("bare %q", found.bare)
	}
}
