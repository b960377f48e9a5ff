package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

// adjustLimit bounds what one changed declaration may take to be put in force.
const adjustLimit = 2 * time.Minute

// adjustRests are the waits between the attempts to put one in force; after the
// last attempt it is told to wait for the next start.
var adjustRests = []time.Duration{5 * time.Second, 20 * time.Second, time.Minute}

// keepAdjusted tells the agent of declarations that changed while their service
// runs here, for what can be changed in place. It is no act on the service: the
// agent neither starts nor stops anything for it.
func (d *Daemon) keepAdjusted(ctx context.Context) {
	adjuster, can := d.agent.(agents.Adjuster)
	if !can {
		return
	}
	declared := declarations{}
	for ctx.Err() == nil {
		changed := d.replica.Changed()
		var next <-chan time.Time
		if d.incarnation.Load() != 0 {
			due, wait := declared.due(d.replica.Root(), d.name, time.Now())
			for _, spec := range due {
				d.adjust(ctx, adjuster, declared, spec)
			}
			if len(due) > 0 {
				continue
			}
			if wait > 0 {
				next = time.After(wait)
			}
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-next:
		}
	}
}

// declaration is what became of a service's declaration here; at is when it is
// tried again, zero for never.
type declaration struct {
	definition string
	failures   int
	at         time.Time
}

// declarations are those of the services that run here, by name.
type declarations map[string]declaration

// due lists the services at rest on a node whose declaration is to be told now,
// and how long it is to the next of the others; 0 when there is none.
func (l declarations) due(root *cluster.State, node string, now time.Time) (list []resources.Spec, wait time.Duration) {
	for name := range l {
		if !root.Services.Has(name) {
			delete(l, name)
		}
	}
	for _, name := range root.Services.Keys() {
		service, _ := root.Services.Get(name)
		if service.Owner != node || service.Spec.Kind() != resources.KindService {
			delete(l, name)
			continue
		}
		known, told := l[name]
		if service.Intent != nil {
			continue
		}
		switch left := known.at.Sub(now); {
		case !told || known.definition != service.Spec.Definition || (!known.at.IsZero() && left <= 0):
			list = append(list, service.Spec)
		case !known.at.IsZero() && (wait == 0 || left < wait):
			wait = left
		}
	}
	return list, wait
}

// note takes in how an attempt ended, and tells whether it was the last.
func (l declarations) note(spec resources.Spec, err error, now time.Time) (last bool) {
	known := l[spec.Name]
	if known.definition != spec.Definition {
		known = declaration{definition: spec.Definition}
	}
	known.at = time.Time{}
	if err != nil {
		known.failures++
		if !errors.Is(err, agents.ErrNextStart) && known.failures <= len(adjustRests) {
			known.at = now.Add(adjustRests[known.failures-1])
		}
	}
	l[spec.Name] = known
	return known.at.IsZero()
}

func (d *Daemon) adjust(ctx context.Context, adjuster agents.Adjuster, declared declarations, spec resources.Spec) {
	limited, cancel := context.WithTimeout(ctx, adjustLimit)
	defer cancel()
	what, err := adjuster.Adjust(limited, spec)
	last := declared.note(spec, err, time.Now())
	word := cluster.Adjusted{Service: spec.Name, Node: d.name, Incarnation: d.incarnation.Load(), Definition: spec.Definition, What: what}
	switch {
	case err != nil && !last:
		d.logger.Warn("a changed declaration is not in force yet, it is tried again", "service", spec.Name, "why", err)
		return
	case err != nil:
		word.Problem = waitsForStart(spec.Name, err, declared[spec.Name].failures)
		d.logger.Warn("a changed declaration waits for the next start", "service", spec.Name, "why", err)
	case what == "":
		return
	default:
		d.logger.Info("a changed declaration is in force", "service", spec.Name, "what", what)
	}
	if _, err := d.propose(ctx, word); err != nil {
		d.logger.Debug("what became of a changed declaration was not recorded", "service", spec.Name, "error", err)
	}
}

// waitsForStart says why a declaration is not in force, and what to do.
func waitsForStart(service string, err error, attempts int) string {
	if errors.Is(err, agents.ErrNextStart) {
		return err.Error()
	}
	return fmt.Sprintf("%v; tried %d times, it counts from the next start (clusvcadm -R %s)", err, attempts, service)
}
