package mind

import (
	"slices"
	"sort"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// look is a confirming look at a service that somebody said has changed.
type look struct {
	wanted, running bool
	explained       bool
	reason          string
	notBefore       time.Duration
}

func (n *Node) takeLook(now time.Duration, in Input, r DutyResult) {
	d, o := r.Duty, r.Observation
	unsettled := o.Condition == resources.Unknown || (d.Final && o.UnderWay())
	if grave, removed := in.State.Tombstones.Get(d.Spec.UUID); removed && grave.Spec.Name == d.Service {
		unsettled = o.Condition != resources.Absent // only its absence matters
	}
	if d.Asked {
		if unsettled {
			delete(n.handed, d.Key())
			n.rested[d.Key()] = now + plan.PauseBetweenLooks
			return
		}
		n.post(d, cluster.Looked{Service: d.Service, Node: n.self, Incarnation: d.Incarnation, Since: d.Index,
			UUID:        d.Spec.UUID,
			Observation: o, AsOf: d.AsOf})
		return
	}
	l := n.looks[d.Service]
	o.Explained = o.Explained || l.explained
	if o.Reason == "" {
		o.Reason = l.reason
	}
	l.running = false
	if o.Condition == resources.Unknown {
		l.wanted, l.notBefore = true, now+plan.PauseBetweenLooks
		n.looks[d.Service] = l
	} else if !l.wanted {
		delete(n.looks, d.Service)
	} else {
		n.looks[d.Service] = l
	}
	n.seen[d.Service] = o.Condition
	// What waits for its way into the log would otherwise have the last word.
	command := cluster.Observed{Service: d.Service, Node: n.self, Incarnation: d.Incarnation, AsOf: d.AsOf,
		Observation: o}
	if key := cluster.KeyOf(command); differs(in.State, n.self, d.Service, o) || n.posted(key) {
		n.postParcel(parcel{key: key, look: look{explained: o.Explained, reason: o.Reason}, command: command})
	}
}

// differs reports whether an observation says more than the State knows.
func differs(s *cluster.State, self, name string, o resources.Observation) bool {
	service, known := s.Services.Get(name)
	if !known {
		return false
	}
	if o.Mended != "" {
		return true // it is told once, and the State keeps nothing of it
	}
	h, held := service.Holder(self)
	if o.Plugged != nil && held && !slices.Equal(o.Plugged.Names, h.Plugged) {
		return true
	}
	if !held {
		return o.Condition != resources.Absent && o.Condition != resources.Unknown
	}
	partial := service.Flags&resources.Partial != 0
	return h.Condition != string(o.Condition) || h.Reason != o.Reason ||
		(len(o.Disks) > 0 && !resources.SameDisks(h.Disks, h.RunsOn(o.Disks).Disks)) ||
		(service.Owner == self && partial != o.Partial)
}

// posted reports whether a command of this key waits in the outbox.
func (n *Node) posted(key string) bool {
	for _, p := range n.outbox {
		if p.key == key {
			return true
		}
	}
	return false
}

// recheck looks again at what the State has of this node's VMs and the last look
// did not see, or could not: an observation may have come into the log twice,
// and the second time after a newer one.
func (n *Node) recheck(now time.Duration, s *cluster.State, me cluster.Member) {
	for name := range n.seen {
		if !s.Services.Has(name) {
			delete(n.seen, name)
		}
	}
	for i, name := range s.Services.Keys() {
		service := s.Services.Rows()[i]
		h, held := service.Holder(n.self)
		known := resources.Condition(h.Condition)
		if !held || h.Ask || known == "" || known == resources.Running || service.BusyOn(n.self) || !cluster.OnBoot(me)(h) {
			continue
		}
		_, pending := n.looks[name]
		if seen, looked := n.seen[name]; !pending && (known == resources.Unknown || (looked && seen != known)) {
			n.want(name, look{wanted: true, notBefore: now + plan.PauseBetweenLooks})
		}
	}
}

// takeChanges remembers what has to be looked at.
func (n *Node) takeChanges(in Input) {
	for _, change := range in.Changes {
		n.want(change.Service, look{wanted: true, explained: change.Observation.Explained, reason: change.Observation.Reason})
	}
}

func (n *Node) want(service string, wish look) {
	old, known := n.looks[service]
	if !known && len(n.looks) >= cluster.MaxFound {
		return
	}
	// Two hints before one look: what the first explained stays explained.
	wish.running, wish.explained = old.running, wish.explained || (old.wanted && old.explained)
	if wish.reason == "" && old.wanted {
		wish.reason = old.reason
	}
	n.looks[service] = wish
}

// confirm hands out looks at services that are said to have changed, but not
// while an intent is at work on them here: its result tells the end.
func (n *Node) confirm(now time.Duration, in Input, me cluster.Member, out *Output) {
	names := make([]string, 0, len(n.looks))
	for name := range n.looks {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		l := n.looks[name]
		service, known := in.State.Services.Get(name)
		if !known {
			delete(n.looks, name)
			continue
		}
		busy := service.BusyOn(n.self)
		if !l.wanted || l.running || busy || now < l.notBefore || !(me.Reachable() || me.State == cluster.NodeLeft) {
			continue
		}
		l.wanted, l.running = false, true
		n.looks[name] = l
		out.Do = append(out.Do, cluster.Duty{Kind: cluster.DutyLook, Act: fence.Act(in.State.Generation, in.State.Index, 0),
			Service: name, Spec: service.Spec, Incarnation: in.Incarnation, AsOf: in.State.Index})
	}
}
