package agent

import (
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/test/bmc"
	"github.com/clusterd/clusterd/test/redfish"
)

// The tests of this file run the programs of the fence-agents project, which
// are somebody else's reading of the same protocol.

// needPeers skips a test where the real programs are absent, or were not asked
// for: each start of Python costs up to a second.
func needPeers(t *testing.T, programs ...string) {
	t.Helper()
	if os.Getenv("CLUSTERD_FENCE") == "" {
		t.Skip("the real fence agents are run by make test-fence (CLUSTERD_FENCE=1)")
	}
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed (Debian package fence-agents, for fence_ipmilan also ipmitool)", program)
		}
	}
	t.Parallel()
}

func realDriver() *driver {
	return newDriver(Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
}

func TestRealDummy(t *testing.T) {
	needPeers(t, "fence_dummy")
	status := filepath.Join(t.TempDir(), "status")
	if err := os.WriteFile(status, []byte("on"), 0o600); err != nil {
		t.Fatal(err)
	}
	device := fence.Device{Name: "dummy", Driver: Kind, Options: map[string]string{"agent": "fence_dummy",
		"type": "file", "status_file": status, "identity": "assumed"}}
	d := realDriver()
	if check := d.Check(within(t, 20*time.Second), device); check.Power != fence.PowerOn || check.Problem != "" {
		t.Fatalf("check %+v", check)
	}
	expect(t, d.Fence(within(t, 60*time.Second), requestFor(device)), fence.Confirmed)
	if text, err := os.ReadFile(status); err != nil || strings.TrimSpace(string(text)) != "off" {
		t.Errorf("status file %q, error %v", text, err)
	}
	if err := d.PowerOn(within(t, 20*time.Second), device); err != nil {
		t.Error(err)
	}
	device.Options["type"] = "fail"
	expect(t, d.Fence(within(t, 20*time.Second), requestFor(device)), fence.Unknown, "has not accepted off")
}

func TestRealIPMILAN(t *testing.T) {
	needPeers(t, "fence_ipmilan", "ipmitool")
	b, err := bmc.Start(bmc.Options{Address: "127.0.0.1:0", Username: "admin", Password: secret, On: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	device := fence.Device{Name: "bmc1", Driver: Kind, Address: b.Address(), Username: "admin", Password: secret,
		Options: map[string]string{"agent": "fence_ipmilan", "lanplus": "1", "cipher": "17", "power_wait": "0",
			"power_timeout": "3"}}
	d := realDriver()
	expect(t, d.Fence(within(t, 60*time.Second), requestFor(device)), fence.Confirmed, "off was run")
	if b.Power() || b.Commands().PowerOff == 0 {
		t.Errorf("power %v, commands %+v", b.Power(), b.Commands())
	}
	b.Report(true)
	b.SetFaults(bmc.Faults{Stuck: true})
	result := d.Fence(within(t, 25*time.Second), requestFor(device))
	if result.Outcome == fence.Confirmed || !b.Power() {
		t.Errorf("outcome %s with power %v: %v", result.Outcome, b.Power(), result.Evidence)
	}
	device.Password = "wr0ng"
	if check := d.Check(within(t, 20*time.Second), device); check.Problem == "" ||
		strings.Contains(check.Problem, "wr0ng") {
		t.Errorf("check %+v", check)
	}
}

func TestRealRedfish(t *testing.T) {
	needPeers(t, "fence_redfish")
	c, err := redfish.Start(redfish.Options{Address: "127.0.0.1:0", Username: "admin", Password: secret, On: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	device := fence.Device{Name: "bmc1", Driver: Kind, Address: c.Address(), Username: "admin", Password: secret,
		Options: map[string]string{"agent": "fence_redfish", "systems_uri": "/redfish/v1/Systems/1", "ssl_insecure": "1",
			"power_timeout": "3"}}
	d := realDriver()
	expect(t, d.Fence(within(t, 60*time.Second), requestFor(device)), fence.Confirmed)
	if c.Power() || c.Commands().ForceOff == 0 {
		t.Errorf("power %v, commands %+v", c.Power(), c.Commands())
	}
	delete(device.Options, "ssl_insecure")
	if check := d.Check(within(t, 30*time.Second), device); check.Problem == "" || check.Power != fence.PowerUnknown {
		t.Errorf("with a certificate that nobody signed: %+v", check)
	} else {
		t.Log(check.Problem)
	}
	host, _, _ := net.SplitHostPort(c.Address())
	device.Address = net.JoinHostPort(host, "9")
	if check := d.Check(within(t, 30*time.Second), device); check.Problem == "" {
		t.Errorf("with nobody there: %+v", check)
	}
}

// Every agent that is installed tells metadata that can be read, or is refused
// with a reason.
func TestRealAgentsTellTheirParameters(t *testing.T) {
	needPeers(t, "fence_dummy")
	paths, err := filepath.Glob("/usr/sbin/fence_*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d agents, error %v", len(paths), err)
	}
	d := realDriver()
	refusedOnes := map[string]string{}
	for _, path := range paths {
		name := filepath.Base(path)
		if _, err := d.find(name); err != nil {
			refusedOnes[name] = err.Error()
			continue
		}
		told, err := d.library.of(t.Context(), path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := told.usable(); err != nil {
			refusedOnes[name] = err.Error()
		}
	}
	for _, name := range []string{"fence_scsi", "fence_mpath", "fence_sbd", "fence_ifmib", "fence_brocade",
		"fence_kdump"} {
		if _, found := refusedOnes[name]; !found {
			t.Errorf("%s is not refused", name)
		}
	}
	if usable := len(paths) - len(refusedOnes); usable < len(refusedOnes) {
		t.Errorf("only %d of %d agents are usable", usable, len(paths))
	}
	for name, why := range refusedOnes {
		t.Logf("%s: %s", name, why)
	}
}
