package power

import (
	"errors"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/fence"
)

func TestValidateFindsFaultsBeforeTheWorstNight(t *testing.T) {
	sound := fence.Device{Name: "bmc1", Driver: KindIPMI, Address: "10.0.0.1", Username: user, Password: secret}
	cases := map[string]struct {
		change func(*fence.Device)
		want   string
	}{
		"sound":        {func(*fence.Device) {}, ""},
		"port":         {func(d *fence.Device) { d.Address = "bmc1.example:9001" }, ""},
		"v6":           {func(d *fence.Device) { d.Address = "fe80::1" }, ""},
		"v6 with port": {func(d *fence.Device) { d.Address = "[fe80::1]:623" }, ""},
		"options": {func(d *fence.Device) {
			d.Options = map[string]string{"cipher": "3", "privilege": "operator"}
		}, ""},
		"no address":        {func(d *fence.Device) { d.Address = "" }, "write host or host:port"},
		"an option as host": {func(d *fence.Device) { d.Address = "-v" }, "write host or host:port"},
		"a sentence":        {func(d *fence.Device) { d.Address = "the bmc" }, "write host or host:port"},
		"port zero":         {func(d *fence.Device) { d.Address = "bmc1:0" }, "port must be"},
		"no user":           {func(d *fence.Device) { d.Username = "" }, "username"},
		"long user":         {func(d *fence.Device) { d.Username = strings.Repeat("u", 17) }, "username"},
		"long password":     {func(d *fence.Device) { d.Password = fence.Secret(strings.Repeat(secret, 3)) }, "password"},
		"naked cipher":      {func(d *fence.Device) { d.Options = map[string]string{"cipher": "0"} }, "one of 3, 17"},
		"root": {func(d *fence.Device) { d.Options = map[string]string{"privilege": "root"} },
			"one of administrator, operator"},
		"odd identity": {func(d *fence.Device) { d.Options = map[string]string{"identity": "node1"} },
			"32 hexadecimal digits"},
		"typing error": {func(d *fence.Device) { d.Options = map[string]string{"ciper": "3"} }, `"ciper" is not known`},
	}
	d := New(KindIPMI, Options{})
	for name, test := range cases {
		device := sound
		test.change(&device)
		err := d.Validate(device)
		if (err == nil) != (test.want == "") || (err != nil && !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error carries the password: %v", name, err)
		}
	}
	sound.Driver = KindIPMITool
	if err := d.Validate(sound); !errors.Is(err, ErrKind) {
		t.Errorf("another driver's device: %v", err)
	}
}

func TestNoSpellingOfThePasswordSurvives(t *testing.T) {
	for _, password := range []string{secret, `quo"te\d`, "päss wörd", "line\nbreak"} {
		s := &session{settings: settings{name: "bmc1", password: password}, hand: newPureHand(settings{}, alwaysWanted)}
		for _, text := range []string{"failed with " + password + "!", `env IPMITOOL_PASSWORD=` + password} {
			if said := s.explain("log in", errors.New(text)).Error(); strings.Contains(said, password) {
				t.Errorf("%q survived in %q", password, said)
			}
		}
	}
}

func TestOnlyClearWordsArePowerStates(t *testing.T) {
	for text, want := range map[string]fence.Power{
		"on": fence.PowerOn, "Chassis Power is on\n": fence.PowerOn, "off": fence.PowerOff,
		"Chassis Power is off\n": fence.PowerOff,
		"Off":                    fence.PowerOff, "": fence.PowerUnknown, "PoweringOff": fence.PowerUnknown,
		"Paused":                fence.PowerUnknown,
		"Chassis Power is off?": fence.PowerUnknown, "turned off": fence.PowerUnknown,
	} {
		if got := parsePower(text); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

// The three byte orders of the same UUID read the same to a person.
func TestTheGUIDIsShownAsItWasMeant(t *testing.T) {
	meant, _ := parseGUID(uuidOfOne)
	for _, wire := range []guid{meant, meant.reversed(), meant.mixed()} {
		if wire.String() != uuidOfOne && wire != meant {
			t.Errorf("%x is shown as %s", wire, wire)
		}
		if !fence.SamePlatform(wire.dashed(), uuidOfOne) {
			t.Errorf("%s is not recognised", wire.dashed())
		}
	}
}
