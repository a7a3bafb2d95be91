// Package rulefile finds and reads rule files. It is all of the rules' input; what the texts mean is for package load.
package rulefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tiercel/tiercel/pkg/rules/load"
)

// File is a rule file, or why it could not be read.
type File struct {
	Name string // the path by which it was found
	Text string
	Err  error
}

// Result loads the file into l.
func (f File) Result(l *load.Loader) *load.Result {
	if f.Err != nil {
		return load.Unreadable(f.Name, f.Err)
	}
	return l.Load(f.Name, f.Text)
}

// Default is the path that stands for the rules that are built in.
const Default = "default"

// Read reads files and folders in the given order. A folder stands for its files that end in .yml or .yaml, in the
// order of their names; folders within it are not looked into. The path [Default], and no path at all, stand for the
// files at the root of builtin, which may be nil for none. A path that cannot be read gives a File with an error.
func Read(paths []string, builtin fs.FS) []File {
	if len(paths) == 0 && builtin != nil {
		paths = []string{Default}
	}
	var all []File
	for _, path := range paths {
		if path == Default && builtin != nil {
			all = append(all, FromFS(builtin)...)
			continue
		}
		info, err := os.Stat(path)
		switch {
		case err != nil:
			all = append(all, File{Name: path, Err: withoutPath(err)})
		case info.IsDir():
			all = append(all, folder(os.DirFS(path), path)...)
		default:
			all = append(all, read(func() (fs.File, error) { return os.Open(path) }, path))
		}
	}
	return all
}

// FromFS reads the rule files at the root of fsys, in the order of their names.
func FromFS(fsys fs.FS) []File { return folder(fsys, "") }

func folder(fsys fs.FS, path string) []File {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return []File{{Name: path, Err: withoutPath(err)}}
	}
	var all []File
	for _, entry := range entries {
		name := entry.Name()
		if ext := filepath.Ext(name); ext != ".yml" && ext != ".yaml" {
			continue
		}
		// A link is what it leads to: this is how a ConfigMap is mounted.
		info, err := fs.Stat(fsys, name)
		if err == nil && !info.Mode().IsRegular() {
			continue
		}
		all = append(all, read(func() (fs.File, error) { return fsys.Open(name) }, filepath.Join(path, name)))
	}
	return all
}

// read reads one file, and no more of it than rule files may have.
func read(open func() (fs.File, error), name string) File {
	f, err := open()
	if err != nil {
		return File{Name: name, Err: withoutPath(err)}
	}
	defer func() { _ = f.Close() }() // it was only read
	return ReadAll(f, name)
}

// ReadAll reads a rule file from a stream, standard input for example.
func ReadAll(r io.Reader, name string) File {
	var text strings.Builder
	n, err := io.Copy(&text, io.LimitReader(r, load.MaxFile+1))
	if err != nil {
		return File{Name: name, Err: withoutPath(err)}
	}
	if n > load.MaxFile {
		return File{Name: name, Err: fmt.Errorf("the file has more than %d bytes: split it", load.MaxFile)}
	}
	return File{Name: name, Text: text.String()}
}

// withoutPath leaves out the path, which whoever shows the error has.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
