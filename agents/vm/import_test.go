//go:build cgo

package vm

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"libvirt.org/go/libvirt"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/vm/doorkeeper"
)

func TestRealImportLeavesTheGuestAlone(t *testing.T) {
	options, spec, definition := realGuest(t)
	a := connected(t, options)
	ctx := context.Background()
	s, err := a.current()
	if err != nil {
		t.Fatal(err)
	}
	defineAutostarted(t, s, definition)
	defer func() { a.Stop(ctx, agents.Act{Spec: spec, Kill: true}) }()
	dumped, err := a.DumpForImport(ctx, spec.Short())
	if err != nil || !dumped.Running || !dumped.Persistent || !dumped.Autostart || dumped.UUID != spec.UUID {
		t.Fatalf("%+v: %v", dumped, err)
	}
	if result := a.Stop(ctx, agents.Act{Spec: spec, Kill: true}); !result.OK {
		t.Fatalf("stop: %+v", result)
	}
	if result := a.Start(ctx, agents.Act{Spec: spec, Definition: definition}); result.OK ||
		!strings.Contains(result.Why, "persistent") {
		t.Fatalf("a VM that libvirt keeps by itself was started: %+v", result)
	}
	startPersistent(t, s, spec.UUID)
	unpersistRunning(t, a, spec.UUID)
	startAsDumped(t, a, dumped.XML)
	versions, err := a.Versions(ctx)
	if err != nil || versions.Libvirt < 7_000_000 || versions.QEMU < 5_000_000 {
		t.Fatalf("%+v: %v", versions, err)
	}
	t.Logf("libvirt %s, QEMU %s", versions.Libvirt, versions.QEMU)
}

// defineAutostarted makes a guest that libvirt keeps and starts by itself, and starts it.
func defineAutostarted(t *testing.T, s *session, definition string) {
	t.Helper()
	err := do(context.Background(), s, func(conn *libvirt.Connect) error {
		domain, err := conn.DomainDefineXML(definition)
		if err != nil {
			return err
		}
		defer func() { _ = domain.Free() }()
		if err := domain.SetAutostart(true); err != nil {
			return err
		}
		return domain.Create()
	})
	if err != nil {
		t.Fatal(err)
	}
}

// unpersistRunning lets libvirt forget a guest that runs, twice, and wants the same QEMU to run on.
func unpersistRunning(t *testing.T, a *Agent, uuid string) {
	t.Helper()
	ctx := context.Background()
	before, _, found, err := a.table.QEMU(uuid)
	if err != nil || !found {
		t.Fatalf("its QEMU: %v", err)
	}
	if err := a.Unpersist(ctx, uuid); err != nil {
		t.Fatal(err)
	}
	if err := a.Unpersist(ctx, uuid); err != nil {
		t.Fatalf("once more: %v", err)
	}
	after, _, found, err := a.table.QEMU(uuid)
	if err != nil || !found || after != before {
		t.Fatalf("its QEMU was %s and is %s: %v", before, after, err)
	}
	kept, err := a.Definitions(ctx, []string{uuid, "77777777-0000-4000-8000-0000000000ff"})
	if err != nil || len(kept) != 1 || kept[0].Persistent || kept[0].Autostart || !kept[0].Running {
		t.Fatalf("%+v: %v", kept, err)
	}
}

// startAsDumped stops a guest and starts it by the definition that was dumped for its import.
func startAsDumped(t *testing.T, a *Agent, dumped string) {
	t.Helper()
	ctx := context.Background()
	imported := specOf(t, dumped)
	if result := a.Stop(ctx, agents.Act{Spec: imported, Kill: true}); !result.OK {
		t.Fatalf("stop: %+v", result)
	}
	if result := a.Start(ctx, agents.Act{Spec: imported, Definition: dumped}); !result.OK {
		t.Fatalf("what was dumped does not start: %+v", result)
	}
}

func startPersistent(t *testing.T, s *session, uuid string) {
	t.Helper()
	_, err := onDomain(context.Background(), s, uuid, func(domain *libvirt.Domain) (struct{}, error) {
		return struct{}{},
			domain.Create()
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRealDoorkeeper needs a libvirtd that is started again when it ends.
func TestRealDoorkeeper(t *testing.T) {
	options, spec, definition := realGuest(t)
	door := doorkeeper.Door{Socket: "/run/no-daemon.sock", Managed: filepath.Join("/run", "clusterd-test-managed")}
	if err := doorkeeper.WriteManaged(door.Managed, []string{spec.UUID}); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(door.Managed)
	if _, err := doorkeeper.Install("/etc/libvirt/hooks", os.Args[0], door, 9_000_000); err != nil {
		t.Fatal(err)
	}
	defer os.Remove("/etc/libvirt/hooks/qemu")
	if err := syscall.Kill(libvirtdPID(t), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	a := connected(t, options)
	result := a.Start(context.Background(), agents.Act{Spec: spec, Definition: definition})
	if result.OK || result.Source != agents.Absent || !strings.Contains(result.Why, "clusterd does not answer") {
		t.Fatalf("with the daemon down: %+v", result)
	}
	t.Log(result.Why)
	if err := doorkeeper.WriteManaged(door.Managed, nil); err != nil {
		t.Fatal(err)
	}
	if result := a.Start(context.Background(), agents.Act{Spec: spec, Definition: definition}); !result.OK {
		t.Fatalf("a VM that is not managed: %+v", result)
	}
	a.Stop(context.Background(), agents.Act{Spec: spec, Kill: true})
}

// playDoorkeeper is what clusterd-doorkeeper does.
func playDoorkeeper(args []string) int {
	door := doorkeeper.Door{Socket: args[1], Managed: args[3]}
	if allow, reason := door.Check(context.Background(), args[5:], os.Stdin); !allow {
		_, _ = os.Stderr.WriteString(reason + "\n")
		return 1
	}
	return 0
}
