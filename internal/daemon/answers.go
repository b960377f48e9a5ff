package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"net"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/membership/inquiry"
	"github.com/clusterd/clusterd/internal/membership/vouching"
)

// answerStanding answers another node, and lets one in that has set its log aside. A node asks for
// itself alone: what it says of its log or its address changes its own place in the cluster.
func (d *Daemon) answerStanding(ctx context.Context) func(net.Conn, []byte) []byte {
	return func(asker net.Conn, text []byte) []byte {
		var question inquiry.Question
		if json.Unmarshal(text, &question) != nil || question.Cluster != d.membership.ID {
			return nil
		}
		if err := d.asksForItself(asker, question.Node); err != nil {
			d.logger.Warn("a question is not answered", "error", err)
			return nil
		}
		root := d.replica.Root()
		n, _ := root.Nodes.Get(question.Node)
		answer := inquiry.Answer{Cluster: d.membership.ID, Generation: root.Generation, Expelled: n.Expelled != 0 &&
			d.role.Load().leading}
		if answer.Expelled && question.Empty {
			applied, err := d.propose(ctx, cluster.Readmit{Node: question.Node, Generation: root.Generation})
			if err == nil {
				err = applied.Err()
			}
			if err != nil {
				d.logger.Warn("a node that was left behind is not let in yet", "node", question.Node, "error", err)
			}
		}
		if question.Key != "" {
			answer.Key = d.registry.KeyAnswer(question.KeyOf, question.Key)
		}
		if question.Roster {
			answer.Roster = vouching.RosterAfter(root, question.After)
		}
		d.book.Answer(ctx, question, &answer)
		answer.Address = d.returning.AnswerAddress(ctx, question)
		answer.State = d.comparing.DigestAt(question)
		reply, err := json.Marshal(answer)
		if err != nil {
			return nil
		}
		return reply
	}
}

// asksForItself says why a question in a node's name is not that node's.
func (d *Daemon) asksForItself(asker net.Conn, name string) error {
	if d.mux == nil {
		return nil // a simulated network that knows nothing of keys
	}
	peer, err := peerAt(asker)
	if err == nil && peer.Name != name {
		err = fmt.Errorf("%s asks in the name of %s", peer, name)
	}
	return err
}
