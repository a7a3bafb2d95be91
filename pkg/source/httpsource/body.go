package httpsource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
)

// smallBody is the size, in bytes, up to which bodies are read without asking the budget. Their memory is bounded by
// the number of connections, as that of net/http itself.
const smallBody = 64 << 10

// body is the memory that a request's body is read into. It is used again by later requests.
type body struct {
	text  []byte
	taken int64 // bytes of the budget
}

var bodies = sync.Pool{New: func() any { return &body{text: make([]byte, 0, 4<<10)} }}

// free gives b back. Nobody may hold b.text any more.
func (b *body) free() {
	if cap(b.text) <= smallBody {
		b.text = b.text[:0]
		bodies.Put(b)
	}
}

var (
	errTooLarge = errors.New("the body is too large")
	errEncoding = errors.New("the Content-Encoding is unknown")
	errBusy     = errors.New("too many large bodies are under way")
)

// gzipError is a body that says it is gzip, and is not.
type gzipError struct{ err error }

func (e gzipError) Error() string { return "the body is no gzip: " + e.err.Error() }
func (e gzipError) Unwrap() error { return e.err }

// read reads the body of a request, decompressed, into b.text.
func (s *Source) read(b *body, w http.ResponseWriter, r *http.Request) error {
	limit := int64(s.cfg.Receiver.MaxBody)
	length := r.ContentLength
	if length > limit {
		return errTooLarge
	}
	if encoding := r.Header["Content-Encoding"]; encoding != nil {
		zipped, err := isGzip(encoding)
		if err != nil {
			return err
		}
		if zipped {
			return s.readGzip(b, w, r, limit)
		}
	}
	if length < 0 || length > smallBody {
		return s.readLarge(b, w, r.Body, length, limit)
	}
	b.text = slices.Grow(b.text, int(length))
	n, err := io.ReadFull(r.Body, b.text[:length])
	b.text = b.text[:n]
	return err
}

// readLarge reads a body of which the length is not known (-1) or is more than smallBody. It takes its bytes off the
// budget once the first smallBody bytes are there, and lets memory grow only as bytes come in.
func (s *Source) readLarge(b *body, w http.ResponseWriter, from io.Reader, length, limit int64) error {
	most := limit
	if length >= 0 {
		most = length
	}
	for {
		if len(b.text) == cap(b.text) {
			if len(b.text) >= smallBody && b.taken == 0 {
				if err := s.reserve(b, w, most); err != nil {
					return err
				}
			}
			// One byte more than the most, to see the end, or that there is none.
			b.text = slices.Grow(b.text, max(1, min(len(b.text), int(most)+1-len(b.text))))
		}
		n, err := from.Read(b.text[len(b.text):cap(b.text)])
		b.text = b.text[:len(b.text)+n]
		if int64(len(b.text)) > limit {
			return errTooLarge
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// reserve takes the bytes that a body may have off the budget. Waiting does not count against the time that the body
// may take to come in.
func (s *Source) reserve(b *body, w http.ResponseWriter, most int64) error {
	ctx, cancel := context.WithTimeout(s.base, s.cfg.Receiver.BodyTimeout)
	defer cancel()
	taken, err := s.budget.take(ctx, most)
	if err != nil {
		return errBusy
	}
	b.taken = taken
	// Not every ResponseWriter can: then the limit that was set at first stays.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.cfg.Receiver.BodyTimeout))
	return nil
}

var gunzippers = sync.Pool{New: func() any { return new(gzip.Reader) }}

// readGzip decompresses while it reads, so that a bomb takes no more memory than the largest body.
func (s *Source) readGzip(b *body, w http.ResponseWriter, r *http.Request, limit int64) error {
	// An endless stream of empty parts would decompress to nothing for ever.
	compressed := &io.LimitedReader{R: r.Body, N: limit + 1}
	from := &watched{from: compressed}
	unzip := gunzippers.Get().(*gzip.Reader)
	defer gunzippers.Put(unzip)
	err := unzip.Reset(from)
	if err == nil {
		err = s.readLarge(b, w, unzip, -1, limit)
	}
	switch {
	case err == nil, errors.Is(err, errTooLarge), errors.Is(err, errBusy):
		return err
	case compressed.N <= 0:
		return errTooLarge
	case from.err != nil: // the network's fault, not that of what was sent
		return from.err
	}
	return gzipError{err}
}

// watched remembers the error of the reader below.
type watched struct {
	from io.Reader
	err  error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}

// isGzip reads the values of Content-Encoding.
func isGzip(values []string) (bool, error) {
	zipped := false
	for _, value := range values {
		for name := range strings.SplitSeq(value, ",") {
			switch name = strings.ToLower(strings.TrimSpace(name)); name {
			case "", "identity":
			case "gzip", "x-gzip":
				if zipped {
					return false, fmt.Errorf("%w: gzip twice", errEncoding)
				}
				zipped = true
			default:
				return false, fmt.Errorf("%w: expected gzip or none, got %.32q", errEncoding, name)
			}
		}
	}
	return zipped, nil
}

// isTimeout reports whether the body did not come in in time.
func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
