package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// ErrUnknownCommand is returned when an entry carries a command that this
// binary does not know. The daemon must stop with these words: going on would
// make its State differ from the others'.
var ErrUnknownCommand = errors.New(message.LogUnknownCommand.With().String())

// Command is one change of State, as it is written to the log. What is known of each is its row
// in the table (commands).
type Command interface {
	change()
}

// Change makes a type a command: what is none cannot be proposed.
type Change struct{}

func (Change) change() {}

// Refusal returns the first of the refusals of commands as an error, or nil.
func Refusal(refused []message.Text) error {
	for _, why := range refused {
		if !why.IsZero() {
			return fmt.Errorf("refused: %s", why)
		}
	}
	return nil
}

// Kinds are those of this release.
func Kinds() []string { return Current.Kinds() }

// KindOf is that of this release.
func KindOf(c Command) string { return Current.KindOf(c) }

// KeyOf is that of this release.
func KeyOf(c Command) string { return Current.KeyOf(c) }

// LevelOf is that of this release.
func LevelOf(c Command) int { return Current.LevelOf(c) }

// Encode is that of this release.
func Encode(commands []Command) ([]byte, error) { return Current.Encode(commands) }

// Decode is that of this release.
func Decode(data []byte) ([]Command, error) { return Current.Decode(data) }

// Premature is that of this release.
func Premature(s *State, commands []Command) message.Text { return Current.Premature(s, commands) }

// Unknown is that of this release.
func Unknown(s *State) message.Text { return Current.Unknown(s) }

// Entry is one committed entry of the log.
type Entry struct {
	Index uint64
	// At is the leader's clock when it appended the entry: for telling and for
	// policy windows, never for safety.
	At       time.Time
	Commands []Command
}

// Init founds the cluster. It is the first command of every log.
type Init struct {
	Change
	Cluster string  `json:"cluster"`
	ID      string  `json:"id"`
	Secrets Secrets `json:"secrets"`
	// Level is the founder's.
	Level int `json:"level"`
}

// Restore replaces the whole State by a backup: a new generation in which
// every holder is unknown until asked or fenced.
type Restore struct {
	Change
	State json.RawMessage `json:"state"`
	// Node is where the cluster begins again; it may have a new key there.
	Node string `json:"node,omitempty"`
	By   string `json:"by"`
}

// Recover raises the generation after a quorum was lost for good. Dead names
// the nodes that the administrator typed as gone. Through is where the log ended
// when that was typed: of what came up later nobody has said that it is off.
type Recover struct {
	Change
	Generation uint64   `json:"generation"`
	Dead       []string `json:"dead"`
	Through    uint64   `json:"through"`
	By         string   `json:"by"`
}

// RaiseLevel lets newer rules come into force once every member knows them.
type RaiseLevel struct {
	Change
	Level int `json:"level"`
}

// AddToken makes a join token known; only its hash is kept.
type AddToken struct {
	Change
	ID    string `json:"id"`
	Token Token  `json:"token"`
}

// Join gives a machine a place in the cluster and consumes its token.
type Join struct {
	Change
	Token       string `json:"token,omitempty"`
	Node        string `json:"node"`
	Fingerprint string `json:"fingerprint"`
	// Key is the public key that Fingerprint is the hash of.
	Key          []byte `json:"key,omitempty"`
	HardwareUUID string `json:"hardwareUUID"`
	Address      string `json:"address"`
	Witness      bool   `json:"witness,omitempty"`
	By           string `json:"by,omitempty"`
}

// RemoveNode takes a node out; its key is never accepted again.
type RemoveNode struct {
	Change
	Node string `json:"node"`
	By   string `json:"by,omitempty"`
	Why  string `json:"why,omitempty"`
}

