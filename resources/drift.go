package resources

import (
	"slices"
	"strings"
)

// Drift is how the disks of a VM that runs differ from those it was started with.
// Only disks that it writes count: a medium in a drive comes and goes.
type Drift struct {
	// Over are images that took the place of a disk, as a snapshot's overlay does.
	Over []Over `json:"over,omitempty"`
	// Added are other disks that came while it ran, Gone those that are left of none.
	Added []string `json:"added,omitempty"`
	Gone  []string `json:"gone,omitempty"`
}

// Over is one image that is written in place of another.
type Over struct {
	Disk string `json:"disk"`
	Base string `json:"base"`
}

// DriftOf compares the disks that a VM was started with and those that it has.
func DriftOf(started, live []Disk) Drift {
	var d Drift
	over := map[string]bool{}
	for _, disk := range live {
		if disk.Behind != "" && writes(started, disk.Identity) && !writes(live, disk.Identity) {
			d.Over = append(d.Over, Over{Disk: disk.Behind, Base: disk.Identity})
			over[disk.Behind], over[disk.Identity] = true, true
		}
	}
	for _, disk := range live {
		if disk.writes() && !disk.State && !over[disk.Identity] && !writes(started, disk.Identity) {
			d.Added = append(d.Added, disk.Identity)
		}
	}
	for _, disk := range started {
		if disk.writes() && !disk.State && !over[disk.Identity] && !writes(live, disk.Identity) {
			d.Gone = append(d.Gone, disk.Identity)
		}
	}
	slices.SortFunc(d.Over, func(a, b Over) int { return strings.Compare(a.Base, b.Base) })
	slices.Sort(d.Added)
	slices.Sort(d.Gone)
	return d
}

// writes reports whether the guest writes to the disk now.
func (d Disk) writes() bool { return !d.ReadOnly && d.Behind == "" }

// mayWrite reports whether the guest writes to the disk, or may without anybody's seeing it.
func (d Disk) mayWrite() bool { return d.writes() || d.Kept }

func writes(disks []Disk, identity string) bool {
	return slices.ContainsFunc(disks, func(d Disk) bool { return d.Identity == identity && d.writes() })
}

// None tells that there is no difference.
func (d Drift) None() bool { return len(d.Over)+len(d.Added)+len(d.Gone) == 0 }

// Equal compares two of them.
func (d Drift) Equal(other Drift) bool {
	return slices.Equal(d.Over, other.Over) && slices.Equal(d.Added, other.Added) && slices.Equal(d.Gone, other.Gone)
}

// Unless leaves out what a declaration knows: disks that the next start would have.
func (d Drift) Unless(declared []Disk) Drift {
	knows := func(identity string) bool { return writes(declared, identity) }
	left := Drift{Over: slices.Clone(d.Over), Added: slices.Clone(d.Added), Gone: d.Gone}
	left.Over = slices.DeleteFunc(left.Over, func(o Over) bool { return knows(o.Disk) })
	left.Added = slices.DeleteFunc(left.Added, knows)
	return left
}

// Leaves reports whether a start from the declaration would leave something behind
// that was written, or that the guest has.
func (d Drift) Leaves() bool { return len(d.Over)+len(d.Added) > 0 }

// Loses reports whether such a start would go on with older contents than the guest had
// last: an overlay was written, or the contents went to another disk. Nothing can
// bring the two together again afterwards.
func (d Drift) Loses() bool { return len(d.Over) > 0 || (len(d.Added) > 0 && len(d.Gone) > 0) }

// String names the difference.
func (d Drift) String() string {
	var parts []string
	for _, o := range d.Over {
		parts = append(parts, o.Disk+" over "+o.Base)
	}
	switch moved := len(d.Added) > 0 && len(d.Gone) > 0; {
	case moved:
		parts = append(parts, strings.Join(d.Added, ", ")+" and not "+strings.Join(d.Gone, ", "))
	case len(d.Added) > 0:
		parts = append(parts, strings.Join(d.Added, ", ")+" besides")
	case len(d.Gone) > 0:
		parts = append(parts, "no "+strings.Join(d.Gone, ", "))
	}
	return strings.Join(parts, "; ")
}

// Names lists what is there besides the declaration.
func (d Drift) Names() string {
	names := make([]string, 0, len(d.Over)+len(d.Added))
	for _, o := range d.Over {
		names = append(names, o.Disk+" over "+o.Base)
	}
	return strings.Join(append(names, d.Added...), ", ")
}

// JoinDisks are the disks of both lists, for a guest that has one of them and nobody knows which. A
// disk is shared, only read, or behind another one where each list that has it says so.
func JoinDisks(a, b []Disk) []Disk {
	joined := slices.Clone(a)
	for _, disk := range b {
		i := slices.IndexFunc(joined, func(d Disk) bool { return d.Identity == disk.Identity })
		if i < 0 {
			joined = append(joined, disk)
			continue
		}
		known := &joined[i]
		known.Shared, known.ReadOnly = known.Shared && disk.Shared, known.ReadOnly && disk.ReadOnly
		if known.Behind != disk.Behind {
			known.Behind = ""
		}
	}
	return joined
}

// Unnamed begins the identity of a disk that one VM has and that cannot be named. Two of them are
// never the same, and each may be any disk, or lie over it.
const Unnamed = "unreadable:"

// mostKept bounds what is known of the disks of one VM besides what is seen.
const mostKept = 1000

// KeepKnown adds to the disks that a VM was seen with those that it had before, where it writes to
// one that cannot be named: what that hides is not known to be free. They count as lying behind it.
func KeepKnown(live, before []Disk) []Disk {
	unnamed := func(identity string) bool { return strings.HasPrefix(identity, Unnamed) }
	i := slices.IndexFunc(live, func(d Disk) bool { return unnamed(d.Identity) && d.writes() })
	if i < 0 {
		return live
	}
	all := slices.Clone(live)
	for _, disk := range before {
		// What is seen to be only read may be written by the name that nobody knows.
		seen := slices.ContainsFunc(live, func(d Disk) bool {
			return d.Identity == disk.Identity && (!d.ReadOnly || !disk.mayWrite())
		})
		if seen || disk.ReadOnly || unnamed(disk.Identity) || len(all) >= len(live)+mostKept {
			continue
		}
		disk.Kept = disk.mayWrite()
		if !disk.State && (disk.Behind == "" || unnamed(disk.Behind)) {
			disk.Behind = live[i].Identity
		}
		all = append(all, disk)
	}
	return all
}

// SameDisks reports whether two lists name the same disks to write to, in any order.
func SameDisks(a, b []Disk) bool { return slices.Equal(written(a), written(b)) }

func written(disks []Disk) []Disk {
	list := slices.DeleteFunc(slices.Clone(disks), func(d Disk) bool { return d.ReadOnly || d.State })
	slices.SortFunc(list, func(a, b Disk) int {
		return strings.Compare(a.Identity+"\x00"+a.Behind, b.Identity+"\x00"+b.Behind)
	})
	return list
}
