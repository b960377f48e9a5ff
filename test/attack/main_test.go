package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
)

// TestOnlyWhatWasTriedIsHeld: an attack that this machine lets nobody play is counted apart, and
// one that found nothing to attack with is a failure.
func TestOnlyWhatWasTriedIsHeld(t *testing.T) {
	for _, c := range []struct {
		got                    error
		attacks, held, leftOut int
	}{
		{nil, 1, 1, 0}, {errLeftOut, 0, 0, 1}, {errNoAuthority, 1, 0, 0}, {errors.New("the backup"), 1, 0, 0},
		{fmt.Errorf("no guess was answered: %w", errUntried), 1, 0, 0},
	} {
		s := &site{}
		s.play(t.Context(), attack{"somebody tries", func(context.Context, *site) error { return c.got }}, false)
		if s.attacks != c.attacks || s.held != c.held || s.leftOut != c.leftOut {
			t.Errorf("%v: %d attacks, %d held, %d left out", c.got, s.attacks, s.held, s.leftOut)
		}
	}
	if os.Geteuid() == 0 {
		t.Skip("as root local users are played")
	}
	if err := crowded(loudly("local slots"))(t.Context(), &site{}); !errors.Is(err, errLeftOut) {
		t.Errorf("without root a crowd of local users is told as %v", err)
	}
}

// TestAnAttackInTheLabIsCountedByWhatItsTestSays: held when it passed, left out when it was
// skipped, and a failure in every other case, so also when there is no such test.
func TestAnAttackInTheLabIsCountedByWhatItsTestSays(t *testing.T) {
	for said, c := range map[string]struct {
		ended error
		want  error
	}{
		"--- PASS: TestX (3.2s)":                {nil, nil},
		"no lab\n--- SKIP: TestX (0.0s)":        {nil, errLeftOut},
		"testing: warning: no tests to run":     {nil, errUntried},
		"--- PASS: TestXY (3.2s)":               {nil, errUntried},
		"--- FAIL: TestX (1.0s)\nit was let in": {os.ErrInvalid, os.ErrInvalid},
	} {
		if got := labVerdict("TestX", []byte(said), c.ended); !errors.Is(got, c.want) {
			t.Errorf("%q: %v, want %v", said, got, c.want)
		}
	}
}
