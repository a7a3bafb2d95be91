package journal

import "sync"

// recentBytes bounds the packs that are kept in memory for the lanes that keep up.
const recentBytes = 3 << 20

// recent holds the packs written last, by their message id. The lanes of the embedded journal are told of a pack by
// its header alone and find its alerts here, shared with one another and never copied; a lane that is behind, or that
// reads what an earlier process wrote, reads the pack from the stream.
type recent struct {
	mu    sync.Mutex
	packs map[string]*parsed
	order []string // by age
	sizes []int
	bytes int
}

func newRecent() *recent { return &recent{packs: map[string]*parsed{}} }

// put keeps a pack, before it is published: a lane may hear of it before the writer gets its answer.
func (r *recent) put(id string, p *parsed, size int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.packs[id] = p
	r.order = append(r.order, id)
	r.sizes = append(r.sizes, size)
	r.bytes += size
	for r.bytes > recentBytes && len(r.order) > 1 {
		delete(r.packs, r.order[0])
		r.bytes -= r.sizes[0]
		r.order, r.sizes = r.order[1:], r.sizes[1:]
	}
}

func (r *recent) get(id string) *parsed {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.packs[id]
}
