package cluster

import (
	"errors"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
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

// HungWhy says why a node can take no VM in at present; nothing if it can. A service
// made of resources needs no hypervisor.
func (n Member) HungWhy(service Service) message.Text {
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
