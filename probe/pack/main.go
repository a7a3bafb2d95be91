// Command pack compresses the objects that bpf2go wrote into the folder it is started in, and has the Go beside them
// unpack them: in the binary they take a fifth of their size. An object is unpacked once, when a probe is opened.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
)

func main() {
	if err := pack(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func pack() error {
	objects, err := filepath.Glob("*_bpfel.o")
	if err != nil {
		return err
	}
	if len(objects) == 0 {
		return fmt.Errorf("there is no *_bpfel.o: run bpf2go first")
	}
	for _, object := range objects {
		if err := packOne(object); err != nil {
			return fmt.Errorf("%s: %w", object, err)
		}
	}
	return nil
}

func packOne(object string) error {
	content, err := os.ReadFile(object)
	if err != nil {
		return err
	}
	// This library's bytes are those of the version in go.mod; those of the standard library change with Go.
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(content); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := os.WriteFile(object+".gz", packed.Bytes(), 0o644); err != nil { //nolint:gosec // part of the source
		return err
	}
	name := strings.TrimSuffix(object, ".o") + ".go"
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	for _, change := range [][2]string{
		{"//go:embed " + object + "\n", "//go:embed " + object + ".gz\n"},
		{"\treader := bytes.NewReader(_BpfBytes)\n", "\treader, err := unpack(_BpfBytes)\n\tif err != nil {\n\t\treturn nil, err\n\t}\n"},
		{"\t\"bytes\"\n", ""},
	} {
		if strings.Count(string(text), change[0]) != 1 {
			return fmt.Errorf("%s does not have %q once: bpf2go writes otherwise than it did", name, change[0])
		}
		text = []byte(strings.Replace(string(text), change[0], change[1], 1))
	}
	if err := os.WriteFile(name, text, 0o644); err != nil { //nolint:gosec // part of the source
		return err
	}
	return os.Remove(object)
}
