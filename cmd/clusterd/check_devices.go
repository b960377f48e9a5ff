package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clusterd/clusterd/internal/assemble"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/fence/scsi"
	"github.com/clusterd/clusterd/fence/watchdog"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/config/rewrite"
	"github.com/clusterd/clusterd/internal/membership"
	urfave "github.com/urfave/cli/v2"
)

// How devices are tried: as a running cluster's checks do.
const (
	tryLimit  = 45 * time.Second
	triesOnce = 8
)

// trial asks the fence devices of a document from this machine.
type trial struct {
	document cluster.Document
	places   config.DevicePlaces
	drivers  map[string]fence.Driver
	// self is this machine's name as a node; its own settings say it.
	self string
	// uuids are the hardware UUIDs of the nodes, as far as they are known.
	uuids map[string]string
	// storage are the options for reading keys; without a cluster nobody's are known.
	storage scsi.Options
}

// tried is what asking a device came to. Failed and untried exclude each other.
type tried struct {
	device          fence.Device
	failed, untried bool
	text            string
	// identity is what it tells of its host, sure whether that is its node's for
	// certain.
	identity string
	sure     bool
}

// tryDevices prints one line for each fence device, with its place.
func tryDevices(c *urfave.Context, path string, parsed config.Parsed) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	places, err := config.PlacesOfDevices(path, text, os.ReadFile)
	if err != nil {
		return err
	}
	t := newTrial(c, parsed.Document, places)
	failed := 0
	for _, v := range t.run(c.Context) {
		fmt.Println(cli.Clean(t.line(v)))
		if v.failed {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d fence devices cannot be used from this machine as the document says", failed,
			len(parsed.Document.Devices))
	}
	return nil
}

func newTrial(c *urfave.Context, document cluster.Document, places config.DevicePlaces) *trial {
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	t := &trial{document: document, places: places, drivers: assemble.PowerDrivers(quiet), uuids: map[string]string{}}
	t.storage = scsi.Options{Helper: assemble.Helper(assemble.StorageHelper), Logger: quiet,
		Nodes: func() []string { return slices.Sorted(maps.Keys(t.uuids)) }}
	node, err := command.NodeSettings(c)
	if err != nil {
		return t
	}
	if _, declared := document.Nodes[node.Name]; declared {
		t.self = node.Name
		if uuid, err := membership.HardwareUUID(node); err == nil {
			t.uuids[node.Name] = uuid
		}
	}
	t.askDaemon(c, node)
	return t
}

// askDaemon takes what a running daemon knows of its members, where the document
// is about that very cluster.
func (t *trial) askDaemon(c *urfave.Context, node nodefile.Node) {
	membership, err := membership.Folder(node.DataDir).Membership()
	if err != nil || membership.Cluster != t.document.Cluster {
		return
	}
	client, err := command.Connect(c)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(c.Context, tryLimit)
	defer cancel()
	status, err := client.Fence(ctx)
	if err != nil {
		return
	}
	for _, n := range status.Nodes {
		t.uuids[n.Node] = n.HardwareUUID
	}
	t.storage.Cluster, t.storage.Node = membership.ID, node.Name
}

// run asks all devices, a few at once, and returns in the order of their names.
func (t *trial) run(ctx context.Context) []tried {
	names := slices.Sorted(maps.Keys(t.document.Devices))
	all := make([]tried, len(names))
	slots := make(chan struct{}, triesOnce)
	var asking sync.WaitGroup
	for i, name := range names {
		asking.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, tryLimit)
			defer cancel()
			all[i] = t.try(ctx, t.document.Devices[name])
		})
	}
	asking.Wait()
	return t.apart(all)
}

func (t *trial) try(ctx context.Context, device fence.Device) tried {
	switch device.Effect() {
	case fence.ByStorage:
		return t.tryStorage(ctx, device)
	case fence.ByWatchdog:
		return t.tryWatchdog(device)
	case fence.ByPill:
		pills := watchdog.New(watchdog.Options{Node: "this machine", Helper: assemble.Helper(assemble.PillHelper),
			Armed: func(fence.Target, []string) error { return nil }, Logger: t.storage.Logger})
		return answered(device, pills.Check(ctx, device), "ok; the disks are here, and their header can be read")
	}
	if device.Password == rewrite.Mask {
		// A login with the mask would be a wrong password, and boards lock accounts.
		return tried{device: device, untried: true,
			text: "not asked: its password is masked in this file; write it, or look at clusterd fence status"}
	}
	if device.Credential != "" {
		return tried{device: device, untried: true,
			text: "not asked: its password is a credential of the daemon; look at clusterd fence status"}
	}
	driver, known := t.drivers[device.Driver]
	if !known {
		return tried{device: device, failed: true, text: "this clusterd has no fence driver " + device.Driver}
	}
	check := driver.Check(ctx, device)
	if check.Problem != "" {
		return answered(device, check, "")
	}
	v := t.identified(device, check)
	v.device, v.identity = device, check.Identity
	return v
}

