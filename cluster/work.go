package cluster

import (
	"errors"
	"strings"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// DutyKind is what an executor does.
type DutyKind string

// The duties.
const (
	DutyStart   DutyKind = "start"
	DutyStop    DutyKind = "stop"
	DutyMigrate DutyKind = "migrate"
	// DutyPrepare asks the target of a migration whether it can take the VM.
	DutyPrepare DutyKind = "prepare"
	DutyLook    DutyKind = "look"
	DutyResume  DutyKind = "resume"
	DutyPause   DutyKind = "pause"
	DutyFence   DutyKind = "fence"
	// DutyConvalesce and DutyReconfigure are for services made of resources.
	DutyConvalesce  DutyKind = "convalesce"
	DutyReconfigure DutyKind = "reconfigure"
	DutyPowerOn     DutyKind = "power-on"
	// DutyCancel aborts a migration under way, beside it.
	DutyCancel DutyKind = "cancel"
	// DutyTune changes the limits of a migration under way, beside it.
	DutyTune DutyKind = "tune"
)

// Duty is one act that a node has to carry out, or the confirming look at a
// service. It is complete: an executor needs nothing else.
type Duty struct {
	Kind DutyKind
	// Act names it: generation.index.place, then the round. The same act is never
	// handed out twice by one incarnation.
	Act string
	// Index is the intent's index, Ordinal tells acts of one intent apart.
	Index       uint64
	Ordinal     int
	Incarnation uint64
	// Stage is the stage of the act that this is; empty for acts of one stage, and for what settles
	// or ends an act.
	Stage StageName

	// Service, Spec and Definition (the XML) are for duties about a VM.
	Service    string
	Spec       resources.Spec
	Definition string
	Target     string
	// Kill ends it without asking it to; Part only while it is a part of a guest.
	Kill, Part bool
	// PostCopy tells a migration that the memory is copied after the guest has changed its place, and
	// Stallable that it is given up where its passes no longer shrink.
	PostCopy, Stallable bool
	// Move says how a migration is made, or goes on.
	Move resources.Migration
	// Ends tells a stop that it is tried until it is proven, beside whatever else is at
	// work on the service there.
	Ends bool
	// Final tells a look that "still migrating out" is no answer yet.
	Final bool
	// AsOf is the State's index when a look was handed out; Asked tells that it
	// answers an Ask of the holders.
	AsOf  uint64
	Asked bool

	// Fence duties: whom, on which devices.
	Node    string
	Victim  fence.Target
	Devices []fence.Device
	// Drill: the off shall prove that the devices are the victim's. Proven names
	// those that a drill showed to be.
	Drill  bool
	Proven []string
	// Guard is what is known of the boot's guard, Waited how long it was waited out
	// when the duty was handed out.
	Guard  fence.Guard
	Waited time.Duration
	// OldLogins are those of the devices whose login has just changed, as they were
	// before.
	OldLogins []fence.Device
}

// Key tells duties apart.
func (d Duty) Key() string {
	return string(d.Kind) + "/" + d.Service + d.Node + "/" + d.Spec.UUID + "/" + d.Act
}

// Lane names what duties have to wait for each other. What ends another act must not
// wait for it.
func (d Duty) Lane() string {
	switch {
	case d.Kind == DutyFence || d.Kind == DutyPowerOn:
		return "fence/" + d.Node
	case d.Kind == DutyCancel || d.Kind == DutyTune || d.Ends:
		return string(d.Kind) + "/" + d.Service
	}
	return d.Service
}

// Work lists what a node has to do now, by the State alone. It hands out
// nothing before the node was admitted in its present incarnation (law L2).
func Work(s *State, self string) []Duty {
	n, known := s.Nodes.Get(self)
	if !known || !n.Reachable() || s.Fences.Has(self) {
		return nil
	}
	var duties []Duty
	for _, service := range s.Services.Rows() {
		if service.Intent != nil || service.HeldWhere(func(h Holder) bool { return h.Node == self }) {
			duties = append(duties, serviceDuties(s, *service, n)...)
		}
	}
	for _, uuid := range s.Tombstones.Keys() {
		grave, _ := s.Tombstones.Get(uuid)
		if h, held := grave.Holder(self); held && h.Ask && OnBoot(n)(h) {
			duties = append(duties, lookDuty(s, grave, n, h))
		}
	}
	for _, name := range s.Fences.Keys() {
		open, _ := s.Fences.Get(name)
		if open.Fencer == self && open.Incarnation == n.Incarnation {
			duties = append(duties, fenceDuty(s, open, n))
		}
	}
	return append(duties, powerDuties(s, n)...)
}

func serviceDuties(s *State, service Service, n Member) []Duty {
	var duties []Duty
	h, held := service.Holder(n.Name)
	held = held && OnBoot(n)(h)
	if held && h.Ask {
		duties = append(duties, lookDuty(s, service, n, h))
	}
	intent := service.Intent
	switch {
	case intent == nil:
		twice := len(service.Running()) > 1 && h.Condition == string(resources.Running)
		if held && twice && service.pausable() && service.Owner != n.Name && service.Owner != "" {
			d := vmDuty(s, service, n, DutyPause)
			d.Index, d.Act = h.Since, fence.Act(s.Generation, h.Since, 0)
			duties = append(duties, d)
		}
	case intent.Ending:
		duties = append(duties, endDuty(s, service, n)...)
	case intent.Settling:
		duties = append(duties, settleDuty(s, service, n)...)
	default:
		duties = append(duties, stageDuty(s, service, n)...)
	}
	return duties
}

func vmDuty(s *State, service Service, n Member, kind DutyKind) Duty {
	d := Duty{Kind: kind, Service: service.Spec.Name, Spec: service.Spec, Incarnation: n.Incarnation}
	if service.Intent != nil {
		d.Index, d.Ordinal = service.Intent.Index, service.Intent.Asked
		d.Act = service.Intent.Act()
		switch kind {
		case DutyStart, DutyReconfigure:
			d.Spec.Definition = service.Intent.Definition
		case DutyPrepare:
			source := service.Intent.SetOutAs(service.Spec)
			d.Spec.Definition, d.Spec.Networks = source.Definition, source.Networks
		default:
			return d
		}
		d.Definition, _ = s.Blobs.Get(d.Spec.Definition)
	}
	return d
}

func lookDuty(s *State, service Service, n Member, h Holder) Duty {
	d := Duty{Kind: DutyLook, Service: service.Spec.Name, Spec: service.Spec, Incarnation: n.Incarnation, Asked: true,
		Index: h.Since, AsOf: s.Index}
	d.Act = fence.Act(s.Generation, h.Since, 0)
	d.Final = service.Intent != nil && service.Intent.Settling
	return d
}

// settleDuty is what this end of an unclean migration does next.
func settleDuty(s *State, service Service, n Member) []Duty {
	intent := service.Intent
	if service.Asking(intent.Node) && intent.Cancelled != "" && intent.Sends() && intent.Node == n.Name {
		// libvirt may still be at it, with nobody left who watches.
		return []Duty{vmDuty(s, service, n, DutyCancel)}
	}
	if service.Asking(intent.Node) || service.Asking(intent.Target) || intent.SourceSeen == 0 {
		return nil
	}
	source, target := service.Ends()
	duty := func(at string, kind DutyKind) []Duty {
		if at != n.Name {
			return nil
		}
		d := vmDuty(s, service, n, kind)
		d.Kill = kind == DutyStop
		return []Duty{d}
	}
	switch Settlement(source, target, intent.Twice) {
	case SettleResumeTarget:
		return duty(intent.Target, DutyResume)
	case SettleResumeSource:
		return duty(intent.Node, DutyResume)
	case SettleDropTarget:
		drops := duty(intent.Target, DutyStop)
		for i := range drops {
			drops[i].Part = target == string(resources.Split)
		}
		return drops
	case SettleDropSource:
		return duty(intent.Node, DutyStop)
	case SettlePauseTarget:
		return duty(intent.Target, DutyPause)
	case SettleCopyOn:
		copies := duty(intent.Node, DutyMigrate)
		for i := range copies {
			copies[i].Target, copies[i].Move, copies[i].PostCopy = intent.Target, intent.Limits, true
		}
		return copies
	}
	return nil
}

func fenceDuty(s *State, open Fence, n Member) Duty {
	victim, _ := s.Nodes.Get(open.Node)
	d := Duty{Kind: DutyFence, Drill: open.Drill, Node: open.Node, Index: open.Index, Ordinal: open.TriedTotal,
		Incarnation: n.Incarnation}
	d.Act = fence.Act(open.Generation, open.Index, open.TriedTotal)
	d.Victim = fence.Target{Node: open.Node, HardwareUUID: victim.HardwareUUID, Boot: open.Boot,
		Claimed: s.Claimed(open.Node).String()}
	d.Guard = victim.GuardOf(open.Boot)
	levels := s.Document.Nodes[open.Node].Fence
	if open.Level < len(levels) {
		for _, name := range levels[open.Level].Devices {
			d.Devices = append(d.Devices, s.Document.Devices[name])
			if old, kept := s.WithOldLogin(s.Document.Devices[name]); kept {
				d.OldLogins = append(d.OldLogins, old)
			}
			if s.ProvenFor(name, open.Node) {
				d.Proven = append(d.Proven, name)
			}
		}
	}
	return d
}

// workFor is the part of Work in which a duty can be: an act on a service is
// among the duties of that service. With hundreds of services that start at once,
// each of which asks whether it is still wanted, all of Work would be looked
// through hundreds of times.
func workFor(s *State, n Member, d Duty) []Duty {
	service, known := s.Services.Get(d.Service)
	if d.Service == "" || !known || d.Kind == DutyLook {
		return Work(s, n.Name)
	}
	if !n.Reachable() || s.Fences.Has(n.Name) {
		return nil
	}
	return serviceDuties(s, service, n)
}

// StillWanted tells an executor, right before an effect, whether the newest
// State still asks for the duty (law L6). The sentence says why not.
func StillWanted(s *State, self string, d Duty) error {
	n, known := s.Nodes.Get(self)
	if !known || n.Incarnation != d.Incarnation || n.Incarnation == 0 {
		return errors.New(message.DutyOldDaemon.With(self).String())
	}
	for _, wanted := range workFor(s, n, d) {
		if wanted.Key() == d.Key() {
			return mayGoOver(s, d)
		}
	}
	return errors.New(message.DutyOutdated.With(d.Act).String())
}

// PassableFor is Passable for the daemon of one incarnation. A machine that has
// just booted still finds intents in its log that were meant for the boot before;
// what came up by them would be held by a boot that is no more (law L1). So a
// managed VM waits until this daemon's own incarnation is the one in force.
func PassableFor(s *State, self string, incarnation uint64, uuid string) (service string, may bool, why message.Text) {
	service, may, why = Passable(s, self, uuid)
	n, _ := s.Nodes.Get(self)
	if may && service != "" && (incarnation == 0 || n.Incarnation != incarnation) {
		return service, false, message.HookNotAdmitted.With(self)
	}
	return service, may, why
}

// mayGoOver refuses the call of a post-copy that a person has cancelled meanwhile: before the guest
// has changed its place it costs nothing to heed that, and afterwards nothing can be heeded.
func mayGoOver(s *State, d Duty) error {
	service, _ := s.Services.Get(d.Service)
	if i := service.Intent; d.Stage == StagePostCopy && i != nil && i.Cancelled != "" {
		return errors.New(message.MigrationGivenUp.With(i.Cancelled).String())
	}
	return nil
}

// meansIncarnation reports whether a node, in its present incarnation, is an end of
// the act. An older one may have been another boot, which is what holds the VM. A target
// that is still being asked is not sent anything.
func (i Intent) meansIncarnation(n Member) bool {
	return (i.Node == n.Name && i.Incarnation == n.Incarnation) ||
		(i.Target == n.Name && i.TargetIncarnation == n.Incarnation && !i.Preparing())
}

// Passable tells the doorkeeper whether a managed VM may come up here now: only
// by an open intent that names this node, or for a VM that this node owns (a
// reboot of the guest passes the same door).
func Passable(s *State, self, uuid string) (service string, may bool, why message.Text) {
	n, known := s.Nodes.Get(self)
	for _, name := range s.Services.Keys() {
		service, _ := s.Services.Get(name)
		if service.Spec.UUID != uuid {
			continue
		}
		if !known {
			return name, false, message.HookNotMember.With(self)
		}
		if s.Fences.Has(self) || n.Ended() {
			return name, false, message.FenceUnderWay.With(self)
		}
		if i := service.Intent; i != nil && i.Kind != IntentStop && !i.Settling && i.meansIncarnation(n) {
			return name, true, message.Text{}
		}
		if h, held := service.Holder(self); held && OnBoot(n)(h) && service.Owner == self && service.Intent == nil {
			return name, false, message.HookRunsHere.With(name)
		}
		why := message.HookNotAsked.With(name, self)
		if service.Up() && service.Owner != self {
			why = message.HookRunsElsewhere.With(name, service.Owner, self)
		}
		return name, false, why
	}
	for _, key := range s.Tombstones.Keys() {
		if key == uuid {
			return "", false, message.HookVMRemoved.With()
		}
	}
	return "", true, message.Text{}
}

// ServiceOf is the service whose VM has the UUID, in upper or lower case; "" for none.
func (s *State) ServiceOf(uuid string) string {
	for i, name := range s.Services.Keys() {
		if strings.EqualFold(s.Services.Rows()[i].Spec.UUID, uuid) {
			return name
		}
	}
	return ""
}
