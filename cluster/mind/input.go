package mind

import (
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// documentName tells documents apart: a version of one generation is one text.
type documentName struct {
	generation, version uint64
	node                string
}

// hungWatch is what a node knows of its own hypervisor, and when it said so.
type hungWatch struct {
	now  string
	at   time.Duration
	ever bool
}

// Input is everything that happened since the last Step. State is always the
// newest root that this node has applied.
type Input struct {
	State *cluster.State
	// Incarnation is the index of this daemon's NodeUp; 0 before it.
	Incarnation uint64
	// Leading is true only after the term's barrier: what was committed before
	// is applied here.
	Leading bool
	Leader  string
	// Odd: this node's State is not what most voters have at the same index, so nothing is decided or
	// done by it.
	Odd bool
	// Term is that of the log in which this node leads; 0 where the shell does not know.
	Term uint64
	// End is the last entry that this node's own log holds, committed or not.
	End uint64

	Beats     []Beat
	Verdicts  []cluster.Verdict
	Changes   []Change
	Results   []DutyResult
	Proposals []ProposalDone
	Checks    []cluster.CheckFrom

	// Boot is this host's boot id. Clock is a reading of the clock that counts all
	// time, a sleep of the host included; leases are counted on it.
	Boot   string
	Clock  time.Duration
	Leased []cluster.Leased
	// Keeper and Keys tell how this host's own guard stands, where that changed.
	Keeper *cluster.Keeper
	Keys   *cluster.Keys
	// Volume is how this host's data volume is, where that changed.
	Volume *cluster.Volume
	// Hypervisor says what this host's hypervisor does not answer, where that changed.
	Hypervisor *string
	// Capacity is what this host has, where that was measured anew.
	Capacity *cluster.Capacity
}

// Beat is one heartbeat that arrived.
type Beat struct {
	Node        string
	Incarnation uint64
	// Applied is the newest entry that it has applied, End the last one that its log
	// holds; both are zero where the beat does not say.
	Applied, End uint64
}

// Change is a hint of an agent that a service's VM is not what it was. It is
// looked at before it is believed.
type Change struct {
	Service     string
	Observation resources.Observation
}

// DutyResult is the end of one duty.
type DutyResult struct {
	Duty        cluster.Duty
	Result      resources.Result
	Observation resources.Observation
	Fence       fence.Result
}

// ProposalDone is the end of one proposal: it is applied here, or Failed.
type ProposalDone struct {
	ID uint64
	// Failed: it may or may not be in the log; the State tells.
	Failed bool
	// Refused holds Apply's sentences, one per command.
	Refused []message.Text
}

// Proposal is a set of commands for one log entry.
type Proposal struct {
	ID       uint64
	Commands []cluster.Command
	// Planned: the leader's own decision. It may enter the log only through the
	// leadership of this very node, and is never forwarded to a later leader,
	// whose view it is not.
	Planned bool
}

// Output is what the shell has to do.
type Output struct {
	Propose []Proposal
	Do      []cluster.Duty
	// Test names nodes that the peers are to be asked to reach.
	Test []string
	// Notes are the leader's: what was not done, and why.
	Notes []cluster.Note
	// AskLease: a majority is to be asked now, see Leased.
	AskLease bool
	// Pet is the word for this host's keeper; nil where nothing is to be said.
	Pet *cluster.Pet
	// Yield: this host is cut off from its storage. It ends every managed VM that
	// runs here, at once, and asks nobody.
	Yield bool
	// Planned is what the leader decided from, in a Step in which it proposed
	// something of it; nil otherwise.
	Planned *Planned
	// Seen is what the leader's Notes come from: what it explains, it explains from that. It never
	// changes; another one comes with each plan that is made anew, and with each tick. It is nil
	// on a node that does not lead.
	Seen *cluster.View
}

// Planned is one run of Plan: what went in and what came out, so that it can be
// run again later. Nothing in it changes from here on.
type Planned struct {
	State    *cluster.State
	View     cluster.View
	Decision plan.Decision
}

// capacityWatch is what a node knows of its own host, and when it spoke of it.
type capacityWatch struct {
	now  cluster.Capacity
	at   time.Duration
	ever bool
}

// volumeWatch is what a node knows of its own volume, and what it said.
type volumeWatch struct {
	now   cluster.Volume
	since time.Duration
	said  cluster.Volume
	at    time.Duration
	pause time.Duration
	ever  bool
}
