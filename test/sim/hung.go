package sim

import (
	"math/rand/v2"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

// givesUpSalt draws who gives up what a hung guest wrote; its faults are otherwise what they were.
const givesUpSalt = 107

// How long a guest process that hangs holds up a stop without force, how long a daemon
// waits for a migration, and how often one looks whether it answers again.
const (
	hungStop     = 4 * time.Second
	movePatience = 20 * time.Second
	hungEvery    = 500 * time.Millisecond
)

// HangVM stops a guest's process, as in the kernel or in its storage; half of the time
// it goes on later, and often somebody wants it elsewhere meanwhile.
func (w *World) HangVM(f Fault) {
	if w.running(f.Service) == nil {
		return
	}
	w.Stall(f.Service, true)
	if f.Choice%2 == 0 {
		w.After(f.While, func() { w.Stall(f.Service, false) })
	}
	if f.Choice%3 > 0 {
		w.Ask(f.Host, cluster.OpMigrate, f.Service, f.Other)
		w.sayLater(f.While/3, func() {
			op := pick(f.random(), []cluster.Operation{cluster.OpDisable, cluster.OpCancel, cluster.OpRestart})
			w.Request(f.Other, cluster.Ask{Op: op, Service: f.Service, By: "root", DeclaredDisks: f.givesUp()})
		})
	}
}

// givesUp reports whether a person says at once that what a guest wrote to other disks may be left.
func (f Fault) givesUp() bool { return rand.New(rand.NewPCG(f.Choice, givesUpSalt)).IntN(2) == 0 }

// Stall lets the process of a guest hang, or go on.
func (w *World) Stall(service string, hangs bool) {
	for _, h := range w.order {
		if v := h.vms[w.uuid(service)]; v != nil && v.condition == resources.Running && v.hung != hangs {
			v.hung = hangs
			w.tell("%s on %s hangs: %v", service, h.Name, hangs)
			h.hint(service, resources.Observation{Condition: resources.Running})
		}
	}
}

// whenAnswers goes on with something that the guest's process does, once it does.
func (w *World) whenAnswers(v *vm, pause time.Duration, do func()) {
	w.After(pause, func() {
		if v.hung && !v.gone() {
			w.whenAnswers(v, hungEvery, do)
			return
		}
		do()
	})
}

// cancelMove aborts a migration; one that is nearly done ends as it would have.
func (d *daemon) cancelMove(duty cluster.Duty, v *vm) {
	if v != nil && v.moving && !v.hung {
		v.cancelled = true
	}
	d.done(duty, v != nil && v.moving && !v.hung, resources.Unknown, "")
}

// endHung does in calm what a person does about guests that hang: they are disabled,
// which has to end them wherever they are.
func (w *World) endHung() {
	leader := w.Leader()
	for _, h := range w.order {
		for _, v := range h.machines() {
			service, declared := w.State().Services.Get(v.service)
			word := !service.ThrowsAway().IsZero() // the refusal, or the note, asks for it
			switch {
			case !v.hung:
			case !declared || service.Spec.UUID != v.uuid || (service.Owner != h.Name && service.Intent == nil):
				h.DestroyByHand(v.service)
			case leader != "" && (service.Enabled || service.State == resources.Started || word) &&
				(service.Wish == nil || service.Wish.Op != cluster.OpDisable || word):
				w.Request(leader, cluster.Ask{Op: cluster.OpDisable, Service: v.service, By: "root", DeclaredDisks: word})
			}
		}
	}
}

// probe asks the guests that have just been started here whether they answer,
// and tells once they do.
func (d *daemon) probe() {
	w := d.host.world
	for _, service := range d.root.Services.Rows() {
		name := service.Spec.Name
		since := service.Since
		if service.Spec.Probe == "" || service.State != resources.Started || service.Owner != d.host.Name ||
			d.probed[name] == since {
			continue
		}
		d.probed[name] = since
		if w.Mute[name] {
			continue
		}
		d.after(w.between(500*time.Millisecond, 2*time.Second), func() {
			if now, known := d.host.state.Services.Get(name); known && now.Owner == d.host.Name && now.Since == since {
				w.Propose(d.host.Name, cluster.Probed{Service: name, Node: d.host.Name, At: epoch.Add(w.Now)}, nil)
			}
		})
	}
}
