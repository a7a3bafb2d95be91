package httpx

import (
	"bytes"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// Compression is what an output whose place takes compressed bodies can set. Embed it in the output's config.
type Compression struct {
	// Compress each body with gzip. The other side must expect that.
	Gzip bool `config:"gzip"`
}

// Zipper compresses bodies. It may be used by several at once.
type Zipper struct{ writers sync.Pool }

// NewZipper makes one.
func NewZipper() *Zipper {
	return &Zipper{writers: sync.Pool{New: func() any { return gzip.NewWriter(nil) }}}
}

// Compress gives body in gzip's format, RFC 1952. body is only read.
func (z *Zipper) Compress(body []byte) []byte {
	w := z.writers.Get().(*gzip.Writer)
	defer z.writers.Put(w)
	var out bytes.Buffer
	out.Grow(len(body)/2 + 64)
	w.Reset(&out)
	// Writing to a buffer cannot fail.
	_, _ = w.Write(body)
	_ = w.Close()
	return out.Bytes()
}
