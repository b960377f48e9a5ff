package resources

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func drawDisks(t *rapid.T, label string) []Disk {
	return rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) Disk {
		return Disk{
			Identity: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "identity"),
			Shared:   rapid.Bool().Draw(t, "shared"), ReadOnly: rapid.Bool().Draw(t, "read only"),
		}
	}), 0, 3, func(d Disk) string { return d.Identity }).Draw(t, label)
}

func TestConflictsAreTheDisksBothCouldWrite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		left, right := drawDisks(t, "left"), drawDisks(t, "right")
		found := Conflicts(left, right)
		if !slices.Equal(found, Conflicts(right, left)) || !slices.IsSorted(found) {
			t.Fatalf("%v or %v", found, Conflicts(right, left))
		}
		for _, identity := range []string{"a", "b", "c"} {
			writes := func(disks []Disk) (writable, declared bool) {
				for _, d := range disks {
					if d.Identity == identity {
						return !d.ReadOnly, d.Shared
					}
				}
				return false, false
			}
			leftWrites, leftShared := writes(left)
			rightWrites, rightShared := writes(right)
			want := leftWrites && rightWrites && !(leftShared && rightShared)
			if slices.Contains(found, identity) != want {
				t.Fatalf("disk %s: conflict %v, want %v", identity, !want, want)
			}
		}
	})
}

func TestDefaultsFillOnlyWhatIsUnset(t *testing.T) {
	filled := Spec{Name: "vm:web", StopTimeout: 7}.WithDefaults()
	if filled.StopTimeout != 7 || filled.StartTimeout != DefaultStartTimeout ||
		filled.DestroyTimeout != DefaultDestroyTimeout ||
		filled.MigrateTimeout != DefaultMigrateTimeout || filled.Recovery != Restart {
		t.Errorf("filled %+v", filled)
	}
}

func TestNamesCarryTheirKind(t *testing.T) {
	if s := (Spec{Name: "vm:web"}); s.Kind() != "vm" || s.Short() != "web" {
		t.Errorf("vm:web is %q %q", s.Kind(), s.Short())
	}
	if s := (Spec{Name: "web"}); s.Short() != "web" {
		t.Errorf("web is %q", s.Short())
	}
}

// The numbers are what scripts of rgmanager's users compare with.
func TestStateNumbersAndFlagsAreRgmanagers(t *testing.T) {
	for state, want := range map[State]string{110: "stopped", 112: "started", 114: "failed", 119: "disabled",
		120: "migrating", 7: "unknown"} {
		if state.String() != want {
			t.Errorf("state %d is %q, want %q", state, state, want)
		}
	}
	if got := (Frozen | Partial).String(); got != "ZP" {
		t.Errorf("flags %q", got)
	}
	for state := Stopped; state <= Migrating; state++ {
		if want := state == Started || state == Disabled || state == Failed; state.Resting() != want {
			t.Errorf("%s rests: %v", state, state.Resting())
		}
	}
}
