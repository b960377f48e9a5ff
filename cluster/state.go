package cluster

import (
	"fmt"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// Limits of the lists kept in State. Every list has one.
const (
	MaxRequests     = 512
	MaxTokens       = 64
	MaxAttempts     = 256
	MaxShots        = 64
	MaxFailedStarts = 64
	MaxRemoved      = 4096
	MaxClients      = 512
	MaxFound        = 4096
	MaxPhases       = 64
	MaxTombstones   = 1024
)

// State is everything the nodes agree about. It is a function of the log.
type State struct {
	Level      int    `json:"level"`
	Cluster    string `json:"cluster"`
	ID         string `json:"id"`
	Generation uint64 `json:"generation"`
	// Index is the log index last applied.
	Index uint64 `json:"index"`

	Config   Config   `json:"config"`
	Document Document `json:"document"`
	// History are the documents before the one in force, oldest first. It is
	// secret, like the document's text: there are passwords in it.
	History []Revision `json:"history,omitempty"`
	// Blobs are VM definitions by SHA-256.
	Blobs Table[string] `json:"blobs"`

	Nodes    Table[Member]  `json:"nodes"`
	Services Table[Service] `json:"services"`
	// Moves are the last live moves of each service.
	Moves Table[Moves] `json:"moves"`
	// Tombstones are removed services that may still run somewhere, by UUID.
	Tombstones Table[Service] `json:"tombstones"`
	// Fences are the open fence intents, by node.
	Fences Table[Fence] `json:"fences"`
	// Shots are the fence intents of the brake's window, oldest first.
	Shots []Shot `json:"shots,omitempty"`
	// Disarmed is set while nothing is shot because somebody said so.
	Disarmed *Disarmed `json:"disarmed,omitempty"`
	// FenceHistory are the last fence intents that were closed, oldest first.
	FenceHistory []FenceRecord `json:"fenceHistory,omitempty"`
	// PowerOns is the power that is being asked for again, by node.
	PowerOns Table[PowerOn] `json:"powerOns"`
	// Drill is the drill under way; Drilled are the last ones, by node.
	Drill   *Drill       `json:"drill,omitempty"`
	Drilled Table[Drill] `json:"drilled"`
	// Checks are the last changes of what fence devices answered, by device.
	Checks Table[DeviceCheck] `json:"checks"`
	// Reach is what each device answered each node, by "device/node".
	Reach Table[Reach] `json:"reach"`
	// OldLogins are what devices took before the document changed, until they have
	// taken what it says now.
	OldLogins Table[Login] `json:"oldLogins"`

	// Proven are the devices that a drill showed to be a node's own, by device.
	Proven Table[Proof] `json:"proven"`

	// Lock keeps services from starting; nil when there is none.
	Lock *Lock `json:"lock,omitempty"`

	// Alerts are how far each alert was told of the timeline.
	Alerts Table[Cursor] `json:"alerts"`

	Requests Table[Request] `json:"requests"`
	Tokens   Table[Token]   `json:"tokens"`
	// Clients are the certificates of remote tools, by key fingerprint.
	Clients Table[Client] `json:"clients"`
	// Removed are the nodes and clients that may not come back, by key fingerprint.
	Removed Table[Removed] `json:"removed"`
	Secrets Secrets        `json:"secrets"`

	// Timeline is the newest part of the history.
	Timeline []Event `json:"timeline,omitempty"`
	// Leader is who told last that it leads.
	Leader Leader `json:"leader,omitzero"`
	// Forgotten is the index of the newest event that made room for others. Who was
	// told up to an earlier one has missed something.
	Forgotten  uint64 `json:"forgotten,omitempty"`
	NextNodeID int    `json:"nextNodeID"`
}

// Config is the document's text as it was applied.
type Config struct {
	Version uint64    `json:"version"`
	Text    string    `json:"text"`
	At      time.Time `json:"at,omitzero"`
	By      string    `json:"by,omitempty"`
	// Reason and Summary say why it was put into force and what it changed.
	Reason  string `json:"reason,omitempty"`
	Summary string `json:"summary,omitempty"`
	// Index is the entry that brought it. It is kept for the two-node rule, and
	// only where the document has that.
	Index uint64 `json:"index,omitempty"`
}

// Holder is one boot of one machine where a service may be running (law L1).
type Holder struct {
	Node    string `json:"node"`
	Machine string `json:"machine"`
	Boot    string `json:"boot"`
	// Since is the index at which it entered or was last asked; it names the look.
	Since uint64 `json:"since"`
	// Seen is the State's index when the newest look began that was taken in; a
	// result can come into the log twice, and an older one must not have the last word.
	Seen uint64 `json:"seen,omitempty"`
	// Ask: nobody knows; the node has to look.
	Ask bool `json:"ask,omitempty"`
	// Creating: it came here by a start of ours and was never seen running, so
	// what is paused here is ours to go on with.
	Creating bool `json:"creating,omitempty"`
	// Condition is what was last seen there, in the agent's words.
	Condition string       `json:"condition,omitempty"`
	Reason    string       `json:"reason,omitempty"`
	Why       message.Text `json:"why,omitzero"`
	// Definition and Disks are those of what was started, not of what is
	// written now (law L9).
	Definition string           `json:"definition,omitempty"`
	Disks      []resources.Disk `json:"disks,omitempty"`
	// Declared are the disks that it was started with, where it runs on others by now;
	// Disks are then those it runs on.
	Declared []resources.Disk `json:"declared,omitempty"`
	// Plugged are devices that were plugged in while it runs, and that no definition has.
	Plugged []string `json:"plugged,omitempty"`
	// Demand is what it takes as it was started.
	Demand resources.Demand `json:"demand,omitzero"`
	// Networks are those that it was started with.
	Networks []string `json:"networks,omitempty"`
}

// Service is one service with everything known about it.
type Service struct {
	Spec      resources.Spec  `json:"spec"`
	State     resources.State `json:"state"`
	Flags     resources.Flags `json:"flags,omitempty"`
	Owner     string          `json:"owner,omitempty"`
	LastOwner string          `json:"lastOwner,omitempty"`
	Since     uint64          `json:"since"`
	SinceAt   time.Time       `json:"sinceAt,omitzero"`
	Reason    message.Text    `json:"reason,omitzero"`
	// Changed is the index at which state, intent or holders last changed; an
	// unasked observation from before it counts for nothing.
	Changed uint64   `json:"changed,omitempty"`
	Holders []Holder `json:"holders,omitempty"`
	Intent  *Intent  `json:"intent,omitempty"`
	// Enabled is the administrator's standing wish.
	Enabled bool `json:"enabled"`
	// Freeze tells of the flag Frozen who set it, and until when.
	Freeze *Freeze `json:"freeze,omitempty"`
	// Held: stopped by `clusvcadm -s` until the next transition of a node.
	Held bool `json:"held,omitempty"`
	// Wish is the request being worked on.
	Wish *Wish `json:"wish,omitempty"`
	// Target and Avoid steer the next start.
	Target string `json:"target,omitempty"`
	Avoid  string `json:"avoid,omitempty"`
	// Kept is the room that a node keeps for its next start.
	Kept Kept `json:"kept,omitzero"`
	// Placed is when an administrator last chose where it runs, PlacedOn where that
	// is. It counts while the service is there; failback respects it until the better
	// node's standing changes.
	Placed   uint64 `json:"placed,omitempty"`
	PlacedOn string `json:"placedOn,omitempty"`
	// Arrived is when it last came to the node on which it runs from another one.
	Arrived uint64 `json:"arrived,omitempty"`
	// StopFailed is what the stop was for that failed, while the state is failed.
	StopFailed Purpose `json:"stopFailed,omitempty"`
	// Moving is the target and its incarnation of a rule's move by stop and start
	// that is under way.
	Moving string `json:"moving,omitempty"`
	// Home is the node that it was moved away from for an order or a leave, and comes
	// back to when that is over; empty when it belongs where it is.
	Home string `json:"home,omitempty"`
	// Answered is the index at which its probe was answered last.
	Answered uint64 `json:"answered,omitempty"`
	// Restarts are the instants that the recovery policy remembers.
	Restarts []time.Time `json:"restarts,omitempty"`
	// FailedOn are the nodes where starts failed since the last success.
	FailedOn []FailedStart `json:"failedOn,omitempty"`
	// Troubles are its failures on nodes that it is not sent to for a while.
	Troubles []Trouble `json:"troubles,omitempty"`
	// Behind tells why it goes on as it was declared before; see BehindWhy.
	Behind *Behind `json:"behind,omitempty"`
	// Story gathers the measured moments of the recovery under way.
	Story []Phase `json:"story,omitempty"`
	// Astray tells that it runs, or ran last, on other disks than it was started with.
	Astray *Astray `json:"astray,omitempty"`
	// Loop counts how often it ended soon after its start.
	Loop *Loop `json:"loop,omitempty"`
}

// FailedStart remembers that a start did not work.
type FailedStart struct {
	Node string       `json:"node"`
	Why  message.Text `json:"why"`
	// Incarnation is that of the node's daemon then; what failed before it started
	// anew counts no longer.
	Incarnation uint64 `json:"incarnation,omitempty"`
	// At is when.
	At time.Time `json:"at,omitzero"`
}

// Wish is an administrator's request on its way.
type Wish struct {
	Request string    `json:"request"`
	Op      Operation `json:"op"`
	Target  string    `json:"target,omitempty"`
	By      string    `json:"by,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Index   uint64    `json:"index"`
	// Migration is how the move that is asked for is made.
	Migration resources.Migration `json:"migration,omitzero"`
}

// IntentKind is what is to be done with a service.
type IntentKind string

// The intents.
const (
	IntentStart   IntentKind = "start"
	IntentStop    IntentKind = "stop"
	IntentMigrate IntentKind = "migrate"
	// IntentConvalesce starts the non-critical resources of a running service that
	// are down.
	IntentConvalesce IntentKind = "convalesce"
	// IntentReconfigure has a running service made of resources take a changed
	// declaration in.
	IntentReconfigure IntentKind = "reconfigure"
)

// Purpose says what follows a stop.
type Purpose string

// The purposes.
const (
	ForDisable  Purpose = "disable"
	ForStop     Purpose = "stop"
	ForRestart  Purpose = "restart"
	ForRelocate Purpose = "relocate"
	ForRecovery Purpose = "recovery"
	// ForMove is the cluster's own: a service that cannot move live goes elsewhere.
	ForMove Purpose = "move"
	// ForDepend follows a service that it depends on.
	ForDepend Purpose = "depend"
	// ForAhead goes down before a service that it depends on is moved cold.
	ForAhead Purpose = "ahead"
	// ForHalt stops a service with the whole cluster.
	ForHalt Purpose = "halt"
	// ForCleanup removes what a failed start or a crash left behind.
	ForCleanup Purpose = "cleanup"
)

// Intent is a decision that is in the log and not yet done.
type Intent struct {
	Kind IntentKind `json:"kind"`
	// Index, Generation and Place name the act. Place is that of its event in the
	// entry, because one entry can begin acts on many services.
	Index      uint64    `json:"index"`
	Generation uint64    `json:"generation"`
	Place      int       `json:"place,omitempty"`
	At         time.Time `json:"at"`
	Node       string    `json:"node"`
	// Incarnation of Node and of Target at the time of the decision (law L2).
	Incarnation       uint64 `json:"incarnation"`
	Target            string `json:"target,omitempty"`
	TargetIncarnation uint64 `json:"targetIncarnation,omitempty"`
	// Source is what a migration set out with. Once its ends hold nothing more, it alone tells on
	// which disks the guest is, should somebody have brought it elsewhere.
	Source *Holder `json:"source,omitempty"`
	// Stage counts the stages that are over. ReadyAt is when the target said that it can take the VM.
	Stage      int          `json:"stage,omitempty"`
	ReadyAt    time.Time    `json:"readyAt,omitzero"`
	Definition string       `json:"definition,omitempty"`
	Purpose    Purpose      `json:"purpose,omitempty"`
	Kill       bool         `json:"kill,omitempty"`
	By         string       `json:"by,omitempty"`
	Why        message.Text `json:"why,omitzero"`
	Cause      uint64       `json:"cause,omitempty"`
	// Limits say how the VM is moved, and Tuned counts how often they were changed meanwhile.
	Limits resources.Migration `json:"limits,omitzero"`
	Tuned  int                 `json:"tuned,omitempty"`
	// Settling: the migration ended otherwise than clean; both ends are asked.
	Settling bool `json:"settling,omitempty"`
	// Asked counts the rounds of asking, so that each has its own name.
	Asked int `json:"asked,omitempty"`
	// SourceSeen is the index at which the source's final answer came; the target
	// is asked after it, because a copy still arriving may be complete by then.
	SourceSeen uint64 `json:"sourceSeen,omitempty"`
	// Cancelled is who wants the migration given up. Ending: nothing more is looked
	// for, what is left at both ends is destroyed.
	Cancelled string `json:"cancelled,omitempty"`
	Ending    bool   `json:"ending,omitempty"`
	// Twice: both ends were seen running. Nothing more is destroyed; a person
	// has to choose.
	Twice bool `json:"twice,omitempty"`
	// Entered: nobody held the service before this start, so its node is a holder
	// by this intent alone.
	Entered bool `json:"entered,omitempty"`
}

// SetOutAs is what a migration set out with; what an older binary began is known by its
// declaration alone.
func (i Intent) SetOutAs(spec resources.Spec) Holder {
	if i.Source == nil {
		return Holder{Definition: spec.Definition, Disks: spec.Disks, Networks: spec.Networks}
	}
	return *i.Source
}

// Began is the name of the act in its first round; those of later ones go on from it.
func (i Intent) Began() string { return fence.Act(i.Generation, i.Index, i.Place) }

// Act is the name of the act in its present round. No other act of the cluster
// has it: migrations take their way through the tunnel by it, and two that met
// there would mix their guests' memory.
func (i Intent) Act() string {
	name := i.Began()
	if i.Asked > 0 {
		name += fmt.Sprintf(".%d", i.Asked)
	}
	return name
}

// Request is an administrator's command that was accepted (law L7).
type Request struct {
	ID       string        `json:"id"`
	Op       Operation     `json:"op"`
	Service  string        `json:"service"`
	Node     string        `json:"node,omitempty"`
	By       string        `json:"by,omitempty"`
	Index    uint64        `json:"index"`
	Done     bool          `json:"done"`
	Code     int           `json:"code"`
	Text     string        `json:"text,omitempty"`
	Why      message.Text  `json:"why,omitzero"`
	Owner    string        `json:"owner,omitempty"`
	Total    time.Duration `json:"total,omitempty"`
	Downtime time.Duration `json:"downtime,omitempty"`
}

// Token is a join token as the cluster keeps it: never the secret itself.
type Token struct {
	Hash    string    `json:"hash"`
	Expires time.Time `json:"expires"`
	Replace string    `json:"replace,omitempty"`
	By      string    `json:"by,omitempty"`
}

// Removed is a node that was taken out; its key is not accepted again.
type Removed struct {
	Name string    `json:"name"`
	At   time.Time `json:"at"`
	By   string    `json:"by,omitempty"`
}

// Fork returns a root for readers. Of a State that is applied to it must be
// called by the goroutine that applies; of a root, by anybody.
func (s *State) Fork() *State {
	root := *s
	root.Blobs = s.Blobs.Fork()
	root.Nodes = s.Nodes.Fork()
	root.Services = s.Services.Fork()
	root.Moves = s.Moves.Fork()
	root.Tombstones = s.Tombstones.Fork()
	root.Fences = s.Fences.Fork()
	root.Checks = s.Checks.Fork()
	root.Reach = s.Reach.Fork()
	root.OldLogins = s.OldLogins.Fork()
	root.Proven = s.Proven.Fork()
	root.PowerOns = s.PowerOns.Fork()
	root.Drilled = s.Drilled.Fork()
	root.History = s.History[:len(s.History):len(s.History)]
	root.Alerts = s.Alerts.Fork()
	root.Requests = s.Requests.Fork()
	root.Tokens = s.Tokens.Fork()
	root.Clients = s.Clients.Fork()
	root.Removed = s.Removed.Fork()
	// The slices only ever grow by append or are replaced whole; capping the
	// capacity makes the next append of either side copy.
	root.Timeline = s.Timeline[:len(s.Timeline):len(s.Timeline)]
	root.FenceHistory = s.FenceHistory[:len(s.FenceHistory):len(s.FenceHistory)]
	root.Shots = s.Shots[:len(s.Shots):len(s.Shots)]
	return &root
}
