package daemon

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/resources"
)

// Latencies of the simulated hypervisor and BMC.
const (
	createTakes  = 300 * time.Millisecond
	resumeTakes  = 100 * time.Millisecond
	stopTakes    = 200 * time.Millisecond
	migrateTakes = 2 * time.Second
	fenceTakes   = 310 * time.Millisecond
)

// world is what lies outside of the daemons: hosts with power, the guests on
// them, and BMCs. It watches for what must never happen.
type world struct {
	mu    sync.Mutex
	hosts map[string]*host
	// starts and shots tell what happened, in order.
	starts []string
	shots  []shot
	// broken are the laws that were broken, in words.
	broken []string
	// unproven makes the BMC of a node prove nothing.
	unproven map[string]bool
	// telltale makes BMCs refuse, and say with which password.
	telltale bool
	// dial is how long a BMC takes before it accepts anything.
	dial time.Duration
	// cutPower is told when a host loses its power.
	cutPower func(node string)
	reach    func(from, to string) bool
}

type shot struct {
	fencer, victim string
	at             time.Time
}

type host struct {
	on bool
	// boots counts them: a call of an old boot does nothing to a new one.
	boots  int
	guests map[string]*guest
	// calls counts those under way for each guest; they outlive their caller.
	calls map[string]int
	// mute makes the hypervisor answer nothing.
	mute bool
}

type guest struct{ running, leaving bool }

func newWorld(names []string) *world {
	w := &world{hosts: map[string]*host{}, unproven: map[string]bool{}, cutPower: func(string) {},
		reach: func(string, string) bool { return true }}
	for _, name := range names {
		w.hosts[name] = &host{on: true, guests: map[string]*guest{}, calls: map[string]int{}}
	}
	return w
}

// powerOff takes a host's power: its guests are gone at once.
func (w *world) powerOff(name string) {
	w.mu.Lock()
	h := w.hosts[name]
	was := h.on
	h.on, h.guests, h.calls = false, map[string]*guest{}, map[string]int{}
	w.mu.Unlock()
	if was {
		w.cutPower(name)
	}
}

func (w *world) powerOn(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hosts[name].on = true
	w.hosts[name].boots++
}

func (w *world) setMute(name string, mute bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hosts[name].mute = mute
}

// setUnproven makes the BMC of a node prove nothing, or work again.
func (w *world) setUnproven(name string, unproven bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unproven[name] = unproven
}

// setDial changes how long the BMCs take.
func (w *world) setDial(takes time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dial = takes
}

// runsOn lists the hosts on which a guest executes.
func (w *world) runsOn(uuid string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.runningLocked(uuid)
}

func (w *world) runningLocked(uuid string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(w.hosts)) {
		if g := w.hosts[name].guests[uuid]; g != nil && g.running {
			names = append(names, name)
		}
	}
	return names
}

func (w *world) shotsFired() []shot {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.shots)
}

func (w *world) lawsBroken() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.broken)
}

// call makes a hypervisor call that takes a while and then has its effect,
// whether its caller still waits or not. It reports whether the caller saw the end.
func (w *world) call(ctx context.Context, name, uuid string, takes time.Duration, effect func(h *host)) bool {
	w.mu.Lock()
	boot := w.hosts[name].boots
	w.hosts[name].calls[uuid]++
	w.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		time.Sleep(takes)
		w.mu.Lock()
		defer w.mu.Unlock()
		h := w.hosts[name]
		if !h.on || h.boots != boot {
			return
		}
		h.calls[uuid]--
		effect(h)
		if on := w.runningLocked(uuid); len(on) > 1 {
			w.broken = append(w.broken, fmt.Sprintf("%s runs on %v", uuid, on))
		}
	}()
	select {
	case <-ended:
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.hosts[name].on && w.hosts[name].boots == boot && !w.hosts[name].mute
	case <-ctx.Done():
		return false
	}
}

// hypervisor is the agent of one daemon.
type hypervisor struct {
	world   *world
	node    string
	changes chan agents.Observation
	once    sync.Once
}

func newHypervisor(w *world, node string) *hypervisor {
	return &hypervisor{world: w, node: node, changes: make(chan agents.Observation, 16)}
}

// end is the guest's own end, of which the hypervisor tells.
func (a *hypervisor) end(uuid string) {
	a.world.mu.Lock()
	delete(a.world.hosts[a.node].guests, uuid)
	a.world.mu.Unlock()
	a.changes <- agents.Observation{UUID: uuid, Condition: agents.Absent, Reason: "shutdown", Explained: true}
}

// tell hands a hint out, as the hypervisor's events do.
func (a *hypervisor) tell(uuid string, condition agents.Condition) {
	a.changes <- agents.Observation{UUID: uuid, Condition: condition}
}

func (a *hypervisor) Inventory(context.Context) ([]agents.Observation, error) {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	h := a.world.hosts[a.node]
	if h.mute {
		return nil, fmt.Errorf("the hypervisor of %s does not answer", a.node)
	}
	var all []agents.Observation
	for _, uuid := range slices.Sorted(maps.Keys(h.guests)) {
		all = append(all, h.look(uuid))
	}
	return all, nil
}

