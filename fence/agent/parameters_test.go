package agent

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/fence"
)

func TestValidateFindsFaultsBeforeTheWorstNight(t *testing.T) {
	t.Parallel()
	s := newStory(t, honest)
	d := s.driver()
	option := func(name, value string) func(*fence.Device) {
		return func(v *fence.Device) { v.Options[name] = value }
	}
	for name, test := range map[string]struct {
		change func(*fence.Device)
		want   string
	}{
		"sound":            {func(*fence.Device) {}, ""},
		"by path":          {option("agent", filepath.Join(s.folder, "fence_story")), ""},
		"dashes":           {option("power-wait", "4"), ""},
		"old name":         {option("port", "7"), ""},
		"no agent":         {func(v *fence.Device) { delete(v.Options, "agent") }, "name the fence agent"},
		"not installed":    {option("agent", "fence_nothing"), "install the package fence-agents"},
		"a shell":          {option("agent", "/bin/sh"), "name of a fence agent"},
		"a relative path":  {option("agent", "../fence_story"), "absolute path"},
		"typing error":     {option("power_wiat", "4"), "Did you mean 'power_wait'"},
		"not a number":     {option("power_wait", "4s"), "must be a number"},
		"no such choice":   {option("method", "twice"), "onoff, cycle"},
		"no address":       {func(v *fence.Device) { v.Address = "" }, "write the device's address"},
		"port not taken":   {func(v *fence.Device) { v.Address = "pdu.example:161" }, "takes no ipport"},
		"given twice":      {option("login", "root"), "given twice"},
		"action":           {option("action", "reboot"), "the cluster chooses"},
		"old action":       {option("option", "reboot"), "the cluster chooses"},
		"delay":            {option("delay", "5"), "shoot the next boot"},
		"debug file":       {option("debug-file", "/tmp/x"), "password to a file"},
		"password outside": {option("passwd", "x"), "device's password"},
		"missing as off":   {option("missing_as_off", "1"), "not one that is off"},
		"two lines":        {option("plug", "7\naction=on"), "control character"},
		"odd identity":     {option("identity", "sure"), "say assumed"},
		"quoted password":  {func(v *fence.Device) { v.Password = `"` + secret + `"` }, "double quotes"},
		"spaced password":  {func(v *fence.Device) { v.Password = secret + " " }, "begins or ends with a space"},
		"inner quotes":     {func(v *fence.Device) { v.Password = `a" "b` }, ""},
		"message for sbd":  {option("agent", "fence_sbd"), "leaves a message"},
		"operator's word":  {option("agent", "/usr/sbin/fence_ack_manual"), "person's word"},
	} {
		device := s.device()
		device.Address = "pdu.example"
		test.change(&device)
		err := d.Validate(device)
		if (err == nil) != (test.want == "") || (err != nil && !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error carries the password: %v", name, err)
		}
	}
	if err := d.Validate(fence.Device{Driver: "ipmi"}); !errors.Is(err, ErrKind) {
		t.Errorf("another driver's device: %v", err)
	}
}

func TestAnAgentThatOthersCanChangeIsNotRun(t *testing.T) {
	t.Parallel()
	s := newStory(t, honest)
	if err := os.Chmod(filepath.Join(s.folder, "fence_story"), 0o777); err != nil {
		t.Fatal(err)
	}
	err := s.driver().Validate(s.device())
	if err == nil || !strings.Contains(err.Error(), "somebody else may change it") {
		t.Errorf("got %v", err)
	}
}

func TestAgentsThatProveNothingAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ old, new, want string }{
		"cuts off storage": {`name="on" automatic="0"`, `name="on" on_target="1" automatic="1"`, "leaves it running"},
		"has no status":    {`<action name="status"/>`, ``, "no action status"},
		"is no XML":        {`<resource-agent`, `Welcome <`, "not the expected XML"},
		"says nothing":     {storyMetadata, ``, "no fence agent"},
	} {
		s := newStory(t, honest)
		s.write("metadata", strings.ReplaceAll(storyMetadata, test.old, test.new), 0o600)
		if err := s.driver().Validate(s.device()); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	endless := newStory(t, "")
	endless.write("fence_story", "#!/bin/sh\nyes\n", 0o700)
	if err := endless.driver().Validate(endless.device()); err == nil ||
		!strings.Contains(err.Error(), "it is no fence agent") {
		t.Errorf("endless: %v", err)
	}
}

// The agents of virtual machines take the guest's name as plug, port or domain, and
// end with an error when they are told it twice.
func TestAnOutletUnderAnOldNameIsNotGivenTwice(t *testing.T) {
	t.Parallel()
	told, err := parseMetadata([]byte(`<resource-agent><parameters>
		<parameter name="plug" required="1" obsoletes="port"><content type="string"/></parameter>
		<parameter name="port" required="1" deprecated="1"><content type="string"/></parameter>
		<parameter name="domain" required="0" deprecated="1"><content type="string"/></parameter>
		</parameters><actions><action name="off"/></actions></resource-agent>`))
	if err != nil {
		t.Fatal(err)
	}
	for given, want := range map[string]string{"": "node1", "domain": "", "plug": "guest", "port": ""} {
		j := &job{pairs: map[string]string{}}
		if given != "" {
			j.pairs[given] = "guest"
		}
		if err := j.complete(told, "node1"); err != nil {
			t.Errorf("%q: %v", given, err)
		}
		if j.pairs["plug"] != want {
			t.Errorf("with %q given, plug is %q, not %q", given, j.pairs["plug"], want)
		}
	}
}
