package cluster

import (
	"cmp"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
)

// ByLeave is the rule that empties a node that leaves.
const ByLeave = "leave"

// NotLive says why a service cannot move live.
func NotLive(service Service) message.Text {
	return message.ServiceNotLive.With(service.Spec.Name)
}

// LeftBehind says of a VM that came up on another node than the one on which it ran
// what is still there; nothing where nothing is.
func (s Service) LeftBehind() message.Text {
	stays := s.Spec.Stays()
	if stays == "" || s.LastOwner == "" || s.LastOwner == s.Owner || s.Owner == "" {
		return message.Text{}
	}
	return message.StateLeftBehind.With(s.Owner, stays, s.LastOwner)
}

// Lock keeps every service of the cluster from being started until a person
// takes it away. Stops and live migrations work.
type Lock struct {
	Index uint64    `json:"index"`
	At    time.Time `json:"at"`
	By    string    `json:"by,omitempty"`
	Why   string    `json:"why,omitempty"`
	// Stop: all services are stopped too, and remembered, until the cluster is
	// started again.
	Stop bool `json:"stop,omitempty"`
}

// LockCluster locks the cluster, or stops all its services in order.
type LockCluster struct {
	Change
	By   string `json:"by,omitempty"`
	Why  string `json:"why,omitempty"`
	Stop bool   `json:"stop,omitempty"`
}

// UnlockCluster takes the lock away. Start says that a stopped cluster is meant.
type UnlockCluster struct {
	Change
	By    string `json:"by,omitempty"`
	Why   string `json:"why,omitempty"`
	Start bool   `json:"start,omitempty"`
}

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
	// KeyAt is when it was given that key; zero where it has the one that it joined with. KeySince is
	// the index at which the log records it. KeyTurn is the way to the next one; nil where there is
	// none.
	KeyAt    time.Time `json:"keyAt,omitzero"`
	KeySince uint64    `json:"keySince,omitempty"`
	KeyTurn  *KeyTurn  `json:"keyTurn,omitempty"`
	Address  string    `json:"address"`
	Witness  bool      `json:"witness,omitempty"`
	Version  string    `json:"version,omitempty"`
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
	Incarnation uint64       `json:"incarnation,omitempty"`
	Since       uint64       `json:"since"`
	SinceAt     time.Time    `json:"sinceAt,omitzero"`
	Why         message.Text `json:"why,omitzero"`
	// Away is the index up to which it is known to have followed the log, while it can be given no
	// work; 0 while it can. What was decided behind it, a member's new key above all, it may not know.
	Away uint64 `json:"away,omitempty"`
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
	Hung message.Text `json:"hung,omitzero"`
	// Restarts are the starts of its daemon that came soon one after the other.
	Restarts *Restarts `json:"restarts,omitempty"`
	// Capacity is what it has for services, as it told; zero where it has told nothing.
	Capacity Capacity `json:"capacity,omitzero"`
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

// Outlived reports whether a daemon that runs on a boot is taken for an older
// one: the node was fenced or cut off by the name of that older boot, or is to be,
// while the newer one had not told its inventory yet. Its daemon has to come up
// once more, as a new incarnation, which ends the intent for the boot that is
// over. A device may not be able to: a watchdog that is waited out resets nobody
// who lives.
func (s *State) Outlived(node, boot string) bool {
	n, _ := s.Nodes.Get(node)
	open, fencing := s.Fences.Get(node)
	return n.Boot != boot && (n.Ended() || (fencing && open.Boot != boot && (n.State == NodeLost || n.Stalled())))
}

// Stalled reports whether its host is known to answer and its daemon does not follow:
// it is silent, or deaf.
func (n Member) Stalled() bool { return n.State == NodeSilent || n.State == NodeDeaf }

// Reachable reports whether the node can be given work or asked.
func (n Member) Reachable() bool { return n.State == NodeOnline || n.State == NodeLeaving }

// OrderKind is what an administrator ordered for a node, until it is taken back.
type OrderKind string

// The orders. All of them keep services off the node and move those away that
// are there; the node stays a member, and votes.
const (
	// OrderStandby moves what can move, and is in no hurry.
	OrderStandby OrderKind = "standby"
	// OrderDrain empties the node, by a deadline if one was given.
	OrderDrain OrderKind = "drain"
	// OrderMaintenance is a drain after which the node is not fenced: it may be
	// switched off, because it holds nothing.
	OrderMaintenance OrderKind = "maintenance"
)

