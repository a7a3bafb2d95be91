package probesource

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Hosts knows the addresses of the host names in rules. They are asked for beside the events, from time to time: an
// event only looks at what is known.
type Hosts struct {
	log     *slog.Logger
	resolve func(ctx context.Context, name string) ([]netip.Addr, error)

	known atomic.Pointer[book]
	asked chan struct{} // names were added

	mu     sync.Mutex
	names  []string
	failed map[string]bool // so that a name that cannot be resolved is logged once
}

// book is what is known at a moment. It never changes.
type book struct {
	addrs map[string][]netip.Addr
	names map[netip.Addr]string // the first name of each address
}

// Every how long names are resolved again, and how long one may take.
const (
	hostsEvery   = time.Minute
	hostsTimeout = 5 * time.Second
)

// NewHosts makes a book that knows nothing yet. resolve asks for the addresses of a name.
func NewHosts(log *slog.Logger, resolve func(ctx context.Context, name string) ([]netip.Addr, error)) *Hosts {
	h := &Hosts{log: log, resolve: resolve, asked: make(chan struct{}, 1), failed: make(map[string]bool)}
	h.known.Store(&book{})
	return h
}

// Is reports whether a name stands for an address, as far as is known.
func (h *Hosts) Is(name string, addr netip.Addr) bool {
	if literal, err := netip.ParseAddr(name); err == nil {
		return literal.Unmap() == addr.Unmap()
	}
	return slices.Contains(h.known.Load().addrs[name], addr.Unmap())
}

// Name gives the name that stands for an address, "" for none.
func (h *Hosts) Name(addr netip.Addr) string { return h.known.Load().names[addr.Unmap()] }

// Set says which names matter from now on.
func (h *Hosts) Set(names []string) {
	h.mu.Lock()
	h.names = slices.Clone(names)
	h.mu.Unlock()
	select {
	case h.asked <- struct{}{}:
	default:
	}
}

// Run resolves the names until ctx ends.
func (h *Hosts) Run(ctx context.Context) {
	again := time.NewTicker(hostsEvery)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.asked:
		case <-again.C:
		}
		h.refresh(ctx)
	}
}

// refresh resolves every name, some at a time. A name that cannot be resolved now keeps the addresses that it had.
func (h *Hosts) refresh(ctx context.Context) {
	h.mu.Lock()
	names := h.names
	h.mu.Unlock()
	before := h.known.Load()
	found := make([][]netip.Addr, len(names))
	const atOnce = 16
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i, name := range names {
		if _, err := netip.ParseAddr(name); err == nil {
			continue
		}
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			one, cancel := context.WithTimeout(ctx, hostsTimeout)
			defer cancel()
			addrs, err := h.resolve(one, name)
			h.note(ctx, name, err)
			if err != nil {
				addrs = before.addrs[name]
			}
			for _, a := range addrs {
				found[i] = append(found[i], a.Unmap())
			}
		})
	}
	all.Wait()
	next := &book{addrs: make(map[string][]netip.Addr, len(names)), names: make(map[netip.Addr]string)}
	for i, name := range names {
		next.addrs[name] = found[i]
	}
	for _, name := range slices.Sorted(maps.Keys(next.addrs)) {
		for _, a := range next.addrs[name] {
			if next.names[a] == "" {
				next.names[a] = name
			}
		}
	}
	h.known.Store(next)
}

// note logs the first time in a row that a name cannot be resolved.
func (h *Hosts) note(ctx context.Context, name string, err error) {
	if ctx.Err() != nil {
		return
	}
	h.mu.Lock()
	was := h.failed[name]
	h.failed[name] = err != nil
	h.mu.Unlock()
	if err != nil && !was {
		h.log.Debug("a host name in a rule has no address now: the rule does not see connections to it", "host", name, "error", err)
	}
}