// NodeUp begins an incarnation: the daemon of a node has started.
type NodeUp struct {
	Change
	Node        string `json:"node"`
	Fingerprint string `json:"fingerprint"`
	Boot        string `json:"boot"`
	Address     string `json:"address"`
	Version     string `json:"version"`
	MaxLevel    int    `json:"maxLevel"`
	// Session is a name that one start of the daemon gives itself. A repeated
	// NodeUp of the same session (its outcome was not known) begins no second
	// incarnation; empty means that every NodeUp begins one.
	Session string `json:"session,omitempty"`
	// Previous is the incarnation of this node that its daemon found in the log
	// before it came up. Without it, a NodeUp of a daemon that is dead could come
	// late and put an end to the one that lives.
	Previous *uint64 `json:"previous,omitempty"`
	// Log is the life of the log that the daemon holds; empty for one that is kept nowhere.
	Log string `json:"log,omitempty"`
	// Capacity is what the host has; zero where it could not be measured.
	Capacity Capacity `json:"capacity,omitzero"`
}

// Found is one VM in an inventory.
type Found struct {
	Service     string                `json:"service"`
	Observation resources.Observation `json:"observation"`
}

// Inventory is what a node found after its start. It admits the node (law L2)
// and, with a boot id, replaces what older boots of that machine held (law L1c).
type Inventory struct {
	Change
	Node        string  `json:"node"`
	Incarnation uint64  `json:"incarnation"`
	Boot        string  `json:"boot"`
	Found       []Found `json:"found,omitempty"`
}

// Leave asks a node to hand its services over before it shuts down.
type Leave struct {
	Change
	Node string `json:"node"`
	By   string `json:"by,omitempty"`
}

// NodeGone closes a Leave once the node holds nothing.
type NodeGone struct {
	Change
	Node        string `json:"node"`
	Incarnation uint64 `json:"incarnation"`
}

// Contact is an edge of liveness as the leader judged it.
type Contact struct {
	Change
	Node        string `json:"node"`
	Incarnation uint64 `json:"incarnation"`
	// State is NodeLost, NodeSilent, NodeDeaf, or NodeOnline when it was heard again.
	State NodeState `json:"state"`
	// Silence is how long the leader had not heard it.
	Silence time.Duration `json:"silence,omitempty"`
	// Why says who saw what.
	Why message.Text `json:"why"`
}

// BeginFence is the intent to make a boot harmless.
type BeginFence struct {
	Change
	Node   string       `json:"node"`
	Boot   string       `json:"boot"`
	Fencer string       `json:"fencer"`
	Why    message.Text `json:"why"`
	By     string       `json:"by,omitempty"`
	// Override is an operator's word against the brake (law L8).
	Override bool `json:"override,omitempty"`
	// Drill cuts the power of a node that holds nothing, to prove that the devices
	// of Level are that node's.
	Drill bool `json:"drill,omitempty"`
	Level int  `json:"level,omitempty"`
	// Word opens the intent for an operator's word, which follows in the same
	// entry: no device is used. A disarmed cluster takes it too.
	Word bool `json:"word,omitempty"`
	// Reboot asks for power again once it is confirmed off.
	Reboot bool `json:"reboot,omitempty"`
	// Service is one that could not be stopped there: for it a node is fenced that
	// is in touch.
	Service string `json:"service,omitempty"`
}

// AssignFence gives the next attempt to a node, or takes it from one that died.
type AssignFence struct {
	Change
	Node   string       `json:"node"`
	Fencer string       `json:"fencer"`
	Level  int          `json:"level"`
	Why    message.Text `json:"why,omitzero"`
}

// FenceDone is the result of one attempt.
type FenceDone struct {
	Change
	Node string `json:"node"`
	// Act is the intent's index, Ordinal the attempt's number.
	Act         uint64       `json:"act"`
	Ordinal     int          `json:"ordinal"`
	Fencer      string       `json:"fencer"`
	Incarnation uint64       `json:"incarnation"`
	Result      fence.Result `json:"result"`
}

