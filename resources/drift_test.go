package resources

import "testing"

func TestDriftOfWhatRuns(t *testing.T) {
	base, other := Disk{Identity: "file:/a"}, Disk{Identity: "file:/b"}
	for _, c := range []struct {
		name          string
		started, live []Disk
		text          string
		leaves, loses bool
	}{
		{"as declared", []Disk{base, other}, []Disk{other, base}, "", false, false},
		{"a medium was changed", []Disk{base, {Identity: "file:/cd1", ReadOnly: true}},
			[]Disk{base, {Identity: "file:/cd2", ReadOnly: true}}, "", false, false},
		{"a template behind it is no drift", []Disk{base},
			[]Disk{base, {Identity: "file:/template", Behind: "file:/a"}}, "", false, false},
		{"a snapshot", []Disk{base}, []Disk{{Identity: "file:/a.snap"}, {Identity: "file:/a", Behind: "file:/a.snap"}},
			"file:/a.snap over file:/a", true, true},
		{"attached", []Disk{base}, []Disk{base, other}, "file:/b besides", true, false},
		{"detached", []Disk{base, other}, []Disk{base}, "no file:/b", false, false},
		{"its contents moved", []Disk{base}, []Disk{other}, "file:/b and not file:/a", true, true},
	} {
		d := DriftOf(c.started, c.live)
		if d.String() != c.text || d.Leaves() != c.leaves || d.Loses() != c.loses || d.None() != (c.text == "") {
			t.Errorf("%s: %q, leaves %v, loses %v", c.name, d, d.Leaves(), d.Loses())
		}
		if d.Unless(c.live).Leaves() {
			t.Errorf("%s: what is declared by now is still left behind: %s", c.name, d.Unless(c.live))
		}
	}
}

// An image that another one is written over must not be written by anybody else: both
// would be lost. A template behind many is none of theirs.
func TestWhatLiesBehindIsNobodyElses(t *testing.T) {
	overlay := []Disk{{Identity: "file:/a.snap"}, {Identity: "file:/a", Behind: "file:/a.snap"}}
	clone := []Disk{{Identity: "file:/c"}, {Identity: "file:/a", Behind: "file:/c"}}
	for _, c := range []struct {
		name string
		with []Disk
		want int
	}{
		{"its writer", []Disk{{Identity: "file:/a"}}, 1}, {"its reader", []Disk{{Identity: "file:/a", ReadOnly: true}}, 0},
		{"another clone", clone, 0}, {"the overlay's writer", []Disk{{Identity: "file:/a.snap"}}, 1},
	} {
		if got := len(Conflicts(overlay, c.with)); got != c.want {
			t.Errorf("%s: %d conflicts", c.name, got)
		}
		if got := len(Conflicts(c.with, overlay)); got != c.want {
			t.Errorf("%s, the other way round: %d conflicts", c.name, got)
		}
	}
}

// TestWhatCannotBeNamedFreesNothing: a guest writes to a disk of which nobody can say what it is.
// That may be any of those that it had, or lie over it, until a look names them all again.
func TestWhatCannotBeNamedFreesNothing(t *testing.T) {
	const unnamed, other = Unnamed + "u/vda", Unnamed + "u/definition"
	had := []Disk{{Identity: "file:/a.snap"}, {Identity: "file:/a", Behind: "file:/a.snap"},
		{Identity: "file:/b"}, {Identity: "file:/vars", State: true}, {Identity: "file:/cd", ReadOnly: true}}
	started := []Disk{{Identity: "file:/a"}, {Identity: "file:/b"}, {Identity: "file:/vars", State: true}}
	for _, c := range []struct {
		name string
		live []Disk
		kept []string
	}{
		{"all is named", []Disk{{Identity: "file:/c"}}, nil},
		{"a medium is not", []Disk{{Identity: unnamed, ReadOnly: true}}, nil},
		{"one is not", []Disk{{Identity: unnamed}, {Identity: "file:/b"}},
			[]string{"file:/a.snap", "file:/a", "file:/vars"}},
		{"one is not, and one is only read", []Disk{{Identity: unnamed}, {Identity: "file:/b", ReadOnly: true}},
			[]string{"file:/a.snap", "file:/a", "file:/b", "file:/vars"}},
		{"none is", []Disk{{Identity: other}}, []string{"file:/a.snap", "file:/a", "file:/b", "file:/vars"}},
	} {
		now := KeepKnown(c.live, had)
		if len(now) != len(c.live)+len(c.kept) || !SameDisks(now, KeepKnown(c.live, now)) {
			t.Errorf("%s: %+v, and with the next look %+v", c.name, now, KeepKnown(c.live, now))
		}
		for _, identity := range c.kept {
			if len(Conflicts(now, []Disk{{Identity: identity}})) == 0 {
				t.Errorf("%s: %s is free", c.name, identity)
			}
		}
		if drift := DriftOf(started, now); len(c.kept) > 0 && !drift.Loses() {
			t.Errorf("%s: a start would lose nothing: %s", c.name, drift)
		}
	}
	// An overlay of another VM over what may be written is no safer than a writer of it, and one over
	// what nobody writes harms nobody.
	hidden := KeepKnown([]Disk{{Identity: unnamed}}, had)
	for identity, want := range map[string]int{"file:/b": 1, "file:/a.snap": 1, "file:/a": 0} {
		overlay := []Disk{{Identity: "file:/its.own"}, {Identity: identity, Behind: "file:/its.own"}}
		if got := len(Conflicts(hidden, overlay)); got != want {
			t.Errorf("an overlay over %s: %d conflicts, want %d", identity, got, want)
		}
	}
	again := KeepKnown([]Disk{{Identity: other}}, KeepKnown([]Disk{{Identity: unnamed}}, had))
	if len(again) != 5 || again[3].Behind != other {
		t.Errorf("the next one that cannot be named: %+v", again)
	}
}
