package cluster

import (
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
)

// ProvenFor reports whether a drill showed that a device is a node's own.
func (s *State) ProvenFor(device, node string) bool {
	proof, found := s.Proven.Get(device)
	n, known := s.Nodes.Get(node)
	return found && known && proof.Node == node && proof.Machine == n.Machine()
}

// Drills is when the document wants nodes to be drilled without a person. A zero
// Every means never.
type Drills struct {
	// Every is how old the last drill of a node may become.
	Every time.Duration `json:"every,omitempty"`
	// From and To are minutes of the day, UTC, between which a drill may begin; From
	// may be later than To, over midnight. Both zero means at any time.
	From int `json:"from,omitempty"`
	To   int `json:"to,omitempty"`
}

// DrillPause lies between two drills of the schedule.
const DrillPause = 30 * time.Minute

// Within reports whether a drill may begin at an instant.
func (p Drills) Within(now time.Time) bool {
	if p.From == p.To {
		return true
	}
	minute := now.UTC().Hour()*60 + now.UTC().Minute()
	if p.From < p.To {
		return p.From <= minute && minute < p.To
	}
	return minute >= p.From || minute < p.To
}

// DrillPhase is how far a drill is.
type DrillPhase string

// The phases: the node's services move away, its power is cut, it boots.
const (
	DrillEmptying DrillPhase = "emptying"
	DrillOff      DrillPhase = "off"
	DrillOn       DrillPhase = "on"
)

// Drill is one whole drill of a node: drain, off, confirmed, on, back. It lives
// in the State, so a new leader goes on with it.
type Drill struct {
	Node  string    `json:"node"`
	Level int       `json:"level"`
	Index uint64    `json:"index"`
	At    time.Time `json:"at"`
	By    string    `json:"by,omitempty"`
	// Scheduled: the document asks for it, not a person.
	Scheduled bool       `json:"scheduled,omitempty"`
	Phase     DrillPhase `json:"phase"`
	PhaseAt   time.Time  `json:"phaseAt"`
	// Steps are what has happened so far.
	Steps []Phase `json:"steps,omitempty"`
	// Ended, OK and Why are of a drill that is over.
	Ended time.Time    `json:"ended,omitzero"`
	OK    bool         `json:"ok,omitempty"`
	Why   message.Text `json:"why,omitzero"`
}

// BeginDrill asks for a whole drill of one level of a node.
type BeginDrill struct {
	Change
	Node      string `json:"node"`
	Level     int    `json:"level"`
	By        string `json:"by"`
	Scheduled bool   `json:"scheduled,omitempty"`
}

// EndDrill closes it.
type EndDrill struct {
	Change
	Node string       `json:"node"`
	Act  uint64       `json:"act"`
	OK   bool         `json:"ok,omitempty"`
	Why  message.Text `json:"why"`
}

// UnfitForDrill: without a person, a node's power is cut only while everything
// else is well, and never again after a drill that failed.
func (s *State) UnfitForDrill() message.Text {
	if s.Nodes.Len() < 3 {
		return message.DrillNeedsThreeNodes.With()
	}
	for _, name := range s.Nodes.Keys() {
		if n, _ := s.Nodes.Get(name); n.State != NodeOnline {
			return message.NodeInState.With(name, n.State)
		}
	}
	for _, name := range s.Drilled.Keys() {
		if last, _ := s.Drilled.Get(name); !last.OK {
			return message.DrillFailedLast.With(name)
		}
	}
	return message.Text{}
}

// Reach is what a device last answered one node, as far as that was worth an
// entry. Each node that may have to use
// a device asks it: that the leader reaches a BMC says nothing about the node
// that will fence when the leader is the one that is lost.
type Reach struct {
	Device  string      `json:"device"`
	By      string      `json:"by"`
	Power   fence.Power `json:"power"`
	Problem string      `json:"problem,omitempty"`
	// Identity is what the device tells of its host.
	Identity string `json:"identity,omitempty"`
	// OldLogin: it takes the login of the document before this one, and not the
	// one declared now.
	OldLogin bool `json:"oldLogin,omitempty"`
	// At is when the answer last changed; that it was asked again enters no log.
	At time.Time `json:"at"`
}

