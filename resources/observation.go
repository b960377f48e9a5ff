package resources

import "time"

// Condition is what a hypervisor shows of one VM.
type Condition string

// The conditions.
const (
	// Absent: the hypervisor answered, it has no such VM, its QEMU process is
	// gone, and no earlier call of ours can still bring it up.
	Absent Condition = "absent"
	// Running: the guest executes.
	Running Condition = "running"
	// Paused: it exists and does not execute; Reason says why.
	Paused Condition = "paused"
	// Incoming: it is the receiving half of a migration that has not ended.
	Incoming Condition = "incoming"
	// Split: it is one end of a post-copy move that is not over. The guest's memory is in two parts,
	// and neither end can run without the other: the one at the target executes and stands still at
	// the first page that it lacks, the one at the source is from before the switch and must never go
	// on.
	Split Condition = "split"
	// ShuttingDown: the guest was asked to stop and has not ended.
	ShuttingDown Condition = "shutting down"
	// Crashed: the guest crashed and its QEMU process is still there.
	Crashed Condition = "crashed"
	// Broken: a service made of resources of which some failed their check or
	// were left half started; Reason says which. It has to be stopped before it can
	// run anywhere, as what a crashed guest left behind.
	Broken Condition = "broken"
	// Unknown: no answer, or an answer that proves nothing.
	Unknown Condition = "unknown"
)

// MigratingOut is the reason that an agent gives for a Running VM whose outgoing
// migration has not ended: an answer, but not a final one.
const MigratingOut = "migrating out"

// PostCopyGoing is the reason that an agent gives for a Split VM whose memory is still being
// copied.
const PostCopyGoing = "post-copy"

// Observation is one look at one VM.
type Observation struct {
	// Service is the managed service's name, or "" for a VM nobody declared.
	Service string `json:"service,omitempty"`
	UUID    string `json:"uuid"`
	// Title is the hypervisor's own name of the VM.
	Title     string    `json:"title,omitempty"`
	Condition Condition `json:"condition"`
	// Reason is the hypervisor's word: "ioerror", "user", "shutdown", ...
	Reason string `json:"reason,omitempty"`
	// Explained tells that an event said how the VM ended (shut down by its
	// guest, crashed, destroyed); an Absent without it is a disappearance.
	Explained bool `json:"explained,omitempty"`
	// Disks are the disks of what was started, by identity.
	Disks []Disk `json:"disks,omitempty"`
	// Devices are those that can be plugged in while it runs, besides disks; only its own node knows.
	Devices []string `json:"-"`
	// Plugged are those that were plugged in and that the next start is without. Nil is that nobody
	// compared them.
	Plugged *Plugged `json:"plugged,omitempty"`
	// Partial tells that non-critical resources are down; Reason names them.
	Partial bool `json:"partial,omitempty"`
	// Mended tells of a part that the agent restarted in place since it was last
	// looked at: once, for the timeline.
	Mended string `json:"mended,omitempty"`
	// Evidence is one sentence for the timeline.
	Evidence string `json:"evidence,omitempty"`
}

// Plugged names devices, few of them.
type Plugged struct {
	Names []string `json:"names,omitempty"`
}

// UnderWay reports whether what was seen is the sending half of a migration that has not ended: an
// answer, but not a final one.
func (o Observation) UnderWay() bool {
	return o.Reason == MigratingOut || (o.Condition == Split && o.Reason == PostCopyGoing)
}

// AsEnd is the condition as the end of an act: Unknown while it is under way.
func (o Observation) AsEnd() Condition {
	if o.UnderWay() {
		return Unknown
	}
	return o.Condition
}

// Result is the end of one act.
type Result struct {
	// OK tells that the act reached its end: running after Start, Absent after
	// Stop, running on the target and gone from the source after Migrate.
	OK bool `json:"ok"`
	// Source and Target are what was found afterwards; Start and Stop only
	// fill Source (this node).
	Source Condition `json:"source"`
	Target Condition `json:"target,omitempty"`
	// Why is one sentence: the hypervisor's error, or how the end was proven.
	Why string `json:"why,omitempty"`
	// Unsent: the act ended before any call that could bring the VM up was sent.
	Unsent bool `json:"unsent,omitempty"`
	// Stalled: a hybrid move was given up because its passes no longer shrank. The VM runs at the
	// source, and nothing of it is at the target.
	Stalled bool `json:"stalled,omitempty"`
	// OnlyPreCopy: the target can take the VM, but not by post-copy.
	OnlyPreCopy bool `json:"onlyPreCopy,omitempty"`
	// Total and Downtime are the hypervisor's figures of a migration.
	Total    time.Duration `json:"total,omitempty"`
	Downtime time.Duration `json:"downtime,omitempty"`
	// Phases are measured moments, in order.
	Phases []Phase `json:"phases,omitempty"`
}

// Phase is one measured moment of an act.
type Phase struct {
	What string    `json:"what"`
	At   time.Time `json:"at"`
}
