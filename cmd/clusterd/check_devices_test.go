package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/assemble"

	fenceagent "github.com/clusterd/clusterd/fence/agent"
	"github.com/clusterd/clusterd/fence/scsi"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/config/rewrite"
	"github.com/clusterd/clusterd/internal/config/strict"
	"github.com/clusterd/clusterd/test/bmc"
	"github.com/clusterd/clusterd/test/redfish"
)

const (
	uuidOfOne = "4c4c4544-0034-5210-8052-b4c04f564d31"
	uuidOfTwo = "4c4c4544-0034-5210-8052-b4c04f564d32"
)

// boards are the peers that the document of a test names.
type boards struct {
	one, two, blank *bmc.BMC
	web             *redfish.Controller
	silent          string
	folder          string
}

func newBoards(t *testing.T) boards {
	t.Helper()
	start := func(uuid string) *bmc.BMC {
		b, err := bmc.Start(bmc.Options{Address: "127.0.0.1:0", Username: "admin", Password: "s3cret-pass",
			HardwareUUID: uuid, On: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		return b
	}
	web, err := redfish.Start(redfish.Options{Address: "127.0.0.1:0", Username: "admin", Password: "s3cret-pass",
		HardwareUUID: uuidOfOne, On: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(web.Close)
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	b := boards{one: start(uuidOfOne), two: start(uuidOfTwo), blank: start(""), web: web,
		silent: socket.LocalAddr().String(), folder: t.TempDir()}
	b.program(t, "fence_garbage", "#!/bin/sh\necho 'no metadata, but words'\n")
	b.program(t, "fence_outlet", `#!/bin/sh
cat <<'END'
<resource-agent name="fence_outlet"><parameters>
<parameter name="action" required="1"><content type="string" default="off"/></parameter>
<parameter name="plug" required="1"><content type="string"/></parameter>
<parameter name="community" required="1"><content type="string"/></parameter>
</parameters><actions><action name="off"/><action name="on"/><action name="status"/><action name="monitor"/>
</actions></resource-agent>
END
`)
	b.program(t, "san-without", "#!/bin/sh\nprintf 'outcome=unsupported\\ndetail=illegal request\\nend=1\\n'\n")
	b.program(t, "san-missing", "#!/bin/sh\nprintf 'outcome=failed\\ndetail=this node has no such disk\\nend=1\\n'\n")
	b.program(t, "san-sound",
		"#!/bin/sh\nprintf 'outcome=done\\ngeneration=1\\nholder=0\\ntype=0\\npaths=1\\npersistent=1\\nend=1\\n'\n")
	return b
}

func (b boards) program(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(b.folder, name), []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
}

// document declares one device for each thing that can be wrong.
func (b boards) document() string {
	ipmi := func(address, password string) string {
		return fmt.Sprintf("{driver: ipmi, address: %q, username: admin, password: %s}", address, password)
	}
	web := func(pin string) string {
		return fmt.Sprintf("{driver: redfish, address: %q, username: admin, password: s3cret-pass, options: "+
			"{fingerprint: %q}}", b.web.Address(), pin)
	}
	agent := func(name, more string) string {
		return fmt.Sprintf("{driver: agent, options: {agent: %s%s}}", filepath.Join(b.folder, name), more)
	}
	san := func(name string) string {
		return fmt.Sprintf("{driver: scsi, options: {devices: lun, command: %s}}", filepath.Join(b.folder, name))
	}
	return strings.Join([]string{
		"cluster: alpha", "nodes:",
		"  node1: {fence: [[sound], [password], [web], [changed], [garbage], [absent], [unknown], [needs]]}",
		"  node2: {fence: [[sound2], [masked], [silent], [blank]]}",
		"  node3: {fence: [[another], [twin]]}",
		"devices:",
		"  sound: " + ipmi(b.one.Address(), "s3cret-pass"), // line 7
		"  sound2: " + ipmi(b.two.Address(), "s3cret-pass"),
		"  password: " + ipmi(b.one.Address(), "wr0ng-pass"),
		"  masked: " + ipmi(b.two.Address(), `"`+rewrite.Mask+`"`),
		"  silent: " + ipmi(b.silent, "s3cret-pass"),
		"  blank: " + ipmi(b.blank.Address(), "s3cret-pass"),
		"  another: " + ipmi("bmc-of-node3", "s3cret-pass"),
		"  twin: " + ipmi("second-bmc-of-node3", "s3cret-pass"),
		"  web: " + web(b.web.Fingerprint()),
		"  changed: " + web(strings.Repeat("ab", 32)),
		"  garbage: " + agent("fence_garbage", ""),
		"  absent: " + agent("fence_absent", ""),
		"  unknown: " + agent("fence_outlet", ", plug: 7, comunity: x"),
		"  needs: " + agent("fence_outlet", ", plug: 7"),
		"  without: " + san("san-without"),
		"  missing: " + san("san-missing"),
		"  san: " + san("san-sound"),
		"  wd: {driver: watchdog}",
	}, "\n") + "\n"
}

func (b boards) trial(t *testing.T) (*trial, config.Parsed) {
	t.Helper()
	text := []byte(b.document())
	parsed, err := config.Prepare("alpha.yaml", text, os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	places, err := config.PlacesOfDevices("alpha.yaml", text, os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	// Two names of one host, which only asking them shows.
	for name, address := range map[string]string{"another": b.one.Address(), "twin": b.two.Address()} {
		device := parsed.Document.Devices[name]
		device.Address = address
		parsed.Document.Devices[name] = device
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	return &trial{document: parsed.Document, places: places, drivers: assemble.PowerDrivers(quiet), self: "node1",
		uuids:   map[string]string{"node1": uuidOfOne, "node2": uuidOfTwo},
		storage: scsi.Options{Logger: quiet}}, parsed
}

// Each thing that can be wrong with a device has words of its own, at its place.
func TestEachFaultOfADeviceHasItsOwnWords(t *testing.T) {
	b := newBoards(t)
	trial, _ := b.trial(t)
	wants := map[string]string{
		"sound": "alpha.yaml:7:3: device sound (ipmi " + b.one.Address() + "): ok; power on; it tells the hardware " +
			"UUID of node1",
		"sound2": ": ok; power on; it tells the hardware UUID of node2",
		"password": "FAILS: BMC password (" + b.one.Address() + ") did not log in: it refuses the login; check username " +
			"and password of the device",
		"masked":  ": not asked: its password is masked in this file",
		"silent":  "it does not answer; check that this node reaches the address and that IPMI over LAN is enabled",
		"blank":   ": ok; power on; it does not tell whose it is, so it counts only after a drill: clusterd fence test node2",
		"another": "FAILS: it tells the hardware UUID of node1, and is declared for node3; check its address",
		"twin":    "FAILS: it tells the hardware UUID of node2, and is declared for node3; check its address",
		"web":     ": ok; power on; it tells the hardware UUID of node1",
		"changed": "its certificate is not the pinned one: it was replaced, or something else answers there; compare " +
			"the fingerprint below",
		"garbage": "FAILS: fence_garbage: it does not tell its parameters (action metadata), so it is no fence agent " +
			"that can be used: what it wrote is not the expected XML",
		"absent": "fence_absent is not installed on this node; install the package fence-agents",
		"unknown": `FAILS: fence_outlet: the agent takes no comunity, which option comunity would be. Did you ` +
			`mean 'community'?`,
		"needs": "FAILS: fence_outlet: it needs community, which is not given; write it as an option",
		"without": "FAILS: lun: reservations cannot be read, because it knows none (SCSI-3 PR), and nobody could be " +
			"cut off from it; name a LUN that does",
		"missing": "FAILS: lun: reservations cannot be read: failed: this node has no such disk",
		"san":     ": ok; disks that are here and know reservations: 1",
		"wd":      ": not asked: it is each node's own",
	}
	for _, v := range trial.run(t.Context()) {
		line, want := trial.line(v), wants[v.device.Name]
		if !strings.Contains(line, want) || want == "" {
			t.Errorf("%s:\n got  %s\n want %s", v.device.Name, line, want)
		}
		if strings.Contains(line, "s3cret-pass") || strings.Contains(line, "wr0ng-pass") {
			t.Errorf("the line carries a password: %s", line)
		}
		t.Log(line)
	}
	if off := b.one.Commands().PowerOff + b.two.Commands().PowerOff + b.blank.Commands().PowerOff +
		b.web.Commands().ForceOff; off != 0 {
		t.Errorf("%d off commands were sent", off)
	}
}

// Whose a device is can be told by what is known of the nodes, and no better.
func TestWhoseADeviceIs(t *testing.T) {
	b := newBoards(t)
	trial, _ := b.trial(t)
	for _, c := range []struct {
		uuids        map[string]string
		another, one string
	}{
		{map[string]string{"node3": "4c4c4544-0034-5210-8052-b4c04f564d33"},
			"FAILS: it tells the hardware UUID " + uuidOfOne + ", and node3 has 4c4c4544-0034-5210-8052-b4c04f564d33: it " +
				"belongs to another machine", "compare it with /sys/class/dmi/id/product_uuid on node1"},
		{map[string]string{}, "compare it with /sys/class/dmi/id/product_uuid on node3",
			"FAILS: it tells the hardware UUID " + uuidOfOne + ", and so does device another of node3: both are one machine's"},
		{map[string]string{"node3": uuidOfOne}, "ok; power on; it tells the hardware UUID of node3",
			"FAILS: it tells the hardware UUID of node3, and is declared for node1"},
	} {
		trial.uuids = c.uuids
		said := map[string]string{}
		for _, v := range trial.apart([]tried{trial.try(t.Context(), trial.document.Devices["another"]),
			trial.try(t.Context(), trial.document.Devices["sound"])}) {
			said[v.device.Name] = trial.line(v)
		}
		if !strings.Contains(said["another"], c.another) || !strings.Contains(said["sound"], c.one) {
			t.Errorf("with %v known:\n%s\n%s", c.uuids, said["another"], said["sound"])
		}
	}
}

// Without asking any device: what an agent's own words show, a fault on a node
// that may have to use it and a warning elsewhere.
func TestAgentsAreHeldAgainstTheirOwnWords(t *testing.T) {
	b := newBoards(t)
	held, parsed := b.trial(t)
	check := agentCheck{document: parsed.Document, places: held.places,
		driver: fenceagent.New(fenceagent.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})}
	told := func(list []strict.Fault) string {
		var lines []string
		for _, f := range list {
			lines = append(lines, f.Error())
		}
		return strings.Join(lines, "\n")
	}
	words := []string{"alpha.yaml:18:44: ", "fence_absent is not installed on this node", "alpha.yaml:17:45: ",
		"fence_garbage: it does not tell its parameters",
		"fence_outlet: it needs community", "the agent takes no comunity"}
	for _, c := range []struct {
		self             string
		strict           bool
		faults, warnings int
		remark           string
	}{
		{self: "node2", strict: true, faults: 4},
		{self: "node2", faults: 2, warnings: 2},
		{self: "node1", strict: true, warnings: 4, remark: "node1 never uses its own device"},
		{self: "laptop", strict: true, warnings: 4, remark: "this machine is no node of the document"},
		{self: "", strict: true, warnings: 4, remark: "this machine is no node of the document"},
	} {
		check.self = c.self
		faults, warnings := check.run(c.strict)
		if len(faults) != c.faults || len(warnings) != c.warnings {
			t.Errorf("%q: %d faults and %d warnings, want %d and %d", c.self, len(faults), len(warnings), c.faults, c.warnings)
		}
		all := told(faults) + "\n" + told(warnings)
		for _, word := range words {
			if !strings.Contains(all, word) {
				t.Errorf("%q: nothing says %q:\n%s", c.self, word, all)
			}
		}
		if !strings.Contains(told(warnings), c.remark) || strings.Count(told(warnings), ": warning: ") != c.warnings {
			t.Errorf("%q: the warnings do not say %q:\n%s", c.self, c.remark, told(warnings))
		}
	}
}

// A watchdog is looked at and not opened, which would arm it.
func TestAWatchdogIsOnlyLookedAt(t *testing.T) {
	b := newBoards(t)
	trial, _ := b.trial(t)
	node := trial.document.Nodes["node1"]
	node.Fence = append(node.Fence, fence.Level{Devices: []string{"wd"}})
	trial.document.Nodes["node1"] = node
	for path, want := range map[string]string{
		filepath.Join(b.folder, "none"):          "load the board's driver, or softdog",
		filepath.Join(b.folder, "fence_garbage"): "is no watchdog device",
		"/dev/null":                              "ok; /dev/null is here",
	} {
		v := trial.tryWatchdog(fence.Device{Name: "wd", Driver: fence.DriverWatchdog,
			Options: map[string]string{"watchdog": path}})
		if !strings.Contains(v.text, want) || v.failed == strings.HasPrefix(want, "ok") {
			t.Errorf("%s: %+v, want %q", path, v, want)
		}
	}
}
