package ownkeys

import (
	"errors"
	"testing"
	"time"
)

// TestWhatIsHeldUpIsTriedRarely: it may stay so for hours, and each try asks every member.
func TestWhatIsHeldUpIsTriedRarely(t *testing.T) {
	pause := pauseAfter(Held("a member is away"))
	if pause < 5*time.Second || pauseAfter(errors.New("no leader")) >= pause || pauseAfter(nil) != 0 {
		t.Errorf("what may stay so for hours is tried again after %s", pause)
	}
}
