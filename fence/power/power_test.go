package power

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/test/bmc"
)

const (
	user      = "admin"
	secret    = "s3cret-pass"
	uuidOfOne = "4c4c4544-0034-5210-8052-b4c04f564d31"
	uuidOfTwo = "4c4c4544-0034-5210-8052-b4c04f564d32"
)

// TestMain lets more tests run at once than there are processors: they spend
// their time waiting for readings, not computing.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// forEachKind runs a test against both drivers: what is law for one is law for
// the other.
func forEachKind(t *testing.T, test func(t *testing.T, d *driver)) {
	t.Parallel()
	for _, kind := range []string{KindIPMI, KindIPMITool} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath("ipmitool"); kind == KindIPMITool && err != nil {
				t.Skip("ipmitool is not installed (Debian package ipmitool)")
			}
			d := newDriver(kind, Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
			d.pace = pace{reading: betweenReadings, repeat: 700 * time.Millisecond, suspicion: 900 * time.Millisecond}
			test(t, d)
		})
	}
}

func startBMC(t *testing.T, change func(*bmc.Options)) *bmc.BMC {
	t.Helper()
	options := bmc.Options{Address: "127.0.0.1:0", Username: user, Password: secret, HardwareUUID: uuidOfOne, On: true}
	if change != nil {
		change(&options)
	}
	b, err := bmc.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func deviceFor(d *driver, address string) fence.Device {
	return fence.Device{Name: "node1-bmc", Driver: d.kind, Address: address, Username: user, Password: secret}
}

func requestFor(d *driver, address string) fence.Request {
	return fence.Request{
		Act: "1.2.3", Device: deviceFor(d, address),
		Target:      fence.Target{Node: "node1", HardwareUUID: uuidOfOne, Boot: "boot-1"},
		StillWanted: func() error { return nil },
		SignOfLife:  func() bool { return false },
	}
}

func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

func expect(t *testing.T, result fence.Result, outcome fence.Outcome, words ...string) {
	t.Helper()
	told := strings.Join(result.Evidence, "\n")
	if result.Outcome != outcome {
		t.Fatalf("outcome %s, want %s; evidence:\n%s", result.Outcome, outcome, told)
	}
	for _, word := range words {
		if !strings.Contains(told, word) {
			t.Errorf("evidence does not say %q:\n%s", word, told)
		}
	}
	if strings.Contains(fmt.Sprintf("%+v %#v", result, result), secret) {
		t.Errorf("the result carries the password: %+v", result)
	}
}

func TestFenceConfirmsWithTwoReadingsAfterItsOwnOff(t *testing.T) {
	forEachKind(t, func(t *testing.T, d *driver) {
		// However often it reads, two readings count only with the law's distance.
		d.pace.reading = 20 * time.Millisecond
		b := startBMC(t, nil)
		result := d.Fence(within(t, 10*time.Second), requestFor(d, b.Address()))
		expect(t, result, fence.Confirmed, "tells the hardware UUID of node1", "accepted our off command", "power read off")
		if b.Power() {
			t.Error("confirmed, but the power is on")
		}
		at := map[string]time.Time{}
		for _, phase := range result.Phases {
			at[phase.What] = phase.At
		}
		apart := at["off confirmed"].Sub(at["first off reading"])
		if apart < betweenReadings {
			t.Errorf("the two readings are %v apart, law says %v", apart, betweenReadings)
		}
		t.Logf("login to accepted %v, accepted to confirmed %v, in all %v", at["off accepted"].Sub(at["connected"]),
			at["off confirmed"].Sub(at["off accepted"]), result.Duration)
	})
}

func TestFenceSendsOffAlsoWhenPowerAlreadyReadsOff(t *testing.T) {
	forEachKind(t, func(t *testing.T, d *driver) {
		b := startBMC(t, func(o *bmc.Options) { o.On = false })
		expect(t, d.Fence(within(t, 10*time.Second), requestFor(d, b.Address())), fence.Confirmed)
		if got := b.Commands(); got.PowerOff != 1 || got.PowerCycle+got.SoftOff+got.Reset+got.PowerOn != 0 {
			t.Errorf("commands %+v, want exactly one power off", got)
		}
	})
}

func TestFenceWaitsForASlowMachine(t *testing.T) {
	forEachKind(t, func(t *testing.T, d *driver) {
		d.pace.repeat = time.Minute
		b := startBMC(t, nil)
		b.SetFaults(bmc.Faults{SlowOff: 800 * time.Millisecond})
		result := d.Fence(within(t, 10*time.Second), requestFor(d, b.Address()))
		expect(t, result, fence.Confirmed)
		if b.Commands().PowerOff != 1 || result.Duration < 1100*time.Millisecond {
			t.Errorf("%d off commands in %v", b.Commands().PowerOff, result.Duration)
		}
	})
}

func TestFenceOfAMachineThatStaysOnIsRefuted(t *testing.T) {
	forEachKind(t, func(t *testing.T, d *driver) {
		b := startBMC(t, nil)
		b.SetFaults(bmc.Faults{Stuck: true})
		result := d.Fence(within(t, 8*time.Second), requestFor(d, b.Address()))
		expect(t, result, fence.Refuted, "soft power button", "off sent again", "still on")
		// A busy machine has no time for all of them.
		if got := b.Commands().PowerOff; got < 2 || got > 1+repeatTries {
			t.Errorf("%d off commands, want one and up to %d more", got, repeatTries)
		}
	})
}

func TestFenceDoesNotBelieveAnUnsteadyReading(t *testing.T) {
	faults := map[string]bmc.Faults{"flapping": {Flapping: true, Stuck: true}, "lying": {LieOff: 200 * time.Millisecond}}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			forEachKind(t, func(t *testing.T, d *driver) {
				b := startBMC(t, nil)
				b.SetFaults(fault)
				result := d.Fence(within(t, 2*time.Second), requestFor(d, b.Address()))
				if result.Outcome == fence.Confirmed || !b.Power() {
					t.Fatalf("outcome %s with the power on: %v", result.Outcome, result.Evidence)
				}
			})
		})
	}
}

