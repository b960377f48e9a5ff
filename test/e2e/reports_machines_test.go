package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/test/stage"
)

// retellTwinBoards: the address of one BMC is typed for two nodes.
func (f *fixture) retellTwinBoards(t *testing.T, ctx context.Context) {
	before := f.waitAtRest(t, ctx)
	path := filepath.Join(f.world.Host("node1").Directory(), "etc-clusterd", "cluster.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	second, third := f.Device("node2").Address, f.Device("node3").Address
	twice := strings.Replace(string(text), third, second, 1)
	if twice == string(text) {
		t.Fatalf("the document does not name %s", third)
	}
	name, err := f.world.WriteFile("node1", "twice.yaml", twice)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"check", "apply"} {
		f.refused(t, ctx, "node1", []string{"bmc-node2", "bmc-node3", second}, "clusterd", "config", verb, name)
	}
	f.checkNoFence(t, ctx, before.Index)
}

// retellTwinMachines: a machine joins that tells the hardware UUID of a member.
func (f *fixture) retellTwinMachines(t *testing.T, ctx context.Context) {
	const twin = "node3"
	f.settleOn(t, ctx, map[string]string{mover.Guest.Name: "node1", still.Guest.Name: "node1", still2.Guest.Name: "node2"})
	f.do(t, ctx, twin, "clusterd", "node", "leave", "--wait", "1m")
	if err := f.StopDaemon(ctx, twin); err != nil {
		t.Fatal(err)
	}
	f.do(t, ctx, "node1", "clusterd", "node", "remove", twin)
	if err := f.world.Wipe(twin); err != nil {
		t.Fatal(err)
	}
	own := f.shell(t, ctx, twin, "cat /etc/clusterd/hardware-uuid")
	others := f.shell(t, ctx, "node2", "cat /etc/clusterd/hardware-uuid")
	said := f.joinWith(t, ctx, twin, others)
	if said.OK() || !strings.Contains(said.Output, "node2") {
		t.Errorf("a twin of node2 joins: exit code %d: %s", said.Code, said.Output)
	}
	if said := f.joinWith(t, ctx, twin, own); !said.OK() {
		t.Fatalf("%s cannot join: %s", twin, said.Output)
	}
	if err := f.StartDaemon(ctx, twin); err != nil {
		t.Fatal(err)
	}
	f.do(t, ctx, "node1", "clusterd", "config", "apply", "/etc/clusterd/cluster.yaml")
	f.waitAtRest(t, ctx)
}

func (f *fixture) joinWith(t *testing.T, ctx context.Context, node, uuid string) stage.Result {
	t.Helper()
	f.shell(t, ctx, node, "echo "+strings.TrimSpace(uuid)+" > /etc/clusterd/hardware-uuid")
	token := strings.TrimSpace(f.do(t, ctx, "node1", "clusterd", "token"))
	result, err := stage.Run(ctx, f.world, node, "sh", "-c", "echo '"+token+"' | clusterd join")
	if err != nil {
		t.Fatal(err)
	}
	return result
}
