package plan

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// restsOn reports whether a service needs another hard, itself or through others.
func (p *planner) restsOn(service cluster.Service, name string, seen map[string]bool) bool {
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

// dependents are the running services that have to go down before this one does,
// as far as they can be stopped: nobody waits for what is frozen or out of touch.
func (p *planner) dependents(name string) []string {
	var list []string
	for _, other := range p.Services.Rows() {
		d, needs := other.Spec.Needs(name)
		if !needs || d.Mode != resources.Hard || other.Flags&resources.Frozen != 0 {
			continue
		}
		stopping := other.Intent != nil && other.Intent.Kind == cluster.IntentStop
		if !other.Up() && !stopping {
			continue
		}
		if p.stoppable(other) {
			list = append(list, other.Spec.Name)
		}
	}
	return list
}

// stoppable reports whether a running service can be asked to stop now.
func (p *planner) stoppable(s *cluster.Service) bool {
	h, _ := s.Holder(s.Owner)
	_, why := p.Workable(s.Owner)
	return why.IsZero() && h.Condition != string(resources.Unknown)
}

// afterDependents reports whether a stop that is not urgent waits until what
// depends on the service is stopped, and says so.
func (p *planner) afterDependents(service cluster.Service) bool {
	list := p.dependents(service.Spec.Name)
	if len(list) == 0 {
		return false
	}
	p.wait(service.Spec.Name, message.StopAfterDependents.With(list), message.Text{})
	return true
}

// planFollow stops a service whose hard dependency goes down.
func (p *planner) planFollow(r *running) answer {
	service := r.service
	why := p.Follows(service)
	if why.IsZero() || !r.known() {
		return answer{}
	}
	if p.afterDependents(service) {
		return answer{kind: saysStay}
	}
	purpose := cluster.ForDepend
	if p.goesAhead(service) {
		purpose = cluster.ForAhead
	}
	return acting(cluster.Begin{Service: service.Spec.Name, Intent: cluster.IntentStop, Node: service.Owner,
		Purpose: purpose, By: "depend", Why: message.StopForDependency.With(why)})
}

// goesAhead reports whether a service goes down only because what it needs is about
// to move: by the State alone nothing is amiss yet.
func (p *planner) goesAhead(service cluster.Service) bool {
	now := p.World
	now.Departs = nil
	return now.Follows(service).IsZero()
}

// departsAfter holds a move by stop and start back until what needs the service
// hard is down: it would be without it meanwhile. It reports whether it has to wait.
func (p *planner) departsAfter(service cluster.Service, c cluster.Begin) bool {
	if c.Intent != cluster.IntentStop || c.Purpose != cluster.ForMove {
		return false
	}
	p.Departs[c.Service] = c.Target
	return p.afterDependents(service)
}

// startsWith reports whether this very decision starts something that depends on a
// service: one decision does not start what it takes the ground from.
func (p *planner) startsWith(name string) bool {
	for _, other := range words.SortedKeys(p.Also) {
		service, _ := p.Services.Get(other)
		if _, needs := service.Spec.Needs(name); needs && !service.Up() {
			return true
		}
	}
	return false
}

// unmet says what a service waits for that it depends on, and whether that will
// come by itself.
func (p *planner) unmet(service cluster.Service) (why message.Text, comes bool) {
	for _, d := range service.Spec.Depend {
		needed, known := p.Services.Get(d.Service)
		if !known {
			continue
		}
		if needed.Up() && d.Mode == resources.Hard {
			if why := p.Follows(service); !why.IsZero() {
				return why, true
			}
		}
		if p.leaving[d.Service] {
			return message.DependencyStopping.With(d.Service), true
		}
		if needed.Up() && p.ready(needed) {
			continue
		}
		if needed.Up() {
			return message.DependencyUnready.With(d.Service, needed.State), true
		}
		idle := p.idle(&needed)
		if needed.Enabled {
			return message.DependencyDown.With(d.Service, needed.State, idle), idle.IsZero()
		}
		return message.DependencyDown.With(d.Service, needed.State, ""), idle.IsZero()
	}
	return message.Text{}, true
}
