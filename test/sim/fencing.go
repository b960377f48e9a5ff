package sim

import (
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/mind"
	"github.com/clusterd/clusterd/fence"
)

// How a driver proves that a machine is off (law L3), and when it gives up.
const (
	betweenReadings = 300 * time.Millisecond
	boardDeadline   = 20 * time.Second
)

// fence sends the off command to the victim's BMC, and reads twice what it says
// then. Whoever answers for another machine, and whoever shows life afterwards,
// proves nothing.
func (d *daemon) fence(duty cluster.Duty) {
	if effect := fence.EffectOf(duty.Devices); effect != fence.ByPower && effect != "" {
		d.fenceOtherwise(duty)
		return
	}
	if why := d.mistakable(duty); why != "" {
		d.after(d.host.world.between(50*time.Millisecond, 200*time.Millisecond), func() {
			d.finish(mind.DutyResult{Duty: duty, Fence: fence.Result{Outcome: fence.Unknown, Evidence: []string{why}}})
		})
		return
	}
	d.attempt(duty.Node, func(r fence.Result) {
		if victim := d.host.world.Hosts[duty.Node]; duty.Drill && r.Outcome == fence.Confirmed && victim.Powered {
			// A drill looks whether its victim falls silent, as the daemon does.
			r = fence.Result{Outcome: fence.Unknown,
				Evidence: []string{"the device says off, but " + duty.Node + " still shows life"}}
		}
		d.finish(mind.DutyResult{Duty: duty, Fence: r})
	})
}

func (d *daemon) attempt(node string, ended func(fence.Result)) {
	w, victim := d.host.world, d.host.world.Hosts[node]
	report := func(outcome fence.Outcome, evidence string) {
		result := fence.Result{Outcome: outcome, Evidence: []string{evidence}}
		if outcome == fence.Confirmed {
			result.Phases = []fence.Phase{{What: "off confirmed", At: epoch.Add(w.Now)}}
		}
		ended(result)
	}
	later := func(pause time.Duration, outcome fence.Outcome, evidence string) {
		d.after(pause, func() { report(outcome, evidence) })
	}
	off := w.between(betweenReadings, 900*time.Millisecond)
	if w.network.cut[Board][d.host.place][victim.place] || (victim.BMCSharesPower && !victim.Powered) {
		later(w.between(time.Second, 2*time.Second), fence.Unknown, "no way to the BMC")
		return
	}
	switch victim.BMC {
	case BMCDead:
		later(w.between(time.Second, 2*time.Second), fence.Unknown, "no answer from the BMC")
	case BMCDeaf:
		later(off, fence.Refuted, "the BMC accepted the off command and still says on")
	case BMCWrongHost:
		later(off, fence.Unknown, "the BMC tells the UUID of another machine; it was not asked for anything")
	case BMCHangs:
		w.shotAfter(w.between(off, boardDeadline-time.Second), victim.shotDown)
		later(boardDeadline, fence.Unknown, "the BMC did not answer in time")
	case BMCBarred:
		later(off, fence.Unknown, offersNoOff)
	case BMCTwin:
		d.shootTwin(victim, off, report)
	case BMCSlow:
		d.shoot(victim, 8*off, off, report)
	case BMCEarly:
		boot := victim.boot
		w.shotAfter(off/2+w.between(0, betweenReadings), func() {
			if victim.boot == boot {
				victim.shotDown()
			}
		})
		later(off/2+betweenReadings+time.Millisecond, fence.Confirmed, "off command accepted, off read twice")
	default:
		d.shoot(victim, off/2, off/2, report)
	}
}

// shoot cuts the power: the command is on its way, whatever happens to its
// sender, which then reads what came of it.
func (d *daemon) shoot(victim *Host, command, reading time.Duration, report func(fence.Outcome, string)) {
	d.host.world.shotAfter(command, func() {
		mute := victim.BMC == BMCMute
		victim.shotDown()
		d.after(reading, func() {
			switch {
			case mute || victim.Powered:
				report(fence.Unknown, "the BMC's answer was lost")
			default:
				report(fence.Confirmed, "off command accepted, off read twice")
			}
		})
	})
}

// shotAfter lets an off command reach its board later. The world is not at rest
// before it has: it hits whatever boot is there then.
func (w *World) shotAfter(pause time.Duration, do func()) {
	w.shots++
	w.After(pause, func() {
		w.shots--
		do()
	})
}

// powerOn asks the BMC for power; what it says is best effort, and the machine
// boots or not.
func (d *daemon) powerOn(duty cluster.Duty) {
	w, victim := d.host.world, d.host.world.Hosts[duty.Node]
	answer, evidence := fence.Confirmed, "accepted"
	if w.network.cut[Board][d.host.place][victim.place] || (victim.BMC != BMCWorks && victim.BMC != BMCSlow) {
		answer, evidence = fence.Unknown, "no answer from the BMC"
	} else {
		w.shotAfter(w.between(50*time.Millisecond, 400*time.Millisecond), victim.Boot)
	}
	d.after(w.between(400*time.Millisecond, time.Second), func() {
		d.finish(mind.DutyResult{Duty: duty, Fence: fence.Result{Outcome: answer, Evidence: []string{evidence}}})
	})
}
