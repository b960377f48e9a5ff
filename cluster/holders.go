package cluster

import (
	"sort"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// BusyOn reports whether an intent is at work on a node, so that its result tells
// the end. The target of a migration is not at work while it is asked whether it can take the
// VM. A migration that left two running waits for a person, and only
// observations can tell what that person does.
func (s Service) BusyOn(node string) bool {
	i := s.Intent
	return i != nil && (i.Node == node || i.Target == node && !i.Preparing()) && !i.Twice
}

// Unripe tells that an end of a migration says something that is not final:
// both ends stay holders until the source's end is known, and only then the
// target is asked (law L5).
func (s Service) Unripe(node string, o resources.Observation) bool {
	i := s.Intent
	if i == nil || i.Kind != IntentMigrate {
		return false
	}
	switch node {
	case i.Node:
		return !i.Settling || o.UnderWay()
	case i.Target:
		// Nothing is on its way there yet, so what is there is no half of this migration.
		return o.UnderWay() || i.SourceSeen == 0 && (!i.Preparing() || o.Condition == resources.Absent)
	}
	return false
}

// Cut is a boot that was cut off from shared storage. It may still be running:
// what it held is released disk by disk, and it is never admitted again (law L3).
type Cut struct {
	Boot string `json:"boot"`
	// Index is where the first proof came.
	Index uint64 `json:"index"`
	// Devices are the fence devices that cut it off; their keys are watched until
	// the machine shows a new boot.
	Devices []string `json:"devices"`
	// Disks are those that it can write to no more.
	Disks []string `json:"disks"`
}

// Ended tells that the node's last boot no longer counts: it is off,
// or cut off from what it could spoil.
func (n Member) Ended() bool { return n.State == NodeFenced || n.State == NodeCut }

// CutBoot reports whether a boot of the node was cut off.
func (n Member) CutBoot(boot string) bool { return n.Cut != nil && n.Cut.Boot == boot && boot != "" }

// GuardOf is what stands guard over a boot of the node.
func (n Member) GuardOf(boot string) fence.Guard {
	if n.Guard == nil || n.Guard.Boot != boot || boot == "" {
		return fence.Guard{}
	}
	return *n.Guard
}

// NeverSent reports whether a start is proven not to have happened: the executor
// sent no call, and its node became a holder by this very intent and was seen
// with nothing since. A holder from before stays, whatever this act did not do.
func (c Done) NeverSent(intent Intent, h Holder) bool {
	return c.Result.Unsent && !c.Result.OK && c.Result.Source == resources.Unknown && intent.Entered && h.Condition == ""
}

// After is a holder as an act left it. Where nothing was proven the node looks
// until something is: a hypervisor that answers again tells of no VM that is
// not there.
func (h Holder) After(result resources.Result, index uint64) Holder {
	h.Condition, h.Since = string(result.Source), index
	if result.Source == resources.Unknown {
		h.Ask, h.Why = true, message.HolderUnproven.With()
	}
	return h
}

// WithFailedStart is the service with that failure as the newest of its node.
func (s Service) WithFailedStart(failed FailedStart) Service {
	list := make([]FailedStart, 0, len(s.FailedOn)+1)
	for _, f := range s.FailedOn {
		if f.Node != failed.Node {
			list = append(list, f)
		}
	}
	if len(list) < MaxFailedStarts {
		list = append(list, failed)
	}
	s.FailedOn = list
	return s
}

// Seen takes in what was found on a node; Absent lets the holder go.
func (s Service) Seen(node string, condition resources.Condition, reason string, index uint64) Service {
	h, held := s.Holder(node)
	if !held {
		return s
	}
	if condition == resources.Absent {
		s.Changed = index
		if s.Owner == node {
			s.Owner, s.LastOwner = "", node
		}
		return s.WithoutHolder(func(other Holder) bool { return other.Node == node && other.Boot == h.Boot })
	}
	s.Changed = index
	h.Condition, h.Reason, h.Ask, h.Since = string(condition), reason, false, index
	return s.WithHolder(h)
}

// Holder finds the holder of a service on a node.
func (s Service) Holder(node string) (Holder, bool) {
	for _, h := range s.Holders {
		if h.Node == node {
			return h, true
		}
	}
	return Holder{}, false
}

// WithHolder returns the service with the holder put in the place of the same
// machine and boot, sorted by node.
func (s Service) WithHolder(h Holder) Service {
	kept := make([]Holder, 0, len(s.Holders)+1)
	for _, old := range s.Holders {
		if old.Machine != h.Machine || old.Boot != h.Boot {
			kept = append(kept, old)
		}
	}
	kept = append(kept, h)
	sort.SliceStable(kept, func(i, j int) bool { return kept[i].Node < kept[j].Node })
	s.Holders = kept
	return s
}

// WithoutHolder returns the service without the holders that match.
func (s Service) WithoutHolder(match func(Holder) bool) Service {
	kept := make([]Holder, 0, len(s.Holders))
	for _, h := range s.Holders {
		if !match(h) {
			kept = append(kept, h)
		}
	}
	s.Holders = kept
	return s
}

// OnBoot matches the holder on a node's present boot.
func OnBoot(n Member) func(Holder) bool {
	return func(h Holder) bool { return h.Machine == n.Machine() && h.Boot == n.Boot }
}

// Running lists the nodes where the service was last seen executing.
func (s Service) Running() []string {
	var nodes []string
	for _, h := range s.Holders {
		if h.Condition == string(resources.Running) {
			nodes = append(nodes, h.Node)
		}
	}
	return nodes
}

// HolderNodes are the nodes of all holders.
func HolderNodes(s Service) []string {
	names := make([]string, 0, len(s.Holders))
	for _, h := range s.Holders {
		names = append(names, h.Node)
	}
	return names
}

// HolderNames are the nodes of all holders, in a sentence.
func HolderNames(s Service) string { return strings.Join(HolderNodes(s), ", ") }

// Astray tells of a VM that runs on other disks than it was started with: a snapshot
// was taken and not committed, a disk was attached by hand. A start goes by the
// declaration and knows nothing of them, so nothing of ours stops such a VM, and
// nothing starts it on older contents, without a person's word.
type Astray struct {
	resources.Drift
	// Node is where it was seen, Index when.
	Node  string `json:"node"`
	Index uint64 `json:"index"`
	// Said is who said that it may be left behind.
	Said string `json:"said,omitempty"`
}

// RunsOn takes over the disks that a VM was seen with. Those that it was started with
// are kept where they differ, and those that it had where one of them cannot be named.
func (h Holder) RunsOn(live []resources.Disk) Holder {
	started := h.StartedWith()
	h.Disks, h.Declared = resources.KeepKnown(live, h.Disks), nil
	if !resources.DriftOf(started, h.Disks).None() {
		h.Declared = started
	}
	return h
}

// RunsAs is a holder of the very guest that another one has or had: whoever brought it from there
// brought it as it was started, whatever has been declared since.
func (h Holder) RunsAs(other Holder) Holder {
	h.Definition, h.Disks, h.Declared = other.Definition, other.Disks, other.Declared
	h.Demand, h.Networks, h.Plugged = other.Demand, other.Networks, other.Plugged
	return h
}

// StartedWith are the disks that a holder was started with.
func (h Holder) StartedWith() []resources.Disk {
	if h.Declared != nil {
		return h.Declared
	}
	return h.Disks
}

// StartsWith reports whether what is left of an interrupted start is what a new one
// would make: going on with it must not bring up disks that nobody declares, nor let the
// State count others than it has (law L9).
func (h Holder) StartsWith(spec resources.Spec) bool {
	return h.Definition == spec.Definition && resources.DriftOf(spec.Disks, h.Disks).None()
}

// PluggedNames are the devices that were plugged in, in a sentence.
func (h Holder) PluggedNames() string { return strings.Join(h.Plugged, ", ") }

// Left is what the next start would not have.
func (s Service) Left() resources.Drift {
	if s.Astray == nil {
		return resources.Drift{}
	}
	return s.Astray.Unless(s.Spec.Disks)
}

// ThrowsAway says why a service must not be stopped without a person's word; nothing if
// it may.
func (s Service) ThrowsAway() message.Text {
	if s.Astray == nil || s.Astray.Said != "" || !s.Left().Leaves() {
		return message.Text{}
	}
	return message.AstrayRuns.With(s.Spec.Name, s.Left().Names())
}

// HoldsBack says why a service must not be started without a person's word; nothing if
// it may.
func (s Service) HoldsBack() message.Text {
	if s.Astray == nil || s.Astray.Said != "" || !s.Left().Loses() {
		return message.Text{}
	}
	return message.AstrayRan.With(s.Left().Names(), s.Astray.Node)
}

// HeldByLoss adds to the end of a service that it is not started again by itself.
func (s Service) HeldByLoss(from resources.State, why message.Text) message.Text {
	if from != resources.Started || (s.State != resources.Recovering && s.State != resources.Recoverable) {
		return why
	}
	if loss := s.HoldsBack(); !loss.IsZero() {
		return message.AstrayHeld.With(why, loss)
	}
	return why
}

// AstrayNext says what a person does about it.
func (s Service) AstrayNext() message.Text {
	runs := s.State == resources.Started || s.State == resources.Migrating
	if runs && s.Left().Loses() {
		return message.DoCommitSnapshot.With(s.Owner, s.Spec.Short())
	}
	if runs {
		return message.DoDeclareDisk.With(s.Owner)
	}
	return message.DoMergeOverlay.With(s.Spec.Name)
}

// Given notes a person's word that what the service wrote elsewhere may be left.
func (s Service) Given(by string) Service {
	if s.Astray != nil {
		next := *s.Astray
		next.Said = words.OrElse(by, "an administrator")
		s.Astray = &next
	}
	return s
}

// WordIsOver: a word was for one request. What it was not used for needs a new one.
func (s Service) WordIsOver() Service {
	if s.Astray != nil && s.Astray.Said != "" && len(s.Holders) > 0 {
		next := *s.Astray
		next.Said = ""
		s.Astray = &next
	}
	return s
}

// CameBack ends what was astray before a start, and says what the start left behind.
func (s Service) CameBack(why message.Text) (Service, message.Text) {
	if left := s.Left(); left.Leaves() {
		why = message.AstrayCameBack.With(why, left.Names())
	}
	s.Astray = nil
	return s, why
}

// Freeze says who froze a service, why, and when that ends by itself.
type Freeze struct {
	At time.Time `json:"at"`
	By string    `json:"by,omitempty"`
	// Why is the administrator's reason; may be empty.
	Why string `json:"why,omitempty"`
	// Until is when it ends by itself; zero is never.
	Until time.Time `json:"until,omitzero"`
}

// Thaw ends a freeze whose time is over.
type Thaw struct {
	Change
	Service string    `json:"service"`
	Until   time.Time `json:"until"`
}

// EndText is the end of a freeze in words; nothing where it has none.
func (f *Freeze) EndText() message.Text {
	if f == nil || f.Until.IsZero() {
		return message.Text{}
	}
	return message.FreezeEnds.With(f.Until.UTC().Format("2006-01-02 15:04:05 MST"))
}

// Leftover tells that a start of ours which is no longer wanted, or a migration
// without its source, left a copy that never ran.
func (s Service) Leftover(h Holder) bool {
	if s.Owner != "" || h.Ask {
		return false
	}
	return h.Condition == string(resources.Incoming) || (h.Creating && h.Condition == string(resources.Paused))
}

// IsPlaced reports whether a service is where an administrator put it.
func (s Service) IsPlaced() bool { return s.Placed > 0 && s.PlacedOn == s.Owner }

// PlacedBy marks a service as put where it is, if the request that ended well said
// where: another service's wish is no wish about a place.
func (s Service) PlacedBy(wish Wish, index uint64) Service {
	chosen := wish.Op == OpMigrate || wish.Op == OpRelocate || wish.Op == OpEnable
	if chosen && (wish.Target == s.Owner || (wish.Target == "" && wish.Op == OpRelocate)) {
		s.Placed, s.PlacedOn = index, s.Owner
	}
	return s
}
