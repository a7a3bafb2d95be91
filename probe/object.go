//go:build linux

package probe

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
)

// unpack gives a compiled object as it was before it was compressed.
func unpack(packed []byte) (io.ReaderAt, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpacking the object for the kernel: %w", err)
	}
	object, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("unpacking the object for the kernel: %w", err)
	}
	return bytes.NewReader(object), nil
}
