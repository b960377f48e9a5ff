package resources

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

var midnight = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// TestTheFailureBeyondTheLimitIsTheOneThatMoves counts the dumb way.
func TestTheFailureBeyondTheLimitIsTheOneThatMoves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := Spec{
			Recovery:      rapid.SampledFrom([]Recovery{Restart, RestartDisable}).Draw(t, "recovery"),
			MaxRestarts:   rapid.IntRange(0, 5).Draw(t, "max restarts"),
			RestartExpire: time.Duration(rapid.IntRange(0, 60).Draw(t, "window")) * time.Second,
		}
		var remembered, dumb []time.Time
		at := midnight
		for range rapid.IntRange(1, 40).Draw(t, "failures") {
			at = at.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "pause")) * time.Second)
			inWindow := 0
			for _, earlier := range dumb {
				if spec.RestartExpire == 0 || at.Sub(earlier) <= spec.RestartExpire {
					inWindow++
				}
			}
			var remedy Remedy
			remedy, remembered = AfterFailure(spec, remembered, at)
			if spec.MaxRestarts > 0 && inWindow >= spec.MaxRestarts {
				want := Elsewhere
				if spec.Recovery == RestartDisable {
					want = LeaveDown
				}
				if remedy != want || len(remembered) != 0 {
					t.Fatalf("failure %d of at most %d: %v, %d remembered", inWindow+1, spec.MaxRestarts, remedy, len(remembered))
				}
				dumb = nil
				continue
			}
			if remedy != InPlace {
				t.Fatalf("failure %d of at most %d: %v", inWindow+1, spec.MaxRestarts, remedy)
			}
			dumb = append(dumb, at)
		}
	})
}

func TestAHighLimitIsALimitToo(t *testing.T) {
	spec := Spec{Recovery: Restart, MaxRestarts: 3 * maxRemembered}
	var remembered []time.Time
	for failure := 1; failure <= spec.MaxRestarts; failure++ {
		var remedy Remedy
		if remedy, remembered = AfterFailure(spec, remembered, midnight); remedy != InPlace {
			t.Fatalf("failure %d: %v", failure, remedy)
		}
	}
	if remedy, _ := AfterFailure(spec, remembered, midnight); remedy != Elsewhere {
		t.Errorf("failure %d: %v, want elsewhere", spec.MaxRestarts+1, remedy)
	}
}

func TestMemoryIsBoundedWithoutALimit(t *testing.T) {
	var remembered []time.Time
	for range 5 * maxRemembered {
		_, remembered = AfterFailure(Spec{Recovery: Restart}, remembered, midnight)
	}
	if len(remembered) > maxRemembered {
		t.Errorf("%d restarts remembered", len(remembered))
	}
}

func TestPoliciesThatNeverRestartInPlace(t *testing.T) {
	for recovery, want := range map[Recovery]Remedy{Relocate: Elsewhere, Disable: LeaveDown} {
		if remedy, remembered := AfterFailure(Spec{Recovery: recovery}, []time.Time{midnight}, midnight); remedy != want ||
			remembered != nil {
			t.Errorf("%s: %v, %v", recovery, remedy, remembered)
		}
	}
}
