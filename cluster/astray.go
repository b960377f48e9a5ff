package cluster

import (
	"fmt"

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

// runsOn takes over the disks that a VM was seen with. Those that it was started with
// are kept where they differ.
func (h Holder) runsOn(live []resources.Disk) Holder {
	started := h.startedWith()
	h.Disks, h.Declared = live, nil
	if !resources.DriftOf(started, live).None() {
		h.Declared = started
	}
	return h
}

// startedWith are the disks that a holder was started with.
func (h Holder) startedWith() []resources.Disk {
	if h.Declared != nil {
		return h.Declared
	}
	return h.Disks
}

// startsWith reports whether what is left of an interrupted start is what a new one
// would make: going on with it must not bring up disks that nobody declares, nor let the
// State count others than it has (law L9).
func (h Holder) startsWith(spec resources.Spec) bool {
	return h.Definition == spec.Definition && resources.DriftOf(spec.Disks, h.Disks).None()
}

// strays compares what runs with what was started, and tells of an edge.
func (t *transaction) strays(service Service, n Member, h Holder) Service {
	if service.Owner != "" && service.Owner != n.Name {
		return service
	}
	drift := resources.DriftOf(h.startedWith(), h.Disks)
	was := service.Astray
	switch {
	case was == nil && drift.None():
		return service
	case was != nil && was.Drift.Equal(drift):
		return service
	}
	why := "it runs on the disks again that it was started with"
	service.Astray = nil
	if !drift.None() {
		service.Astray = &Astray{Drift: drift, Node: n.Name, Index: t.index}
		why = "it runs on other disks than it was started with: " + drift.String()
		if taken := t.takenFrom(service); taken != "" {
			why += ". ONE DISK, TWO SERVICES: " + taken
		}
	}
	t.Services.Set(service.Spec.Name, service)
	t.tell(Event{Node: n.Name, Subject: service.Spec.Name, Why: why})
	return service
}

// takenFrom says which disk of a VM that went astray belongs to another service
// (law L9): nobody could refuse what a person attached by hand.
func (w *World) takenFrom(service Service) string {
	for _, other := range w.others(service.Spec.Name, service.Spec.UUID) {
		for _, mine := range service.Holders {
			if disks := resources.Conflicts(mine.Disks, other.Spec.Disks); len(disks) > 0 {
				return fmt.Sprintf("%s is written by %s on %s and belongs to %s",
					disks[0], service.Spec.Name, mine.Node, other.Spec.Name)
			}
			for _, theirs := range other.Holders {
				if disks := resources.Conflicts(mine.Disks, theirs.Disks); len(disks) > 0 {
					return fmt.Sprintf("%s is written by %s on %s and may be by %s on %s",
						disks[0], service.Spec.Name, mine.Node, other.Spec.Name, theirs.Node)
				}
			}
		}
	}
	return ""
}

// left is what the next start would not have.
func (s Service) left() resources.Drift {
	if s.Astray == nil {
		return resources.Drift{}
	}
	return s.Astray.Unless(s.Spec.Disks)
}

// throwsAway says why a service must not be stopped without a person's word; "" if it
// may.
func (s Service) throwsAway() string {
	if s.Astray == nil || s.Astray.Said != "" || !s.left().Leaves() {
		return ""
	}
	return fmt.Sprintf("%s runs on %s, and the next start would be without that", s.Spec.Name, s.left().Names())
}

// holdsBack says why a service must not be started without a person's word; "" if it
// may.
func (s Service) holdsBack() string {
	if s.Astray == nil || s.Astray.Said != "" || !s.left().Loses() {
		return ""
	}
	return fmt.Sprintf("it ran on %s when it was last seen on %s: what it wrote last is not on its declared disks",
		s.left().Names(), s.Astray.Node)
}

// heldByLoss adds to the end of a service that it is not started again by itself.
func (s Service) heldByLoss(from resources.State, why string) string {
	if from != resources.Started || (s.State != resources.Recovering && s.State != resources.Recoverable) {
		return why
	}
	if loss := s.holdsBack(); loss != "" {
		return why + ". NOT STARTED AGAIN BY ITSELF: " + loss
	}
	return why
}

// astrayNext says what a person does about it.
func (s Service) astrayNext() string {
	if s.State == resources.Started && s.left().Loses() {
		return fmt.Sprintf("end the snapshot on %s (`virsh blockcommit %s DISK --active --pivot`), "+
			"or give it up with --declared-disks", s.Owner, s.Spec.Short())
	}
	if s.State == resources.Started {
		return fmt.Sprintf("declare the disk, or detach it on %s, or give it up with --declared-disks", s.Owner)
	}
	return fmt.Sprintf("merge it (`qemu-img commit FILE`, while nothing runs on it), or give it up; then "+
		"`clusvcadm -e %s --declared-disks`", s.Spec.Name)
}

// mayLose refuses a request that would leave behind what nobody has given up.
func (t *transaction) mayLose(service Service, c Ask) refusal {
	if c.DeclaredDisks {
		return accepted
	}
	why := ""
	switch c.Op {
	case OpDisable, OpStop, OpRestart, OpRelocate:
		if service.State == resources.Started {
			why = service.throwsAway()
		} else if c.Op == OpRelocate {
			why = service.holdsBack()
		}
	case OpEnable:
		if service.State != resources.Started {
			why = service.holdsBack()
		}
	}
	if why == "" {
		return accepted
	}
	return refusal{Code: codeInvalid, Why: why + "; " + service.astrayNext()}
}

// given notes a person's word that what the service wrote elsewhere may be left.
func (s Service) given(by string) Service {
	if s.Astray != nil {
		next := *s.Astray
		next.Said = orElse(by, "an administrator")
		s.Astray = &next
	}
	return s
}

// wordIsOver: a word was for one request. What it was not used for needs a new one.
func (s Service) wordIsOver() Service {
	if s.Astray != nil && s.Astray.Said != "" && len(s.Holders) > 0 {
		next := *s.Astray
		next.Said = ""
		s.Astray = &next
	}
	return s
}

// cameBack ends what was astray before a start, and says what the start left behind.
func (s Service) cameBack(why string) (Service, string) {
	if left := s.left(); left.Leaves() {
		why = sentence(why, "it came back on its declared disks, without "+left.Names())
	}
	s.Astray = nil
	return s, why
}

// noteAstray says of a running VM that it is on other disks.
func (p *planner) noteAstray(service Service) {
	if service.Astray == nil {
		return
	}
	why := "it runs on other disks than it was started with: " + service.Astray.String()
	if taken := p.takenFrom(service); taken != "" {
		why += ". ONE DISK, TWO SERVICES: " + taken
	}
	next := ""
	if service.left().Leaves() {
		next = service.astrayNext()
	}
	p.wait(service.Spec.Name, why, next)
}
