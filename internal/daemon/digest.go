package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/sleep"
)

const (
	// compareEvery is how often a node compares its State with the leader's, where it changed.
	compareEvery = 10 * time.Second
	// rootsKept is how many of its newest States a node can be asked about. They share what did not
	// change between them.
	rootsKept = 64
)

// recentRoots are the newest States of this node, to be compared with those of others.
type recentRoots struct {
	mu   sync.Mutex
	list [rootsKept]*cluster.State
}

func (r *recentRoots) add(root *cluster.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list[root.Index%rootsKept] = root
}

func (r *recentRoots) at(index uint64) *cluster.State {
	r.mu.Lock()
	defer r.mu.Unlock()
	if root := r.list[index%rootsKept]; root != nil && root.Index == index {
		return root
	}
	return nil
}

// keepComparing stops this node if its State differs from the leader's at the same index: one of
// the two acts on what was never agreed.
func (d *Daemon) keepComparing(ctx context.Context) {
	var compared uint64
	for sleep.For(ctx, compareEvery) {
		root, role := d.replica.Root(), d.role.Load()
		if role.leading || role.leader == "" || root.Index == compared || root.Index == 0 {
			continue
		}
		if d.compare(ctx, root, role.leader) {
			compared = root.Index
		}
	}
}

// nudgeEvery is how long the log may rest before its leader moves it. It bounds how long a node of
// which the heartbeats pass and the log does not goes unseen in a quiet cluster.
const nudgeEvery = 5 * time.Second

// keepNudging keeps the log moving.
func (d *Daemon) keepNudging(ctx context.Context) {
	var end uint64
	for sleep.For(ctx, nudgeEvery) {
		nudge, cancel := context.WithTimeout(ctx, nudgeEvery)
		end = d.log.Nudge(nudge, end)
		cancel()
	}
}

// compare reports whether the leader could tell.
func (d *Daemon) compare(ctx context.Context, root *cluster.State, leader string) bool {
	question, err := json.Marshal(standingQuestion{
		Cluster: d.membership.ID, Node: d.name, Version: Version, StateAt: root.Index,
	})
	address := d.peers()[leader]
	if err != nil || address == "" {
		return false
	}
	reply, err := d.wire.Ask(ctx, address, question)
	var answer standingAnswer
	if err != nil || json.Unmarshal(reply, &answer) != nil || answer.State == "" {
		return false
	}
	mine, err := root.Digest()
	if err != nil {
		d.warnings.set("state", fmt.Sprintf("the State at index %d cannot be compared with the leader's: %v",
			root.Index, err))
		return false
	}
	if mine != answer.State {
		d.loseLog(message.Sentence(fmt.Sprintf("the State of %s at index %d is not that of the leader %s (digests %.12s "+
			"and %.12s): one of them applied what was not agreed, so look at both logs before you trust either", d.name,
			root.Index, leader, mine, answer.State)))
	}
	return true
}

// digestAt answers another node of the same version; "" if this one cannot tell.
func (d *Daemon) digestAt(question standingQuestion) string {
	if question.StateAt == 0 || question.Version != Version {
		return ""
	}
	root := d.replica.recent.at(question.StateAt)
	if root == nil {
		return ""
	}
	digest, err := root.Digest()
	if err != nil {
		return ""
	}
	return digest
}
