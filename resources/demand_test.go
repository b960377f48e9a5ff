package resources

import (
	"testing"

	"pgregory.net/rapid"
)

func TestMemoryIsSaidShort(t *testing.T) {
	for want, amount := range map[string]Bytes{
		"0 MiB": 0, "512 MiB": 512 * MiB, "1 GiB": GiB, "12.5 GiB": 12*GiB + 512*MiB, "1.5 TiB": TiB + 512*GiB,
		"60.4 GiB": 60*GiB + Overhead(60*GiB) - 48*MiB, "1023.9 MiB": GiB - 1,
	} {
		if got := amount.String(); got != want {
			t.Errorf("%d is said as %q, want %q", uint64(amount), got, want)
		}
	}
}

// TestWhatIsNeededIsToldAsNoLess: rounded up, an amount is told as the least that covers it.
func TestWhatIsNeededIsToldAsNoLess(t *testing.T) {
	for want, amount := range map[string]Bytes{"0 MiB": 0, "8 GiB": 8 * GiB, "8.1 GiB": 8*GiB + 1, "1 GiB": GiB - 1,
		"1.6 TiB": TiB + 513*GiB, "0.1 MiB": 1} {
		if got := amount.Up().String(); got != want {
			t.Errorf("%d is needed as %q, want %q", uint64(amount), got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		b := Bytes(rapid.Uint64Range(0, 1<<50).Draw(t, "amount"))
		if up := b.Up(); up < b || up-b > max(b, MiB)/10+1 {
			t.Errorf("%d is told as %d", b, up)
		}
	})
}

func TestUnitsAreLibvirts(t *testing.T) {
	for unit, want := range map[string]Bytes{"": 4 * KiB, "KiB": 4 * KiB, "kb": 4000, "GiB": 4 * GiB, "bytes": 4} {
		if got, ok := MemoryIn(4, unit); !ok || got != want {
			t.Errorf("4 %q is %d, %v; want %d", unit, got, ok, want)
		}
	}
	for amount, unit := range map[uint64]string{1: "pages", 1 << 40: "TiB"} {
		if got, ok := MemoryIn(amount, unit); ok {
			t.Errorf("%d %q is read as %d", amount, unit, got)
		}
	}
}

// TestDemandsAddUp: what is added and taken away again leaves what was there, and what covers two
// covers each.
func TestDemandsAddUp(t *testing.T) {
	draw := func(t *rapid.T, what string) Demand {
		return Demand{Memory: Bytes(rapid.IntRange(0, 9).Draw(t, what)), Huge: Bytes(rapid.IntRange(0, 9).Draw(t, what)),
			CPUs: rapid.IntRange(0, 9).Draw(t, what)}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw(t, "a"), draw(t, "b")
		if got := a.Plus(b).Minus(b); got != a {
			t.Fatalf("%+v with and without %+v is %+v", a, b, got)
		}
		if most := a.Most(b); !most.Covers(a) || !most.Covers(b) || a.Covers(b) && most != a {
			t.Fatalf("the most of %+v and %+v is %+v", a, b, most)
		}
	})
}
