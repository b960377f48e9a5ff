package e2e

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/test/lab"
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

// retellMiswired: the address of node3's board leads to node2's, so both boards tell one UUID,
// when node3 is cut off with a VM that runs on. By that board it would be confirmed off after
// node2 was shot. Nobody is, until the wiring is put right.
func (f *fixture) retellMiswired(t *testing.T, ctx context.Context) {
	const node, twin = "node3", "node2"
	f.settleOn(t, ctx, map[string]string{mover.Guest.Name: "node1", still.Guest.Name: "node1", still2.Guest.Name: node})
	before := f.remember(t, ctx)
	host := f.world.Host(node)
	if err := host.BMC.Wire(ctx, f.world.Host(twin)); err != nil {
		t.Fatal(err)
	}
	wrong := true
	defer func() {
		if wrong {
			t.Log(host.BMC.Wire(ctx, host), host.Heal(lab.Management))
		}
	}()
	for _, ambiguous := range []string{node, twin} {
		f.unprotected(t, ctx, ambiguous)
	}
	if err := host.Cut(lab.Management); err != nil {
		t.Fatal(err)
	}
	f.stands(t, ctx, node, "fencing")
	f.noted(t, ctx, node, "belongs to another machine")
	f.noted(t, ctx, node, "clusterd fence status")
	f.after(t, ctx, 15*time.Second)
	f.saidNothing(t, ctx, before.index, message.FenceConfirmed)
	for _, powered := range f.Nodes() {
		if !f.Powered(powered) {
			t.Fatalf("%s was shot on the word of a board that could be another machine's", powered)
		}
	}
	if now := f.watches[still2.Guest.Name].Seen(); now.Nonce != before.nonces[still2.Guest.Name] || now.Runs != 1 {
		t.Errorf("%s was started beside itself: %+v", still2.Name(), now)
	}
	f.checkWitness(t)
	if err := host.BMC.Wire(ctx, host); err != nil {
		t.Fatal(err)
	}
	wrong = false
	f.runsElsewhere(t, ctx, still2, node)
	f.waitForAnswer(t, ctx, still2.Guest.Name)
	if f.Powered(node) || !f.Powered(twin) {
		t.Errorf("%s has power: %v, %s: %v", node, f.Powered(node), twin, f.Powered(twin))
	}
	if err := host.Heal(lab.Management); err != nil {
		t.Fatal(err)
	}
	f.homeAgain(t, ctx, node)
	f.checkWitness(t)
}

// unprotected waits until the cluster says of a node that it cannot be fenced.
func (f *fixture) unprotected(t *testing.T, ctx context.Context, node string) {
	t.Helper()
	status, err := f.Wait(ctx, node+" cannot be fenced", func(s api.Status) bool {
		return slices.ContainsFunc(s.Nodes, func(n api.Node) bool { return n.Name == node && n.Unprotected != "" })
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range status.Nodes {
		t.Log(n.Name, " ", n.State, " ", n.Unprotected)
	}
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
