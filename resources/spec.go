// Package resources says what is kept alive: services, their states and
// flags, and what to do when one of them fails.
//
// The package is pure: it takes values and returns values. It knows neither
// nodes' liveness nor placement (package domain) nor the log (package cluster).
package resources

import (
	"sort"
	"strings"
	"time"
)

// Recovery is what happens to a service that failed while its node lives.
// The words are rgmanager's.
type Recovery string

// The recovery policies.
const (
	// Restart starts the service again on the same node, then elsewhere.
	Restart Recovery = "restart"
	// Relocate starts the service on another node.
	Relocate Recovery = "relocate"
	// Disable leaves the service down until an administrator enables it.
	Disable Recovery = "disable"
	// RestartDisable restarts within the thresholds, then disables.
	RestartDisable Recovery = "restart-disable"
)

// Spec is the declaration of one service, as it is written in the cluster
// document. A Spec is an immutable value: it is replaced, never changed.
type Spec struct {
	// Name carries the type: "vm:web", "service:shop".
	Name string `json:"name"`
	// UUID is the libvirt domain UUID; a VM is recognised by it, not by its name.
	// That of a service made of resources is made from its name.
	UUID string `json:"uuid,omitempty"`
	// Domain names a failover domain; empty means any node.
	Domain string `json:"domain,omitempty"`
	// Autostart false declares the service disabled until it is enabled.
	Autostart bool `json:"autostart"`
	// Recovery is the policy after a failure on a living node.
	Recovery Recovery `json:"recovery,omitempty"`
	// MaxRestarts restarts within RestartExpire are tolerated; 0 is no limit.
	MaxRestarts int `json:"maxRestarts,omitempty"`
	// RestartExpire is the window of MaxRestarts; 0 never forgets.
	RestartExpire time.Duration `json:"restartExpire,omitempty"`
	// Definition is the SHA-256 (hex) of what is started, kept as a blob: a VM's
	// libvirt XML, or the JSON of a service's Tree.
	Definition string `json:"definition,omitempty"`
	// Tree are the resources of a service made of resources; a VM has none.
	Tree []Resource `json:"tree,omitempty"`
	// Disks are the disks named by the definition.
	Disks []Disk `json:"disks,omitempty"`
	// Bonds are what ties a VM to the host on which it is.
	Bonds []Bond `json:"bonds,omitempty"`
	// Networks are the names of those that it is attached to, by its definition or as declared.
	Networks []string `json:"networks,omitempty"`
	// Demand is what it takes of its node: as declared, else by a VM's definition.
	Demand Demand `json:"demand,omitzero"`
	// StartTimeout, StopTimeout, DestroyTimeout and MigrateTimeout bound our
	// waiting, not the act: a call may outlive them (law L1).
	StartTimeout   time.Duration `json:"startTimeout,omitempty"`
	StopTimeout    time.Duration `json:"stopTimeout,omitempty"`
	DestroyTimeout time.Duration `json:"destroyTimeout,omitempty"`
	MigrateTimeout time.Duration `json:"migrateTimeout,omitempty"`
	// Migration says how it is moved live.
	Migration Migration `json:"migration,omitzero"`
	// StorageOnly lets the service be recovered when its old host is cut off from
	// all of its disks, without knowing that the host is off: the old copy may go on
	// running, without its disks.
	StorageOnly bool `json:"storageOnly,omitempty"`
	// Probe tells how the guest is asked whether it answers: "udp:ADDR:PORT",
	// "tcp:ADDR:PORT" or empty. It tells a story, it never decides anything.
	Probe string `json:"probe,omitempty"`
	// Rules between this service and others.
	Rules
}

// Disk is one disk of a VM by the identity that storage gives it.
type Disk struct {
	// Identity names the storage the same way on every node: "file:/srv/a.img",
	// "nbd://10.0.0.1:10809/web", "block:/dev/disk/by-id/...".
	Identity string `json:"identity"`
	// Shared disks may be writable in several services (declared shareable).
	Shared bool `json:"shared,omitempty"`
	// ReadOnly disks never conflict.
	ReadOnly bool `json:"readOnly,omitempty"`
	// Behind names the image that is written in place of this one, which lies behind
	// it: only what runs has such disks. Nobody may write to what lies behind.
	Behind string `json:"behind,omitempty"`
	// Kept tells that the guest may still write to it, though no look shows that: it did before, and
	// it may be the same as a disk that cannot be named.
	Kept bool `json:"kept,omitempty"`
	// State tells that it is no disk of the guest but what its firmware keeps. It is
	// written like one, and often lies on one host.
	State bool `json:"state,omitempty"`
}