// Order is a standing order about a node. It outlives daemons and boots.
type Order struct {
	Kind  OrderKind `json:"kind"`
	Index uint64    `json:"index"`
	At    time.Time `json:"at"`
	By    string    `json:"by,omitempty"`
	Why   string    `json:"why,omitempty"`
	// Deadline is when what could not move live is stopped and started elsewhere;
	// zero is never.
	Deadline time.Time `json:"deadline,omitzero"`
	// Empty is the index at which the node was known to hold nothing; 0 before.
	Empty uint64 `json:"empty,omitempty"`
}

// OrderNode gives a node a standing order, or takes it back where Order is empty.
type OrderNode struct {
	Change
	Node  string    `json:"node"`
	Order OrderKind `json:"order,omitempty"`
	By    string    `json:"by,omitempty"`
	Why   string    `json:"why,omitempty"`
	// Within is how long live moves are waited for; 0 is as long as it takes.
	Within time.Duration `json:"within,omitempty"`
}

// NodeEmpty notes that a node under an order holds nothing.
type NodeEmpty struct {
	Change
	Node  string `json:"node"`
	Order uint64 `json:"order"`
}

// Beginning says what an order means, and why it was given.
func (o Order) Beginning() message.Text {
	deadline := ""
	if !o.Deadline.IsZero() {
		deadline = o.Deadline.UTC().Format("2006-01-02 15:04:05 MST")
	}
	switch o.Kind {
	case OrderDrain:
		return message.OrderDrainBegins.With(deadline, o.Why)
	case OrderMaintenance:
		return message.OrderMaintenanceBegins.With(deadline, o.Why)
	}
	return message.OrderStandbyBegins.With(deadline, o.Why)
}

// OrderWhy says that an order keeps services off the node; nothing if none does.
func (n Member) OrderWhy() message.Text {
	if n.Order == nil {
		return message.Text{}
	}
	switch n.Order.Kind {
	case OrderDrain:
		return message.OrderDrain.With(n.Order.By, n.Order.Why)
	case OrderMaintenance:
		return message.OrderMaintenance.With(n.Order.By, n.Order.Why)
	}
	return message.OrderStandby.With(n.Order.By, n.Order.Why)
}

// DefaultStopGrace is how long a daemon that was stopped on purpose is waited for
// where the document says nothing: long enough for the upgrade of a package.
const DefaultStopGrace = 10 * time.Minute

// DaemonStopping announces that the daemon of a node is about to end because
// somebody asked it to: a restart, an upgrade, work by hand. Its guests run on. It
// is the last command of that incarnation.
type DaemonStopping struct {
	Change
	Node        string `json:"node"`
	Incarnation uint64 `json:"incarnation"`
}

// StoppedOnPurpose reports whether a node is silent because that was announced, and so runs on.
func (n Member) StoppedOnPurpose() bool { return n.State == NodeSilent && n.Stopped }

// daemonSilent judges a node whose kernel answers and whose daemon does not, within
// its grace.
func daemonSilent(n Member, w Contactwatch, timing Timing) Judgement {
	left := (timing.SilentGrace - w.KernelOnly).Round(time.Second)
	j := Judgement{State: NodeSilent, Next: message.DoStartClusterd.With(n.Name)}
	if n.Stopped {
		j.Why = message.NodeSilentStopped.With(n.Name, w.Verdict.Why)
		j.Wait = message.NodeSilentStoppedGrace.With(left, n.Name)
		return j
	}
	j.Why = message.NodeSilentDaemon.With(n.Name, w.Silence.Round(10*time.Millisecond), w.Verdict.Why)
	j.Wait = message.NodeSilentDaemonGrace.With(left, n.Name)
	return j
}

// outOfGrace says why a node is lost whose kernel answers.
func outOfGrace(n Member, w Contactwatch, timing Timing) message.Text {
	if n.Stopped {
		return message.NodeLostStopped.With(n.Name, timing.SilentGrace, w.Verdict.Why)
	}
	return message.NodeLostDaemon.With(n.Name, timing.SilentGrace, w.Verdict.Why)
}

// Leader is who leads, as a leader told when it took over. It is for the timeline: what a leader
// may do is decided by the log, and never by this.
type Leader struct {
	Node string `json:"node,omitempty"`
	// Term is the term of the log in which it leads.
	Term uint64 `json:"term,omitempty"`
	// Index is the entry that told.
	Index uint64 `json:"index,omitempty"`
}

// Lead tells that a node has begun to lead: entries know no term, so that the history would not
// say who led when.
type Lead struct {
	Change
	Node        string       `json:"node"`
	Incarnation uint64       `json:"incarnation"`
	Term        uint64       `json:"term"`
	Why         message.Text `json:"why"`
}

// MostLeadWords bounds what a leader says about how it came to lead.
const MostLeadWords = 300
