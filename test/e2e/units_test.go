package e2e

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/stage"
)

// TestUnits starts the units as they are installed by a real systemd, beside Debian's units of
// libvirt, on a host of a cluster of three.
func TestUnits(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 14*time.Minute)
	defer cancel()
	f, m := newUnitsFixture(t, ctx)
	steps := []struct {
		name string
		run  func(*testing.T, context.Context, *fixture, *machine)
	}{
		{"a node of no cluster is left alone", unitsBeforeInit},
		{"the daemon is ready when systemctl returns", unitsReady},
		{"limits are in force", unitsInForce},
		{"exposure is as the page says", unitsExposure},
		{"the daemon works in its sandbox", unitsWork},
		{"killed, it comes back", unitsKilled},
		{"a restart costs nothing", unitsRestart},
		{"a stop is announced", unitsStopped},
		{"the daemon works in the sandbox for VMs only", unitsVMsOnly},
		{"a shutdown hands the VMs over", unitsShutdown},
		{"with version 2 alone a shutdown takes services along", unitsShutdownUnified},
		{"a removed node is not started again", unitsRemoved},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) { step.run(t, ctx, f, m) })
	}
}

// told waits until the journal has words since the machine's last boot.
func (m *machine) told(t *testing.T, ctx context.Context, unit string, words ...string) {
	t.Helper()
	text := ""
	err := poll(ctx, func() bool {
		text, _ = m.run(ctx, "journalctl", "--no-pager", "-b", "-q", "-o", "short-precise", "-u", unit)
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
	})
	if err != nil {
		t.Fatalf("the journal of %s does not say all of %q:\n%s", unit, words, text)
	}
}

func unitsBeforeInit(t *testing.T, ctx context.Context, _ *fixture, m *machine) {
	units := []string{"clusterd.service", "clusterd-handover.service"}
	if said := m.typed(t, ctx, append([]string{"systemd-analyze", "verify"}, units...)...); said != "" {
		t.Errorf("systemd-analyze verify: %s", said)
	}
	m.typed(t, ctx, "systemctl", "enable", "--now", "libvirtd", "clusterd", "clusterd-handover")
	for _, unit := range units {
		if state := m.property(t, ctx, unit, "ActiveState"); state != "inactive" {
			t.Errorf("%s is %s before init", unit, state)
		}
		m.told(t, ctx, unit, "was skipped because of", "ConditionPathExists=/var/lib/clusterd/membership.json")
	}
	if state, _ := m.run(ctx, "systemctl", "is-failed", "clusterd"); strings.TrimSpace(state) == "failed" {
		t.Error("a node of no cluster has a failed unit")
	}
	// The page has administrators give a password this way.
	m.prepare(t, ctx, "install -m 600 /srv/cluster/credentials/bmc /etc/clusterd/bmc; mkdir -p "+dropIns+
		"; printf '[Service]\\nLoadCredential=bmc:/etc/clusterd/bmc\\n' >"+dropIns+"/credential.conf")
	m.typed(t, ctx, "systemctl", "daemon-reload")
}

func unitsReady(t *testing.T, ctx context.Context, f *fixture, m *machine) {
	f.begin(t, ctx, m.whole)
	m.typed(t, ctx, "systemctl", "restart", "clusterd")
	if said := m.typed(t, ctx, "clustat"); !strings.Contains(said, "vm:mover") {
		t.Errorf("systemctl returned before the State was there: %s", said)
	}
	if state := m.property(t, ctx, "clusterd", "StatusText"); state != "up as node1" {
		t.Errorf("the status is %q", state)
	}
	f.waitAtRest(t, ctx)
}

// sandboxed makes the daemon do what its sandbox could be in the way of.
func sandboxed(t *testing.T, ctx context.Context, f *fixture, m *machine) {
	t.Helper()
	before := f.remember(t, ctx)
	from := before.owners["mover"]
	for _, target := range []string{"node2", "node1"} {
		if target == from {
			continue
		}
		if target == unitsNode {
			waitForTrust(t, ctx, f)
		}
		m.typed(t, ctx, "clusvcadm", "-M", mover.Name(), "-m", target)
		from = target
	}
	f.checkUnharmed(t, ctx, before, "mover", "still", "still2")
	devices := map[string]bool{"bmc-node2": false, "outlet2": false, "secret3": false}
	if err := poll(ctx, func() bool { return checkedBy(ctx, f, unitsNode, devices) }); err != nil {
		t.Fatalf("%s could not use all of its fence devices: %v\n%s", unitsNode, devices,
			m.typed(t, ctx, "clusterd", "fence", "status"))
	}
	said := m.typed(t, ctx, "clusterd", "doctor")
	for line := range strings.Lines(said) {
		if strings.HasPrefix(line, "WRONG") || strings.HasPrefix(line, "UNKNOWN") {
			t.Error(line)
		}
	}
}