// Default budgets, in force where a Spec leaves them zero.
const (
	DefaultStartTimeout   = 60 * time.Second
	DefaultStopTimeout    = 120 * time.Second
	DefaultDestroyTimeout = 30 * time.Second
	DefaultMigrateTimeout = 10 * time.Minute
	// DefaultTreeTimeout bounds the start and the stop of all resources of a service.
	DefaultTreeTimeout = 5 * time.Minute
)

// WithDefaults returns the Spec with every unset budget and policy filled in.
func (s Spec) WithDefaults() Spec {
	fill := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	if s.Kind() == KindService {
		// Several agents, one after another, each with a limit of its own.
		fill(&s.StartTimeout, DefaultTreeTimeout)
		fill(&s.StopTimeout, DefaultTreeTimeout)
	}
	fill(&s.StartTimeout, DefaultStartTimeout)
	fill(&s.StopTimeout, DefaultStopTimeout)
	fill(&s.DestroyTimeout, DefaultDestroyTimeout)
	fill(&s.MigrateTimeout, DefaultMigrateTimeout)
	if s.Recovery == "" {
		s.Recovery = Restart
	}
	return s
}

// The kinds of services.
const (
	KindVM      = "vm"
	KindService = "service"
)

// Kind is the part of the name before the colon: "vm" or "service".
func (s Spec) Kind() string {
	kind, _, _ := strings.Cut(s.Name, ":")
	return kind
}

// Traits are what the services of a kind can do, and what can be done with them. Decisions ask for
// a trait and never for a kind: a new kind is a new row in the table of traits.
type Traits struct {
	// Live: it can move to another node without being stopped; see also Spec.MovesLive.
	Live bool
	// Pausable: a copy that runs where it should not can be held without ending it.
	Pausable bool
	// Killable: what is left of it after a crash is ended without asking it to.
	Killable bool
	// Parts: it is made of resources, which fail, are mended and take a changed declaration in one
	// by one while the rest of it runs.
	Parts bool
	// Drifts: it can run on other disks than those that are declared, by what was attached or
	// snapshot by hand.
	Drifts bool
	// Hypervisor: a hypervisor has to answer before it can be started, moved or seen.
	Hypervisor bool
	// DisksOnly: all that it does goes through its disks, so that a host that is cut off from them
	// no longer runs it in any way that matters.
	DisksOnly bool
}

var traits = map[string]Traits{
	KindVM: {Live: true, Pausable: true, Killable: true, Drifts: true, Hypervisor: true, DisksOnly: true},
	// An address or a mounted file system can neither be held nor taken along.
	KindService: {Parts: true},
}

// Traits are those of its kind.
func (s Spec) Traits() Traits { return traits[s.Kind()] }

// MovesLive reports whether it can move to another node without being stopped: its kind can, and
// nothing binds this one to its host.
func (s Spec) MovesLive() bool { return s.Traits().Live && s.NotLive() == "" }

// Short is the part of the name after the colon: "web".
func (s Spec) Short() string {
	_, short, found := strings.Cut(s.Name, ":")
	if !found {
		return s.Name
	}
	return short
}

// Conflicts returns the identities of disks that both lists could write and
// that at least one side has not declared shared (law L9), sorted.
func Conflicts(a, b []Disk) []string {
	var found []string
	for _, left := range a {
		for _, right := range b {
			if left.Identity != right.Identity || left.ReadOnly || right.ReadOnly ||
				(!left.mayWrite() && !right.mayWrite()) {
				continue
			}
			if left.Shared && right.Shared {
				continue
			}
			found = append(found, left.Identity)
		}
	}
	sort.Strings(found)
	return found
}
