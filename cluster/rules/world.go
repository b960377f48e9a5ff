// Package rules has what Plan and Apply both ask: may this be, who stands in the way, what is
// proven. It reads a World and writes nothing, so that Plan proposes what Apply takes.
package rules

import (
	"time"

	"github.com/clusterd/clusterd/cluster"
)

// World is what the rules read: what the log says, without the means to change it,
// and under which assumptions it is asked. Plan and Apply put the same questions to
// it (may, depend, rules between services, disks, brake, proof, lock), so that Plan
// proposes what Apply takes. These are frozen for each level of the rules like Apply
// itself; what Plan alone asks is free to change. Plan holds a World and no State: it
// cannot write.
type World struct {
	facts
	// At is the moment that is judged by: the time of the entry. A plan has no clock
	// and leaves it empty.
	At time.Time
	// Also are the nodes where a plan in the making puts services, by service; Apply
	// has none.
	Also map[string]string
	// Departs are the services that a plan in the making stops to start them
	// elsewhere, and where; Apply has none.
	Departs map[string]string
	// Taken is what is taken of each node, as a plan counted it once and goes on counting with what it
	// puts there itself; nil where it is counted at each question, or nothing is.
	Taken map[string]Used
	// Ruled is what a plan found once; Apply, under which documents change, looks
	// each time.
	Ruled *ruled
}

// facts are the State as it can be read. They are no copy: under Apply they change
// with it.
type facts struct {
	Document   *cluster.Document
	Nodes      *cluster.Records[cluster.Member]
	Services   *cluster.Records[cluster.Service]
	Tombstones *cluster.Records[cluster.Service]
	Fences     *cluster.Records[cluster.Fence]
	Checks     *cluster.Records[cluster.DeviceCheck]
	PowerOns   *cluster.Records[cluster.PowerOn]
	Blobs      *cluster.Records[string]
	// state is for the methods of facts alone.
	state *cluster.State
}

func (f facts) Level() int { return f.state.Level }

func (f facts) Cluster() string { return f.state.Cluster }

// EndsMove tells why a migration has to end; see cluster.State.EndsMove.
func (f facts) EndsMove(service *cluster.Service) cluster.MoveEnd { return f.state.EndsMove(service) }

func (f facts) Shots() []cluster.Shot { return f.state.Shots }

func (f facts) Lock() *cluster.Lock { return f.state.Lock }

func (f facts) Disarmed() *cluster.Disarmed { return f.state.Disarmed }

func (f facts) Drill() *cluster.Drill { return f.state.Drill }

func (f facts) Leader() cluster.Leader { return f.state.Leader }

func (f facts) Timeline() []cluster.Event { return f.state.Timeline }

// Of is the State as the rules read it, with no moment and no plan in the making.
func Of(s *cluster.State) *World {
	return &World{facts: facts{
		Document: &s.Document, Nodes: &s.Nodes.Records, Services: &s.Services.Records,
		Tombstones: &s.Tombstones.Records, Fences: &s.Fences.Records, Checks: &s.Checks.Records,
		PowerOns: &s.PowerOns.Records, Blobs: &s.Blobs.Records, state: s,
	}}
}