// checkedBy marks the devices that a node has found in order.
func checkedBy(ctx context.Context, f *fixture, node string, devices map[string]bool) bool {
	client, err := f.Client(node)
	if err != nil {
		return false
	}
	status, err := client.Fence(ctx)
	if err != nil {
		return false
	}
	for _, n := range status.Nodes {
		for _, d := range n.Devices {
			for _, check := range d.Checks {
				if _, wanted := devices[d.Name]; wanted && check.By == node && !check.Asked.IsZero() {
					devices[d.Name] = check.Problem == "" && check.Power == "on"
				}
			}
		}
	}
	for _, well := range devices {
		if !well {
			return false
		}
	}
	return true
}

func unitsWork(t *testing.T, ctx context.Context, f *fixture, m *machine) {
	sandboxed(t, ctx, f, m)
	// What an agent mounts is the host's, and what it starts outlives the daemon.
	if said := m.typed(t, ctx, "cat", "/run/units-mounted/pid"); strings.TrimSpace(said) == "" {
		t.Error("what the service mounted is not seen by the host")
	}
	folder := m.property(t, ctx, "clusterd", "Environment")
	if strings.Contains(folder, "bmc") {
		t.Errorf("a secret stands in the environment: %s", folder)
	}
}

func unitsKilled(t *testing.T, ctx context.Context, f *fixture, m *machine) {
	before := f.remember(t, ctx)
	pid := m.property(t, ctx, "clusterd", "MainPID")
	m.typed(t, ctx, "kill", "-KILL", pid)
	began := time.Now()
	if err := poll(ctx, func() bool {
		return m.property(t, ctx, "clusterd", "MainPID") != pid && m.property(t, ctx, "clusterd", "ActiveState") == "active"
	}); err != nil {
		t.Fatal("systemd does not start the daemon again")
	}
	t.Logf("active again after %s", time.Since(began).Round(10*time.Millisecond))
	if count := m.property(t, ctx, "clusterd", "NRestarts"); count != "1" {
		t.Errorf("it was started again %s times", count)
	}
	f.checkUnharmed(t, ctx, before, "mover", "still", "still2")
}

func unitsRestart(t *testing.T, ctx context.Context, f *fixture, m *machine) {
	before := f.remember(t, ctx)
	began := time.Now()
	m.typed(t, ctx, "systemctl", "restart", "clusterd")
	t.Logf("systemctl restart took %s", time.Since(began).Round(10*time.Millisecond))
	m.told(t, ctx, "clusterd", "clusterd stops here on purpose; VMs run on")
	if state := m.property(t, ctx, "clusterd-handover", "ActiveState"); state != "active" {
		t.Errorf("the hand-over is %s after a restart of the daemon", state)
	}
	f.checkUnharmed(t, ctx, before, "mover", "still", "still2")
	f.checkStayed(t, ctx, before)
}

// checkStayed requires that every guest is where it was.
func (f *fixture) checkStayed(t *testing.T, ctx context.Context, before memory) {
	t.Helper()
	status := f.waitAtRest(t, ctx)
	for _, guest := range guests {
		if owner := stage.Owner(status, guest.Name()); owner != before.owners[guest.Guest.Name] {
			t.Errorf("%s went from %s to %s", guest.Name(), before.owners[guest.Guest.Name], owner)
		}
	}
}

func unitsStopped(t *testing.T, ctx context.Context, f *fixture, m *machine) {
	before := f.remember(t, ctx)
	began := time.Now()
	m.typed(t, ctx, "systemctl", "stop", "clusterd")
	t.Logf("systemctl stop took %s", time.Since(began).Round(10*time.Millisecond))
	if state := m.property(t, ctx, "clusterd", "ActiveState"); state != "inactive" {
		t.Errorf("stopped, it is %s", state)
	}
	if _, err := f.Wait(ctx, "the others know of the planned stop", func(s api.Status) bool {
		return slices.ContainsFunc(s.Notes, func(n cluster.Note) bool {
			return strings.Contains(n.Subject+" "+n.Why.String(), unitsNode)
		})
	}); err != nil {
		t.Fatal(err)
	}
	m.typed(t, ctx, "systemctl", "start", "clusterd")
	f.checkUnharmed(t, ctx, before, "mover", "still", "still2")
	f.checkStayed(t, ctx, before)
}

func unitsVMsOnly(t *testing.T, ctx context.Context, f *fixture, m *machine) {
	// A service is none of this drop-in's; another node runs it meanwhile.
	m.typed(t, ctx, "clusvcadm", "-r", "service:shop", "-m", "node2")
	m.prepare(t, ctx, "cp /usr/share/clusterd/clusterd-vms-only.conf "+vmsOnlyDropIn)
	m.typed(t, ctx, "systemctl", "daemon-reload")
	m.typed(t, ctx, "systemctl", "restart", "clusterd")
	sandboxed(t, ctx, f, m)
	m.prepare(t, ctx, "rm "+vmsOnlyDropIn)
	m.typed(t, ctx, "systemctl", "daemon-reload")
	m.typed(t, ctx, "systemctl", "restart", "clusterd")
	f.waitAtRest(t, ctx)
}

