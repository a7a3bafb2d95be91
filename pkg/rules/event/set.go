package event

import (
	"iter"
	"math/bits"
)

// Set is a set of types. The zero Set is empty; sets are values.
type Set struct {
	words [(Count + 63) / 64]uint64
}

// SetOf makes a set.
func SetOf(types ...Type) Set {
	var s Set
	for _, t := range types {
		s.Add(t)
	}
	return s
}

// Everything is the set of all types of a source.
func Everything(source Source) Set {
	var s Set
	for t := range All(source) {
		s.Add(t)
	}
	return s
}

// Add puts t into the set.
func (s *Set) Add(t Type) {
	if t > 0 && int(t) < Count {
		s.words[t/64] |= 1 << (t % 64)
	}
}

// Has reports whether t is in the set.
func (s *Set) Has(t Type) bool {
	return int(t) < Count && s.words[t/64]&(1<<(t%64)) != 0
}

// Len is the number of types in the set.
func (s Set) Len() int {
	n := 0
	for _, w := range s.words {
		n += bits.OnesCount64(w)
	}
	return n
}

// And is what both sets have.
func (s Set) And(o Set) Set {
	for i := range s.words {
		s.words[i] &= o.words[i]
	}
	return s
}

// Or is what either set has.
func (s Set) Or(o Set) Set {
	for i := range s.words {
		s.words[i] |= o.words[i]
	}
	return s
}

// Minus is what s has and o has not.
func (s Set) Minus(o Set) Set {
	for i := range s.words {
		s.words[i] &^= o.words[i]
	}
	return s
}

// All yields the types of the set, in the order of their names.
func (s Set) All() iter.Seq[Type] {
	return func(yield func(Type) bool) {
		for i, w := range s.words {
			for ; w != 0; w &= w - 1 {
				if !yield(Type(i*64 + bits.TrailingZeros64(w))) { //nolint:gosec // below Count
					return
				}
			}
		}
	}
}
