package agents

import (
	"testing"
	"time"
)

const mib = 1 << 20

// The figures are moves that were made: what was told of them has to be within three tenths of what
// they took, and they may not have stood still for longer than that and half a pass.
func TestForecastsAreCloseToMovesThatWereMade(t *testing.T) {
	for _, m := range []struct {
		memory, dirty, rate float64
		total, downtime     time.Duration
	}{
		{64, 2.0, 8, 12300 * time.Millisecond, 43 * time.Millisecond},
		{128, 4.9, 16, 11600 * time.Millisecond, 26 * time.Millisecond},
		{256, 19.5, 32, 19700 * time.Millisecond, 39 * time.Millisecond},
		{128, 19.5, 24, 27800 * time.Millisecond, 28 * time.Millisecond},
		{64, 19.5, 32, 4500 * time.Millisecond, 248 * time.Millisecond},
	} {
		f := Foretell(uint64(m.memory*mib), uint64(m.dirty*mib), uint64(m.rate*mib), 300*time.Millisecond)
		if off := float64(f.Total)/float64(m.total) - 1; !f.Ends || off < -0.3 || off > 0.3 {
			t.Errorf("%g MiB, %g of %g MiB/s: %s, it took %s", m.memory, m.dirty, m.rate, f.Total, m.total)
		}
		if f.Downtime > 340*time.Millisecond || m.downtime > f.Downtime+50*time.Millisecond {
			t.Errorf("%g MiB, %g of %g MiB/s: still for %s, it was %s", m.memory, m.dirty, m.rate, f.Downtime, m.downtime)
		}
	}
}

func TestAGuestThatWritesFasterThanIsSentNeverArrives(t *testing.T) {
	for _, rate := range []uint64{0, 16 * mib, 20 * mib} {
		if f := Foretell(64*mib, 19.5*mib, rate, time.Second); f.Ends || f.Total != 0 {
			t.Errorf("at %d bytes a second it takes %s", rate, f.Total)
		}
	}
}
