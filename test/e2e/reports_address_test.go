package e2e

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/lab"
	"github.com/clusterd/clusterd/test/stage"
)

// noWayOut lets a node answer on the cluster's port and ask nobody there, as a firewall may.
const (
	noWayOut = "nft add table inet out && nft 'add chain inet out o { type filter hook output priority 0; }' && " +
		"nft add rule inet out o tcp dport 7440 reject with tcp reset"
	wayOut = "nft delete table inet out"
)

// retellAddresses: hosts get other addresses, typed as docs/operators/recovery.md has it. No VM
// notices.
func (f *fixture) retellAddresses(t *testing.T, ctx context.Context) {
	f.settleOn(t, ctx, map[string]string{mover.Guest.Name: "node1", still.Guest.Name: "node1", still2.Guest.Name: "node3"})
	f.step(t, ctx, "one node", storyLimit, f.retellOneAddress)
	f.step(t, ctx, "one node by a person's word", storyLimit, f.retellAddressTyped)
	f.step(t, ctx, "all nodes at once", storyLimit, f.retellAllAddresses)
	f.step(t, ctx, "a host is lost at its new address", storyLimit, f.retellLossAtNewAddress)
}

// retellOneAddress: the node says by itself from where it asks.
func (f *fixture) retellOneAddress(t *testing.T, ctx context.Context) {
	const node, address = "node3", "10.99.0.33"
	before := f.remember(t, ctx)
	f.do(t, ctx, "node1", "clusterd", "node", "maintenance", node)
	f.down(t, ctx, node)
	f.readdress(t, ctx, node, f.world.Host(node).Address(lab.Management), address, "")
	f.up(t, ctx, node)
	f.reachedAt(t, ctx, map[string]string{node: address})
	f.do(t, ctx, "node1", "clusterd", "node", "return", node)
	f.checkGuests(t, ctx, before, mover.Guest.Name, still.Guest.Name, still2.Guest.Name)
	f.checkNever(t, ctx, before.index, "fencing", "fenced")
	said := f.do(t, ctx, "node1", "clustat", "--events", "--limit", "60")
	if !strings.Contains(said, "it asks from") {
		t.Errorf("the timeline does not tell from where %s asks:\n%s", node, said)
	}
}

// retellAddressTyped: the node reaches nobody, so doctor says there what to type on a member.
func (f *fixture) retellAddressTyped(t *testing.T, ctx context.Context) {
	const node, before, address = "node3", "10.99.0.33", "10.99.0.43"
	memory := f.remember(t, ctx)
	f.do(t, ctx, "node1", "clusterd", "node", "maintenance", node)
	f.down(t, ctx, node)
	f.readdress(t, ctx, node, before, address, "")
	f.shell(t, ctx, node, noWayOut)
	f.up(t, ctx, node)
	asked := f.advice(t, ctx, node, regexp.MustCompile(`clusterd node address \S+ [0-9.:]+[0-9]`))
	taken := f.world.Host("node1").Address(lab.Management)
	f.refused(t, ctx, "node1", []string{"node1"}, "clusterd", "node", "address", node, taken)
	f.do(t, ctx, "node1", strings.Fields(asked)...)
	f.shell(t, ctx, node, wayOut)
	f.reachedAt(t, ctx, map[string]string{node: address})
	f.do(t, ctx, "node1", "clusterd", "node", "return", node)
	f.checkGuests(t, ctx, memory, mover.Guest.Name, still.Guest.Name, still2.Guest.Name)
	f.checkNever(t, ctx, memory.index, "fencing", "fenced")
}

// retellAllAddresses: the whole cluster moves to another network.
func (f *fixture) retellAllAddresses(t *testing.T, ctx context.Context) {
	before := f.remember(t, ctx)
	old, next, moved := f.reachedNow(t, ctx), map[string]string{}, []string{}
	for number, node := range f.Nodes() {
		next[node] = fmt.Sprintf("10.99.7.%d", number+1)
		moved = append(moved, old[node]+": "+next[node])
	}
	for _, node := range f.Nodes() {
		f.down(t, ctx, node)
	}
	for _, node := range f.Nodes() {
		f.readdress(t, ctx, node, old[node], next[node], "moved: {"+strings.Join(moved, ", ")+"}")
	}
	for _, node := range f.Nodes() {
		f.up(t, ctx, node)
	}
	f.reachedAt(t, ctx, next)
	for _, node := range f.Nodes() {
		f.shell(t, ctx, node, "sed -i '/^moved:/d' /etc/clusterd/node.yaml")
	}
	f.checkUnharmed(t, ctx, before, mover.Guest.Name, still.Guest.Name, still2.Guest.Name)

	// Without `moved` in the files they find each other as well: the log has the new addresses.
	for _, node := range f.Nodes() {
		f.down(t, ctx, node)
	}
	for _, node := range f.Nodes() {
		f.up(t, ctx, node)
	}
	f.reachedAt(t, ctx, next)
	f.checkUnharmed(t, ctx, before, mover.Guest.Name, still.Guest.Name, still2.Guest.Name)
}