func answered(device fence.Device, check fence.Check, fine string) tried {
	if check.Problem != "" {
		return tried{device: device, failed: true, text: check.Problem}
	}
	return tried{device: device, text: fine}
}

// identified judges whose device it is by what is known here (law L3 is the
// drivers' and holds whatever is said here).
func (t *trial) identified(device fence.Device, check fence.Check) tried {
	ok := "ok; power " + string(check.Power) + "; "
	owners := ownersOf(t.document, device.Name)
	switch {
	case len(owners) == 0:
		return tried{text: ok + "no node names it"}
	case device.Assumes():
		return tried{text: ok + "that it belongs to " + owners[0] + " is assumed, as the document says"}
	case check.Identity == "":
		return tried{text: ok + "it does not tell whose it is, so it counts only after a drill: clusterd fence test " +
			owners[0]}
	case fence.SamePlatform(check.Identity, device.Options[fence.OptionIdentity]):
		return tried{text: ok +
			"it tells the identity declared for it, and counts only after a drill: clusterd fence test " + owners[0]}
	}
	uuid := t.uuids[owners[0]]
	if fence.SamePlatform(check.Identity, uuid) {
		return tried{sure: true, text: ok + "it tells the hardware UUID of " + owners[0]}
	}
	for _, other := range slices.Sorted(maps.Keys(t.uuids)) {
		if fence.SamePlatform(check.Identity, t.uuids[other]) {
			return tried{failed: true, text: "it tells the hardware UUID of " + other + ", and is declared for " + owners[0] +
				"; check its address"}
		}
	}
	if uuid == "" {
		return tried{text: ok + "it tells the hardware UUID " + check.Identity +
			"; compare it with /sys/class/dmi/id/product_uuid on " + owners[0]}
	}
	return tried{failed: true, text: "it tells the hardware UUID " + check.Identity + ", and " + owners[0] + " has " +
		uuid + ": it belongs to another machine; check its address, or, if this board tells a UUID of its own, set " +
		"option identity to that and run the drill"}
}

// apart finds devices of different nodes that are one machine's, where it is not
// known which.
func (t *trial) apart(all []tried) []tried {
	for i := range all {
		for j := range all[:i] {
			a, b := &all[j], &all[i]
			ours, theirs := ownersOf(t.document, a.device.Name), ownersOf(t.document, b.device.Name)
			if a.failed || b.failed || a.sure || b.sure || !fence.SamePlatform(a.identity, b.identity) ||
				slices.Equal(ours, theirs) {
				continue
			}
			b.failed = true
			b.text = fmt.Sprintf("it tells the hardware UUID %s, and so does device %s of %s: both are one machine's; "+
				"check their addresses", b.identity, a.device.Name, strings.Join(ours, ", "))
		}
	}
	return all
}

func (t *trial) tryStorage(ctx context.Context, device fence.Device) tried {
	findings, err := scsi.Prospect(ctx, device, t.storage)
	if err != nil {
		return tried{device: device, failed: true, text: err.Error()}
	}
	registered := 0
	for _, f := range findings {
		if f.Problem != "" {
			return tried{device: device, failed: true, text: f.Problem}
		}
		if f.Registered {
			registered++
		}
	}
	text := fmt.Sprintf("ok; disks that are here and know reservations: %d", len(findings))
	if t.storage.Cluster != "" {
		text += fmt.Sprintf("; with this node's key: %d", registered)
	}
	return tried{device: device, text: text}
}

// tryWatchdog looks whether the device is there, and does not open it: that would
// arm it.
func (t *trial) tryWatchdog(device fence.Device) tried {
	settings, err := device.Settings()
	if err != nil {
		return tried{device: device, failed: true, text: err.Error()}
	}
	if !slices.Contains(ownersOf(t.document, device.Name), t.self) {
		return tried{device: device, untried: true,
			text: "not asked: it is each node's own, and none of those that name it is this machine"}
	}
	file, err := os.Stat(settings.Device)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return tried{device: device, failed: true,
			text: "there is no " + settings.Device +
				" on this node; load the board's driver, or softdog (modprobe softdog nowayout=1)"}
	case err != nil:
		return tried{device: device, failed: true, text: err.Error()}
	case watchdog.Simulated(settings.Device):
		return tried{device: device, text: "SIMULATED; " + settings.Device + " is a socket: what listens there ends " +
			"this machine, no hardware does"}
	case file.Mode()&os.ModeCharDevice == 0:
		return tried{device: device, failed: true, text: settings.Device + " is no watchdog device"}
	}
	return tried{device: device, text: "ok; " + settings.Device + " is here; whether it takes " +
		settings.Timeout.String() + " shows when it is armed"}
}

// line is a tried at its place.
func (t *trial) line(v tried) string {
	about := v.device.Driver
	if v.device.Address != "" {
		about += " " + v.device.Address
	}
	text := v.text
	if v.failed {
		text = "FAILS: " + strings.TrimPrefix(text, "fence device "+v.device.Name+": ")
	}
	return t.places.Of(v.device, "", fmt.Sprintf("device %s (%s): %s", v.device.Name, about, text)).Error()
}
