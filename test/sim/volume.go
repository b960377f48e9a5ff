package sim

import (
	"math/rand/v2"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/internal/message"
)

// volumeSalt draws when data volumes fail; the faults of a seed are otherwise what they
// were.
const volumeSalt = 71

// toldWithin is how soon everybody knows of a volume that fails.
const toldWithin = 20 * time.Second

// volumes lets the data volumes of hosts run full or fail for a while, in some worlds.
// What they still take of the log is another fault's: here a look at them fails.
func (s *Script) volumes(rounds int) {
	r := rand.New(rand.NewPCG(uint64(s.Seed), volumeSalt))
	if r.IntN(3) > 0 {
		return
	}
	for round := range rounds {
		begin := time.Duration(round)*roundEvery + roundBegins
		for range 1 + r.IntN(2) {
			s.Faults = append(s.Faults, Fault{At: begin + time.Duration(r.Int64N(int64(10*time.Second))),
				While: time.Second + time.Duration(r.Int64N(int64(60*time.Second))), Kind: "volume fails",
				Host: pick(r, s.Nodes), Choice: r.Uint64()})
		}
	}
	sortFaults(s.Faults)
}

// volumeFaults are drawn by volumes alone. Each begins with little room.
func volumeFaults() []faultKind {
	return []faultKind{{"volume fails", 0, func(w *World, f Fault, h *Host) {
		h.SetVolume(cluster.Volume{Why: message.Words("less than 256 MiB are free")})
		if f.Choice%3 > 0 {
			w.After(f.While/8, func() {
				if !w.calmly { // else everything is mended already
					h.SetVolume(cluster.Volume{Why: message.Words("read-only file system"), Failing: true})
				}
			})
		}
		w.After(f.While, func() { h.SetVolume(cluster.Volume{}) })
	}}}
}

// SetVolume is what a look at the host's data volume finds from now on.
func (h *Host) SetVolume(v cluster.Volume) {
	if h.volume == v {
		return
	}
	h.volume, h.volumeSince = v, h.world.Now
	h.world.tell("the data volume of %s: %q", h.Name, v.Why)
	if h.daemon != nil {
		h.daemon.poke()
	}
}

// watchVolumes holds of what the leader decides from that everybody knows of a volume
// that has failed for a while, and that a note says so.
func (w *World) watchVolumes(s *cluster.State, d plan.Decision) {
	noted := map[string]bool{}
	for _, note := range d.Notes {
		noted[note.Subject] = true
	}
	for _, h := range w.order {
		n, known := s.Nodes.Get(h.Name)
		if !known || n.State != cluster.NodeOnline {
			continue
		}
		if n.Volume != nil && !noted[h.Name] {
			w.violate("silence: the data volume of %s fails, and nothing tells of it", h.Name)
		}
		failing := h.volume.Failing && w.Now-max(h.volumeSince, h.daemonSince) > toldWithin
		if failing && !w.inTrouble(h, toldWithin) && (n.Volume == nil || !n.Volume.Failing) {
			w.violate("the data volume of %s has failed for %s, and nobody knows it", h.Name, w.Now-h.volumeSince)
		}
	}
}

// volumesNotSettled names a host of whose volume the State says what is over.
func (w *World) volumesNotSettled(s *cluster.State) string {
	for _, h := range w.order {
		if n, known := s.Nodes.Get(h.Name); known && n.Volume != nil && h.volume.None() {
			return "the data volume of " + h.Name + " is not known to be well again"
		}
	}
	return ""
}
