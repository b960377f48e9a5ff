package power

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/test/redfish"
)

func redfishDriver() *driver {
	d := newDriver(KindRedfish, Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	d.pace = pace{reading: betweenReadings, repeat: 700 * time.Millisecond, suspicion: 900 * time.Millisecond,
		steady: 2500 * time.Millisecond}
	return d
}

func startRedfish(t *testing.T, change func(*redfish.Options)) *redfish.Controller {
	t.Helper()
	options := redfish.Options{Address: "127.0.0.1:0", Username: user, Password: secret, HardwareUUID: uuidOfOne, On: true}
	if change != nil {
		change(&options)
	}
	c, err := redfish.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// redfishRequest is a request with the controller's certificate pinned.
func redfishRequest(d *driver, c *redfish.Controller) fence.Request {
	request := requestFor(d, c.Address())
	request.Device.Options = map[string]string{"fingerprint": c.Fingerprint()}
	return request
}

func TestRedfishConfirmsWithTwoReadingsAfterItsOwnForceOff(t *testing.T) {
	t.Parallel()
	for _, auth := range []string{"session", "basic"} {
		t.Run(auth, func(t *testing.T) {
			t.Parallel()
			d, c := redfishDriver(), startRedfish(t, nil)
			d.pace.reading = 20 * time.Millisecond
			request := redfishRequest(d, c)
			request.Device.Options["auth"] = auth
			result := d.Fence(within(t, 10*time.Second), request)
			expect(t, result, fence.Confirmed, "tells the hardware UUID of node1", "accepted our off command", "power read off")
			if got := c.Commands(); c.Power() || got.ForceOff != 1 || got.Graceful+got.Other+got.On != 0 {
				t.Errorf("power %v, commands %+v", c.Power(), got)
			}
			at := map[string]time.Time{}
			for _, phase := range result.Phases {
				at[phase.What] = phase.At
			}
			if apart := at["off confirmed"].Sub(at["first off reading"]); apart < betweenReadings {
				t.Errorf("the two readings are %v apart, law says %v", apart, betweenReadings)
			}
			t.Logf("in all %v, login %v", result.Duration, at["connected"].Sub(at["off confirmed"].Add(-result.Duration)))
		})
	}
}

// A session left open takes one of the few that a board has.
func TestRedfishLogsOut(t *testing.T) {
	t.Parallel()
	d, c := redfishDriver(), startRedfish(t, nil)
	request := redfishRequest(d, c)
	expect(t, d.Fence(within(t, 10*time.Second), request), fence.Confirmed)
	if check := d.Check(within(t, 10*time.Second), request.Device); check.Power != fence.PowerOff {
		t.Fatalf("check %+v", check)
	}
	if open := c.AwaitLogout(within(t, 5*time.Second)); open != 0 {
		t.Errorf("%d sessions are still open", open)
	}
}

func TestRedfishSendsForceOffAlsoWhenPowerAlreadyReadsOff(t *testing.T) {
	t.Parallel()
	d, c := redfishDriver(), startRedfish(t, func(o *redfish.Options) { o.On = false })
	expect(t, d.Fence(within(t, 10*time.Second), redfishRequest(d, c)), fence.Confirmed)
	if got := c.Commands(); got.ForceOff != 1 {
		t.Errorf("commands %+v, want one ForceOff", got)
	}
}

func TestRedfishBelievesARefusalOnlyOfAMachineThatStaysOff(t *testing.T) {
	t.Parallel()
	d, c := redfishDriver(), startRedfish(t, func(o *redfish.Options) { o.On = false })
	c.SetFaults(redfish.Faults{Conflict: true})
	result := d.Fence(within(t, 20*time.Second), redfishRequest(d, c))
	expect(t, result, fence.Confirmed, "power read off all along", "off sent once more")
	if got := c.Commands(); got.ForceOff != 2 || result.Duration < d.pace.steady {
		t.Errorf("%d commands in %v, want two, %v apart", got.ForceOff, result.Duration, d.pace.steady)
	}
}

// Somebody's power cycle reads off for a second, refuses commands meanwhile,
// and ends with the power on.
func TestRedfishIsNotTakenInByAPowerCycle(t *testing.T) {
	t.Parallel()
	d, c := redfishDriver(), startRedfish(t, nil)
	request := redfishRequest(d, c)
	client := newRedfishHand(mustParse(t, request.Device), alwaysWanted).(*redfishHand)
	if err := client.Open(within(t, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := client.reset(t.Context(), *client.last.Load(), "PowerCycle"); err != nil {
		t.Fatal(err)
	}
	c.SetFaults(redfish.Faults{Busy: true})
	result := d.Fence(within(t, 5*time.Second), request)
	if result.Outcome == fence.Confirmed || !c.Power() {
		t.Fatalf("outcome %s with power %v: %v", result.Outcome, c.Power(), result.Evidence)
	}
	_ = client.Close(t.Context())
}

func mustParse(t *testing.T, device fence.Device) settings {
	t.Helper()
	s, err := parseSettings(device)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRedfishPowerThatIsNotOffIsNeverConfirmed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		faults redfish.Faults
		want   fence.Outcome
	}{
		"stuck":        {redfish.Faults{Stuck: true}, fence.Refuted},
		"flapping":     {redfish.Faults{Stuck: true, Flapping: true}, ""},
		"powering off": {redfish.Faults{State: "PoweringOff"}, fence.Unknown},
		"paused":       {redfish.Faults{State: "Paused"}, fence.Unknown},
		"null":         {redfish.Faults{State: "null"}, fence.Unknown},
		"busy":         {redfish.Faults{Busy: true}, fence.Unknown},
		"refusing":     {redfish.Faults{Refuse: true}, fence.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, c := redfishDriver(), startRedfish(t, nil)
			c.SetFaults(test.faults)
			result := d.Fence(within(t, 3*time.Second), redfishRequest(d, c))
			if result.Outcome == fence.Confirmed || (test.want != "" && result.Outcome != test.want) {
				t.Fatalf("outcome %s, want %s: %v", result.Outcome, test.want, result.Evidence)
			}
		})
	}
}

func TestRedfishWaitsWhileTheMachinePowersOff(t *testing.T) {
	t.Parallel()
	d, c := redfishDriver(), startRedfish(t, nil)
	c.SetFaults(redfish.Faults{SlowOff: 900 * time.Millisecond})
	result := d.Fence(within(t, 10*time.Second), redfishRequest(d, c))
	expect(t, result, fence.Confirmed)
	if result.Duration < 1200*time.Millisecond || c.Commands().ForceOff != 1 {
		t.Errorf("%d commands in %v", c.Commands().ForceOff, result.Duration)
	}
}

func TestRedfishKeepsItsDeadlineAgainstABoardThatHangs(t *testing.T) {
	t.Parallel()
	d, c := redfishDriver(), startRedfish(t, nil)
	c.SetFaults(redfish.Faults{Hang: true})
	result := d.Fence(within(t, time.Second), redfishRequest(d, c))
	expect(t, result, fence.Unknown, "does not answer")
	if result.Duration > 1500*time.Millisecond {
		t.Errorf("took %v, the deadline was 1 s", result.Duration)
	}
}

// The last question can outlive the attempt. What is told then is that nobody
// answered it, not only that the power is unknown.
func TestRedfishTellsThatTheLastQuestionWasNotAnswered(t *testing.T) {
	t.Parallel()
	d, c := redfishDriver(), startRedfish(t, nil)
	c.SetFaults(redfish.Faults{DiesWithHost: true})
	result := d.Fence(within(t, 2*time.Second), redfishRequest(d, c))
	expect(t, result, fence.Unknown, "accepted our off command", "before the time was up, and gave no answer",
		"has not said off twice")
}

func TestRedfishDoesNotWaitForTheFarewell(t *testing.T) {
	t.Parallel()
	d, c := redfishDriver(), startRedfish(t, nil)
	c.SetFaults(redfish.Faults{HangLogout: true})
	result := d.Fence(within(t, 10*time.Second), redfishRequest(d, c))
	expect(t, result, fence.Confirmed)
	if result.Duration > closeLimit {
		t.Errorf("took %v", result.Duration)
	}
}

func TestRedfishNeverSendsOffToAnotherMachine(t *testing.T) {
	t.Parallel()
	for uuid, want := range map[string]string{uuidOfTwo: "belongs to another machine", "": "run the fence drill",
		"n/a": "run the fence drill"} {
		d, c := redfishDriver(), startRedfish(t, func(o *redfish.Options) { o.HardwareUUID = uuid })
		expect(t, d.Fence(within(t, 5*time.Second), redfishRequest(d, c)), fence.Unknown, want)
		if got := c.Commands(); got.ForceOff != 0 {
			t.Errorf("%q: %d off commands were sent", uuid, got.ForceOff)
		}
	}
}

func TestRedfishChoosesAmongSystemsByName(t *testing.T) {
	t.Parallel()
	d, c := redfishDriver(), startRedfish(
		t, func(o *redfish.Options) { o.Neighbours = []string{"blade2", "twin", "twin"} })
	request := redfishRequest(d, c)
	for _, name := range []string{"", "blade7", "twin"} {
		request.Device.Options["system"] = name
		check := d.Check(within(t, 5*time.Second), request.Device)
		if !strings.Contains(check.Problem, "option system") || check.Power != fence.PowerUnknown {
			t.Errorf("system %q: check %+v", name, check)
		}
	}
	request.Device.Options["system"] = "System"
	expect(t, d.Fence(within(t, 5*time.Second), request), fence.Confirmed)
}

func TestRedfishBoardsThatAnswerSlowlyAreUsable(t *testing.T) {
	t.Parallel()
	for _, auth := range []string{"session", "basic"} {
		d, c := redfishDriver(), startRedfish(t, nil)
		c.SetFaults(redfish.Faults{Slow: 500 * time.Millisecond})
		request := redfishRequest(d, c)
		request.Device.Options["auth"] = auth
		// A twelfth of six seconds an answer, and of the time that the daemon gives.
		expect(t, d.Fence(within(t, 60*time.Second/12), request), fence.Confirmed)
		if check := d.Check(within(t, 45*time.Second/12), request.Device); check.Problem != "" || check.Identity == "" {
			t.Errorf("%s: check %+v", auth, check)
		}
	}
}

func TestRedfishFencesOneOfTwoSystemsOfOneName(t *testing.T) {
	t.Parallel()
	d, c := redfishDriver(), startRedfish(t, func(o *redfish.Options) { o.Neighbours = []string{"System"} })
	request := redfishRequest(d, c)
	for _, which := range []string{"1", "/redfish/v1/Systems/1"} {
		request.Device.Options["system"] = which
		expect(t, d.Fence(within(t, 5*time.Second), request), fence.Confirmed)
	}
}

func TestRedfishAsksWhetherItIsStillWanted(t *testing.T) {
	t.Parallel()
	d, c := redfishDriver(), startRedfish(t, nil)
	c.SetFaults(redfish.Faults{Stuck: true})
	request := redfishRequest(d, c)
	var asked atomic.Int32
	request.StillWanted = func() error {
		if asked.Add(1) > 1 {
			return errors.New("the intent was withdrawn")
		}
		return nil
	}
	expect(t, d.Fence(within(t, 10*time.Second), request), fence.Unknown, "the intent was withdrawn")
	if got := c.Commands(); got.ForceOff != 1 {
		t.Errorf("%d off commands, want the one that was wanted", got.ForceOff)
	}
}

func TestRedfishSendsNothingOnceTheCallerIsGone(t *testing.T) {
	t.Parallel()
	d, c := redfishDriver(), startRedfish(t, nil)
	request := redfishRequest(d, c)
	release, answered := make(chan struct{}), make(chan struct{})
	request.StillWanted = func() error {
		<-release
		close(answered)
		return nil
	}
	expect(t, d.Fence(within(t, time.Second), request), fence.Unknown)
	close(release)
	<-answered
	// The controller counts before it answers, so a command that slipped out
	// would be seen by the reading that follows it.
	if check := d.Check(within(t, 5*time.Second), request.Device); check.Power != fence.PowerOn ||
		c.Commands().ForceOff != 0 {
		t.Errorf("check %+v, commands %+v", check, c.Commands())
	}
}

func TestRedfishRefusesABoardWithoutForceOff(t *testing.T) {
	t.Parallel()
	d, c := redfishDriver(), startRedfish(
		t, func(o *redfish.Options) { o.ResetTypes = []string{"On", "GracefulShutdown"} })
	expect(t, d.Fence(within(t, 10*time.Second), redfishRequest(d, c)), fence.Unknown,
		"ForceOff is not among On, GracefulShutdown")
	if got := c.Commands(); got.ForceOff+got.Graceful != 0 {
		t.Errorf("commands %+v", got)
	}
}

func TestRedfishPowerOn(t *testing.T) {
	t.Parallel()
	d, c := redfishDriver(), startRedfish(t, func(o *redfish.Options) { o.On = false })
	c.SetFaults(redfish.Faults{Conflict: true})
	for range 2 {
		if err := d.PowerOn(within(t, 5*time.Second), redfishRequest(d, c).Device); err != nil || !c.Power() {
			t.Errorf("power %v, error %v", c.Power(), err)
		}
	}
}

func TestRedfishOverIPv6(t *testing.T) {
	t.Parallel()
	if socket, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skipf("this machine has no IPv6 loopback: %v", err)
	} else {
		_ = socket.Close()
	}
	d, c := redfishDriver(), startRedfish(t, func(o *redfish.Options) { o.Address = "[::1]:0" })
	request := redfishRequest(d, c)
	request.Device.Options = map[string]string{"ca": c.CertificatePEM()}
	expect(t, d.Fence(within(t, 5*time.Second), request), fence.Confirmed)
}

// The first reading after a new login may be the login's own; none before the
// command may count.
func TestRedfishCountsNoReadingFromBeforeTheCommand(t *testing.T) {
	t.Parallel()
	d, c := redfishDriver(), startRedfish(t, func(o *redfish.Options) { o.On = false })
	before := c.Commands().Readings
	expect(t, d.Fence(within(t, 5*time.Second), redfishRequest(d, c)), fence.Confirmed)
	if after := c.Commands().Readings - before; after < 3 {
		t.Errorf("%d readings, want one at login and two after the command", after)
	}
}

// bmclib writes requests to standard output when told by the environment.
func TestTheEnvironmentCannotMakeTheLibraryTell(t *testing.T) {
	t.Setenv("DEBUG_BMCLIB", "true")
	redfishDriver()
	if os.Getenv("DEBUG_BMCLIB") != "" {
		t.Error("the library would write passwords to standard output")
	}
}

// A list that points to itself must not keep the reader forever.
func TestRedfishEndsACircle(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	circle := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		_, _ = io.WriteString(
			w, `{"Systems": {"@odata.id": "/redfish/v1/Systems"}, "Members@odata.nextLink": `+
				`"/redfish/v1/Systems", "Members": []}`)
	}))
	t.Cleanup(circle.Close)
	d := redfishDriver()
	device := deviceFor(d, circle.Listener.Addr().String())
	device.Options = map[string]string{"insecure": "true", "auth": "basic"}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	check := d.Check(ctx, device)
	if !strings.Contains(check.Problem, "not a Redfish service") || asked.Load() > 2*maxRequests {
		t.Errorf("check %+v after %d requests", check, asked.Load())
	}
}