func (h *host) look(uuid string) agents.Observation {
	o := agents.Observation{UUID: uuid, Condition: agents.Unknown}
	g := h.guests[uuid]
	switch {
	case h.mute || !h.on:
	case g == nil && h.calls[uuid] > 0: // a call may bring it here yet
	case g == nil:
		o.Condition, o.Evidence = agents.Absent, "no such guest and no call under way"
	case g.running:
		o.Condition = agents.Running
		if g.leaving {
			o.Reason = resources.MigratingOut
		}
	default:
		o.Condition = agents.Paused
	}
	return o
}

func (a *hypervisor) Look(_ context.Context, spec resources.Spec) agents.Observation {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	o := a.world.hosts[a.node].look(spec.UUID)
	o.Service = spec.Name
	return o
}

func (a *hypervisor) Do(ctx context.Context, act agents.Act) agents.Result {
	return agents.Verbs{
		agents.VerbStart: a.Start, agents.VerbStop: a.Stop, agents.VerbMigrate: a.Migrate,
		agents.VerbPrepare: agents.About(a.Prepare),
		agents.VerbResume:  agents.About(a.Resume), agents.VerbPause: agents.About(a.Pause),
	}.Do(ctx, act)
}

func (a *hypervisor) Prepare(ctx context.Context, spec resources.Spec) agents.Result {
	seen := a.Look(ctx, spec)
	return agents.Result{OK: seen.Condition == agents.Absent, Source: seen.Condition, Why: seen.Evidence}
}

func (a *hypervisor) Start(ctx context.Context, start agents.Act) agents.Result {
	unknown := agents.Result{Source: agents.Unknown, Why: "the caller did not wait for the end"}
	uuid := start.Spec.UUID
	create := func(h *host) {
		if h.guests[uuid] == nil {
			h.guests[uuid] = &guest{}
		}
	}
	if !a.world.call(ctx, a.node, uuid, createTakes, create) {
		return unknown
	}
	if err := start.StillWanted(); err != nil {
		if !a.world.call(ctx, a.node, uuid, stopTakes, func(h *host) { delete(h.guests, uuid) }) {
			return unknown
		}
		return agents.Result{Source: agents.Absent, Why: err.Error()}
	}
	return a.Resume(ctx, start.Spec)
}

func (a *hypervisor) Resume(ctx context.Context, spec resources.Spec) agents.Result {
	return a.set(ctx, spec, resumeTakes, true)
}

func (a *hypervisor) Pause(ctx context.Context, spec resources.Spec) agents.Result {
	return a.set(ctx, spec, resumeTakes, false)
}

func (a *hypervisor) set(ctx context.Context, spec resources.Spec, takes time.Duration, running bool) agents.Result {
	found := false
	seen := a.world.call(ctx, a.node, spec.UUID, takes, func(h *host) {
		if g := h.guests[spec.UUID]; g != nil {
			g.running, found = running, true
			a.world.starts = append(a.world.starts, spec.Name+"@"+a.node)
		}
	})
	switch {
	case !seen:
		return agents.Result{Source: agents.Unknown, Why: "the caller did not wait for the end"}
	case !found:
		return agents.Result{Source: agents.Absent, Why: "the guest is gone"}
	case running:
		return agents.Result{OK: true, Source: agents.Running}
	}
	return agents.Result{OK: true, Source: agents.Paused}
}

func (a *hypervisor) Stop(ctx context.Context, stop agents.Act) agents.Result {
	if !a.world.call(ctx, a.node, stop.Spec.UUID, stopTakes, func(h *host) { delete(h.guests, stop.Spec.UUID) }) {
		return agents.Result{Source: agents.Unknown, Why: "the caller did not wait for the end"}
	}
	return agents.Result{OK: true, Source: agents.Absent}
}

func (a *hypervisor) Migrate(ctx context.Context, move agents.Act) agents.Result {
	uuid := move.Spec.UUID
	a.world.mu.Lock()
	if g := a.world.hosts[a.node].guests[uuid]; g != nil {
		g.leaving = true
	}
	a.world.mu.Unlock()
	targetBoot := a.world.expect(move.Target, uuid)
	move.Progress(agents.Progress{Phase: "copying", BytesTotal: 100})
	result := agents.Result{Source: agents.Unknown, Target: agents.Unknown, Why: "the caller did not wait for the end"}
	moved := false
	seen := a.world.call(ctx, a.node, uuid, migrateTakes, func(h *host) {
		target := a.world.hosts[move.Target]
		if g := h.guests[uuid]; g != nil && target.on && target.boots == targetBoot && a.world.reach(a.node, move.Target) {
			delete(h.guests, uuid)
			target.guests[uuid] = &guest{running: true}
			moved = true
		} else if g != nil {
			g.leaving = false
		}
	})
	if seen && moved {
		return agents.Result{OK: true, Source: agents.Absent, Target: agents.Running, Total: migrateTakes,
			Downtime: 20 * time.Millisecond}
	}
	return result
}

// expect keeps a target from saying that a guest is not there as long as it may
// still arrive, whatever becomes of the source.
func (w *world) expect(target, uuid string) (boot int) {
	w.mu.Lock()
	boot = w.hosts[target].boots
	w.hosts[target].calls[uuid]++
	w.mu.Unlock()
	go func() {
		time.Sleep(migrateTakes + time.Millisecond)
		w.mu.Lock()
		defer w.mu.Unlock()
		if h := w.hosts[target]; h.on && h.boots == boot {
			h.calls[uuid]--
		}
	}()
	return boot
}

func (a *hypervisor) Changes() <-chan agents.Observation { return a.changes }

func (a *hypervisor) Close() error {
	a.once.Do(func() { close(a.changes) })
	return nil
}
