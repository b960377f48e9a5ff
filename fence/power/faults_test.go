package power

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/test/bmc"
	"github.com/clusterd/clusterd/test/redfish"
)

// The faults of boards by name, each against every peer: a BMC whose library the
// driver shares, somebody else's ipmi_sim, and a Redfish service, the first two
// also by way of ipmitool. What is law for one is law for all.

// boardFault is one thing that is wrong with a board, and what may come of it.
type boardFault struct {
	ipmi    bmc.Faults
	redfish redfish.Faults
	uuid    string
	// password is the one that the device is declared with.
	password fence.Secret
	limit    time.Duration
	outcome  fence.Outcome
	// evidence is what an operator must find in the words of the attempt.
	evidence []string
	// leavesOn: the host is on afterwards; untouched: no off command reached it.
	leavesOn, untouched bool
}

// slowOff is longer than the pause between two readings, and shorter than the
// time after which off is sent again.
const slowOff = 900 * time.Millisecond

// slowTool is how many times the time an attempt by ipmitool gets: each of its questions is a new
// process and a new session, which takes a second where a machine is busy.
const slowTool = 4

func boardFaults() map[string]boardFault {
	sound := boardFault{uuid: uuidOfOne, password: secret, limit: 10 * time.Second, outcome: fence.Unknown}
	with := func(change func(*boardFault)) boardFault {
		f := sound
		change(&f)
		return f
	}
	return map[string]boardFault{
		"acknowledges and stays on": with(func(f *boardFault) {
			f.ipmi, f.redfish = bmc.Faults{Stuck: true}, redfish.Faults{Stuck: true}
			f.limit, f.outcome, f.leavesOn = 3*time.Second, fence.Refuted, true
			f.evidence = []string{"accepted our off command", "soft power button", "says that the power is still on"}
		}),
		"hangs": with(func(f *boardFault) {
			f.ipmi, f.redfish = bmc.Faults{Deaf: true}, redfish.Faults{Hang: true}
			f.limit, f.leavesOn, f.untouched = 1500*time.Millisecond, true, true
			f.evidence = []string{"does not answer", "log in"}
		}),
		"slow": with(func(f *boardFault) {
			f.ipmi, f.redfish = bmc.Faults{SlowOff: slowOff}, redfish.Faults{SlowOff: slowOff}
			f.outcome, f.evidence = fence.Confirmed, []string{"accepted our off command", "power read off"}
		}),
		"flapping": with(func(f *boardFault) {
			f.ipmi, f.redfish = bmc.Faults{Stuck: true, Flapping: true}, redfish.Faults{Stuck: true, Flapping: true}
			f.limit, f.outcome, f.leavesOn = 2500*time.Millisecond, "", true
			f.evidence = []string{"power read off and then on, so the off reading does not count"}
		}),
		"wrong password": with(func(f *boardFault) {
			f.password, f.leavesOn, f.untouched = wrongSecret, true, true
			f.evidence = []string{"username and password"}
		}),
		"dies with its host": with(func(f *boardFault) {
			f.ipmi, f.redfish = bmc.Faults{DiesWithHost: true}, redfish.Faults{DiesWithHost: true}
			f.limit, f.evidence = 3*time.Second, []string{"power is unknown"}
		}),
		"reports another host": with(func(f *boardFault) {
			f.uuid, f.leavesOn, f.untouched = uuidOfTwo, true, true
			f.evidence = []string{"belongs to another machine", uuidOfTwo, "nothing was sent"}
		}),
	}
}

// board is a peer as a test sees it: how it is declared, and the truth about it.
type board struct {
	device fence.Device
	power  func() bool
	offs   func() int
}

// peer makes boards of one implementation, reached by one kind of driver.
type peer struct {
	name, kind string
	start      func(t *testing.T, f boardFault) board
}

