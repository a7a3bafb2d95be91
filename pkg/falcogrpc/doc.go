// Package falcogrpc is Falco's gRPC API, which Falco itself spoke up to 0.43: the messages, and a server that gives
// Tiercel's alerts to every subscriber.
package falcogrpc

//go:generate go run ./gen -module github.com/tiercel/tiercel/pkg/falcogrpc -plugins protoc-gen-go,protoc-gen-go-grpc falco/schema.proto falco/outputs.proto falco/version.proto
