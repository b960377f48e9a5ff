package rules

import (
	"slices"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// Room is how full a node is, by what it told and what may run there.
type Room struct {
	Capacity cluster.Capacity
	// Reserved is the memory that is kept from services, May what they may take, Taken what they
	// take or are promised, Free what is left of it.
	Reserved          resources.Bytes
	May, Taken, Free  resources.Demand
	limited, outgrown bool
}

// Over reports whether more may run there than the node may take.
func (r Room) Over() bool { return r.outgrown }

// Used is what is taken of a node, as it is counted here; it is nothing that the State holds.
type Used struct{ resources.Demand }

// Measured reports whether some node has told what it has: else nothing is counted.
func (w *World) Measured() bool {
	for _, n := range w.Nodes.Rows() {
		if n.Capacity.Known() {
			return true
		}
	}
	return false
}

// TakenOnAll is what is taken of each node: what may run there, and what room is kept for. Who may
// be running counts as running, as in law L1.
func (w *World) TakenOnAll() map[string]Used {
	taken := make(map[string]Used, w.Nodes.Len())
	add := func(s *cluster.Service, node string) {
		demand, _ := s.TakesOn(node)
		taken[node] = Used{taken[node].Plus(demand)}
	}
	each := func(s *cluster.Service) {
		kept := s.Kept.Node != ""
		for i := range s.Holders {
			if node := s.Holders[i].Node; !heldBefore(s, i) {
				add(s, node)
				kept = kept && node != s.Kept.Node
			}
		}
		if kept {
			add(s, s.Kept.Node)
		}
	}
	for _, service := range w.Services.Rows() {
		each(service)
	}
	for _, grave := range w.Tombstones.Rows() {
		each(grave)
	}
	return taken
}

// heldBefore reports whether an earlier holder of a service is on the same node, by another boot.
func heldBefore(s *cluster.Service, i int) bool {
	for j := range i {
		if s.Holders[j].Node == s.Holders[i].Node {
			return true
		}
	}
	return false
}

// Counted is the World with what is taken of each node counted once, for who asks about several.
func (w *World) Counted() *World {
	if w.Taken != nil || !w.Measured() {
		return w
	}
	counted := *w
	counted.Taken = w.TakenOnAll()
	return &counted
}

// takenOn is what is taken of one node.
func (w *World) takenOn(node string) (taken resources.Demand) {
	if w.Taken != nil {
		return w.Taken[node].Demand
	}
	for _, table := range [][]*cluster.Service{w.Services.Rows(), w.Tombstones.Rows()} {
		for _, service := range table {
			if demand, there := service.TakesOn(node); there {
				taken = taken.Plus(demand)
			}
		}
	}
	return taken
}

// RoomOn is how full a node is. It is not known where the node has not told what it has.
func (w *World) RoomOn(node string) (Room, bool) {
	n, _ := w.Nodes.Get(node)
	if !n.Capacity.Known() {
		return Room{}, false
	}
	allowance := w.Document.AllowanceOf(node)
	r := Room{Capacity: n.Capacity, Reserved: allowance.Reserved(n.Capacity.Memory), May: allowance.Of(n.Capacity),
		Taken: w.takenOn(node), limited: allowance.CPUs > 0}
	r.Free = r.May.Minus(r.Taken)
	counts := r.Taken
	if !r.limited {
		counts.CPUs = 0
	}
	r.outgrown = !r.May.Covers(counts)
	return r, true
}

// without is the room as it is once something no longer takes what it takes there.
func (r Room) without(taken resources.Demand) Room {
	r.Taken = r.Taken.Minus(taken)
	r.Free = r.May.Minus(r.Taken)
	return r
}

// short says what there is too little of for a service; nothing where it fits.
func (r Room) short(name string, need resources.Demand) message.Text {
	switch {
	case need.Memory > r.Free.Memory:
		return message.MemoryShort.With(r.Free.Memory, r.May.Memory, name, need.Memory.Up())
	case need.Huge > r.Free.Huge:
		return message.HugePagesShort.With(r.Free.Huge, r.Capacity.Huge, name, need.Huge.Up())
	case r.limited && need.CPUs > r.Free.CPUs:
		return message.ProcessorsShort.With(r.Free.CPUs, r.May.CPUs, name, need.CPUs)
	}
	return message.Text{}
}

// Need is what a service takes of the node to which it comes: what is declared, and what runs now
// where it was started with more and moves as it runs.
func Need(service *cluster.Service) resources.Demand {
	need := service.Spec.Demand
	if !service.Spec.Traits().Live {
		return need
	}
	for i := range service.Holders {
		need = need.Most(service.Holders[i].Demand)
	}
	return need
}

// StartedAnew is a service as it will be once it is stopped and started again: it takes what is
// declared, whatever runs now.
func StartedAnew(service cluster.Service) cluster.Service {
	service.Holders = slices.Clone(service.Holders)
	for i := range service.Holders {
		service.Holders[i].Demand = service.Spec.Demand
	}
	return service
}

// TooFull says of what a node has too little for a service, with the numbers; nothing where it has
// enough, or has not told what it has. What ran on a node, and is to be started there again, counts
// there already: no more than it took is no new burden.
func (w *World) TooFull(service *cluster.Service, node string) message.Text {
	return w.TooFullWithout(service, node, resources.Demand{})
}

// TooFullWithout is TooFull as if something no longer took what it takes there.
func (w *World) TooFullWithout(service *cluster.Service, node string, gone resources.Demand) message.Text {
	need := Need(service)
	if need.None() || w.Also[service.Spec.Name] == node {
		return message.Text{}
	}
	n, _ := w.Nodes.Get(node)
	if !n.Capacity.Known() {
		return message.Text{}
	}
	here, _ := service.TakesOn(node)
	if ran, there := service.Ran(node); there && (ran.None() || ran.Covers(need)) {
		return message.Text{}
	}
	room, _ := w.RoomOn(node)
	return room.without(here.Plus(gone)).short(service.Spec.Name, need)
}

// shares are how much of each node's memory and processors would be taken with a service on it, in
// percent. There are none unless all nodes that could take it have told what they have: a share and
// a number of services cannot be held against each other.
func (w *World) shares(service *cluster.Service, open []string) map[string]share {
	need := service.Spec.Demand
	if need.Memory == 0 {
		return nil
	}
	list := make(map[string]share, len(open))
	for _, node := range open {
		room, known := w.RoomOn(node)
		if !known {
			return nil
		}
		here, _ := service.TakesOn(node)
		if w.Also[service.Spec.Name] == node {
			here = need
		}
		with := room.without(here).Taken.Plus(need)
		list[node] = share{memory: percent(uint64(with.Memory), uint64(room.May.Memory)),
			cpus: percent(uint64(with.CPUs), uint64(room.Capacity.CPUs))}
	}
	return list
}

type share struct{ memory, cpus int }

// percent of a whole of nothing is all of it.
func percent(part, whole uint64) int {
	if whole == 0 {
		return 100
	}
	return int(part * 100 / whole)
}
