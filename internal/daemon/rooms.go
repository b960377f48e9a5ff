package daemon

import (
	"context"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/mind"
	"github.com/clusterd/clusterd/internal/adoption"
	"github.com/clusterd/clusterd/internal/alerts"
	"github.com/clusterd/clusterd/internal/ears"
	"github.com/clusterd/clusterd/internal/executor"
	"github.com/clusterd/clusterd/internal/fencing"
	"github.com/clusterd/clusterd/internal/homes"
	"github.com/clusterd/clusterd/internal/hostguard"
	"github.com/clusterd/clusterd/internal/membership/admission"
	"github.com/clusterd/clusterd/internal/membership/comparing"
	"github.com/clusterd/clusterd/internal/membership/entrance"
	"github.com/clusterd/clusterd/internal/membership/inquiry"
	"github.com/clusterd/clusterd/internal/membership/logbook"
	"github.com/clusterd/clusterd/internal/membership/ownkeys"
	"github.com/clusterd/clusterd/internal/membership/pair"
	"github.com/clusterd/clusterd/internal/membership/returning"
	"github.com/clusterd/clusterd/internal/membership/roll"
	"github.com/clusterd/clusterd/internal/membership/vouching"
	"github.com/clusterd/clusterd/internal/metrics"
	"github.com/clusterd/clusterd/internal/networks"
	"github.com/clusterd/clusterd/internal/pace"
	"github.com/clusterd/clusterd/internal/passage"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/recorder"
	"github.com/clusterd/clusterd/internal/vault"
	"github.com/clusterd/clusterd/quorum"
)

// makeRooms makes the rooms, none of which does anything by itself. What one is handed of another
// is there before it.
func (d *Daemon) makeRooms() (err error) {
	d.book, d.registry, d.vault = d.newBook(), d.newRegistry(), d.newVault()
	if d.own, err = d.newOwnKeys(); err != nil {
		return err
	}
	d.pairs.Keys = d.own
	d.ears = d.newEars()
	d.admission = d.newAdmission()
	if d.options.Networks != nil {
		d.networks = networks.New(d.networkOptions())
	}
	d.executor = executor.New(d.executorOptions())
	d.fencing = d.newDesk()
	d.guard = hostguard.New(d.guardOptions())
	d.door = d.newDoor()
	d.metrics = metrics.New(d.measured)
	d.homes = homes.New(nil, d.logger)
	d.comparing, d.returning, d.pair = d.newComparing(), d.newReturn(), d.newPair()
	d.roll = d.newRoll()
	d.pace = pace.Pace{Folder: d.options.Folder, Logger: d.logger}
	d.plans = recorder.New(recorder.Options{Folder: d.options.Folder.PlansDir(), Clusterd: Version, Node: d.name,
		Logger: d.logger})
	if able, is := d.agent.(agents.Revealing); is {
		able.RevealBy(d.vault.Reveal)
	}
	d.options.Addresses.Hear(d.register.RefusedMove)
	d.tools = d.newServer()
	d.page = d.newPage(d.tools.Handler())
	return nil
}

// asker puts this node's questions to others.
func (d *Daemon) asker() inquiry.Asker {
	return inquiry.Asker{Cluster: d.membership.ID, Node: d.name,
		Send: func(ctx context.Context, address string, question []byte) ([]byte, error) {
			return d.wire.Ask(ctx, address, question)
		}}
}

func (d *Daemon) newRegistry() *vouching.Registry {
	return vouching.New(vouching.Options{Node: d.name, Logger: d.logger, Log: ledger{d}, Book: d.keys, Ask: d.asker().Ask,
		Peers: d.peers, Visits: func(peer pki.Peer) bool { return d.page != nil && d.page.Lasts(peer) }})
}

func (d *Daemon) newVault() *vault.Vault {
	return vault.New(vault.Options{Node: d.name, Logger: d.logger, Log: ledger{d}, Drivers: d.drivers,
		Own:      func(root *cluster.State) *pki.NodeKey { return d.own.Recorded(root) },
		Warnings: &d.warnings})
}

