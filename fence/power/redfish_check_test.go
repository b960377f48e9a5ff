package power

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/test/redfish"
)

const wrongSecret = "wr0ng-pass-word"

// redfishCheck is a device and what its check says.
type redfishCheck struct {
	change func(*fence.Device, *redfish.Controller)
	faults redfish.Faults
	start  func(*redfish.Options)
	// want is a part of the problem; empty means that there is none.
	want string
}

func withOption(name, value string) func(*fence.Device, *redfish.Controller) {
	return func(d *fence.Device, _ *redfish.Controller) { d.Options = map[string]string{name: value} }
}

func withOwnAuthority(d *fence.Device, c *redfish.Controller) {
	d.Options = map[string]string{"ca": c.CertificatePEM()}
}

func at(address string) func(*fence.Device, *redfish.Controller) {
	return func(d *fence.Device, _ *redfish.Controller) { d.Address = address }
}

func expired(o *redfish.Options) { o.ExpiredSince = time.Hour }

func offers(types ...string) func(*redfish.Options) {
	return func(o *redfish.Options) { o.ResetTypes = types }
}

func offersApart(types ...string) func(*redfish.Options) {
	return func(o *redfish.Options) { o.ResetTypes, o.ActionInfo = types, true }
}

func role(name string, privileges ...string) func(*redfish.Options) {
	return func(o *redfish.Options) { o.Role, o.Privileges = name, privileges }
}

func neighbours(names ...string) func(*redfish.Options) {
	return func(o *redfish.Options) { o.Neighbours = names }
}

func withSystem(name string) func(*fence.Device, *redfish.Controller) {
	return func(d *fence.Device, _ *redfish.Controller) { d.Options["system"] = name }
}

// redfishChecks need another controller's certificate, a server without TLS
// and an address where nobody listens.
func redfishChecks(other *redfish.Controller, plain, closed string) map[string]redfishCheck {
	return map[string]redfishCheck{
		"pinned":            {},
		"insecure":          {change: withOption("insecure", "true")},
		"own authority":     {change: withOwnAuthority},
		"system's roots":    {change: withOption("auth", "session"), want: "option ca"},
		"not so insecure":   {change: withOption("insecure", "false"), want: "option ca"},
		"other authority":   {change: withOption("ca", other.CertificatePEM()), want: "option ca"},
		"other certificate": {change: withOption("fingerprint", other.Fingerprint()), want: "not the pinned one"},
		"both certificates": {change: func(d *fence.Device, c *redfish.Controller) {
			d.Options["fingerprint"] = other.Fingerprint() + "," + c.Fingerprint()
		}},
		"expired":            {change: withOwnAuthority, start: expired, want: "outside its dates"},
		"expired but pinned": {start: expired},
		"password": {change: func(d *fence.Device, _ *redfish.Controller) { d.Password = wrongSecret },
			want: "check username and password"},
		"basic password": {change: func(d *fence.Device, _ *redfish.Controller) {
			d.Password, d.Options["auth"] = wrongSecret, "basic"
		}, want: "check username and password"},
		"no hard off":        {start: offers("On", "GracefulShutdown"), want: "ForceOff is not among On, GracefulShutdown"},
		"no hard off, apart": {start: offersApart("On", "GracefulShutdown"), want: "ForceOff is not among"},
		"a hard off, apart":  {start: offersApart("On", "ForceOff")},
		"no power state":     {faults: redfish.Faults{Mute: true}, want: "it tells no power state"},
		"an odd power state": {faults: redfish.Faults{State: "Paused"}, want: "\"Paused\", which is neither on nor off"},
		"an operator":        {start: role("Operator")},
		"who may only look":  {start: role("ReadOnly"), want: "\"ReadOnly\", which may not switch the power; give it"},
		"an own role":        {start: role("Fencer", "Login", "ConfigureComponents")},
		"a weak own role":    {start: role("Watcher", "Login", "ConfigureSelf"), want: "\"Watcher\", which may not switch"},
		"one of two":         {start: neighbours("System", "System"), change: withSystem("1")},
		"the other of two":   {start: neighbours("System"), change: withSystem("7"), want: "option system"},
		"a printer":          {faults: redfish.Faults{Garbage: true}, want: "not a Redfish service"},
		"elsewhere":          {faults: redfish.Faults{Redirect: "https://192.0.2.1"}, want: "points to another host"},
		"no TLS":             {change: at(plain), want: "does not speak TLS"},
		"nobody there":       {change: at(closed), want: "HTTPS service is enabled"},
	}
}

