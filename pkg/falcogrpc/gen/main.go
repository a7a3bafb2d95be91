// Command gen writes the Go code of the .proto files beside it. It is run by go generate in pkg/falcogrpc.
//
// The compiler and both generators are Go modules, at the versions that go.mod has: nothing else must be installed,
// and every machine writes the same bytes.
package main

import (
	"bytes"
	"context"
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

var (
	sources    = []string{"falco/schema.proto", "falco/outputs.proto", "falco/version.proto"}
	generators = []string{"protoc-gen-go", "protoc-gen-go-grpc"}
)

// module is the begin of the import paths of what is written; the rest is the path below this package's folder.
const module = "github.com/tiercel/tiercel/pkg/falcogrpc"

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
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
	cmd := exec.CommandContext(ctx, "go", "tool", plugin) //nolint:gosec // of the list above
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