func (d *Daemon) newOwnKeys() (*ownkeys.Keys, error) {
	return ownkeys.New(ownkeys.Options{Node: d.name, Address: d.address, Folder: d.options.Folder, Logger: d.logger,
		Log: ledger{d}, Vault: d.vault, Store: d.store, Book: d.keys, Unaware: d.registry.Unaware, Warnings: &d.warnings})
}

func (d *Daemon) newDesk() *fencing.Desk {
	return fencing.New(fencing.Options{Node: d.name, Logger: d.logger, Log: ledger{d}, Drivers: d.drivers,
		PowerOn: d.executor.PowerOn, Beats: func(node string) uint64 { return d.pulse.Heard()[node].Count }})
}

func (d *Daemon) newDoor() *passage.Door {
	return passage.New(passage.Options{Node: d.name, Logger: d.logger, Log: ledger{d}, Agent: d.agent,
		Policy: d.options.Node.Definitions, Incarnation: d.admission.Incarnation, Admitted: d.admission.Admitted,
		Blind: d.blind, InForce: d.guard.InForce, Managed: d.options.Managed, Warnings: &d.warnings})
}

// blind says why what this node knows does not tell which VMs may run here.
func (d *Daemon) blind() string {
	switch {
	case d.book.Lost() != nil:
		// What it does not know may be managed all the same: its State is empty, or too old.
		return "clusterd on " + d.name + " holds no log and cannot tell which VMs are managed; see clustat"
	case d.comparing.Odd():
		return "what clusterd on " + d.name + " knows is not what the other nodes agreed upon; see clustat"
	}
	return ""
}

func (d *Daemon) newEars() *ears.Ears {
	return ears.New(ears.Options{Node: d.name, Logger: d.logger, Log: ledger{d}, Agent: d.agent,
		Capacity: d.options.Capacity, Hear: d.box.add, Go: d.work.Go, Warnings: &d.warnings})
}

// keepAlerts tells events to the alerts that are this node's.
func (d *Daemon) keepAlerts(ctx context.Context) {
	(&alerts.Keeper{Node: d.name, Logger: d.logger, Log: ledger{d}, Send: d.tell}).Run(ctx)
}

// teller makes one attempt to tell an alert; tests have their own.
type teller func(ctx context.Context, alert cluster.Alert, m alerts.Message) error

// tell sends an alert with its secrets open.
func (d *Daemon) tell(ctx context.Context, alert cluster.Alert, m alerts.Message) error {
	opened, err := d.vault.OpenAlert(alert)
	if err != nil {
		return err
	}
	return d.teller(ctx, opened, m)
}

// keepTrail keeps the audit trail, which has first who stepped over entries of the log.
func (d *Daemon) keepTrail(ctx context.Context) {
	if err := d.replica.steps.Tell(d.register.KeepStep); err != nil {
		d.logger.Warn("the audit trail does not have who stepped over entries of the log", "error", err)
	}
	d.register.Run(ctx)
}

func (d *Daemon) adoption() *adoption.Desk {
	return &adoption.Desk{Node: d.name, Log: ledger{d}, Documents: d.vault, Importer: d.options.Importer}
}

// executorOptions tie the executor to this daemon. What a daemon opens later is looked up at
// each use.
func (d *Daemon) executorOptions() executor.Options {
	return executor.Options{
		Node: d.name, Logger: d.logger, Agent: d.agent, Do: d.do(), Driver: d.vault.Driver, Go: d.work.Go,
		Root:    func() *cluster.State { return d.replica.Root() },
		Leading: func() bool { return d.role.Load().leading },
		Beats:   func(node string) uint64 { return d.pulse.Heard()[node].Count },
		Test:    func(ctx context.Context, node string) cluster.Verdict { return judged(d.pulse.Test(ctx, node)) },
		InTouch: func(ctx context.Context) error { return d.log.Verify(ctx) },
		Ended: func(result mind.DutyResult) {
			d.box.add(func(in *mind.Input) { in.Results = append(in.Results, result) })
		},
		Checked: func(check cluster.CheckFrom) {
			d.box.add(func(in *mind.Input) { in.Checks = append(in.Checks, check) })
		},
	}
}

// do carries an act out, the networks that it needs made before.
func (d *Daemon) do() func(context.Context, agents.Act) agents.Result {
	if d.networks == nil {
		return d.agent.Do
	}
	return d.networks.Before(d.agent.Do)
}

