package sim

import (
	"math/rand/v2"
	"time"
)

// arrivalsSalt draws when hosts take no live migrations; the faults of a seed are
// otherwise what they were.
const arrivalsSalt = 37

// arrivals lets some hosts refuse what comes live: a wrong CPU model, a bridge or an
// image that is not there. Whoever wants to go somewhere else has to try the next.
func (s *Script) arrivals() {
	r := rand.New(rand.NewPCG(uint64(s.Seed), arrivalsSalt))
	for round := range rounds {
		begin := time.Duration(round)*roundEvery + roundBegins
		for range r.IntN(3) {
			s.Faults = append(s.Faults, Fault{At: begin + time.Duration(r.Int64N(int64(20*time.Second))),
				While: 2*time.Second + time.Duration(r.Int64N(int64(8*time.Second))),
				Kind:  "arrivals fail", Host: pick(r, s.Nodes), Other: pick(r, s.Nodes), Service: pick(r, s.serviceNames()),
				Choice: r.Uint64()})
		}
	}
	sortFaults(s.Faults)
}

// arrivalFaults are drawn by arrivals alone.
func arrivalFaults() []faultKind {
	return []faultKind{{"arrivals fail", 0, func(w *World, f Fault, h *Host) {
		h.ArrivalsFail = true
		w.After(2*f.While, func() { h.ArrivalsFail = false })
	}}}
}
