package httpsource

import (
	"bytes"
	"log"
	"log/slog"
	"sync"
	"time"
)

// throttle logs what strangers can cause as often as they like: at most one message of a kind a second. The next one
// says how many were left out.
type throttle struct {
	log *slog.Logger
	now func() time.Time

	mu    sync.Mutex
	kinds map[string]*recent
}

type recent struct {
	last    time.Time
	leftOut int
}

// warn logs a message, its kind. Messages are constants of the program, so there are few kinds.
func (t *throttle) warn(message string, args ...any) {
	t.mu.Lock()
	if t.kinds == nil {
		t.kinds = make(map[string]*recent)
	}
	r := t.kinds[message]
	if r == nil {
		r = new(recent)
		t.kinds[message] = r
	}
	now := t.now()
	if now.Sub(r.last) < time.Second {
		r.leftOut++
		t.mu.Unlock()
		return
	}
	leftOut := r.leftOut
	r.last, r.leftOut = now, 0
	t.mu.Unlock()
	if leftOut > 0 {
		args = append(args, "left_out", leftOut)
	}
	t.log.Warn(message, args...) //nolint:sloglint // constants of the callers
}

// standard is a logger for net/http, which reports failed TLS handshakes for example.
func (t *throttle) standard() *log.Logger { return log.New(writer{t}, "", 0) }

type writer struct{ throttle *throttle }

func (w writer) Write(line []byte) (int, error) {
	w.throttle.warn("a connection failed", "error", string(bytes.TrimSpace(line)))
	return len(line), nil
}
