package cluster

import (
	"time"

	"github.com/clusterd/clusterd/fence"
)

// Shot is one fence intent, as the brake counts it (law L8).
type Shot struct {
	Node  string    `json:"node"`
	Index uint64    `json:"index"`
	At    time.Time `json:"at"`
}

// DeviceCheck is what a fence device last answered.
type DeviceCheck struct {
	Power    fence.Power `json:"power"`
	Identity string      `json:"identity,omitempty"`
	Problem  string      `json:"problem,omitempty"`
	At       time.Time   `json:"at"`
	By       string      `json:"by"`
}

// Proof is what a drill showed: this device cut that machine's power. It lasts
// until the device's declaration or the machine changes (law L3).
type Proof struct {
	Node    string    `json:"node"`
	Machine string    `json:"machine"`
	At      time.Time `json:"at"`
	By      string    `json:"by,omitempty"`
}
