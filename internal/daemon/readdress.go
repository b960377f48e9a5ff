package daemon

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/membership/inquiry"
)

// answerAddress is the leader's word about the address of a node that found no leader:
// who asks from elsewhere is looked for there from now on. The question came by a member's
// link; a member that lies could as well propose the command, and whoever is at the new
// address still has to prove the node's key.
func (d *Daemon) answerAddress(ctx context.Context, question inquiry.Question) string {
	root := d.replica.Root()
	n, known := root.Nodes.Get(question.Node)
	if !known || question.Address == "" || !d.role.Load().leading || strings.EqualFold(n.Address, question.Address) {
		return ""
	}
	applied, err := d.propose(ctx, cluster.SetAddress{Node: question.Node, Address: question.Address})
	if err == nil {
		err = applied.Err()
	}
	if err != nil {
		return fmt.Sprintf("%s does not take %s for the address of this node yet: %v", d.name, question.Address, err)
	}
	return ""
}

// tellAddress says of a node without a leader that the others look for it elsewhere.
func (d *Daemon) tellAddress(answer string) {
	recorded, text := d.recordedAddress(), ""
	if recorded != "" && d.role.Load().leader == "" && !strings.EqualFold(recorded, d.address) {
		text = fmt.Sprintf("the cluster records %s for this node, and its own address is %s (%s). It tells the leader so; "+
			"where none answers, on a member: clusterd node address %s %s", recorded, d.address, nodefile.Path,
			d.name, hostOf(d.address))
		if answer != "" {
			text += ". " + answer
		}
	}
	if d.warnings.Set("address", text) && text != "" {
		d.logger.Warn("this node has another address than the cluster records", "node", d.name, "recorded", recorded,
			"address", d.address)
	}
}

// recordedAddress is where the others reach this node by what it knows. A daemon that has
// started and heard of no leader has no State yet; the members of its log it has.
func (d *Daemon) recordedAddress() string {
	if me, known := d.replica.Root().Nodes.Get(d.name); known {
		return me.Address
	}
	for _, m := range d.log.Members() {
		if m.ID == d.name {
			return m.Address
		}
	}
	return ""
}

func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}

// now is where an address of before a renumbering is by now, by this node's own file.
func (d *Daemon) now(address string) string {
	host, port, err := net.SplitHostPort(address)
	if moved := d.options.Node.Moved[host]; err == nil && moved != "" {
		return net.JoinHostPort(moved, port)
	}
	return address
}