// waitForTrust waits until the machine gets work again: a daemon that was started several times in
// a row has to stay up for a while.
func waitForTrust(t *testing.T, ctx context.Context, f *fixture) {
	t.Helper()
	restless := func(n cluster.Note) bool {
		return n.Subject == unitsNode && strings.Contains(n.Why.String(), "its daemon has started")
	}
	if _, err := f.Wait(ctx, unitsNode+" is given work", func(s api.Status) bool {
		return stage.AllStarted(s) && len(stage.OnlineNodes(s)) == 3 && !slices.ContainsFunc(s.Notes, restless)
	}); err != nil {
		t.Fatal(err)
	}
}

// shutdown shuts the machine down and boots it again, and checks what became of its VMs.
func shutdown(t *testing.T, ctx context.Context, f *fixture, m *machine, next forest) {
	t.Helper()
	waitForTrust(t, ctx, f)
	if f.remember(t, ctx).owners["mover"] != unitsNode {
		m.typed(t, ctx, "clusvcadm", "-M", mover.Name(), "-m", unitsNode)
	}
	before := f.remember(t, ctx)
	began := time.Now()
	_, _ = m.run(ctx, "systemctl", "poweroff") // its end may be cut short by what it asked for
	m.awaitEnd(t)
	t.Logf("the shutdown took %s", time.Since(began).Round(100*time.Millisecond))
	inOrder(t, m.journal(400, "-b", "-0"), "Stopped clusterd-handover.service", "Stopping clusterd.service",
		"Stopped clusterd.service", "Stopping libvirtd.service")
	status, err := f.Wait(ctx, "all runs elsewhere", func(s api.Status) bool {
		here := func(v api.Service) bool { return v.Owner == unitsNode }
		return stage.AllStarted(s) && !slices.ContainsFunc(s.Services, here)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + stage.Describe(status, nil))
	m.start(t, ctx, next)
	// An orderly leave remembers what belongs here: it comes home, live.
	if _, err := f.Wait(ctx, "the VMs are home again", func(s api.Status) bool {
		return stage.AllStarted(s) && stage.Owner(s, mover.Name()) == before.owners["mover"] &&
			stage.Owner(s, still.Name()) == before.owners["still"]
	}); err != nil {
		t.Fatal(err)
	}
	f.checkUnharmed(t, ctx, before, "mover", "still", "still2")
}

// inOrder requires that a text says all words, one after the other.
func inOrder(t *testing.T, text string, words ...string) {
	t.Helper()
	rest := text
	for _, word := range words {
		_, after, found := strings.Cut(rest, word)
		if !found {
			t.Fatalf("the journal does not say %q at its place among %q:\n%s", word, words, text)
		}
		rest = after
	}
}

// unitsShutdown is done where libvirt-guests, which would keep systemd from the VMs, is off.
func unitsShutdown(t *testing.T, ctx context.Context, f *fixture, m *machine) {
	if said, _ := m.run(ctx, "systemctl", "is-active", "libvirt-guests"); strings.TrimSpace(said) == "active" {
		t.Fatal("libvirt-guests runs")
	}
	shutdown(t, ctx, f, m, newForest(t, m.whole, true))
}

func unitsShutdownUnified(t *testing.T, ctx context.Context, f *fixture, m *machine) {
	waitForTrust(t, ctx, f)
	m.typed(t, ctx, "clusvcadm", "-r", "service:shop", "-m", unitsNode)
	scopes := m.typed(t, ctx, "systemctl", "list-units", "--no-legend", "--plain", "--type=scope", "clusterd-*")
	if !strings.Contains(scopes, "service:shop") {
		t.Errorf("the service has no scope: %q", scopes)
	}
	m.typed(t, ctx, "systemctl", "enable", "--now", "libvirt-guests")
	shutdown(t, ctx, f, m, newForest(t, m.whole, true))
}

func unitsRemoved(t *testing.T, ctx context.Context, f *fixture, m *machine) {
	leave, err := stage.Run(ctx, f.World, "node2", "clusterd", "node", "leave", unitsNode, "--wait", "2m")
	if err != nil || !leave.OK() {
		t.Fatalf("%v: %s", err, leave.Output)
	}
	remove, err := stage.Run(ctx, f.World, "node2", "clusterd", "node", "remove", unitsNode)
	if err != nil || !remove.OK() {
		t.Fatal(errors.Join(err, errors.New(remove.Output)))
	}
	if err := poll(ctx, func() bool { return m.property(t, ctx, "clusterd", "ActiveState") == "failed" }); err != nil {
		t.Fatalf("the daemon of a removed node is %s", m.property(t, ctx, "clusterd", "ActiveState"))
	}
	if code := m.property(t, ctx, "clusterd", "ExecMainStatus"); code != "4" {
		t.Errorf("it ended with %s", code)
	}
	m.told(t, ctx, "clusterd", "this node was removed from the cluster", "status=4")
	if sub := m.property(t, ctx, "clusterd", "SubState"); sub != "failed" {
		t.Errorf("systemd starts a removed node again: %s", sub)
	}
	if said, err := m.run(ctx, "systemctl", "start", "clusterd"); err == nil {
		t.Errorf("a removed node can be started: %s", said)
	}
	if _, err := os.Stat(filepath.Join(f.world.DataFolder(unitsNode), "removed.json")); err != nil {
		t.Error(err)
	}
}