// CheckFrom records that a device's answer to one node changed.
type CheckFrom struct {
	Change
	Device   string      `json:"device"`
	Check    fence.Check `json:"check"`
	OldLogin bool        `json:"oldLogin,omitempty"`
	By       string      `json:"by"`
}

// ReachKey is under which the answer of a device to a node is kept.
func ReachKey(device, by string) string { return device + "/" + by }

// ReachOf lists what a device answered, by the asking node's name.
func (s *State) ReachOf(device string) []Reach {
	var list []Reach
	for _, key := range s.Reach.Keys() {
		if r, _ := s.Reach.Get(key); r.Device == device {
			list = append(list, r)
		}
	}
	return list
}

// ReachOfNode is what a device answered one node, if that is in the log.
func (s *State) ReachOfNode(device, by string) (Reach, bool) {
	return s.Reach.Get(ReachKey(device, by))
}

// Login is what a device took before the document changed.
type Login struct {
	Username string       `json:"username,omitempty"`
	Password fence.Secret `json:"password,omitempty"`
	// Credential names the systemd credential that holds it instead.
	Credential string    `json:"credential,omitempty"`
	At         time.Time `json:"at"`
}

// WithOldLogin is a device as it was logged in to before the document changed;
// false when there is nothing but the present login.
func (s *State) WithOldLogin(device fence.Device) (fence.Device, bool) {
	login, kept := s.OldLogins.Get(device.Name)
	device.Username, device.Password, device.Credential = login.Username, login.Password, login.Credential
	return device, kept
}

// TwinDevices finds two power devices of different nodes that are one and the same by
// their declaration: the second one's name and why, or nothing. Shooting the one
// node by it would confirm the other one off (law L3).
func (d Document) TwinDevices() (device string, why message.Text) {
	type declared struct {
		node   string
		device fence.Device
	}
	seen := map[string][]declared{}
	for _, node := range words.SortedKeys(d.Nodes) {
		for _, level := range d.Nodes[node].Fence {
			for _, name := range level.Devices {
				one := d.Devices[name]
				where := one.Endpoint()
				if where == "" {
					continue
				}
				for _, other := range seen[where] {
					if other.node != node && other.device.Name != name && !fence.ToldApart(one, other.device) {
						return name, message.DeviceTwins.With(name, node, one.Address, other.device.Name, other.node)
					}
				}
				seen[where] = append(seen[where], declared{node, one})
			}
		}
	}
	return "", message.Text{}
}

// Claimed says what else a node's hardware UUID could stand for: another member that
// joined with it, or a board of another node that tells it. Then it identifies no machine, and
// only a drill shows which one a board switches. Nothing is said where nothing else claims it.
func (s *State) Claimed(node string) message.Text {
	n, known := s.Nodes.Get(node)
	if !known || fence.NamesNoMachine(n.HardwareUUID) {
		return message.Text{}
	}
	for _, name := range s.Nodes.Keys() {
		if name == node {
			continue
		}
		other, _ := s.Nodes.Get(name)
		if strings.EqualFold(other.HardwareUUID, n.HardwareUUID) {
			return message.UUIDOfOtherNode.With(name)
		}
		if device := s.boardTelling(n, other); device != "" {
			return message.UUIDOfOtherDevice.With(device, name)
		}
	}
	return message.Text{}
}

// boardTelling is a power device of another node that tells a node's hardware UUID.
func (s *State) boardTelling(n, other Member) string {
	for _, level := range s.Document.Nodes[other.Name].Fence {
		for _, name := range level.Devices {
			check, asked := s.Checks.Get(name)
			if !asked || check.Identity == "" || strings.EqualFold(check.Identity, other.HardwareUUID) {
				continue
			}
			if !s.Document.Devices[name].Shared() && fence.SamePlatform(check.Identity, n.HardwareUUID) {
				return name
			}
		}
	}
	return ""
}

// Mistakable says why the word of a device by its board's UUID alone proves nothing.
func (s *State) Mistakable(open Fence, device fence.Device) message.Text {
	if open.Drill || device.Schema().Mute || s.ProvenFor(device.Name, open.Node) {
		return message.Text{}
	}
	if claimed := s.Claimed(open.Node); !claimed.IsZero() {
		return message.ProofUUIDAmbiguous.With(open.Node, claimed, device.Name)
	}
	return message.Text{}
}
