package daemon

import (
	"context"
	"encoding/json"
	"time"

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
