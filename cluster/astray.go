package cluster

import (
	"fmt"
	"time"

	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/resources"
)

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
// are kept where they differ.
func (h Holder) RunsOn(live []resources.Disk) Holder {
	started := h.StartedWith()
	h.Disks, h.Declared = live, nil
	if !resources.DriftOf(started, live).None() {
		h.Declared = started
	}
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

// Left is what the next start would not have.
func (s Service) Left() resources.Drift {
	if s.Astray == nil {
		return resources.Drift{}
	}
	return s.Astray.Unless(s.Spec.Disks)
}

// ThrowsAway says why a service must not be stopped without a person's word; "" if it
// may.
func (s Service) ThrowsAway() string {
	if s.Astray == nil || s.Astray.Said != "" || !s.Left().Leaves() {
		return ""
	}
	return fmt.Sprintf("%s runs on %s, and the next start would be without that", s.Spec.Name, s.Left().Names())
}

// HoldsBack says why a service must not be started without a person's word; "" if it
// may.
func (s Service) HoldsBack() string {
	if s.Astray == nil || s.Astray.Said != "" || !s.Left().Loses() {
		return ""
	}
	return fmt.Sprintf("it ran on %s when it was last seen on %s: what it wrote last is not on its declared disks",
		s.Left().Names(), s.Astray.Node)
}

// HeldByLoss adds to the end of a service that it is not started again by itself.
func (s Service) HeldByLoss(from resources.State, why string) string {
	if from != resources.Started || (s.State != resources.Recovering && s.State != resources.Recoverable) {
		return why
	}
	if loss := s.HoldsBack(); loss != "" {
		return why + ". NOT STARTED AGAIN BY ITSELF: " + loss
	}
	return why
}

// AstrayNext says what a person does about it.
func (s Service) AstrayNext() string {
	if s.State == resources.Started && s.Left().Loses() {
		return fmt.Sprintf("end the snapshot on %s (`virsh blockcommit %s DISK --active --pivot`), "+
			"or give it up with --declared-disks", s.Owner, s.Spec.Short())
	}
	if s.State == resources.Started {
		return fmt.Sprintf("declare the disk, or detach it on %s, or give it up with --declared-disks", s.Owner)
	}
	return fmt.Sprintf("merge it (`qemu-img commit FILE`, while nothing runs on it), or give it up; then "+
		"`clusvcadm -e %s --declared-disks`", s.Spec.Name)
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
func (s Service) CameBack(why string) (Service, string) {
	if left := s.Left(); left.Leaves() {
		why = words.Sentence(why, "it came back on its declared disks, without "+left.Names())
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
	Service string    `json:"service"`
	Until   time.Time `json:"until"`
}

// Kind names the command in the log.
func (Thaw) Kind() string { return "thaw" }
func (Thaw) level() int   { return LevelTwo }

// level of a request: what older binaries know is for all.
func (c Ask) level() int {
	if c.Op == OpConvalesce || c.For != 0 {
		return LevelTwo
	}
	return LevelOne
}

// EndWords is the end of a freeze in words.
func (f *Freeze) EndWords() string {
	if f == nil || f.Until.IsZero() {
		return ""
	}
	return "until " + f.Until.UTC().Format("2006-01-02 15:04:05 MST")
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
