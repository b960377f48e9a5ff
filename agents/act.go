package agents

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/clusterd/clusterd/resources"
)

// Verb is what an agent does with a service.
type Verb string

// The verbs. VerbStart, VerbStop and those about a copy that is there are known to every agent;
// what a kind of service cannot do (resources.Traits) its agent does not know.
const (
	// VerbStart has the service run here. Done twice it changes nothing: what is there already is
	// adopted. StillWanted is asked between "created" and "runs" (law L1).
	VerbStart Verb = "start"
	// VerbStop has it not run here: gracefully within Spec.StopTimeout (unless Kill), then by force
	// within Spec.DestroyTimeout. OK only with the proof that law L1 asks for.
	VerbStop Verb = "stop"
	// VerbMigrate moves it live to Target; see law L5. After any end but a clean one Source and Target
	// say what was found at both ends, Unknown where nobody answered.
	VerbMigrate Verb = "migrate"
	// VerbPrepare says at the target of a migration whether it can take the service: everything that
	// stands in the way at once, each with what to do about it. It only reads. OK tells that nothing
	// was found; Source is what is here of the service, Absent where nothing is.
	VerbPrepare Verb = "prepare"
	// VerbCancel gives a migration up which is under way. OK tells that the abort was accepted; how
	// the migration ends is told by it, and an abort that comes too late changes nothing.
	VerbCancel Verb = "cancel"
	// VerbTune changes the limits of a migration which is under way, to those of Move. It is refused
	// where none is.
	VerbTune Verb = "tune"
	// VerbResume continues what is Paused here after its migration, or because it was found running
	// twice. Done twice it changes nothing.
	VerbResume Verb = "resume"
	// VerbPause stops its execution at once, without ending it: two were found running.
	VerbPause Verb = "pause"
	// VerbReconfigure has a running service take a changed declaration in: what is gone is stopped,
	// what is new is started, what changed is changed, and nothing else is touched. A result that is
	// not OK is Running when nothing was done, and Broken when the service is neither what it was
	// nor what it is to be.
	VerbReconfigure Verb = "reconfigure"
	// VerbConvalesce starts again what a partial service goes on without. OK tells that nothing is
	// down now; Source is what the service is afterwards, Running where it goes on partial.
	VerbConvalesce Verb = "convalesce"
)

// Act asks an agent for one thing about one service. What a verb has no use for is left out.
type Act struct {
	Verb Verb
	// ID names the intent: generation.index.ordinal.
	ID   string
	Spec resources.Spec
	// Definition is what the service is made from, whose SHA-256 is Spec.Definition; an agent
	// refuses other content. For VerbStart, VerbReconfigure and VerbPrepare.
	Definition string
	// Target is the node that VerbMigrate moves it to; the agent reaches it through the tunnel that it
	// was given when it was made.
	Target string
	// Move says how VerbMigrate moves it, and what VerbTune sets.
	Move resources.Migration
	// PostCopy has VerbMigrate copy the memory after the guest has changed its place, and Stallable
	// has it give the move up where its passes no longer shrink (Result.Stalled).
	PostCopy, Stallable bool
	// Rehearsed has VerbPrepare promise nothing: somebody only wants to know.
	Rehearsed bool
	// Bridges are those that were made for VerbStart and VerbPrepare, or would be where it is
	// Rehearsed: none of them is missing.
	Bridges []string
	// Kill has VerbStop end it without asking it to. Part has it end what is here only while that is a
	// part of a guest (Split): one whose memory is whole by now is left alone, and told.
	Kill, Part bool
	// StillWanted is asked before what cannot be undone; nil asks nobody.
	StillWanted func() error
	// Progress is told how far VerbMigrate is, at most a few times a second. It may be nil.
	Progress func(Progress)
}

// Progress of a migration under way.
type Progress struct {
	Phase          string        `json:"phase"`
	BytesTotal     uint64        `json:"bytesTotal"`
	BytesRemaining uint64        `json:"bytesRemaining"`
	BytesPerSecond uint64        `json:"bytesPerSecond"`
	Elapsed        time.Duration `json:"elapsed"`
	TimeLeft       time.Duration `json:"timeLeft,omitempty"`
}

// special are what the verbs are called that not every agent knows.
var special = map[Verb]string{
	VerbMigrate:     "move it live",
	VerbPrepare:     "take it live",
	VerbCancel:      "give a migration up",
	VerbTune:        "change the limits of a migration",
	VerbReconfigure: "change it while it runs",
	VerbConvalesce:  "start parts of it while it runs",
}

// Verbs are what an agent knows to do.
type Verbs map[Verb]func(ctx context.Context, act Act) Result

// Do does what it knows, and refuses the rest: nothing was done then, and what is there is unknown.
func (v Verbs) Do(ctx context.Context, act Act) Result {
	if do, known := v[act.Verb]; known {
		return do(ctx, act)
	}
	does := cmp.Or(special[act.Verb], string(act.Verb)+" it")
	return Refuse(act, fmt.Sprintf("what runs %s cannot %s", act.Spec.Name, does))
}

// About makes a verb of what needs to know no more than which service is meant.
func About(do func(context.Context, resources.Spec) Result) func(context.Context, Act) Result {
	return func(ctx context.Context, act Act) Result { return do(ctx, act.Spec) }
}

// Refuse is the result of an act that was not begun.
func Refuse(act Act, why string) Result {
	result := Result{Source: Unknown, Unsent: act.Verb == VerbStart, Why: why}
	if act.Verb == VerbMigrate {
		result.Target = Unknown
	}
	return result
}
