package limits

import "slices"

// Pot is the share that one kind of caller has of something scarce, such as connections. It is
// not safe for concurrent use: whoever owns the scarce thing has a lock already.
type Pot[T comparable] struct {
	// Most is how many places there are, and Each how many of them one holder may have.
	Most, Each int
	// Keeps is set where a place that was given stays given: the next one is refused. Otherwise
	// the oldest place makes room, first the holder's own and then one of whoever has most, so
	// that a crowd under one name can neither lock out nor push out somebody else.
	Keeps bool

	count   int
	holders map[string][]T // oldest first
}

// Enter takes a place for one of the holder's. Room reports whether there is one; where somebody
// had to go for it, pushed is who, and the caller ends that one.
func (p *Pot[T]) Enter(holder string, one T) (pushed *T, room bool) {
	if p.holders == nil {
		p.holders = map[string][]T{}
	}
	full := p.count >= p.Most
	if own := len(p.holders[holder]); own >= p.Each || full {
		if p.Keeps || p.Most < 1 || p.Each < 1 {
			return nil, false
		}
		from := holder
		if own < p.Each {
			from = p.largest()
		}
		oldest := p.holders[from][0]
		p.Leave(from, oldest)
		pushed = &oldest
	}
	p.holders[holder] = append(p.holders[holder], one)
	p.count++
	return pushed, true
}

// largest is the holder with the most places; of several the first by name.
func (p *Pot[T]) largest() string {
	found, most := "", 0
	for holder, places := range p.holders {
		if len(places) > most || len(places) == most && holder < found {
			found, most = holder, len(places)
		}
	}
	return found
}

// Leave gives a place back. It reports whether there was one: a place that was pushed out is gone.
func (p *Pot[T]) Leave(holder string, one T) bool {
	position := slices.Index(p.holders[holder], one)
	if position < 0 {
		return false
	}
	p.holders[holder] = slices.Delete(p.holders[holder], position, position+1)
	if len(p.holders[holder]) == 0 {
		delete(p.holders, holder)
	}
	p.count--
	return true
}

// Count is how many places are taken.
func (p *Pot[T]) Count() int { return p.count }

// All are those who have a place, each holder's oldest first.
func (p *Pot[T]) All() []T {
	all := make([]T, 0, p.count)
	for _, places := range p.holders {
		all = append(all, places...)
	}
	return all
}
