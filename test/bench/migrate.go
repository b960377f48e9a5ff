package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/test/lab"
	"github.com/clusterd/clusterd/test/stage"
)

// Two guests of the same kind: one is the cluster's, one is nobody's.
var (
	managed = stage.Service{Guest: lab.Guest{Name: "managed", Number: 41, MemoryMiB: 64, DirtyKiBPerSecond: 256}}
	plain   = lab.Guest{Name: "plain", Number: 42, MemoryMiB: 64, DirtyKiBPerSecond: 256}
)

// The rows of the comparison.
const (
	rowCommand    = "the command, from start to end"
	rowProbe      = "silence of the guest (UDP probe each 5 ms)"
	rowHypervisor = "downtime, the hypervisor's figure"
	rowTotal      = "total, the hypervisor's figure"
)

// migrate moves both guests by turns between node1 and node2.
func migrate(ctx context.Context, b *bench) error {
	fmt.Printf("%d live migrations by clusvcadm -M and %d by virsh migrate --live --p2p over plain TCP, by turns\n",
		b.rounds, b.rounds)
	if err := b.found(ctx, stage.Plan{Cluster: "bench", Services: []stage.Service{managed}, Domains: nil}); err != nil {
		return err
	}
	status, err := b.cluster.Status(ctx)
	if err != nil {
		return err
	}
	managedOn := stage.Owner(status, managed.Name())
	if err := b.createPlain(ctx, "node1"); err != nil {
		return err
	}
	own, virsh := newTable("clusvcadm -M"), newTable("virsh migrate --live --p2p")
	watchManaged, err := b.world.Watch(managed.Guest)
	if err != nil {
		return err
	}
	defer watchManaged.Stop()
	watchPlain, err := b.world.Watch(plain)
	if err != nil {
		return err
	}
	defer watchPlain.Stop()
	plainOn := "node1"
	for range b.rounds {
		if managedOn, err = b.moveManaged(ctx, watchManaged, managedOn, own); err != nil {
			return err
		}
		if plainOn, err = b.movePlain(ctx, watchPlain, plainOn, virsh); err != nil {
			return err
		}
	}
	for _, guest := range []lab.Guest{managed.Guest, plain} {
		if err := b.world.CheckSingleWriter(guest); err != nil {
			return err
		}
	}
	fmt.Print(own, virsh)
	fmt.Println("\noverhead is the difference of the medians of the commands; downtime_ms and virsh_downtime_ms " +
		"are the guests'")
	fmt.Println("silence as the probe heard it, because the hypervisor's figure of a plain migration ends before the " +
		"guest answers")
	fmt.Printf("figure: overhead_ms=%d downtime_ms=%d virsh_downtime_ms=%d\n",
		own.median(rowCommand)-virsh.median(rowCommand), own.median(rowProbe), virsh.median(rowProbe))
	return nil
}

func (b *bench) createPlain(ctx context.Context, node string) error {
	if err := os.WriteFile(filepath.Join(b.world.SharedDirectory(), plain.Name+".xml"), []byte(lab.GuestXML(plain)),
		0o644); err != nil {
		return err
	}
	_, err := b.world.Host(node).Run(ctx, "virsh", "-q", "create", "/srv/cluster/"+plain.Name+".xml")
	return err
}

// other is where a guest goes next.
func (b *bench) other(node string) string {
	if node == "node1" {
		return "node2"
	}
	return "node1"
}

// timed moves a guest by a command, and measures the command and the guest's silence.
func (b *bench) timed(ctx context.Context, watch stage.Watch, node string, into *table, argv ...string) error {
	if err := waitForAnswer(ctx, watch); err != nil {
		return err
	}
	pause(ctx, 500*time.Millisecond)
	watch.Reset()
	result, err := stage.Run(ctx, b.world, node, argv...)
	if err != nil {
		return err
	}
	if !result.OK() {
		return fmt.Errorf("%v on %s: exit code %d: %s", argv, node, result.Code, result.Output)
	}
	pause(ctx, 300*time.Millisecond)
	if err := waitForAnswer(ctx, watch); err != nil {
		return err
	}
	seen := watch.Seen()
	if seen.Runs != 1 || seen.TickWentBack != 0 {
		return fmt.Errorf("after the migration the guest is not the same: %+v", seen)
	}
	into.add(rowCommand, result.Took)
	into.add(rowProbe, seen.Silence)
	return nil
}

func (b *bench) moveManaged(ctx context.Context, watch stage.Watch, from string, into *table) (string, error) {
	to := b.other(from)
	before, err := b.cluster.Status(ctx)
	if err != nil {
		return from, err
	}
	if err := b.timed(ctx, watch, from, into, "clusvcadm", "-M", managed.Name(), "-m", to); err != nil {
		return from, err
	}
	events, err := b.cluster.Events(ctx, to, before.Index)
	if err != nil {
		return to, err
	}
	at := slices.IndexFunc(events, func(e cluster.Event) bool {
		return e.Subject == managed.Name() && e.From == "migrating" && e.To == "started"
	})
	if at < 0 {
		return to, fmt.Errorf("the timeline has no end of the migration of %s", managed.Name())
	}
	for _, phase := range events[at].Phases {
		switch phase.What {
		case "downtime":
			into.add(rowHypervisor, phase.Took)
		case "total":
			into.add(rowTotal, phase.Took)
		}
	}
	return to, nil
}

func (b *bench) movePlain(ctx context.Context, watch stage.Watch, from string, into *table) (string, error) {
	to := b.other(from)
	uri := "qemu+tcp://" + b.world.Host(to).Address(lab.Management) + "/system"
	if err := b.timed(ctx, watch, from, into, "virsh", "-q", "migrate", "--live", "--p2p", plain.Name, uri); err != nil {
		return from, err
	}
	// The source has forgotten the guest; libvirt hands its figures to the target.
	info, err := b.world.Host(to).Run(ctx, "virsh", "domjobinfo", "--completed", plain.Name)
	if err != nil {
		return to, err
	}
	if took, found := jobFigure(info, "Total downtime"); found {
		into.add(rowHypervisor, took)
	}
	if took, found := jobFigure(info, "Time elapsed"); found {
		into.add(rowTotal, took)
	}
	return to, nil
}

// jobFigure finds "NAME:   123   ms" in what virsh domjobinfo says.
func jobFigure(info, name string) (time.Duration, bool) {
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + `:\s+(\d+)\s+ms`).FindStringSubmatch(info)
	if found == nil {
		return 0, false
	}
	milliseconds, err := strconv.Atoi(found[1])
	return time.Duration(milliseconds) * time.Millisecond, err == nil
}
