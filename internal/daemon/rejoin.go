package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/membership/inquiry"
	"github.com/clusterd/clusterd/internal/membership/vouching"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/sleep"
)

// rejoinEvery is how often a node without a leader asks the others whether the
// cluster went on without it; of many nodes it asks a few.
const (
	rejoinEvery = time.Second
	rejoinAsks  = 3
)

// rejoin is what a node keeps that was left behind.
type rejoin struct {
	// Generation is the one that began without it, and By who said so.
	Generation uint64 `json:"generation"`
	By         string `json:"by"`
	// Empty: the old log is set aside.
	Empty bool `json:"empty"`
}

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
		d.answerLog(ctx, question, &answer)
		answer.Address = d.answerAddress(ctx, question)
		answer.State = d.digestAt(question)
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

// keepRejoining asks, as long as there is no leader, whether the cluster went on
// without this node. Its own log will never tell it.
func (d *Daemon) keepRejoining(ctx context.Context) {
	for sleep.For(ctx, rejoinEvery) {
		kept, err := membership.ReadOptional[rejoin](d.options.Folder, membership.RejoinFile)
		if err != nil {
			d.warnings.Set("rejoin", err.Error())
			continue
		}
		if kept == nil {
			d.warnings.Set("rejoin", "") // what could not be read a while ago can be read now
		}
		if d.role.Load().leader != "" {
			d.tellAddress("")
		}
		switch {
		case d.role.Load().leader == "":
			d.askStanding(ctx, kept)
		case d.book.letIn && d.admitted():
			if err := d.holdsAgain(); err != nil {
				d.warnings.Set("log", err.Error())
			}
		case kept != nil && d.admitted():
			d.warnings.Set("rejoin", "")
			if err := d.options.Folder.Remove(membership.RejoinFile); err != nil {
				d.warnings.Set("rejoin", err.Error())
			}
		}
	}
}

func (d *Daemon) admitted() bool {
	me, known := d.replica.Root().Nodes.Get(d.name)
	return known && me.Incarnation != 0 && me.Incarnation == d.incarnation.Load() && me.State != cluster.NodeLooking
}

func (d *Daemon) askStanding(ctx context.Context, kept *rejoin) {
	question, err := json.Marshal(inquiry.Question{Cluster: d.membership.ID, Node: d.name, Empty: kept != nil &&
		kept.Empty,
		Address: d.address,
		Log:     d.log.Held().Life, Lost: d.book.lost})
	if err != nil {
		return
	}
	peers := d.peers()
	names := sortedNames(peers)
	d.book.turn += rejoinAsks
	said := ""
	defer func() { d.tellAddress(said) }()
	for i := range min(len(names), rejoinAsks) {
		node := names[(d.book.turn+i)%len(names)] // only who leads has an answer
		reply, err := d.wire.Ask(ctx, peers[node], question)
		var answer inquiry.Answer
		if err != nil || json.Unmarshal(reply, &answer) != nil || answer.Cluster != d.membership.ID {
			continue
		}
		said = answer.Address
		switch {
		case answer.OtherLog != "":
			d.loseLog(message.LogRefusedBy.With(answer.OtherLog, node))
			return
		case answer.LetIn && d.book.lost != nil:
			d.letIn(node)
			return
		case !answer.Expelled:
			continue
		}
		if kept != nil && kept.Empty {
			d.warnings.Set("rejoin", fmt.Sprintf("%s lets this node in again", node))
			return
		}
		if answer.Generation > d.replica.Root().Generation {
			d.leaveOldLog(node, answer.Generation)
			return
		}
	}
}

// leaveOldLog writes down that the log is to be set aside, and begins anew: the
// next start does it before it opens the log.
func (d *Daemon) leaveOldLog(by string, generation uint64) {
	d.logger.Warn("the cluster has gone on without this node; it sets its log aside and comes back with an empty one",
		"node", d.name, "generation", generation, "by", by)
	folder := d.options.Folder
	// The addresses are in the log that goes: keep them first.
	place := d.membership
	place.Members, place.Founder = d.recordedPeers(), false
	if err := folder.Write(membership.MembershipFile, place); err != nil {
		d.warnings.Set("rejoin", err.Error())
		return
	}
	if err := folder.Write(membership.RejoinFile, rejoin{Generation: generation, By: by}); err != nil {
		d.warnings.Set("rejoin", err.Error())
		return
	}
	d.end(ErrAgain)
}

// setLogAside is the second half: the log of the old generation is kept beside,
// for whoever wants to look into it, until the next one takes its place.
func (d *Daemon) setLogAside() error {
	folder := d.options.Folder
	kept, err := membership.ReadOptional[rejoin](folder, membership.RejoinFile)
	if err != nil || kept == nil || kept.Empty {
		return err
	}
	if err := d.options.Folder.DropDecisions(); err != nil {
		return err
	}
	if err := d.options.Folder.SetLogAside(); err != nil {
		return err
	}
	if err := d.forgetHeld(); err != nil {
		return err
	}
	kept.Empty = true
	return folder.Write(membership.RejoinFile, *kept)
}
