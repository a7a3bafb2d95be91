package source

import (
	"log/slog"
	"sync"
	"time"
)

// Health is how one source is doing. The app makes one for each source and shows it; the source, or [Keep], says what
// is the case. It logs when that changes, not each time it is said.
type Health struct {
	log *slog.Logger

	mu    sync.Mutex
	state State
}

// State is how a source is doing at a moment.
type State struct {
	Err   error     // why no alerts can come in, nil when they can
	Since time.Time // since when that is so; zero while Err is nil
}

// errStarting is the state of a source that has said nothing yet.
type errStarting struct{}

func (errStarting) Error() string { return "it is starting" }

// NewHealth makes the health of a source that is starting. log carries the name of the source already.
func NewHealth(log *slog.Logger) *Health {
	return &Health{log: log, state: State{errStarting{}, time.Now()}}
}

// Up says that alerts can come in.
func (h *Health) Up() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if before := h.state; before.Err != nil {
		if _, first := before.Err.(errStarting); !first { //nolint:errorlint // it is never wrapped
			h.log.Info("the input works again", "down", time.Since(before.Since).Round(time.Second).String())
		}
	}
	h.state = State{}
}

// Down says that no alerts can come in, because of err, for now. What can be done about it stands in err.
func (h *Health) Down(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.state
	h.state.Err = err
	if before.Err == nil {
		h.state.Since = time.Now()
	}
	if before.Err == nil || before.Err.Error() != err.Error() {
		h.log.Warn("the input is down, trying again", "error", err)
	}
}

// State tells how the source is.
func (h *Health) State() State {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state
}
