package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/membership/inquiry"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/sleep"
	"github.com/clusterd/clusterd/quorum"
)

const (
	// digestShown is how much of a digest is shown.
	digestShown = 12

	// compareEvery is how often a node compares its State with the leader's, where it changed.
	compareEvery = 10 * time.Second
	// leaderCompares is in how many of these rounds a leader does it once: each of its followers does
	// it too, and only one that is alone with its State is found by the leader alone.
	leaderCompares = 6
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

// keepComparing stops this node if its State is not that of the others at the same index: it acts
// on what was never agreed.
func (d *Daemon) keepComparing(ctx context.Context) {
	var compared uint64
	for round := 0; sleep.For(ctx, compareEvery); round++ {
		root, role := d.replica.Root(), d.role.Load()
		if d.odd.Load() && role.leading {
			d.handOverOdd(ctx)
		}
		if role.leader == "" || root.Index == compared || root.Index == 0 || role.leading && round%leaderCompares != 0 {
			continue
		}
		if d.compare(ctx, root, *role) {
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

// compare reports whether enough of the others could tell. A follower asks the leader, and all
// voters where that differs; the leader, who may be the odd one as well, asks all voters.
func (d *Daemon) compare(ctx context.Context, root *cluster.State, role role) bool {
	mine, err := root.Digest()
	if err != nil {
		d.warnings.Set("state", fmt.Sprintf("the State at index %d cannot be compared with that of others: %v",
			root.Index, err))
		return false
	}
	told := map[string]string{d.name: mine}
	if !role.leading {
		told[role.leader] = d.stateOf(ctx, role.leader, root.Index)
		if told[role.leader] == mine {
			d.agrees()
			return true
		}
	}
	voters := votersAmong(d.log.Members())
	for _, name := range voters {
		if _, asked := told[name]; !asked {
			told[name] = d.stateOf(ctx, name, root.Index)
		}
	}
	verdict := weighStates(told, voters, d.name, role.leader)
	switch {
	case verdict.told && !verdict.odd:
		d.agrees()
	case verdict.doubt == "" && !verdict.odd && !d.odd.Load():
		d.warnings.Set("state", "")
	case verdict.doubt != "":
		d.warnings.Set("state", fmt.Sprintf("the State of %s at index %d is not that of %s, and it is not known which is "+
			"right, since no State is that of more than half of the voters: bring the other nodes up, and compare the logs",
			d.name, root.Index, verdict.doubt))
	case verdict.odd && len(othersWithoutLog(root, d.name)) > 0:
		d.standBy(ctx, role, fmt.Sprintf("the State of %s at index %d is not that of %s, so it does nothing by it; it "+
			"starts over once %s, which lost its log, holds it again: bring it up, or take it out (`clusterd node remove`)",
			d.name, root.Index, verdict.others, strings.Join(othersWithoutLog(root, d.name), ", ")))
		return false
	case verdict.odd:
		d.loseLog(message.StateDiffers.With(d.name, root.Index, verdict.others, mine[:min(len(mine), digestShown)],
			verdict.right[:min(len(verdict.right), digestShown)]))
	}
	return verdict.told
}

// standBy has this node decide and do nothing by its State, and lead no longer than it takes to
// hand that over. What was begun goes on.
func (d *Daemon) standBy(ctx context.Context, role role, why string) {
	d.odd.Store(true)
	d.warnings.Set("state", why)
	if role.leading {
		d.handOverOdd(ctx)
	}
}

func (d *Daemon) handOverOdd(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, handOverLimit)
	defer cancel()
	if err := d.log.HandOver(ctx, ""); err != nil {
		d.logger.Warn("a leader whose State is not that of the others cannot hand over", "node", d.name, "error", err)
	}
}

// agrees ends a stand-by: this node's State is right.
func (d *Daemon) agrees() {
	d.odd.Store(false)
	d.warnings.Set("state", "")
}

// stateOf is what another node of the same version says of its State; "" if it cannot tell.
func (d *Daemon) stateOf(ctx context.Context, node string, index uint64) string {
	question, err := json.Marshal(inquiry.Question{
		Cluster: d.membership.ID, Node: d.name, Version: Version, StateAt: index,
	})
	address := d.peers()[node]
	if err != nil || address == "" {
		return ""
	}
	reply, err := d.wire.Ask(ctx, address, question)
	var answer inquiry.Answer
	if err != nil || json.Unmarshal(reply, &answer) != nil {
		return ""
	}
	return answer.State
}

func votersAmong(members []quorum.Member) []string {
	var names []string
	for _, m := range members {
		if m.Voter {
			names = append(names, m.ID)
		}
	}
	slices.Sort(names)
	return names
}

// othersWithoutLog are the other nodes that lost their logs and do not hold them again: one at a
// time may begin anew.
func othersWithoutLog(root *cluster.State, self string) (names []string) {
	for _, n := range root.Nodes.Rows() {
		if n.Name != self && n.LogLost != 0 {
			names = append(names, n.Name)
		}
	}
	return names
}

// stateVerdict is what the States of the voters at one index come to.
type stateVerdict struct {
	// told: what was told is enough.
	told bool
	// odd: this node's is not the right one, which the others have.
	odd           bool
	right, others string
	// doubt names those whose State is another one, where nobody knows which is right.
	doubt string
}

// weighStates judges what nodes told of their States: right is what more than half of the voters
// have. Of two voters the leader's is right, as nobody else can be asked. Whoever could not tell
// has none.
func weighStates(told map[string]string, voters []string, self, leader string) stateVerdict {
	by := map[string][]string{}
	var differ []string
	for _, name := range voters {
		if state := told[name]; state != "" {
			by[state] = append(by[state], name)
			if state != told[self] {
				differ = append(differ, name)
			}
		}
	}
	for state, names := range by {
		if 2*len(names) > len(voters) {
			return stateVerdict{told: true, odd: state != told[self], right: state, others: strings.Join(names, ", ")}
		}
	}
	switch {
	case len(differ) == 0:
		return stateVerdict{told: len(voters) == 1}
	case len(voters) == 2 && told[leader] != "":
		return stateVerdict{told: true, odd: self != leader, right: told[leader], others: leader}
	}
	return stateVerdict{doubt: strings.Join(differ, ", ")}
}

// digestAt answers another node of the same version; "" if this one cannot tell.
func (d *Daemon) digestAt(question inquiry.Question) string {
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
