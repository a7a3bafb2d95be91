// Command gen writes the Go code of .proto files: those that are named, below the folder proto, into the folder in which
// it is run. It is run by go generate.
//
//	go run …/gen -module IMPORT-PATH-OF-THE-FOLDER [-plugins protoc-gen-go,…] FILE…
//
// The compiler and the generators are Go modules, at the versions that go.mod has: nothing else must be installed, and
// every machine writes the same bytes.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

func main() {
	module := flag.String("module", "", "import path of the folder; what the files say beyond it is a folder below")
	plugins := flag.String("plugins", "protoc-gen-go", "generators, separated by commas")
	flag.Parse()
	if err := run(context.Background(), *module, strings.Split(*plugins, ","), flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, module string, generators, sources []string) error {
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{"proto"}}),
		SourceInfoMode: protocompile.SourceInfoStandard, // comments
	}
	files, err := compiler.Compile(ctx, sources...)
	if err != nil {
		return fmt.Errorf("compiling the .proto files: %w", err)
	}
	request := &pluginpb.CodeGeneratorRequest{FileToGenerate: sources, Parameter: new("module=" + module)}
	seen := map[string]bool{}
	for _, file := range files {
		request.ProtoFile = withImports(request.GetProtoFile(), seen, file)
	}
	for _, generator := range generators {
		if err := generate(ctx, generator, request); err != nil {
			return fmt.Errorf("%s: %w", generator, err)
		}
	}
	return nil
}

// withImports appends a file after those that it imports, each once.
func withImports(all []*descriptorpb.FileDescriptorProto, seen map[string]bool, file protoreflect.FileDescriptor) []*descriptorpb.FileDescriptorProto {
	if seen[file.Path()] {
		return all
	}
	seen[file.Path()] = true
	imports := file.Imports()
	for i := range imports.Len() {
		all = withImports(all, seen, imports.Get(i).FileDescriptor)
	}
	return append(all, protodesc.ToFileDescriptorProto(file))
}

// generate runs one of protoc's plugins and writes what it answers.
func generate(ctx context.Context, plugin string, request *pluginpb.CodeGeneratorRequest) error {
	input, err := proto.MarshalOptions{Deterministic: true}.Marshal(request)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "tool", plugin) //nolint:gosec // of the line in the code
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return err
	}
	var answer pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(output, &answer); err != nil {
		return err
	}
	if answer.GetError() != "" {
		return fmt.Errorf("it refuses: %s", answer.GetError())
	}
	for _, file := range answer.GetFile() {
		name := strings.TrimPrefix(file.GetName(), "/")
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // source code is for everybody
			return err
		}
		if err := os.WriteFile(name, []byte(file.GetContent()), 0o644); err != nil { //nolint:gosec // source code is for everybody
			return err
		}
	}
	return nil
}
