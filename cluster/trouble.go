package cluster

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/clusterd/clusterd/domain"
)

// troubleLasts is how long a failure of a service on a node is remembered by what
// would send it there: long enough that somebody has read of it, short enough that
// nobody has to clear anything away.
const troubleLasts = 30 * time.Minute

// TroubleKind is what went wrong with a service on a node.
type TroubleKind string

// The kinds of trouble.
const (
	TroubleStart TroubleKind = "start"
	TroubleCrash TroubleKind = "crash"
	TroubleMove  TroubleKind = "move"
	// TroubleRoom is no failure: it made room for another service there.
	TroubleRoom TroubleKind = "room"
)

// Trouble is a failure of a service on a node. It is over when the node's daemon
// starts anew, when the service or its domain is declared otherwise, when a person
// asks for something, when the service runs there after all, and after a while.
type Trouble struct {
	Node string `json:"node"`
	// Incarnation is that of the node's daemon when it happened.
	Incarnation uint64      `json:"incarnation"`
	Kind        TroubleKind `json:"kind"`
	At          time.Time   `json:"at"`
	Why         string      `json:"why,omitempty"`
}

// String says what happened.
func (tr Trouble) String() string {
	what := map[TroubleKind]string{TroubleStart: "a start on %s failed", TroubleCrash: "it failed on %s",
		TroubleMove: "its move to %s failed", TroubleRoom: "it left %s"}[tr.Kind]
	return sentence(fmt.Sprintf(what, tr.Node), tr.Why)
}

// troubled remembers a failure; of each node the newest is kept.
func (t *transaction) troubled(s Service, n Member, kind TroubleKind, why string) Service {
	s = s.untroubled(n.Name)
	list := append(s.Troubles[:len(s.Troubles):len(s.Troubles)],
		Trouble{Node: n.Name, Incarnation: n.Incarnation, Kind: kind, At: t.at, Why: why})
	if len(list) > maxFailedStarts {
		list = list[1:]
	}
	s.Troubles = list
	return s
}

// untroubled forgets what went wrong on a node.
func (s Service) untroubled(node string) Service {
	var kept []Trouble
	for _, tr := range s.Troubles {
		if tr.Node != node {
			kept = append(kept, tr)
		}
	}
	s.Troubles = kept
	return s
}

// troubles are the failures of a service that still count, by node.
func (p *planner) troubles(service Service) map[string]Trouble {
	var list map[string]Trouble
	for _, tr := range service.Troubles {
		n, known := p.Nodes.Get(tr.Node)
		if !known || n.Incarnation != tr.Incarnation || p.reached(tr.At.Add(troubleLasts)) {
			continue
		}
		if list == nil {
			list = map[string]Trouble{}
		}
		list[tr.Node] = tr
	}
	return list
}

// shun puts nodes last where a service failed, but for the one where its policy
// restarts it. A live move that failed is not tried again by the cluster itself while
// that counts, and says nothing about a start.
func (p *planner) shun(service Service, list []domain.Candidate) {
	troubles := p.troubles(service)
	for i, c := range list {
		tr, troubled := troubles[c.Node]
		switch {
		case !troubled || c.Barred != "" || c.Node == service.Target:
		case tr.Kind == TroubleMove && service.Owner != "":
			list[i].Barred = tr.triedLater()
		case tr.Kind == TroubleMove:
		case tr.Kind == TroubleStart:
			list[i].Failed = true
		default:
			list[i].Last = tr.String()
		}
	}
}

// triedLater says of a failure when the cluster tries again.
func (tr Trouble) triedLater() string {
	return fmt.Sprintf("%s; it is tried again at %s, or when clusterd on %s has started anew", tr,
		tr.At.Add(troubleLasts).UTC().Format("15:04:05 MST"), tr.Node)
}

// bounce names a target in its present incarnation.
func bounce(n Member) string { return fmt.Sprintf("%s@%d", n.Name, n.Incarnation) }

// bounced is the member that a bounce names.
func bounced(text string) Member {
	name, incarnation, _ := strings.Cut(text, "@")
	number, _ := strconv.ParseUint(incarnation, 10, 64)
	return Member{Name: name, Incarnation: number}
}
