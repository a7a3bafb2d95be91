package falcogrpc

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// Raw is a message as its bytes: one that was encoded once and goes to many, or one that is to be decoded with
// [Decode]. The bytes are shared: nobody may change them.
type Raw struct{ Bytes []byte }

// Codec gives gRPC the bytes of a [Raw] as they are, without a copy on the way out, and encodes all other messages as
// protobuf. Set it with grpc.ForceCodecV2 and grpc.ForceServerCodecV2.
func Codec() encoding.CodecV2 { return codec{} }

type codec struct{}

func (codec) Name() string { return "proto" }

func (codec) Marshal(v any) (mem.BufferSlice, error) {
	if raw, ok := v.(*Raw); ok {
		return mem.BufferSlice{mem.SliceBuffer(raw.Bytes)}, nil
	}
	message, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("encoding %T: expected a protobuf message", v)
	}
	bytes, err := proto.Marshal(message)
	return mem.BufferSlice{mem.SliceBuffer(bytes)}, err
}

func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	if raw, ok := v.(*Raw); ok {
		raw.Bytes = data.Materialize() // gRPC uses its own buffers again
		return nil
	}
	message, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("decoding %T: expected a protobuf message", v)
	}
	bytes := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer bytes.Free()
	return proto.Unmarshal(bytes.ReadOnlyData(), message)
}
