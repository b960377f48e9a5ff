package placing

import (
	"math/bits"
	"slices"
)

// set is a set of nodes, a bit for each. It is never changed once it is made.
type set []uint64

func (r *Rules) setOf(names []string) set {
	s := make(set, (len(r.nodes)+63)/64)
	for _, name := range names {
		if i, found := slices.BinarySearch(r.nodes, name); found {
			s[i/64] |= 1 << (i % 64)
		}
	}
	return s
}

func (r *Rules) namesOf(s set) []string {
	var names []string
	for i, name := range r.nodes {
		if s.has(i) {
			names = append(names, name)
		}
	}
	return names
}

func (s set) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }

func (s set) and(other set) set {
	both := make(set, len(s))
	for i := range s {
		both[i] = s[i] & other[i]
	}
	return both
}

func (s set) or(other set) set {
	either := make(set, len(s))
	for i := range s {
		either[i] = s[i] | other[i]
	}
	return either
}

func (s set) without(node int) set {
	rest := slices.Clone(s)
	rest[node/64] &^= 1 << (node % 64)
	return rest
}

// size is how many nodes there are in it.
func (s set) size() int {
	n := 0
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

// sizeWith is how many there are in it or in another.
func (s set) sizeWith(other set) int {
	n := 0
	for i := range s {
		n += bits.OnesCount64(s[i] | other[i])
	}
	return n
}

// first is the first node in it; -1 if there is none.
func (s set) first() int {
	for i, word := range s {
		if word != 0 {
			return i*64 + bits.TrailingZeros64(word)
		}
	}
	return -1
}
