package cluster

import (
	"fmt"
	"time"

	"github.com/clusterd/clusterd/resources"
)

// longestFreeze bounds how far ahead a freeze may end by itself.
const longestFreeze = 366 * 24 * time.Hour

// Freeze says who froze a service, why, and when that ends by itself.
type Freeze struct {
	At time.Time `json:"at"`
	By string    `json:"by,omitempty"`
	// Why is the administrator's reason; may be empty.
	Why string `json:"why,omitempty"`
	// Until is when it ends by itself; zero is never.
	Until time.Time `json:"until,omitzero"`
}

// Thaw ends a freeze whose time is over.
type Thaw struct {
	Service string    `json:"service"`
	Until   time.Time `json:"until"`
}

// Kind names the command in the log.
func (Thaw) Kind() string { return "thaw" }
func (Thaw) level() int   { return levelTwo }

// level of a request: what older binaries know is for all.
func (c Ask) level() int {
	if c.Op == OpConvalesce || c.For != 0 {
		return levelTwo
	}
	return levelOne
}

func (t *transaction) mayFreeze(service Service, c Ask) refusal {
	if s := service.State; s != resources.Started && s != resources.Stopped && s != resources.Disabled {
		return refuseAs(codeTemporary, "%s is %s", c.Service, s)
	}
	if c.For < 0 || c.For > longestFreeze {
		return refuseAs(codeInvalid, "a freeze ends after 0s to %s, not after %s", longestFreeze, c.For)
	}
	return accepted
}

// freeze sets the flag and keeps who did it; the words of States below level two
// stay as they were.
func (t *transaction) freeze(service Service, c Ask) Service {
	service.Flags |= resources.Frozen
	if t.Level < levelTwo {
		return service
	}
	service.Freeze = &Freeze{At: t.at, By: c.By, Why: c.Reason}
	if c.For > 0 {
		service.Freeze.Until = t.at.Add(c.For).Round(time.Second)
	}
	return service
}

// until is the end of a freeze in words.
func (f *Freeze) until() string {
	if f == nil || f.Until.IsZero() {
		return ""
	}
	return "until " + f.Until.UTC().Format("2006-01-02 15:04:05 MST")
}

// apply ends a freeze by the leader's clock, as it stands in the entry.
func (t *transaction) applyThaw(c Thaw) refusal {
	service, known := t.Services.Get(c.Service)
	if !known || service.Freeze == nil || !service.Freeze.Until.Equal(c.Until) || c.Until.IsZero() {
		return refuse("%s is not frozen until then", c.Service)
	}
	if t.at.Before(c.Until) {
		return refuse("%s is frozen %s", c.Service, service.Freeze.until())
	}
	by := orElse(service.Freeze.By, "an administrator")
	service.Flags &^= resources.Frozen
	service.Freeze = nil
	t.setService(service, service.State, Event{Node: service.Owner, By: "expiry", Why: "the time of the freeze by " + by + " is over"})
	t.thawed(c.Service)
	return accepted
}

// planFrozen proposes the end of a freeze when its time has come, and says what
// a frozen service is not given.
func (p *planner) planFrozen(service Service) {
	name, next := service.Spec.Name, "`clusvcadm -U "+service.Spec.Name+"`"
	frozen := service.Freeze
	if frozen != nil && !frozen.Until.IsZero() && p.reached(frozen.Until) {
		p.decision.propose(Thaw{Service: name, Until: frozen.Until})
		return
	}
	switch {
	case frozen != nil:
		why := fmt.Sprintf("it is %s, and frozen by %s", service.State, orElse(frozen.By, "an administrator"))
		if until := frozen.until(); until != "" {
			why += " " + until
		}
		p.wait(name, sentence(why+": nothing is done to it, whatever happens", frozen.Why), next)
	default:
		p.wait(name, fmt.Sprintf("it is %s and frozen: nothing is done to it", service.State), next)
	}
}
