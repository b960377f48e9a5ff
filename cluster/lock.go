package cluster

import (
	"fmt"
	"time"

	"github.com/clusterd/clusterd/resources"
)

// Lock keeps every service of the cluster from being started until a person
// takes it away. Stops and live migrations work.
type Lock struct {
	Index uint64    `json:"index"`
	At    time.Time `json:"at"`
	By    string    `json:"by,omitempty"`
	Why   string    `json:"why,omitempty"`
	// Stop: all services are stopped too, and remembered, until the cluster is
	// started again.
	Stop bool `json:"stop,omitempty"`
}

// LockCluster locks the cluster, or stops all its services in order.
type LockCluster struct {
	By   string `json:"by,omitempty"`
	Why  string `json:"why,omitempty"`
	Stop bool   `json:"stop,omitempty"`
}

// UnlockCluster takes the lock away. Start says that a stopped cluster is meant.
type UnlockCluster struct {
	By    string `json:"by,omitempty"`
	Why   string `json:"why,omitempty"`
	Start bool   `json:"start,omitempty"`
}

// Kind names the commands in the log.
func (LockCluster) Kind() string   { return "lock" }
func (UnlockCluster) Kind() string { return "unlock" }

func (LockCluster) level() int   { return levelTwo }
func (UnlockCluster) level() int { return levelTwo }

func (t *transaction) applyLockCluster(c LockCluster) refusal {
	if t.Lock != nil && (t.Lock.Stop || !c.Stop) {
		return accepted // it is so already
	}
	t.Lock = &Lock{Index: t.index, At: t.at, By: c.By, Why: c.Why, Stop: c.Stop}
	why := "locked: no service is started until it is unlocked; stops and live migrations work"
	if c.Stop {
		why = "the whole cluster is stopped: all services in the reverse order of their start; what is enabled starts again with the cluster"
	}
	t.tell(Event{Subject: t.Cluster, By: c.By, Why: sentence(why, c.Why)})
	return accepted
}

func (t *transaction) applyUnlockCluster(c UnlockCluster) refusal {
	switch {
	case t.Lock == nil:
		return accepted
	case t.Lock.Stop && !c.Start:
		return refuse("the whole cluster was stopped by %s; `clusterd cluster start` starts it again", orElse(t.Lock.By, "an administrator"))
	}
	why := "unlocked: services may start again"
	if t.Lock.Stop {
		why = "the cluster is started again: services start in order"
	}
	t.Lock = nil
	t.tell(Event{Subject: t.Cluster, By: c.By, Why: sentence(why, c.Why)})
	return accepted
}

// lockedWhy says that and why nothing may start; "" if it may.
func (w *World) lockedWhy() string {
	switch {
	case w.Lock() == nil:
		return ""
	case w.Lock().Stop:
		return sentence("the whole cluster was stopped by "+orElse(w.Lock().By, "an administrator"), w.Lock().Why)
	}
	by := orElse(w.Lock().By, "an administrator")
	return sentence("no service is started: the cluster is locked by "+by, w.Lock().Why)
}

// unlockNext says what takes the lock away.
func (w *World) unlockNext() string {
	if w.Lock() != nil && w.Lock().Stop {
		return "`clusterd cluster start`"
	}
	return "`clusvcadm -u`"
}

// mayUnderLock refuses what could only end in a start, before anything is
// stopped for it.
func (t *transaction) mayUnderLock(service Service, op Operation) refusal {
	starts := op == OpRestart || op == OpRelocate || op == OpConvalesce || (op == OpEnable && service.State != resources.Started)
	if why := t.lockedWhy(); why != "" && starts {
		return refusal{Code: codeTemporary, Why: why + "; " + t.unlockNext() + " ends that"}
	}
	return accepted
}

// noteLock says what the lock holds back.
func (p *planner) noteLock() {
	if p.Lock() == nil {
		return
	}
	up := 0
	for _, service := range p.Services.Rows() {
		if service.Owner != "" || service.Intent != nil {
			up++
		}
	}
	why := p.lockedWhy()
	switch {
	case p.Lock().Stop && up > 0:
		why += fmt.Sprintf("; %s not stopped yet", counted(up, "service"))
	case p.Lock().Stop:
		why += "; everything is stopped"
	}
	p.wait(p.Cluster(), why, p.unlockNext())
}
