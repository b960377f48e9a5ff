package api

import (
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
)

// What a FenceRequest can ask for.
const (
	FenceOff     = "off"     // cut a node's power; its services start elsewhere
	FenceOn      = "on"      // ask for power
	FenceReboot  = "reboot"  // off, confirmed, then on
	FenceTest    = "test"    // a whole drill of one level
	FenceConfirm = "confirm" // an operator's word that a machine is off
	FenceDisarm  = "disarm"  // let nothing be fenced for a while
	FenceArm     = "arm"     // end that
)

// FenceRequest asks for something that makes a node harmless, or tests it.
type FenceRequest struct {
	ID string `json:"id"`
	// Op is one of the words above.
	Op     string `json:"op"`
	Node   string `json:"node,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Level is the fence level that a drill tests, counted from 0.
	Level int `json:"level,omitempty"`
	// For is how long fencing is disarmed.
	For time.Duration `json:"for,omitempty"`
}

// FenceStatus tells per node how it could be fenced, and what is under way.
type FenceStatus struct {
	At       time.Time         `json:"at"`
	Disarmed *cluster.Disarmed `json:"disarmed,omitempty"`
	// Drill is the one under way.
	Drill *cluster.Drill `json:"drill,omitempty"`
	Nodes []FenceNode    `json:"nodes"`
}

// FenceNode is one node's levels, and the last time they were checked and used.
type FenceNode struct {
	Node string `json:"node"`
	// State is the node's, or "fencing".
	State       string       `json:"state"`
	Why         message.Text `json:"why,omitzero"`
	Unprotected string       `json:"unprotected,omitempty"`
	// HardwareUUID is the machine's, as recorded when it joined.
	HardwareUUID string        `json:"hardwareUUID,omitempty"`
	Devices      []FenceDevice `json:"devices"`
	// Open is the fence intent that is not closed yet.
	Open *cluster.Fence `json:"open,omitempty"`
	// LastUse is the last fence intent that was closed, a drill's or a real one.
	LastUse *cluster.FenceRecord `json:"lastUse,omitempty"`
	// LastDrill is how the last whole drill went.
	LastDrill *cluster.Drill `json:"lastDrill,omitempty"`
}

// FenceDevice is one device of one level, counted from 0.
type FenceDevice struct {
	Name    string `json:"name"`
	Level   int    `json:"level"`
	Driver  string `json:"driver"`
	Address string `json:"address"`
	Power   string `json:"power"`
	Problem string `json:"problem,omitempty"`
	// Proven is when a drill showed that it is the node's own.
	Proven time.Time `json:"proven,omitzero"`
	// Checked and By are of the newest check, Checks those of each node.
	Checked time.Time    `json:"checked,omitzero"`
	By      string       `json:"by,omitempty"`
	Checks  []FenceCheck `json:"checks,omitempty"`
}

// FenceCheck is what a device last answered one node.
type FenceCheck struct {
	By       string `json:"by"`
	Power    string `json:"power"`
	Problem  string `json:"problem,omitempty"`
	OldLogin bool   `json:"oldLogin,omitempty"`
	// Changed is when the answer last changed; Asked is the last check, and zero
	// when that node could not be asked about it.
	Changed time.Time `json:"changed,omitzero"`
	Asked   time.Time `json:"asked,omitzero"`
}

// FenceHistory is the list of closed fence intents, oldest first.
type FenceHistory struct {
	Records []cluster.FenceRecord `json:"records"`
}
