// Package rehearse says what would happen: it plans and applies on a copy of the State, with every
// act going well.
package rehearse

import (
	"slices"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/apply"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// Limits of a rehearsal. Where one service starts at a time, each takes two rounds: then there are
// as many as that takes.
const (
	rehearsedRounds = 100
	rehearsedEvents = 500
)

// Rehearse says what would happen if a request were made now: by the very Apply
// and Plan that would decide it, on a copy. Acts are taken to work. The State is
// left as it is.
func Rehearse(s *cluster.State, v cluster.View, ask cluster.Ask) cluster.Rehearsal {
	out := onPaper(s, v)
	copied := out.state
	if ask.Request == "" || copied.Requests.Has(ask.Request) {
		ask.Request = "rehearsal"
		copied.Requests.Delete(ask.Request)
	}
	applied := out.apply(ask)
	if why := applied.Refused[0]; !why.IsZero() {
		return cluster.Rehearsal{Refused: why, Code: applied.Codes[0], Text: cluster.CodeText(applied.Codes[0]), Done: true}
	}
	out.goOn()
	request, _ := copied.Requests.Get(ask.Request)
	return cluster.Rehearsal{Code: request.Code, Text: request.Text, Why: request.Why, Owner: request.Owner,
		Done:   request.Done,
		Events: out.events, Notes: out.notesOf(s)}
}

// rehearsal is the little world in which it is tried.
type rehearsal struct {
	state *cluster.State
	// view is what the leader would have measured: what it has by now, and that no time passes
	// on paper. began is how it was before anything was tried.
	view, began cluster.View
	// keep chooses what is told; nil keeps all.
	keep   func(cluster.Event) bool
	events []cluster.Event
	notes  []cluster.Note
}

// onPaper begins a rehearsal, on a copy of the State.
func onPaper(s *cluster.State, v cluster.View) rehearsal {
	v = v.On(s, 0)
	return rehearsal{state: s.Fork(), view: v, began: v}
}

func (r *rehearsal) apply(commands ...cluster.Command) apply.Applied {
	at := rules.Estimate(r.view, rules.Of(r.state))
	applied := apply.Apply(r.state, cluster.Entry{Index: r.state.Index + 1, At: at, Commands: commands})
	for _, e := range applied.Events {
		if e.Why.Is(message.MigrationReady) {
			continue // nobody asks the target on paper
		}
		if len(r.events) < rehearsedEvents && (r.keep == nil || r.keep(e)) {
			r.events = append(r.events, e)
		}
	}
	r.view = r.view.On(r.state, 0)
	return applied
}

// goOn plans and carries out until nothing more happens.
func (r *rehearsal) goOn() {
	for range max(rehearsedRounds, 2*r.state.Services.Len()) {
		var d plan.Decision
		plan.PlanAllServices(rules.Of(r.state), r.view, &d)
		r.notes = d.Notes
		happened := r.answer()
		for _, c := range d.Commands {
			if r.apply(c).Refused[0].IsZero() {
				happened = true
			}
		}
		if !r.carryOut() && !happened {
			return
		}
	}
}

// answer lets every node in touch say "not here" where it is asked about a
// service, unless it is where the service was last seen.
func (r *rehearsal) answer() bool {
	answered := false
	for _, name := range r.state.Services.Keys() {
		service, _ := r.state.Services.Get(name)
		for _, h := range service.Holders {
			n, _ := r.state.Nodes.Get(h.Node)
			if !h.Ask || !n.Reachable() || h.Condition != "" {
				continue
			}
			found := resources.Observation{Service: name, UUID: service.Spec.UUID, Condition: resources.Absent}
			looked := cluster.Looked{Service: name, Node: n.Name, Incarnation: n.Incarnation, Since: h.Since, Observation: found}
			answered = r.apply(looked).Refused[0].IsZero() || answered
		}
	}
	return answered
}

// carryOut lets every open act work.
func (r *rehearsal) carryOut() bool {
	done := false
	for _, name := range r.state.Services.Keys() {
		service, _ := r.state.Services.Get(name)
		if service.Intent == nil || service.Intent.Settling {
			continue
		}
		for range service.Intent.Stages() {
			done = r.carryOutStage(name) || done
		}
		if service, _ = r.state.Services.Get(name); service.State == resources.Started && service.Spec.Probe != "" &&
			service.Answered < service.Since {
			r.apply(cluster.Probed{Service: name, Node: service.Owner, At: time.Time{}})
		}
	}
	return done
}

// carryOutStage lets the present stage of a service's act work, if there is one.
func (r *rehearsal) carryOutStage(name string) bool {
	service, _ := r.state.Services.Get(name)
	if service.Intent == nil || service.Intent.Settling {
		return false
	}
	stage := service.Intent.Present()
	n, _ := r.state.Nodes.Get(stage.Node)
	result := resources.Result{OK: true, Source: resources.Running}
	switch stage.Duty {
	case cluster.DutyStop, cluster.DutyPrepare:
		result = resources.Result{OK: true, Source: resources.Absent}
	case cluster.DutyMigrate:
		result = resources.Result{OK: true, Source: resources.Absent, Target: resources.Running}
	}
	applied := r.apply(cluster.Done{Service: name, Act: service.Intent.Index, Node: n.Name, Incarnation: n.Incarnation,
		Stage: stage.Name, Result: result})
	return applied.Refused[0].IsZero()
}

// notesOf are the notes of the end that were not there before the request.
func (r *rehearsal) notesOf(before *cluster.State) []cluster.Note {
	var d plan.Decision
	plan.PlanAllServices(rules.Of(before), r.began, &d)
	known := map[cluster.Note]bool{}
	for _, note := range d.Notes {
		known[note] = true
	}
	var fresh []cluster.Note
	for _, note := range r.notes {
		if !known[note] {
			fresh = append(fresh, note)
		}
	}
	return fresh
}

// RehearseStop says in which order everything would be stopped with the whole
// cluster, and what would not. The lock's own note is left out: it would tell as done what is only
// planned.
func RehearseStop(s *cluster.State, v cluster.View, by string) ([]cluster.Event, []cluster.Note) {
	r := onPaper(s, v)
	r.apply(cluster.LockCluster{By: by, Stop: true})
	r.events = nil
	r.goOn()
	return r.events, slices.DeleteFunc(r.notesOf(s), func(note cluster.Note) bool {
		return note.Subject == s.Cluster && note.Next.Is(message.DoStartCluster, message.DoUnlockCluster)
	})
}
