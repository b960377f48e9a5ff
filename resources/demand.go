package resources

import (
	"strconv"
	"strings"
)

// Bytes is an amount of memory.
type Bytes uint64

// The units in which memory is said.
const (
	KiB Bytes = 1 << 10
	MiB Bytes = 1 << 20
	GiB Bytes = 1 << 30
	TiB Bytes = 1 << 40
)

// String says it in the largest unit of which there is one, with one decimal where it is not whole.
func (b Bytes) String() string {
	unit, name := MiB, "MiB"
	switch {
	case b >= TiB:
		unit, name = TiB, "TiB"
	case b >= GiB:
		unit, name = GiB, "GiB"
	}
	tenths := (b/unit)*10 + (b%unit)*10/unit
	text := strconv.FormatUint(uint64(tenths/10), 10)
	if tenths%10 > 0 {
		text += "." + strconv.FormatUint(uint64(tenths%10), 10)
	}
	return text + " " + name
}

// Up is the least amount that is no smaller and is told without rounding: what something takes is
// not told as less than it is.
func (b Bytes) Up() Bytes {
	unit := MiB
	switch {
	case b >= TiB:
		unit = TiB
	case b >= GiB:
		unit = GiB
	}
	tenths := (b/unit)*10 + ((b%unit)*10+unit-1)/unit
	return (tenths/10)*unit + ((tenths%10)*unit+9)/10
}

// Demand is what a service takes of its node. The zero Demand takes nothing, or nobody has said.
type Demand struct {
	// Memory is what it takes of the node's ordinary memory, with what its hypervisor process takes
	// beside the guest; Huge is what it takes in huge pages.
	Memory Bytes `json:"memory,omitempty"`
	Huge   Bytes `json:"huge,omitempty"`
	// CPUs are its virtual processors.
	CPUs int `json:"cpus,omitempty"`
}

// None reports whether nothing is taken.
func (d Demand) None() bool { return d == Demand{} }

// Plus is both together.
func (d Demand) Plus(other Demand) Demand {
	return Demand{Memory: d.Memory + other.Memory, Huge: d.Huge + other.Huge, CPUs: d.CPUs + other.CPUs}
}

// Minus is what is left; nothing is less than none.
func (d Demand) Minus(other Demand) Demand {
	return Demand{Memory: d.Memory - min(d.Memory, other.Memory), Huge: d.Huge - min(d.Huge, other.Huge),
		CPUs: d.CPUs - min(d.CPUs, other.CPUs)}
}

// Most is the larger of both, kind by kind.
func (d Demand) Most(other Demand) Demand {
	return Demand{Memory: max(d.Memory, other.Memory), Huge: max(d.Huge, other.Huge), CPUs: max(d.CPUs, other.CPUs)}
}

// Covers reports whether the other takes no more of anything.
func (d Demand) Covers(other Demand) bool { return d.Most(other) == d }

// What QEMU takes beside the guest's memory: page tables and bitmaps grow with it, code and the
// buffers of devices do not.
const (
	overheadShare = 128
	overheadBase  = 48 * MiB
)

// Overhead is what QEMU takes beside the memory of a guest: 48 MiB, and a 128th of that memory.
func Overhead(guest Bytes) Bytes { return guest/overheadShare + overheadBase }

// memoryUnits are libvirt's (https://libvirt.org/formatdomain.html#memory-allocation).
var memoryUnits = map[string]uint64{
	"": 1 << 10, "b": 1, "bytes": 1, "k": 1 << 10, "kib": 1 << 10, "kb": 1e3, "m": 1 << 20, "mib": 1 << 20, "mb": 1e6,
	"g": 1 << 30, "gib": 1 << 30, "gb": 1e9, "t": 1 << 40, "tib": 1 << 40, "tb": 1e12,
}

// MemoryIn is an amount in one of libvirt's units, of which "" is KiB. It is not ok in another
// unit, or where it is more than can be.
func MemoryIn(amount uint64, unit string) (Bytes, bool) {
	bytes, known := memoryUnits[strings.ToLower(unit)]
	if !known || amount > (1<<62)/bytes {
		return 0, false
	}
	return Bytes(amount * bytes), true
}
