package power

import (
	"errors"
	"testing"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/test/bmc"
)

// TestAgainstAnotherImplementation asks Debian's ipmi_sim: the BMC of the other
// tests shares its library, and so its mistakes, with the driver.
func TestAgainstAnotherImplementation(t *testing.T) {
	forEachKind(t, func(t *testing.T, d *driver) {
		s, err := bmc.StartSimulator(t.Context(), bmc.SimulatorOptions{
			Folder: t.TempDir(), Username: user, Password: secret, HardwareUUID: uuidOfOne, On: true,
		})
		if errors.Is(err, bmc.ErrNoSimulator) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		check := d.Check(within(t, 10*time.Second), deviceFor(d, s.Address()))
		if check.Power != fence.PowerOn || check.Identity != uuidOfOne || check.Problem != "" {
			t.Fatalf("check %+v", check)
		}
		result := d.Fence(within(t, 20*time.Second), requestFor(d, s.Address()))
		expect(t, result, fence.Confirmed, "tells the hardware UUID of node1")
		if s.Power() {
			t.Error("confirmed, but ipmi_sim's chassis is on")
		}
		t.Logf("fenced in %v", result.Duration)
		if err := d.PowerOn(within(t, 10*time.Second), deviceFor(d, s.Address())); err != nil || !s.Power() {
			t.Errorf("power on: power %v, error %v", s.Power(), err)
		}
		if err := s.Silence(); err != nil {
			t.Fatal(err)
		}
		expect(t, d.Fence(within(t, time.Second), requestFor(d, s.Address())), fence.Unknown, "does not answer")
		if !s.Power() {
			t.Error("a silent controller switched something")
		}
	})
}
