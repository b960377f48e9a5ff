package cluster

import (
	"fmt"
	"time"
)

// How many acts one node carries out at a time: starts, stops and their like, and live
// migrations. What is decided beyond that waits there for its turn.
const (
	ActsAtOnce  = 16
	MovesAtOnce = 4
)

// ActMargin is what an act may take beyond the time that its declaration gives it.
const ActMargin = 15 * time.Second

// intentNoted is how long an intent may be open on a node in order before a note tells of it.
// Most acts take seconds.
const intentNoted = time.Minute

// openwatch is this node's own measure of how long an intent has been open.
type openwatch struct {
	Index uint64
	For   time.Duration
	// Limit is the time that the act has.
	Limit time.Duration
}

// allowed is how long the act of an intent may take before whoever carries it out gives it up.
func (s *Service) allowed() time.Duration {
	spec := s.Spec.WithDefaults()
	limit := spec.StartTimeout
	switch s.Intent.Kind {
	case IntentStop:
		limit = spec.StopTimeout + spec.DestroyTimeout
	case IntentMigrate:
		limit = spec.MigrateTimeout
	case IntentReconfigure:
		limit = spec.StopTimeout + spec.StartTimeout
	}
	return limit + ActMargin
}

// restOpen measures how long an intent has been open, and reports whether the time has come at
// which something else is said about it.
func (v View) restOpen(service *Service, tick time.Duration) (turned bool) {
	if service.Intent == nil {
		return false
	}
	name := service.Spec.Name
	w := v.Opens[name]
	if w.Index != service.Intent.Index {
		w = openwatch{Index: service.Intent.Index, Limit: service.allowed()}
	}
	before := w.For
	w.For = min(w.For+tick, max(w.Limit, intentNoted))
	v.Opens[name] = w
	passed := func(limit time.Duration) bool { return before < limit && w.For >= limit }
	return passed(intentNoted) || passed(w.Limit)
}

// watchesMove reports whether time alone will change what is decided or said.
func (v View) watchesMove() bool { return v.loopsMove() || v.opensMove() }

// opensMove reports whether time alone will change what is said of an open intent.
func (v View) opensMove() bool {
	for _, w := range v.Opens {
		if w.For < max(w.Limit, intentNoted) {
			return true
		}
	}
	return false
}

// noteLong tells of an intent that has been open for long on a node in order: since when, why,
// and what to do. A note says nothing about how it will end: a deadline ends our waiting, not
// the act.
func (p *planner) noteLong(service Service) {
	intent, name := service.Intent, service.Spec.Name
	w := p.view.Opens[name]
	if w.Index != intent.Index || w.For < intentNoted {
		return
	}
	what := fmt.Sprintf("its %s on %s has been under way since %s", intent.Kind, intent.Node, clockOf(intent.At))
	if crowd := p.crowd(*intent); crowd != "" {
		p.wait(name, what+": "+crowd, "") // its time begins with its turn, which only that node knows
		return
	}
	if w.For >= w.Limit {
		p.wait(name, fmt.Sprintf("%s, longer than it has time for (%s), and %s has not told how it ended, so nothing "+
			"else is tried", what, told(w.Limit), intent.Node),
			fmt.Sprintf("on %s: `journalctl -u clusterd` tells of act %s; `systemctl restart clusterd` lets it look what "+
				"became of that, and touches no VM", intent.Node, intent.Act()))
		return
	}
	next := fmt.Sprintf("on %s: `journalctl -u clusterd` tells of act %s", intent.Node, intent.Act())
	if intent.Kind == IntentMigrate {
		next = "`clusvcadm --cancel " + name + "` gives it up"
	}
	p.wait(name, fmt.Sprintf("%s; it is given up at %s", what, clockOf(intent.At.Add(w.Limit))), next)
}

// backlog is how many acts are open on a node.
type backlog struct{ acts, moves int }

// crowd says that a node has more to do than it does at a time; "" if it has not.
func (p *planner) crowd(intent Intent) string {
	if p.crowds == nil {
		p.crowds = map[string]backlog{}
		for _, service := range p.Services.Rows() {
			i := service.Intent
			if i == nil {
				continue
			}
			b := p.crowds[i.Node]
			if i.Kind == IntentMigrate {
				b.moves++
			} else {
				b.acts++
			}
			p.crowds[i.Node] = b
		}
	}
	open, most := p.crowds[intent.Node].acts, ActsAtOnce
	if intent.Kind == IntentMigrate {
		open, most = p.crowds[intent.Node].moves, MovesAtOnce
	}
	if open <= most {
		return ""
	}
	return fmt.Sprintf("%d such acts are open there, which does %d at a time, so it may be waiting for its turn",
		open, most)
}

func clockOf(at time.Time) string { return at.UTC().Format("15:04:05 MST") }
