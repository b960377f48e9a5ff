package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/pki"
)

// A member that was away for long must be able to hear from a leader that joined
// meanwhile, whose key its State does not know. It asks the members that it does
// know. Their word lets a key speak the log's own channel to this node, and no more.

// vouchEvery brakes the questions: strangers can come as often as they like.
const (
	vouchEvery = 500 * time.Millisecond
	vouchAsks  = 3
)

// keyAnswer is what a member says of a key, in its answer to a standingQuestion.
const (
	keyOfMember = "member"
	keyRemoved  = "removed"
)

// keepVouching asks about the keys of strangers, one at a time. A stranger that
// comes while another one is asked about has to come again.
func (d *Daemon) keepVouching(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case peer := <-d.strangers:
			if d.askAbout(ctx, peer) {
				d.logger.Info("a key that this node's log does not tell of yet is a member's, as others say", "node", peer.Name)
				d.keys.vouch(peer, time.Now())
			}
		}
		if !sleep(ctx, vouchEvery) {
			return
		}
	}
}

// noteStranger implements keyBook.stranger.
func (d *Daemon) noteStranger(peer pki.Peer) {
	select {
	case d.strangers <- peer:
	default:
	}
}

// askAbout asks a few members whose key this is. The first no is final, and
// silence is no yes.
func (d *Daemon) askAbout(ctx context.Context, peer pki.Peer) bool {
	question, err := json.Marshal(standingQuestion{
		Cluster: d.membership.ID, Node: d.name, KeyOf: peer.Name, Key: peer.Fingerprint,
	})
	if err != nil {
		return false
	}
	vouched := false
	peers := d.peers()
	asked := 0
	for _, node := range sortedNames(peers) {
		if node == peer.Name || asked == vouchAsks { // its own word counts for nothing
			continue
		}
		reply, err := d.wire.Ask(ctx, peers[node], question)
		var answer standingAnswer
		if err != nil || json.Unmarshal(reply, &answer) != nil || answer.Cluster != d.membership.ID {
			continue
		}
		asked++
		switch answer.Key {
		case keyRemoved:
			return false
		case keyOfMember:
			vouched = true
		}
	}
	return vouched
}

// How long one try waits until the others know a new key of this node, and how often it asks. One
// that is asked has answerPatience; all are asked at once.
const (
	knownPatience  = 3 * time.Second
	knownEvery     = 100 * time.Millisecond
	answerPatience = time.Second
)

// othersKnow waits a while until every other member says that the new key of this node is one of a
// member. A majority that committed it is not enough: one that lags and one that has dropped the
// old key could not speak to each other, were they all that is left. Who is away, and was to be
// left out, is not waited for. A keyHeld names who does not know it.
func (d *Daemon) othersKnow(ctx context.Context, turn *cluster.KeyTurn) error {
	ctx, cancel := context.WithTimeout(ctx, knownPatience)
	defer cancel()
	var ignorant []string
	for {
		asked := d.withoutKey(ctx, turn)
		if len(asked) == 0 {
			return nil
		}
		if ctx.Err() == nil || ignorant == nil { // when the time is up, nobody answers any longer
			ignorant = asked
		}
		if !sleep(ctx, knownEvery) {
			return keyHeld(fmt.Sprintf("%s does not use its new key before every member says that it knows it; no such "+
				"answer from %s: bring back who is away, remove it, or `clusterd keys rotate node %s --anyway`", d.name,
				strings.Join(ignorant, ", "), d.name))
		}
	}
}

// withoutKey are the other members that do not say that they know a told key of this node.
func (d *Daemon) withoutKey(ctx context.Context, turn *cluster.KeyTurn) []string {
	question, err := json.Marshal(standingQuestion{
		Cluster: d.membership.ID, Node: d.name, KeyOf: d.name, Key: turn.Fingerprint,
	})
	ctx, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	root, peers := d.replica.Root(), d.peers()
	names := sortedNames(peers)
	knows := make([]bool, len(names))
	var asked sync.WaitGroup
	for i, name := range names {
		asked.Go(func() {
			reply, failed := d.wire.Ask(ctx, peers[name], question)
			var answer standingAnswer
			if failed != nil {
				n, _ := root.Nodes.Get(name)
				knows[i] = turn.Anyway && !n.Reachable()
				return
			}
			knows[i] = json.Unmarshal(reply, &answer) == nil && answer.Cluster == d.membership.ID &&
				answer.Key == keyOfMember
		})
	}
	asked.Wait()
	var ignorant []string
	for i, name := range names {
		if err != nil || !knows[i] {
			ignorant = append(ignorant, name)
		}
	}
	return ignorant
}

// keyAnswer says of a key what this node's own State does.
func (d *Daemon) keyAnswer(name, fingerprint string) string {
	switch d.standing(pki.Peer{Kind: pki.KindNode, Name: name, Fingerprint: fingerprint}).Kind {
	case pki.StandingMember:
		return keyOfMember
	case pki.StandingRemoved:
		return keyRemoved
	}
	return ""
}
