// Package fence says what makes a node surely harmless: devices, levels, the
// outcome of an attempt, and which attempt comes next. The root package is
// pure; the hands live in fence/power and its siblings and implement Driver.
//
// Only Confirmed releases anything. An error, a deadline, or an answer that
// cannot be parsed is Unknown (law L3).
package fence

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Outcome is what an attempt proved.
type Outcome string

// The outcomes.
const (
	// Confirmed: what the method can prove is proven by law L3; Result.Proven says
	// what that is.
	Confirmed Outcome = "confirmed"
	// Refuted: the device says the node is still on after the command.
	Refuted Outcome = "refuted"
	// Unknown: nothing was proven, for whatever reason.
	Unknown Outcome = "unknown"
)

// Power is what a device says about a node's power.
type Power string

// The power states. A transitional state of a device is PowerUnknown.
const (
	PowerOn      Power = "on"
	PowerOff     Power = "off"
	PowerUnknown Power = "unknown"
)

// Device is one fence device as the cluster document declares it.
type Device struct {
	Name string `json:"name"`
	// Driver is one of the Driver constants.
	Driver string `json:"driver"`
	// Address is host or host:port of the BMC, or of what an agent talks to.
	Address  string `json:"address"`
	Username string `json:"username,omitempty"`
	Password Secret `json:"password,omitempty"`
	// Credential names a systemd credential of the daemon that holds the password instead.
	Credential string `json:"credential,omitempty"`
	// Options are the driver's own settings; its Schema says which there are.
	Options map[string]string `json:"options,omitempty"`
	// Limits bound how it is used.
	Limits Limits `json:"limits,omitzero"`
}

// Level is a set of devices that must all succeed. Levels are tried in order.
type Level struct {
	Devices []string `json:"devices"`
}

// Target is the machine to be made harmless.
type Target struct {
	Node string `json:"node"`
	// HardwareUUID is the machine's SMBIOS UUID as recorded at its first join.
	HardwareUUID string `json:"hardwareUUID"`
	// Claimed says who else that UUID could stand for; then it identifies nobody, and only
	// a drill has shown whose a device is.
	Claimed string `json:"claimed,omitempty"`
	// Boot is the OS boot id that is to end.
	Boot string `json:"boot"`
}

// Request is one attempt on one device.
type Request struct {
	// Act names the intent: generation.index.ordinal.
	Act    string
	Device Device
	Target Target
	// IdentityVerified tells that this device was verified to belong to the
	// target since the device's last change (by a drill).
	IdentityVerified bool
	// StillWanted is asked before every packet that changes power (law L6); a
	// non-nil error ends the attempt with Unknown.
	StillWanted func() error
	// SignOfLife reports whether that boot was heard from since the off
	// command was accepted; a true result forbids Confirmed (law L3).
	SignOfLife func() bool
}

// Phase is one measured moment of an attempt.
type Phase struct {
	What string    `json:"what"`
	At   time.Time `json:"at"`
}

// Result is what one attempt proved, and how.
type Result struct {
	Outcome  Outcome       `json:"outcome"`
	Evidence []string      `json:"evidence"`
	Phases   []Phase       `json:"phases,omitempty"`
	Duration time.Duration `json:"duration"`
	// Proven is what a Confirmed one proves.
	Proven Proven `json:"proven,omitzero"`
}

// Check is the answer of a device to a harmless question.
type Check struct {
	Power Power `json:"power"`
	// Identity is the GUID or UUID the device tells of its host; empty when it
	// tells none.
	Identity string `json:"identity,omitempty"`
	// Problem is empty when the device could be used right now.
	Problem string `json:"problem,omitempty"`
}

// OptionFault is a fault of a declaration that one option of the device has.
type OptionFault struct {
	Option string
	// Here: it is so on this machine, and may be otherwise on another one.
	Here bool
	Err  error
}

// Error is the fault in words.
func (f OptionFault) Error() string { return f.Err.Error() }

// Unwrap returns the fault itself.
func (f OptionFault) Unwrap() error { return f.Err }

// Driver is the hand that reaches one kind of device. Implementations obey
// the context's deadline even when the library below them does not.
type Driver interface {
	// Validate finds faults of a declaration that can be known without asking
	// the device.
	Validate(Device) error
	// Check asks the device and changes nothing.
	Check(ctx context.Context, device Device) Check
	// Fence powers the target off and proves it, by law L3.
	Fence(ctx context.Context, request Request) Result
	// PowerOn asks for power; best effort, nothing depends on it.
	PowerOn(ctx context.Context, device Device) error
}

// SamePlatform compares two hardware UUIDs, ignoring case, dashes and the byte
// order of the first three fields: SMBIOS stores them little endian (SMBIOS
// 3.x, section 7.2.1), IPMI's Get System GUID in reverse (IPMI 2.0, 20.8),
// and vendors mix them up.
func SamePlatform(a, b string) bool {
	left, right := hexDigits(a), hexDigits(b)
	if len(right) != 32 || NamesNoMachine(left) {
		return false
	}
	return slices.Contains(byteOrders(right), left)
}

// byteOrders lists every way in which the same UUID is met on the wire.
func byteOrders(digits string) []string {
	return []string{
		digits, swapFields(digits), reverseBytes(digits),
		reverseBytes(swapFields(digits)), swapFields(reverseBytes(digits)),
	}
}

func hexDigits(s string) string {
	digits := make([]byte, 0, 32)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f':
			digits = append(digits, c)
		case c >= 'A' && c <= 'F':
			digits = append(digits, c+'a'-'A')
		}
	}
	return string(digits)
}

// placeholders are UUIDs that makers leave in the firmware of whole series of
// boards: two machines with one of them are not the same machine.
var placeholders = []string{"03000200040005000006000700080009", "123456781234567890abcddeefaabbcc"}

// NamesNoMachine reports whether a hardware UUID cannot identify a machine:
// malformed, one byte all over (all zero, all ff), or a known placeholder, in
// any byte order.
func NamesNoMachine(uuid string) bool {
	digits := hexDigits(uuid)
	if len(digits) != 32 || strings.Repeat(digits[:2], 16) == digits {
		return true
	}
	for _, known := range placeholders {
		if slices.Contains(byteOrders(known), digits) {
			return true
		}
	}
	return false
}

func reverseBytes(s string) string {
	out := make([]byte, 0, len(s))
	for i := len(s) - 2; i >= 0; i -= 2 {
		out = append(out, s[i], s[i+1])
	}
	return string(out)
}

func swapFields(s string) string {
	return reverseBytes(s[0:8]) + reverseBytes(s[8:12]) + reverseBytes(s[12:16]) + s[16:]
}

// Act formats the name of an intent.
func Act(generation, index uint64, ordinal int) string {
	return fmt.Sprintf("%d.%d.%d", generation, index, ordinal)
}
