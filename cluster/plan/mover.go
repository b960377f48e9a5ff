package plan

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// mover is one thing that takes a running service from where it is.
type mover struct {
	name string
	asks func(*planner, *running) answer
}

// movers in the order in which they have a say: what a service cannot do without, what
// a person asked for, what empties a node, what is declared, and last what only suits
// better. The first that moves a service, or keeps it where it is, is the last one asked.
var movers = []mover{
	{"depend", (*planner).planFollow},
	{"request", (*planner).planWish},
	{"leave", (*planner).planEvacuation},
	{"order", (*planner).planOrder},
	{"domain", (*planner).planBanished},
	{"config", (*planner).planReconfigure},
	{"return", (*planner).planReturn},
	{"together", (*planner).planTogether},
	{"failback", (*planner).planFailback},
}

// answer is what a mover says of a service.
type answer struct {
	kind answerKind
	// act is what begins. Most answers have none, and each service gets many.
	act *cluster.Begin
	// why it does not move and what a person can do; why is empty where it was said already.
	why, next message.Text
	// code is rgmanager's, of a request that is given up.
	code int
}

type answerKind int

const (
	// saysNothing: it is no matter of this mover.
	saysNothing answerKind = iota
	// saysWait: it would move the service and says why it does not; those after it are
	// asked.
	saysWait
	// saysStay: the service stays where it is, and those after it are not asked.
	saysStay
	// saysMove: the act begins.
	saysMove
	// saysNo: the request is given up.
	saysNo
)

func waiting(why, next message.Text) answer { return answer{kind: saysWait, why: why, next: next} }

func staying(why, next message.Text) answer { return answer{kind: saysStay, why: why, next: next} }

func acting(act cluster.Begin) answer { return answer{kind: saysMove, act: &act} }

func refusing(code int, why message.Text) answer { return answer{kind: saysNo, code: code, why: why} }

// running is a service that runs on a node that is in touch, as that node holds it.
type running struct {
	service cluster.Service
	node    cluster.Member
	holder  cluster.Holder
}

// known reports whether it is known what the service does there.
func (r *running) known() bool { return r.holder.Condition != string(resources.Unknown) }

// well reports whether the service runs there as it should, and nowhere else: what only
// suits better moves no other.
func (r *running) well() bool {
	return r.holder.Condition == string(resources.Running) && len(r.service.Holders) == 1
}

// askEach asks movers in turn, until one of them decides.
func (p *planner) askEach(r *running, movers []mover) {
	for _, m := range movers {
		said := m.asks(p, r)
		if said.kind == saysNothing {
			continue
		}
		p.take(r.service, said)
		if said.kind != saysWait {
			return
		}
	}
}

// take makes an answer part of the decision.
func (p *planner) take(service cluster.Service, said answer) {
	switch said.kind {
	case saysMove:
		p.begin(service, *said.act)
	case saysNo:
		p.giveUp(service, said.code, said.why)
	case saysWait, saysStay:
		if !said.why.IsZero() {
			p.wait(service.Spec.Name, said.why, said.next)
		}
	}
}
