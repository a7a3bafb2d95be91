package grpcsource

import (
	"hash/maphash"
	"strings"
	"sync"

	"github.com/tiercel/tiercel/pkg/alert"
)

// remembered is how many alerts of earlier connections are known again.
const remembered = 8192

// window knows the last alerts of earlier connections again. A server that keeps a place for its subscribers gives anew
// what was on its way when a connection broke, the same to the nanosecond.
//
// Alerts of the connection in use are not compared with each other: what a server sends twice there it means twice.
type window struct {
	mu      sync.Mutex
	seed    maphash.Seed
	earlier map[uint64]struct{}
	current []uint64 // of the connection in use, the last ones
}

// has notes an alert of the connection in use and reports whether an earlier connection gave it.
func (w *window) has(a *alert.Alert) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seed == (maphash.Seed{}) {
		w.seed = maphash.MakeSeed()
	}
	sum := sumOf(w.seed, a)
	if len(w.current) == 2*remembered {
		w.current = append(w.current[:0], w.current[remembered:]...)
	}
	w.current = append(w.current, sum)
	_, ok := w.earlier[sum]
	return ok
}

// sumOf is about what an alert says, not about the bytes it came in: the order of its fields may change on the wire.
func sumOf(seed maphash.Seed, a *alert.Alert) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	maphash.WriteComparable(&h, a.Time.UnixNano())
	maphash.WriteComparable(&h, a.Priority)
	for _, text := range []string{a.Rule, a.Output, a.Hostname, a.Source, a.Fields.JSON(), strings.Join(a.Tags, ",")} {
		maphash.WriteComparable(&h, text)
	}
	return h.Sum64()
}

// turn ends a connection.
func (w *window) turn() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.current) == 0 {
		return // nothing came: what is known already stays
	}
	if len(w.current) < remembered {
		for sum := range w.earlier { // some of the connections before
			if len(w.current) >= remembered {
				break
			}
			w.current = append(w.current, sum)
		}
	}
	w.earlier = make(map[uint64]struct{}, len(w.current))
	for _, sum := range w.current {
		w.earlier[sum] = struct{}{}
	}
	w.current = w.current[:0]
}
