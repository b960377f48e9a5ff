package mind

import (
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/plan"
)

// parcel is a result on its way into the log; it is kept until it is there.
type parcel struct {
	key     string
	duty    string
	command cluster.Command
	// look is what was known besides, to look again if the observation comes too
	// late to count.
	look look
}

// takeProposals frees the keys of proposals that ended, and the results that
// are in the log now.
func (n *Node) takeProposals(now time.Duration, in Input) {
	for _, done := range in.Proposals {
		keys := n.flying[done.ID]
		delete(n.flying, done.ID)
		for i, key := range keys {
			delete(n.inFlight, key)
			refused := !done.Failed && i < len(done.Refused) && !done.Refused[i].IsZero()
			delete(n.held, key)
			switch {
			case done.Failed:
				n.held[key] = now + plan.PauseAfterFailure
			case n.delivered(now, key, refused):
			case refused:
				n.held[key] = now + plan.PauseAfterRefusal
			}
		}
	}
}

// delivered drops a result that Apply has seen, accepted or refused: a refused
// one is stale by law L2. An observation that came too late is looked at again,
// because what it saw may still be so. It reports whether the key was a parcel's.
func (n *Node) delivered(now time.Duration, key string, refused bool) bool {
	for i, p := range n.outbox {
		if p.key != key {
			continue
		}
		n.outbox = append(n.outbox[:i:i], n.outbox[i+1:]...)
		if p.duty != "" {
			delete(n.handed, p.duty)
			n.rested[p.duty] = now + plan.PauseBetweenTries
		}
		if o, unasked := p.command.(cluster.Observed); unasked && refused {
			p.look.wanted, p.look.notBefore = true, now+plan.PauseBetweenLooks
			n.want(o.Service, p.look)
		}
		return true
	}
	return false
}

// post puts the result of a duty into the outbox. It is told apart by the duty: each one
// handed out has an answer of its own.
func (n *Node) post(d cluster.Duty, c cluster.Command) {
	n.postParcel(parcel{key: "result/" + d.Key(), duty: d.Key(), command: c})
}

// postWord puts what nobody asked for into the outbox.
func (n *Node) postWord(c cluster.Command) { n.postParcel(parcel{key: cluster.KeyOf(c), command: c}) }

// postParcel puts a command into the outbox. A newer one of the same key takes the
// place of one that waits, and goes behind one that is on its way already.
func (n *Node) postParcel(fresh parcel) {
	onItsWay := n.inFlight[fresh.key]
	for i, p := range n.outbox {
		if p.key != fresh.key {
			continue
		}
		if !onItsWay {
			n.outbox[i] = fresh
			return
		}
		onItsWay = false // the first is the one that flies; a second may be replaced
	}
	n.outbox = append(n.outbox, fresh)
}

// A few results are each an entry of its own, so that none waits for another. When
// mostFlying proposals are on their way, what comes then waits until one of them
// has ended, and goes in bundles of up to resultsAtOnce. Hundreds of services that
// are looked for at the same time would else be hundreds of entries, each on its
// own way to the leader.
const (
	mostFlying    = 16
	resultsAtOnce = 64
)

// report proposes the results in the outbox. Apply judges each by itself, alone or
// in a bundle.
func (n *Node) report(now time.Duration, in Input, out *Output) {
	if len(n.flying) >= mostFlying {
		return
	}
	var keys []string
	var commands []cluster.Command
	for _, p := range n.outbox {
		if !n.inFlight[p.key] && now >= n.held[p.key] {
			keys, commands = append(keys, p.key), append(commands, p.command)
		}
	}
	bundle := 1
	if len(keys) > mostFlying-len(n.flying) {
		bundle = resultsAtOnce
	}
	for from := 0; from < len(keys); from += bundle {
		to := min(from+bundle, len(keys))
		n.proposeOnce(now, in.State, keys[from:to], commands[from:to], false, out)
	}
}

// proposeOnce proposes commands whose keys are not on their way already. What
// older members would not understand waits until the level is raised.
func (n *Node) proposeOnce(now time.Duration, s *cluster.State, keys []string, commands []cluster.Command,
	planned bool, out *Output) {
	var freeKeys []string
	var free []cluster.Command
	for i, key := range keys {
		if n.inFlight[key] || now < n.held[key] || n.release.LevelOf(commands[i]) > s.Level {
			continue
		}
		n.inFlight[key] = true
		freeKeys, free = append(freeKeys, key), append(free, commands[i])
	}
	if len(free) == 0 {
		return
	}
	n.nextID++
	n.flying[n.nextID] = freeKeys
	out.Propose = append(out.Propose, Proposal{ID: n.nextID, Commands: free, Planned: planned})
}
