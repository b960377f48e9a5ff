package cluster

import "time"

// World is what the rules read: what the log says, without the means to change it,
// and under which assumptions it is asked. Plan and Apply put the same questions to
// it (may, depend, rules between services, disks, brake, proof, lock), so that Plan
// proposes what Apply takes. These are frozen for each level of the rules like Apply
// itself; what Plan alone asks is free to change. Plan holds a World and no State: it
// cannot write.
type World struct {
	facts
	// at is the moment that is judged by: the time of the entry. A plan has no clock
	// and leaves it empty.
	at time.Time
	// also are the nodes where a plan in the making puts services, by service; Apply
	// has none.
	also map[string]string
	// departs are the services that a plan in the making stops to start them
	// elsewhere, and where; Apply has none.
	departs map[string]string
	// ruled is what a plan found once; Apply, under which documents change, looks
	// each time.
	ruled *ruled
}

// facts are the State as it can be read. They are no copy: under Apply they change
// with it.
type facts struct {
	Document   *Document
	Nodes      *Records[Member]
	Services   *Records[Service]
	Tombstones *Records[Service]
	Fences     *Records[Fence]
	Checks     *Records[DeviceCheck]
	PowerOns   *Records[PowerOn]
	Blobs      *Records[string]
	// state is for the methods of facts alone.
	state *State
}

func (f facts) Level() int          { return f.state.Level }
func (f facts) Cluster() string     { return f.state.Cluster }
func (f facts) Shots() []Shot       { return f.state.Shots }
func (f facts) Lock() *Lock         { return f.state.Lock }
func (f facts) Disarmed() *Disarmed { return f.state.Disarmed }
func (f facts) Drill() *Drill       { return f.state.Drill }
func (f facts) Timeline() []Event   { return f.state.Timeline }

// world is the State as the rules read it, with no moment and no plan in the making.
func (s *State) world() *World {
	return &World{facts: facts{
		Document: &s.Document, Nodes: &s.Nodes.Records, Services: &s.Services.Records,
		Tombstones: &s.Tombstones.Records, Fences: &s.Fences.Records, Checks: &s.Checks.Records,
		PowerOns: &s.PowerOns.Records, Blobs: &s.Blobs.Records, state: s,
	}}
}
