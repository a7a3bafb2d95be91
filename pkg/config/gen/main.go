// Command gen writes the Go code that is derived from other Go code: the comments of all config structs, and the list
// of all outputs. It reads sources only, so it works when what it wrote last is out of date. Run it with go generate.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	root := flag.String("root", filepath.Join("..", ".."), "folder of the module")
	flag.Parse()
	if err := run(*root); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	files, err := generate(root)
	if err != nil {
		return err
	}
	for path, text := range files {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // folders of the project are for all to read
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil { //nolint:gosec // source code is for all to read
			return err
		}
	}
	return nil
}

// generate gives every file by its path in the module.
func generate(root string) (map[string][]byte, error) {
	found, err := readSources(root)
	if err != nil {
		return nil, err
	}
	comments, err := commentsFile(found.comments)
	if err != nil {
		return nil, err
	}
	all, err := allFile(found.outputs)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		filepath.Join("pkg", "config", "comments_gen.go"): comments,
		filepath.Join("outputs", "all", "all.go"):         all,
	}, nil
}
