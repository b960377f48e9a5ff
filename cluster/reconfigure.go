package cluster

import (
	"fmt"
	"slices"
	"time"

	"github.com/clusterd/clusterd/resources"
)

// A service made of resources takes a changed declaration in while it runs: what
// is gone is stopped, what is new is started, what changed is changed in place or
// stopped and started, and nothing else is touched. A
// VM takes its definition in when it starts.

// Behind says why a service goes on as it was declared before.
type Behind struct {
	// Definition is the one that is not in force.
	Definition string    `json:"definition"`
	Why        string    `json:"why"`
	At         time.Time `json:"at"`
}

// BehindWhy says why a running service goes on as it was declared before, empty
// when it does not.
func (s Service) BehindWhy() string {
	h, held := s.holder(s.Owner)
	switch {
	case !held || h.Definition == "" || h.Definition == s.Spec.Definition:
		return ""
	case s.Behind != nil && s.Behind.Definition == s.Spec.Definition:
		return s.Behind.Why
	case s.Spec.Kind() == resources.KindVM:
		return "its definition changed after this start; the new one counts from the next (clusvcadm -R " + s.Spec.Name + ")"
	case !s.Enabled && s.State == resources.Started && s.Wish == nil:
		return "it runs although it is disabled, so its changed declaration is not put in force (clusvcadm -e " +
			s.Spec.Name + " keeps it, and does that)"
	}
	return "its changed declaration is not in force yet"
}

// planReconfigure has a running service take its changed declaration in, once for
// each declaration.
func (p *planner) planReconfigure(r *running) answer {
	spec, started := r.service.Spec, r.holder.Definition
	switch {
	case !r.well() || spec.Kind() != resources.KindService || p.Level() < levelTwo:
		return answer{}
	case started == spec.Definition || started == "":
		return answer{}
	case r.service.Behind != nil && r.service.Behind.Definition == spec.Definition:
		return answer{}
	}
	return acting(Begin{Service: spec.Name, Intent: IntentReconfigure, Node: r.service.Owner,
		Definition: spec.Definition, By: "config", Why: "its declaration changed"})
}

// reconfigureRefused: only what runs whole on one node takes a change in, and what
// it then writes to must be nobody else's (law L9).
func (c Begin) reconfigureRefused(w *World, service Service, n Member) refusal {
	h, held := service.holder(n.Name)
	switch {
	case service.Spec.Kind() != resources.KindService:
		return refuse("%s is a VM, which takes its definition in when it starts", c.Service)
	case service.State != resources.Started || service.Owner != n.Name || !held || !onBoot(n)(h):
		return refuse("%s does not run on %s", c.Service, n.Name)
	case len(service.Holders) > 1 || h.Ask || h.Condition != string(resources.Running):
		return refuse("it is not known that %s runs on %s and nowhere else", c.Service, n.Name)
	case c.Definition != service.Spec.Definition || !w.Blobs.Has(c.Definition):
		return refuse("the definition %.12s is not the one in force for %s", c.Definition, c.Service)
	case h.Definition == c.Definition:
		return refuse("%s was started from definition %.12s already", c.Service, c.Definition)
	}
	if why := w.disksFree(service); why != "" {
		return refuse("%s", why)
	}
	if why := w.lockedWhy(); why != "" {
		return refusal{Code: codeTemporary, Why: why}
	}
	return accepted
}

// beginReconfigure begins it. From here on it may write to what it was started with and
// to what is declared now.
func (t *transaction) beginReconfigure(c Begin, service Service, n Member) {
	h, _ := service.holder(n.Name)
	h.Disks = slices.Clip(h.Disks)
	for _, disk := range service.Spec.Disks {
		if !slices.Contains(h.Disks, disk) {
			h.Disks = append(h.Disks, disk)
		}
	}
	service = service.withHolder(h)
	service.Intent = t.intentOf(c, n)
	t.setService(service, resources.Started, Event{Node: n.Name, By: c.By, Why: "takes its changed declaration in"})
}

// reconfigured takes in what became of it. What failed broke the service, or
// nothing was done; that is not tried again before the declaration changes once
// more or the service starts anew.
func (t *transaction) reconfigured(c Done, service Service, n Member, intent Intent) {
	h, held := service.holder(n.Name)
	if !held {
		t.Services.Set(service.Spec.Name, service)
		return
	}
	h = h.after(c.Result, t.index)
	e := Event{Node: n.Name, Cause: intent.Index, By: intent.By, Why: sentence("its changed declaration is in force", c.Result.Why)}
	if c.Result.OK {
		h.Definition, h.Reason, service.Behind = intent.Definition, "", nil
		t.setService(service.withHolder(h), resources.Started, e)
		return
	}
	why := cut(sentence("its changed declaration could not be put in force", c.Result.Why), maxBehind)
	h.Reason, e.Why = c.Result.Why, why
	if c.Result.Source != resources.Broken {
		service.Behind = &Behind{Definition: intent.Definition, At: t.at,
			Why: fmt.Sprintf("%s; it counts from the next start (clusvcadm -R %s)", why, service.Spec.Name)}
	}
	service = t.setService(service.withHolder(h), resources.Started, e)
	if c.Result.Source == resources.Broken {
		t.broken(service, n, h)
	}
}

// maxBehind bounds what is kept of why a change was not taken in.
const maxBehind = 300