func peers() []peer {
	return []peer{
		{"the Go BMC", KindIPMI, goBoard},
		{"the Go BMC by ipmitool", KindIPMITool, goBoard},
		{"ipmi_sim", KindIPMI, simulatedBoard},
		{"ipmi_sim by ipmitool", KindIPMITool, simulatedBoard},
		{"Redfish", KindRedfish, redfishBoard},
	}
}

func goBoard(t *testing.T, f boardFault) board {
	b := startBMC(t, func(o *bmc.Options) { o.HardwareUUID = f.uuid })
	b.SetFaults(f.ipmi)
	return board{fence.Device{Address: b.Address()}, b.Power, func() int { return b.Commands().PowerOff }}
}

func simulatedBoard(t *testing.T, f boardFault) board {
	s, err := bmc.StartSimulator(t.Context(), bmc.SimulatorOptions{Folder: t.TempDir(), Username: user, Password: secret,
		HardwareUUID: f.uuid, On: true})
	missing(t, errors.Is(err, bmc.ErrNoSimulator), "ipmi_sim", "openipmi")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.SetFaults(f.ipmi); err != nil {
		t.Fatal(err)
	}
	return board{fence.Device{Address: s.Address()}, s.Power, s.Offs}
}

func redfishBoard(t *testing.T, f boardFault) board {
	c := startRedfish(t, func(o *redfish.Options) { o.HardwareUUID = f.uuid })
	c.SetFaults(f.redfish)
	pinned := map[string]string{"fingerprint": c.Fingerprint()}
	return board{fence.Device{Address: c.Address(), Options: pinned}, c.Power, func() int { return c.Commands().ForceOff }}
}

// missing skips where a program is absent, and fails where it was asked for: a
// run that is to show real peers must not pass without them.
func missing(t *testing.T, absent bool, program, debian string) {
	t.Helper()
	switch {
	case !absent:
	case os.Getenv("CLUSTERD_FENCE") != "":
		t.Fatalf("%s is not installed (Debian package %s)", program, debian)
	default:
		t.Skipf("%s is not installed (Debian package %s)", program, debian)
	}
}

func TestFaultsOfBoards(t *testing.T) {
	t.Parallel()
	for name, fault := range boardFaults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, p := range peers() {
				t.Run(p.name, func(t *testing.T) {
					t.Parallel()
					_, err := exec.LookPath("ipmitool")
					missing(t, p.kind == KindIPMITool && err != nil, "ipmitool", "ipmitool")
					fault.check(t, p)
				})
			}
		})
	}
}

// check fences once and holds the outcome, its evidence and its time against the
// truth about the host.
func (f boardFault) check(t *testing.T, p peer) {
	d := newDriver(p.kind, Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	d.pace = pace{reading: betweenReadings, repeat: 1200 * time.Millisecond, suspicion: time.Second}
	b := p.start(t, f)
	request := requestFor(d, b.device.Address)
	request.Device.Options, request.Device.Password = b.device.Options, f.password
	if p.kind == KindIPMITool {
		f.limit *= slowTool
	}
	result := d.Fence(within(t, f.limit), request)
	told := strings.Join(result.Evidence, "\n")
	t.Logf("%s after %v:\n%s", result.Outcome, result.Duration.Round(time.Millisecond), told)
	if result.Outcome == fence.Confirmed && b.power() {
		t.Fatal("confirmed, and the host is on")
	}
	if f.outcome != "" {
		expect(t, result, f.outcome, f.evidence...)
	} else {
		expect(t, result, result.Outcome, f.evidence...)
	}
	if strings.Contains(told, wrongSecret) {
		t.Error("the evidence carries the password")
	}
	if over := result.Duration - f.limit; over > time.Second {
		t.Errorf("it took %v longer than its deadline of %v", over, f.limit)
	}
	if b.power() != f.leavesOn {
		t.Errorf("the host's power is on: %v", b.power())
	}
	if sent := b.offs(); (sent == 0) != f.untouched {
		t.Errorf("%d off commands reached the host", sent)
	}
}