// networkOptions tie the networks of this host to this daemon.
func (d *Daemon) networkOptions() networks.Options {
	return networks.Options{
		Node: d.name, Driver: d.options.Networks, Root: func() *cluster.State { return d.replica.Root() },
		Changed: func() <-chan struct{} { return d.replica.Changed() }, Admitted: d.admission.Admitted,
		Own: func() string { return d.address }, Addresses: d.peers,
		Warn: func(name, text string) { d.warnings.Set(name, text) },
	}
}

// keepNetworks keeps the networks of guests in line with the State.
func (d *Daemon) keepNetworks(ctx context.Context) {
	if d.networks != nil {
		d.networks.Run(ctx)
	}
}

// guardOptions tie the guard of this host to this daemon.
func (d *Daemon) guardOptions() hostguard.Options {
	return hostguard.Options{
		Node: d.name, Boot: d.boot, Logger: d.logger, Host: d.options.Guard, Agent: d.agent, Go: d.work.Go,
		Root: func() *cluster.State { return d.replica.Root() }, Incarnation: d.admission.Incarnation,
		InTouch: func(ctx context.Context) error { return d.log.Verify(ctx) },
		Warn:    func(subject, text string) { d.warnings.Set(subject, text) }, Hear: d.box.add,
	}
}

func (d *Daemon) entrance() *entrance.Entrance {
	return &entrance.Entrance{Node: d.name, Address: d.address, Log: ledger{d}, Authority: d.vault.Authority,
		Peers: d.peers}
}

func (d *Daemon) newBook() *logbook.Book {
	return logbook.New(logbook.Options{Node: d.name, Folder: d.options.Folder, Logger: d.logger, Warnings: &d.warnings,
		Log: ledger{d}, Place: d.membership, Moved: d.options.Node.Moved,
		InMemory: d.options.Links != nil && d.options.Links.LogInMemory,
		Heard:    func() map[string]quorum.Beat { return d.pulse.Heard() }, End: d.endWith, Fatal: d.fatal})
}

func (d *Daemon) newReturn() *returning.Return {
	return returning.New(returning.Options{Node: d.name, Address: d.address, Folder: d.options.Folder, Logger: d.logger,
		Warnings: &d.warnings, Log: ledger{d}, Book: d.book, Ask: d.asker().Ask, Store: d.store,
		Dials: d.options.Links == nil || d.options.Links.Secured, Admitted: d.admission.Admitted, End: d.endWith})
}

func (d *Daemon) newComparing() *comparing.Comparing {
	return comparing.New(comparing.Options{Node: d.name, Version: Version, Logger: d.logger, Warnings: &d.warnings,
		Log: ledger{d}, Roots: &d.replica.recent, Ask: d.asker().Ask, Peers: d.peers, Lose: d.book.Lose})
}

// hands reach the fence devices of the other of two nodes.
type hands struct {
	*executor.Executor
	*vault.Vault
}

func (d *Daemon) newPair() *pair.Pair {
	return pair.New(pair.Options{Node: d.name, Address: d.address, Boot: d.boot, Folder: d.options.Folder,
		RunDir: d.options.Node.RunDir, Logger: d.logger, Warnings: &d.warnings, Log: ledger{d},
		Hands: hands{d.executor, d.vault}, InQuorum: d.inQuorum, Incarnation: d.admission.Incarnation,
		Heard: func() map[string]quorum.Beat { return d.pulse.Heard() }, Uptime: d.options.Uptime, Go: d.work.Go,
		End: d.endWith, Fatal: d.fatal})
}

func (d *Daemon) newRoll() *roll.Roll {
	return &roll.Roll{Node: d.name, Logger: d.logger, Log: ledger{d}, Renew: d.vault.Renew,
		Heard: func() map[string]quorum.Beat { return d.pulse.Heard() }}
}

func (d *Daemon) newAdmission() *admission.Admission {
	return admission.New(admission.Options{Node: d.name, Address: d.address, Boot: d.boot, Version: Version,
		Folder: d.options.Folder, Logger: d.logger, Warnings: &d.warnings, Log: ledger{d}, Store: d.store, Agent: d.agent,
		Capacity: d.ears.Has, Fatal: d.fatal})
}