func TestRedfishCheckSaysWhatToDoNext(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := socket.Addr().String()
	_ = socket.Close()
	for name, test := range redfishChecks(startRedfish(t, nil), plain.Listener.Addr().String(), closed) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, c := redfishDriver(), startRedfish(t, test.start)
			c.SetFaults(test.faults)
			device := redfishRequest(d, c).Device
			if test.change != nil {
				test.change(&device, c)
			}
			check := d.Check(within(t, 10*time.Second), device)
			if (check.Problem == "") != (test.want == "") || !strings.Contains(check.Problem, test.want) {
				t.Errorf("check %+v, want a problem that says %q", check, test.want)
			}
			if test.want == "" && (check.Power != fence.PowerOn || check.Identity != uuidOfOne) {
				t.Errorf("check %+v", check)
			}
			if text := fmt.Sprintf("%#v", check); strings.Contains(text, secret) || strings.Contains(text, wrongSecret) {
				t.Errorf("the problem carries the password: %s", text)
			}
			if _, failed := c.Sessions(); failed > 1 {
				t.Errorf("%d logins failed; an account locks after a few", failed)
			}
			t.Log(check.Problem)
		})
	}
}

func TestRedfishTellsARefusedLoginFromOtherRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		method, path string
		status       int
		body         string
		refused      bool
		want         string
	}{
		"wrong password": {"POST", "/redfish/v1/SessionService/Sessions", 401, `{"error":{"message":"no"}}`, true,
			"check username"},
		"wrong, said oddly": {"POST", "/redfish/v1/SessionService/Sessions", 400, "", true, "check username"},
		"no session is left": {"POST", "/redfish/v1/SessionService/Sessions", 400,
			`{"error":{"@Message.ExtendedInfo":[{"MessageId":"Base.1.8.SessionLimitExceeded"}]}}`, false, "auth: basic"},
		"no right to switch": {"POST", "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset", 403, "", false, "role Operator"},
		"no Redfish":         {"GET", "/redfish/v1/", 404, "<html>", false, "not a Redfish service"},
		"a broken board":     {"GET", "/redfish/v1/Systems", 500, "oops", false, "see the detail"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), test.method, "https://bmc1"+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		refusal := refusalOf(request, test.status, []byte(test.body))
		s := &session{settings: settings{name: "bmc1", kind: KindRedfish}, hand: &redfishHand{}}
		if said := s.explain("log in", refusal).Error(); errors.Is(refusal, errLoginRefused) != test.refused ||
			!strings.Contains(said, test.want) {
			t.Errorf("%s: %s, want %q, refused login %v", name, said, test.want, test.refused)
		}
	}
}

func TestRedfishValidate(t *testing.T) {
	sound := fence.Device{Name: "bmc1", Driver: KindRedfish, Address: "bmc1.example",
		Username: "operator.of.the.cluster", Password: secret}
	pin := strings.Repeat("ab", 32)
	for name, test := range map[string]struct {
		options map[string]string
		want    string
	}{
		"sound": {nil, ""},
		"pinned": {map[string]string{"fingerprint": strings.ToUpper(pin[:62]) + ":ab", "auth": "basic",
			"identity": uuidOfOne}, ""},
		"short pin":     {map[string]string{"fingerprint": "abcd"}, "64 hexadecimal digits"},
		"odd auth":      {map[string]string{"auth": "digest"}, "one of session, basic"},
		"odd ca":        {map[string]string{"ca": "/etc/ssl/ca.pem"}, "BEGIN CERTIFICATE"},
		"odd insecure":  {map[string]string{"insecure": "yes"}, "one of true, false"},
		"two ways":      {map[string]string{"fingerprint": pin, "insecure": "true"}, "exclude each other"},
		"typing error":  {map[string]string{"fingerprnt": pin}, "is not known"},
		"IPMI's option": {map[string]string{"cipher": "3"}, "is not known"},
	} {
		device := sound
		device.Options = test.options
		err := New(KindRedfish, Options{}).Validate(device)
		if (err == nil) != (test.want == "") || (err != nil && !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	sound.Password = ""
	if err := New(KindRedfish, Options{}).Validate(sound); err == nil {
		t.Error("a device without a password is accepted")
	}
}

func TestRedfishCheckTakesNoOffenceAtAPowerThatIsChanging(t *testing.T) {
	t.Parallel()
	d, c := redfishDriver(), startRedfish(t, nil)
	c.SetFaults(redfish.Faults{State: "PoweringOff"})
	check := d.Check(within(t, 5*time.Second), redfishRequest(d, c).Device)
	if check.Problem != "" || check.Power != fence.PowerUnknown {
		t.Errorf("check %+v", check)
	}
}
