package returning

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/membership/inquiry"
)

// AnswerAddress is the leader's word about the address of a node that found no leader:
// who asks from elsewhere is looked for there from now on. The question came by a member's
// link; a member that lies could as well propose the command, and whoever is at the new
// address still has to prove the node's key.
func (r *Return) AnswerAddress(ctx context.Context, question inquiry.Question) string {
	root := r.Log.Root()
	n, known := root.Nodes.Get(question.Node)
	if !known || question.Address == "" || !r.Log.Leading() || strings.EqualFold(n.Address, question.Address) {
		return ""
	}
	refused, err := r.Log.Propose(ctx, cluster.SetAddress{Node: question.Node, Address: question.Address})
	if err == nil {
		err = cluster.Refusal(refused)
	}
	if err != nil {
		return fmt.Sprintf("%s does not take %s for the address of this node yet: %v", r.Node, question.Address, err)
	}
	return ""
}

// tellAddress says of a node without a leader that the others look for it elsewhere.
func (r *Return) tellAddress(answer string) {
	recorded, text := r.recordedAddress(), ""
	if recorded != "" && r.Log.Leader() == "" && !strings.EqualFold(recorded, r.Address) {
		text = fmt.Sprintf("the cluster records %s for this node, and its own address is %s (%s). It tells the leader so; "+
			"where none answers, on a member: clusterd node address %s %s", recorded, r.Address, nodefile.Path,
			r.Node, hostOf(r.Address))
		if answer != "" {
			text += ". " + answer
		}
	}
	if r.Warnings.Set("address", text) && text != "" {
		r.Logger.Warn("this node has another address than the cluster records", "node", r.Node, "recorded", recorded,
			"address", r.Address)
	}
}

// recordedAddress is where the others reach this node by what it knows. A daemon that has
// started and heard of no leader has no State yet; the members of its log it has.
func (r *Return) recordedAddress() string {
	if me, known := r.Log.Root().Nodes.Get(r.Node); known {
		return me.Address
	}
	for _, m := range r.Log.Members() {
		if m.ID == r.Node {
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
