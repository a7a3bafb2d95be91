package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// sources is what the generator looks for in the code.
type sources struct {
	comments map[string]string // of each field with a config tag: "pkg/journal.Config.Dir"
	bare     []string          // fields with a config tag and no comment
	outputs  []string          // folders below outputs/ that define a Spec, sorted
}

// readSources reads all code below pkg and outputs but tests.
func readSources(root string) (sources, error) {
	found := sources{comments: make(map[string]string)}
	for _, top := range []string{"pkg", "outputs"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(name string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && (entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), ".")):
				return fs.SkipDir
			case entry.IsDir(), !strings.HasSuffix(name, ".go"), strings.HasSuffix(name, "_test.go"):
				return nil
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			folder, err := filepath.Rel(root, filepath.Dir(name))
			if err != nil {
				return err
			}
			found.read(filepath.ToSlash(folder), file)
			return nil
		})
		if err != nil {
			return sources{}, fmt.Errorf("read the code: %w", err)
		}
	}
	slices.Sort(found.outputs)
	slices.Sort(found.bare)
	return found, nil
}

// read takes what it looks for from one file.
func (s *sources) read(folder string, file *ast.File) {
	for _, decl := range file.Decls {
		general, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range general.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if body, ok := spec.Type.(*ast.StructType); ok {
					s.fields(folder+"."+spec.Name.Name, body)
				}
			case *ast.ValueSpec:
				if parent, name := path.Split(folder); parent == "outputs/" && general.Tok == token.VAR && definesSpec(spec) {
					s.outputs = append(s.outputs, name)
				}
			}
		}
	}
}

// fields takes the comments of a struct's fields that have a config tag.
func (s *sources) fields(name string, body *ast.StructType) {
	for _, field := range body.Fields.List {
		if field.Tag == nil {
			continue
		}
		tag, err := strconv.Unquote(field.Tag.Value)
		if err != nil {
			continue
		}
		key, _, _ := strings.Cut(reflect.StructTag(tag).Get("config"), ",")
		if key == "" {
			continue
		}
		text := field.Doc.Text()
		if text == "" {
			text = field.Comment.Text()
		}
		text = strings.Join(strings.Fields(text), " ")
		for _, ident := range field.Names {
			if text == "" {
				s.bare = append(s.bare, name+"."+ident.Name)
				continue
			}
			s.comments[name+"."+ident.Name] = text
		}
	}
}

// definesSpec reports whether a declaration reads Spec = outputs.Define(…).
func definesSpec(spec *ast.ValueSpec) bool {
	if len(spec.Names) != 1 || spec.Names[0].Name != "Spec" || len(spec.Values) != 1 {
		return false
	}
	call, ok := spec.Values[0].(*ast.CallExpr)
	if !ok {
		return false
	}
	called, ok := call.Fun.(*ast.SelectorExpr)
	return ok && called.Sel.Name == "Define"
}