func TestFenceThatIsRefusedIsUnknown(t *testing.T) {
	forEachKind(t, func(t *testing.T, d *driver) {
		b := startBMC(t, func(o *bmc.Options) { o.On = false })
		b.SetFaults(bmc.Faults{Refuse: true})
		expect(t, d.Fence(within(t, 10*time.Second), requestFor(d, b.Address())), fence.Unknown, "not accepted")
		if got := b.Commands().PowerOff; got != acceptTries {
			t.Errorf("%d off commands, want %d", got, acceptTries)
		}
	})
}

func TestFenceNeverSendsOffToAnotherMachine(t *testing.T) {
	cases := map[string]struct {
		uuid     string
		verified bool
		want     string
	}{
		"another machine":                    {uuidOfTwo, false, "belongs to another machine"},
		"another machine, though drilled":    {uuidOfTwo, true, "belongs to another machine"},
		"nobody says whose it is":            {"", false, "run the fence drill"},
		"a blank board says nothing, either": {strings.Repeat("f", 32), false, "run the fence drill"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			forEachKind(t, func(t *testing.T, d *driver) {
				b := startBMC(t, func(o *bmc.Options) {
					o.HardwareUUID = test.uuid
					o.On = false
				})
				request := requestFor(d, b.Address())
				request.IdentityVerified = test.verified
				expect(t, d.Fence(within(t, 10*time.Second), request), fence.Unknown, test.want)
				if got := b.Commands().PowerOff; got != 0 {
					t.Errorf("%d off commands were sent", got)
				}
			})
		})
	}
}

func TestFenceDoesNotBelieveAUUIDThatOthersClaim(t *testing.T) {
	forEachKind(t, func(t *testing.T, d *driver) {
		b := startBMC(t, nil)
		request := requestFor(d, b.Address())
		request.Target.Claimed = "device bmc-node2 of node node2 tells it too"
		expect(t, d.Fence(within(t, 10*time.Second), request), fence.Unknown, "identifies nobody")
		if got := b.Commands().PowerOff; got != 0 {
			t.Errorf("%d off commands were sent", got)
		}
		request.IdentityVerified = true
		expect(t, d.Fence(within(t, 10*time.Second), request), fence.Confirmed)
	})
}

