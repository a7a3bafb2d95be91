//go:build linux && (amd64 || arm64)

package probe

import (
	"sync/atomic"

	"github.com/cilium/ebpf"
)

// losses remembers what was lost when it was last reported.
type losses struct {
	full  [kindCount]uint64
	busy  uint64
	bad   [kindCount]uint64
	since uint64 // when losses were last looked at, in nanoseconds since boot
	// badFirst and badLast are the times of records that were not understood.
	badFirst, badLast [kindCount]uint64
}

// tallies reads the kernel's counters, one for each CPU.
func (p *Probe) tallies() []bpfTally {
	var all []bpfTally
	if err := p.objects.Counters.Lookup(uint32(0), &all); err != nil {
		return nil
	}
	return all
}

// busy is how many runs of programs the kernel left out because the program was already running on that CPU. Kernels
// before 5.12 do not count them.
func (p *Probe) busy() uint64 {
	var n uint64
	for _, program := range p.programs() {
		if stats, err := program.Stats(); err == nil {
			n += stats.RecursionMisses
		}
	}
	return n
}

// programs are those that are attached, and so can be left out.
func (p *Probe) programs() []*ebpf.Program {
	return []*ebpf.Program{p.objects.OnExec, p.objects.OnFork, p.objects.OnExit, p.objects.OnSysExit}
}

// addTallies adds the kernel's counters to s. The caller holds mu, and the maps are open.
func (p *Probe) addTallies(s *Stats) {
	for _, t := range p.tallies() {
		for kind := range t.Sent {
			s.Sent[kind] += t.Sent[kind]
			s.Lost[kind][CauseFull] += t.Lost[kind]
		}
		s.Filtered += t.Filtered
	}
	s.Lost[KindNone][CauseBusy] = p.busy()
}

func (p *Probe) countBad(record []byte, err error) {
	kind := KindNone
	if head, failed := view[bpfHead](record); failed == nil && head.Kind < uint16(kindCount) {
		kind = Kind(head.Kind)
		p.losses.badLast[kind] = head.Boot
		if p.losses.badFirst[kind] == 0 {
			p.losses.badFirst[kind] = head.Boot
		}
	}
	if p.bad[kind].Add(1) == 1 {
		p.log.Error("a record of the kernel is not understood", "kind", kind.String(), "error", err)
	}
}

// lossPending reports whether a record was refused that no event has told of yet.
func (p *Probe) lossPending() bool {
	for kind := range p.bad {
		if p.bad[kind].Load() != p.losses.bad[kind] {
			return true
		}
	}
	return false
}

// reportLosses hands over a KindLost for each kind and cause of which more was lost than last time.
func (r *reader) reportLosses() {
	p := r.probe
	l := &p.losses
	now := bootNow()
	// The kernel notes the first loss of each epoch: those that come from here on belong to the next.
	tallies := p.tallies()
	epoch := atomic.AddUint64(&p.controls().Epoch, 1) - 1
	var full, first, last [kindCount]uint64
	for i := range tallies {
		t := &tallies[i]
		for kind := range t.Lost {
			full[kind] += t.Lost[kind]
			if t.Epoch[kind] != epoch {
				continue
			}
			if first[kind] == 0 || t.First[kind] < first[kind] {
				first[kind] = t.First[kind]
			}
			last[kind] = max(last[kind], t.Last[kind])
		}
	}
	for kind := range full {
		if n := full[kind] - l.full[kind]; n > 0 {
			if first[kind] == 0 {
				// It was counted between the reading and the change of the epoch.
				first[kind], last[kind] = l.since, now
			}
			r.lost(Kind(kind), CauseFull, n, first[kind], last[kind])
		}
		l.full[kind] = full[kind]
		bad := p.bad[kind].Load()
		if n := bad - l.bad[kind]; n > 0 {
			r.lost(Kind(kind), CauseBad, n, l.badFirst[kind], l.badLast[kind])
			l.badFirst[kind] = 0
		}
		l.bad[kind] = bad
	}
	if busy := p.busy(); busy > l.busy {
		r.lost(KindNone, CauseBusy, busy-l.busy, l.since, now)
		l.busy = busy
	}
	l.since = now
}

func (r *reader) lost(kind Kind, cause Cause, n, first, last uint64) {
	d := &r.probe.decoder
	d.lost = Lost{Kind: kind, Cause: cause, Count: n, First: first, Last: last}
	d.event = Event{Kind: KindLost, Boot: bootNow(), Lost: &d.lost}
	r.say(&d.event)
}
