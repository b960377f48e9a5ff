package cluster

import (
	"fmt"
	"sort"
	"strings"

	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// BusyOn reports whether an intent is at work on a node, so that its result tells
// the end. A migration that left two running waits for a person, and only
// observations can tell what that person does.
func (s Service) BusyOn(node string) bool {
	i := s.Intent
	return i != nil && (i.Node == node || i.Target == node) && !i.Twice
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
		return !i.Settling || o.Reason == resources.MigratingOut
	case i.Target:
		return i.SourceSeen == 0
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

// level of a document that fences otherwise than by power.
func (d Document) fencesOtherwise() bool {
	for _, name := range words.SortedKeys(d.Devices) {
		if d.Devices[name].Nature() != fence.ByPower {
			return true
		}
	}
	for _, name := range words.SortedKeys(d.Services) {
		if d.Services[name].StorageOnly {
			return true
		}
	}
	return false
}

// level of a result: what it proves, older members know of power alone.
func (c FenceDone) level() int {
	if c.Result.Proven.IsZero() {
		return LevelOne
	}
	return LevelTwo
}

// UnprovenBy holds one device's part of a proof against what is known of the
// boot.
func UnprovenBy(device fence.Device, open Fence, guard fence.Guard, p fence.Proven) string {
	switch device.Nature() {
	case fence.ByWatchdog:
		limit, guarded := guard.WaitOut()
		if !guarded {
			return fmt.Sprintf("boot %.8s of %s is not known to have armed a watchdog that ends with its lease", open.Boot,
				open.Node)
		}
		if p.Waited < limit {
			return fmt.Sprintf("%s was waited out for %s, its lease and watchdog take %s", open.Node, p.Waited, limit)
		}
	case fence.ByPill:
		if guard.Timeout == 0 || !words.ContainsAll(guard.Pills, device.Disks()) {
			return fmt.Sprintf("boot %.8s of %s is not known to watch the disks of %s for messages", open.Boot, open.Node,
				device.Name)
		}
	case fence.ByStorage:
		if !words.ContainsAll(p.Disks, device.Disks()) {
			return fmt.Sprintf("%s was not cut off from every disk of %s", open.Node, device.Name)
		}
	}
	return ""
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
		h.Ask, h.Why = true, "the last act there proved nothing"
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

// HolderNames are the nodes of all holders, in a sentence.
func HolderNames(s Service) string {
	names := make([]string, 0, len(s.Holders))
	for _, h := range s.Holders {
		names = append(names, h.Node)
	}
	return strings.Join(names, ", ")
}
