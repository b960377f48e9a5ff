package cluster

import (
	"fmt"

	"github.com/clusterd/clusterd/resources"
)

// A dependency is a rule about time, not about place: a service starts after the
// one it needs, and if it needs it hard, it is stopped when that one goes down.
// rgmanager honoured it in one of its modes only.

// down tells that a service is known not to do its work. One that is still
// looked for may be found running, and is not down.
func (w *World) down(s Service) bool {
	if s.up() || s.State == resources.Uninitialized {
		return false
	}
	for _, h := range s.Holders {
		if n, _ := w.Nodes.Get(h.Node); h.Ask && n.Reachable() {
			return false
		}
	}
	return true
}

// going is what a person asked for that will take a running service down; "" if
// nothing does.
func (s Service) going() Operation {
	if s.Wish == nil {
		return ""
	}
	switch s.Wish.Op {
	case OpDisable, OpStop, OpRestart, OpRelocate:
		return s.Wish.Op
	}
	return ""
}

// follows says why a service has to go down after one that it needs hard; "" if
// it has not.
func (w *World) follows(service Service) string {
	return w.followsBut(service, map[string]bool{})
}

func (w *World) followsBut(service Service, seen map[string]bool) string {
	name := service.Spec.Name
	if seen[name] {
		return ""
	}
	seen[name] = true
	for _, d := range service.Spec.Depend {
		needed, known := w.Services.Get(d.Service)
		switch {
		case !known || d.Mode != resources.Hard:
			continue
		case w.down(needed):
			return fmt.Sprintf("it depends on %s, which is %s", d.Service, needed.State)
		case w.departs[d.Service] != "":
			return fmt.Sprintf("it depends on %s, which moves to %s", d.Service, w.departs[d.Service])
		case needed.going() != "":
			return fmt.Sprintf("it depends on %s, which somebody asked to %s", d.Service, needed.going())
		}
		if why := w.followsBut(needed, seen); why != "" {
			return fmt.Sprintf("it depends on %s, and %s", d.Service, why)
		}
	}
	return ""
}

// restsOn tells whether a service needs another hard, itself or through others.
func (p *planner) restsOn(service Service, name string, seen map[string]bool) bool {
	if seen[service.Spec.Name] {
		return false
	}
	seen[service.Spec.Name] = true
	for _, d := range service.Spec.Depend {
		needed, known := p.Services.Get(d.Service)
		if known && d.Mode == resources.Hard && (d.Service == name || p.restsOn(needed, name, seen)) {
			return true
		}
	}
	return false
}

// lacks says which service has to be started before this one may; "" if none.
func (w *World) lacks(service Service) string {
	for _, d := range service.Spec.Depend {
		if needed, known := w.Services.Get(d.Service); known && !needed.up() {
			return fmt.Sprintf("it depends on %s, which is %s", d.Service, needed.State)
		}
	}
	return ""
}

// mayLack refuses a request to start what depends on a service that nobody is
// about to start.
func (t *transaction) mayLack(service Service) refusal {
	for _, d := range service.Spec.Depend {
		needed, known := t.Services.Get(d.Service)
		if !known || needed.up() {
			continue
		}
		if !needed.Enabled || needed.Held || needed.State == resources.Failed || needed.Flags&resources.Frozen != 0 {
			return refuseAs(codeDependency, "%s depends on %s, which is %s; enable that one first", service.Spec.Name, d.Service, needed.State)
		}
	}
	return accepted
}

// dependents are the running services that have to go down before this one does,
// as far as they can be stopped: nobody waits for what is frozen or out of touch.
func (p *planner) dependents(name string) []string {
	var list []string
	for _, other := range p.Services.Rows() {
		d, needs := other.Spec.Needs(name)
		if !needs || d.Mode != resources.Hard || other.Flags&resources.Frozen != 0 {
			continue
		}
		stopping := other.Intent != nil && other.Intent.Kind == IntentStop
		if !other.up() && !stopping {
			continue
		}
		if p.stoppable(other) {
			list = append(list, other.Spec.Name)
		}
	}
	return list
}

// stoppable tells whether a running service can be asked to stop now.
func (p *planner) stoppable(s *Service) bool {
	h, _ := s.holder(s.Owner)
	_, why := p.workable(s.Owner)
	return why == "" && h.Condition != string(resources.Unknown)
}

// afterDependents tells whether a stop that is not urgent waits until what
// depends on the service is stopped, and says so.
func (p *planner) afterDependents(service Service) bool {
	list := p.dependents(service.Spec.Name)
	if len(list) == 0 {
		return false
	}
	p.wait(service.Spec.Name, fmt.Sprintf("it is stopped after %s, which needs it", joined(list)), "")
	return true
}

// planFollow stops a service whose hard dependency goes down.
func (p *planner) planFollow(r *running) answer {
	service := r.service
	why := p.follows(service)
	if why == "" || !r.known() {
		return answer{}
	}
	if p.afterDependents(service) {
		return answer{kind: saysStay}
	}
	purpose := ForDepend
	if p.goesAhead(service) {
		purpose = ForAhead
	}
	return acting(Begin{Service: service.Spec.Name, Intent: IntentStop, Node: service.Owner, Purpose: purpose,
		By: "depend", Why: "stopping because " + why})
}

// goesAhead tells whether a service goes down only because what it needs is about
// to move: by the State alone nothing is amiss yet.
func (p *planner) goesAhead(service Service) bool {
	now := p.World
	now.departs = nil
	return now.follows(service) == ""
}

// departsAfter holds a move by stop and start back until what needs the service
// hard is down: it would be without it meanwhile. It tells whether it has to wait.
func (p *planner) departsAfter(service Service, c Begin) bool {
	if c.Intent != IntentStop || c.Purpose != ForMove || p.Level() < levelTwo {
		return false
	}
	p.departs[c.Service] = c.Target
	return p.afterDependents(service)
}

// startsWith tells whether this very decision starts something that depends on a
// service: one decision does not start what it takes the ground from.
func (p *planner) startsWith(name string) bool {
	for _, other := range sortedKeys(p.also) {
		service, _ := p.Services.Get(other)
		if _, needs := service.Spec.Needs(name); needs && !service.up() {
			return true
		}
	}
	return false
}

// unmet says what a service waits for that it depends on, and whether that will
// come by itself.
func (p *planner) unmet(service Service) (why string, comes bool) {
	for _, d := range service.Spec.Depend {
		needed, known := p.Services.Get(d.Service)
		if !known {
			continue
		}
		if needed.up() && d.Mode == resources.Hard {
			if why := p.follows(service); why != "" {
				return why, true
			}
		}
		if p.leaving[d.Service] {
			return fmt.Sprintf("waits for %s, on which it depends and which is being stopped", d.Service), true
		}
		if needed.up() && p.ready(needed) {
			continue
		}
		text := fmt.Sprintf("waits for %s, on which it depends and which is %s", d.Service, needed.State)
		if needed.up() {
			return text + " and does not answer its probe yet", true
		}
		idle := p.idle(&needed)
		if needed.Enabled {
			text = sentence(text, idle)
		}
		return text, idle == ""
	}
	return "", true
}
