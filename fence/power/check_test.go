package power

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/test/bmc"
)

func TestCheckAsksAndChangesNothing(t *testing.T) {
	forEachKind(t, func(t *testing.T, d *driver) {
		b := startBMC(t, nil)
		check := d.Check(within(t, 10*time.Second), deviceFor(d, b.Address()))
		if check.Power != fence.PowerOn || check.Problem != "" || check.Identity != uuidOfOne {
			t.Errorf("check %+v", check)
		}
		if got := b.Commands(); got.PowerOff+got.PowerOn+got.PowerCycle != 0 {
			t.Errorf("a check changed power: %+v", got)
		}
	})
}

func TestCheckSaysWhatToDoNextAndKeepsTheSecret(t *testing.T) {
	wrong := "wr0ng-pass-word"
	forEachKind(t, func(t *testing.T, d *driver) {
		b := startBMC(t, func(o *bmc.Options) { o.CipherSuites = []int{3} })
		deaf := startBMC(t, nil)
		deaf.SetFaults(bmc.Faults{Deaf: true})
		cases := map[string]struct {
			change func(*fence.Device)
			want   string
		}{
			"password": {func(v *fence.Device) { v.Password = fence.Secret(wrong) }, "check"},
			"user":     {func(v *fence.Device) { v.Username = "nobody" }, "check"},
			"cipher":   {func(v *fence.Device) { v.Options = map[string]string{"cipher": "17"} }, "cipher"},
			"silence":  {func(v *fence.Device) { v.Address = deaf.Address() }, "does not answer"},
			"port":     {func(v *fence.Device) { v.Address = "127.0.0.1:70000" }, "port must be"},
		}
		for name, test := range cases {
			device := deviceFor(d, b.Address())
			test.change(&device)
			check := d.Check(within(t, 10*time.Second), device)
			if check.Power != fence.PowerUnknown || !strings.Contains(check.Problem, test.want) {
				t.Errorf("%s: check %+v, want a problem that says %q", name, check, test.want)
			}
			if text := fmt.Sprintf("%#v", check); strings.Contains(text, secret) || strings.Contains(text, wrong) {
				t.Errorf("%s: the problem carries the password: %s", name, text)
			}
			t.Logf("%s: %s", name, check.Problem)
		}
	})
}

func TestTheOtherCipherSuiteIsTried(t *testing.T) {
	forEachKind(t, func(t *testing.T, d *driver) {
		for _, suite := range []int{3, 17} {
			b := startBMC(t, func(o *bmc.Options) { o.CipherSuites = []int{suite} })
			if check := d.Check(within(t, 10*time.Second), deviceFor(d, b.Address())); check.Power != fence.PowerOn {
				t.Errorf("suite %d: %+v", suite, check)
			}
		}
	})
}

func TestPowerOn(t *testing.T) {
	forEachKind(t, func(t *testing.T, d *driver) {
		b := startBMC(t, func(o *bmc.Options) { o.On = false })
		if err := d.PowerOn(within(t, 10*time.Second), deviceFor(d, b.Address())); err != nil || !b.Power() {
			t.Errorf("power %v, error %v", b.Power(), err)
		}
	})
}
