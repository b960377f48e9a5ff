package sim

import (
	"crypto/sha256"
	"fmt"
	"sort"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

// BMCMode is how a host's BMC behaves.
type BMCMode string

// The modes. A BMC that says off twice and is not would break law L3 itself, so
// there is none; what a driver must find out before it believes is in
// BMCWrongHost and BMCEarly.
const (
	BMCWorks BMCMode = "works"
	// BMCDead never answers.
	BMCDead BMCMode = "dead"
	// BMCDeaf accepts the off command and leaves the power on.
	BMCDeaf BMCMode = "deaf"
	// BMCMute switches off and its answer is lost.
	BMCMute BMCMode = "mute"
	// BMCSlow takes many seconds for everything.
	BMCSlow BMCMode = "slow"
	// BMCHangs answers nothing, and switches off much later all the same.
	BMCHangs BMCMode = "hangs"
	// BMCEarly says off for a while before it is so.
	BMCEarly BMCMode = "says off early"
	// BMCWrongHost belongs to another machine, and tells so when asked.
	BMCWrongHost BMCMode = "wired to the wrong host"
	// BMCTwin switches the machine Twin instead, and tells the UUID that both have.
	BMCTwin BMCMode = "twin"
	// BMCBarred tells everything and switches nothing off: it offers no such command, or not to the
	// account that is used.
	BMCBarred BMCMode = "barred"
)

// maxMachines bounds how many machines have one name in a history.
const maxMachines = 1000

// Host is one machine.
type Host struct {
	Name    string
	Witness bool
	Powered bool
	// Libvirt reports whether the hypervisor's daemon answers.
	Libvirt bool
	BMC     BMCMode
	// Twin is the machine that a BMCTwin switches.
	Twin *Host
	// mistaken: the cluster has still to be told that its board tells its own UUID again.
	mistaken bool
	// barred is since when its board may not switch it off; 0 while nobody asks it.
	barred time.Duration
	// BMCSharesPower: the BMC dies with its host.
	BMCSharesPower bool
	// StartsFail, StopsFail and MigrationsFail make each such act on this host
	// fail cleanly; CallsHang lets starts outlive who called for them.
	StartsFail, StopsFail, MigrationsFail, CallsHang bool
	// ActsHang lets no act on a VM begin, and none of them end, for whom carries it out.
	ActsHang bool
	// ArrivalsFail lets no live migration arrive here.
	ArrivalsFail bool
	// Lacks is what it says that it lacks when it is asked whether it can take a VM live.
	Lacks string
	// CheckHangs lets that question go unanswered.
	CheckHangs bool
	// EventsLost lets the hypervisor's events be lost until somebody looks anyway.
	EventsLost bool
	// NoWatchdog: it cannot be armed. IoctlsHang lets reservation commands come late.
	NoWatchdog, IoctlsHang bool
	// NoStorage: no disk can be reached.
	NoStorage bool
	// at is where it is reached, in truth.
	at whereabouts
	// volume is what a look at its data volume finds, since when.
	volume      cluster.Volume
	volumeSince time.Duration
	volumeTold  []time.Duration
	// daemonSince is when its daemon started last.
	daemonSince time.Duration
	// restless is what is known of a daemon that ends again and again.
	restless restless
	// Stuck: nothing can be written to its folder, so it takes no entry.
	Stuck bool
	// libvirtSince is when the hypervisor's daemon began to answer, or ceased to.
	libvirtSince time.Duration
	// Slow is how much later than others it applies the log.
	Slow time.Duration
	// Wall is by how much its wall clock is wrong, Drift how much longer its
	// stopwatch thinks that time is, in parts of a thousand.
	Wall  time.Duration
	Drift int
	// Has is what its daemon measures of it; zero where it measures nothing.
	Has cluster.Capacity
	// Installed is the newest level of rules that its clusterd knows.
	Installed int

	world  *World
	place  int
	boot   int
	bootID string // of the boot bootOf, asked for millions of times
	bootOf int
	key    int // how many machines have had this name
	ring   keyring
	member bool
	// away: a person has taken it out of the cluster; it is not booted.
	away bool
	// joinAgain is when a join that nobody heard of is tried again.
	joinAgain time.Duration
	hung      bool
	state     *cluster.State
	disk      *cluster.State
	log       logDisk
	// byHand is what a person's recovery has left for this host's log.
	byHand *cluster.Recover
	daemon *daemon
	vms    map[string]*vm
	// creating counts calls into the hypervisor that may still bring a VM up.
	creating map[string]int
	keeper   *keeper
	// registering counts the registrations that are on their way.
	registering int

	// pair is what it keeps where it is one of two nodes.
	pair pair

	healthy     bool
	lastTrouble time.Duration
	// lastDeaf is when its kernel was last out of touch with a majority; mute since
	// when its daemon has not talked for a second or more, talks since when it does,
	// 0 while it does not.
	lastDeaf, mute, talks time.Duration
	// withLeader: it talks with the leader, since leaderSince.
	withLeader  bool
	leaderSince time.Duration
	// spoke is when its daemon last ended or paused, however short it had talked.
	spoke time.Duration
	// isDeaf: somebody who may lead gets no entry to it, since deafSince; deafUntil is when that ended
	// last. carried: whoever leads can get one to it, carriedAt is when that was so last.
	// nudged is how far the leader's nudges have moved its log.
	isDeaf, carried      bool
	carriedAt            time.Duration
	deafSince, deafUntil time.Duration
	nudged               uint64
	near                 bool // it was in touch when the world last changed
}

// AddHost makes a host that is switched off.
func (w *World) AddHost(name string, witness bool) *Host {
	h := &Host{Name: name, Witness: witness, Libvirt: true, BMC: BMCWorks, Installed: w.newestFor(), world: w,
		state: &cluster.State{}, disk: &cluster.State{}, vms: map[string]*vm{}, creating: map[string]int{},
		ring: newKeyring(name, 0)}
	w.enter(h)
	return h
}

// BootID is the operating system's boot id.
func (h *Host) BootID() string {
	if h.bootID == "" || h.bootOf != h.boot {
		h.bootID, h.bootOf = fmt.Sprintf("%s-boot-%d", h.Name, h.boot), h.boot
	}
	return h.bootID
}

// Key is the public key that it uses.
func (h *Host) Key() []byte { return h.ring.used.public }

func (h *Host) hardware() string { return hardwareOf(h.Name, h.key) }

// machineName is what the machine is known by that has a name as the key-th one.
func machineName(name string, key int) string {
	if key > 0 {
		return fmt.Sprintf("%s-%d", name, key)
	}
	return name
}

func hardwareOf(name string, key int) string {
	sum := sha256.Sum256([]byte(machineName(name, key)))
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// keyOf is which machine of its name a member is.
func keyOf(n cluster.Member) int {
	for key := range maxMachines {
		if newKeyring(n.Name, key).isMember(n) {
			return key
		}
	}
	return 0
}

func (h *Host) up() bool { return h.Powered && !h.hung }

// Boot switches a host on; its daemon starts with it.
func (h *Host) Boot() {
	if h.Powered {
		return
	}
	h.boot++
	h.Powered, h.Libvirt, h.pair.shotDown = true, true, false
	h.world.tell("%s boots (%s)", h.Name, h.BootID())
	h.autostart()
	boot := h.boot
	h.world.After(h.world.between(500*time.Millisecond, 3*time.Second), func() {
		if h.Powered && h.boot == boot {
			h.StartDaemon()
		}
	})
}

// PowerOff cuts the power: everything on the host ends at once.
func (h *Host) PowerOff() {
	if !h.Powered {
		return
	}
	h.Powered, h.daemon, h.hung = false, nil, false
	h.vms, h.creating, h.keeper, h.registering = map[string]*vm{}, map[string]int{}, nil, 0
	h.world.tell("%s is off", h.Name)
	h.world.changed()
}

// KillDaemon ends clusterd without a word; VMs run on.
func (h *Host) KillDaemon() {
	if h.daemon != nil {
		h.world.tell("clusterd on %s is killed", h.Name)
	}
	h.daemon = nil
	h.world.changed()
}

// StartDaemon starts clusterd on a host that is on.
func (h *Host) StartDaemon() {
	if !h.up() || h.daemon != nil || h.away || h.at.missing {
		return
	}
	w := h.world
	if w.paired() {
		h.takeLogOver()
	}
	h.findLog()
	w.sessions++
	d := newDaemon(h, fmt.Sprintf("session-%d", w.sessions))
	h.daemon = d
	h.startsAgain()
	w.tell("clusterd on %s starts", h.Name)
	w.restoreSnapshot(h)
	d.keepAlone()
	d.askForLog()
	d.tellAddress()
	h.follows(nil)
	if h.daemon == nil {
		return
	}
	if h.keeper != nil && h.keeper.armed {
		told := h.keeper.last
		told.Seq = 0 // it answers nothing that this daemon has said
		d.in.Keeper = &told
	}
	d.tick()
	d.announce()
	if w.guarded {
		d.surveyKeys()
	}
	w.changed()
}

// PauseDaemon stops clusterd as a debugger does: it says nothing and hears
// nothing, and does not know afterwards that time has passed.
func (h *Host) PauseDaemon() {
	if h.daemon != nil && !h.daemon.paused {
		h.world.tell("clusterd on %s is paused", h.Name)
		if h.daemon.slept {
			h.daemon.sleepwalk() // while it is paused it makes no step
		}
		h.daemon.paused = true
		h.world.changed()
	}
}

// ContinueDaemon ends that.
func (h *Host) ContinueDaemon() {
	d := h.daemon
	if d == nil || !d.paused || h.hung {
		return // on a host that stands still nothing goes on
	}
	h.world.tell("clusterd on %s goes on", h.Name)
	// What it promised about the time of its sleep cannot be asked of one that stood
	// still, and its ticker has a tick for it at once.
	d.paused, d.slept = false, false
	frozen := d.frozen
	d.frozen = nil
	for _, do := range frozen {
		if d.alive() {
			do()
		}
	}
	if d.alive() {
		d.wake()
	}
	h.world.changed()
}

// Hang stops the whole machine for a while: its kernel answers nothing.
func (h *Host) Hang(hangs bool) {
	if h.hung == hangs || !h.Powered {
		return
	}
	h.world.tell("%s hangs: %v", h.Name, hangs)
	if h.hung = hangs; hangs {
		h.PauseDaemon()
	} else {
		h.ContinueDaemon()
		h.world.watchWriters(h)
	}
	h.world.changed()
}

// SetLibvirt stops or starts the hypervisor's daemon; VMs run on. What it had
// been asked to do ends with it.
func (h *Host) SetLibvirt(answers bool) {
	if answers && !h.Libvirt {
		h.creating = map[string]int{}
	}
	if h.Libvirt != answers {
		h.libvirtSince = h.world.Now
	}
	h.Libvirt = answers
	h.askHypervisor()
	h.world.tell("libvirt on %s answers: %v", h.Name, answers)
	if answers {
		h.autostart()
	}
	for _, v := range h.machines() {
		h.hint(v.service, resources.Observation{Service: v.service})
	}
}

// SetStorage takes the shared storage away or gives it back. Guests that need
// it pause, and stay so until a person resumes them.
func (h *Host) SetStorage(there bool) {
	w := h.world
	h.NoStorage = !there
	w.tell("the storage is there for %s: %v", h.Name, there)
	if there {
		return
	}
	for _, v := range h.machines() {
		w.After(w.between(200*time.Millisecond, 3*time.Second), func() {
			if h.NoStorage && !v.gone() && v.condition == resources.Running && !v.moving {
				h.PauseVM(v.service, "ioerror")
			}
		})
	}
}

// autostart is what libvirt does by itself when it starts, if somebody told it
// to: the doorkeeper has to refuse it.
func (h *Host) autostart() {
	w := h.world
	if w.random == nil || h.Witness {
		return
	}
	services := w.State().Services
	for _, name := range services.Keys() {
		service, _ := services.Get(name)
		uuid := service.Spec.UUID
		if mine, known := h.state.Services.Get(name); !known || mine.Intent != nil {
			continue // the door is open for what comes up; that is why managed VMs have no definition in libvirt
		}
		if h.vms[uuid] != nil || h.NoStorage || !w.strikes("autostart", 3) {
			continue
		}
		v := &vm{host: h, since: w.Now, service: name, uuid: uuid, memory: w.memory[uuid], disks: service.Spec.Disks}
		if h.doorkeeper(v) {
			h.vms[uuid] = v
			w.tell("libvirt autostarts %s on %s", name, h.Name)
			v.execute()
			h.hint(name, resources.Observation{Condition: resources.Running})
		}
	}
}

// machines are the VMs on a host, in order.
func (h *Host) machines() []*vm {
	list := make([]*vm, 0, len(h.vms))
	for _, v := range h.vms {
		list = append(list, v)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].uuid < list[j].uuid })
	return list
}