func TestFenceTrustsADrillWhereTheBoardCannotSay(t *testing.T) {
	forEachKind(t, func(t *testing.T, d *driver) {
		silent := startBMC(t, func(o *bmc.Options) { o.HardwareUUID = "" })
		request := requestFor(d, silent.Address())
		request.IdentityVerified = true
		expect(t, d.Fence(within(t, 10*time.Second), request), fence.Confirmed, "the drill verified")

		odd := startBMC(t, func(o *bmc.Options) { o.HardwareUUID = uuidOfTwo })
		request = requestFor(d, odd.Address())
		request.Device.Options = map[string]string{"identity": uuidOfTwo}
		expect(t, d.Fence(within(t, 10*time.Second), request), fence.Unknown, "run the fence drill")
		request.IdentityVerified = true
		expect(t, d.Fence(within(t, 10*time.Second), request), fence.Confirmed, "identity declared for it")
	})
}

func TestSignOfLifeForbidsConfirmed(t *testing.T) {
	forEachKind(t, func(t *testing.T, d *driver) {
		b := startBMC(t, nil)
		request := requestFor(d, b.Address())
		request.SignOfLife = func() bool { return true }
		expect(t, d.Fence(within(t, 10*time.Second), request), fence.Unknown, "was heard from")
	})
}

func TestStillWantedIsAskedBeforeEachOff(t *testing.T) {
	forEachKind(t, func(t *testing.T, d *driver) {
		b := startBMC(t, nil)
		b.SetFaults(bmc.Faults{Stuck: true})
		request := requestFor(d, b.Address())
		var asked atomic.Int32
		request.StillWanted = func() error {
			if asked.Add(1) > 1 {
				return errors.New("the intent was withdrawn")
			}
			return nil
		}
		expect(t, d.Fence(within(t, 10*time.Second), request), fence.Unknown, "the intent was withdrawn")
		if got := b.Commands().PowerOff; got != 1 {
			t.Errorf("%d off commands, want the one that was wanted", got)
		}
	})
}

func TestNothingIsSentOnceTheCallerIsGone(t *testing.T) {
	forEachKind(t, func(t *testing.T, d *driver) {
		b := startBMC(t, nil)
		request := requestFor(d, b.Address())
		release := make(chan struct{})
		request.StillWanted = func() error {
			<-release
			return nil
		}
		expect(t, d.Fence(within(t, time.Second), request), fence.Unknown)
		close(release)
		// Every slot is free again only when the abandoned call has returned.
		for range maxCalls {
			d.calls.slots <- struct{}{}
		}
		if got := b.Commands().PowerOff; got != 0 {
			t.Errorf("%d off commands were sent after the deadline", got)
		}
	})
}

func TestFenceWithoutItsQuestionsIsRefused(t *testing.T) {
	t.Parallel()
	d := newDriver(KindIPMI, Options{})
	b := startBMC(t, nil)
	request := requestFor(d, b.Address())
	request.SignOfLife = nil
	expect(t, d.Fence(within(t, time.Second), request), fence.Unknown, "nothing was sent")
	if got := b.Commands(); got.PowerOff != 0 {
		t.Errorf("commands %+v", got)
	}
}

func TestALostPacketCostsLessThanASecond(t *testing.T) {
	t.Parallel()
	d := newDriver(KindIPMI, Options{})
	for lost := 1; lost <= 3; lost++ {
		b := startBMC(t, nil)
		b.SetFaults(bmc.Faults{Lose: 1})
		result := d.Fence(within(t, 10*time.Second), requestFor(d, b.Address()))
		expect(t, result, fence.Confirmed)
		if result.Duration > 1500*time.Millisecond {
			t.Errorf("took %v", result.Duration)
		}
	}
}

func TestOperatorPrivilegeIsEnough(t *testing.T) {
	forEachKind(t, func(t *testing.T, d *driver) {
		b := startBMC(t, func(o *bmc.Options) { o.Operator = true })
		request := requestFor(d, b.Address())
		request.Device.Options = map[string]string{"privilege": "operator"}
		expect(t, d.Fence(within(t, 10*time.Second), request), fence.Confirmed)
	})
}

func TestAnUnreachablePortIsUnknown(t *testing.T) {
	forEachKind(t, func(t *testing.T, d *driver) {
		socket, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := socket.LocalAddr().String()
		_ = socket.Close()
		expect(t, d.Fence(within(t, 20*time.Second), requestFor(d, address)), fence.Unknown)
	})
}
