package cluster

import (
	"cmp"
	"time"

	"github.com/clusterd/clusterd/fence"
)

// NodeState is a node's standing in the cluster.
type NodeState string

// The standings.
const (
	// NodeJoining has a place but was never up.
	NodeJoining NodeState = "joining"
	// NodeLooking is up and has not yet told what runs on it.
	NodeLooking NodeState = "looking"
	// NodeOnline is up and may be given work.
	NodeOnline NodeState = "online"
	// NodeSilent: its kernel answers, its daemon does not.
	NodeSilent NodeState = "silent"
	// NodeDeaf: its daemon is heard and takes nothing of the log.
	NodeDeaf NodeState = "deaf"
	// NodeLost: no contact; it may still run what it ran.
	NodeLost NodeState = "lost"
	// NodeFenced: its last boot is confirmed off.
	NodeFenced NodeState = "fenced"
	// NodeCut: its last boot is cut off from shared storage and may still run; it
	// is never admitted again.
	NodeCut NodeState = "cut off"
	// NodeLeaving hands its services over.
	NodeLeaving NodeState = "leaving"
	// NodeLeft said goodbye and holds nothing.
	NodeLeft NodeState = "left"
)

// Member is one node as the State knows it.
type Member struct {
	Name string `json:"name"`
	ID   int    `json:"id"`
	// Fingerprint is that of its key. With HardwareUUID, both as of its first join, it is the
	// machine (law L1): JoinedAs is the one as of then where it was given another key since.
	Fingerprint  string `json:"fingerprint"`
	JoinedAs     string `json:"joinedAs,omitempty"`
	HardwareUUID string `json:"hardwareUUID"`
	// Key is the public key behind the fingerprint: with it two nodes have a secret in common.
	Key []byte `json:"key,omitempty"`
	// KeyAt is when it was given that key; zero where it has the one that it joined with. KeyTurn is
	// the way to the next one; nil where there is none.
	KeyAt   time.Time `json:"keyAt,omitzero"`
	KeyTurn *KeyTurn  `json:"keyTurn,omitempty"`
	Address string    `json:"address"`
	Witness bool      `json:"witness,omitempty"`
	Version string    `json:"version,omitempty"`
	// MaxLevel is the newest level its binary knows.
	MaxLevel int `json:"maxLevel,omitempty"`

	State NodeState `json:"state"`
	// Before is the standing that a silent or lost node had; it gets no better
	// one by being heard again.
	Before NodeState `json:"before,omitempty"`
	Boot   string    `json:"boot,omitempty"`
	// Session is the daemon's own name for its present start.
	Session string `json:"session,omitempty"`
	// Incarnation is the index of its last NodeUp; older acts and results of it
	// count for nothing (law L2).
	Incarnation uint64    `json:"incarnation,omitempty"`
	Since       uint64    `json:"since"`
	SinceAt     time.Time `json:"sinceAt,omitzero"`
	Why         string    `json:"why,omitempty"`
	// Expelled is the generation that began without this node; it comes back with
	// an empty log only. 0 if there is none.
	Expelled uint64 `json:"expelled,omitempty"`
	// Log is the life of the log in which it acknowledges entries; LogLost is the index since which it
	// does not hold all of it, 0 if it does.
	Log     string `json:"log,omitempty"`
	LogLost uint64 `json:"logLost,omitempty"`
	// Order is what an administrator ordered for it; nil for nothing.
	Order *Order `json:"order,omitempty"`
	// Stopped: its daemon announced that it ends on purpose, and has not started since.
	Stopped bool `json:"stopped,omitempty"`
	// Hung says what its hypervisor did not answer; empty where it answers.
	Hung string `json:"hung,omitempty"`
	// Restarts are the starts of its daemon that came soon one after the other.
	Restarts *Restarts `json:"restarts,omitempty"`
	// Volume is what it found wrong with its data volume; nil for nothing.
	Volume *Volume `json:"volume,omitempty"`
	// LastHeard is when the leader that lost it had last heard it.
	LastHeard time.Time `json:"lastHeard,omitzero"`
	// Guard is what stands guard over a boot of it, as it reported; nil for none.
	Guard *fence.Guard `json:"guard,omitempty"`
	// Cut is the boot of it that was cut off from storage, until the machine shows
	// a new one.
	Cut *Cut `json:"cut,omitempty"`
}

// Machine is the identity that outlives names and boots.
func (n Member) Machine() string {
	return cmp.Or(n.JoinedAs, n.Fingerprint) + "/" + n.HardwareUUID
}

// Outlived tells whether a daemon that runs on a boot is taken for an older
// one: the node was fenced or cut off by the name of that older boot, or is to be,
// while the newer one had not told its inventory yet. Its daemon has to come up
// once more, as a new incarnation, which ends the intent for the boot that is
// over. A device may not be able to: a watchdog that is waited out resets nobody
// who lives.
func (s *State) Outlived(node, boot string) bool {
	n, _ := s.Nodes.Get(node)
	open, fencing := s.Fences.Get(node)
	return n.Boot != boot && (n.Ended() || (fencing && open.Boot != boot && (n.State == NodeLost || n.stalled())))
}

// stalled reports whether its host is known to answer and its daemon does not follow:
// it is silent, or deaf.
func (n Member) stalled() bool { return n.State == NodeSilent || n.State == NodeDeaf }

// Reachable tells whether the node can be given work or asked.
func (n Member) Reachable() bool { return n.State == NodeOnline || n.State == NodeLeaving }
