package cluster

import (
	"time"

	"github.com/clusterd/clusterd/fence"
)

// Fence is an open fence intent.
type Fence struct {
	Node       string    `json:"node"`
	Boot       string    `json:"boot"`
	Index      uint64    `json:"index"`
	Generation uint64    `json:"generation"`
	At         time.Time `json:"at"`
	Why        string    `json:"why"`
	By         string    `json:"by,omitempty"`
	// Tried are the finished attempts, newest last.
	Tried []fence.Attempt `json:"tried,omitempty"`
	// TriedTotal also counts attempts no longer listed.
	TriedTotal int `json:"triedTotal,omitempty"`
	// Fencer, Level and Incarnation are the attempt under way; Fencer is empty
	// between attempts.
	Fencer      string `json:"fencer,omitempty"`
	Incarnation uint64 `json:"incarnation,omitempty"`
	Level       int    `json:"level,omitempty"`
	LastWhy     string `json:"lastWhy,omitempty"`
	// Drill: the node holds nothing, and what is tested is the device.
	Drill bool `json:"drill,omitempty"`
	// Reboot: power is asked for again once it is confirmed off.
	Reboot bool `json:"reboot,omitempty"`
	// Document is the version of the document that the drill's devices are from: a
	// proof is about what was declared then (law L3).
	Document uint64  `json:"document,omitempty"`
	Story    []Phase `json:"story,omitempty"`
	// ToldAt is when the timeline last told of an attempt, Loud that it is to tell
	// of the one under way, Told what it told of each fencer and level.
	ToldAt time.Time     `json:"toldAt,omitzero"`
	Loud   bool          `json:"loud,omitempty"`
	Told   []ToldAttempt `json:"told,omitempty"`
}

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
