package cluster

import "time"

// parcel is a result on its way into the log; it is kept until it is there.
type parcel struct {
	key     string
	duty    string
	command Command
}

// takeProposals frees the keys of proposals that ended, and the results that
// are in the log now.
func (n *Node) takeProposals(now time.Duration, in Input) {
	for _, done := range in.Proposals {
		keys := n.flying[done.ID]
		delete(n.flying, done.ID)
		for i, key := range keys {
			delete(n.inFlight, key)
			refused := !done.Failed && i < len(done.Refused) && done.Refused[i] != ""
			switch {
			case done.Failed:
				n.held[key] = now + pauseAfterFailure
			case refused:
				n.held[key] = now + pauseAfterRefusal
				n.delivered(key)
			default:
				delete(n.held, key)
				n.delivered(key)
			}
		}
	}
}

// delivered drops a result that Apply has seen, accepted or refused: a refused
// one is stale by law L2.
func (n *Node) delivered(key string) {
	kept := n.outbox[:0:0]
	for _, p := range n.outbox {
		if p.key != key {
			kept = append(kept, p)
			continue
		}
		delete(n.handed, p.duty)
	}
	n.outbox = kept
}

// post puts the result of a duty into the outbox.
func (n *Node) post(d Duty, c Command) { n.postKey("result/"+d.Key(), d.Key(), c) }

// postKey puts a command into the outbox; a newer one of the same key takes
// its place unless it is on its way already.
func (n *Node) postKey(key, duty string, c Command) {
	for i, p := range n.outbox {
		if p.key == key {
			n.outbox[i].command = c
			return
		}
	}
	n.outbox = append(n.outbox, parcel{key: key, duty: duty, command: c})
}

// report proposes the results in the outbox, each in an entry of its own, so
// that none waits for another's refusal.
func (n *Node) report(now time.Duration, in Input, out *Output) {
	for _, p := range n.outbox {
		n.proposeOnce(now, []string{p.key}, []Command{p.command}, out)
	}
}

// proposeOnce proposes commands whose keys are not on their way already.
func (n *Node) proposeOnce(now time.Duration, keys []string, commands []Command, out *Output) {
	var freeKeys []string
	var free []Command
	for i, key := range keys {
		if n.inFlight[key] || now < n.held[key] {
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
	out.Propose = append(out.Propose, Proposal{ID: n.nextID, Commands: free})
}
