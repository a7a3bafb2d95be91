package loki

import (
	"bytes"
	"io"
	"net/http"
	"sync/atomic"
)

// lending counts the bodies over one buffer that the HTTP transport has not closed yet. It may hold a body for some
// time after it has returned an error, see [http.RoundTripper], so the buffer must not be written to before.
type lending struct{ open atomic.Int32 }

func (l *lending) out() bool { return l.open.Load() > 0 }

// lend makes content the body of req, also for another try over a fresh connection.
func (l *lending) lend(req *http.Request, content []byte) {
	body := func() (io.ReadCloser, error) {
		l.open.Add(1)
		return &lent{Reader: bytes.NewReader(content), from: l}, nil
	}
	req.Body, _ = body()
	req.GetBody = body
	req.ContentLength = int64(len(content))
}

type lent struct {
	*bytes.Reader
	from   *lending
	closed atomic.Bool
}

func (b *lent) Close() error {
	if !b.closed.Swap(true) {
		b.from.open.Add(-1)
	}
	return nil
}
