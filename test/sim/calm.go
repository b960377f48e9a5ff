package sim

import (
	"cmp"
	"fmt"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

// How often a person mends, and how long one waits for a join.
const (
	mendEvery    = 500 * time.Millisecond
	joinPatience = 10 * time.Second
	// armPatience is when a person no longer waits for fencing to arm itself: hosts
	// whose clocks are minutes apart do not agree about when its time is over.
	armPatience = 90 * time.Second
)

func (w *World) armAgain() {
	if w.calmly && w.State().Disarmed != nil && w.Leader() != "" {
		w.Propose(w.Leader(), cluster.Arm{By: "root"}, nil)
	}
}

// comeToRest mends everything, waits until all that can be placed runs, and
// holds that nothing changes from then on until the next round.
func (w *World) comeToRest(next time.Duration) {
	if len(w.Violations) > 0 {
		return
	}
	w.tell("from here on all is calm")
	w.calmly, w.calmSince = true, w.Now
	w.mend()
	w.After(armPatience, w.armAgain)
	began := w.Now
	var why string
	step := 0
	w.Run(began+calmBound, func() bool {
		step++
		if step%64 != 0 {
			return false
		}
		why = w.NotSettled()
		return why == ""
	})
	if len(w.Violations) > 0 {
		return
	}
	if why = w.NotSettled(); why != "" {
		w.violate("not settled %s after the last fault: %s; notes: %v", calmBound, why, w.Notes())
		return
	}
	w.watchQuiet()
	w.watchBanished()
	w.asleep = true
	before, again := len(w.raft.log), w.triedLater()
	w.Run(next, nil)
	w.calmly, w.asleep = false, false
	for _, r := range w.raft.log[before:] {
		// What is told twice, and late, changes nothing.
		if len(w.Violations) == 0 && len(r.applied.Events) > 0 && !again.announced(r) {
			w.violate("a quiet world does not stay so: %s", r.data)
		}
	}
	if why = w.NotSettled(); why != "" && len(w.Violations) == 0 && !again.underWay(w, why) {
		w.violate("a quiet world does not stay so: %s", why)
	}
	w.takeAsItIs()
}

// takeAsItIs ends the answering for what was done by hand: the copy that is left
// is right from here on, whatever its disk saw while there were two.
func (w *World) takeAsItIs() {
	for _, h := range w.order {
		for uuid, v := range h.vms {
			if w.byHand[v.service] {
				w.memory[uuid] = v.memory
			}
		}
	}
	clear(w.byHand)
}

// mend repairs, again and again while it is calm, what a person would.
func (w *World) mend() {
	if !w.calmly || w.asleep {
		return
	}
	w.After(mendEvery, w.mend)
	w.operate()
	w.tidyDisks()
	w.endHung()
	w.endOrders()
	w.recoverByHand()
	w.mendAddresses()
	w.mendBoards()
	for _, h := range w.order {
		if h.BMC != BMCTwin && !h.mistaken {
			w.mendTwin(h) // what its board told of another may have come into the log late
		}
		w.Rejoin(h.Name)
		h.Hang(false)
		h.ContinueDaemon()
		h.StartsFail, h.StopsFail, h.MigrationsFail, h.CallsHang, h.EventsLost, h.ArrivalsFail = false, false, false, false,
			false, false
		if h.Stuck {
			w.Undeafen(h)
		}
		h.BMC, h.Slow, h.NoWatchdog, h.IoctlsHang = BMCWorks, 0, false, false
		if h.NoStorage {
			h.SetStorage(true)
		}
		if !h.Libvirt {
			h.SetLibvirt(true)
		}
		h.SetVolume(cluster.Volume{})
		if !w.mendKey(h) {
			w.mendHost(h)
		}
	}
}

func (w *World) mendHost(h *Host) {
	me, known := w.State().Nodes.Get(h.Name)
	switch {
	case w.upgradeLate(h):
	case h.away && known:
		h.away = false
	case !known && w.State().ID != "":
		if w.Leader() != "" && w.Now >= h.joinAgain {
			h.joinAgain = w.Now + joinPatience
			h.KillDaemon()
			w.rejoinAsNew(h)
		}
	case w.needsNewBoot(h):
		h.PowerOff()
	case !h.Powered:
		h.Boot()
	case h.daemon == nil:
		h.StartDaemon()
	case me.State == cluster.NodeLeft && me.Session == h.daemon.session:
		h.KillDaemon()
	case !h.ring.isMember(me) && me.Fingerprint != "":
		h.reinstall(keyOf(me)) // its join came, and nobody heard of it
	}
	w.mendMachines(h)
}

// mendMachines does for the machines of a host what only a person does.
func (w *World) mendMachines(h *Host) {
	for _, v := range h.machines() {
		if w.State().Tombstones.Has(v.uuid) {
			v.destroyed() // it is no longer declared, so nobody stops it, and its name is nobody's
			continue
		}
		if v.condition == resources.Paused && (v.reason == "ioerror" || v.reason == "user") {
			h.ResumeByHand(v.service)
		}
		if h.strays(v) {
			h.decide(v)
		}
		if h.crashedBeside(v) {
			v.destroyed()
		}
	}
}

// needsNewBoot: its fencing waits for an operator's word, and a new boot is the
// best of words.
func (w *World) needsNewBoot(h *Host) bool {
	open, fencing := w.State().Fences.Get(h.Name)
	n, _ := w.State().Nodes.Get(h.Name)
	if w.guarded && h.Powered && n.Ended() && n.Boot == h.BootID() {
		return true // it is cut off, or was waited out while it held nothing
	}
	return fencing && h.Powered && open.Boot == h.BootID() && (len(w.State().Document.Nodes[h.Name].Fence) == 0 ||
		(w.guarded && open.TriedTotal > 0))
}

// operate does in calm what only a person may: end a freeze, and let what
// failed to stop be stopped again and enabled.
func (w *World) operate() {
	s, leader := w.State(), w.Leader()
	if leader == "" {
		return
	}
	for _, name := range s.Services.Keys() {
		service, _ := s.Services.Get(name)
		switch {
		case service.Flags&resources.Frozen != 0:
			w.Ask(leader, cluster.OpUnfreeze, name, "")
		case service.Wish != nil || service.Intent != nil:
		case service.State == resources.Failed:
			w.Ask(leader, cluster.OpDisable, name, "")
		}
	}
}

// restartsOver is when a daemon that started often counts as one that stays up, also where
// the clocks of two leaders differ by as much as is believed.
const restartsOver = 65 * time.Second

// NotSettled says what is not as it should be in a calm world; "" if nothing.
func (w *World) NotSettled() string {
	if w.Leader() == "" {
		return "nobody leads"
	}
	if why := w.levelNotSettled(); why != "" {
		return why
	}
	if why := cmp.Or(w.ordersNotSettled(), w.turnsNotSettled()); why != "" {
		return why
	}
	s := w.State()
	if why := w.workNotSettled(s); why != "" {
		return why
	}
	if why := w.nodesNotSettled(s); why != "" {
		return why
	}
	if why := w.guardNotSettled(s); why != "" {
		return why
	}
	if why := w.volumesNotSettled(s); why != "" {
		return why
	}
	if why := w.servicesNotSettled(s); why != "" {
		return why
	}
	if w.random != nil && w.shots+w.late > 0 {
		return "an off command, a hint or an entry is on its way"
	}
	if why := w.pairNotSettled(); why != "" {
		return why
	}
	if s.Fences.Len() > 0 {
		return s.Fences.Keys()[0] + " is being fenced"
	}
	if s.Tombstones.Len() > 0 {
		return "a removed service may still run: " + s.Tombstones.Keys()[0]
	}
	return ""
}

// workNotSettled says what people still do to the cluster, or which host has not done its part.
func (w *World) workNotSettled(s *cluster.State) string {
	if w.random != nil && s.Disarmed != nil {
		return s.Disarmed.String()
	}
	if s.Drill != nil {
		return "a drill of " + s.Drill.Node + " is under way"
	}
	if s.PowerOns.Len() > 0 {
		return s.PowerOns.Keys()[0] + " is being powered on"
	}
	for _, h := range w.order {
		if w.random != nil && int(h.state.Index) != len(w.raft.log) {
			return h.Name + " lags behind"
		}
		if w.random != nil && h.daemon != nil && len(h.daemon.queues) > 0 {
			return h.Name + " is at work"
		}
	}
	return ""
}

// nodesNotSettled says which node is not online and well, with a daemon that stays up.
func (w *World) nodesNotSettled(s *cluster.State) string {
	for _, name := range s.Nodes.Keys() {
		if n, _ := s.Nodes.Get(name); n.State != cluster.NodeOnline {
			return fmt.Sprintf("%s is %s", name, n.State)
		} else if w.random != nil && !n.Hung.IsZero() {
			return fmt.Sprintf("%s is said to have a hypervisor that hangs", name)
		}
	}
	if why := cmp.Or(w.addressesNotSettled(s), w.boardsNotSettled(s)); why != "" {
		return why
	}
	for _, h := range w.order {
		n, known := s.Nodes.Get(h.Name)
		if known && h.daemon != nil && n.Session != h.daemon.session {
			return h.Name + " has not told yet that its daemon started"
		}
		started := func() time.Duration { return max(w.calmSince, w.raft.log[n.Incarnation-1].when) }
		if n.Restarts != nil && n.Restarts.Count > 3 && w.Now-started() < restartsOver {
			return h.Name + " has only just started, once more"
		}
	}
	return ""
}

// servicesNotSettled says which service is not as it should be, or which request about one is open.
func (w *World) servicesNotSettled(s *cluster.State) string {
	for _, name := range s.Services.Keys() {
		service, _ := s.Services.Get(name)
		if why := w.serviceNotSettled(service); why != "" {
			return name + " " + why
		}
	}
	for _, id := range s.Requests.Keys() {
		if r, _ := s.Requests.Get(id); !r.Done {
			return fmt.Sprintf("request %s (%s %s) is not answered", id, r.Op, r.Service)
		}
	}
	return ""
}

// runsOn lists where the machine of a service runs in truth.
func (w *World) runsOn(service cluster.Service) []string {
	var running []string
	for _, h := range w.order {
		if v := h.vms[service.Spec.UUID]; v != nil && v.condition == resources.Running {
			running = append(running, h.Name)
		}
	}
	return running
}

func (w *World) serviceNotSettled(service cluster.Service) string {
	running := w.runsOn(service)
	if why := w.declaredAsRuns(service); why != "" {
		return why
	}
	if why := w.knowsDisks(service); why != "" {
		return why
	}
	frozen := service.Flags&resources.Frozen != 0
	switch {
	case service.Intent != nil || service.Wish != nil:
		return fmt.Sprintf("is being worked on: %+v %+v", service.Intent, service.Wish)
	case service.State == resources.Started && (len(running) != 1 || running[0] != service.Owner ||
		len(service.Holders) != 1):
		return fmt.Sprintf("is started on %s by the State and runs on %v, holders %v", service.Owner, running,
			service.Holders)
	case service.State != resources.Started && len(running) > 0:
		return fmt.Sprintf("is %s by the State and runs on %v", service.State, running)
	case frozen:
		return "is frozen"
	case service.State == resources.Started || service.Held:
		return ""
	case service.Enabled && w.placeable(service) && w.hindered(service, map[string]bool{}) == "":
		return fmt.Sprintf("is %s: %s", service.State, service.Reason)
	case len(service.Holders) > 0:
		return fmt.Sprintf("is disabled and may still run: %v", service.Holders)
	}
	return ""
}
