// Package api is the daemon's HTTP interface: the types both sides speak, the
// client that the tools use, and nothing of Raft, libvirt or bmclib.
//
// The server side lives in internal/daemon, which fills these types from its
// State. Local tools come by the UNIX socket (root only, by peer
// credentials), remote ones by a client certificate of the cluster's CA.
package api

import (
	"encoding/json"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// Paths of the interface.
const (
	PathStatus       = "/v1/status"        // GET -> Status; ?fresh=1 asks for a linearizable read, ?next=1 for next nodes
	PathForesight    = "/v1/foresight"     // POST ForesightQuery -> Foresight, of this node alone
	PathMoves        = "/v1/moves"         // GET ?service=NAME&node=NAME -> Moves
	PathEvents       = "/v1/events"        // GET ?after=INDEX&service=&node=&limit= -> Events
	PathRequests     = "/v1/requests"      // POST Request -> Reply; GET /v1/requests/ID?wait=10s -> Reply
	PathConfig       = "/v1/config"        // GET ?version= -> Document; POST ConfigChange -> ConfigReply
	PathTokens       = "/v1/tokens"        // POST TokenRequest -> TokenReply
	PathJoin         = "/v1/join"          // POST JoinRequest -> JoinReply (token instead of certificate)
	PathKeys         = "/v1/keys"          // GET -> NodeKeys; POST KeysRequest -> Reply
	PathNodes        = "/v1/nodes"         // POST NodeRequest -> Reply (remove, replace)
	PathImport       = "/v1/import"        // POST ImportRequest -> Reply (vm import)
	PathDoctor       = "/v1/doctor"        // GET -> Report
	PathFence        = "/v1/fence"         // GET -> FenceStatus; POST FenceRequest -> Reply
	PathFenceHistory = "/v1/fence/history" // GET ?node= -> FenceHistory
	PathBackup       = "/v1/backup"        // GET -> opaque bytes
	PathDoor         = "/v1/door"          // GET ?uuid=&operation= -> 204 may pass, 403 refused (doorkeeper)
	PathAudit        = "/v1/audit"         // GET ?node=&after= -> AuditTrail
	PathMetrics      = "/metrics"          // GET -> text format of Prometheus
	PathPage         = "/v1/page"          // POST PageRequest -> PageLink (login link of this node's page)
	PathPageLogout   = "/v1/page/logout"   // POST PageLogout -> PageLogoutReply (ends visits at this node's page)
	PathClient       = "/v1/clients"       // POST ClientRequest -> ClientReply (certificate for remote tools)
)

// Status is what clustat shows.
type Status struct {
	Cluster       string    `json:"cluster"`
	ID            string    `json:"id"`
	Generation    uint64    `json:"generation"`
	ConfigVersion uint64    `json:"configVersion"`
	At            time.Time `json:"at"`
	Quorate       bool      `json:"quorate"`
	Leader        string    `json:"leader,omitempty"`
	Local         string    `json:"local"`
	Index         uint64    `json:"index"`
	Simulated     bool      `json:"simulated,omitempty"`
	Nodes         []Node    `json:"nodes"`
	Services      []Service `json:"services"`
	// Lock is there while no service may start.
	Lock *LockStatus `json:"lock,omitempty"`
	// Notes say what was not done and what it waits for. Filled by the leader.
	Notes []cluster.Note `json:"notes,omitempty"`
	// Networks are those of guests, by name.
	Networks []Network `json:"networks,omitempty"`
	// Disarmed says why nothing is fenced at present; empty when it would be.
	Disarmed string `json:"disarmed,omitempty"`
	// Warnings are this node's own troubles (log volume, certificate, clock).
	Warnings []string `json:"warnings,omitempty"`
}

// Node is one line of clustat's member table.
type Node struct {
	Name string `json:"name"`
	// ID is small and stable, given at the first join.
	ID int `json:"id"`
	// State is one of cluster.NodeState's words.
	State   string `json:"state"`
	Online  bool   `json:"online"`
	Local   bool   `json:"local"`
	Leader  bool   `json:"leader"`
	Voter   bool   `json:"voter"`
	Witness bool   `json:"witness"`
	// Estranged: a member that the document does not name, while it names others.
	Estranged bool   `json:"estranged,omitempty"`
	Address   string `json:"address"`
	// Unprotected says why the node could not be fenced; empty when it could.
	Unprotected string       `json:"unprotected,omitempty"`
	Boot        string       `json:"boot,omitempty"`
	Incarnation uint64       `json:"incarnation,omitempty"`
	Version     string       `json:"version,omitempty"`
	Since       time.Time    `json:"since"`
	Why         message.Text `json:"why,omitzero"`
	// Hung says what its hypervisor did not answer; empty where it answers.
	Hung message.Text `json:"hung,omitzero"`
	// Order is what an administrator ordered for it; nil for nothing.
	Order *NodeOrder `json:"order,omitempty"`
	// Capacity is what it has for services; nil where it has not told.
	Capacity *Capacity `json:"capacity,omitempty"`
}

// Network is one that guests are attached to.
type Network struct {
	Name string `json:"name"`
	// VLAN is its number, Over what carries it between hosts, Bridge what guests are attached to.
	VLAN   int    `json:"vlan"`
	Over   string `json:"over"`
	Bridge string `json:"bridge"`
	// MTU is the largest packet in bytes; 0 is what the way between the hosts carries.
	MTU int `json:"mtu,omitempty"`
	// Nodes are those that are to have it: a service that is attached to it may run there, or is on
	// its way there. Services are all that are attached to it, wherever they are.
	Nodes    []string `json:"nodes"`
	Services []string `json:"services"`
}

// Capacity is what a node has for services and how much of that is taken, in bytes. What may run
// there counts as taken, and so does room that is kept.
type Capacity struct {
	// Memory is what the host has, without huge pages. Reserved of it is kept from services, which may
	// take Limit; Used is taken, and Free is left.
	Memory   uint64 `json:"memory"`
	Reserved uint64 `json:"reserved"`
	Limit    uint64 `json:"limit"`
	Used     uint64 `json:"used"`
	Free     uint64 `json:"free"`
	Huge     uint64 `json:"huge,omitempty"`
	HugeUsed uint64 `json:"hugeUsed,omitempty"`
	CPUs     int    `json:"cpus"`
	CPUsUsed int    `json:"cpusUsed"`
	// CPULimit is how many may be promised; 0 is no limit.
	CPULimit int `json:"cpuLimit,omitempty"`
}

// Service is one line of clustat's service table.
type Service struct {
	Name      string `json:"name"`
	State     int    `json:"state"`
	StateText string `json:"stateText"`
	Flags     int    `json:"flags"`
	FlagsText string `json:"flagsText"`
	Owner     string `json:"owner,omitempty"`
	LastOwner string `json:"lastOwner,omitempty"`
	Restarts  int    `json:"restarts"`
	// Since is when the state was reached.
	Since time.Time `json:"since"`
	// Holders are the nodes where it may be running.
	Holders []string `json:"holders,omitempty"`
	// Reason says why it is in this state, or what it waits for.
	Reason message.Text `json:"reason,omitzero"`
	// Stays is what it loses by a start on another node; empty when nothing.
	Stays string `json:"stays,omitempty"`
	// Behind says why it goes on as it was declared before; empty when it does not.
	Behind message.Text `json:"behind,omitzero"`
	// Unprotected says why its node could not be fenced; empty when it could.
	Unprotected string `json:"unprotected,omitempty"`
	// Target is where it moves live.
	Target string `json:"target,omitempty"`
	// Paused says why it exists and does not execute; empty when it executes, or is not there.
	Paused string `json:"paused,omitempty"`
	// Progress of a migration under way, as far as this node knows.
	Progress *Progress `json:"progress,omitempty"`
	// Next is where it would go from where it runs; filled in with ?next=1.
	Next *Next `json:"next,omitempty"`
	// Freeze tells who froze it, and until when.
	Freeze *FreezeStatus `json:"freeze,omitempty"`
	// Failures are the nodes where it failed to start since it last ran.
	Failures []Failed `json:"failures,omitempty"`
}

// Next is the node that a service would take next. Node is empty where none may run it. Why says
// what stands in the way now; it is empty where nothing does.
type Next struct {
	Node string       `json:"node,omitempty"`
	Why  message.Text `json:"why,omitzero"`
}

// Progress of a live migration under way.
type Progress struct {
	Phase          string        `json:"phase"`
	BytesTotal     uint64        `json:"bytesTotal"`
	BytesRemaining uint64        `json:"bytesRemaining"`
	BytesPerSecond uint64        `json:"bytesPerSecond"`
	Elapsed        time.Duration `json:"elapsed"`
	TimeLeft       time.Duration `json:"timeLeft,omitempty"`
}

// Events is a page of the timeline, oldest first.
type Events struct {
	Events []cluster.Event `json:"events"`
	// Oldest is the index of the oldest event still kept.
	Oldest uint64 `json:"oldest"`
}

// Moves are live moves that have ended, in the order in which they began.
type Moves struct {
	Moves []MoveOf `json:"moves"`
}

// MoveOf is a live move of one service.
type MoveOf struct {
	Service string `json:"service"`
	cluster.Move
}

// Request is one administrator's wish about a service. The ID is made by the
// client; repeating a request with the same ID never does it twice.
type Request struct {
	ID string `json:"id"`
	// Op is one of cluster.Operation's words: enable, disable, stop, restart,
	// relocate, migrate.
	Op      cluster.Operation `json:"op"`
	Service string            `json:"service"`
	// Node is the preferred or compulsory target; empty lets the domain decide.
	Node string `json:"node,omitempty"`
	// Reason is kept in the timeline.
	Reason string `json:"reason,omitempty"`
	// For is how long a freeze lasts; 0 until it is thawed.
	For time.Duration `json:"for,omitempty"`
	// DeclaredDisks is the word that what the service wrote to other disks than those
	// it is declared with may be left behind.
	DeclaredDisks bool `json:"declaredDisks,omitempty"`
	// Migration is how a move is made, with migrate, or goes on, with tune; what it leaves out stays
	// as it is declared.
	Migration resources.Migration `json:"migration,omitzero"`
	// DryRun asks what would happen: the answer is a Rehearsal, nothing is
	// done, and the id is not used up.
	DryRun bool `json:"dryRun,omitempty"`
}

// Reply is the state of a request. Code is rgmanager's internal return code
// (0, -1 ... -19); clusvcadm turns it into an exit code.
type Reply struct {
	ID   string `json:"id"`
	Done bool   `json:"done"`
	Code int    `json:"code"`
	// Text is the answer; where it tells of several nodes or keys, each has a line.
	Text  string `json:"text" plain:"lines"`
	Owner string `json:"owner,omitempty"`
	// Why is the sentence behind Text: what failed, where, and what to do.
	Why      message.Text `json:"why,omitzero" plain:"lines"`
	Progress *Progress    `json:"progress,omitempty"`
	// Total and Downtime are the hypervisor's figures of a finished migration.
	Total    time.Duration `json:"total,omitempty"`
	Downtime time.Duration `json:"downtime,omitempty"`
}

// Failure is the body of every answer that is not 2xx.
type Failure struct {
	// Code is a stable word for machines: "no_leader", "unknown_service",
	// "invalid_document", "permission_denied", "outcome_unknown", ...
	Code string `json:"code"`
	// Message is the sentence for people, with what to do next.
	Message string `json:"message" plain:"lines"`
	// Why is the same as a code with arguments, where the cluster itself refused.
	Why message.Text `json:"why,omitzero" plain:"lines"`
	// Details are further lines, for example one per fault of a document.
	Details []string `json:"details,omitempty" plain:"lines"`
}

// Error makes a Failure usable as an error.
func (f Failure) Error() string { return f.Message }

// TokenRequest asks for a join token.
type TokenRequest struct {
	Validity time.Duration `json:"validity"`
	// Replace names a node whose machine is to be replaced by the joining one.
	Replace string `json:"replace,omitempty"`
}

// TokenReply carries the token's text, shown once.
type TokenReply struct {
	Text    string    `json:"text"`
	Expires time.Time `json:"expires"`
}

// JoinRequest is sent by a node that has a token and no certificate yet.
type JoinRequest struct {
	TokenID string `json:"tokenID"`
	Secret  string `json:"secret"`
	Node    string `json:"node"`
	// Request is the PEM certificate request.
	Request      string   `json:"request"`
	Address      string   `json:"address"`
	Addresses    []string `json:"addresses,omitempty"`
	HardwareUUID string   `json:"hardwareUUID"`
	Version      string   `json:"version"`
	// Level is the newest cluster version that the machine's clusterd knows.
	Level   int  `json:"level"`
	Witness bool `json:"witness,omitempty"`
}

// JoinReply gives the node its identity. Secret keys travel only inside TLS.
type JoinReply struct {
	ClusterID   string `json:"clusterID"`
	Cluster     string `json:"cluster"`
	Certificate string `json:"certificate" plain:"-"`
	Authority   string `json:"authority" plain:"-"`
	// Members are the addresses of the nodes to contact, by name.
	Members map[string]string `json:"members"`
	// Keys tell the newcomer whom to believe until its own log does.
	Keys NodeKeys `json:"keys"`
}

// NodeKeys are the fingerprints of the nodes' keys at one index of the log.
type NodeKeys struct {
	Generation uint64            `json:"generation"`
	Index      uint64            `json:"index"`
	Nodes      map[string]string `json:"nodes"`
	// Next are the keys of nodes that are being given another one, which are believed beside those.
	Next map[string]string `json:"next,omitempty"`
	// Removed are the keys that are barred for good, and since when.
	Removed map[string]time.Time `json:"removed,omitempty"`
	// Authorities are the certificates of those that are believed: one, or two while it is rotated.
	Authorities []string `json:"authorities,omitempty"`
}

// NodeRequest removes a node from the cluster ("remove"), lets it hand its
// services over ("leave"), gives it a standing order ("standby", "drain",
// "maintenance") or ends that ("return"), or tells where it is reached by now
// ("address").
type NodeRequest struct {
	ID     string `json:"id"`
	Op     string `json:"op"`
	Node   string `json:"node"`
	Reason string `json:"reason,omitempty"`
	// Within is when what could not move live is stopped and started elsewhere; 0
	// is never.
	Within time.Duration `json:"within,omitempty"`
	// Address is where the node is reached from now on ("address").
	Address string `json:"address,omitempty"`
}

// ImportRequest takes an existing libvirt domain of a node in.
type ImportRequest struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	Node   string `json:"node,omitempty"`
	Domain string `json:"domain,omitempty"`
	// By is who asked, where a node passes the request on.
	By string `json:"by,omitempty"`
}

