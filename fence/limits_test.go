package fence

import (
	"testing"
	"time"
)

func TestLimitsOfALevel(t *testing.T) {
	plain, careful, slow := Device{Name: "a"}, Device{Name: "b", Limits: Limits{Attempts: 1}},
		Device{Name: "c", Limits: Limits{Attempts: 3, Delay: 5 * time.Second}}
	if AttemptsAt([]Device{plain}) != triesPerFencer || AttemptsAt([]Device{plain, slow}) != 3 ||
		AttemptsAt([]Device{slow, careful}) != 1 {
		t.Error("the number of attempts is not the smallest limit")
	}
	if DelayOf([]Device{plain, slow, careful}) != 5*time.Second || DelayOf(nil) != 0 {
		t.Error("the delay is not the longest one")
	}
}

// Levels whose attempts differ: each fencer uses up those of a level before the
// next has its turn.
func TestNextCountsTheAttemptsOfEachLevel(t *testing.T) {
	var tried []Attempt
	var got []Step
	for {
		step, more := NextOf([]int{1, 3}, []string{"n1", "n2"}, tried)
		if !more {
			break
		}
		got = append(got, step)
		tried = append(tried, Attempt{Fencer: step.Fencer, Level: step.Level})
	}
	round := []Step{{"n1", 0}, {"n2", 0}, {"n1", 1}, {"n1", 1}, {"n1", 1}, {"n2", 1}, {"n2", 1}, {"n2", 1}}
	if len(got) != len(round)*Rounds {
		t.Fatalf("%d attempts, want %d", len(got), len(round)*Rounds)
	}
	for i, step := range got {
		if step != round[i%len(round)] {
			t.Fatalf("attempt %d is %+v, want %+v", i, step, round[i%len(round)])
		}
	}
}