// ConfirmFence is an operator's word that a machine is off, for an open intent
// and the boot it names.
type ConfirmFence struct {
	Change
	Node string `json:"node"`
	Boot string `json:"boot"`
	By   string `json:"by"`
	Why  string `json:"why,omitempty"`
}

// Begin is the intent to start, stop or migrate a service.
type Begin struct {
	Change
	Service    string       `json:"service"`
	Intent     IntentKind   `json:"intent"`
	Node       string       `json:"node"`
	Target     string       `json:"target,omitempty"`
	Definition string       `json:"definition,omitempty"`
	Purpose    Purpose      `json:"purpose,omitempty"`
	Kill       bool         `json:"kill,omitempty"`
	By         string       `json:"by,omitempty"`
	Why        message.Text `json:"why,omitzero"`
}

// Done is the result of a service's act.
type Done struct {
	Change
	Service     string `json:"service"`
	Act         uint64 `json:"act"`
	Node        string `json:"node"`
	Incarnation uint64 `json:"incarnation"`
	// Stage is the one that ended. A result of another stage than the present one says nothing.
	Stage  StageName        `json:"stage,omitempty"`
	Result resources.Result `json:"result"`
}

// Looked answers one Ask: what a node found when it was asked about a service.
type Looked struct {
	Change
	Service     string `json:"service"`
	Node        string `json:"node"`
	Incarnation uint64 `json:"incarnation"`
	Since       uint64 `json:"since"`
	// UUID tells a service from a removed one of the same name.
	UUID        string                `json:"uuid,omitempty"`
	Observation resources.Observation `json:"observation"`
	// AsOf is the State's index when the look began.
	AsOf uint64 `json:"asOf,omitempty"`
}

// Observed is a change that a node's agent saw without being asked.
type Observed struct {
	Change
	Service     string                `json:"service"`
	Node        string                `json:"node"`
	Incarnation uint64                `json:"incarnation"`
	Observation resources.Observation `json:"observation"`
	// AsOf is the State's index when the look began: an act that ended after it, or
	// a newer look, makes the observation old.
	AsOf uint64 `json:"asOf"`
}

// Probed tells that a guest answered for the first time after a start.
type Probed struct {
	Change
	Service string    `json:"service"`
	Node    string    `json:"node"`
	At      time.Time `json:"at"`
}

// Ask is an administrator's request about a service.
type Ask struct {
	Change
	Request string    `json:"request"`
	Op      Operation `json:"op"`
	Service string    `json:"service"`
	Node    string    `json:"node,omitempty"`
	By      string    `json:"by,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	// For is how long a freeze lasts; 0 until it is thawed.
	For time.Duration `json:"for,omitempty"`
	// DeclaredDisks is the word that what it wrote to other disks may be left behind.
	DeclaredDisks bool `json:"declaredDisks,omitempty"`
	// Migration is how this move is made, or goes on; what it leaves out stays as it is declared.
	Migration resources.Migration `json:"migration,omitzero"`
}

// GiveUp ends the wish of a service that cannot be met.
type GiveUp struct {
	Change
	Service string       `json:"service"`
	Request string       `json:"request"`
	Code    int          `json:"code"`
	Why     message.Text `json:"why"`
}

// Configure replaces the cluster document.
type Configure struct {
	Change
	Base     uint64            `json:"base"`
	Text     string            `json:"text"`
	Document Document          `json:"document"`
	Blobs    map[string]string `json:"blobs,omitempty"`
	// Sealed are the secrets that the document refers to and the State does not hold yet, and
	// SealedBy is the epoch of the data key that they are sealed with.
	Sealed   map[string][]byte `json:"sealed,omitempty"`
	SealedBy uint64            `json:"sealedBy,omitempty"`
	By       string            `json:"by,omitempty"`
	Reason   string            `json:"reason,omitempty"`
	// Summary is one line about what changes, for the history.
	Summary string `json:"summary,omitempty"`
}