// ClientRequest asks for a certificate for remote tools.
type ClientRequest struct {
	User string `json:"user"`
	Role string `json:"role"`
	// Request is the PEM certificate request.
	Request string `json:"request"`
	// Validity is how long it lives; 0 is the default.
	Validity time.Duration `json:"validity,omitempty"`
	// Revoke bars every certificate of User instead, or the one whose key begins with Fingerprint.
	Revoke      bool   `json:"revoke,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`
}

// ClientReply carries it.
type ClientReply struct {
	Certificate string `json:"certificate" plain:"-"`
	Authority   string `json:"authority" plain:"-"`
	// Keys are those of the nodes that the tools may believe.
	Keys NodeKeys `json:"keys"`
}

// Report is what the doctor found on every node it could ask.
type Report struct {
	At       time.Time `json:"at"`
	Findings []Finding `json:"findings"`
}

// Finding is one thing checked on one node.
type Finding struct {
	Node string `json:"node"`
	// What was checked: "clock", "doorkeeper", "autostart", "image locks", ...
	What string `json:"what"`
	// Severity is "ok", "warning", "error" or "unknown".
	Severity string `json:"severity"`
	Text     string `json:"text" plain:"lines"`
	// Next says what to do; empty for "ok".
	Next string `json:"next,omitempty" plain:"lines"`
}

// Raw is a body whose shape the endpoint's documentation gives.
type Raw = json.RawMessage