// retellLossAtNewAddress: what a lost host ran is started elsewhere, after the fence of that very
// host. It boots with the address that it was built with, so its daemon waits for the one of its
// node.yaml.
func (f *fixture) retellLossAtNewAddress(t *testing.T, ctx context.Context) {
	const node = "node3"
	f.awaitCalm(t, ctx, node)
	f.settleOn(t, ctx, map[string]string{mover.Guest.Name: "node1", still.Guest.Name: "node1", still2.Guest.Name: node})
	before, at := f.remember(t, ctx), f.reachedNow(t, ctx)
	if err := f.world.CutPower(node); err != nil {
		t.Fatal(err)
	}
	f.runsElsewhere(t, ctx, still2, node)
	f.waitForAnswer(t, ctx, still2.Guest.Name)
	f.checkWitness(t)
	if err := f.world.Boot(ctx, node); err != nil {
		t.Fatal(err)
	}
	f.logSays(t, ctx, node, "waits for")
	f.lendAddress(t, ctx, node, at[node])
	f.reachedAt(t, ctx, at)
	f.checkGuests(t, ctx, before, mover.Guest.Name, still.Guest.Name)
	f.checkWitness(t)
}

// lendAddress adds an address to the network of the cluster, until the next boot.
func (f *fixture) lendAddress(t *testing.T, ctx context.Context, node, address string) {
	t.Helper()
	built := f.world.Host(node).Address(lab.Management)
	device := strings.TrimSpace(f.shell(t, ctx, node, "ip -o addr show to "+built+" | awk '{print $2}'"))
	f.shell(t, ctx, node, "ip addr del "+built+"/24 dev "+device+" && ip addr add "+address+"/24 dev "+device)
}

// readdress gives a host another address, and writes it into its node.yaml, with one more line
// if there is one.
func (f *fixture) readdress(t *testing.T, ctx context.Context, node, from, to, line string) {
	t.Helper()
	device := strings.TrimSpace(f.shell(t, ctx, node, "ip -o addr show to "+from+" | awk '{print $2}'"))
	// In this order: with the first address of a network its second ones go as well.
	f.shell(t, ctx, node, "ip addr del "+from+"/24 dev "+device+" && ip addr add "+to+"/24 dev "+device)
	f.shell(t, ctx, node, "sed -i 's/^address: .*/address: "+to+"/' /etc/clusterd/node.yaml && grep -q 'address: "+to+
		"' /etc/clusterd/node.yaml")
	if line != "" {
		f.shell(t, ctx, node, "echo '"+line+"' >>/etc/clusterd/node.yaml")
	}
}

// advice waits until `clusterd doctor` on a node names a command, and returns it.
func (f *fixture) advice(t *testing.T, ctx context.Context, node string, command *regexp.Regexp) string {
	t.Helper()
	said := ""
	if err := poll(ctx, func() bool {
		result, err := stage.Run(ctx, f.world, node, "clusterd", "doctor")
		said = result.Output
		return err == nil && command.MatchString(strings.Join(strings.Fields(said), " "))
	}); err != nil {
		t.Fatalf("doctor on %s never says %s:\n%s", node, command, said)
	}
	return command.FindString(strings.Join(strings.Fields(said), " "))
}

// reachedNow are the addresses that the cluster records, without their ports.
func (f *fixture) reachedNow(t *testing.T, ctx context.Context) map[string]string {
	t.Helper()
	at := map[string]string{}
	for _, n := range f.waitAtRest(t, ctx).Nodes {
		at[n.Name], _, _ = strings.Cut(n.Address, ":")
	}
	return at
}

// reachedAt waits until all is at rest and the cluster records these addresses.
func (f *fixture) reachedAt(t *testing.T, ctx context.Context, addresses map[string]string) {
	t.Helper()
	if _, err := f.Wait(ctx, fmt.Sprintf("the nodes are reached at %v", addresses), func(s api.Status) bool {
		for _, n := range s.Nodes {
			host, _, _ := strings.Cut(n.Address, ":")
			if want := addresses[n.Name]; want != "" && (host != want || !n.Online) {
				return false
			}
		}
		return len(s.Nodes) == len(f.Nodes())
	}); err != nil {
		t.Fatal(err)
	}
	f.waitAtRest(t, ctx)
	said := f.do(t, ctx, f.Nodes()[0], "clusterd", "node", "list")
	for node, address := range addresses {
		if !strings.Contains(said, address) {
			t.Errorf("`clusterd node list` does not show %s of %s:\n%s", address, node, said)
		}
	}
}
