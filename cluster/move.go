package cluster

import (
	"fmt"
	"slices"
	"time"

	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// MoveCancelled notes that a migration under way is to be given up.
func (s Service) MoveCancelled(by string) Service {
	if i := s.Intent; i != nil && i.Kind == IntentMigrate && !i.Ending {
		next := *i
		next.Cancelled = words.OrElse(by, "an administrator")
		s.Intent = &next
	}
	return s
}

// HungNext says what a person does about a guest of which nobody can tell anything.
func (s Service) HungNext(node string) message.Text {
	return message.DoDestroyHungVM.With(s.Spec.Short(), node, s.Spec.Name)
}

// Gathers reports whether a start of the cluster's own goes where its companions
// are: not where a person chose, or asked for another node.
func (s Service) Gathers() bool {
	return s.Wish == nil || (s.Wish.Op != OpRelocate && s.Wish.Target == "")
}

// TroubledOn reports whether something is remembered of a node already that still counts.
func (s Service) TroubledOn(n Member, at time.Time) bool {
	return slices.ContainsFunc(s.Troubles, func(tr Trouble) bool {
		return tr.Node == n.Name && tr.Incarnation == n.Incarnation && at.Before(tr.At.Add(TroubleLasts))
	})
}

// ArrivedHome forgets that the service belongs elsewhere, once it is there.
func (s Service) ArrivedHome(node string) Service {
	if s.Home == node {
		s.Home = ""
	}
	return s
}

// PlacedWhy says that a person put the service where it is.
func (s *Service) PlacedWhy() message.Text {
	return message.ServicePlaced.With(s.Spec.Name, s.Owner)
}

// Newer tells which of two services that run together decides where both are: one
// that an administrator put where it is, else the one that came last.
func (s Service) Newer(other Service) bool {
	mine, theirs := s.Arrived, other.Arrived
	switch {
	case s.IsPlaced() != other.IsPlaced():
		return s.IsPlaced()
	case s.IsPlaced():
		mine, theirs = s.Placed, other.Placed
	}
	if mine != theirs {
		return mine > theirs
	}
	return s.Spec.Name < other.Spec.Name
}

// What is special about services made of resources: some of their parts can
// fail. A service with a failed part is broken, and has to be stopped before it
// runs anywhere; one that may go on without that part is partial.

// Fallen tells that what is there does its work no more and has to be removed.
func (h Holder) Fallen() bool {
	return h.Condition == string(resources.Crashed) || h.Condition == string(resources.Broken)
}

// Killed tells that what is left of the service is removed without asking it to
// end: a crashed guest cannot, what is left of a service's resources can.
func (s Service) Killed() bool { return s.Spec.Traits().Killable }

// pausable tells that a copy that runs where it should not can be held without
// ending it. An address or a mounted file system cannot.
func (s Service) pausable() bool { return s.Spec.Traits().Pausable }

// TwiceWhat is what is done about a service that runs twice.
func (s Service) TwiceWhat() message.Text {
	if s.pausable() {
		return message.TwicePaused.With()
	}
	return message.TwiceNotPaused.With()
}

// TwiceRemedy is what a person does about it.
func (s Service) TwiceRemedy() message.Text {
	if s.pausable() {
		return message.DoStopWrongVM.With()
	}
	return message.DoStopWrongResources.With()
}

// CleanupWhy says what a stop is for that removes what is left of a service that fell on a node.
func (s Service) CleanupWhy(node string) message.Text {
	if !s.Spec.Traits().Parts {
		return message.CleanupAfterCrash.With(node)
	}
	return message.CleanupAfterFailure.With(node)
}

// RunningWhy is the sentence about a service that runs.
func (s Service) RunningWhy(h Holder) message.Text {
	switch {
	case !s.Spec.Traits().Parts:
		return message.GuestRuns.With()
	case s.Flags&resources.Partial != 0:
		return message.ServiceRunsPart.With(h.Reason)
	}
	return message.ResourcesRun.With()
}

// RunningWhat names the last moment of a recovery.
func (s Service) RunningWhat() string {
	if !s.Spec.Traits().Parts {
		return "VM running"
	}
	return "service running"
}

// ObservedPart brings the flag P in line with what was seen where the service
// runs. It reports whether that is news.
func (s Service) ObservedPart(n Member, o resources.Observation) (Service, bool) {
	if o.Condition != resources.Running || (s.Owner != n.Name && s.Owner != "") {
		return s, false
	}
	before := s.Flags
	if o.Partial {
		s.Flags |= resources.Partial
	} else {
		s.Flags &^= resources.Partial
	}
	return s, s.Flags != before
}

// Settled reports whether a condition at one end of a migration is final: not
// unknown, and not still moving.
func Settled(condition string) bool {
	return condition != "" && condition != string(resources.Unknown)
}

// SettleAct is what one end of an unclean migration has to do next.
type SettleAct int

// What is done about a migration that did not end clean.
const (
	SettleWait SettleAct = iota
	SettleEnd
	SettleResumeTarget
	SettleResumeSource
	SettleDropTarget
	SettleDropSource
	SettlePauseTarget
	SettleAskAgain
	// SettleCopyOn has the source go on with a post-copy move that was interrupted.
	SettleCopyOn
)

// Settlement decides how an unclean migration goes on, from what both ends
// show (law L5). The source stays primary until the target was resumed; a copy
// that never ran is dropped; two running are paused, and then a person decides.
//
// A copy at the target that does not run is dropped as long as anything is left
// at the source, whatever its condition: going on with it later would bring
// old memory to a newer disk.
func Settlement(source, target string, twice bool) SettleAct {
	absent, running, paused := string(resources.Absent), string(resources.Running), string(resources.Paused)
	split := string(resources.Split)
	copyAtTarget := target == paused || target == string(resources.Incoming)
	switch {
	case !Settled(source) || !Settled(target):
		return SettleAskAgain
	case source == split || target == split:
		return settleSplit(source, target)
	case source == running && target == running:
		return SettlePauseTarget
	case twice:
		if source == absent || target == absent {
			return SettleEnd
		}
		return SettleWait
	case target == absent && source == paused:
		return SettleResumeSource
	case source == absent && target == paused:
		return SettleResumeTarget
	case source == absent && target == string(resources.Incoming):
		return SettleDropTarget
	case copyAtTarget:
		return SettleDropTarget
	case source == paused && target == running:
		return SettleDropSource
	}
	return SettleEnd
}

// settleSplit decides where the guest's memory is in two parts, or was when an end was asked. What
// is left of it where the other end is gone can never run again: the source's part is older than
// what the guest wrote to its disks since, the target's lacks pages. While both are there the
// copying goes on, also for a guest that stands still or shuts down. Anything else is waited for.
func settleSplit(source, target string) SettleAct {
	split, absent := string(resources.Split), string(resources.Absent)
	switch {
	case source == string(resources.Running): // somebody let it go on
		return SettlePauseTarget
	case source == split && (target == absent || target == string(resources.Running) ||
		target == string(resources.Crashed)):
		return SettleDropSource
	case source == split:
		return SettleCopyOn
	case source == absent:
		return SettleDropTarget
	}
	return SettleWait
}

// Ends returns the conditions at both ends; a holder that has left is absent.
func (s Service) Ends() (source, target string) {
	source, target = string(resources.Absent), string(resources.Absent)
	if h, held := s.Holder(s.Intent.Node); held {
		source = h.Condition
	}
	if h, held := s.Holder(s.Intent.Target); held {
		target = h.Condition
	}
	return source, target
}

// Asking reports whether an end still has to answer.
func (s Service) Asking(node string) bool {
	h, held := s.Holder(node)
	return held && h.Ask
}

// UndoneWhy is what a migration that was undone died of.
func (s Service) UndoneWhy() message.Text {
	if s.Reason.Is(message.MigrationFailed) {
		return message.Words(s.Reason.Arg("reason"))
	}
	return message.Text{}
}

// StageName names one stage of an act.
type StageName string

// The stages of a live migration.
const (
	// StagePrepare has the target say whether it can take the VM. Nothing is sent meanwhile, and the
	// target only reads, so an act that ends here has changed nothing (law L5).
	StagePrepare StageName = "prepare"
	// StageSend has the source move it, up to the commit.
	StageSend StageName = "send"
	// StagePostCopy has the source move it by post-copy. From the entry that begins this stage on, the
	// guest may have memory at both ends (law L5).
	StagePostCopy StageName = "post-copy"
)

// Stage is what one node does for an act. It is handed out once the result of the stage before it
// is in the log.
type Stage struct {
	Name        StageName
	Node        string
	Incarnation uint64
	Duty        DutyKind
}

// Stages are the stages of the act, in order. Most acts have one, which has no name.
func (i Intent) Stages() []Stage {
	if i.Kind != IntentMigrate {
		return []Stage{{Node: i.Node, Incarnation: i.Incarnation, Duty: DutyKind(i.Kind)}}
	}
	stages := []Stage{{Name: StagePrepare, Node: i.Target, Incarnation: i.TargetIncarnation, Duty: DutyPrepare}}
	if i.Limits.Mode != resources.MovePostCopy {
		stages = append(stages, Stage{Name: StageSend, Node: i.Node, Incarnation: i.Incarnation, Duty: DutyMigrate})
	}
	if i.Limits.Mode == resources.MovePostCopy || i.Limits.Mode == resources.MoveHybrid {
		stages = append(stages, Stage{Name: StagePostCopy, Node: i.Node, Incarnation: i.Incarnation, Duty: DutyMigrate})
	}
	return stages
}

// Stallable reports whether the present stage of a move is given up where its passes no longer
// shrink, because one by post-copy can follow.
func (i Intent) Stallable() bool {
	return i.Limits.Mode == resources.MoveHybrid && i.Present().Name == StageSend
}

// Present is the stage that is under way. An act that is being settled or ended is in none: what it
// asks of its nodes follows from what they show.
func (i Intent) Present() Stage {
	if i.Settling || i.Ending {
		return Stage{}
	}
	return i.Stages()[i.Stage]
}

// Preparing reports whether the target is still being asked, and so nothing has been sent.
func (i Intent) Preparing() bool {
	return i.Kind == IntentMigrate && i.Present().Name == StagePrepare
}

// Sends reports whether the source of a migration has been told to send: only then is there
// anything that a tunnel has to carry.
func (i Intent) Sends() bool { return i.Kind == IntentMigrate && i.Stage > 0 }

// stageDuty is what a node does for the present stage of an act; nothing if it is not its turn.
func stageDuty(s *State, service Service, n Member) []Duty {
	intent := service.Intent
	stage := intent.Present()
	if stage.Node != n.Name || stage.Incarnation != n.Incarnation {
		return nil
	}
	d := vmDuty(s, service, n, stage.Duty)
	d.Stage, d.Target, d.Kill, d.Move = stage.Name, intent.Target, intent.Kill, intent.Limits
	duties := []Duty{d}
	if stage.Duty != DutyMigrate {
		return duties
	}
	duties[0].PostCopy, duties[0].Stallable = stage.Name == StagePostCopy, intent.Stallable()
	if intent.Cancelled != "" {
		duties = append(duties, vmDuty(s, service, n, DutyCancel))
	}
	if intent.Tuned > 0 {
		tune := vmDuty(s, service, n, DutyTune)
		tune.Move = intent.Limits
		tune.Act += fmt.Sprintf(".tuned%d", intent.Tuned) // each change is handed out once
		duties = append(duties, tune)
	}
	return duties
}

// WithoutTarget is the service without the holder that a migration entered for its target, where
// nothing was sent and nothing was seen there (law L5). A target that showed something stays.
func (s Service) WithoutTarget() Service {
	h, held := s.Holder(s.Intent.Target)
	if !s.Intent.Preparing() || !held || h.Condition != "" || h.Ask {
		return s
	}
	return s.WithoutHolder(func(other Holder) bool { return other.Machine == h.Machine && other.Boot == h.Boot })
}
