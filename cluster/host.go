package cluster

import (
	"errors"
	"fmt"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// Guarded tells what stands guard over a boot of a node. It comes after the
// admission and before the node may run anything.
type Guarded struct {
	Change
	Node        string      `json:"node"`
	Incarnation uint64      `json:"incarnation"`
	Guard       fence.Guard `json:"guard"`
}

// KeyBack tells that a boot which was cut off is registered again on a disk: it
// could write there until it is cut off once more.
type KeyBack struct {
	Change
	Node string `json:"node"`
	Boot string `json:"boot"`
	Disk string `json:"disk"`
	// By is the node that saw it, Again reports whether that node cut it off again.
	By    string `json:"by"`
	Again bool   `json:"again"`
	Why   string `json:"why,omitempty"`
}

// LostKeys is a node's own word that it is cut off from a disk although nobody
// here has decided so. It releases nothing; the boot gets no more work.
type LostKeys struct {
	Change
	Node        string `json:"node"`
	Incarnation uint64 `json:"incarnation"`
	Boot        string `json:"boot"`
}

// Keeper is how the process stands that holds this host's watchdog, as it last
// answered.
type Keeper struct {
	// Seq is that of the word which it answered.
	Seq     uint64
	Armed   bool
	Timeout time.Duration
	Pills   []string
	// Free: it pets without a lease; else until Until, on Input.Clock.
	Free  bool
	Until time.Duration
}

// Keys is what this host found out about its own keys on shared storage.
type Keys struct {
	// Registered are the disks where this boot is registered, with no registration
	// on its way.
	Registered []string
	// CutOff: its key is gone from a disk that others hold a reservation on.
	CutOff bool
}

// Leased is the end of a question that this node put to a majority.
type Leased struct {
	// Sent is the reading of Input.Clock right before it was sent.
	Sent time.Duration
	// Granted: it was answered, and MayLease found nothing afterwards.
	Granted bool
}

// PetPolicy is what a keeper is told to do.
type PetPolicy string

// The policies.
const (
	// PetFree: the node holds nothing, so it is petted without a lease.
	PetFree PetPolicy = "free"
	// PetLeased: it is petted until the lease runs out.
	PetLeased PetPolicy = "leased"
	// PetNever: this boot has to end.
	PetNever PetPolicy = "never"
)

// Pet is the newest word for the keeper. It may be told again at any time.
type Pet struct {
	// Seq is another one for each change of the policy.
	Seq    uint64
	Policy PetPolicy
	Until  time.Duration
}

// MayLease says why the boot of a node gets no lease by this State; nil if it
// does. Whoever asks has waited until a majority confirmed, after the question
// was sent, that the State is not older than that. So a lease was always asked
// for before the fence intent was committed (law L6).
func MayLease(s *State, node, boot string) error {
	n, known := s.Nodes.Get(node)
	switch {
	case !known:
		return errors.New(message.LeaseNoMember.With(node).String())
	case Condemned(s, n, boot):
		return errors.New(message.LeaseCondemned.With(boot[:min(len(boot), 8)], node).String())
	}
	return nil
}

// Condemned tells that a boot is to end, or has ended by what the State says. A
// drill is none: its own silence has to come from the device.
func Condemned(s *State, n Member, boot string) bool {
	open, fencing := s.Fences.Get(n.Name)
	return n.CutBoot(boot) || (n.State == NodeFenced && n.Boot == boot) || (fencing && !open.Drill && open.Boot == boot)
}

// InForce reports whether what comes up on a host now ends with its guard: the
// keeper has answered the newest word, and that was a lease which lasts.
func InForce(g fence.Guard, newest Pet, k Keeper, clock time.Duration) bool {
	switch {
	case g.Timeout == 0:
		return true
	case !k.Armed || newest.Policy == PetNever:
		return false
	case g.Lease == 0:
		return true
	}
	return newest.Policy == PetLeased && k.Seq == newest.Seq && !k.Free && clock < k.Until
}

// NodeHypervisor tells of an edge: the hypervisor of a node does not answer, or does so
// again. It releases nothing: what ran there may go on running.
type NodeHypervisor struct {
	Change
	Node        string `json:"node"`
	Incarnation uint64 `json:"incarnation"`
	// Why says what it did not answer; empty where it answers.
	Why message.Text `json:"why,omitzero"`
}

// MostHypervisorWords bounds what a node may say about its hypervisor, and
// PauseHypervisor how soon it says so again.
const (
	MostHypervisorWords = 500
	PauseHypervisor     = 5 * time.Second
)

// StandsBy reports whether a node has told that its State is not that of the others. It does
// nothing that it is asked for, so it is asked for nothing.
func (n Member) StandsBy() bool { return n.Hung.Is(message.NodeStandsBy) }

// HungWhy says why a node can take no VM in at present; nothing if it can. A service
// made of resources needs no hypervisor.
func (n Member) HungWhy(service Service) message.Text {
	if n.StandsBy() {
		return n.Hung
	}
	if n.Hung.IsZero() || !service.Spec.Traits().Hypervisor {
		return message.Text{}
	}
	return message.TargetHung.With()
}

// Volume is what a node found wrong with the volume on which its log and its State lie.
type Volume struct {
	Why message.Text `json:"why"`
	// Failing: nothing can be written there. Else it is only running full.
	Failing bool `json:"failing,omitempty"`
}

// None reports whether nothing is wrong.
func (v Volume) None() bool { return v.Why.IsZero() }

// NodeVolume tells of an edge: the data volume of a node fails, runs full, or is well
// again. It decides nothing; a node that follows no log is judged by that.
type NodeVolume struct {
	Change
	Node        string `json:"node"`
	Incarnation uint64 `json:"incarnation"`
	Volume      Volume `json:"volume"`
}

// LastVolume is what the node said last about its volume.
func (n Member) LastVolume() Volume {
	if n.Volume == nil {
		return Volume{}
	}
	return *n.Volume
}

// Words say what is wrong.
func (v Volume) Words() message.Text {
	if v.Failing {
		return message.VolumeFails.With(v.Why)
	}
	return message.VolumeFills.With(v.Why)
}

// Next says what to do. A node that cannot write no longer follows the log, and is judged by that.
func (v Volume) Next(node string) message.Text {
	if v.Failing {
		return message.DoMendVolume.With(node)
	}
	return message.DoMakeRoom.With(node)
}

// Capacity is what a host has for services, as its own daemon measured it.
type Capacity struct {
	// Memory is the ordinary memory, Huge what is set aside in huge pages: the one cannot be used for
	// what needs the other.
	Memory resources.Bytes `json:"memory,omitempty"`
	Huge   resources.Bytes `json:"huge,omitempty"`
	CPUs   int             `json:"cpus,omitempty"`
}

// Known reports whether the node has told what it has.
func (c Capacity) Known() bool { return c.Memory > 0 }

// String says it in words.
func (c Capacity) String() string {
	text := fmt.Sprintf("%s of memory and %d CPUs", c.Memory, c.CPUs)
	if c.Huge > 0 {
		text += fmt.Sprintf(", and %s in huge pages", c.Huge)
	}
	return text
}

// NodeCapacity tells that a host has more or less than it said last.
type NodeCapacity struct {
	Change
	Node        string   `json:"node"`
	Incarnation uint64   `json:"incarnation"`
	Capacity    Capacity `json:"capacity"`
}

// Allowance is what the document says about how full a node may become.
type Allowance struct {
	// Reserve is the memory that is kept from services; nil is the default.
	Reserve *resources.Bytes `json:"reserve,omitempty"`
	// Memory and CPUs are how much of what a node has may be promised, in percent. 0 of Memory is all
	// of it and no more; 0 of CPUs is no limit.
	Memory int `json:"memory,omitempty"`
	CPUs   int `json:"cpus,omitempty"`
}

// The memory that is kept from services where the document says nothing.
const (
	DefaultReserve      = resources.GiB
	DefaultReserveShare = 8
)

// AllowanceOf is what holds for a node: its own, and the cluster's where it has none.
func (d Document) AllowanceOf(node string) Allowance {
	a, own := d.Allowance, d.Nodes[node].Allowance
	if own.Reserve != nil {
		a.Reserve = own.Reserve
	}
	if own.Memory > 0 {
		a.Memory = own.Memory
	}
	if own.CPUs > 0 {
		a.CPUs = own.CPUs
	}
	return a
}

// Reserved is what is kept of an amount of memory: as declared, else 1 GiB, and of a small host an
// eighth.
func (a Allowance) Reserved(memory resources.Bytes) resources.Bytes {
	if a.Reserve != nil {
		return min(*a.Reserve, memory)
	}
	return min(DefaultReserve, memory/DefaultReserveShare)
}

// Of is what services may take of a capacity.
func (a Allowance) Of(c Capacity) resources.Demand {
	may := resources.Demand{Memory: c.Memory - a.Reserved(c.Memory), Huge: c.Huge, CPUs: c.CPUs * a.CPUs / 100}
	if a.Memory > 0 {
		may.Memory = may.Memory * resources.Bytes(a.Memory) / 100
	}
	return may
}

// Kept is room that a node keeps for a service that is down for a moment: it ran there and is to
// be started there again, or it is stopped to be started there.
type Kept struct {
	Node   string           `json:"node,omitempty"`
	Demand resources.Demand `json:"demand,omitzero"`
}

// KeepsRoom returns the service with room kept for it on a node, for as much as it takes or took
// there; "" keeps none.
func (s Service) KeepsRoom(node string) Service {
	demand := s.Spec.Demand
	if h, held := s.Holder(node); held {
		demand = h.Demand
	} else if node == s.Kept.Node {
		demand = s.Kept.Demand
	}
	return s.KeepsRoomAs(node, demand)
}

// KeepsRoomAs is KeepsRoom for a holder that is proven gone: took is what it was started with. What
// is declared by now may be more, and a crash is no way to get it.
func (s Service) KeepsRoomAs(node string, took resources.Demand) Service {
	s.Kept = Kept{Node: node, Demand: took}
	if node == "" {
		s.Kept = Kept{}
	}
	return s
}

// TakesOn is what a service takes, or may take, of a node: what was started there or what is
// declared now, whichever is more. Of room that is kept for it counts what was promised: what is
// declared larger meanwhile has to find a place for that first.
func (s *Service) TakesOn(node string) (taken resources.Demand, there bool) {
	for i := range s.Holders {
		if s.Holders[i].Node == node {
			taken, there = taken.Most(s.Spec.Demand).Most(s.Holders[i].Demand), true
		}
	}
	if s.Kept.Node == node && node != "" && s.comesUp() {
		promised := s.Kept.Demand
		if promised.None() {
			promised = s.Spec.Demand // it was started by a version which did not count
		}
		taken, there = taken.Most(promised), true
	}
	return taken, there
}

// comesUp reports whether a service that is down, or is being stopped, is to be started by itself.
func (s *Service) comesUp() bool {
	return s.Enabled && !s.Held && s.State != resources.Started && s.State != resources.Failed
}

// Ran is what it took on a node where it ran last, or is started: what it is let take there again.
// It is not known where there is none, or where that was started by a version which did not count.
func (s *Service) Ran(node string) (took resources.Demand, there bool) {
	if h, held := s.Holder(node); held {
		return h.Demand, true
	}
	return s.Kept.Demand, s.Kept.Node == node && node != "" && s.comesUp()
}

// WhatIf is what would become of the services if hosts were lost or a node were emptied, and every
// act worked.
type WhatIf struct {
	// Steps are the services that would move, come up elsewhere, or stay down or behind; Others is the
	// number of those that nothing would happen to.
	Steps  []WhatIfStep `json:"steps"`
	Others int          `json:"others"`
	// Rooms are how full the nodes would be that are left and have told what they have.
	Rooms []WhatIfRoom `json:"rooms,omitempty"`
}

// MethodGoes is what becomes of a service that a document no longer declares.
const MethodGoes Method = "goes"

// WhatIfStep is one service of it.
type WhatIfStep struct {
	Service string `json:"service"`
	From    string `json:"from,omitempty"`
	// To is where it would be; where it stays there, From. Empty: it would be nowhere.
	To     string `json:"to,omitempty"`
	Method Method `json:"method"`
	// Why is why it would not go, or what speaks for where it would; Next is what a person can do.
	Why  message.Text `json:"why,omitzero"`
	Next message.Text `json:"next,omitzero"`
}

// WhatIfRoom is how much memory services would leave of a node.
type WhatIfRoom struct {
	Node   string          `json:"node"`
	Memory resources.Bytes `json:"memory"`
	Free   resources.Bytes `json:"free"`
}

// Reserve is how many hosts may be lost at once, whichever they are, so that every service that
// runs comes up on the others.
type Reserve struct {
	// Hosts may be lost. Asked is how many were asked about.
	Hosts int `json:"hosts"`
	Asked int `json:"asked"`
	// Lost are hosts, one more than Hosts, without which Short would not come up; empty where all that
	// was asked about may be lost. Minority: too few voters would be left to decide anything.
	Lost     []string     `json:"lost,omitempty"`
	Short    []WhatIfStep `json:"short,omitempty"`
	Minority bool         `json:"minority,omitempty"`
	// Sets of hosts were tried. Bounded: there was no time for all of them, so that more than Hosts
	// may be possible.
	Sets    int  `json:"sets"`
	Bounded bool `json:"bounded,omitempty"`
}
