package cluster

import "fmt"

// LogHeld says which log a node holds and how far it goes. It is remembered where a loss of the log
// does not lose it: beside the node's key, and by the other nodes.
type LogHeld struct {
	// Life is drawn when a log begins; a folder that was emptied begins another one.
	Life string `json:"life,omitempty"`
	// Term is the newest that the node has seen. A vote is given once in a term.
	Term uint64 `json:"term,omitempty"`
	// LastTerm and LastIndex are those of the log's last entry.
	LastTerm  uint64 `json:"lastTerm,omitempty"`
	LastIndex uint64 `json:"lastIndex,omitempty"`
}

// Empty reports whether nothing was ever acknowledged and no vote given by this log.
func (h LogHeld) Empty() bool { return h.Term == 0 && h.LastTerm == 0 && h.LastIndex == 0 }

// Lacks says why a log that is held now does not hold all that it was known to hold; "" if it does.
// Of two ends of one log the one with the newer term goes further: that is how voters compare them,
// and what a new leader rightly cut off was replaced by entries of a newer term.
func (h LogHeld) Lacks(known LogHeld) string {
	switch {
	case known.Life == "" || known.Empty():
		return ""
	case h.Life == "":
		return fmt.Sprintf("its log is gone: it held entries up to %d", known.LastIndex)
	case h.Life != known.Life:
		return fmt.Sprintf("its log is not the one that it acknowledged entries in, up to %d", known.LastIndex)
	case h.LastTerm < known.LastTerm || (h.LastTerm == known.LastTerm && h.LastIndex < known.LastIndex):
		return fmt.Sprintf("its log ends at entry %d and was known to hold entry %d: it was cut, or an older copy "+
			"of it was put back", h.LastIndex, known.LastIndex)
	case h.Term < known.Term:
		return fmt.Sprintf("its log knows nothing of the vote in term %d: an older copy of it was put back", known.Term)
	}
	return ""
}

// LoseLog says that a node does not hold the log any more in which it acknowledged entries, and
// begins another one. From here on it has no vote; a voter that forgot what it acknowledged would
// let a majority forget it too.
type LoseLog struct {
	Node string `json:"node"`
	// Log is the life of the log that it begins, and Before the one whose place that takes: what was
	// asked for before the node began another one comes too late.
	Log    string `json:"log"`
	Before string `json:"before,omitempty"`
	Why    string `json:"why"`
}

// Kind names the command in the log.
func (LoseLog) Kind() string { return "lose-log" }

func (t *transaction) applyLoseLog(c LoseLog) refusal {
	n, known := t.Nodes.Get(c.Node)
	switch {
	case !known:
		return refuse("there is no node %s in the cluster", c.Node)
	case c.Log == "":
		return refuse("the log that %s begins has no name", c.Node)
	case n.Expelled != 0:
		return refuse("generation %d of the cluster began without %s; it is let in again by that", n.Expelled, c.Node)
	case n.Log == c.Log && n.LogLost == 0:
		return refuse("%s holds this log already", c.Node)
	case n.Log == c.Log:
		return accepted // told twice
	case n.Log != c.Before:
		return refuse("%s has begun another log since that was asked for", c.Node)
	}
	n.Log, n.LogLost = c.Log, t.index
	t.Nodes.Set(c.Node, n)
	t.tell(Event{Node: c.Node, Subject: c.Node,
		Why: fmt.Sprintf("it has lost the log (%s); it has no vote until it holds all of it again", c.Why)})
	return accepted
}

// MayCount says why an answer of a node to a question of this one, a vote or the acknowledgement of
// an entry, counts for nothing: the log it holds lacks what this node remembers of it, or is another
// one that it was not let in with. "" if it counts. This State may be an old one, of a daemon that
// has just started: then whoever was let in since holds more than this node does, and needs no vote
// of it.
func (s *State) MayCount(node string, held, known LogHeld) string {
	if n, _ := s.Nodes.Get(node); held.Life != known.Life && (n.Log == "" || n.Log == held.Life) {
		return ""
	}
	return held.Lacks(known)
}

// Remember returns what to remember of a node's log once it said what it holds. What it was not let
// in with does not take the place of what it acknowledged.
func (s *State) Remember(node string, held, known LogHeld) LogHeld {
	if s.MayCount(node, held, known) == "" {
		return held
	}
	known.Term = max(known.Term, held.Term)
	return known
}

// MayBeHeard says why nothing that a node asks for, a vote for itself above all, is answered: its own
// vote is one with a log that was cut. A log of another life is heard, because whoever leads may have
// begun it while this node was away. "" if it is heard.
func (h LogHeld) MayBeHeard(known LogHeld) string {
	if h.Life != known.Life {
		return ""
	}
	return h.Lacks(known)
}

// MayVote says why a node may not be given a vote yet; "" if it may. One that lost its log is caught
// up when it has come up again: before that it read the log to an end behind everything that it
// ever acknowledged.
func (s *State) MayVote(node string) string {
	if n, _ := s.Nodes.Get(node); n.LogLost != 0 {
		return node + " has lost its log and does not hold all of it again yet"
	}
	return ""
}

// barredByLog says why a node is not admitted with the log that it holds.
func (n Member) barredByLog(log string) string {
	if n.Log == "" || n.Log == log {
		return ""
	}
	return fmt.Sprintf("the log that %s holds is not the one in which it acknowledged entries; its daemon sets "+
		"it aside by itself and gets the cluster's, or use `clusterd node replace %s`", n.Name, n.Name)
}

// holdsLog takes over which log a node came up with: it has read it to the present end.
func (t *transaction) holdsLog(n Member, log string) Member {
	if n.LogLost != 0 {
		t.tell(Event{Node: n.Name, Subject: n.Name, Cause: n.LogLost, Why: "it holds the log again and may vote"})
	}
	n.Log, n.LogLost = log, 0
	return n
}
